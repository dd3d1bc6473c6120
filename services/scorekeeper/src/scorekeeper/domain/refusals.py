"""Why notes were refused: the newest dead letters of each, of the window that the numbers have. Bounded."""

from collections import OrderedDict
from typing import NamedTuple

MOST_NOTES = 100_000
MOST_OF_A_NOTE = 5


class RefusedOnce(NamedTuple):
    """One dead letter of a note; `place` is topic, partition and offset, as `rxtract dlq show` takes them."""

    reason: str
    at: int
    place: str


class RefusedNotes:
    """Belongs to who holds the board's lock."""

    def __init__(self, most_notes: int = MOST_NOTES) -> None:
        self._most_notes = most_notes
        self._of: OrderedDict[str, tuple[RefusedOnce, ...]] = OrderedDict()

    def take(self, note: str, refused: RefusedOnce) -> None:
        """Keep a dead letter by its note's key, `source|note_id`; of too many notes the oldest are forgotten."""
        if not note:
            return
        known = self._of.get(note, ())
        if refused.place not in {one.place for one in known}:
            self._of[note] = (*known, refused)[-MOST_OF_A_NOTE:]
        self._of.move_to_end(note)
        while len(self._of) > self._most_notes:
            self._of.popitem(last=False)

    def of(self, note: str) -> tuple[RefusedOnce, ...]:
        """The dead letters of a note, in the order in which they came."""
        return self._of.get(note, ())
