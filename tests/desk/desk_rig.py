"""A review desk as a process between real servers, on topics of its own."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

import httpx
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from contracts.apply import apply_schemas, apply_topics
from contracts.identity import annotation_id, event_id, note_key
from contracts.records import (
    AccessLogged,
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
    ReviewRequested,
    Sample,
    Segment,
)
from contracts.registry import ConfluentRegistry
from contracts.topics import (
    ACCESS_LOGGED,
    ANNOTATIONS_VALIDATED,
    ANNOTATORS_JUDGED,
    DESK_CHANGED,
    DRIFT_DETECTED,
    DRIFT_WORDS,
    MODEL_EVENTS,
    REVIEW_REQUESTED,
    load_topics,
    prefixed,
)
from contracts.wire import Deserializer, Serializer
from redis import Redis
from runtime.service.secret_files import hash_token

TEXT = "Pt 😀 has type 2 diabetes; start metformin. zebra-quartz-canary"
SOURCE = "clinic-app"
TOPICS = (
    ACCESS_LOGGED,
    REVIEW_REQUESTED,
    ANNOTATIONS_VALIDATED,
    ANNOTATORS_JUDGED,
    DRIFT_DETECTED,
    DRIFT_WORDS,
    MODEL_EVENTS,
    DESK_CHANGED,
)


@dataclass(frozen=True)
class Asked:
    """A note to review: its text and what the model found, as (words, label, confidence)."""

    text: str = TEXT
    found: Sequence[tuple[str, str, float]] = (("metformin", "TREATMENT", 0.8),)
    sample: Sample = Sample.UNCERTAIN
    revision: int = 1
    note_id: str = ""
    source: str = SOURCE
    relations: Sequence[Relation] = ()
    sealed: bytes | None = None
    assertions: Sequence[Assertion] = ()
    prescriptions: Mapping[int, Prescription] = field(default_factory=dict)


def assertion(
    status: str = "PRESENT", time: str = "CURRENT", whose: str = "PATIENT", cue: tuple[int, int] = (-1, -1)
) -> Assertion:
    """What rules say of an entity."""
    return Assertion(
        status=AssertionStatus[status],
        time=AssertionTime[time],
        experiencer=Experiencer[whose],
        cue_start=cue[0],
        cue_end=cue[1],
    )


def span(word: str, label: str, text: str = TEXT) -> dict[str, object]:
    start = text.index(word)
    return {"start": start, "end": start + len(word), "label": label}


class Rig:
    """A running desk on its own topics."""

    def __init__(self, stack, folder: Path, **more: str) -> None:
        self.stack = stack
        self.folder = folder
        self.prefix = f"t{uuid.uuid4().hex[:10]}."
        self.servers = stack.addresses.bootstrap_servers
        registry = ConfluentRegistry(stack.addresses.schema_registry_url)
        topics = {name: topic for name, topic in load_topics().items() if name in TOPICS}
        apply_topics({"bootstrap.servers": self.servers}, topics, self.prefix)
        apply_schemas(registry, self.prefix, topics)
        self.requests = prefixed(self.prefix, REVIEW_REQUESTED)
        self.annotations = prefixed(self.prefix, ANNOTATIONS_VALIDATED)
        self.write = Serializer.for_topic(ReviewRequested, registry, self.requests)
        self.decode = Deserializer.for_topic(AnnotationValidated, registry, self.annotations)
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
        self.process = self.start(**more)

    def start(self, within_s: float = 120, **more: str) -> subprocess.Popen[bytes]:
        own = {
            "TOPIC_PREFIX": self.prefix,
            "DESK_KEY_FILE": str(self.folder / "key"),
            "PSEUDONYM_KEY_FILE": str(self.folder / "key"),
            "DESK_TOKENS_FILE": str(self.folder / "tokens"),
            "DESK_PORT_FILE": str(self.folder / "http.port"),
            "HEALTH_PORT_FILE": str(self.folder / "health.port"),
            "DESK_DOUBLE_SHARE": "0",
            "DESK_CHECK_SHARE": "0",
            "DESK_WATCH": "false",
            **more,
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RXTRACT_")}
        environment = clean | self.stack.addresses.as_environment() | {f"RXTRACT_{k}": v for k, v in own.items()}
        (self.folder / "health.port").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "review_desk"], env=environment, stderr=log, stdout=log)
        try:
            until(lambda: self._ready(process), within_s)
        except BaseException:
            process.kill()  # nobody else knows of it
            raise
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

    def remove(self) -> None:
        """End the desk and delete its topics: a broker of a long test run chokes on hundreds of idle partitions."""
        self.end()
        admin = AdminClient({"bootstrap.servers": self.servers})
        mine = [name for name in admin.list_topics(timeout=20).topics if name.startswith(self.prefix)]
        for deleted in admin.delete_topics(mine, request_timeout=20).values():
            deleted.exception(30)

    @property
    def url(self) -> str:
        port = (self.folder / "http.port").read_text().strip()
        return f"http://127.0.0.1:{port}"

    def client(self, name: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer token-{name}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20)

    def ask(self, count: int, sample: Sample = Sample.UNCERTAIN, revision: int = 1) -> list[str]:
        return self.ask_for([Asked(sample=sample, revision=revision)] * count)

    def ask_for(self, asked: Sequence[Asked]) -> list[str]:
        """Put notes into the queue, the first one least sure of all. A desk that runs has them all when this ends."""
        producer = Producer(
            {"bootstrap.servers": self.servers, "partitioner": "murmur2_random", "message.max.bytes": 10_000_000}
        )
        notes = [one.note_id or f"note-{uuid.uuid4().hex[:12]}" for one in asked]
        for place, (note_id, one) in enumerate(zip(notes, asked, strict=True)):
            value = self.write(request(note_id, place, len(asked), one))
            while True:
                try:
                    producer.produce(self.requests, value, note_key(one.source, note_id).encode())
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(60) == 0
        if self.process.poll() is None:
            tasks = {
                self.key("task", note, one.source) for note, one in zip(notes, asked, strict=True) if not one.sealed
            }
            until(lambda: not tasks or self.redis.exists(*tasks) == len(tasks), 60)
        return notes

    def key(self, kind: str, note_id: str, source: str = SOURCE) -> str:
        """What Redis calls a thing of a note."""
        return f"{self.prefix}rxtract:desk:{kind}:{note_key(source, note_id)}"

    def shown(self) -> list[AccessLogged]:
        """All of the access log."""
        registry = ConfluentRegistry(self.stack.addresses.schema_registry_url)
        topic = prefixed(self.prefix, ACCESS_LOGGED)
        read = Deserializer.for_topic(AccessLogged, registry, topic)
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "t", "enable.auto.commit": False})
        numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = {one: consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=10)[1] for one in numbers}
        consumer.assign([TopicPartition(topic, one, 0) for one in numbers])
        found = []
        deadline = time.monotonic() + 30
        while len(found) < sum(ends.values()):
            assert time.monotonic() < deadline, "the access log was not read"
            message = consumer.poll(1)
            if message is not None and message.error() is None:
                found.append(read(message.value()))
        consumer.close()
        return found

    def say(self, like: AnnotationValidated, at_ms: Mapping[str, int]) -> None:
        """Put words like this one on the topic, by note and when it was said."""
        registry = ConfluentRegistry(self.stack.addresses.schema_registry_url)
        write = Serializer.for_topic(AnnotationValidated, registry, self.annotations)
        producer = Producer({"bootstrap.servers": self.servers, "partitioner": "murmur2_random"})
        for note_id, at in at_ms.items():
            word_id = annotation_id(like.source, note_id, like.revision, like.annotator, like.sequence)
            word = replace(like, note_id=note_id, annotation_id=word_id, annotated_at=at)
            producer.produce(self.annotations, write(word), note_key(like.source, note_id).encode(), timestamp=at)
        assert producer.flush(60) == 0

    def said(self) -> list[AnnotationValidated]:
        return [self.decode(message.value()) for message in self._all_of(self.annotations, 12)]

    def dead(self) -> list:
        """The dead letters of requests."""
        return self._all_of(f"{self.requests}.dlq", 1)

    def _all_of(self, topic: str, partitions: int) -> list:
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "test", "enable.auto.commit": False})
        found: list = []
        places = [TopicPartition(topic, number, 0) for number in range(partitions)]
        ends = sum(consumer.get_watermark_offsets(place)[1] for place in places)
        consumer.assign(places)
        deadline = time.monotonic() + 20
        while len(found) < ends and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append(message)
        consumer.close()
        return found

    def wipe(self) -> None:
        keys = list(self.redis.scan_iter(f"{self.prefix}rxtract:desk:*"))
        assert keys
        self.redis.delete(*keys)


def request(note_id: str, place: int, count: int, asked: Asked) -> ReviewRequested:
    entities = []
    for number, (words, label, confidence) in enumerate(asked.found, start=1):
        mark = span(words, label, asked.text)
        entities.append(
            Entity(
                entity_id=f"e{number}",
                label=EntityLabel[label],
                text=words,
                start=mark["start"],
                end=mark["end"],
                confidence=confidence,
                assertion=asked.assertions[number - 1] if asked.assertions else None,
                prescription=asked.prescriptions.get(number),
            )
        )
    return ReviewRequested(
        source=asked.source,
        note_id=note_id,
        revision=asked.revision,
        event_id=event_id(asked.source, note_id, asked.revision, 1, 3),
        text="" if asked.sealed else asked.text,
        sealed=asked.sealed,
        segment=Segment(city="Pune", specialty="general"),
        model=ModelRef(name="rxtract-ner", version="1", serial=1),
        rules_version="rules-3",
        rules_serial=3,
        entities=tuple(entities),
        relations=tuple(asked.relations),
        note_confidence=(place + 1) / (count + 1),
        sample=asked.sample,
        inclusion_probability=1.0,
        show_predictions=asked.sample is not Sample.AUDIT,
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
    return client.post(action_on(task["note_id"], task["revision"], "decision", task["source"]), json=body)


def action_on(note_id: str, revision: int, action: str, source: str = SOURCE) -> str:
    """Where an action is sent; an id may be anything, so all of it is one segment of the path."""
    return f"/api/tasks/{source}/" + quote(f"{note_id}/{revision}/{action}", safe="")


class StallingProxy:
    """Stands between the desk and Redis, and passes nothing on from the first command on that matches a pattern."""

    def __init__(self, redis_url: str, pattern: bytes) -> None:
        target = urlsplit(redis_url)
        self._target = (target.hostname, target.port)
        self._pattern = re.compile(pattern)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._server]
        self.url = target._replace(netloc=f"127.0.0.1:{self._server.getsockname()[1]}").geturl()
        self.stalled = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, watched: bool) -> None:  # noqa: FBT001
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                if watched and self._pattern.search(data):
                    self.stalled.set()
                if self.stalled.is_set():
                    return
                sink.sendall(data)
