"""Where numbers come from: the newest notes of each cell, by identity alone, to be looked up by those who may."""

from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter

from outcomes.cells import CellKey

KEEP_EXAMPLES = 20


NOTES, STRAIGHT, REVIEW, AUDIT, CORRECTED = "notes", "straight", "review", "audit", "corrected"
DRIFT, REFUSED, HISTORY, BEHIND = "drift", "refused", "history", "behind"
"""Kinds. NOTES are STRAIGHT and REVIEW together; HISTORY is refused input that is not live, BEHIND what was refused behind the door."""
NOWHERE = frozenset({REFUSED, HISTORY, BEHIND})
"""Kinds that know no city and no version."""


@dataclass(frozen=True, slots=True)
class Example:
    """One of those that a number is made of. `identity`: a note's key (`source|note_id`), an episode, or the place of a dead letter."""

    identity: str
    words: str
    at: int


def newest(found: Iterable[Example]) -> list[Example]:
    """The newest of some, newest first, by their own time: at a start partitions come one after the other."""
    return sorted(found, key=attrgetter("at"), reverse=True)[:KEEP_EXAMPLES]


class Newest:
    """The newest examples of each kind and cell."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, CellKey], list[Example]] = {}

    def keep(self, kind: str, key: CellKey, example: Example) -> None:
        """Keep one, while it is among the newest."""
        kept = self._kept.setdefault((kind, key), [])
        insort(kept, example, key=attrgetter("at"))
        del kept[:-KEEP_EXAMPLES]

    def drop(self, kind: str, key: CellKey, identity: str) -> None:
        """Let one go: the number does not count it any more."""
        kept = self._kept.get((kind, key), [])
        kept[:] = [one for one in kept if one.identity != identity]

    def of(self, kinds: Iterable[str], wanted: Callable[[CellKey], bool]) -> list[Example]:
        """The newest of some kinds in some cells, newest first."""
        chosen = frozenset(kinds)
        return newest(one for (kind, key), kept in self._kept.items() if kind in chosen and wanted(key) for one in kept)

    def forget_before(self, day: str) -> None:
        """Drop what lies before a day."""
        self._kept = {place: kept for place, kept in self._kept.items() if place[1][0] >= day}
