"""What the desk decides, by example."""

import json
from dataclasses import replace

import pytest
from contracts.records import (
    Assertion,
    AssertionStatus,
    AssertionTime,
    Entity,
    EntityLabel,
    Experiencer,
    ModelRef,
    Prescription,
    Relation,
    RelationType,
    ReviewRequested,
    Sample,
    Segment,
)
from review_desk.domain.agreement import agreement, said_agreement
from review_desk.domain.spans import Mark, Pair, SpansRefused, Stated, changes_of, entities_of, relations_of
from review_desk.domain.tasks import Queue, Task, Word, in_share, queue_of, score_of


def task(sample: str = "UNCERTAIN", *, double: bool = False) -> Task:
    return Task(1, 1, 0, 0, 0, 0.5, sample, "Pune", "general", 0, double)


def word(outcome: str, *spans: tuple[int, int, str], labelled=(), tokens: int = 10, revision: int = 1) -> Word:
    return Word(revision, 1, outcome, "id", tokens, tuple(labelled), spans)


def test_where_a_task_waits():
    disease = (0, 3, "DISEASE")
    assert queue_of(task(), {}) is Queue.OPEN
    assert queue_of(task(), {"a": word("SKIPPED")}) is None
    assert queue_of(task("AUDIT"), {"a": word("SKIPPED")}) is Queue.AUDIT
    assert queue_of(task("AUDIT"), {"a": word("UNREADABLE")}) is Queue.SECOND
    assert queue_of(task(double=True), {"a": word("ACCEPTED", disease)}) is Queue.SECOND
    assert queue_of(task(double=True), {"a": word("ACCEPTED", disease), "b": word("CORRECTED", disease)}) is None
    split = {"a": word("ACCEPTED", disease), "b": word("CORRECTED")}
    assert queue_of(task(double=True), split) is Queue.LEAD
    assert queue_of(task(double=True), {**split, "c": word("ADJUDICATED")}) is None
    assert queue_of(task(), {"a": word("ACCEPTED", revision=0)}) is Queue.OPEN


def stated(*said: str, outcome: str = "CORRECTED", related=(), prescribed=()) -> Word:
    spans = tuple((10 * at, 10 * at + 5, "TREATMENT" if at else "DISEASE") for at in range(len(said)))
    return Word(1, 1, outcome, "id", 10, (), spans, 0.0, said, tuple(related), tuple(prescribed))


def test_agreement_on_what_is_said_by_hand():
    one = stated(
        "NEGATED CURRENT PATIENT", "PRESENT CURRENT PATIENT", "PRESENT PLANNED PATIENT", "",
        related=[(10, 0, "TREATS"), (20, 0, "CAUSES")], prescribed=["", "a", "b", ""],
    )  # fmt: skip
    other = stated(
        "PRESENT CURRENT PATIENT", "PRESENT CURRENT PATIENT", "PRESENT CURRENT FAMILY", "PRESENT CURRENT PATIENT",
        related=[(10, 0, "TREATS"), (20, 0, "TREATS")], prescribed=["", "a", "", ""],
    )  # fmt: skip
    found = {one.kind: one for one in said_agreement([(one, other)])}
    assert {kind: (one.entities, one.same) for kind, one in found.items()} == {
        "status": (3, 2 / 3), "time": (3, 2 / 3), "experiencer": (3, 2 / 3), "relation": (3, 1 / 3), "prescription": (2, 1 / 2),
    }  # fmt: skip
    assert found["status"].kappa == pytest.approx(
        0.0
    )  # chance alone: 2/3 of the first and all of the second are PRESENT
    assert all(one.same is None for one in said_agreement([]))


def test_who_says_something_else_of_one_entity_disagrees_and_who_says_nothing_does_not():
    first, same = stated("NEGATED CURRENT PATIENT"), stated("NEGATED CURRENT PATIENT", outcome="ACCEPTED")
    other, silent = stated("PRESENT CURRENT PATIENT"), stated("")
    twice = replace(task(), double=True)
    assert queue_of(twice, {"a": first, "b": same}) is None
    assert queue_of(twice, {"a": first, "b": silent}) is None
    assert queue_of(twice, {"a": first, "b": other}) is Queue.LEAD


def test_what_redis_kept_of_an_older_program_is_read_too():
    kept = stated("NEGATED CURRENT PATIENT", related=[(1, 2, "TREATS")], prescribed=["ab"])
    assert Word.from_json(kept.to_json()) == kept
    older = json.dumps(json.loads(kept.to_json())[:8])
    assert Word.from_json(older) == replace(kept, stated=(), related=(), prescribed=())


def test_agreement_by_hand():
    one = word("ACCEPTED", (0, 3, "DISEASE"), (5, 9, "DISEASE"), labelled=[(0, "DISEASE"), (1, "DISEASE")])
    other = word("ACCEPTED", (0, 3, "DISEASE"), labelled=[(0, "DISEASE")])
    disease, treatment = agreement([(one, other)])
    assert disease.f1 == pytest.approx(2 / 3)
    assert disease.kappa == pytest.approx((0.9 - 0.74) / (1 - 0.74))
    assert (treatment.f1, treatment.kappa) == (None, None)


def test_offsets_count_code_points_and_bad_spans_are_refused():
    text = "😀 e\u0301 flu"
    found = entities_of(text, [Mark(5, 8, "DISEASE")], ())
    assert found[0].text == "flu"
    assert changes_of((), found).added == 1
    for marks in ([Mark(5, 9, "DISEASE")], [Mark(5, 5, "DISEASE")], [Mark(0, 6, "DISEASE"), Mark(5, 8, "DISEASE")]):
        with pytest.raises(SpansRefused):
            entities_of(text, marks, ())


TEXT = "DM on met, rash"
PRESENT = Assertion(
    status=AssertionStatus.PRESENT,
    time=AssertionTime.CURRENT,
    experiencer=Experiencer.PATIENT,
    cue_start=-1,
    cue_end=-1,
)


def predicted(*relations: Relation) -> ReviewRequested:
    spans = [("e1", "DISEASE", 0, 2), ("e2", "TREATMENT", 6, 9), ("e3", "DISEASE", 11, 15)]
    return ReviewRequested(
        source="clinic", note_id="n", revision=1, event_id="e", text=TEXT, segment=Segment(city="Pune", specialty="x"),
        model=ModelRef(name="m", version="1", serial=1), rules_version="r", rules_serial=1, relations=relations,
        entities=tuple(
            Entity(
                entity_id=name, label=EntityLabel[label], text=TEXT[start:end], start=start, end=end, confidence=0.5,
                assertion=PRESENT, prescription=Prescription(strength="5 mg") if label == "TREATMENT" else None,
            ) for name, label, start, end in spans
        ),
        note_confidence=0.5, sample=Sample.UNCERTAIN, inclusion_probability=1.0, show_predictions=True, patient_ref="p",
        doctor_ref="d", requested_at=1, written_at=1,
    )  # fmt: skip


def related(kind: str, disease: str, confidence: float, treatment: str = "e2") -> Relation:
    return Relation(type=RelationType[kind], treatment_id=treatment, disease_id=disease, confidence=confidence)


DM, MET, RASH = Mark(0, 2, "DISEASE"), Mark(6, 9, "TREATMENT"), Mark(11, 15, "DISEASE")


def test_what_the_rules_found_stays_on_a_span_that_stays_and_is_on_none_that_a_person_drew():
    request = predicted()
    disease, treatment, moved = entities_of(TEXT, [MET, DM, Mark(11, 14, "DISEASE")], request.entities)
    assert (treatment.assertion, treatment.prescription) == (PRESENT, Prescription(strength="5 mg"))
    assert (disease.assertion, disease.prescription) == (PRESENT, None)
    assert (moved.assertion, moved.prescription, moved.confidence) == (None, None, 1.0)
    (other,) = entities_of(TEXT, [Mark(0, 2, "TREATMENT")], request.entities)  # another label is another entity
    assert (other.assertion, other.confidence) == (None, 1.0)


def treats(request: ReviewRequested, entities, *pairs: Pair) -> tuple[Relation, ...]:
    return relations_of(entities, pairs, request, all_shown=False)


def test_pairs_are_what_the_person_says_and_other_relations_stay_with_their_ends():
    request = predicted(related("TREATS", "e1", 0.7), related("CAUSES", "e3", 0.6))
    everything = entities_of(TEXT, [DM, MET, RASH], request.entities)
    assert treats(request, everything, Pair(MET, DM)) == request.relations
    assert treats(request, everything) == (related("CAUSES", "e3", 0.6),)
    assert treats(request, everything, Pair(MET, RASH)) == (related("TREATS", "e3", 1.0),)  # a person's pair wins
    without_first = entities_of(TEXT, [MET, RASH], request.entities)
    assert treats(request, without_first) == (related("CAUSES", "e2", 0.6, treatment="e1"),)
    assert treats(request, entities_of(TEXT, [DM, MET], request.entities)) == ()
    with pytest.raises(SpansRefused):
        treats(request, without_first, Pair(MET, DM))


def test_who_sees_every_relation_says_which_there_are_but_for_types_that_nobody_here_knows():
    request = predicted(related("TREATS", "e1", 0.7), related("CAUSES", "e3", 0.6), related("UNKNOWN", "e3", 0.5))
    everything = entities_of(TEXT, [DM, MET, RASH], request.entities)

    def said(*pairs: Pair) -> tuple[Relation, ...]:
        return relations_of(everything, pairs, request, all_shown=True)

    assert said() == (related("UNKNOWN", "e3", 0.5),)
    assert said(Pair(MET, RASH, "CAUSES")) == (related("CAUSES", "e3", 0.6),)
    assert said(Pair(MET, DM, "PREVENTS"))[0] == related("PREVENTS", "e1", 1.0)
    with pytest.raises(SpansRefused, match="paired already"):
        said(Pair(MET, DM), Pair(MET, DM, "CAUSES"))


PAST = Stated("PRESENT", "HISTORICAL", "PATIENT")


def test_what_a_person_states_counts_and_the_words_that_decided_stay_only_with_what_they_decided():
    request = predicted()
    usual = Stated("PRESENT", "CURRENT", "PATIENT")
    given = Prescription(strength="10 mg")
    marks = [Mark(0, 2, "DISEASE", usual), Mark(6, 9, "TREATMENT", PAST, given), Mark(11, 15, "DISEASE", PAST)]
    disease, treatment, rash = entities_of(TEXT, marks, request.entities)
    assert disease.assertion is request.entities[0].assertion
    assert (str(treatment.assertion.time), treatment.assertion.cue_start, treatment.prescription) == (
        "HISTORICAL",
        -1,
        given,
    )
    changes = changes_of(request.entities, (disease, treatment, rash))
    assert (changes.kept, changes.restated, changes.represcribed, changes.related) == (3, 2, 1, 0)


@pytest.mark.parametrize(
    "mark",
    [
        Mark(0, 2, "DISEASE", Stated("ALLERGY", "CURRENT", "PATIENT")),
        Mark(0, 2, "DISEASE", PAST, Prescription(strength="5 mg")),
    ],
)
def test_a_disease_is_no_allergy_and_has_no_prescription(mark):
    with pytest.raises(SpansRefused, match="entity 1: a disease"):
        entities_of(TEXT, [mark], ())


@pytest.mark.parametrize("newer", [{"revision": 2}, {"serial": 2}, {"rules_serial": 2}])
def test_a_task_of_a_newer_revision_model_or_rules_retires_the_older(newer):
    assert replace(task(), **newer).rank > task().rank
    assert replace(task(), serial=2).rank > replace(task(), rules_serial=9).rank


def test_the_share_is_kept():
    taken = sum(in_share(b"k" * 32, f"note-{number}", 0.1) for number in range(10_000))
    assert 900 < taken < 1100


def test_drift_samples_come_before_notes_that_are_only_unsure():
    assert score_of(task("DRIFT")) < score_of(task("UNCERTAIN"))
    assert score_of(task("AUDIT")) == 0.0  # by age alone


def test_a_lead_who_finds_a_note_unreadable_ends_it() -> None:
    task = Task(1, 1, 0, 0, 0, 0.5, "UNCERTAIN", "Pune", "general", 0, double=True)
    said = {
        "a": Word(1, 1, "ACCEPTED", "x", 3, (), ()),
        "b": Word(1, 1, "CORRECTED", "y", 3, (), ((0, 1, "DISEASE"),)),
    }
    assert queue_of(task, said) is Queue.LEAD
    assert queue_of(task, said | {"lead": Word(1, 1, "UNREADABLE", "z", 3, (), ())}) is None
