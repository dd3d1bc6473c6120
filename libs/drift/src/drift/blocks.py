"""Blocks: notes of one segment summed up until their means say something."""

import math
from dataclasses import dataclass, field

from contracts.records import StatisticsObserved

from drift.config import DriftConfig


@dataclass(frozen=True, slots=True)
class Block:
    """Means of one block.

    Attributes:
        n: Notes.
        began_at: Record time of its first record, UTC milliseconds.
        means: By statistic.
    """

    n: int
    began_at: int
    means: dict[str, float]


@dataclass(slots=True)
class OpenBlock:
    """What has come since the last block closed: per statistic its count and sum."""

    n: int = 0
    began_at: int = 0
    counts: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, record: StatisticsObserved) -> None:
        """Add a record's sums; values that are no numbers are left out."""
        if self.n == 0:
            self.began_at = record.observed_at
        self.n += record.n
        counts, sums = self.counts, self.sums
        for one in record.statistics:
            if one.count > 0 and math.isfinite(one.sum):
                counts[one.name] = counts.get(one.name, 0.0) + one.count
                sums[one.name] = sums.get(one.name, 0.0) + one.sum

    def is_full(self, config: DriftConfig) -> bool:
        """Whether it holds as many notes as a block needs."""
        return self.n >= config.block_notes

    def is_old(self, now: int, config: DriftConfig) -> bool:
        """Whether it waited so long that fewer notes do."""
        return self.n >= config.small_block_notes and now - self.began_at >= config.small_block_ms

    def close(self) -> Block:
        """Give what was gathered and begin anew."""
        block = Block(self.n, self.began_at, {name: self.sums[name] / count for name, count in self.counts.items()})
        self.n, self.began_at = 0, 0
        self.counts, self.sums = {}, {}
        return block
