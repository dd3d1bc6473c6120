"""Blocks: notes of one segment summed up until their means say something."""

from dataclasses import dataclass, field
from operator import add

from contracts.records import StatisticsObserved

from drift.config import DriftConfig
from drift.observation import NO_SUMS, NUMBERS_EACH, STATISTICS, sums_of


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
    """What has come since the last block closed; its sums are in the order of `StatisticsObserved.sums`."""

    n: int = 0
    began_at: int = 0
    sums: list[float] = field(default_factory=lambda: list(NO_SUMS))

    def add(self, record: StatisticsObserved) -> None:
        """Add a record's sums."""
        if self.n == 0:
            self.began_at = record.observed_at
        self.n += record.n
        self.sums = list(map(add, self.sums, sums_of(record)))

    def is_full(self, config: DriftConfig) -> bool:
        """Whether it holds as many notes as a block needs."""
        return self.n >= config.block_notes

    def is_old(self, now: int, config: DriftConfig) -> bool:
        """Whether it waited so long that fewer notes do."""
        return self.n >= config.small_block_notes and now - self.began_at >= config.small_block_ms

    def close(self) -> Block:
        """Give what was gathered and begin anew."""
        counts, totals = self.sums[::NUMBERS_EACH], self.sums[1::NUMBERS_EACH]
        means = {name: total / n for name, n, total in zip(STATISTICS, counts, totals, strict=True) if n > 0}
        block = Block(self.n, self.began_at, means)
        self.n, self.began_at, self.sums = 0, 0, list(NO_SUMS)
        return block
