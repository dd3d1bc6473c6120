"""Records, and their way to plain data and back."""

import copy
import dataclasses
import json
from typing import Any

import pytest
from contracts import files, records
from contracts.plain import RecordError
from contracts.reasons import Reason
from contracts.records import DriftState, EntitiesExtracted, ModelEvent, ModelEventKind, NoteSubmitted, Origin, Segment
from contracts.topics import load_topics

EXAMPLES = [
    pytest.param(getattr(records, str(topic.record)), path, id=f"{topic.name}/{path.stem}")
    for topic in load_topics().values()
    for path in files.example_files(topic.name)
]


def note(**changes: Any) -> dict[str, Any]:
    path = files.example_files("notes.submitted.v1")[0]
    return json.loads(path.read_text(encoding="utf-8")) | changes


@pytest.mark.parametrize(("record_type", "path"), EXAMPLES)
def test_every_example_is_its_record_written_out(record_type: Any, path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    record = record_type.from_json(text)
    assert json.loads(record.to_json()) == json.loads(text)
    assert record_type.from_dict(record.to_dict()) == record


@pytest.mark.parametrize(("record_type", "path"), EXAMPLES)
def test_examples_are_marked_synthetic_and_their_offsets_are_right(record_type: Any, path: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    for name in ("note_id", "patient_id", "prescription_id", "episode_id", "command_id"):
        assert not content.get(name) or content[name].startswith("synthetic-")
    for entity in content.get("entities", []) if "text" in content else []:
        assert content["text"][entity["start"] : entity["end"]] == entity["text"]


def test_records_are_frozen_and_slotted() -> None:
    segment = Segment(city="Pune", specialty="cardiology")
    with pytest.raises(dataclasses.FrozenInstanceError):
        segment.city = "Mumbai"  # type: ignore[misc]
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        segment.ward = "B"  # type: ignore[attr-defined]
    assert not hasattr(segment, "__dict__")


def test_records_are_values() -> None:
    segment = Segment(city="Pune", specialty="cardiology")
    assert segment == Segment(specialty="cardiology", city="Pune")
    assert hash(segment) == hash(copy.deepcopy(segment))
    assert copy.copy(segment) == segment
    assert dataclasses.replace(segment, city="Mumbai").city == "Mumbai"
    assert repr(segment) == "Segment(city='Pune', specialty='cardiology')"
    assert type(segment) is Segment


def test_fields_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        Segment("Pune", "cardiology")  # type: ignore[misc]
    with pytest.raises(TypeError):
        Segment(city="Pune")  # type: ignore[call-arg]


def test_defaults_are_those_of_the_schema() -> None:
    short = note()
    del short["language"], short["origin"], short["pseudonym_key_id"]
    record = NoteSubmitted.from_dict(short)
    assert (record.language, record.origin, record.pseudonym_key_id) == ("en", Origin.LIVE, None)
    event = ModelEvent(event_id="e", kind=ModelEventKind.PROMOTED, model_name="m", reasons=(), occurred_at=0)
    assert dict(event.metrics) == {}


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"revision": "1"}, "revision", Reason.WRONG_TYPE),
        ({"revision": True}, "revision", Reason.WRONG_TYPE),
        ({"revision": 1.0}, "revision", Reason.WRONG_TYPE),
        ({"written_at": 2**63}, "written_at", Reason.OUT_OF_RANGE),
        ({"text": None}, "text", Reason.WRONG_TYPE),
        ({"origin": "SIDEWAYS"}, "origin", Reason.WRONG_TYPE),
        ({"origin": []}, "origin", Reason.WRONG_TYPE),
        ({"purpose": 3}, "purpose", Reason.WRONG_TYPE),
        ({"ward": "secret"}, "NoteSubmitted", Reason.UNKNOWN_FIELD),
    ],
)
def test_plain_data_that_does_not_fit_is_refused(changes: dict[str, Any], field: str, reason: Reason) -> None:
    with pytest.raises(RecordError) as refusal:
        NoteSubmitted.from_dict(note(**changes))
    assert (refusal.value.field, refusal.value.reason) == (field, reason)
    assert "secret" not in str(refusal.value)


def test_a_missing_field_is_named() -> None:
    short = note()
    del short["text"]
    with pytest.raises(RecordError) as refusal:
        NoteSubmitted.from_dict(short)
    assert (refusal.value.field, refusal.value.reason) == ("text", Reason.MISSING_FIELD)


def test_the_place_of_a_nested_fault_is_told() -> None:
    content = json.loads(files.example_files("entities.extracted.v1")[0].read_text(encoding="utf-8"))
    content["entities"][1]["start"] = "3"
    with pytest.raises(RecordError) as refusal:
        EntitiesExtracted.from_dict(content)
    assert refusal.value.field == "entities[1].start"


@pytest.mark.parametrize("value", [[], "note", 3, None])
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(RecordError):
        NoteSubmitted.from_dict(value)


def test_not_a_number_and_bad_base64_are_refused() -> None:
    content = json.loads(files.example_files("entities.extracted.v1")[0].read_text(encoding="utf-8"))
    with pytest.raises(RecordError):
        EntitiesExtracted.from_dict(content | {"note_confidence": float("nan")})
    state = json.loads(files.example_files("drift.state.v1")[0].read_text(encoding="utf-8"))
    with pytest.raises(RecordError):
        DriftState.from_dict(state | {"state": "no base64!"})


def test_every_reason_has_a_sentence() -> None:
    assert all(reason.sentence.endswith(".") for reason in Reason)
