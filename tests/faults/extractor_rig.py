"""What the extractor's stack tests share: topics of their own, notes, processes, and the oracle that says what was lost."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from contracts import topics
from contracts.apply import apply_schemas, apply_topics
from contracts.identity import note_key
from contracts.records import EntitiesExtracted, NoteAccepted, ReviewRequested, StatisticsObserved
from contracts.registry import ConfluentRegistry
from contracts.wire import Deserializer, Serializer
from runtime.kafka.commits import GroupCommits
from swollen_batch import bounded

SOURCE = "clinic"
CITIES = ("Mumbai", "Delhi", "Pune", "Chennai")
SPECIALTIES = ("cardiology", "oncology", "general medicine")
PROCESS = Path(__file__).with_name("extractor_process.py")


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Poll until a condition holds, and return what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def patiently(ask: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Ask a broker that has only just been given the topic or group: no leader yet, coordinator still loading."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def note(note_id: str, text: str, revision: int = 1, **more: Any) -> NoteAccepted:
    number = sum(note_id.encode())
    now = int(time.time() * 1000)
    fields = {
        "prescription_ref": "p" * 32,
        "patient_ref": "q" * 32,
        "doctor_ref": "d" * 32,
        "city": CITIES[number % len(CITIES)],
        "specialty": SPECIALTIES[number % len(SPECIALTIES)],
        "written_at": now,
        "accepted_at": now,
        "source": SOURCE,
    }
    return NoteAccepted(note_id=note_id, revision=revision, text=text, **{**fields, **more})


def key_of(note_id: str) -> bytes:
    return note_key(SOURCE, note_id).encode()


@dataclass
class Process:
    """One extractor."""

    child: subprocess.Popen
    log: Path
    port_file: Path

    def get(self, path: str) -> tuple[int, str]:
        try:
            port = self.port_file.read_text().strip()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels; 0 when it is not there."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    @property
    def ready(self) -> bool:
        return self.get("/ready")[0] == 200

    def kill(self) -> None:
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.wait(10)

    def terminate(self, seconds: float = 30.0) -> int:
        os.kill(self.child.pid, signal.SIGTERM)
        return self.child.wait(seconds)

    def end(self) -> None:
        if self.child.poll() is None:
            self.kill()

    def logged(self) -> str:
        return self.log.read_text()


class Rig:
    """Topics of one test, and the processes that it starts."""

    def __init__(self, addresses: Any, prefix: str, folder: Path, partitions: int | None = None) -> None:
        self.addresses = addresses
        self.prefix = prefix
        self.folder = folder
        self.bootstrap = addresses.bootstrap_servers
        self.registry = ConfluentRegistry(addresses.schema_registry_url)
        self.processes: list[Process] = []
        apply_topics({"bootstrap.servers": self.bootstrap}, topics.load_topics(), prefix)
        apply_schemas(self.registry, prefix)
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap})
        self.serialize = Serializer.for_topic(NoteAccepted, self.registry, self.topic(topics.NOTES_ACCEPTED))
        self.producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "linger.ms": 20,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 1_000_000,
                "enable.idempotence": True,
            }
        )

    def topic(self, name: str) -> str:
        return self.prefix + name

    def start(
        self,
        *arguments: str,
        module: str | None = None,
        process: Path | None = None,
        most_bytes: int | None = None,
        **env: str,
    ) -> Process:
        number = len(self.processes)
        port_file, log = self.folder / f"port-{number}", self.folder / f"log-{number}"
        command = [sys.executable, "-m", module] if module else [sys.executable, str(process or PROCESS)]
        if most_bytes is not None:
            command = list(bounded(command, most_bytes))
        variables = {
            "RXTRACT_BOOTSTRAP_SERVERS": self.bootstrap,
            "RXTRACT_SCHEMA_REGISTRY_URL": self.addresses.schema_registry_url,
            "RXTRACT_TOPIC_PREFIX": self.prefix,
            "RXTRACT_GROUP_PREFIX": self.prefix,
            "RXTRACT_HEALTH_PORT_FILE": str(port_file),
            "RXTRACT_MODEL_CACHE_DIR": str(self.folder / "models"),
            "RXTRACT_SESSION_TIMEOUT_S": "6",
            **env,
        }
        with log.open("wb") as stderr:
            child = subprocess.Popen(
                [*command, *arguments], stderr=stderr, env={**os.environ, **variables}, cwd=self.folder
            )
        self.processes.append(Process(child, log, port_file))
        return self.processes[-1]

    def close(self) -> None:
        for process in self.processes:
            process.end()

    def send(self, notes: Iterable[NoteAccepted]) -> int:
        """Publish notes; returns how many. All are acknowledged by the broker."""
        count = 0
        for one in notes:
            self.send_bytes(key_of(one.note_id), self.serialize(one))
            count += 1
            if count % 500 == 0:
                self.producer.poll(0)
        assert self.producer.flush(60) == 0
        return count

    @contextlib.contextmanager
    def stream(self, notes_per_s: float, text: str = "fever and cough") -> Iterator[list[tuple[str, int]]]:
        """Publish notes at a steady rate for as long as the block runs; gives what was sent, complete after the block."""
        sent: list[tuple[str, int]] = []
        stop = threading.Event()

        def publish() -> None:
            while not stop.wait(0.1):
                for _ in range(int(notes_per_s / 10)):
                    one = note(f"s{len(sent)}", text)
                    self.send_bytes(key_of(one.note_id), self.serialize(one))
                    sent.append((one.note_id, 1))
                self.producer.poll(0)

        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            yield sent
        finally:
            stop.set()
            publisher.join()
            assert self.producer.flush(60) == 0

    def send_bytes(self, key: bytes | None, value: bytes | None, **more: Any) -> None:
        self.producer.produce(self.topic(topics.NOTES_ACCEPTED), value, key, **more)

    def ends(self, name: str) -> dict[int, int]:
        """The end offset of each partition."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "unused"})
        try:
            numbers = consumer.list_topics(self.topic(name), timeout=10).topics[self.topic(name)].partitions
            return {
                number: patiently(
                    partial(consumer.get_watermark_offsets, TopicPartition(self.topic(name), number), timeout=10)
                )[1]
                for number in numbers
            }
        finally:
            consumer.close()

    def committed(self) -> dict[int, int]:
        """The group's committed offsets on accepted notes."""
        topic = self.topic(topics.NOTES_ACCEPTED)
        places = [(topic, number) for number in self.ends(topics.NOTES_ACCEPTED)]
        commits = GroupCommits({"bootstrap.servers": self.bootstrap})
        try:
            found = patiently(partial(commits.of, self.prefix + "rxtract-extractor", places, 10))
        finally:
            commits.close()
        return {number: offset for (_, number), offset in found.items()}

    def lag(self) -> int:
        committed = self.committed()
        return sum(end - committed.get(number, 0) for number, end in self.ends(topics.NOTES_ACCEPTED).items())

    def drained(self, seconds: float) -> None:
        """Wait until everything is committed."""
        until(lambda: self.lag() == 0 or time.sleep(0.2), seconds, "lag 0")

    def read(self, topic: str) -> Iterator[Message]:
        """All records of a topic (full name), partition by partition."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "oracle", "enable.auto.commit": False})
        try:
            for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
                partition = TopicPartition(topic, number, 0)
                first, end = patiently(partial(consumer.get_watermark_offsets, partition, timeout=10))
                if end <= first:
                    continue
                consumer.assign([TopicPartition(topic, number, first)])
                position = first
                while position < end:
                    for message in consumer.consume(min(1000, end - position), timeout=5):
                        assert message.error() is None
                        position = message.offset() + 1
                        yield message
                consumer.unassign()
        finally:
            consumer.close()

    def events(self) -> list[EntitiesExtracted]:
        return self._decoded(EntitiesExtracted, topics.ENTITIES_EXTRACTED)

    def statistics(self) -> list[StatisticsObserved]:
        return self._decoded(StatisticsObserved, topics.STATISTICS_OBSERVED)

    def reviews(self) -> list[ReviewRequested]:
        return self._decoded(ReviewRequested, topics.REVIEW_REQUESTED)

    def dead_letters(self) -> list[Message]:
        return list(self.read(topics.dlq_of(self.topic(topics.NOTES_ACCEPTED))))

    def _decoded(self, record: type, name: str) -> list[Any]:
        decode = Deserializer.for_topic(record, self.registry, self.topic(name))
        return [decode(message.value()) for message in self.read(self.topic(name))]


@dataclass
class Verdict:
    """What the oracle found."""

    lost: list[tuple[str, int]]
    records: int
    notes: int
    double_effects: list[tuple[str, int]]
    out_of_order: list[str]

    @property
    def duplicates(self) -> int:
        return self.records - self.notes


def judge(
    sent: Iterable[tuple[str, int]], events: Iterable[EntitiesExtracted], dead: Iterable[tuple[str, int]] = ()
) -> Verdict:
    """Compare what was sent with what came out: every (note, revision) is one effect, and revisions keep their order."""
    effects: dict[tuple[str, int], set[str]] = defaultdict(set)
    revisions: dict[str, list[int]] = defaultdict(list)
    records = 0
    for event in events:
        records += 1
        effects[event.note_id, event.revision].add(event.event_id)
        revisions[event.note_id].append(event.revision)
    sent = list(sent)
    dead = set(dead)
    return Verdict(
        lost=[one for one in sent if one not in effects and one not in dead],
        records=records,
        notes=len(effects),
        double_effects=[one for one, identities in effects.items() if len(identities) != 1],
        out_of_order=[one for one, order in revisions.items() if not _in_order(order)],
    )


def _in_order(order: list[int]) -> bool:
    """Whether revisions first appear in order, and the highest is also the last word."""
    firsts = list(dict.fromkeys(order))
    return firsts == sorted(firsts) and order[-1] == max(order)
