"""Hidden checks: notes whose answer is sure, handed out among the others so that nothing tells them apart.

They are drawn at random from all that a person has not answered, so that they are a mixture like the queue's, are led like any note of
their sample, with the same reason beside them, and can be taken back, kept as a draft and looked at like any other. None is handed out
while nothing else waits. The annotation of one says that it is a check; no answer of the desk does.
"""

import random
from collections.abc import Sequence

from contracts.records import Sample

from review_desk.adapters.people_store import PeopleStore
from review_desk.adapters.store import Entry, Store
from review_desk.domain.tasks import Queue

_LOOKED_AT = 20


class HiddenChecks:
    """Draws them, and knows which wait for whose answer.

    Args:
        share: Of the notes that are handed out while others wait.
        keep_s: Seconds for which a check that was begun may be answered.
        chance: Decides which; nobody outside can foresee it.
    """

    def __init__(
        self, people: PeopleStore, store: Store, share: float, *, keep_s: int, chance: random.Random | None = None
    ) -> None:
        self._people = people
        self._store = store
        self._share = share
        self._keep_s = keep_s
        self._chance = chance or random.SystemRandom()

    def drawn(self, annotator: str, segment: str, holding: Sequence[str]) -> list[Entry]:
        """Notes of which the first that can be had is to be shown now as a check; mostly none."""
        if self._chance.random() >= self._share or not self._others_wait(segment):
            return []
        known = [note for note in self._people.known() if note not in holding]
        fresh = self._store.unanswered(annotator, known)
        self._chance.shuffle(fresh)
        found = self._store.entries(fresh[:_LOOKED_AT]).values()
        return [entry for entry in found if entry.holder is None and segment in entry.task.segments]

    def _others_wait(self, segment: str) -> bool:
        return any(self._store.front(queue, segment, 0, 1) for queue in (Queue.OPEN, Queue.AUDIT))

    def begin(self, annotator: str, note: str) -> None:
        """It is about to be shown."""
        self._people.begin_check(annotator, note, self._keep_s)

    def waits(self, annotator: str, note: str) -> bool:
        """Whether it was shown to this person as a check and not answered yet."""
        return self._people.is_checked(annotator, note)

    def end(self, annotator: str, note: str) -> None:
        """It was answered."""
        self._people.end_check(annotator, note)

    def queue(self, annotator: str, entry: Entry) -> Queue | None:
        """Where a check that waits for this person seems to wait: as any note of its sample does."""
        if not self.waits(annotator, entry.note):
            return None
        return Queue.AUDIT if entry.task.sample == Sample.AUDIT.value else Queue.OPEN


class NoChecks(HiddenChecks):
    """For a desk that checks nobody."""

    def __init__(self) -> None:
        """Nothing is needed."""

    def drawn(self, annotator: str, segment: str, holding: Sequence[str]) -> list[Entry]:
        """None."""
        del annotator, segment, holding
        return []

    def waits(self, annotator: str, note: str) -> bool:
        """None does."""
        del annotator, note
        return False

    def end(self, annotator: str, note: str) -> None:
        """There was none."""
