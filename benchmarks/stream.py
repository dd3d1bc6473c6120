"""How fast notes stream through the extractor, beside three other ways of doing the same work, in one run on one machine.

``python benchmarks/stream.py STACK_JSON`` on a running stack, or ``rxtract bench stream --json``, which calls `run`.
Rates on a shared machine mean little; the ratios are what to look at. Each way reads the same notes from Kafka and writes the same events
to Kafka, acks=all; its rate is taken from the broker's own append times on its output topic, start-up left out.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from contracts import topics
from contracts.apply import apply_schemas
from contracts.identity import note_key
from contracts.records import EntitiesExtracted, NoteAccepted, Origin
from contracts.registry import ConfluentRegistry

HERE = Path(__file__).parent
ROOT = HERE.parent
PEER_ENVIRONMENT = ROOT / ".venv-bench"
PEER_PACKAGES = ("libs/contracts", "libs/runtime", "libs/drift", "libs/sealing", "libs/serving", "services/extractor")
"""Of ours, what the work of `stream_work` needs: a peer in an environment of its own finds no other."""
PEER_REQUIREMENTS = ROOT / "requirements" / "bench.txt"
PARTITIONS = 12
GOALS = {"ratio_to_stock_faust": 30.0, "ratio_to_quix": 4.0, "cpu_ratio_to_plain_loop": 2.5}
TEXT = "fever since 3 days, cough. Tab Paracetamol 650 mg SOS x 3 days. k/c/o HTN on Telma 40 OD. Review after 1 week."
CITIES = ("Mumbai", "Delhi", "Pune", "Chennai", "Kolkata", "Bengaluru", "Hyderabad", "Ahmedabad")


class BenchError(RuntimeError):
    """The benchmark cannot be run; one line says why."""


class Addresses(Protocol):
    """Where the servers are; `embedded_stack.Addresses` has these."""

    bootstrap_servers: str
    schema_registry_url: str


@dataclass(frozen=True)
class Way:
    """One way of doing the work.

    Attributes:
        notes: How many notes it gets in one round: enough for a few seconds.
        command: Builds the command line of its process from its task.
    """

    name: str
    notes: int
    command: Callable[[str], list[str]]


def _script(name: str, *options: str, python: str = sys.executable) -> Callable[[str], list[str]]:
    return lambda task: [python, str(HERE / name), task, *options]


WAYS = (
    Way("ours", 150_000, _script("stream_peer_ours.py")),
    Way("plain_loop", 150_000, _script("stream_peer_plain.py")),
    Way("plain_loop_columns", 150_000, _script("stream_peer_plain.py", "--columns")),
    Way("quix", 100_000, _script("stream_peer_quix.py", python=str(PEER_ENVIRONMENT / "bin" / "python"))),
    Way("stock_faust", 25_000, _script("stream_peer_faust.py")),
)


def run(
    addresses: Addresses,
    *,
    rounds: int = 3,
    scale: float = 1.0,
    only: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> dict[str, Any]:
    """Run all ways in turn, several rounds, and compare their medians.

    Args:
        addresses: Kafka and the schema registry.
        rounds: The ways take turns, so that a busy minute hits all of them.
        scale: Of the numbers of notes.
        only: Names of the ways to run; all when empty.
        say: Told what goes on.

    Returns:
        Plain data: ``notes_per_s`` and ``cpu_us_per_note`` of each way, ``ratio_to_stock_faust`` and so on by rate,
        ``cpu_ratio_to_stock_faust`` and so on by processor time, the goals, the machine.
    """
    ways = [way for way in WAYS if not only or way.name in only]
    if any(way.name == "quix" for way in ways):
        make_peer_environment(say)
    bench = Bench(addresses, say)
    bench.fill(int(max(way.notes for way in ways) * scale))
    rates: dict[str, list[float]] = {way.name: [] for way in ways}
    costs: dict[str, list[float]] = {way.name: [] for way in ways}
    for number in range(rounds):
        for way in ways:
            rate, cpu_us = bench.measure(way, int(way.notes * scale))
            rates[way.name].append(rate)
            costs[way.name].append(cpu_us)
            say(f"round {number + 1}: {way.name}: {rate:,.0f} notes/s, {cpu_us:.1f} us of CPU a note")
    return summary(rates, costs)


def summary(rates: dict[str, list[float]], costs: dict[str, list[float]]) -> dict[str, Any]:
    """Medians and ratios of what was measured. CPU time a note tells more than rates while others use the machine."""
    medians = {name: statistics.median(measured) for name, measured in rates.items()}
    result: dict[str, Any] = {"notes_per_s": {name: round(rate) for name, rate in medians.items()}}
    spent = {name: statistics.median(measured) for name, measured in costs.items()}
    result["cpu_us_per_note"] = {name: round(cpu_us, 1) for name, cpu_us in spent.items()}
    for name, rate in medians.items():
        if name != "ours" and "ours" in medians:
            result[f"ratio_to_{name}"] = round(medians["ours"] / rate, 2)
            result[f"cpu_ratio_to_{name}"] = round(spent[name] / spent["ours"], 2)
    result["goals"] = {name: goal for name, goal in GOALS.items() if name in result}
    result["rounds"] = {name: [round(rate) for rate in measured] for name, measured in rates.items()}
    result["machine"] = {"cpus": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()}
    return result


def make_peer_environment(say: Callable[[str], None]) -> None:
    """Make the environment of the Quix Streams peer, once.

    Raises:
        BenchError: Its packages cannot be installed.
    """
    done = PEER_ENVIRONMENT / f".made-{hash_of(PEER_REQUIREMENTS)}"
    if done.exists():
        return
    say("making .venv-bench for the Quix Streams peer (once)")
    python = str(PEER_ENVIRONMENT / "bin" / "python")
    for command in (
        [sys.executable, "-m", "venv", str(PEER_ENVIRONMENT)],
        [
            str(Path(sys.executable).with_name("uv")),  # as `make setup` does: pip takes minutes
            "pip",
            "install",
            "--quiet",
            "--python",
            python,
            "--require-hashes",
            "-r",
            str(PEER_REQUIREMENTS),
        ],
    ):
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            line = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise BenchError(f"the Quix Streams peer cannot be installed: {line}")
    done.touch()


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, all its threads; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def hash_of(path: Path) -> str:
    """A short digest of a file."""
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


class Bench:
    """Topics with notes on them, and the measurement of one way."""

    def __init__(self, addresses: Addresses, say: Callable[[str], None]) -> None:
        self._addresses = addresses
        self._say = say
        self._bootstrap = addresses.bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": self._bootstrap})
        self._registry = ConfluentRegistry(addresses.schema_registry_url)
        self._prefix = f"bench{uuid.uuid4().hex[:8]}."
        self._input = self._prefix + topics.NOTES_ACCEPTED

    def fill(self, count: int, texts: Sequence[str] = (TEXT,)) -> None:
        """Put notes on the input topic. Their origin is not LIVE: drift statistics are work that no other way does."""
        apply_schemas(self._registry, self._prefix)
        self._create(self._input)
        # An extractor whose drift topic is missing for a minute ends, and a busy machine needs longer than that.
        for name in (topics.STATISTICS_OBSERVED, topics.REVIEW_REQUESTED, topics.DRIFT_DETECTED):
            self._create(self._prefix + name)
        from contracts.wire import Serializer

        serialize = Serializer.for_topic(NoteAccepted, self._registry, self._input)
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "linger.ms": 20,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 1_000_000,
                "partitioner": "murmur2_random",
            }
        )
        self._say(f"putting {count:,} notes on {self._input}")
        for number, note in enumerate(_notes(count, texts)):
            producer.produce(self._input, serialize(note), note_key(note.source, note.note_id))
            if number % 1000 == 0:
                producer.poll(0)
        if producer.flush(120):
            raise BenchError("the notes could not be put on the topic: is Kafka up?")

    def measure(self, way: Way, notes: int) -> tuple[float, float]:
        """Run one way until it has written ``notes`` events.

        Returns:
            Events a second by the broker's clock, and microseconds of CPU time of the way's process for each note.
        """
        run_id = uuid.uuid4().hex[:8]
        output = f"{self._prefix}{topics.ENTITIES_EXTRACTED}" if way.name == "ours" else f"{self._prefix}out-{run_id}"
        if way.name == "ours":
            self._delete(output)
        self._create(output, {"message.timestamp.type": "LogAppendTime"})
        task = json.dumps(
            {
                "bootstrap_servers": self._bootstrap,
                "input_topic": self._input,
                "output_topic": output,
                "group": f"{self._prefix}{run_id}",
                "note_schema_id": self._schema_id(NoteAccepted, topics.NOTES_ACCEPTED),
                "event_schema_id": self._schema_id(EntitiesExtracted, topics.ENTITIES_EXTRACTED),
            }
        )
        log = Path(os.environ.get("TMPDIR", "/tmp")) / f"rxtract-bench-{way.name}.log"  # noqa: S108 - for the reader of an error
        with log.open("wb") as stderr:
            child = subprocess.Popen(way.command(task), env=self._environment(run_id), stdout=stderr, stderr=stderr)
        try:
            cpu_us = self._wait(child, output, notes, log)
        finally:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        return self._rate(output, notes), cpu_us

    def _environment(self, run_id: str) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(ROOT / package / "src") for package in PEER_PACKAGES),
            "RXTRACT_SCHEMAS_DIR": str(ROOT / "schemas"),
            "RXTRACT_BOOTSTRAP_SERVERS": self._bootstrap,
            "RXTRACT_SCHEMA_REGISTRY_URL": self._addresses.schema_registry_url,
            "RXTRACT_TOPIC_PREFIX": self._prefix,
            "RXTRACT_GROUP_PREFIX": f"{self._prefix}{run_id}.",
            "RXTRACT_LOG_LEVEL": "WARNING",
        }

    def _wait(
        self, child: subprocess.Popen[bytes], output: str, notes: int, log: Path, limit_s: float = 180.0
    ) -> float:
        """Wait for ``notes`` events; returns the CPU time of the process between the first events and the last, for each note."""
        deadline = time.monotonic() + limit_s
        begun: tuple[int, float] | None = None
        while True:
            seen, cpu_s = sum(end for _, _, end in self._watermarks(output)), cpu_seconds(child.pid)
            if begun is None and seen:
                begun = seen, cpu_s
            if begun is not None and seen >= notes:
                return 1e6 * (cpu_s - begun[1]) / max(1, seen - begun[0])
            if child.poll() is not None:
                raise BenchError(f"a way ended with code {child.returncode}: see {log}")
            if time.monotonic() > deadline:
                raise BenchError(f"a way did not write {notes} events within {limit_s:.0f} s: see {log}")
            time.sleep(0.2)

    def _rate(self, output: str, notes: int) -> float:
        """Events a second between the first append and the last of the first ``notes`` events."""
        times = sorted(self._append_times_ms(output))[:notes]
        seconds = (times[-1] - times[0]) / 1000
        if seconds < 0.2:
            raise BenchError("too few notes for a rate: give a larger scale")
        return len(times) / seconds

    def _append_times_ms(self, output: str) -> Iterator[int]:
        with _reader(self._bootstrap) as consumer:
            for partition, first, end in self._watermarks(output):
                consumer.assign([TopicPartition(output, partition, first)])
                position = first
                while position < end:
                    for message in consumer.consume(min(5_000, end - position), timeout=5):
                        position = message.offset() + 1
                        yield message.timestamp()[1]
                consumer.unassign()

    def _watermarks(self, topic: str) -> list[tuple[int, int, int]]:
        """Partition, first offset and end offset; a new topic's partitions may still be looking for their leader."""
        deadline = time.monotonic() + 30
        with _reader(self._bootstrap) as consumer:
            while True:
                try:
                    marks = [(n, *_marks(consumer, TopicPartition(topic, n))) for n in range(PARTITIONS)]
                except KafkaException as error:
                    if time.monotonic() > deadline:
                        raise BenchError(f"the offsets of {topic} cannot be read: {error}") from None
                    time.sleep(0.2)
                else:
                    return marks

    def _schema_id(self, record: type[NoteAccepted] | type[EntitiesExtracted], topic: str) -> int:
        from contracts import files

        return self._registry.lookup(topics.subject_of(self._prefix + topic), files.schema_text(record.SCHEMA_NAME))

    def _create(self, topic: str, config: dict[str, str] | None = None) -> None:
        self._admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=config or {})])[topic].result(30)
        deadline = time.monotonic() + 30
        while topic not in self._admin.list_topics(timeout=10).topics:
            if time.monotonic() > deadline:
                raise BenchError(f"the topic {topic} does not appear")
            time.sleep(0.05)

    def _delete(self, topic: str) -> None:
        if topic not in self._admin.list_topics(timeout=10).topics:
            return
        self._admin.delete_topics([topic])[topic].result(30)
        while topic in self._admin.list_topics(timeout=10).topics:
            time.sleep(0.05)


def _marks(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    first, end = consumer.get_watermark_offsets(partition, timeout=10)
    return int(first), int(end)


class _reader:  # noqa: N801 - reads like a function
    """A consumer without a group, closed at the end."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "bench-reader", "enable.auto.commit": False}
        )

    def __enter__(self) -> Consumer:
        return self._consumer

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def _notes(count: int, texts: Sequence[str]) -> Iterator[NoteAccepted]:
    now_ms = int(time.time() * 1000)
    for number in range(count):
        yield NoteAccepted(
            source="bench",
            note_id=f"note-{number}",
            revision=1,
            prescription_ref="p" * 32,
            patient_ref="q" * 32,
            doctor_ref="d" * 32,
            city=CITIES[number % len(CITIES)],
            specialty="general medicine",
            written_at=now_ms,
            text=texts[number % len(texts)],
            origin=Origin.BACKFILL,
            accepted_at=now_ms,
        )


if __name__ == "__main__":
    import argparse
    from types import SimpleNamespace

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", type=Path, help="stack.json of a running stack (rxtract up)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", nargs="*", default=())
    options = parser.parse_args()
    found = json.loads(options.stack.read_text(encoding="utf-8"))
    measured = run(SimpleNamespace(**found), rounds=options.rounds, scale=options.scale, only=tuple(options.only))
    print(json.dumps(measured, indent=2))
