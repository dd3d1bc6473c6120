"""The review desk as a process between real servers: requests in, annotations out, with its servers wiped and itself killed."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from contracts.apply import apply_schemas, apply_topics
from contracts.files import schema_text
from contracts.identity import event_id
from contracts.records import (
    AnnotationOutcome,
    AnnotationValidated,
    Entity,
    EntityLabel,
    ModelRef,
    ReviewRequested,
    Sample,
    Segment,
)
from contracts.registry import ConfluentRegistry, WriterSchemas
from contracts.topics import (
    ANNOTATIONS_VALIDATED,
    DRIFT_DETECTED,
    MODEL_EVENTS,
    REVIEW_REQUESTED,
    load_topics,
    prefixed,
    subject_of,
)
from contracts.wire import Deserializer, Serializer
from redis import Redis
from review_desk.adapters.people import hash_token

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

TEXT = "Pt 😀 has type 2 diabetes; start metformin. zebra-quartz-canary"
TOPICS = (REVIEW_REQUESTED, ANNOTATIONS_VALIDATED, DRIFT_DETECTED, MODEL_EVENTS)


def span(word: str, label: str) -> dict[str, object]:
    start = TEXT.index(word)
    return {"start": start, "end": start + len(word), "label": label}


class Rig:
    """A running desk on its own topics."""

    def __init__(self, stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.prefix = f"t{uuid.uuid4().hex[:10]}."
        self.servers = stack.addresses.bootstrap_servers
        registry = ConfluentRegistry(stack.addresses.schema_registry_url)
        topics = {name: topic for name, topic in load_topics().items() if name in TOPICS}
        apply_topics({"bootstrap.servers": self.servers}, topics, self.prefix)
        apply_schemas(registry, self.prefix)
        self.requests = prefixed(self.prefix, REVIEW_REQUESTED)
        self.annotations = prefixed(self.prefix, ANNOTATIONS_VALIDATED)
        schema_id = registry.lookup(subject_of(self.requests), schema_text("ReviewRequested"))
        self.write = Serializer(ReviewRequested, schema_id)
        self.decode = Deserializer(AnnotationValidated, WriterSchemas(registry, subject_of(self.annotations)))
        self.redis = Redis.from_url(stack.addresses.redis_url, decode_responses=True)
        self.log = folder / "desk.log"
        (folder / "key").write_bytes(b"k" * 40)
        people = [
            ("anna", "validator"),
            ("ben", "validator"),
            ("lea", "lead"),
            *((f"v{n}", "validator") for n in range(8)),
        ]
        lines = [f"{name}:{role}:{hash_token('token-' + name)}" for name, role in people]
        (folder / "tokens").write_text("\n".join(lines))
        self.process = self.start()

    def start(self, **more: str) -> subprocess.Popen[bytes]:
        own = {
            "TOPIC_PREFIX": self.prefix,
            "DESK_KEY_FILE": str(self.folder / "key"),
            "DESK_TOKENS_FILE": str(self.folder / "tokens"),
            "DESK_PORT_FILE": str(self.folder / "http.port"),
            "HEALTH_PORT_FILE": str(self.folder / "health.port"),
            "DESK_DOUBLE_SHARE": "0",
            **more,
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RXTRACT_")}
        environment = clean | self.stack.addresses.as_environment() | {f"RXTRACT_{k}": v for k, v in own.items()}
        (self.folder / "health.port").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "review_desk"], env=environment, stderr=log, stdout=log)
        until(lambda: self._ready(process), 60)
        return process

    def _ready(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, self.log.read_text()
        try:
            port = (self.folder / "health.port").read_text().strip()
            return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=2).status_code == 200
        except (httpx.HTTPError, FileNotFoundError):
            return False

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def client(self, name: str) -> httpx.Client:
        port = (self.folder / "http.port").read_text().strip()
        headers = {"Authorization": f"Bearer token-{name}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20)

    def ask(self, count: int, sample: Sample = Sample.UNCERTAIN, revision: int = 1) -> list[str]:
        producer = Producer({"bootstrap.servers": self.servers, "partitioner": "murmur2_random"})
        notes = [f"note-{uuid.uuid4().hex[:12]}" for _ in range(count)]
        for place, note_id in enumerate(notes):
            producer.produce(
                self.requests, self.write(request(note_id, place, count, sample, revision)), note_id.encode()
            )
        assert producer.flush(30) == 0
        return notes

    def said(self) -> list[AnnotationValidated]:
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "test", "enable.auto.commit": False})
        found, ends = [], 0
        places = [TopicPartition(self.annotations, number, 0) for number in range(12)]
        ends = sum(consumer.get_watermark_offsets(place)[1] for place in places)
        consumer.assign(places)
        deadline = time.monotonic() + 20
        while len(found) < ends and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append(self.decode(message.value()))
        consumer.close()
        return found

    def wipe(self) -> None:
        keys = list(self.redis.scan_iter(f"{self.prefix}rxtract:desk:*"))
        assert keys
        self.redis.delete(*keys)


def request(note_id: str, place: int, count: int, sample: Sample, revision: int) -> ReviewRequested:
    mark = span("metformin", "TREATMENT")
    found = Entity(
        entity_id="e1",
        label=EntityLabel.TREATMENT,
        text="metformin",
        start=mark["start"],
        end=mark["end"],
        confidence=0.8,
    )
    return ReviewRequested(
        note_id=note_id,
        revision=revision,
        event_id=event_id(note_id, revision, "1"),
        text=TEXT,
        segment=Segment(city="Pune", specialty="general"),
        model=ModelRef(name="rxtract-ner", version="1", serial=1),
        entities=(found,),
        treatment_pairs=(),
        note_confidence=(place + 1) / (count + 1),
        sample=sample,
        inclusion_probability=1.0,
        show_predictions=sample is not Sample.AUDIT,
        patient_ref="p",
        doctor_ref="d",
        requested_at=1_700_000_000_000 + place,
        written_at=1_700_000_000_000,
    )


def until(condition: Callable[[], object], seconds: float) -> object:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("not within the time")


def next_of(client: httpx.Client, seconds: float = 20) -> dict[str, object]:
    return until(lambda: (r := client.get("/api/next")).status_code == 200 and r.json(), seconds)


def decide(client: httpx.Client, task, entities, **more) -> httpx.Response:
    body = {"lease": task["lease"], "entities": entities, "seconds_spent": 2.5, **more}
    return client.post(f"/api/tasks/{task['note_id']}/{task['revision']}/decision", json=body)


@pytest.fixture
def rig(stack, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(stack, tmp_path)
    yield rig
    rig.end()


def test_a_correction_becomes_an_event_and_the_note_is_finished(rig: Rig) -> None:
    notes = rig.ask(2)
    anna = rig.client("anna")
    until(lambda: anna.get("/api/queue").json()["waiting"]["open"] == 2, 20)
    task = next_of(anna)
    assert task["note_id"] == notes[0]  # the least sure one first
    assert task["text"] == TEXT
    right = [span("type 2 diabetes", "DISEASE"), span("metformin", "TREATMENT")]
    pairs = [
        {"treatment": {k: right[1][k] for k in ("start", "end")}, "disease": {k: right[0][k] for k in ("start", "end")}}
    ]
    answer = decide(anna, task, right, pairs=pairs)
    assert answer.status_code == 200, answer.text
    again = decide(anna, task, right, pairs=pairs, sequence=1)
    assert again.json() == answer.json()
    event = rig.said()[0]
    assert len(rig.said()) == 1
    assert event.outcome is AnnotationOutcome.CORRECTED
    assert [entity.text for entity in event.entities] == ["type 2 diabetes", "metformin"]
    assert (event.changes.kept, event.changes.added) == (1, 1)
    assert event.treatment_pairs[0].treatment_id == "e2"
    assert event.annotator.startswith("v-")
    assert "anna" not in event.annotator
    assert next_of(anna)["note_id"] == notes[1]
    assert "zebra-quartz-canary" not in rig.log.read_text()
    assert notes[0] not in rig.log.read_text()
    views = [json.loads(line) for line in rig.log.read_text().splitlines() if '"action": "view"' in line]
    assert views


def test_a_wiped_redis_is_rebuilt_and_finished_notes_stay_finished(rig: Rig) -> None:
    notes = rig.ask(3)
    anna = rig.client("anna")
    until(lambda: anna.get("/api/queue").json()["waiting"]["open"] == 3, 20)
    first = next_of(anna)
    assert decide(anna, first, []).status_code == 200
    second = next_of(anna)
    rig.wipe()
    answer = until(lambda: (r := decide(anna, second, [])).status_code != 503 and r, 30)
    assert answer.status_code == 200, answer.text
    assert next_of(anna)["note_id"] == notes[2]
    assert {event.note_id for event in rig.said()} == set(notes[:2])


def test_a_desk_killed_before_a_correction_takes_it_after_its_restart(rig: Rig) -> None:
    notes = rig.ask(1)
    task = next_of(rig.client("anna"))
    rig.process.send_signal(signal.SIGKILL)
    rig.process.wait(10)
    with pytest.raises(httpx.HTTPError):
        decide(rig.client("anna"), task, [])
    rig.process = rig.start()
    answer = until(lambda: (r := decide(rig.client("anna"), task, [])).status_code != 503 and r, 30)
    assert answer.status_code == 200, answer.text
    assert [event.note_id for event in rig.said()] == notes


def test_an_audit_note_is_blind_and_cannot_be_skipped_away(rig: Rig) -> None:
    notes = rig.ask(1, Sample.AUDIT)
    anna, ben = rig.client("anna"), rig.client("ben")
    task = next_of(anna)
    assert task["entities"] == []
    assert task["note_confidence"] is None
    skipped = anna.post(f"/api/tasks/{notes[0]}/1/skip", json={"lease": task["lease"]})
    assert skipped.status_code == 200
    assert anna.get("/api/next").status_code == 204
    assert next_of(ben)["note_id"] == notes[0]


def test_ten_people_never_hold_one_note(rig: Rig) -> None:
    notes = rig.ask(100)
    anna = rig.client("anna")
    until(lambda: anna.get("/api/queue").json()["waiting"]["open"] == 100, 20)

    def work(name: str) -> list[str]:
        client, seen = rig.client(name), []
        while (found := client.get("/api/next")).status_code == 200:
            task = found.json()
            assert decide(client, task, []).status_code == 200
            seen.append(task["note_id"])
        return seen

    with ThreadPoolExecutor(10) as pool:
        seen = [note for mine in pool.map(work, ["anna", "ben", *(f"v{n}" for n in range(8))]) for note in mine]
    assert sorted(seen) == sorted(notes)
    assert sorted(event.note_id for event in rig.said()) == sorted(notes)
