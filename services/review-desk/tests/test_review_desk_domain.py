"""What the desk decides, by example."""

from dataclasses import replace

import pytest
from annotations.spans import Span, Stated
from annotations.trust import ALL_TRUSTED, Interval, Trust
from contracts.records import (
    AnnotationValidated,
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
from review_desk.domain.agreement import agreement, stated_agreement
from review_desk.domain.evidence import decision_of
from review_desk.domain.spans import DrawnSpan, Pair, SpansRefused, changes_of, entities_of, relations_of
from review_desk.domain.tasks import (
    DeskVerdict,
    Queue,
    Task,
    in_share,
    known_answer,
    may_change,
    queue_of,
    score_of,
    shown_spans,
)


def task(sample: str = "UNCERTAIN", *, double: bool = False) -> Task:
    return Task(1, 1, 0, 0, 0, 0.5, sample, "Pune", "general", 0, double)


def verdict(
    outcome: str, *spans: tuple[int, int, str], labelled=(), tokens: int = 10, revision: int = 1
) -> DeskVerdict:
    found = tuple(Span(*span) for span in spans)
    return DeskVerdict("", revision, 1, outcome, "id", found, tokens=tokens, labelled=tuple(labelled))


def test_where_a_task_waits():
    disease = (0, 3, "DISEASE")
    assert queue_of(task(), {}, ALL_TRUSTED) is Queue.OPEN
    assert queue_of(task(), {"a": verdict("SKIPPED")}, ALL_TRUSTED) is None
    assert queue_of(task("AUDIT"), {"a": verdict("SKIPPED")}, ALL_TRUSTED) is Queue.AUDIT
    assert queue_of(task("AUDIT"), {"a": verdict("UNREADABLE")}, ALL_TRUSTED) is Queue.SECOND
    assert queue_of(task(double=True), {"a": verdict("ACCEPTED", disease)}, ALL_TRUSTED) is Queue.SECOND
    assert (
        queue_of(
            task(double=True), {"a": verdict("ACCEPTED", disease), "b": verdict("CORRECTED", disease)}, ALL_TRUSTED
        )
        is None
    )
    split = {"a": verdict("ACCEPTED", disease), "b": verdict("CORRECTED")}
    assert queue_of(task(double=True), split, ALL_TRUSTED) is Queue.LEAD
    assert queue_of(task(double=True), {**split, "c": verdict("ADJUDICATED")}, ALL_TRUSTED) is None
    assert queue_of(task(), {"a": verdict("ACCEPTED", revision=0)}, ALL_TRUSTED) is Queue.OPEN


def stated(*said: str, outcome: str = "CORRECTED", related=(), prescribed=()) -> DeskVerdict:
    spans = tuple(Span(10 * at, 10 * at + 5, "TREATMENT" if at else "DISEASE") for at in range(len(said)))
    more = {"tokens": 10, "related": tuple(related), "prescribed": tuple(prescribed)}
    return DeskVerdict("", 1, 1, outcome, "id", spans, said, **more)


def test_agreement_on_what_is_said_by_hand():
    one = stated(
        "NEGATED CURRENT PATIENT", "PRESENT CURRENT PATIENT", "PRESENT PLANNED PATIENT", "",
        related=[(10, 0, "TREATS"), (20, 0, "CAUSES")], prescribed=["", "a", "b", ""],
    )  # fmt: skip
    other = stated(
        "PRESENT CURRENT PATIENT", "PRESENT CURRENT PATIENT", "PRESENT CURRENT FAMILY", "PRESENT CURRENT PATIENT",
        related=[(10, 0, "TREATS"), (20, 0, "TREATS")], prescribed=["", "a", "", ""],
    )  # fmt: skip
    found = {one.kind: one for one in stated_agreement([(one, other)])}
    assert {kind: (one.entities, one.same) for kind, one in found.items()} == {
        "status": (3, 2 / 3), "time": (3, 2 / 3), "experiencer": (3, 2 / 3), "relation": (3, 1 / 3), "prescription": (2, 1 / 2),
    }  # fmt: skip
    assert found["status"].kappa == pytest.approx(
        0.0
    )  # chance alone: 2/3 of the first and all of the second are PRESENT
    assert all(one.same is None for one in stated_agreement([]))


def test_who_says_something_else_of_one_entity_disagrees_and_who_says_nothing_does_not():
    first, same = stated("NEGATED CURRENT PATIENT"), stated("NEGATED CURRENT PATIENT", outcome="ACCEPTED")
    other, silent = stated("PRESENT CURRENT PATIENT"), stated("")
    twice = replace(task(), double=True)
    assert queue_of(twice, {"a": first, "b": same}, ALL_TRUSTED) is None
    assert queue_of(twice, {"a": first, "b": silent}, ALL_TRUSTED) is None
    assert queue_of(twice, {"a": first, "b": other}, ALL_TRUSTED) is Queue.LEAD


def test_what_redis_kept_is_read_as_it_was():
    kept = stated("NEGATED CURRENT PATIENT", related=[(1, 2, "TREATS")], prescribed=["ab"])
    assert DeskVerdict.from_json(kept.to_json()) == kept


def test_agreement_by_hand():
    one = verdict("ACCEPTED", (0, 3, "DISEASE"), (5, 9, "DISEASE"), labelled=[(0, "DISEASE"), (1, "DISEASE")])
    other = verdict("ACCEPTED", (0, 3, "DISEASE"), labelled=[(0, "DISEASE")])
    disease, treatment = agreement([(one, other)])
    assert disease.f1 == pytest.approx(2 / 3)
    assert disease.kappa == pytest.approx((0.9 - 0.74) / (1 - 0.74))
    assert (treatment.f1, treatment.kappa) == (None, None)


def test_offsets_count_code_points_and_bad_spans_are_refused():
    text = "😀 e\u0301 flu"
    found = entities_of(text, [DrawnSpan(5, 8, "DISEASE")], ())
    assert found[0].text == "flu"
    assert changes_of((), found).added == 1
    for marks in (
        [DrawnSpan(5, 9, "DISEASE")],
        [DrawnSpan(5, 5, "DISEASE")],
        [DrawnSpan(0, 6, "DISEASE"), DrawnSpan(5, 8, "DISEASE")],
    ):
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


DM, MET, RASH = DrawnSpan(0, 2, "DISEASE"), DrawnSpan(6, 9, "TREATMENT"), DrawnSpan(11, 15, "DISEASE")


def test_what_the_rules_found_stays_on_a_span_that_stays_and_is_on_none_that_a_person_drew():
    request = predicted()
    disease, treatment, moved = entities_of(TEXT, [MET, DM, DrawnSpan(11, 14, "DISEASE")], request.entities)
    assert (treatment.assertion, treatment.prescription) == (PRESENT, Prescription(strength="5 mg"))
    assert (disease.assertion, disease.prescription) == (PRESENT, None)
    assert (moved.assertion, moved.prescription, moved.confidence) == (None, None, 1.0)
    (other,) = entities_of(TEXT, [DrawnSpan(0, 2, "TREATMENT")], request.entities)  # another label is another entity
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
    marks = [
        DrawnSpan(0, 2, "DISEASE", usual),
        DrawnSpan(6, 9, "TREATMENT", PAST, given),
        DrawnSpan(11, 15, "DISEASE", PAST),
    ]
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
        DrawnSpan(0, 2, "DISEASE", Stated("ALLERGY", "CURRENT", "PATIENT")),
        DrawnSpan(0, 2, "DISEASE", PAST, Prescription(strength="5 mg")),
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


def test_notes_that_teach_most_for_a_token_of_reading_come_first():
    def teaching(gain: float | None, sample: str = "UNCERTAIN") -> Task:
        return replace(task(sample), gain=gain)

    ordered = [teaching(0.02, "DRIFT"), teaching(0.4), teaching(0.1), teaching(0.0), teaching(None)]
    places = [score_of(one) for one in ordered]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
    assert score_of(teaching(0.9, "AUDIT")) == score_of(teaching(None, "AUDIT"))  # what measures is not chosen
    assert Task.from_json(teaching(0.4).to_json()) == teaching(0.4)


def test_the_answer_of_a_check_is_that_of_two_people_or_a_lead():
    right = (0, 3, "DISEASE")
    one = {"a": replace(verdict("CORRECTED", right), annotator="a", at=5)}
    two = one | {"b": replace(verdict("ACCEPTED", right), annotator="b", at=6)}
    assert known_answer(task(), one, ALL_TRUSTED) is None
    assert known_answer(task(), two, ALL_TRUSTED).spans == (Span(*right),)
    assert known_answer(task(), two, Trust({"b": (Interval(6),)})) is None
    lead = two | {"lead": replace(verdict("ADJUDICATED"), annotator="lead")}
    assert known_answer(task(), lead, ALL_TRUSTED).spans == ()
    checked = two | {"c": replace(verdict("CORRECTED"), annotator="c", is_check=True)}
    assert queue_of(task(), checked, ALL_TRUSTED) is None
    assert may_change("c", task(), lead | {"c": checked["c"]})
    assert shown_spans("c", task(), two, ALL_TRUSTED, is_checked=True) == (
        (),
        "it waits for review, so no marks are shown",
    )


@pytest.mark.parametrize(
    ("shown", "given", "change", "confidence", "passed"),
    [
        (True, "same", "", 0.7, False),
        (True, "more", "D16-0", 0.7, True),
        (True, "none", "emptied", 0.7, False),
        (False, "none", "", 0.2, False),  # of a bare note nothing was drawn: as likely right as the model finds nothing
        (False, "more", "", 1.0, True),
    ],
)
def test_what_a_decision_shows_of_a_person(shown, given, change, confidence, passed):
    text = "k/c/o fever and cough"
    fever, cough = entity("e1", text, 6, 11), entity("e2", text, 16, 21)
    entities = {"same": (fever,), "more": (fever, cough), "none": ()}[given]
    event = AnnotationValidated.from_dict({
        "annotation_id": "a", "source": "s", "note_id": "n", "revision": 1, "text": text,
        "segment": {"city": "Pune", "specialty": "general"}, "patient_ref": "p", "doctor_ref": "d", "written_at": 0,
        "predicted_entities": [fever], "predicted_relations": [], "entities": list(entities), "relations": [],
        "sample": "UNCERTAIN", "predictions_shown": shown, "outcome": "CORRECTED", "annotator": "v", "sequence": 1,
        "changes": {"kept": 0, "added": 0, "removed": 0, "moved": 0, "relabelled": 0}, "seconds_spent": 9.0,
        "annotated_at": 7, "note_confidence": 0.7, "hidden_check": True,
    })  # fmt: skip
    known = verdict("CORRECTED", (6, 11, "DISEASE"), (16, 21, "DISEASE"))
    found = decision_of(event, known)
    assert (found.change, found.passed, found.words, found.at) == (change, passed, 4, 7)
    assert found.confidence == pytest.approx(confidence)


def entity(identity: str, text: str, start: int, end: int) -> dict:
    return {
        "entity_id": identity,
        "label": "DISEASE",
        "text": text[start:end],
        "start": start,
        "end": end,
        "confidence": 0.8,
    }


def test_a_lead_who_finds_a_note_unreadable_ends_it() -> None:
    task = Task(1, 1, 0, 0, 0, 0.5, "UNCERTAIN", "Pune", "general", 0, double=True)
    given = {"a": verdict("ACCEPTED"), "b": verdict("CORRECTED", (0, 1, "DISEASE"))}
    assert queue_of(task, given, ALL_TRUSTED) is Queue.LEAD
    assert queue_of(task, given | {"lead": verdict("UNREADABLE")}, ALL_TRUSTED) is None
