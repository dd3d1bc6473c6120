"""What the ledger says."""

from typing import Any, NamedTuple

from ledger.domain.identity import Note


class Totals(NamedTuple):
    """Submissions by what became of them: submitted = effects + dead_letters + open + lost.

    Attributes:
        submitted: Notes that came by any door, each as often as it came.
        effects: Answered by an entity event of the note.
        dead_letters: Answered by a dead letter.
        open: Not answered, and not yet lost.
        lost: The group of the service that had to answer has committed past them, and no answer came in time.
        late: Of `effects` and `dead_letters`: were lost before.
    """

    submitted: int
    effects: int
    dead_letters: int
    open: int
    lost: int
    late: int


class Waiting(NamedTuple):
    """A submission of a note that has no effect yet.

    Attributes:
        revision: Of the note.
        is_accepted: It passed the validator and waits for its entities; otherwise it waits to be validated.
        at_ms: When the record that waits was written, UTC milliseconds; of one from an older ledger, when it was first seen.
        is_lost: As in `Totals`.
    """

    revision: int
    is_accepted: bool
    at_ms: int
    is_lost: bool


class Account(NamedTuple):
    """Totals, the age of the oldest open submission in seconds (0: none), and lost notes by name."""

    totals: Totals
    oldest_open_s: float
    lost_notes: tuple[Note, ...]

    def as_dict(self) -> dict[str, Any]:
        """What `rxtract reconcile --json` prints."""
        totals = self.totals
        return {
            "submitted": totals.submitted,
            "effects": totals.effects,
            "dead_letters": totals.dead_letters,
            "open": totals.open,
            "lost": totals.lost,
            "oldest_open_seconds": round(self.oldest_open_s, 3),
            "lost_notes": [note._asdict() for note in self.lost_notes],
        }
