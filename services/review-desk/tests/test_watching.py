"""Who does not read is held once, until a lead has looked; whoever asks."""

from dataclasses import replace
from typing import Any, cast

import pytest
from annotations.watch import DecisionFigures
from contracts import files
from contracts.records import AnnotationValidated, AnnotatorJudged, TrustDoubt, TrustState
from contracts.topics import ANNOTATIONS_VALIDATED
from review_desk.adapters.people_store import PeopleStore
from review_desk.adapters.store import Store
from review_desk.domain.refusals import Conflict
from review_desk.watching import Watching
from runtime.errors import Recoverable

SAID = AnnotationValidated.from_json(files.example_files(ANNOTATIONS_VALIDATED)[0].read_bytes())


class People:
    """In place of `PeopleStore`."""

    def __init__(self) -> None:
        self.judgements: dict[str, AnnotatorJudged] = {}
        self.shown: dict[str, dict[str, DecisionFigures]] = {}

    def judged(self) -> dict[str, AnnotatorJudged]:
        return dict(self.judgements)

    def set_judged(self, event: AnnotatorJudged) -> bool:
        self.judgements[event.annotator] = event
        return True

    def decided(self, _annotator: str) -> list[str]:
        return ["a|n1"]

    def add_decisions(self, annotator: str, decisions: dict[str, DecisionFigures]) -> None:
        self.shown.setdefault(annotator, {}).update(decisions)

    def decisions(self, annotator: str, after_ms: int) -> list[DecisionFigures]:
        return [one for one in self.shown[annotator].values() if one.at > after_ms]


class Queue:
    """In place of `Store`."""

    def __init__(self) -> None:
        self.placed: list[list[str]] = []
        self.ready = True

    def is_ready(self) -> bool:
        return self.ready

    def entries(self, _notes: list[str]) -> dict[str, Any]:
        return {}

    def place_again(self, notes: list[str]) -> None:
        self.placed.append(notes)


class Desk:
    def __init__(self, *, watches: bool = True) -> None:
        self.people, self.queue, self.said = People(), Queue(), list[AnnotatorJudged]()
        self.away = False
        people, store = cast("PeopleStore", self.people), cast("Store", self.queue)
        self.watching = Watching(people, store, self.say, watches=watches, clock=lambda: 10**9)

    def say(self, event: AnnotatorJudged) -> None:
        if self.away:
            raise Recoverable("not acknowledged")
        self.said.append(event)


def quick(count: int, first: int = 0) -> list[AnnotationValidated]:
    return [
        replace(SAID, annotation_id=f"a{n}", note_id=f"n{n}", sequence=1, annotator="v-1", seconds_spent=0.1, annotated_at=1_000 * n)
        for n in range(first, first + count)
    ]  # fmt: skip


def test_who_does_not_read_is_held_once_and_a_lead_decides() -> None:
    desk = Desk()
    desk.watching.saw(quick(20))
    desk.watching.saw(quick(5, 20))
    (held,) = desk.said
    assert (held.state, held.doubt, held.annotator) == (TrustState.HELD, TrustDoubt.TOO_FAST, "v-1")
    assert [one.until for one in held.held] == [None]
    assert desk.queue.placed == [["a|n1"]]
    assert [row["held"] for row in desk.watching.listed()] == [True]
    with pytest.raises(Conflict, match="his own"):
        desk.watching.look("v-1", "v-1", TrustState.CLEARED)
    excluded = desk.watching.look("lea", "v-1", TrustState.EXCLUDED)
    assert (excluded.held[0].since, excluded.held[0].until) == (held.held[0].since, excluded.judged_at)
    with pytest.raises(Conflict):
        desk.watching.look("lea", "v-1", TrustState.CLEARED)
    desk.watching.saw(quick(5, 30))
    assert len(desk.said) == 2  # decisions from before the lead looked are not held against anybody again


def test_a_judgement_that_the_broker_does_not_take_is_tried_again_and_is_the_same() -> None:
    desk = Desk()
    desk.away = True
    with pytest.raises(Recoverable):
        desk.watching.saw(quick(20))
    assert desk.people.judgements == {}
    desk.away = False
    desk.watching.saw(quick(20))
    other = Desk()
    other.watching.saw(quick(20))
    assert desk.said == other.said  # two replicas say one thing


def test_nobody_is_judged_while_the_queue_is_read_nor_where_a_program_answers() -> None:
    desk, simulated = Desk(), Desk(watches=False)
    desk.queue.ready = False
    desk.watching.saw(quick(20))
    simulated.watching.saw(quick(20))
    assert desk.said == simulated.said == []
    desk.queue.ready = True
    desk.watching.saw(quick(1, 20))
    assert len(desk.said) == 1
