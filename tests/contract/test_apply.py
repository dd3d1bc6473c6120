"""Topics and schemas are applied once, judged before, and never changed by a second run."""

import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from contracts import files, topics
from contracts.apply import apply_schemas, apply_topics, check_schemas, topic_plans
from contracts.cluster import Cluster, ClusterError
from contracts.records import NoteAccepted
from contracts.registry import (
    ConfluentRegistry,
    IncompatibleSchema,
    InMemoryRegistry,
    OldNamespace,
    Registry,
    SchemaNotFound,
)
from contracts.topics import load_topics, prefixed, subject_of
from contracts.wire import Deserializer, Serializer
from runtime.service import contract

pytestmark = pytest.mark.timeout(180)

TOPICS = load_topics()


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.stack)])
def registry(request: pytest.FixtureRequest) -> Registry:
    if request.param == "memory":
        return InMemoryRegistry()
    return ConfluentRegistry(request.getfixturevalue("stack").addresses.schema_registry_url)


def test_schemas_are_applied_once(registry: Registry, topic_prefix: str) -> None:
    first = apply_schemas(registry, topic_prefix)
    assert sum(change.action == "registered" for change in first) == len(TOPICS)
    assert apply_schemas(registry, topic_prefix) == []
    assert check_schemas(registry, topic_prefix) == []


def test_public_subjects_are_full_transitive(registry: Registry, topic_prefix: str) -> None:
    apply_schemas(registry, topic_prefix)
    for topic in TOPICS.values():
        level = registry.compatibility(subject_of(prefixed(topic_prefix, topic.name)))
        assert level == topic.compatibility
        assert level == "FULL_TRANSITIVE" or not topic.public


def test_a_level_that_somebody_changed_is_found_and_set_again(registry: Registry, topic_prefix: str) -> None:
    apply_schemas(registry, topic_prefix)
    subject = subject_of(prefixed(topic_prefix, topics.NOTES_SUBMITTED))
    registry.set_compatibility(subject, "BACKWARD")
    assert [(found.subject, found.breaking) for found in check_schemas(registry, topic_prefix)] == [(subject, False)]
    assert [change.name for change in apply_schemas(registry, topic_prefix)] == [subject]


def test_an_empty_registry_lacks_everything_but_breaks_nothing(registry: Registry, topic_prefix: str) -> None:
    findings = check_schemas(registry, topic_prefix)
    assert len(findings) == 2 * len(TOPICS)
    assert not any(found.breaking for found in findings)


def test_a_breaking_schema_is_found_named_and_refused(
    registry: Registry, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_schemas(registry, topic_prefix)
    schema = files.record_schema("NoteSubmitted")
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "text"]
    original = files.schema_text
    broken = json.dumps(schema)
    monkeypatch.setattr(files, "schema_text", lambda name: broken if name == "NoteSubmitted" else original(name))
    findings = check_schemas(registry, topic_prefix)
    assert {found.subject for found in findings} == {f"{topic_prefix}notes.submitted.v1-value"}
    assert all(found.breaking for found in findings)
    assert "text" in findings[0].problem
    with pytest.raises(IncompatibleSchema, match="rxtract schemas check"):
        apply_schemas(registry, topic_prefix)


def of_the_old_namespace(record: str) -> str:
    return files.schema_text(record).replace(f'"{files.NAMESPACE}"', f'"{files.OLD_NAMESPACE}"')


@pytest.mark.parametrize(
    "record_topic", [("NoteSubmitted", topics.NOTES_SUBMITTED), ("ModelEvent", topics.MODEL_EVENTS)]
)
def test_a_subject_of_the_old_namespace_is_refused_before_anything_changes(
    registry: Registry, topic_prefix: str, record_topic: tuple[str, str]
) -> None:
    record, topic = record_topic
    subject = subject_of(prefixed(topic_prefix, topic))
    registry.register(subject, of_the_old_namespace(record))
    for work in (apply_schemas, check_schemas):
        with pytest.raises(
            OldNamespace, match=f"^{subject} holds schemas of the old namespace in.behealthy.rxtract, .*: use"
        ):
            work(registry, topic_prefix)
    assert registry.compatibility(subject_of(prefixed(topic_prefix, topics.ANNOTATIONS_VALIDATED))) is None
    assert len(registry.versions_of_subject(subject)) == 1


def test_a_writer_of_a_topic_of_the_old_namespace_does_not_wait_for_the_schema(
    registry: Registry, topic_prefix: str
) -> None:
    topic = prefixed(topic_prefix, topics.NOTES_ACCEPTED)
    with pytest.raises(SchemaNotFound):
        Serializer.for_topic(NoteAccepted, registry, topic)
    registry.register(subject_of(topic), of_the_old_namespace("NoteAccepted"))
    with pytest.raises(OldNamespace):
        Serializer.for_topic(NoteAccepted, registry, topic)


def test_a_producer_on_a_newer_version_is_read_by_old_code(registry: Registry, topic_prefix: str) -> None:
    apply_schemas(registry, topic_prefix)
    topic = prefixed(topic_prefix, topics.NOTES_ACCEPTED)
    read = Deserializer.for_topic(NoteAccepted, registry, topic)
    record = NoteAccepted.from_json(files.example_files(topics.NOTES_ACCEPTED)[0].read_bytes())
    old = Serializer.for_topic(NoteAccepted, registry, topic)(record)
    assert read(old) == record
    schema = files.record_schema("NoteAccepted")
    schema["fields"].append({"name": "ward", "type": ["null", "string"], "doc": "New.", "default": None})
    newer = registry.register(subject_of(topic), json.dumps(schema))
    assert read(b"\x00" + newer.to_bytes(4, "big") + old[5:] + b"\x02\x027") == record


# --- topics -----------------------------------------------------------------------------------------------------------


def test_every_topic_that_is_read_by_a_group_has_a_dead_letter_topic() -> None:
    plans = {plan.name: plan for plan in topic_plans(TOPICS.values(), "p.", 2)}
    assert len(plans) == len(TOPICS) + sum(topic.dlq for topic in TOPICS.values())
    dead = plans["p.notes.accepted.v1.dlq"]
    assert dead.config["retention.ms"] == str(14 * 24 * 3600 * 1000)
    assert int(dead.config["max.message.bytes"]) > int(plans["p.notes.accepted.v1"].config["max.message.bytes"])
    assert all(plan.config["min.insync.replicas"] == "2" for plan in plans.values())


def test_where_texts_are_sealed_what_others_submit_in_clear_lives_a_day() -> None:
    plain, sealing = (
        {plan.name: plan for plan in topic_plans(TOPICS.values(), "p.", 2, sealing=sealing)}
        for sealing in (False, True)
    )
    name, day_ms = "p.notes.submitted.v1", 24 * 3600 * 1000
    assert plain[name].config["retention.ms"] == str(7 * day_ms)
    assert sealing[name].config["retention.ms"] == str(day_ms)
    assert int(sealing[name].config["segment.ms"]) <= 3600 * 1000, (
        "a busy segment would keep its oldest note for a week"
    )
    assert {one for one in plain if plain[one] != sealing[one]} == {name}


@pytest.fixture
def admin(stack: Any) -> Mapping[str, str]:
    return {"bootstrap.servers": stack.addresses.bootstrap_servers}


@pytest.mark.stack
def test_topics_are_applied_once(admin: Mapping[str, str], topic_prefix: str) -> None:
    changes = apply_topics(admin, TOPICS, topic_prefix)
    plans = topic_plans(TOPICS.values(), topic_prefix, 1)
    assert {change.name for change in changes} == {plan.name for plan in plans}
    assert {change.action for change in changes} == {"created"}
    assert apply_topics(admin, TOPICS, topic_prefix) == []
    cluster = Cluster(admin)
    counts, configs = cluster.partition_counts(), cluster.configs([plan.name for plan in plans])
    for plan in plans:
        assert counts[plan.name] == plan.partitions
        assert {key: configs[plan.name][key] for key in plan.config} == dict(plan.config)


def codecs_stored(folder: Path, topic: str) -> list[int]:
    """The codec of each batch that the broker has on disk: the low three bits of a batch's attributes."""
    found = []
    for segment in folder.rglob(f"{topic}-*/*.log"):
        data, at = segment.read_bytes(), 0
        while at + 23 <= len(data):
            found.append(struct.unpack_from(">h", data, at + 21)[0] & 7)
            at += 12 + struct.unpack_from(">i", data, at + 8)[0]
    return found


@pytest.mark.stack
def test_the_broker_keeps_a_topic_in_its_codec_whatever_writes(
    stack: Any, admin: Mapping[str, str], topic_prefix: str
) -> None:
    """Stock kafkajs reads no LZ4: a public topic holds none, however careless its producers."""
    apply_topics(admin, TOPICS, topic_prefix)
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        producer = Producer({**admin, "compression.type": codec, "linger.ms": 50})
        for topic in TOPICS.values():
            names = [topic.name, *([topics.dlq_of(topic.name)] if topic.dlq else [])]
            for name in names:
                for _ in range(20):
                    producer.produce(prefixed(topic_prefix, name), b"a value that can be compressed " * 20, b"key")
        assert producer.flush(60) == 0
    kept = {"none": {0}, "lz4": {3}, "as-sent": {0, 1, 2, 3, 4}}
    for topic in TOPICS.values():
        stored = codecs_stored(stack.data_dir, prefixed(topic_prefix, topic.name))
        assert len(stored) >= 5
        assert set(stored) == kept[topic.codec], topic.name
        if topic.dlq:
            assert set(codecs_stored(stack.data_dir, prefixed(topic_prefix, topics.dlq_of(topic.name)))) == kept["lz4"]


def test_public_topics_are_not_compressed_and_internal_ones_are() -> None:
    """But what others write: to pack it anew a broker must unpack it, and a bomb of 400 MiB ended a broker of 512 MiB."""
    for topic in TOPICS.values():
        written_by_us = topic.name != topics.NOTES_SUBMITTED
        assert topic.codec == (("none" if topic.public else "lz4") if written_by_us else "as-sent")


def test_a_codec_that_does_not_exist_is_refused() -> None:
    path = files.topic_files()[0]
    with pytest.raises(ValueError, match="use one of none, gzip, lz4, as-sent"):
        topics._topic(files.read_topic(path) | {"codec": "snappy"})


@pytest.mark.stack
def test_a_topic_grows_and_is_configured_but_never_shrinks(admin: Mapping[str, str], topic_prefix: str) -> None:
    topic = replace(TOPICS[topics.MODEL_EVENTS], partitions=3)
    apply_topics(admin, [topic], topic_prefix)
    grown = replace(topic, partitions=5, retention_ms=1_000_000)
    assert [change.action for change in apply_topics(admin, [grown], topic_prefix)] == ["grown", "configured"]
    shrunk = replace(grown, partitions=1)
    assert apply_topics(admin, [shrunk], topic_prefix) == []
    assert Cluster(admin).partition_counts()[prefixed(topic_prefix, topic.name)] == 5


def test_an_unreachable_cluster_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.cluster.TIMEOUT_S", 1.0)
    with pytest.raises(ClusterError, match="cannot list topics") as fault:
        apply_topics({"bootstrap.servers": "127.0.0.1:9", "log_level": 0}, TOPICS)
    assert "\n" not in str(fault.value)


@pytest.mark.stack
def test_the_job_of_the_chart_applies_both_and_a_second_run_changes_nothing(
    stack: Any, topic_prefix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RXTRACT_BOOTSTRAP_SERVERS", stack.addresses.bootstrap_servers)
    monkeypatch.setenv("RXTRACT_SCHEMA_REGISTRY_URL", stack.addresses.schema_registry_url)
    monkeypatch.setenv("RXTRACT_TOPIC_PREFIX", topic_prefix)
    assert contract.main(["topics", "schemas"]) == 0
    assert f"created {topic_prefix}" in capsys.readouterr().out
    assert contract.main(["topics", "schemas"]) == 0
    assert capsys.readouterr().out == "topics: nothing to change\nschemas: nothing to change\n"


@pytest.mark.stack
@pytest.mark.parametrize("permanent", [False, True])
def test_a_deleted_subject_comes_back_under_its_ids(stack: Any, topic_prefix: str, *, permanent: bool) -> None:
    """What the SRE guide says of a deleted subject: what is on the topic names its schema by id."""
    registry = ConfluentRegistry(stack.addresses.schema_registry_url)
    subject = subject_of(prefixed(topic_prefix, topics.NOTES_SUBMITTED))
    schema = files.record_schema("NoteSubmitted")
    older = json.dumps({**schema, "fields": schema["fields"][:-1], "doc": f"Before {topic_prefix}"})
    ids = [registry.register(subject, older), registry.register(subject, files.schema_text("NoteSubmitted"))]
    registry._client.delete_subject(subject)
    if permanent:
        registry._client.delete_subject(subject, permanent=True)
    with pytest.raises(SchemaNotFound):
        registry.ids_of_subject(subject)
    assert registry.register(subject, older) == ids[0]
    apply_schemas(registry, topic_prefix)
    assert registry.ids_of_subject(subject) == frozenset(ids)
    assert registry.compatibility(subject) == "FULL_TRANSITIVE"
