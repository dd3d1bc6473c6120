"""What the trainer's stack tests share: topics and a model of their own, trainers, what others publish, an eye on the events."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
import uuid
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import numpy as np
import psutil
from clinical_ner.artifact import load
from clinical_ner.notes import Label, Span
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from contracts import topics
from contracts.apply import apply_schemas, apply_topics
from contracts.identity import note_key
from contracts.records import (
    AnnotationValidated,
    DriftDetected,
    DriftDirection,
    DriftLevel,
    LabelQuality,
    ModelAction,
    ModelCommand,
    ModelEvent,
    ModelRef,
    NoteAccepted,
    Origin,
    QualityMeasured,
    StatisticsObserved,
)
from contracts.registry import ConfluentRegistry
from contracts.topics import load_topics
from contracts.wire import Deserializer, Serializer
from corpus.simulation import Shift, ShiftKind, simulate
from drift.observation import in_order
from drift.reference import references_of
from embedded_stack.services import ServiceProcess
from mlflow.tracking import MlflowClient
from model_registry.reading import ModelReader
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import OutputRecord
from rxtract.addresses import StackAddresses
from rxtract.reading import TopicReader
from sealing.codec import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from contracts.record import Record
    from corpus.simulation import SyntheticNote
    from sealing import PatientKeys

SMALL = {
    "RXTRACT_CORPUS": '{"seed": 20, "notes": 500, "gold_seed": 21, "gold_notes": 150}',
    "RXTRACT_TRAINING": '{"averaged_fits": 1, "calibration_folds": 2, "passes": 8, "rescore": false}',
    "RXTRACT_GATE": '{"margin": 0.05, "resamples": 200, "floors": {"DISEASE": 0.2, "TREATMENT": 0.2}, "min_speed_ratio": 0.2}',
    "RXTRACT_SEED": "0",
    "RXTRACT_LEASE_S": "3",
    "RXTRACT_RETRAIN_AFTER_ANNOTATIONS": "0",
}


MOVED = Shift(ShiftKind.NEW_DISEASES)
DRIFT_GATE = (
    '{"margin": 0.9, "resamples": 200, "floors": {"DISEASE": 0.05, "TREATMENT": 0.05}, "min_speed_ratio": 0.01, '
    '"min_recent_notes": 10, "recent_share": 0.25, "gold_share": 0.25, "min_gold_mentions": 20}'
)


class Rig:
    """Topics, trainers and an eye on the events of one model that no other test has."""

    def __init__(self, stack, prefix: str, folder: Path, ending: ExitStack) -> None:
        self.addresses = stack.addresses
        self.prefix = prefix
        self.model = f"test-{uuid.uuid4().hex[:10]}"
        self._folder = folder
        self._ending = ending
        config = {"bootstrap.servers": self.addresses.bootstrap_servers}
        wanted = load_topics()
        apply_topics(config, wanted, prefix=prefix)
        self._registry = registry = ConfluentRegistry(self.addresses.schema_registry_url)
        self._writers: dict[str, Callable[[Any], bytes]] = {}
        self.keys: PatientKeys | None = None
        """Of patients, by which labels are sealed before they are published."""
        apply_schemas(registry, prefix=prefix)
        self._command = Serializer.for_topic(ModelCommand, registry, f"{prefix}model.commands.v1")
        self._event = Deserializer.for_topic(ModelEvent, registry, f"{prefix}model.events.v1")
        self._admin = AdminClient(config)
        self._producer = DeliveryProducer(config)
        self._consumer = Consumer({**config, "group.id": "unused", "enable.auto.commit": False})
        ending.callback(self._consumer.close)
        self._consumer.assign([TopicPartition(f"{prefix}model.events.v1", 0, 0)])
        self.events: list[ModelEvent] = []
        key = folder / "roles.key"
        key.write_bytes(b"k" * 32)
        self._env = {
            **self.addresses.as_environment(),
            **SMALL,
            "RXTRACT_TOPIC_PREFIX": prefix,
            "RXTRACT_GROUP_PREFIX": prefix,
            "RXTRACT_MODEL_NAME": self.model,
            "RXTRACT_ROLES_KEY_FILE": str(key),
        }
        self.mlflow = MlflowClient(self.addresses.mlflow_url)

    def trainer(self, name: str = "trainer", module: str = "trainer", **env: str) -> ServiceProcess:
        service = ServiceProcess(module, self._folder, {**self._env, **env}, name=name)
        self._ending.callback(service.kill)
        service.start()
        return service

    def order(self, action: ModelAction, times: int = 1, **more: object) -> str:
        fields = {"reason": "operator", "command_id": str(uuid.uuid4()), "model_name": self.model, **more}
        command = ModelCommand(action=action, requested_by="test", requested_at=int(time.time() * 1000), **fields)
        topic = f"{self.prefix}model.commands.v1"
        value = self._command(command)
        self._producer.send([OutputRecord(topic, self.model.encode(), value)] * times).wait(10)
        return command.command_id

    def measured(self, event: ModelEvent, f1: float) -> None:
        """Publish what a scorekeeper measures of the version that an event is about."""
        row = LabelQuality(
            label="ALL", precision=f1, recall=f1, f1=f1, f1_low=f1 - 0.02, f1_high=f1 + 0.02, support=400
        )
        measured = QualityMeasured(
            measurement_id=str(uuid.uuid4()),
            model=ModelRef(name=self.model, version=str(event.model_version), serial=event.serial or 0),
            segment="all",
            window_start=0,
            window_end=1,
            notes=200,
            labels=(row,),
            measured_at=1,
        )
        registry = ConfluentRegistry(self.addresses.schema_registry_url)
        topic = f"{self.prefix}quality.measured.v1"
        value = Serializer.for_topic(QualityMeasured, registry, topic)(measured)
        self._producer.send([OutputRecord(topic, self.model.encode(), value)]).wait(10)

    def recovered(self, segment: str, version: str | None) -> None:
        """Publish what the drift-watcher says when a segment is as it was."""
        now = int(time.time() * 1000)
        event = DriftDetected(
            episode_id=str(uuid.uuid4()),
            segment=segment,
            level=DriftLevel.RECOVERED,
            direction=DriftDirection.BETTER,
            statistics=(),
            evidence="back where it was",
            model=ModelRef(name=self.model, version=str(version), serial=1),
            source_partition=0,
            source_offset=1,
            detected_at=now,
            began_at=now,
        )
        self.publish(topics.DRIFT_DETECTED, segment, event)

    def accepted(self, count: int, seed: int = 9, origin: Origin = Origin.LIVE) -> list[str]:
        """Publish accepted notes, as an ingestor or `rxtract reextract` does; gives their texts."""
        notes = [replace(_accepted(note), origin=origin) for note in simulate(seed, count)]
        topic = f"{self.prefix}{topics.NOTES_ACCEPTED}"
        write = Serializer.for_topic(NoteAccepted, ConfluentRegistry(self.addresses.schema_registry_url), topic)
        self._producer.send(
            [OutputRecord(topic, note_key(note.source, note.note_id).encode(), write(note)) for note in notes]
        ).wait(10)
        return [note.text for note in notes]

    def ordered(self, reason: str) -> list[ModelCommand]:
        """The commands that were given for a reason."""
        known = self.addresses
        reader = TopicReader(
            StackAddresses(known.bootstrap_servers, known.schema_registry_url, topic_prefix=self.prefix)
        )
        found = [seen.record for seen in reader.read([f"{self.prefix}{topics.MODEL_COMMANDS}"])]
        return [one for one in found if one.reason == reason]

    def annotated(
        self, cities: Sequence[str], count: int, shift: Shift | None = MOVED, seed: int = 7, *, teaching: bool = True
    ) -> None:
        """Publish what validators say of so many notes of the moved language, spread over the cities.

        Without `teaching` each note gets the spans of another one, of which nobody can learn anything.
        """
        notes = list(simulate(seed, count, shift=shift))
        for number, note in enumerate(notes):
            spans = note.truth.spans if teaching else _within(note.text, notes[number - 1].truth.spans)
            word = _word(note, spans, cities[number % len(cities)])
            self.publish(topics.ANNOTATIONS_VALIDATED, note_key(note.source, note.note_id), word)

    def labelled(self, patient: str, *texts: str) -> None:
        """Publish what a validator says of one patient's notes: the first word of each is a disease."""
        for number, text in enumerate(texts):
            [note] = simulate(100 + number, 1)
            mine = replace(note, note_id=f"{patient}-{number}", text=text, patient_ref=patient)
            word = _word(mine, [Span(0, len(text.split()[0]), Label.DISEASE)], "Pune")
            self.publish(topics.ANNOTATIONS_VALIDATED, note_key(note.source, note.note_id), word)

    def tagged(self, by: ModelEvent, first: int, count: int, off: float = 0.0) -> None:
        """Publish what an extractor measures on its notes: as in the model's training, the confidence so many sds lower."""
        models = ModelReader(self.addresses.mlflow_url, 10)
        version = models.by_version(self.model, str(by.model_version))
        assert version is not None
        known = references_of(load(models.tables(version), version.sha256).metadata)
        model = ModelRef(name=self.model, version=version.version, serial=by.serial or 0)
        random = np.random.default_rng(first)
        for block in range(first, first + count):
            means = {name: one.mean + 0.2 * one.sd * random.normal() for name, one in known.items()}
            means["confidence"] -= off * known["confidence"].sd
            record = StatisticsObserved(
                segment="all",
                model=model,
                note_partition=0,
                first_offset=25 * block,
                last_offset=25 * block + 24,
                observed_at=int(time.time() * 1000),
                n=25,
                statistics=(),
                sums=in_order({name: (25.0, 25 * mean, 25 * mean * mean) for name, mean in means.items()}),
            )
            self.publish(topics.STATISTICS_OBSERVED, "all", record)

    def publish(self, name: str, key: str, *records: Record) -> None:
        topic = f"{self.prefix}{name}"
        if topic not in self._writers:  # a registry's client for each of hundreds of records takes minutes
            self._writers[topic] = writing(Serializer.for_topic(type(records[0]), self._registry, topic), self.keys)
        write = self._writers[topic]
        self._producer.send([OutputRecord(topic, key.encode(), write(one)) for one in records]).wait(10)

    def until(self, holds: Callable[[list[ModelEvent]], bool], seconds: float = 300) -> list[ModelEvent]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self._consumer.poll(0.2)
            if message is not None and message.error() is None:
                self.events.append(self._event(message.value()))
            if holds(self.events):
                return self.events
        raise AssertionError(f"not within {seconds} s; seen {[one.kind.value for one in self.events[-20:]]}")

    def first_model(self) -> ModelEvent:
        return next(one for one in self.until(lambda seen: kinds(seen, "PROMOTED")) if one.kind.value == "PROMOTED")

    def members(self) -> set[str]:
        """Who is in the trainers' group."""
        group = f"{self.prefix}rxtract-trainer"
        return {one.member_id for one in self._admin.describe_consumer_groups([group])[group].result(10).members}

    def report(self, version: str) -> str:
        """The gate's report of a version, as MLflow keeps it."""
        return str(self.mlflow.get_model_version(self.model, version).description)

    def versions(self) -> list[str]:
        return [str(one.version) for one in self.mlflow.search_model_versions(f"name='{self.model}'")]

    def alias(self, name: str) -> str | None:
        found = self.mlflow.get_registered_model(self.model).aliases.get(name)
        return None if found is None else str(found)


class Door:
    """A way to a server that can be shut: connections are cut and new ones refused."""

    def __init__(self, url: str) -> None:
        self._target = (urlsplit(url).hostname, urlsplit(url).port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._through: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()

    def shut(self) -> None:
        for one in (self._listener, *self._through):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._through.clear()

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                self._through += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def _within(text: str, spans: Iterable[Span]) -> list[Span]:
    return [span for span in spans if span.end <= len(text)]


def _word(note: SyntheticNote, spans: Iterable[Span], city: str) -> AnnotationValidated:
    entities = [
        {
            "entity_id": f"e{place}",
            "label": str(span.label),
            "text": note.text[span.start : span.end],
            "start": span.start,
            "end": span.end,
            "confidence": 1.0,
        }
        for place, span in enumerate(spans)
    ]
    return AnnotationValidated.from_dict(
        {
            "annotation_id": str(uuid.uuid4()), "source": note.source, "note_id": note.note_id, "revision": 1, "text": note.text,
            "segment": {"city": city, "specialty": note.specialty}, "patient_ref": note.patient_ref,
            "doctor_ref": note.doctor_ref, "written_at": note.written_at, "predicted_entities": [],
            "predicted_relations": [], "entities": entities, "relations": [], "sample": "DRIFT",
            "predictions_shown": True, "outcome": "CORRECTED", "annotator": "v1", "sequence": 1,
            "changes": {"kept": 0, "added": 0, "removed": 0, "moved": 0, "relabelled": 0},
            "seconds_spent": 1.0, "annotated_at": int(time.time() * 1000),
        }
    )  # fmt: skip


def _accepted(note: SyntheticNote) -> NoteAccepted:
    return NoteAccepted(
        source=note.source,
        note_id=note.note_id,
        revision=1,
        prescription_ref="p" * 32,
        patient_ref="q" * 32,
        doctor_ref="d" * 32,
        city=note.city,
        specialty=note.specialty,
        written_at=note.written_at,
        text=note.text,
        accepted_at=note.written_at,
    )


def kinds(events: list[ModelEvent], *wanted: str) -> list[ModelEvent]:
    return [one for one in events if one.kind.value in wanted]


def ended(events: list[ModelEvent], command_id: str) -> list[ModelEvent]:
    ends = {"PROMOTED", "REJECTED", "ROLLED_BACK", "TRAINING_FAILED", "MERGED_INTO"}
    return [one for one in events if one.command_id == command_id and one.kind.value in ends]


def children(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def metric(trainer: ServiceProcess, name: str) -> float:
    """A metric by its name and labels; 0 while it is not there."""
    if not trainer.metrics_url:
        return 0.0
    try:
        with urllib.request.urlopen(trainer.metrics_url, timeout=5) as answer:  # noqa: S310 - our own health server
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), 0.0)
