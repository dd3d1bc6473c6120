"""Sums of one day, city and model version: what the KPIs are computed from."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, log
from typing import NamedTuple

from outcomes.quality import Expected

LATENCY_STEP = log(1.04)  # a bin's middle is within 2 % of every value in it

CellKey = tuple[str, str, str]
"""Local day, city, model version."""


class NoteSums(NamedTuple):
    """What one note adds to its cell. A tuple of plain numbers, because one is kept for every note of the window.

    Attributes:
        facts: Mentions that are facts (`outcomes.facts`).
        right: Mentions that are expected to be right.
        missed: Mentions that are expected to be missing.
        latency: Its bin.
    """

    straight: int
    prompt: int
    mentions: int
    facts: int
    right: float
    missed: float
    latency: int


@dataclass(slots=True)
class Cell:
    """Sums of one day, city and model version."""

    notes: int = 0
    straight: int = 0
    prompt: int = 0
    mentions: int = 0
    facts: int = 0
    right: float = 0.0
    missed: float = 0.0
    latency_bins: Counter[int] = field(default_factory=Counter)
    decided: int = 0
    changed: int = 0
    seconds: float = 0.0

    @property
    def expected(self) -> Expected:
        """What the confidences of its notes promise."""
        return Expected(self.right, self.mentions - self.right, self.missed)

    def take_note(self, note: NoteSums, sign: int = 1) -> None:
        """Add a note, or take it out with sign -1."""
        self.notes += sign
        self.straight += sign * note.straight
        self.prompt += sign * note.prompt
        self.mentions += sign * note.mentions
        self.facts += sign * note.facts
        self.right += sign * note.right
        self.missed += sign * note.missed
        self.latency_bins[note.latency] += sign

    def take(self, other: "Cell", sign: int = 1) -> None:
        """Add another cell's sums, or take them out with sign -1."""
        self.notes += sign * other.notes
        self.straight += sign * other.straight
        self.prompt += sign * other.prompt
        self.mentions += sign * other.mentions
        self.facts += sign * other.facts
        self.right += sign * other.right
        self.missed += sign * other.missed
        for number, times in other.latency_bins.items():
            self.latency_bins[number] += sign * times
        self.decided += sign * other.decided
        self.changed += sign * other.changed
        self.seconds += sign * other.seconds


def latency_bin(latency_ms: int) -> int:
    """The bin of a latency; bins grow by 4 %."""
    return ceil(log(max(latency_ms, 1)) / LATENCY_STEP)


def quantile_ms(bins: Counter[int], share: float) -> float | None:
    """A quantile of binned latencies, within 2 %; None when there is none."""
    total = sum(bins.values())
    wanted = ceil(share * total)
    seen = 0
    for number in sorted(bins):
        seen += bins[number]
        if seen >= wanted and bins[number] > 0:
            return float(1.04 ** (number - 0.5)) if number > 0 else 1.0
    return None


def summed(cells: Mapping[CellKey, Cell], wanted: Callable[[CellKey], bool]) -> Cell:
    """The sums of all cells that are wanted."""
    total = Cell()
    for key, cell in cells.items():
        if wanted(key):
            total.take(cell)
    return total


def selected(days: Iterable[str], city: str = "", version: str = "") -> Callable[[CellKey], bool]:
    """Cells of some days, and of one city and version where they are named."""
    chosen = frozenset(days)
    return lambda key: key[0] in chosen and city in {"", key[1]} and version in {"", key[2]}
