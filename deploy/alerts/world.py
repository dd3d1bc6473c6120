"""The running system that is broken on purpose: servers, services, Prometheus, and notes that flow all the time."""  # noqa: INP001

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import shutil
import threading
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import httpx
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from contracts.identity import note_key
from contracts.records import ModelCommand
from contracts.registry import ConfluentRegistry
from contracts.topics import MODEL_COMMANDS
from contracts.wire import Serializer
from corpus import simulate
from embedded_stack.children import ChildProcess
from embedded_stack.delete_records import delete_records
from embedded_stack.ports import free_ports
from mlflow.tracking import MlflowClient
from rules import ROOT, RULES, shortened
from rxtract.bringup import Running, bring_up
from rxtract.errors import UserError
from rxtract.models.orders import new_command
from rxtract.platform_notes import as_submitted
from rxtract.simulated_validator import DeskRefusedError, SimulatedValidator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from clinical_ner.notes import AnnotatedNote
    from contracts.records import ModelAction, NoteSubmitted
    from embedded_stack.services import ServiceProcess

ENVIRONMENT: dict[str, dict[str, str]] = {
    "answerer": {"RXTRACT_MODEL_POLL_S": "1"},
    "extractor": {"RXTRACT_MODEL_POLL_S": "1", "RXTRACT_REVIEW_BELOW": "0", "RXTRACT_AUDIT_RATE": "0"},
    "ingestor": {"RXTRACT_HTTP_DELIVERY_TIMEOUT_S": "20", "RXTRACT_FAULT_LIMIT_S": "5"},
    "review-desk": {"RXTRACT_DESK_WATCH": "false", "RXTRACT_DESK_CHECK_SHARE": "0"},
    "trainer": {"RXTRACT_CORPUS": '{"seed": 20, "notes": 400}', "RXTRACT_RETRAIN_AFTER_ANNOTATIONS": "0"},
    "scorekeeper": {"RXTRACT_SINK_EVERY_S": "1", "RXTRACT_LEASE_S": "2"},
    "ledger": {"RXTRACT_LOST_AFTER_S": "20", "RXTRACT_LEDGER_COMMIT_S": "1"},
}
__all__ = ["ENVIRONMENT", "MODEL", "READY_S", "ROOT", "World", "until", "world"]
MODEL = "rxtract-ner"
NOTES_PER_POST, POSTERS, PAUSE_S = 5, 3, 0.3
READY_S = 90.0


class World:
    """What a fault can break."""

    def __init__(self, running: Running, prometheus: str, targets: Path) -> None:
        self.running = running
        self.stack = running.stack
        self.services: dict[str, ServiceProcess] = running.services
        self._prometheus = prometheus
        self._targets = targets
        self._config = {"bootstrap.servers": running.addresses.bootstrap_servers, "log_level": 0}
        self.producer = Producer(self._config)
        self._numbers = itertools.count(int(time.time()))
        self.truths: dict[str, AnnotatedNote] = {}
        self.guests: dict[str, str] = {}
        self.write_targets()

    # -- Prometheus

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Ask Prometheus."""
        url = f"{self._prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def names(self) -> set[str]:
        """The names of all series that were ever read."""
        with urllib.request.urlopen(f"{self._prometheus}/api/v1/label/__name__/values", timeout=10) as answer:  # noqa: S310
            return set(json.load(answer)["data"])

    def ever(self, expression: str, since_s: float) -> bool:
        """Whether an expression had a number at any moment since then."""
        step_s = max(5.0, (time.time() - since_s) / 1_000)
        end_s = time.time() + step_s  # else the last moments, which fall between two steps, would not count
        asked = {"query": expression, "start": since_s, "end": end_s, "step": step_s}
        url = f"{self._prometheus}/api/v1/query_range?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own address
            found = json.load(answer)["data"]["result"]
        return any(number != "NaN" for series in found for _, number in series["values"])

    def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        return {one["metric"]["alertname"] for one in self.query('ALERTS{alertstate="firing"}')}

    def write_targets(self) -> None:
        """Tell Prometheus who is there, as DNS or the API server would: a service that was scaled away is not."""
        listed = [
            {"targets": [service.health_url.removeprefix("http://")], "labels": {"job": name.rstrip("0123456789-")}}
            for name, service in self.services.items()
            if service.running() and service.health_url
        ]
        listed += [{"targets": [place], "labels": {"job": job}} for job, place in self.guests.items()]
        draft = self._targets.with_suffix(".draft")
        draft.write_text(json.dumps(listed), encoding="utf-8")
        draft.replace(self._targets)

    # -- services

    def end(self, name: str) -> None:
        """Scale a service away."""
        self.services.pop(name).end()
        self.write_targets()

    def start(self, name: str, module: str, *, ready: bool = True, **env: str) -> ServiceProcess:
        """Start a replica, as a rollout would."""
        more = {**ENVIRONMENT.get(module.replace("_", "-"), {}), **env}
        service = self.running.start_service(module, name, more)
        if ready:
            service.wait_ready(READY_S)
        else:
            until(lambda: bool(service.health_url), READY_S, f"{name} has no health server")
        self.write_targets()
        return service

    # -- Kafka

    def put(self, topic: str, *values: bytes, key: bytes = b"k", partition: int | None = None) -> None:
        """Write raw bytes to a topic."""
        where = {} if partition is None else {"partition": partition}
        for value in values:
            self.producer.produce(topic, value, key, **where)
        if self.producer.flush(20):
            raise TimeoutError(topic)

    def partitions(self, topic: str) -> dict[int, tuple[int, int]]:
        """First and next offset of each partition."""
        consumer = Consumer({**self._config, "group.id": "alerts-unused"})
        found = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = {number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10) for number in found}
        consumer.close()
        return ends

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """What a group committed, by partition."""
        consumer = Consumer({**self._config, "group.id": group})
        places = [TopicPartition(topic, number) for number in self.partitions(topic)]
        found = {one.partition: one.offset for one in consumer.committed(places, timeout=20) if one.offset >= 0}
        consumer.close()
        return found

    def commit(self, group: str, place: TopicPartition) -> None:
        """Move what a group committed; it must be without members."""
        consumer = Consumer({**self._config, "group.id": group})
        until(lambda: _committed(consumer, place), 30, f"{group} still has members")
        consumer.close()

    def expire(self, topic: str) -> None:
        """Delete all that is on a topic, as retention does."""
        ends = {number: high for number, (_, high) in self.partitions(topic).items()}
        delete_records(self.running.addresses.bootstrap_servers, topic, ends)

    def await_records(self, topic: str, more: int) -> None:
        """Wait until so many records came to a topic."""
        end = sum(high for _, high in self.partitions(topic).values()) + more
        until(lambda: sum(high for _, high in self.partitions(topic).values()) >= end, 60, f"nothing comes to {topic}")

    # -- orders and models

    def mlflow(self) -> MlflowClient:
        """A client of MLflow."""
        return MlflowClient(self.running.addresses.mlflow_url)

    def champion(self) -> str:
        """The version that serves."""
        return str(self.mlflow().get_model_version_by_alias(MODEL, "champion").version)

    def order(self, action: ModelAction, version: str | None = None, **more: Any) -> Callable[[], None]:
        """An order to the trainer, as `rxtract model` makes it; call it to publish."""
        if "champion_version" not in more:
            more["champion_version"] = self.champion()
        command = new_command(action, MODEL, "alerts-test", target_version=version, **more)
        registry = ConfluentRegistry(self.running.addresses.schema_registry_url)
        value = Serializer.for_topic(ModelCommand, registry, MODEL_COMMANDS)(command)
        return lambda: self.put(MODEL_COMMANDS, value, key=MODEL.encode())

    # -- notes

    def notes(self, count: int, **how: Any) -> list[NoteSubmitted]:
        """Synthetic notes with ids of their own; their truth is kept."""
        created = list(simulate(next(self._numbers) * 7919 % 10**9, count, **how))
        source = self.running.addresses.ingest_source  # of both doors: over HTTP the token says it anyway
        self.truths |= {note_key(source, one.note_id): one.truth for one in created}
        return [as_submitted(one, source) for one in created]

    def post(self, notes: list[NoteSubmitted], token: str = "") -> int:
        """Post notes; the status, or 0 when there was no answer."""
        bodies = [
            {name: value for name, value in note.to_dict().items() if value is not None and name != "source"}
            for note in notes
        ]
        headers = {"Authorization": f"Bearer {token or self.running.addresses.ingest_token}"}
        try:
            url = f"{self.running.addresses.ingest_url}/v1/notes"
            return httpx.post(url, json=bodies, headers=headers, timeout=40).status_code
        except httpx.HTTPError:
            return 0

    def validator(self, *, strike_out: bool = False) -> SimulatedValidator:
        """A simulated validator at the desk, who knows the truth of our notes, or strikes out all that is marked."""
        known = self.running.addresses
        truths: Mapping[str, AnnotatedNote] = _Nothing(self.truths) if strike_out else self.truths
        return SimulatedValidator(known.desk_url, known.desk_token, truths, error_rate=0, seed=1)

    @contextlib.contextmanager
    def meanwhile(self, act: Callable[[], object], pause_s: float = 0.0, threads: int = 1) -> Iterator[None]:
        """Do something again and again while the block runs."""
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                with contextlib.suppress(httpx.HTTPError, DeskRefusedError, UserError, KafkaException, TimeoutError):
                    act()
                stop.wait(pause_s)

        workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        try:
            yield
        finally:
            stop.set()
            for worker in workers:
                worker.join(45)


def _committed(consumer: Consumer, place: TopicPartition) -> bool:
    try:
        consumer.commit(offsets=[place], asynchronous=False)
    except KafkaException:
        return False
    return True


class _Nothing(dict[str, "AnnotatedNote"]):
    """The truth as somebody sees it who finds nothing in any note."""

    def __init__(self, truths: Mapping[str, AnnotatedNote]) -> None:
        super().__init__()
        self._truths = truths

    def get(self, key: str, default: Any = None) -> Any:
        found = self._truths.get(key)
        return default if found is None else dataclasses.replace(found, spans=(), pairs=(), meanings=())


def until(holds: Callable[[], bool], within_s: float, otherwise: str) -> float:
    """Poll until something holds; the seconds it took.

    Raises:
        TimeoutError: It did not within the time.
    """
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > within_s:
            raise TimeoutError(otherwise)
        time.sleep(0.25)
    return time.monotonic() - begun


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """Bring everything up, with notes flowing and Prometheus watching every second."""
    with bring_up(folder, ephemeral=True, close_loop=True, service_env=ENVIRONMENT) as running:
        url, server, targets = _prometheus(folder)
        created = World(running, url, targets)
        server.start()
        try:
            server.wait_until(lambda: _ready(url), 60)
            with created.meanwhile(lambda: created.post(created.notes(NOTES_PER_POST)), PAUSE_S, POSTERS):
                yield created
        finally:
            server.end()


def _prometheus(folder: Path) -> tuple[str, ChildProcess, Path]:
    place = folder / "prometheus"
    place.mkdir(parents=True)
    for name in RULES:
        (place / name).write_text(shortened(name), encoding="utf-8")
    targets = place / "targets.json"
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": list(RULES),
        "scrape_configs": [
            {"job_name": "rxtract", "file_sd_configs": [{"files": [targets.name], "refresh_interval": "1s"}]}
        ],
    }
    (place / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    binary = shutil.which("prometheus")
    if binary is None:
        raise FileNotFoundError("no prometheus: run make tools")
    command = [binary, f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/data"]
    command += [f"--web.listen-address={address}"]
    return f"http://{address}", ChildProcess("prometheus", command, folder / "logs/prometheus.log", {}), targets


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except OSError:
        return False
