"""Every KPI against a case that was computed by hand."""

from dataclasses import replace
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from contracts.records import (
    AnnotationChanges,
    AnnotationOutcome,
    AnnotationValidated,
    Assertion,
    AssertionStatus,
    AssertionTime,
    DriftDetected,
    DriftDirection,
    DriftLevel,
    EntitiesExtracted,
    Entity,
    EntityLabel,
    Experiencer,
    ModelEvent,
    ModelEventKind,
    ModelRef,
    Origin,
    Review,
    ReviewReason,
    Sample,
    Segment,
)
from outcomes.days import day_of, day_start_ms, shift
from outcomes.folding import ACCEPTED_DLQ, INTAKE_DLQ, DeadLetter, Folded
from outcomes.kpis import BY_NAME, KPIS, REMEDIES, Assumptions, View, markdown, met

ZONE = ZoneInfo("Asia/Kolkata")
DAY = "2026-11-18"
START = day_start_ms(DAY, ZONE)
HOUR = 3_600_000
PRESENT = Assertion(
    status=AssertionStatus.PRESENT,
    time=AssertionTime.CURRENT,
    experiencer=Experiencer.PATIENT,
    cue_start=-1,
    cue_end=-1,
)
NOON = START + 12 * HOUR


def entity(start, label=EntityLabel.DISEASE):
    return Entity(entity_id=f"e{start}", label=label, text="x", start=start, end=start + 1, confidence=1.0)


def note(note_id, at=NOON, late_ms=1000, reason="NONE", city="Pune", serial=1, revision=1, origin=Origin.LIVE,
         source="clinic", rules=0):  # fmt: skip
    return EntitiesExtracted(
        event_id=f"{source}-{note_id}-{revision}-{serial}-{rules}", source=source, note_id=note_id, revision=revision, origin=origin,
        rules_version="", rules_serial=rules, patient_ref="p",
        model=ModelRef(name="m", version=str(serial), serial=serial), segment=Segment(city=city, specialty="x"),
        written_at=at, accepted_at=at, extracted_at=at + late_ms, note_confidence=1.0, entities=(), relations=(),
        review=Review(requested=reason != "NONE", reason=ReviewReason(reason)),
    )  # fmt: skip


def said(note_id, predicted, right, *, sample=Sample.AUDIT, who="v-1", sequence=1, outcome="CORRECTED", p=0.5, s=30.0,
         city="Pune", serial=1, shown=True, at=NOON, revision=1, origin=Origin.LIVE, source="clinic"):  # fmt: skip
    return AnnotationValidated(
        annotation_id=f"{source}-{note_id}-{revision}-{who}-{sequence}", source=source, note_id=note_id, revision=revision, origin=origin, text="x" * 99,
        segment=Segment(city=city, specialty="x"), patient_ref="p", doctor_ref="d", written_at=at,
        model=ModelRef(name="m", version=str(serial), serial=serial), predicted_entities=tuple(predicted), predicted_relations=(),
        entities=tuple(right), relations=(), sample=sample, inclusion_probability=p, predictions_shown=shown,
        outcome=AnnotationOutcome(outcome), changes=AnnotationChanges(kept=0, added=0, removed=0, moved=0, relabelled=0),
        annotator=who, sequence=sequence, seconds_spent=s, annotated_at=at, supersedes=(),
    )  # fmt: skip


def drifted(episode, level, at):
    return DriftDetected(
        episode_id=episode, segment="all", level=level, direction=DriftDirection.WORSE, statistics=(), evidence="e",
        model=ModelRef(name="m", version="1", serial=1), source_partition=0, source_offset=0, detected_at=at, began_at=at,
    )  # fmt: skip


def promoted(version, serial, at, kind=ModelEventKind.PROMOTED):
    return ModelEvent(
        event_id=f"{version}-{serial}", kind=kind, model_name="m", model_version=version, serial=serial, reasons=(), occurred_at=at
    )  # fmt: skip


def read(folded, name, **view):
    return BY_NAME[name].value(View(folded, (DAY,), view.pop("now_ms", NOON), **view))


def raw_f1(folded):
    """What the audited notes say, be it one alone, which is no quality yet."""
    return View(folded, (DAY,), NOON).quality[2].f1


def test_a_note_counts_once_and_only_live():
    folded = Folded(ZONE)
    for one in (note("a"), note("a"), note("a", serial=2), note("b", origin=Origin.BACKFILL)):
        folded.extracted(one)
    assert read(folded, "notes") == 1
    assert read(folded, "notes", version="1") == 0
    assert read(folded, "notes", version="2") == 1
    assert read(folded, "notes", city="Delhi") == 0


def test_one_id_of_two_sources_is_two_notes():
    folded = Folded(ZONE)
    for one in (
        note("n|1", source="clinic-a"),
        note("n|1", source="clinic-b", revision=2),
        note("n|1", source="clinic-a"),
    ):
        folded.extracted(one)
    assert read(folded, "notes") == 2
    right = [entity(0)]
    folded.validated(said("n|1", right, right, source="clinic-a"))
    folded.validated(said("n|1", right, right, source="clinic-b"))  # of a revision that a newer one replaced
    assert list(folded.audits) == ["clinic-a|n|1"]
    folded.dead_lettered(DeadLetter(ACCEPTED_DLQ, "EMPTY_TEXT", NOON, "p:1", Origin.LIVE, "clinic-c|n|1"))
    folded.dead_lettered(DeadLetter(ACCEPTED_DLQ, "EMPTY_TEXT", NOON, "p:2", Origin.LIVE, "clinic-a|n|1"))
    assert list(folded.lost) == ["clinic-c|n|1"]


@pytest.mark.parametrize("places", list(permutations(range(4))))
def test_for_a_note_the_highest_revision_then_model_then_rules_counts(places):
    rows = [note("a", city="right", revision=2, serial=3, rules=2), note("a", city="rules", revision=2, serial=3, rules=1),
            note("a", city="model", revision=2, serial=1, rules=9), note("a", city="revision", serial=9, rules=9)]  # fmt: skip
    folded = Folded(ZONE)
    for place in places:
        folded.extracted(rows[place])
    assert read(folded, "notes") == read(folded, "notes", city="right") == 1


@pytest.mark.parametrize("places", list(permutations(range(3))))
def test_a_version_keeps_its_newest_serial_whatever_comes_last(places):
    takes = [
        lambda folded: folded.extracted(replace(note("a"), model=ModelRef(name="m", version="7", serial=4))),
        lambda folded: folded.model_event(promoted("7", 6, NOON, ModelEventKind.ROLLED_BACK)),
        lambda folded: folded.validated(replace(said("a", [], []), model=ModelRef(name="m", version="7", serial=5))),
    ]
    folded = Folded(ZONE)
    for place in places:
        takes[place](folded)
    assert folded.models["7"] == ("m", 6)


@pytest.mark.parametrize("newest_first", [True, False])
def test_beyond_the_limit_notes_of_the_oldest_day_are_forgotten_and_that_is_counted(newest_first):
    folded = Folded(ZONE, most_notes=4)
    days = [("today", NOON), ("yesterday", NOON - 24 * HOUR)]
    for name, at in days if newest_first else days[::-1]:
        for place in range(3):
            folded.extracted(note(f"{name}-{place}", at=at))
    assert (len(folded.notes), folded.notes.forgotten) == (4, 2)
    for place in range(3):
        folded.extracted(note(f"today-{place}", revision=2))
    assert read(folded, "notes") == 3
    assert (len(folded.notes), folded.notes.forgotten, folded.notes.forgotten_of_window) == (4, 2, 2)
    folded.forget_before(DAY)
    assert (len(folded.notes), folded.notes.forgotten, folded.notes.forgotten_of_window) == (3, 2, 0)
    folded.forget_before(shift(DAY, 1))
    assert (len(folded.notes), folded.notes.forgotten) == (0, 2)


def test_the_day_is_the_local_one():
    folded = Folded(ZONE)
    folded.extracted(note("a", at=START))
    folded.extracted(note("b", at=START - 1))
    assert read(folded, "notes") == 1
    assert day_of(START - 1, ZONE) == shift(DAY, -1)


def test_straight_through_is_none_or_audit():
    folded = Folded(ZONE)
    for place, reason in enumerate(["NONE", "AUDIT", "LOW_CONFIDENCE", "DRIFT"]):
        folded.extracted(note(f"n{place}", reason=reason))
    assert read(folded, "straight_through_rate") == 0.5


def test_corrections_pace_hours_and_cost():
    folded = Folded(ZONE)
    for place in range(10):
        folded.extracted(note(f"n{place}", reason="NONE" if place < 8 else "LOW_CONFIDENCE"))
    folded.validated(said("n8", [entity(1)], [entity(1)], sample=Sample.UNCERTAIN, outcome="ACCEPTED", s=60))
    folded.validated(said("n9", [entity(1)], [entity(2)], sample=Sample.UNCERTAIN, s=120))
    folded.validated(said("n7", [], [], sample=Sample.UNCERTAIN, outcome="SKIPPED", s=20))
    folded.validated(said("i1", [], [entity(1)], sample=Sample.IMPORTED, s=0))
    assert read(folded, "correction_rate") == 0.5
    assert read(folded, "notes_per_validator_hour") == pytest.approx(2 / (200 / 3600))
    assert read(folded, "person_hours_saved") == pytest.approx(8 * 4 / 60 - 200 / 3600)
    assumed = Assumptions(entry_minutes=6, validator_rupees_per_hour=360, machine_rupees_per_hour=10)
    assert read(folded, "person_hours_saved", assumptions=assumed) == pytest.approx(0.8 - 200 / 3600)
    # 200 s of people are 20 rupees, 12 h of machines since the first note 120: 140 for 10 notes.
    late = {"assumptions": assumed, "now_ms": NOON + 12 * HOUR - 1}
    assert read(folded, "cost_per_1000_notes", **late) == pytest.approx(14_000, rel=1e-6)


def test_machines_cost_nothing_before_the_first_note():
    """A system that is two minutes old was charged for eight days."""
    folded = Folded(ZONE)
    folded.extracted(note("n1"))
    view = View(folded, (shift(DAY, -1), DAY), NOON + 2 * 60_000)
    assert view.hours() == pytest.approx(2 / 60)
    assert View(Folded(ZONE), (DAY,), NOON).hours() == 0.0
    assert View(folded, (shift(DAY, 1),), NOON + 24 * HOUR).hours() == pytest.approx(12)


def test_every_target_has_a_remedy():
    assert set(REMEDIES) == {kpi.name for kpi in KPIS if kpi.target is not None}


def test_a_second_verdict_of_the_same_person_replaces_the_first():
    folded = Folded(ZONE)
    folded.validated(said("a", [entity(1)], [entity(2)], sample=Sample.UNCERTAIN))
    folded.validated(said("a", [entity(1)], [entity(1)], sample=Sample.UNCERTAIN, sequence=2, outcome="ACCEPTED"))
    assert read(folded, "correction_rate") == 0


def test_people_decide_a_note_once_however_many_answer():
    folded = Folded(ZONE)
    for who, right, outcome in (("v-1", 1, "ACCEPTED"), ("v-2", 2, "CORRECTED"), ("v-lead", 1, "ADJUDICATED")):
        folded.validated(said("a", [entity(1)], [entity(right)], sample=Sample.UNCERTAIN, who=who, outcome=outcome))
    folded.validated(said("b", [entity(1)], [entity(2)], sample=Sample.UNCERTAIN))
    assert read(folded, "correction_rate") == 0.5
    assert read(folded, "notes_per_validator_hour") == pytest.approx(2 / (4 * 30 / 3600))


def test_work_on_notes_that_are_not_live_counts_nowhere():
    folded = Folded(ZONE)
    folded.extracted(note("a"))
    for place, origin in enumerate([Origin.BACKFILL, Origin.REEXTRACT, Origin.REPLAY]):
        folded.validated(said(f"n{place}", [entity(1)], [entity(2)], origin=origin, s=3600))
    assert read(folded, "person_hours_saved") == pytest.approx(4 / 60)
    assert read(folded, "correction_rate") is None
    assert folded.audits == {}
    folded.validated(said("old", [entity(1)], [entity(2)], origin=None, s=60))  # older than the field
    assert read(folded, "correction_rate") == 1
    assert read(folded, "person_hours_saved") == pytest.approx(4 / 60 - 1 / 60)


def test_a_judgement_that_was_taken_back_is_none():
    folded = Folded(ZONE)
    folded.validated(said("a", [entity(1)], [entity(1)], outcome="ACCEPTED", who="v-1"))
    folded.validated(said("a", [entity(1)], [], outcome="UNREADABLE", who="v-1", sequence=2))
    assert (folded.audits, folded.audit_changes) == ({}, 2)
    assert read(folded, "correction_rate") is None
    folded.validated(said("a", [entity(1)], [entity(2)], who="v-2"))
    assert folded.audits == {}  # one could not read it, the other could: a lead is asked
    folded.validated(said("a", [entity(1)], [entity(2)], who="v-1", sequence=3))
    assert raw_f1(folded) == 0
    folded.validated(said("a", [entity(1)], [entity(1)], outcome="ADJUDICATED", who="v-lead"))
    assert raw_f1(folded) == 1
    folded.validated(said("a", [entity(1)], [], outcome="SKIPPED", who="v-lead", sequence=2))
    assert raw_f1(folded) == 0


def test_verdicts_that_come_in_another_order_settle_the_same_way():
    verdicts = [
        said("a", [entity(1)], [entity(1)], outcome="ACCEPTED", who="v-2", at=NOON),
        said("a", [entity(1)], [entity(2)], who="v-1", at=NOON + 1),
        said("a", [entity(1)], [], outcome="SKIPPED", who="v-1", sequence=2, at=NOON + 2),
    ]
    for order in permutations(verdicts):
        folded = Folded(ZONE)
        for verdict in order:
            folded.validated(verdict)
        assert raw_f1(folded) == 1
        assert read(folded, "correction_rate") == 0


@pytest.mark.parametrize("note_first", [True, False])
def test_an_audit_is_void_once_a_newer_revision_of_its_note_came(note_first):
    folded = Folded(ZONE)
    folded.extracted(note("a"))
    steps = [
        lambda: folded.extracted(note("a", revision=2)),
        lambda: folded.validated(said("a", [entity(1)], [entity(2)], s=60)),
    ]
    for step in steps if note_first else steps[::-1]:
        step()
    assert folded.audits == {}
    # The work on it was done all the same.
    assert read(folded, "notes_per_validator_hour") == pytest.approx(60)
    folded.validated(said("a", [entity(1)], [entity(1)], outcome="ACCEPTED", revision=2))
    assert raw_f1(folded) == 1
    assert (read(folded, "correction_rate"), read(folded, "notes_per_validator_hour")) == (0, pytest.approx(40))


def test_seconds_of_a_newer_revision_come_on_top_and_those_of_a_second_word_are_in_it():
    folded = Folded(ZONE)
    first = said("a", [entity(1)], [entity(2)], sample=Sample.UNCERTAIN, s=1800.0)
    folded.validated(first)
    folded.validated(replace(first, sequence=2, seconds_spent=2400.0))  # the desk has added them
    assert read(folded, "notes_per_validator_hour") == pytest.approx(1 / (2400 / 3600))
    folded.validated(replace(first, revision=2, seconds_spent=1200.0))
    assert read(folded, "notes_per_validator_hour") == pytest.approx(1.0)
    folded.validated(replace(first, revision=2, sequence=2, seconds_spent=4800.0))
    assert read(folded, "notes_per_validator_hour") == pytest.approx(0.5)


def test_times_are_within_two_per_cent():
    folded = Folded(ZONE)
    for place in range(100):
        folded.extracted(note(f"n{place}", late_ms=40_000 if place >= 94 else 500))
    assert read(folded, "time_to_structured_p50") == pytest.approx(0.5, rel=0.021)
    assert read(folded, "time_to_structured_p95") == pytest.approx(40, rel=0.021)
    assert read(folded, "availability") == 0.94


def test_a_note_that_was_lost_behind_the_door_was_not_available_until_it_came_out_after_all():
    folded = Folded(ZONE)
    folded.dead_lettered(DeadLetter(ACCEPTED_DLQ, "HANDLER_FAILED", NOON, "y 0:0", Origin.LIVE, "clinic|b"))
    assert read(folded, "availability") == 0
    folded.extracted(note("a"))
    for place in range(2):  # a letter that was written twice, or a note that failed twice
        folded.dead_lettered(DeadLetter(ACCEPTED_DLQ, "HANDLER_FAILED", NOON, f"y 0:{place}", Origin.LIVE, "clinic|b"))
    folded.dead_lettered(DeadLetter(ACCEPTED_DLQ, "HANDLER_FAILED", NOON, "y 0:2", Origin.REEXTRACT, "clinic|c"))
    folded.dead_lettered(DeadLetter(ACCEPTED_DLQ, "HANDLER_FAILED", NOON - 24 * HOUR, "y 0:3", Origin.LIVE, "clinic|d"))
    folded.dead_lettered(DeadLetter("model.commands.v1.dlq", "UNDECODABLE", NOON, "z 0:0"))
    assert read(folded, "availability") == 1 / 2
    assert read(folded, "availability", city="Pune") == 1  # nobody knows where the lost one was written
    folded.dead_lettered(DeadLetter(ACCEPTED_DLQ, "UNDECODABLE", NOON, "y 0:4"))  # no note can be told from it
    assert read(folded, "availability") == 1 / 3
    folded.extracted(note("b", late_ms=3_600_000))  # replayed an hour later
    folded.dead_lettered(
        DeadLetter(ACCEPTED_DLQ, "HANDLER_FAILED", NOON, "y 0:0", Origin.LIVE, "clinic|b")
    )  # read late
    assert read(folded, "availability") == 1 / 3
    folded.forget_before(shift(DAY, 1))
    assert folded.lost == {}


def test_a_revision_that_is_given_up_behind_one_that_came_out_lowers_no_availability_as_the_page_says():
    folded = Folded(ZONE)
    folded.extracted(note("a"))
    folded.dead_lettered(DeadLetter(ACCEPTED_DLQ, "HANDLER_FAILED", NOON, "y 0:0", Origin.LIVE, "clinic|a"))
    assert read(folded, "availability") == 1
    assert [one.identity for one in View(folded, (DAY,), NOON).examples("behind")] == ["y 0:0"]
    assert "Only whole notes count as given up" in markdown()


def test_refused_counts_the_door_alone():
    folded = Folded(ZONE)
    for place in range(3):
        folded.extracted(note(f"n{place}"))
    folded.dead_lettered(DeadLetter(INTAKE_DLQ, "EMPTY_TEXT", NOON, "x 0:0"))
    folded.dead_lettered(DeadLetter(ACCEPTED_DLQ, "HANDLER_FAILED", NOON, "y 0:0"))
    assert read(folded, "refused_share") == 0.25


def test_refused_are_those_that_were_live_or_do_not_say():
    folded = Folded(ZONE)
    for place in range(2):
        folded.extracted(note(f"n{place}"))
    for place, origin in enumerate([Origin.BACKFILL, Origin.LIVE, None, Origin.REPLAY]):
        folded.dead_lettered(DeadLetter(INTAKE_DLQ, "EMPTY_TEXT", NOON, f"x 0:{place}", origin))
    view = View(folded, (DAY,), NOON)
    assert read(folded, "refused_share") == 0.5
    assert (view.refused(), view.refused_of_history) == ({"EMPTY_TEXT": 2}, 2)


def test_drift_and_recovery():
    folded = Folded(ZONE)
    for one in (
        drifted("a", DriftLevel.WARNING, NOON), drifted("a", DriftLevel.CRITICAL, NOON + HOUR), drifted("a", DriftLevel.RECOVERED, NOON + 4 * HOUR),
        drifted("b", DriftLevel.WARNING, NOON), drifted("b", DriftLevel.RECOVERED, NOON + 2 * HOUR),
        drifted("c", DriftLevel.WARNING, NOON), drifted("old", DriftLevel.WARNING, START - HOUR),
    ):  # fmt: skip
        folded.detected(one)
    assert read(folded, "drift_episodes") == 3
    assert read(folded, "time_to_recovery") == 3
    assert folded.episodes["a"].level is DriftLevel.CRITICAL


def test_a_release_of_rules_is_no_promotion_of_a_model():
    folded = Folded(ZONE)
    folded.model_event(replace(promoted("3", 9, NOON), rules_version="abc"))
    assert (folded.promotions, folded.models) == ({}, {})


def test_model_age_counts_from_the_last_promotion_or_rollback():
    folded = Folded(ZONE)
    assert read(folded, "model_age") is None
    folded.model_event(promoted("1", 1, NOON - 48 * HOUR))
    folded.model_event(promoted("2", 2, NOON - 24 * HOUR))
    folded.model_event(promoted("1", 3, NOON - 12 * HOUR, ModelEventKind.ROLLED_BACK))
    folded.model_event(promoted("3", None, NOON, ModelEventKind.REJECTED))
    assert read(folded, "model_age") == 0.5
    assert read(folded, "model_age", version="2") == 0.5  # of the model that serves, whichever is looked at


def test_quality_weighs_by_inclusion_probability():
    folded = Folded(ZONE)
    treatment = entity(5, EntityLabel.TREATMENT)
    folded.validated(said("a", [entity(1), treatment], [entity(1), treatment], outcome="ACCEPTED", p=0.5))
    folded.validated(said("b", [entity(1)], [entity(3), treatment], p=0.25))
    folded.validated(said("c", [], [entity(1)], sample=Sample.UNCERTAIN))
    # right 2 x 2 = 4; made 2 x 2 + 4 x 1 = 8; to be found 2 x 2 + 4 x 2 = 12
    assert read(folded, "validated_precision") == pytest.approx(4 / 8)
    assert read(folded, "validated_recall") == pytest.approx(4 / 12)
    assert read(folded, "validated_f1") == pytest.approx(2 * 4 / (8 + 12))
    assert read(folded, "validated_f1_low") < 0.4 < read(folded, "validated_f1_high")


@pytest.mark.parametrize("right", [1, 2])
def test_one_audited_note_is_no_quality_and_two_are(right):
    folded = Folded(ZONE)
    names = [kpi.name for kpi in KPIS if kpi.name.startswith("validated_") and "status" not in kpi.name]
    folded.validated(said("a", [entity(1)], [entity(right)]))
    assert [read(folded, name) for name in names] == [None] * 5
    folded.validated(said("b", [entity(1)], [entity(right)]))
    assert None not in [read(folded, name) for name in names]


def test_each_measure_is_known_by_its_own_notes():
    folded = Folded(ZONE)
    folded.validated(said("a", [entity(1)], [entity(1)]))
    folded.validated(said("b", [], [entity(1)]))  # the model marked something in one note only
    assert read(folded, "validated_precision") is None
    assert read(folded, "validated_recall") == 0.5
    assert read(folded, "validated_f1") == pytest.approx(2 / 3)


def test_the_quality_of_statuses_is_measured_where_people_judged_them():
    def judged(status: str) -> Entity:
        return replace(entity(1), assertion=replace(PRESENT, status=AssertionStatus[status]))

    folded = Folded(ZONE)
    kpi = next(kpi for kpi in KPIS if kpi.name == "validated_status_f1")
    for number, status in enumerate(("PRESENT", "PRESENT", "PRESENT", "NEGATED")):
        folded.validated(said(f"n{number}", [judged("PRESENT")], [judged(status)]))
    folded.validated(said("unjudged", [judged("PRESENT")], [replace(entity(1), assertion=None)]))
    assert read(folded, kpi.name) == pytest.approx(0.75)
    assert read(folded, "validated_f1") == 1


def test_two_validators_who_disagree_count_once_a_lead_has_decided():
    folded = Folded(ZONE)
    folded.validated(said("a", [entity(1)], [entity(1)], outcome="ACCEPTED", who="v-1"))
    assert (raw_f1(folded), folded.audit_changes) == (1, 1)
    folded.validated(said("a", [entity(1)], [entity(2)], who="v-2"))
    assert (folded.audits, folded.audit_changes) == ({}, 2)
    folded.validated(said("a", [entity(1)], [entity(2)], who="v-lead", outcome="ADJUDICATED"))
    assert (raw_f1(folded), folded.audit_changes) == (0, 3)


def test_a_note_that_came_into_the_audit_on_its_second_request_measures_by_who_agrees_with_its_verdict():
    folded = Folded(ZONE)
    folded.validated(said("a", [entity(1)], [entity(2)], sample=Sample.UNCERTAIN, who="v-1"))
    assert folded.audits == {}
    folded.validated(said("a", [entity(1)], [entity(2)], who="v-2", at=NOON + 1))
    assert raw_f1(folded) == 0


def test_what_a_lead_cannot_read_either_measures_nothing():
    words = [
        said("a", [entity(1)], [entity(2)], who="v-1", at=NOON),
        said("a", [entity(1)], [entity(1)], outcome="ACCEPTED", who="v-2", at=NOON + 1),
        said("a", [entity(1)], [], outcome="UNREADABLE", who="v-lead", at=NOON + 2),
    ]
    for order in permutations(words):
        folded = Folded(ZONE)
        for word in order:
            folded.validated(word)
        assert folded.audits == {}
        assert read(folded, "correction_rate") is None
        assert read(folded, "notes_per_validator_hour") == 0  # the work was done, and nothing decided
    folded.validated(said("a", [entity(1)], [entity(1)], outcome="ADJUDICATED", who="v-lead", sequence=2, at=NOON + 3))
    assert read(folded, "correction_rate") == 0
    folded.validated(said("a", [entity(1)], [], outcome="UNREADABLE", who="v-3", sequence=1, at=NOON + 4))
    assert len(folded.audits) == 1  # a lead has decided


def test_a_skip_or_a_verdict_on_an_older_revision_is_no_third_one():
    folded = Folded(ZONE)
    folded.validated(said("a", [entity(1)], [], outcome="UNREADABLE", who="v-0"))
    folded.validated(said("a", [entity(1)], [entity(1)], outcome="ACCEPTED", who="v-1", revision=2))
    folded.validated(said("a", [entity(1)], [entity(1)], outcome="ACCEPTED", who="v-2", revision=2, at=NOON + 1))
    folded.validated(said("a", [entity(1)], [], outcome="SKIPPED", who="v-lead", revision=2, at=NOON + 2))
    assert len(folded.audits) == 1


def test_before_anything_there_is_no_value_and_no_verdict():
    folded = Folded(ZONE)
    empty = {kpi.name: read(folded, kpi.name) for kpi in KPIS}
    assert {name for name, value in empty.items() if value is not None} == {"notes", "facts", "drift_episodes"}
    assert met(BY_NAME["straight_through_rate"], None) is None
    assert met(BY_NAME["straight_through_rate"], 0.9) is True
    assert met(BY_NAME["refused_share"], 0.02) is False


def test_a_sample_decides_on_a_target_only_when_its_interval_does():
    quality = BY_NAME["validated_f1"]
    assert met(quality, 0.957, (0.069, 0.999)) is None
    assert met(quality, 0.341, (0.152, 0.6)) is False
    assert met(quality, 0.93, (0.9, 0.95)) is True


def test_what_lies_before_the_window_is_forgotten():
    folded = Folded(ZONE)
    folded.extracted(note("old", at=START - HOUR))
    folded.validated(said("old", [entity(1)], [entity(1)], at=START - HOUR))
    folded.extracted(note("new"))
    folded.forget_before(DAY)
    assert {key[0] for key in folded.cells} == {DAY}
    assert folded.audits == {}


def test_every_kpi_has_a_metric_of_its_own_and_a_row_in_the_page():
    assert len({kpi.metric for kpi in KPIS}) == len(KPIS)
    assert all(f"| `{kpi.name}` |" in markdown() for kpi in KPIS)
    assert BY_NAME["person_hours_saved"].in_base_unit(2) == 7200
    assert BY_NAME["model_age"].metric == "rxtract_kpi_model_age_seconds"


def test_the_newest_examples_are_kept_by_their_own_time():
    folded = Folded(ZONE)
    for place in (5, 1, *range(10, 40), 3):
        folded.extracted(note(f"n{place}", at=NOON + place))
    found = [one.identity for one in View(folded, (DAY,), NOON).examples("straight")]
    assert found == [f"clinic|n{place}" for place in range(39, 19, -1)]


def test_examples_are_those_of_the_number_alone():
    folded = Folded(ZONE)
    for place in range(25):
        folded.extracted(note(f"p{place}", at=NOON + place))
    folded.extracted(note("d", city="Delhi"))
    folded.extracted(note("y", at=START - HOUR))
    folded.extracted(note("x", serial=2, reason="LOW_CONFIDENCE"))
    folded.extracted(note("p3", serial=2, reason="LOW_CONFIDENCE"))
    folded.validated(said("c", [entity(1)], [entity(2)], at=NOON))
    folded.validated(said("c", [entity(1)], [], outcome="SKIPPED", sequence=2, at=NOON + 1))
    folded.detected(drifted("e", DriftLevel.CRITICAL, NOON))

    def of(kind, days=(DAY,), **where):
        return {one.identity.removeprefix("clinic|") for one in View(folded, days, NOON, **where).examples(kind)}

    assert of("straight", city="Delhi") == {"d"}
    assert of("straight", days=(shift(DAY, -1),)) == {"y"}
    assert of("review") == {"x", "p3"}
    assert of("notes", version="2") == {"x", "p3"}
    assert "p3" not in of("straight", version="1", city="Pune")
    assert of("corrected") == of("audit") == set()
    assert of("drift") == {"e"}


def test_examples_of_drift_are_the_episodes_that_were_open_in_these_days_of_every_version():
    folded = Folded(ZONE)
    for name, began, ended in (
        ("gone", START - 5 * HOUR, START - HOUR),
        ("open", START - 5 * HOUR, None),
        ("recovered", START - 3 * HOUR, START + HOUR),
        ("new", NOON, None),
    ):
        folded.detected(drifted(name, DriftLevel.CRITICAL, began))
        if ended is not None:
            folded.detected(drifted(name, DriftLevel.RECOVERED, ended))
    for version in ("", "1", "2"):
        found = [one.identity for one in View(folded, (DAY,), NOON, version=version).examples("drift")]
        assert found == ["new", "recovered", "open"]
    assert read(folded, "drift_episodes") == 1  # which counts those that began
