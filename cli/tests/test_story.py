"""The demo's checks can fail."""

import time

import pytest
from contracts.reasons import Reason
from contracts.records import EntitiesExtracted, Entity, EntityLabel, ModelRef, Origin, Review, ReviewReason, Segment
from runtime.kafka.seen import Seen
from rxtract.demo.goals import figures
from rxtract.demo.malformed import Malformed
from rxtract.demo.story import EXAMPLE, EXPECTED, DemoFailed, check_example, check_letter, example_note
from rxtract.highlight import Highlight, bracketed
from rxtract.observer import Outcomes


def entity(label: str, text: str, shift: int = 0) -> Entity:
    start = EXAMPLE.index(text) + shift
    return Entity(
        entity_id="e", label=EntityLabel(label), text=text, start=start, end=start + len(text), confidence=0.9
    )


def event(entities: list[Entity], **more) -> EntitiesExtracted:
    values = {
        "event_id": "e", "source": "local", "note_id": "n", "rules_version": "", "rules_serial": 0, "patient_ref": "p", "revision": 1, "origin": Origin.LIVE,
        "model": ModelRef(name="m", version="1", serial=1), "segment": Segment(city="Pune", specialty="oncology"),
        "written_at": 0, "accepted_at": 1_000, "extracted_at": 1_010, "note_confidence": 0.9, "entities": tuple(entities),
        "relations": (), "review": Review(requested=False, reason=ReviewReason.NONE),
    }  # fmt: skip
    return EntitiesExtracted(**{**values, **more})


def right() -> list[Entity]:
    return [entity(label, text) for label, text in EXPECTED]


def test_a_time_beyond_its_goal_is_told_as_missed():
    recovered, demo = figures(361.2, 179.0)
    assert (recovered.held, demo.held) == (True, False)
    assert recovered.line() == "from the first shifted note to the new model serving: 179 s (goal 180 s)"
    assert demo.line().startswith("the whole demo: 361 s (goal 360 s, missed")
    assert demo.to_dict() == {"name": "demo", "seconds": 361.2, "goal_s": 360.0, "held": False}
    assert [one.name for one in figures(10, None)] == ["demo"]


def test_the_right_entities_pass():
    check_example(event(right()))


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        right()[:2],
        [*right()[:2], entity("DISEASE", "chemotherapy")],
        [entity("DISEASE", EXPECTED[0][1], 1), *right()[1:]],
    ],
)
def test_missing_wrong_and_shifted_entities_fail(wrong):
    with pytest.raises(DemoFailed):
        check_example(event(wrong))


def test_a_dead_letter_with_another_reason_or_other_bytes_fails():
    wrong = Malformed(b"k", b"bytes", Reason.EMPTY_TEXT, mendable=True)

    def letter(value: bytes, reason: str) -> Seen:
        headers = (("rxtract.reason", reason.encode()),)
        return Seen("t.dlq", 0, 0, 0, b"k", value, headers, None, "")

    check_letter(wrong, letter(b"bytes", "EMPTY_TEXT"))
    with pytest.raises(DemoFailed):
        check_letter(wrong, letter(b"bytes", "TRUNCATED"))
    with pytest.raises(DemoFailed):
        check_letter(wrong, letter(b"other", "EMPTY_TEXT"))


def test_outcomes_keep_the_highest_revision_model_and_rules_and_count_duplicates():
    outcomes = Outcomes()
    for revision, serial, rules in ((1, 1, 1), (2, 1, 9), (1, 9, 9), (2, 2, 2), (2, 2, 1)):
        model = ModelRef(name="m", version=str(serial), serial=serial)
        one = event(right(), revision=revision, model=model, rules_serial=rules)
        outcomes.take(Seen("entities.extracted.v1", 0, 0, 0, b"n", b"", (), one, ""), now_ms=1_030)
    (kept,) = outcomes.events.values()
    assert (kept.revision, kept.model.serial, kept.rules_serial) == (2, 2, 2)
    assert outcomes.duplicates == 4
    assert outcomes.latencies_ms == [30]
    assert outcomes.percentile_ms(0.95) == 30


def test_one_id_of_two_sources_is_two_outcomes():
    outcomes = Outcomes()
    for source in ("local", "other"):
        outcomes.take(
            Seen("entities.extracted.v1", 0, 0, 0, b"", b"", (), event(right(), source=source), ""), now_ms=1_030
        )
    assert set(outcomes.events) == {"local|n", "other|n"}
    assert outcomes.duplicates == 0


def test_entities_are_bracketed_where_there_is_no_colour():
    shown = bracketed("c/o fever\x1b[2J\nTab PCM", [Highlight("DISEASE", 4, 9), Highlight("TREATMENT", 18, 21)])
    assert shown == "c/o [DISEASE fever]\N{REPLACEMENT CHARACTER}[2J / Tab [TREATMENT PCM]"


def test_the_example_is_marked_synthetic_and_written_now():
    note = example_note("synthetic-x", "local")
    assert note.prescription_id.startswith("SYNTHETIC")
    assert abs(note.written_at - time.time() * 1000) < 60_000
