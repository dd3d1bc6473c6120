"""The whole line on topics of its own: ingestor, extractor and ledger as processes, notes by both doors, and who arrives when."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
from confluent_kafka import Consumer, Producer, TopicPartition
from contracts import topics
from contracts.files import schema_text
from contracts.identity import split_note_key
from contracts.wire import Serializer
from embedded_stack.services import ServiceProcess
from extractor_rig import SOURCE, Process, Rig, judge, key_of, until
from position_rig import submitted
from runtime.service.secret_files import hash_token

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "token-of-the-test"
GOAL_S = 30.0
"""So soon notes flow again."""
LEDGER = {"RXTRACT_LOST_AFTER_S": "60", "RXTRACT_LEDGER_COMMIT_S": "0.5"}


class Arrivals:
    """When the first effect of each note was there, by note id; its reader outlives what happens to the broker."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.at_s: dict[str, float] = {}
        self._stop = threading.Event()
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "arrivals", "log_level": 0})
        found = self._consumer.list_topics(topic, timeout=20).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, 0) for number in found])
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            for message in self._consumer.consume(500, 0.1):
                if message.error() is None:
                    note_id = split_note_key((message.key() or b"").decode())[1]
                    self.at_s.setdefault(note_id, time.monotonic())

    def close(self) -> None:
        self._stop.set()
        self._thread.join(30)
        self._consumer.close()


class Sender:
    """Submits notes at a steady rate by both doors while the block runs; only what was acknowledged counts."""

    def __init__(self, line: Line, kafka_per_s: float, http_per_s: float) -> None:
        self.acknowledged: dict[str, float] = {}
        self.begun: dict[str, float] = {}
        self.refused: dict[int, int] = {}
        self.slowest_answer_s = 0.0
        self._line = line
        self._over = threading.Event()
        jobs = [(self._by_kafka, kafka_per_s), (self._by_http, http_per_s)]
        self._threads = [threading.Thread(target=job, args=(rate,)) for job, rate in jobs if rate]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(400)
            assert not thread.is_alive(), "a sender hangs"

    def _due(self, rate: float, name: str) -> Iterator[str]:
        begun, sent = time.monotonic(), 0
        while not self._over.wait(0.02):
            for _ in range(int((time.monotonic() - begun) * rate) - sent):
                sent += 1
                yield f"{name}{sent}"

    def _by_kafka(self, rate: float) -> None:
        producer = self._line.producer()
        topic = self._line.rig.topic(topics.NOTES_SUBMITTED)

        def report(error: object, message: Any) -> None:
            if error is None:
                self.acknowledged[split_note_key(message.key().decode())[1]] = time.monotonic()

        for note_id in self._due(rate, "k"):
            self.begun[note_id] = time.monotonic()
            producer.produce(topic, self._line.write(submitted(note_id)), key_of(note_id), on_delivery=report)
            producer.poll(0)
        assert producer.flush(300) == 0

    def _by_http(self, rate: float) -> None:
        with httpx.Client(timeout=30, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            for note_id in self._due(rate, "h"):
                self.begun[note_id] = asked_s = time.monotonic()
                status = self._ask(client, note_id)
                self.slowest_answer_s = max(self.slowest_answer_s, time.monotonic() - asked_s)
                if status == httpx.codes.ACCEPTED:
                    self.acknowledged[note_id] = time.monotonic()
                else:
                    self.refused[status] = self.refused.get(status, 0) + 1

    def _ask(self, client: httpx.Client, note_id: str) -> int:
        note = submitted(note_id).to_dict()
        body = {name: value for name, value in note.items() if value is not None and name not in {"source", "origin"}}
        try:
            return client.post(f"{self._line.http_url}/v1/notes", json=body).status_code
        except httpx.HTTPError:
            return 0


class Line:
    """One ingestor, extractors and the ledger.

    Args:
        rig: Topics and the oracle; its addresses are those that nothing disturbs.
        bootstrap: Where the services find Kafka, if not where the rig does (a proxy).
    """

    def __init__(self, rig: Rig, bootstrap: str = "") -> None:
        self.rig = rig
        self.bootstrap = bootstrap or rig.bootstrap
        self._ending = contextlib.ExitStack()
        schema_id = rig.registry.lookup(
            topics.subject_of(rig.topic(topics.NOTES_SUBMITTED)), schema_text("NoteSubmitted")
        )
        self.write = Serializer(type(submitted("x")), schema_id)
        key = rig.folder / "key"
        key.write_bytes(b"k" * 40)
        shared = {
            **rig.addresses.as_environment(),
            "RXTRACT_BOOTSTRAP_SERVERS": self.bootstrap,
            "RXTRACT_TOPIC_PREFIX": rig.prefix,
            "RXTRACT_GROUP_PREFIX": rig.prefix,
            "RXTRACT_SESSION_TIMEOUT_S": "6",
        }
        self._port_file = rig.folder / "http.port"
        doors = {
            "RXTRACT_PSEUDONYM_KEY_FILE": str(key),
            "RXTRACT_HTTP_TOKENS": f"{SOURCE}:{hash_token(TOKEN)}",
            "RXTRACT_HTTP_PORT_FILE": str(self._port_file),
        }
        shared.pop("RXTRACT_MLFLOW_URL", None)
        self.ingestor = ServiceProcess("ingestor", rig.folder, {**shared, **doors})
        own = {name: value for name, value in shared.items() if "SESSION" not in name and "REDIS" not in name} | LEDGER
        own |= {"RXTRACT_LEDGER_DIR": str(rig.folder / "ledger"), "RXTRACT_BOOTSTRAP_SERVERS": rig.bootstrap}
        self.ledger = ServiceProcess("ledger", rig.folder, own)

    def start(self, *arguments: str) -> Process:
        """Start all of it, with one extractor."""
        for service in (self.ingestor, self.ledger):
            self._ending.callback(service.kill)
            service.start()
        extractor = self.extractor(*arguments)
        for service in (self.ingestor, self.ledger):
            service.wait_ready(120)
        until(lambda: extractor.ready or extractor.child.poll() is not None, 120, "the extractor to be ready")
        self.arrivals = Arrivals(self.rig.bootstrap, self.rig.topic(topics.ENTITIES_EXTRACTED))
        self._ending.callback(self.arrivals.close)
        return extractor

    def extractor(self, *arguments: str) -> Process:
        """Start one more extractor."""
        return self.rig.start(*arguments, RXTRACT_BOOTSTRAP_SERVERS=self.bootstrap)

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self._port_file.read_text().strip()}"

    def producer(self) -> Producer:
        """The platform's: it waits as long as it takes."""
        return Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "linger.ms": 5,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "delivery.timeout.ms": 280_000,
                "log_level": 0,
            }
        )

    @contextlib.contextmanager
    def notes(self, kafka_per_s: float, http_per_s: float = 0) -> Iterator[Sender]:
        """Notes come while the block runs; what was acknowledged is complete behind it."""
        sender = Sender(self, kafka_per_s, http_per_s)
        try:
            yield sender
        finally:
            sender.end()

    def reconcile(self) -> dict[str, Any]:
        """What `rxtract reconcile --json` prints."""
        env = {**os.environ, "RXTRACT_LEDGER_URL": self.ledger.health_url}
        command = [sys.executable, "-m", "rxtract", "reconcile", "--json"]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
        return dict(json.loads(ran.stdout)) if ran.returncode == 0 else {}

    def settled(self, sender: Sender, seconds: float = 180) -> str:
        """Wait until the ledger has everything closed, hold it and what is on the topics against what was acknowledged.

        Returns the figures in words.
        """

        deadline_s, found = time.monotonic() + seconds, self.reconcile()
        while not found or found["submitted"] < len(sender.acknowledged) or found["open"]:
            assert time.monotonic() < deadline_s, (found, len(sender.acknowledged), self.not_ready())
            time.sleep(1)
            found = self.reconcile()
        events = self.rig.events()
        verdict = judge([(one, 1) for one in sender.acknowledged], events)
        assert (found["lost"], found["lost_notes"], verdict.lost) == (0, [], []), (found, verdict.lost)
        assert (verdict.double_effects, verdict.out_of_order) == ([], [])
        assert self.rig.dead_letters() == []
        assert found["submitted"] == found["effects"] + found["dead_letters"]
        return f"{len(sender.acknowledged):,} notes acknowledged, lost 0, double effects 0, {verdict.duplicates} records twice"

    def not_ready(self) -> str:
        """What the ledger waits for, in its own words."""
        return httpx.get(f"{self.ledger.health_url}/ready", timeout=20).text

    def close(self) -> None:
        self._ending.close()
        self.rig.close()


def wait(seconds: float) -> None:
    """Let the fault last."""
    over = time.monotonic() + seconds
    until(lambda: time.monotonic() >= over, seconds + 60, "the fault to have lasted")


def flows_again(line: Line, sender: Sender, since_s: float) -> float:
    """Seconds from this moment to the first effect of a note that was begun after it."""

    def arrived() -> list[float]:
        at_s, begun = line.arrivals.at_s.copy(), sender.begun.copy()
        return [at for one, at in at_s.items() if begun.get(one, 0.0) > since_s]

    return min(until(arrived, 120, "a new note to arrive")) - since_s


def slowest(seconds: list[float]) -> str:
    return f"slowest {max(seconds):.1f} s of {len(seconds)}"
