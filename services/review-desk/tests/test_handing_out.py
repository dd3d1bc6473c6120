"""A note is handed out whole or not at all: a text that does not come leaves nobody's lease behind."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from contracts.records import ReviewRequested
from review_desk.adapters.drafts import Drafts
from review_desk.adapters.store import Entry, Store
from review_desk.desk import Desk, Reviewer
from review_desk.domain.tasks import Queue, Task
from review_desk.metrics import METRICS
from runtime.errors import Recoverable
from runtime.service.metrics import Metrics

ANNA, BEN = Reviewer("anna", leads=False), Reviewer("ben", leads=False)


class Waiting:
    """In place of `Store`: notes that wait in the open queue."""

    def __init__(self, count: int) -> None:
        self.notes = [f"a|n{place}" for place in range(count)]
        self.leases: dict[str, str] = {}
        self.opened: dict[str, list[str]] = {}

    def is_ready(self) -> bool:
        return True

    def drifted(self) -> dict[str, str]:
        return {}

    def next_turn(self) -> int:
        return 1

    def held(self, annotator: str) -> list[str]:
        return self.opened.get(annotator, [])

    def front(self, queue: Queue, _segment: str, start: int, count: int) -> list[str]:
        return self.notes[start : start + count] if queue is Queue.OPEN else []

    def unanswered(self, _annotator: str, notes: Sequence[str]) -> list[str]:
        return list(notes)

    def entries(self, notes: Sequence[str]) -> dict[str, Entry]:
        task = Task(1, 1, 0, 0, 0, 0.5, "UNCERTAIN", "Pune", "general", 0, double=False)
        return {one: Entry(one, task, {}, self.leases.get(one)) for one in notes}

    def hold(self, note: str, holder: str, _lease_s: int) -> str:
        return self.leases.setdefault(note, holder)

    def release(self, note: str, holder: str) -> None:
        if self.leases.get(note) == holder:
            del self.leases[note]

    def note_held(self, annotator: str, note: str, _lease_s: int) -> None:
        self.opened.setdefault(annotator, []).append(note)


class NoDrafts:
    """In place of `Drafts`."""

    def read(self, _annotator: str, _note: str, _request: ReviewRequested) -> None:
        return None


class Texts:
    """In place of `Requests`: the text of one note, while the broker answers."""

    def __init__(self) -> None:
        self.away = True

    def read(self, _partition: int, _offset: int) -> ReviewRequested:
        if self.away:
            raise Recoverable("the broker did not give the note in time")
        request = type("Request", (), {"source": "a", "note_id": "n0"})()
        return cast("ReviewRequested", request)


def desk_on(store: Waiting, texts: Texts) -> Desk:
    metrics = Metrics(METRICS)
    metrics.build_all()
    unused: Any = None
    return Desk(cast("Store", store), texts, unused, metrics, cast("Drafts", NoDrafts()), lease_s=900, audit_every=5)


def test_a_text_that_cannot_be_read_locks_no_note() -> None:
    store, texts = Waiting(5), Texts()
    desk = desk_on(store, texts)
    for _ in range(3):
        with pytest.raises(Recoverable):
            desk.next(ANNA)
    assert (store.leases, store.opened) == ({}, {})
    texts.away = False
    handed = desk.next(BEN)
    assert handed is not None
    assert handed.entry.note == "a|n0"


def test_a_note_that_the_person_had_opened_stays_with_him_while_its_text_does_not_come() -> None:
    store, texts = Waiting(1), Texts()
    desk = desk_on(store, texts)
    texts.away = False
    first = desk.next(ANNA)
    texts.away = True
    with pytest.raises(Recoverable):
        desk.next(ANNA)
    texts.away = False
    again = desk.next(ANNA)
    assert first is not None
    assert again is not None
    assert again.lease == first.lease
