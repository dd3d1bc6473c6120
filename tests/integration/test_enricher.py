"""The enricher as it is shipped, on a real broker: nothing is lost at a kill, bad records go to the DLQ, new tables code history anew."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from contracts.apply import apply_schemas, apply_topics
from contracts.identity import event_id, note_key
from contracts.records import (
    Assertion,
    AssertionStatus,
    AssertionTime,
    EntitiesCoded,
    EntitiesExtracted,
    Entity,
    EntityLabel,
    Experiencer,
    FhirDocumentMade,
    ModelRef,
    Review,
    Segment,
)
from contracts.registry import ConfluentRegistry
from contracts.topics import ENTITIES_CODED, ENTITIES_EXTRACTED, RECORDS_FHIR, dlq_of, load_topics
from contracts.wire import Deserializer, Serializer
from embedded_stack.services import ServiceProcess
from runtime.kafka.deadletter import REASON
from rxtract_fhir import check
from terminology.table import Coding, Draft, NameRow, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]
ICD = "http://hl7.org/fhir/sid/icd-10"
WITHIN_S = 90.0
HERE = Assertion(
    status=AssertionStatus.PRESENT,
    time=AssertionTime.CURRENT,
    experiencer=Experiencer.PATIENT,
    cue_start=-1,
    cue_end=-1,
)


def until(condition: Callable[[], Any], what: str) -> Any:
    """Poll until a condition holds, and return what it gave."""
    deadline = time.monotonic() + WITHIN_S
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {WITHIN_S} s: {what}"
        time.sleep(0.05)
    return answer


def tables(folder: Path, serial: int, code: str) -> Path:
    """A folder with one small table."""
    draft = Draft("base", str(serial), serial=serial)
    draft.concepts = [Coding(ICD, code, "")]
    draft.names = [NameRow("t2dm", (0,), 0.97, "abbreviation", "DISEASE")]
    write(draft, folder / "base.table")
    return folder


class Rig:
    """Topics of one test, and its enrichers."""

    def __init__(self, stack: Any, prefix: str, folder: Path, ending: ExitStack) -> None:
        addresses = stack.addresses
        self.prefix, self.folder, self.ending = prefix, folder, ending
        self.config = {"bootstrap.servers": addresses.bootstrap_servers}
        apply_topics(self.config, load_topics(), prefix)
        registry = ConfluentRegistry(addresses.schema_registry_url)
        apply_schemas(registry, prefix)
        self.write = Serializer.for_topic(EntitiesExtracted, registry, prefix + ENTITIES_EXTRACTED)
        self.read = Deserializer.for_topic(EntitiesCoded, registry, prefix + ENTITIES_CODED)
        self.read_document = Deserializer.for_topic(FhirDocumentMade, registry, prefix + RECORDS_FHIR)
        self.producer = Producer({**self.config, "partitioner": "murmur2_random"})
        self.environment = {
            "RXTRACT_BOOTSTRAP_SERVERS": addresses.bootstrap_servers,
            "RXTRACT_SCHEMA_REGISTRY_URL": addresses.schema_registry_url,
            "RXTRACT_TOPIC_PREFIX": prefix,
            "RXTRACT_GROUP_PREFIX": prefix,
        }

    def start(self, name: str, table: Path, **more: str) -> ServiceProcess:
        """Start one more replica, and wait until it has partitions."""
        env = {**self.environment, "RXTRACT_TERMINOLOGY_DIR": str(table), **more}
        process = ServiceProcess("enricher", self.folder, env, name=name)
        self.ending.callback(process.kill)
        process.start()
        process.wait_ready(WITHIN_S)
        return process

    def send(self, first: int, count: int) -> None:
        """Publish events of so many notes."""
        for number in range(first, first + count):
            event = self.event(f"n{number}")
            self.put(self.write(event), note_key(event.source, event.note_id).encode())
        assert self.producer.flush(30) == 0

    def put(self, value: bytes, key: bytes = b"k") -> None:
        """Publish whatever."""
        self.producer.produce(self.prefix + ENTITIES_EXTRACTED, value, key)
        self.producer.poll(0)

    def event(self, note_id: str, written_at: int = 1) -> EntitiesExtracted:
        return EntitiesExtracted(
            event_id=event_id("clinic", note_id, 1, 1, 1),
            source="clinic",
            note_id=note_id,
            revision=1,
            model=ModelRef(name="m", version="1", serial=1),
            rules_version="1",
            rules_serial=1,
            segment=Segment(city="Pune", specialty="gp"),
            patient_ref="p" * 32,
            written_at=written_at,
            accepted_at=2,
            extracted_at=3,
            note_confidence=0.9,
            entities=(
                Entity(
                    entity_id="e1",
                    label=EntityLabel.DISEASE,
                    text="T2DM",
                    start=0,
                    end=4,
                    confidence=0.9,
                    assertion=HERE,
                ),
            ),
            relations=(),
            review=Review(requested=False),
        )

    def topic(self, name: str) -> list[Any]:
        """Every record of a topic."""
        consumer = Consumer({**self.config, "group.id": f"{self.prefix}reader", "enable.auto.commit": False})
        try:
            full = self.prefix + name
            numbers = consumer.list_topics(full, timeout=10).topics[full].partitions
            extents = {one: consumer.get_watermark_offsets(TopicPartition(full, one), timeout=10) for one in numbers}
            consumer.assign([TopicPartition(full, one, low) for one, (low, _) in extents.items()])
            wanted, found = sum(high - low for low, high in extents.values()), []
            deadline = time.monotonic() + 20
            while len(found) < wanted and time.monotonic() < deadline:
                found += [one for one in consumer.consume(500, 0.2) if one.error() is None]
            return found
        finally:
            consumer.close()

    def codes(self) -> dict[str, set[tuple[int, str]]]:
        """Table serial and code of every record, by note."""
        found: dict[str, set[tuple[int, str]]] = {}
        for message in self.topic(ENTITIES_CODED):
            record = self.read(message.value())
            code = record.entities[0].codes[0].code
            found.setdefault(record.note_id, set()).add((record.table_serial, code))
        return found


@pytest.fixture
def rig(stack: Any, topic_prefix: str, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as ending:
        yield Rig(stack, topic_prefix, tmp_path, ending)


def metric(process: ServiceProcess, name: str) -> float:
    """A metric's sum over its labels."""
    lines = httpx.get(f"{process.health_url}/metrics", timeout=10).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


def test_no_event_is_lost_when_a_replica_is_killed_and_another_joins(rig: Rig, tmp_path: Path) -> None:
    table = tables(tmp_path / "old", 100, "E11.9")
    first = rig.start("first", table)
    rig.send(0, 300)
    rig.put(b"nonsense")
    until(lambda: len(rig.topic(ENTITIES_CODED)) >= 50, "the first codes")
    second = rig.start("second", table)
    rig.send(300, 300)
    first.kill()
    rig.send(600, 300)
    wanted = {f"n{number}" for number in range(900)}
    until(lambda: set(rig.codes()) >= wanted, "codes of all notes")
    assert set.union(*rig.codes().values()) == {(100, "E11.9")}
    by_key: dict[bytes, set[bytes]] = {}
    for message in rig.topic(ENTITIES_CODED):
        by_key.setdefault(message.key(), set()).add(message.value())
    assert {len(values) for values in by_key.values()} == {1}  # what came twice is the same bytes
    letters = until(lambda: rig.topic(dlq_of(ENTITIES_EXTRACTED)), "the dead letter")
    assert {dict(one.headers())[REASON] for one in letters} == {b"WRONG_MAGIC_BYTE"}
    until(lambda: metric(second, "rxtract_consumer_lag_records") == 0, "no lag")
    second.end()
    assert second.exit_code() == 0


def test_new_tables_code_history_anew_at_a_bounded_rate_and_say_so(rig: Rig, tmp_path: Path) -> None:
    old = rig.start("old", tables(tmp_path / "old", 100, "E14"))
    rig.send(0, 120)
    until(lambda: len(rig.codes()) == 120, "codes by the old table")
    began = time.monotonic()
    new = rig.start("new", tables(tmp_path / "new", 200, "E11.9"), RXTRACT_RECODE_RECORDS_PER_S="40")
    # The old replica works on beside it, as in a rollout: what it codes is coded anew as well.
    rig.send(120, 60)
    wanted = {f"n{number}" for number in range(180)}

    def newest() -> dict[str, str]:
        return {note: max(rows)[1] for note, rows in rig.codes().items()}

    until(lambda: set(newest()) == wanted and set(newest().values()) == {"E11.9"}, "all by the new table")
    assert metric(new, "rxtract_recoded_notes_total") >= 120
    assert time.monotonic() - began > 1.0  # 120 notes at 40 a second, the first batch at once
    until(lambda: metric(new, "rxtract_recode_waiting_records") == 0, "nothing left to look at")
    # The replica of the old table says that what it writes does not count.
    until(lambda: metric(old, "rxtract_table_newest_serial") == 200, "the newer serial")
    assert metric(old, "rxtract_table_serial") == 100
    assert httpx.get(f"{new.health_url}/info", timeout=10).json()["table_serial"] == 200
    records = len(rig.topic(ENTITIES_CODED))
    new.end()
    again = rig.start("again", tmp_path / "new", RXTRACT_RECODE_RECORDS_PER_S="1000")
    until(lambda: metric(again, "rxtract_recode_waiting_records") == 0, "nothing left to look at")
    assert metric(again, "rxtract_recoded_notes_total") == 0
    assert len(rig.topic(ENTITIES_CODED)) == records  # once is enough


def test_subscribers_are_given_documents_and_what_none_can_be_made_of_is_a_dead_letter(
    rig: Rig, tmp_path: Path
) -> None:
    table = tables(tmp_path / "table", 100, "E11.9")
    enricher = rig.start("documents", table, RXTRACT_FHIR_PROFILES="op-consult,prescription")
    rig.send(0, 40)
    late = rig.event("late", written_at=2**60)  # after the year 9999, which FHIR cannot write
    rig.put(rig.write(late), note_key(late.source, late.note_id).encode())
    documents = until(
        lambda: len(found := rig.topic(RECORDS_FHIR)) >= 80 and found, "a document of each kind of 40 notes"
    )
    made = [rig.read_document(one.value()) for one in documents]
    assert {(one.note_id, one.profile) for one in made} == {
        (f"n{number}", profile) for number in range(40) for profile in ("op-consult", "prescription")
    }
    assert {one.key().decode() for one in documents} == {f"clinic|n{number}" for number in range(40)}
    assert [problem for one in made for problem in check(json.loads(one.bundle))] == []
    assert all(("E11.9" in one.bundle) == (one.profile == "op-consult") for one in made)
    (letter,) = until(lambda: rig.topic(dlq_of(ENTITIES_EXTRACTED)), "the dead letter")
    assert dict(letter.headers())[REASON] == b"IMPOSSIBLE_TIME"
    until(lambda: len(rig.topic(ENTITIES_CODED)) == 41, "the codes of all notes, the late one's too")
    assert metric(enricher, "rxtract_fhir_documents_total") == 82
    before = {one.value() for one in documents}
    enricher.end()
    # The group is one that never read: all is made again, and it is the same bytes.
    again = rig.start(
        "again", table, RXTRACT_FHIR_PROFILES="op-consult,prescription", RXTRACT_GROUP_PREFIX=f"{rig.prefix}again-"
    )
    until(lambda: len(rig.topic(RECORDS_FHIR)) >= 160, "the documents once more")
    assert {one.value() for one in rig.topic(RECORDS_FHIR)} == before
    again.end()
