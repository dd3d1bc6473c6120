"""KPIs, training and the review desk ask one rule which annotation settles a note: held together on generated histories."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from annotations.spans import Span
from annotations.trust import ALL_TRUSTED, Trust
from annotations.verdicts import State, Verdict, newest, settle
from contracts.records import AnnotationValidated, AnnotatorJudged, HeldInterval, TrustState
from hypothesis import given, settings
from hypothesis import strategies as st
from lifecycle.collection import collect
from lifecycle.roles import Shares
from outcomes.folding import Folded
from outcomes.proposals import Corrections
from review_desk.domain.tasks import Queue, Task, queue_of, shown_spans
from review_desk.projection import verdict_of

KEY = b"k" * 32
TEXT = "k/c/o fever and cough, on paracetamol"
MARKS = {"none": [], "fever": [(6, 11)], "both": [(6, 11), (16, 21)]}
ASSERTIONS = {"unsaid": None, "present": "PRESENT", "negated": "NEGATED"}
NOON = 1_785_000_000_000

Answer = tuple[str, int, int, str, str, str, int, bool]

answers = st.tuples(
    st.sampled_from(["anna", "ben", "lead"]),
    st.integers(1, 2),  # revision
    st.integers(1, 3),  # sequence
    st.sampled_from(["ACCEPTED", "CORRECTED", "UNREADABLE", "SKIPPED", "ADJUDICATED"]),
    st.sampled_from(sorted(MARKS)),
    st.sampled_from(sorted(ASSERTIONS)),
    st.integers(0, 50),
    st.sampled_from([False, False, False, True]),  # a hidden check
)
holds = st.lists(st.tuples(st.sampled_from(["anna", "ben", "lead"]), st.integers(0, 50)), max_size=2)
histories = st.lists(answers, min_size=1, max_size=8, unique_by=lambda answer: answer[:3])


def entities(marks: str, said: str) -> list[dict[str, Any]]:
    status = ASSERTIONS[said]
    assertion = status and {
        "status": status,
        "time": "CURRENT",
        "experiencer": "PATIENT",
        "cue_start": -1,
        "cue_end": -1,
    }
    return [
        {"entity_id": f"e{start}", "label": "DISEASE", "text": TEXT[start:end], "start": start, "end": end,
         "confidence": 1.0, "assertion": assertion}
        for start, end in MARKS[marks]
    ]  # fmt: skip


def annotation(answer: Answer) -> AnnotationValidated:
    who, revision, sequence, outcome, marks, said, at, check = answer
    labels = outcome not in {"UNREADABLE", "SKIPPED"}
    return AnnotationValidated.from_dict({
        "annotation_id": f"{who}-{revision}-{sequence}", "source": "clinic", "note_id": "synthetic-1",
        "revision": revision, "text": TEXT, "segment": {"city": "Pune", "specialty": "general"},
        "patient_ref": "p", "doctor_ref": "d", "written_at": NOON, "predicted_entities": [], "predicted_relations": [],
        "model": {"name": "m", "version": "1", "serial": 1}, "entities": entities(marks, said) if labels else [],
        "relations": [], "sample": "AUDIT", "inclusion_probability": 0.5, "predictions_shown": True,
        "outcome": outcome, "changes": {"kept": 0, "added": 0, "removed": 0, "moved": 0, "relabelled": 0},
        "annotator": who, "sequence": sequence, "seconds_spent": 5.0, "annotated_at": NOON + at, "hidden_check": check,
    })  # fmt: skip


def judged(hold: tuple[str, int], number: int) -> AnnotatorJudged:
    who, since = hold
    held = (HeldInterval(since=NOON + since),)
    return AnnotatorJudged(event_id=str(number), annotator=who, state=TrustState.HELD, held=held, judged_at=number)


def standing(found: list[AnnotationValidated]) -> dict[str, Any]:
    verdicts: dict[str, Any] = {}
    for one in found:
        verdicts[one.annotator] = newest(verdicts.get(one.annotator), verdict_of(one))
    return verdicts


def of_training(found: list[AnnotationValidated], trust: Trust) -> tuple[int, Any] | None:
    collection = collect(found, KEY, Shares(0.0, 0.0), trust=trust)
    notes = collection.notes
    assert collection.read == len(found)
    return None if not notes else (notes[0].annotated_at, tuple((s.start, s.end) for s in notes[0].note.spans))


def of_kpis(found: list[AnnotationValidated], judgements: list[AnnotatorJudged], at: int) -> tuple[int, Any] | None:
    """The judgements come behind the first `at` annotations: a note is settled anew when they do."""
    folded = Folded(ZoneInfo("Asia/Kolkata"))
    for place, one in enumerate(found):
        for judgement in judgements if place == at else ():
            folded.judged(judgement)
        folded.validated(one)
    for judgement in judgements:  # again, or for the first time
        folded.judged(judgement)
    verdict = folded._verdicts["clinic|synthetic-1"].settled(folded.trust)
    assert sum(cell.decided for cell in folded.cells.values()) == int(verdict is not None)
    assert len(folded.audits) == int(verdict is not None)
    return None if verdict is None else (verdict.at, tuple(span[:2] for span in verdict.spans))


def of_proposals(found: list[AnnotationValidated], judgements: list[AnnotatorJudged]) -> tuple[int, Any] | None:
    corrections = Corrections()
    for judgement in judgements:
        corrections.judged(judgement)
    for one in found:
        corrections.take(one)
    settled = list(corrections._settled())
    return None if not settled else (settled[0].annotated_at, tuple((e.start, e.end) for e in settled[0].entities))


def of_desk(found: list[AnnotationValidated], trust: Trust, *, double: bool) -> tuple[Queue | None, Any]:
    revision = max(one.revision for one in found)
    task = Task(revision, 1, 0, 0, 0, 0.5, "AUDIT", "Pune", "general", 0, double)
    shown = shown_spans("somebody", task, standing(found), trust)
    return queue_of(task, standing(found), trust), shown and tuple(span[:2] for span in shown[0])


@settings(max_examples=400)
@given(histories, holds, st.integers(0, 8), st.randoms(use_true_random=False), st.booleans())
def test_kpis_training_proposals_and_desk_agree_which_annotation_settles_a_note(history, held, at, chance, double):
    found = [annotation(answer) for answer in history]
    mixed = chance.sample(found, len(found))
    judgements = [judged(hold, number) for number, hold in enumerate(held, 1)]
    trust = Trust.of(judgements)
    settled = of_training(found, trust)
    assert settled == of_training(mixed, trust)
    assert settled == of_kpis(found, judgements, at) == of_kpis(mixed, judgements, at)
    assert settled == of_proposals(found, judgements) == of_proposals(mixed, judgements)
    queue, shown = of_desk(found, trust, double=double)
    assert (queue, shown) == of_desk(mixed, trust, double=double)
    state = settle(standing(found).values(), trust).state
    assert (settled is not None) == (state is State.SETTLED)
    if settled is not None:  # nobody is asked to settle what is settled; at most for a second opinion
        assert queue in {None, Queue.SECOND}
        assert queue is not None or shown == settled[1]
    else:
        assert queue is not None or state is State.UNREADABLE


def test_each_state_is_met():
    def verdict(who: str, outcome: str, *spans: Any, at: int = 0) -> Verdict:
        return Verdict(who, 1, 1, outcome, who, spans, since=at, at=at)

    def of(*verdicts: Verdict) -> Any:
        return settle(verdicts, ALL_TRUSTED)

    anna, ben = verdict("anna", "ACCEPTED", at=2), verdict("ben", "CORRECTED", (6, 11, "DISEASE"), at=1)
    assert of().state is of(verdict("anna", "SKIPPED")).state is State.UNANSWERED
    assert of(anna).verdict is anna
    assert of(anna, ben).state is State.DISPUTED
    assert of(anna, verdict("cara", "CORRECTED", at=1)).verdict.annotator == "cara"  # who answered first
    assert of(anna, ben, verdict("lead", "UNREADABLE")).state is State.UNREADABLE
    early, late = verdict("lead", "ADJUDICATED", at=3), verdict("other", "ADJUDICATED", at=4)
    assert of(late, anna, ben, early).verdict is late
    # A lead's decision is final: who answers after it opens nothing again.
    assert of(early, anna, ben, verdict("dora", "CORRECTED", at=9)).verdict is early


def test_held_labels_and_hidden_checks_settle_nothing():
    anna = Verdict("anna", 1, 1, "ACCEPTED", "anna", since=5, at=5)
    check = Verdict("ben", 1, 1, "CORRECTED", "ben", (Span(6, 11, "DISEASE"),), since=1, at=1, is_check=True)
    held = Trust.of([judged(("anna", -NOON), 1)])
    assert settle([anna, check], ALL_TRUSTED).verdict is anna
    assert settle([anna, check], held).state is State.UNANSWERED
    newer = Verdict("anna", 2, 1, "ACCEPTED", "anna-2", at=5)
    assert settle([Verdict("ben", 1, 1, "ACCEPTED", "ben"), newer], held).state is State.UNANSWERED  # of an older text
