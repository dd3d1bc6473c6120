"""The live notes of the window, one by one, so that a newer row can take an older one's place. Bounded: they are most of the memory."""

from collections import Counter
from typing import NamedTuple

from outcomes.cells import CellKey, NoteSums

MOST_NOTES = 3_000_000
"""A note takes about 370 bytes."""


class Row(NamedTuple):
    """What a note counts as now."""

    revision: int
    serial: int
    rules_serial: int
    key: CellKey
    sums: NoteSums

    @property
    def rank(self) -> tuple[int, int, int]:
        """The row with the highest one counts."""
        return self[:3]


class Remembered:
    """Rows by the note's key (`contracts.identity.note_key`). Beyond the limit notes of the oldest day go first, in whatever order partitions are read.

    Args:
        most: Notes that are remembered; one that was forgotten counts twice when it comes again, as a newer revision, by another model or other rules.
    """

    def __init__(self, most: int = MOST_NOTES) -> None:
        self._most = most
        self._days: dict[str, dict[str, Row]] = {}
        self._size = 0
        self._gone: Counter[str] = Counter()
        self.forgotten = 0
        """How many ever had to go although their day was in the window."""

    def __len__(self) -> int:
        return self._size

    @property
    def forgotten_of_window(self) -> int:
        """How many are missing of the days that are in the window now."""
        return self._gone.total()

    def __contains__(self, note: str) -> bool:
        return self.get(note) is not None

    def get(self, note: str) -> Row | None:
        """The row of a note; None when it is not known."""
        for notes in self._days.values():
            if (row := notes.get(note)) is not None:
                return row
        return None

    def put(self, note: str, row: Row, known: Row | None) -> None:
        """Keep a row in the place of the one that is known."""
        if known is not None:
            del self._days[known.key[0]][note]
            self._size -= 1
        self._days.setdefault(row.key[0], {})[note] = row
        self._size += 1
        if self._size > self._most:
            oldest = min(day for day, notes in self._days.items() if notes)
            self._days[oldest].popitem()
            self._size -= 1
            self._gone[oldest] += 1
            self.forgotten += 1

    def forget_before(self, day: str) -> None:
        """Drop what lies before a day."""
        self._days = {one: notes for one, notes in self._days.items() if one >= day}
        self._gone = Counter({one: times for one, times in self._gone.items() if one >= day})
        self._size = sum(map(len, self._days.values()))
