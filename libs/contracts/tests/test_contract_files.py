"""The files in schemas/ keep the rules of the contract, and what is generated from them is up to date."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from contracts import asyncapi, compatibility, files, generate, records, safety, topics
from contracts.apply import check_history
from contracts.generate import history
from contracts.generate.tree import named_types
from contracts.topics import load_topics

TOPICS = load_topics()
ENVELOPE = ("pseudonym_key_id", "purpose", "consent_artefact_id", "encryption_key_id")


def fields_of(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, definition in named_types().items():
        if definition["type"] == "record":
            yield from ((f"{name}.{field['name']}", field) for field in definition["fields"])


def test_generated_files_are_up_to_date() -> None:
    stale = [str(path) for path in generate.stale_files()]
    assert not stale, f"run `python -m contracts.generate`: {stale}"


def test_a_stale_file_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncapi, "VERSION", "0.0.0")
    assert [path.name for path in generate.stale_files()] == ["asyncapi.yaml"]


def test_every_topic_constant_has_a_file_and_every_file_a_constant() -> None:
    constants = {value for name, value in vars(topics).items() if name.isupper() and str(value).endswith(".v1")}
    assert constants == set(TOPICS)
    assert all(path.stem == files.read_topic(path)["name"] for path in files.topic_files())


def test_no_schema_without_a_topic_and_no_topic_without_a_schema() -> None:
    assert {topic.record for topic in TOPICS.values()} == set(files.record_names())
    assert len(TOPICS) == len(files.record_names())


def test_no_example_without_a_topic_and_two_for_each() -> None:
    folders = {path.name for path in (files.schemas_dir() / "examples").iterdir() if path.is_dir()}
    assert folders == set(TOPICS)
    assert all(len(files.example_files(topic)) >= 2 for topic in TOPICS)


def test_every_type_and_field_says_what_it_is() -> None:
    undocumented = [name for name, definition in named_types().items() if not definition.get("doc", "").strip()]
    undocumented += [name for name, field in fields_of(None) if not field.get("doc", "").strip()]
    assert not undocumented


def test_every_enum_has_a_default() -> None:
    enums = [definition for definition in named_types().values() if definition["type"] == "enum"]
    assert enums
    assert all(enum["default"] in enum["symbols"] for enum in enums)


def test_times_are_utc_milliseconds() -> None:
    for name in files.record_names():
        for field in files.record_schema(name)["fields"]:
            if field["name"].endswith("_at") or field["name"] in {"window_start", "window_end"}:
                assert "timestamp-millis" in json.dumps(field["type"]), f"{name}.{field['name']}"


@pytest.mark.parametrize("name", files.record_names())
def test_every_schema_can_be_read_without_danger(name: str) -> None:
    assert safety.checked(files.schema_text(name))["name"] == name


def test_public_records_carry_the_envelope() -> None:
    public = [topic.record for topic in TOPICS.values() if topic.public]
    assert sorted(filter(None, public)) == [
        "DriftDetected",
        "EntitiesCoded",
        "EntitiesExtracted",
        "FhirDocumentMade",
        "NoteSubmitted",
    ]
    for name in public:
        schema = files.record_schema(str(name))
        optional = {field["name"]: field for field in schema["fields"] if field["name"] in ENVELOPE}
        assert sorted(optional) == sorted(ENVELOPE)
        assert all(field["default"] is None for field in optional.values())


def test_what_may_be_encrypted_has_a_place_for_it() -> None:
    """Texts of a record are sealed together; of what names no text only the envelope is there."""
    sealed = {name for name in files.record_names() if "sealed" in _names(name)}
    assert sealed == {name for name in files.record_names() if "encryption_key_id" in _names(name)} - {"DriftDetected"}
    for name in sealed:
        [field] = [field for field in files.record_schema(name)["fields"] if field["name"] == "sealed"]
        assert (field["type"], field["default"]) == (["null", "bytes"], None)


def _names(record: str) -> set[str]:
    return {field["name"] for field in files.record_schema(record)["fields"]}


def test_public_topics_are_full_transitive_and_compaction_is_of_states_alone() -> None:
    assert all(topic.compatibility == "FULL_TRANSITIVE" for topic in TOPICS.values() if topic.public)
    assert all(topic.compatibility in compatibility.LEVELS for topic in TOPICS.values())
    assert [name for name, topic in TOPICS.items() if topic.cleanup_policy == "compact"] == [
        topics.ANNOTATORS_JUDGED,
        topics.DRIFT_STATE,
    ]


def test_keys_name_fields_of_the_record() -> None:
    for topic in TOPICS.values():
        names = {field["name"] for field in files.record_schema(str(topic.record))["fields"]}
        assert {part.partition(".")[0] for part in topic.key.split("|")} <= names, topic.name


def test_what_names_a_note_names_its_source_and_keys_it_by_both() -> None:
    for topic in TOPICS.values():
        names = [field["name"] for field in files.record_schema(str(topic.record))["fields"]]
        assert ("note_id" in names) == ("source" in names) == (topic.key == "source|note_id"), topic.name


def test_raw_notes_are_kept_a_week_and_annotations_for_ever() -> None:
    day_ms = 24 * 3600 * 1000
    assert TOPICS[topics.NOTES_SUBMITTED].retention_ms == 7 * day_ms
    assert TOPICS[topics.NOTES_ACCEPTED].retention_ms == 7 * day_ms
    assert TOPICS[topics.ANNOTATIONS_VALIDATED].retention_ms == -1


def test_schemas_follow_from_every_earlier_version() -> None:
    assert check_history() == []
    assert all(files.history_files(name) for name in files.record_names())


def test_an_incompatible_change_is_found_in_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = files.record_schema("NoteSubmitted")
    schema["fields"].append({"name": "ward", "type": "string", "doc": "Without a default."})
    original = files.schema_text
    monkeypatch.setattr(
        files, "schema_text", lambda name: json.dumps(schema) if name == "NoteSubmitted" else original(name)
    )
    findings = check_history()
    assert {finding.subject for finding in findings} == {"notes.submitted.v1-value"}
    assert all(finding.breaking for finding in findings)
    assert "ward" in findings[0].problem


def _without_its_first_field(schema: dict[str, Any]) -> None:
    del schema["fields"][0]


def _with_a_field_that_old_writers_lack(schema: dict[str, Any]) -> None:
    schema["fields"].append({"name": "ward", "type": "string", "doc": "Without a default."})


def _with_another_type(schema: dict[str, Any]) -> None:
    schema["fields"][0]["type"] = {"type": "array", "items": "string"}


def _with_another_name(schema: dict[str, Any]) -> None:
    schema["name"] += "d"


@pytest.mark.parametrize("record", [str(topic.record) for topic in TOPICS.values()])
@pytest.mark.parametrize(
    "edit",
    [_without_its_first_field, _with_a_field_that_old_writers_lack, _with_another_type, _with_another_name],
)
def test_a_breaking_edit_of_any_released_record_is_refused(
    record: str, edit: Callable[[dict[str, Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    [topic] = [topic for topic in TOPICS.values() if topic.record == record]
    schema = files.record_schema(record)
    edit(schema)
    original = files.schema_text
    monkeypatch.setattr(files, "schema_text", lambda name: json.dumps(schema) if name == record else original(name))
    found = {finding.subject for finding in check_history() if finding.breaking}
    # Under a level of one direction an edit may be fine.
    assert found == {topic.subject} or not topic.compatibility.startswith("FULL")
    added = history.next_versions()
    assert [path.parent.name for path in added] == [record]
    assert files.history_files(record)[-1] not in added  # a released version is never written anew


def test_every_version_ever_released_is_of_this_namespace() -> None:
    for record in files.record_names():
        texts = [files.schema_text(record), *(path.read_text("utf-8") for path in files.history_files(record))]
        assert {json.loads(text)["namespace"] for text in texts} == {files.NAMESPACE}
        assert files.OLD_NAMESPACE not in "".join(texts)


def test_the_records_module_has_every_type() -> None:
    assert all(hasattr(records, name) for name in named_types())


def test_asyncapi_names_every_topic_and_role() -> None:
    document = asyncapi.document()
    assert document["asyncapi"] == "3.1.0"
    dead = {topics.dlq_of(name) for name, topic in TOPICS.items() if topic.dlq}
    assert set(document["channels"]) == set(TOPICS) | dead
    roles = sum(len(topic.producers) + len(topic.consumers) + len(topic.followers) for topic in TOPICS.values())
    assert len(document["operations"]) == roles
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        where: Any = document
        for step in reference.split("/"):
            where = where[step]


def test_missing_schemas_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("RXTRACT_SCHEMAS_DIR", str(tmp_path))
    with pytest.raises(files.ContractFilesError, match="set RXTRACT_SCHEMAS_DIR"):
        files.schemas_dir.__wrapped__()
