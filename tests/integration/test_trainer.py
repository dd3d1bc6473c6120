"""The trainer on real Kafka, registry, Redis and MLflow: one model for one order, whoever dies and however often it is told."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import psutil
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from contracts import topics
from contracts.apply import apply_schemas, apply_topics
from contracts.records import (
    AnnotationValidated,
    DriftDetected,
    DriftDirection,
    DriftLevel,
    LabelQuality,
    ModelAction,
    ModelCommand,
    ModelEvent,
    ModelEventKind,
    ModelRef,
    QualityMeasured,
)
from contracts.registry import ConfluentRegistry
from contracts.topics import load_topics
from contracts.wire import Deserializer, Serializer
from corpus import generate
from corpus.loaders_jsonl import dump_jsonl
from corpus.simulation import Shift, ShiftKind, simulate
from embedded_stack.addresses import write_stack_json
from embedded_stack.services import ServiceProcess
from mlflow.tracking import MlflowClient
from runtime.delivery import DeliveryProducer
from runtime.records import OutputRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from contracts.record import Record
    from corpus.simulation import SyntheticNote

MAX_SILENCE_S = 6.0  # as in slow_trainer

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

SMALL = {
    "RXTRACT_CORPUS": '{"seed": 20, "notes": 500, "gold_seed": 21, "gold_notes": 150}',
    "RXTRACT_TRAINING": '{"averaged_fits": 1, "calibration_folds": 2, "max_iterations": 30}',
    "RXTRACT_GATE": '{"margin": 0.05, "resamples": 200, "floors": {"DISEASE": 0.2, "TREATMENT": 0.2}, "min_speed_ratio": 0.2}',
    "RXTRACT_LEASE_S": "3",
    "RXTRACT_RETRAIN_AFTER_ANNOTATIONS": "0",
}


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
        registry = ConfluentRegistry(self.addresses.schema_registry_url)
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

    def annotated(self, cities: Sequence[str], count: int) -> None:
        """Publish what validators say of so many notes of the moved language, spread over the cities."""
        for number, note in enumerate(simulate(7, count, shift=Shift(ShiftKind.NEW_DISEASES))):
            city = cities[number % len(cities)]
            self.publish(topics.ANNOTATIONS_VALIDATED, note.note_id, _word(number, note, city))

    def publish(self, name: str, key: str, *records: Record) -> None:
        topic = f"{self.prefix}{name}"
        registry = ConfluentRegistry(self.addresses.schema_registry_url)
        for record in records:
            value = Serializer.for_topic(type(record), registry, topic)(record)
            self._producer.send([OutputRecord(topic, key.encode(), value)]).wait(10)

    def until(self, holds: Callable[[list[ModelEvent]], bool], seconds: float = 90) -> list[ModelEvent]:
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


def _word(number: int, note: SyntheticNote, city: str) -> AnnotationValidated:
    entities = [
        {
            "entity_id": f"e{place}",
            "label": str(span.label),
            "text": note.text[span.start : span.end],
            "start": span.start,
            "end": span.end,
            "confidence": 1.0,
        }
        for place, span in enumerate(note.truth.spans)
    ]
    return AnnotationValidated.from_dict(
        {
            "annotation_id": str(uuid.uuid4()), "note_id": note.note_id, "revision": 1, "text": note.text,
            "segment": {"city": city, "specialty": note.specialty}, "patient_ref": note.patient_ref,
            "doctor_ref": note.doctor_ref, "written_at": note.written_at, "predicted_entities": [],
            "predicted_pairs": [], "entities": entities, "treatment_pairs": [], "sample": "DRIFT",
            "predictions_shown": True, "outcome": "CORRECTED", "annotator": "v1", "sequence": 1,
            "changes": {"kept": 0, "added": 0, "removed": 0, "moved": 0, "relabelled": 0},
            "seconds_spent": 1.0, "annotated_at": number,
        }
    )  # fmt: skip


def kinds(events: list[ModelEvent], *wanted: str) -> list[ModelEvent]:
    return [one for one in events if one.kind.value in wanted]


def ended(events: list[ModelEvent], command_id: str) -> list[ModelEvent]:
    ends = {"PROMOTED", "REJECTED", "ROLLED_BACK", "TRAINING_FAILED", "MERGED_INTO"}
    return [one for one in events if one.command_id == command_id and one.kind.value in ends]


@pytest.fixture
def rig(stack, topic_prefix: str, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as ending:
        yield Rig(stack, topic_prefix, tmp_path, ending)


def test_the_first_model_is_trained_once_by_two_trainers_and_can_be_rolled_back_to(rig: Rig) -> None:
    rig.trainer("one")
    rig.trainer("two")
    first = rig.first_model()
    assert rig.versions() == [first.model_version]
    assert rig.alias("champion") == first.model_version
    assert any("floor" in reason for reason in first.reasons)
    run_id = rig.mlflow.get_model_version(rig.model, first.model_version).run_id
    assert "card/model_card.md" in {one.path for one in rig.mlflow.list_artifacts(run_id, "card")}

    second = rig.order(ModelAction.RETRAIN)
    end = ended(rig.until(lambda seen: ended(seen, second)), second)[0]
    assert end.kind is ModelEventKind.PROMOTED, end.reasons
    assert end.serial is not None
    assert first.serial is not None
    assert end.serial > first.serial
    assert rig.alias("previous") == first.model_version

    back = rig.order(ModelAction.ROLLBACK)
    end = ended(rig.until(lambda seen: ended(seen, back)), back)[0]
    assert end.kind is ModelEventKind.ROLLED_BACK
    assert rig.alias("champion") == first.model_version


def test_ten_deliveries_and_a_kill_make_one_version(rig: Rig) -> None:
    trainers = [rig.trainer("one")]
    rig.first_model()
    trainers.append(rig.trainer("two"))
    command = rig.order(ModelAction.RETRAIN, times=10)
    # While the job runs: its owner holds the lease and has a child.
    deadline = time.monotonic() + 30
    while not (_children(trainers[0].pid) and _duplicates(trainers[0]) == 9) and time.monotonic() < deadline:
        rig.until(lambda _: True)
    assert _duplicates(trainers[0]) == 9
    os.kill(trainers[0].pid, signal.SIGKILL)
    rig.until(lambda seen: ended(seen, command), 120)
    assert len(rig.versions()) == 2
    assert len(ended(rig.events, command)) == 1


def test_a_trainer_that_was_frozen_before_it_registered_makes_no_second_version(rig: Rig, tmp_path: Path) -> None:
    mark = tmp_path / "stops-here"
    env = {"PYTHONPATH": str(Path(__file__).parent), "STOP_MARK": str(mark)}
    frozen = rig.trainer("one", module="stopping_trainer", **env)
    rig.first_model()
    other = rig.trainer("two", module="stopping_trainer", **env)
    rig.until(lambda _: len(rig.members()) == 2)
    mark.touch()
    command = rig.order(ModelAction.RETRAIN)
    rig.until(lambda _: psutil.Process(frozen.pid).status() == psutil.STATUS_STOPPED)
    end = ended(rig.until(lambda seen: ended(seen, command), 120), command)[0]
    assert end.kind is ModelEventKind.PROMOTED, end.reasons
    os.kill(frozen.pid, signal.SIGCONT)
    rig.until(lambda _: "the order was given up" in frozen.log_path.read_text())
    os.kill(other.pid, signal.SIGKILL)  # the frozen one has the orders again, and is as good as before
    back = rig.order(ModelAction.ROLLBACK)
    rig.until(lambda seen: ended(seen, back), 60)
    assert len(rig.versions()) == 2
    assert len(ended(rig.events, command)) == 1
    assert rig.alias("champion") != end.model_version


def test_a_second_trainer_is_ready_as_a_standby(rig: Rig) -> None:
    first, second = rig.trainer("one"), rig.trainer("two")
    rig.until(lambda _: first.is_ready() and second.is_ready(), 60)
    rig.until(lambda _: len(rig.members()) == 2)


def test_orders_that_cannot_be_carried_out_say_why(rig: Rig) -> None:
    rig.trainer()
    rig.first_model()
    unknown = rig.order(ModelAction.PROMOTE, target_version="99")
    other = rig.order(ModelAction.RETRAIN, model_name="no-such-model")
    stale = rig.order(ModelAction.RETRAIN, champion_version="77", reason="drift")
    nothing_before = rig.order(ModelAction.ROLLBACK)
    source = rig.mlflow.get_model_version(rig.model, rig.versions()[0])
    made = rig.mlflow.create_model_version(rig.model, source.source, run_id=source.run_id)
    bare = rig.order(ModelAction.EVALUATE, target_version=str(made.version))
    for command in (unknown, other, stale, nothing_before, bare):
        rig.until(lambda seen, command=command: ended(seen, command))
    words = {one.command_id: one.reasons[0] for one in rig.events if one.command_id}
    assert "no version 99" in words[unknown]
    assert "no model no-such-model" in words[other]
    assert "version 77" in words[stale]
    assert "go back to" in words[nothing_before]
    assert "lacks the tag artifact_sha256" in words[bare]
    assert len(rig.versions()) == 2
    assert len(rig.events) <= 7  # each end is said once


def test_audited_quality_that_has_surely_fallen_rolls_back_by_itself(rig: Rig) -> None:
    rig.trainer()
    first = rig.first_model()
    retrained = rig.order(ModelAction.RETRAIN)
    second = ended(rig.until(lambda seen: ended(seen, retrained)), retrained)[0]
    rig.measured(first, 0.70)
    rig.measured(second, 0.69)  # within the interval: no ground to go back
    looked_twice = time.monotonic() + 5
    rig.until(lambda _: time.monotonic() > looked_twice)
    assert not kinds(rig.events, "ROLLED_BACK")
    rig.measured(second, 0.50)
    back = kinds(rig.until(lambda seen: kinds(seen, "ROLLED_BACK")), "ROLLED_BACK")[0]
    assert (back.model_version, back.previous_version) == (first.model_version, second.model_version)
    assert "quality" in back.reasons[0]
    assert rig.alias("champion") == first.model_version


def test_mlflow_that_goes_away_during_a_training_is_waited_for(rig: Rig) -> None:
    with Door(rig.addresses.mlflow_url) as door:
        trainer = rig.trainer(RXTRACT_MLFLOW_URL=door.url, RXTRACT_MLFLOW_TIMEOUT_S="2")
        rig.first_model()
        command = rig.order(ModelAction.RETRAIN)
        deadline = time.monotonic() + 30
        while not _children(trainer.pid) and time.monotonic() < deadline:
            rig.until(lambda _: True)
        door.shut()
        while _children(trainer.pid) and time.monotonic() < deadline + 30:
            rig.until(lambda _: True)
        assert not ended(rig.events, command)
        assert trainer.running()
        door.open()
        end = ended(rig.until(lambda seen: ended(seen, command), 120), command)[0]
    assert end.kind is ModelEventKind.PROMOTED, end.reasons
    assert (
        len(
            [
                one
                for one in rig.mlflow.search_model_versions(f"name='{rig.model}'")
                if one.tags.get("command_id") == command
            ]
        )
        == 1
    )


@pytest.mark.long
def test_a_training_longer_than_the_poll_interval_never_leaves_the_group(rig: Rig) -> None:
    for name in ("one", "two"):
        rig.trainer(name, module="slow_trainer", PYTHONPATH=str(Path(__file__).parent))
    rig.first_model()
    rig.until(lambda _: len(rig.members()) == 2)
    both, began_s = rig.members(), time.monotonic()
    command = rig.order(ModelAction.RETRAIN)
    seen: set[frozenset[str]] = set()
    rig.until(lambda events: seen.add(frozenset(rig.members())) or ended(events, command))
    assert time.monotonic() - began_s > 2 * MAX_SILENCE_S
    assert seen == {frozenset(both)}, "a member that was silent for too long leaves, and comes back under another id"
    assert len(rig.versions()) == 2


def test_twelve_alarms_wait_for_labels_and_are_one_run_when_they_arrive(rig: Rig) -> None:
    rig.trainer(RXTRACT_GATE=DRIFT_GATE)
    champion = rig.first_model().model_version
    alarms = [
        rig.order(ModelAction.RETRAIN, reason="drift", segment=f"city=C{number}", champion_version=champion)
        for number in range(12)
    ]
    rig.until(lambda seen: len(kinds(seen, "MERGED_INTO")) == 11)
    rig.until(lambda seen: kinds(seen, "TRAINING_DEFERRED"))
    deferred = kinds(rig.events, "TRAINING_DEFERRED")
    assert {one.command_id for one in deferred} == {alarms[0]}
    assert deferred[0].missing_labels == 40  # 10 of the quarter that judges
    assert {one.merged_into for one in kinds(rig.events, "MERGED_INTO")} == {alarms[0]}
    assert len(rig.versions()) == 1

    # Nobody orders anything more. The labels are of two of the twelve, and not of the first that alarmed.
    rig.annotated(["C4", "C7"], 140)
    end = ended(rig.until(lambda seen: ended(seen, alarms[0])), alarms[0])[0]
    assert end.kind in (ModelEventKind.PROMOTED, ModelEventKind.REJECTED), end.reasons
    assert len(kinds(rig.events, "MODEL_TRAINED")) == 2
    assert len(rig.versions()) == 2
    words = " ".join(end.reasons) + rig.report("2")
    assert re.search("recent validated notes of city=C[47]", words)  # begun as soon as one of them had enough
    assert "city=C0: 0 recent validated notes, too few" in words


def test_the_end_of_a_drift_ends_its_order(rig: Rig) -> None:
    rig.trainer()
    champion = rig.first_model().model_version
    more = {"reason": "drift", "champion_version": champion}
    waiting = rig.order(ModelAction.RETRAIN, segment="city=Pune", **more)
    rig.until(lambda seen: [one for one in kinds(seen, "TRAINING_DEFERRED") if one.command_id == waiting])
    rig.recovered("city=Delhi", champion)
    rig.recovered("city=Pune", champion)
    end = ended(rig.until(lambda seen: ended(seen, waiting)), waiting)[0]
    assert end.kind is ModelEventKind.REJECTED
    assert "the drift of city=Pune is over" in end.reasons[0]


def test_an_operators_order_does_not_wait_with_the_drifts(rig: Rig) -> None:
    rig.trainer(RXTRACT_GATE=DRIFT_GATE)
    champion = rig.first_model().model_version
    waiting = rig.order(ModelAction.RETRAIN, reason="drift", segment="city=Pune", champion_version=champion)
    rig.until(lambda seen: kinds(seen, "TRAINING_DEFERRED"))
    now = rig.order(ModelAction.RETRAIN)
    end = ended(rig.until(lambda seen: ended(seen, now)), now)[0]
    assert end.kind is ModelEventKind.PROMOTED, end.reasons
    # The drift was that of the model before: its order ends with the new champion, without another note.
    void = ended(rig.until(lambda seen: ended(seen, waiting)), waiting)[0]
    assert void.kind is ModelEventKind.REJECTED
    assert f"version {champion}" in void.reasons[0]
    assert len(rig.versions()) == 2


def test_an_imported_set_is_trained_on_once_when_its_import_ends(rig: Rig, tmp_path: Path) -> None:
    rig.trainer()
    rig.first_model()
    notes = tmp_path / "notes.jsonl"
    notes.write_text("".join(f"{line}\n" for line in dump_jsonl(generate(77, 60))))
    stack = tmp_path / "stack.json"
    write_stack_json(stack, rig.addresses, {"topic_prefix": rig.prefix})
    words = ["dataset", "import", "--data", notes, "--out", tmp_path / "set", "--publish", "--model-name", rig.model]
    for _ in range(2):  # the second time nothing is new
        command = [sys.executable, "-m", "rxtract", *map(str, words), "--stack", str(stack)]
        subprocess.run(command, check=True, timeout=60, env={**os.environ, "RXTRACT_TOPIC_PREFIX": rig.prefix})
    made = rig.until(lambda seen: len(kinds(seen, "MODEL_TRAINED")) == 2)
    trained = kinds(made, "MODEL_TRAINED")[1]
    assert trained.metrics["annotations_read"] >= 60
    assert trained.command_id is not None
    rig.until(lambda seen: ended(seen, trained.command_id))
    ordered = rig.order(ModelAction.ROLLBACK)  # whatever the second import asked for came before this
    rig.until(lambda seen: ended(seen, ordered))
    assert len(rig.versions()) == 2


def _children(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _duplicates(trainer: ServiceProcess) -> float:
    with urllib.request.urlopen(trainer.metrics_url, timeout=5) as answer:  # noqa: S310 - our own health server
        lines = answer.read().decode().splitlines()
    return next(
        (float(line.split()[-1]) for line in lines if line.startswith("rxtract_trainer_duplicates_total ")), 0.0
    )
