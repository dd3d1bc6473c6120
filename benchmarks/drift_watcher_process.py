"""What a whole drift-watcher costs at 10,000 notes a second in 104 segments, Kafka's client in it: share of one core.

python benchmarks/drift_watcher_process.py [--seconds 30] [--runs 4] [--stack FILE] [--json]

The records of `drift_detection.py` are sent to a real broker as fast as 10,000 notes a second make them, and the process's
processor time is read from the system. Processor time, not speed: a busy machine makes it worse, not wrong.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from confluent_kafka import Producer
from contracts import topics
from contracts.apply import apply_schemas, apply_topics
from contracts.records import StatisticsObserved
from contracts.registry import ConfluentRegistry
from contracts.wire import Serializer
from drift_detection import BATCH_NOTES, NOTES_PER_S, REFERENCES, batches
from drift_watcher.bootstrap import GROUP, bootstrap
from drift_watcher.settings import DriftWatcherSettings
from embedded_stack.addresses import Addresses, addresses_of, read_stack_json
from embedded_stack.services import ServiceProcess
from embedded_stack.stack import EmbeddedStack
from runtime.service.run import run_service
from rxtract.lag import LagProbe

WARM_UP_S = 3.0
DEADLINE_S = 120.0
SERVE = "--serve"


class Run:
    """One watcher on topics of its own."""

    def __init__(self, known: Addresses, folder: Path) -> None:
        self._prefix = f"b{uuid.uuid4().hex[:8]}."
        self._kafka = {"bootstrap.servers": known.bootstrap_servers}
        registry = ConfluentRegistry(known.schema_registry_url)
        apply_topics(self._kafka, topics.load_topics(), prefix=self._prefix)
        apply_schemas(registry, prefix=self._prefix)
        self._topic = f"{self._prefix}{topics.STATISTICS_OBSERVED}"
        self._serialize = Serializer.for_topic(StatisticsObserved, registry, self._topic)
        environment = {
            "RXTRACT_TOPIC_PREFIX": self._prefix,
            "RXTRACT_GROUP_PREFIX": self._prefix,
            "PYTHONPATH": str(Path(__file__).parent),
        }
        environment |= known.as_environment()
        self._watcher = ServiceProcess(Path(__file__).stem, folder, environment, name="watcher", arguments=[SERVE])
        self._producer = Producer({**self._kafka, "partitioner": "murmur2_random", "linger.ms": 20})
        self._lag = LagProbe(self._kafka, f"{self._prefix}{GROUP}", self._topic)

    def measure(self, seconds: float) -> dict[str, float]:
        """Share of one core that so many seconds of notes take, until all is committed; and at rest."""
        with self._watcher:
            self._watcher.wait_ready(60)
            source = batches(int((seconds + WARM_UP_S) * NOTES_PER_S))
            values = [[(one.segment.encode(), self._serialize(one)) for one in batch] for batch in source]
            warm = int(WARM_UP_S * NOTES_PER_S / BATCH_NOTES)
            self._send(values[:warm])
            process = psutil.Process(self._watcher.pid)
            used_s, records = self._used(process), sum(map(len, values[warm:]))
            began = time.monotonic()
            self._send(values[warm:])
            took_s, used_s = time.monotonic() - began, self._used(process) - used_s
            before = self._used(process)
            time.sleep(5.0)
            rest = (self._used(process) - before) / 5.0
        self._lag.close()
        return {"share_of_one_core": used_s / seconds, "at_rest": rest, "records": records, "seconds": took_s}

    def _used(self, process: psutil.Process) -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    def _send(self, values: list[list[tuple[bytes, bytes]]]) -> None:
        """At the rate of the notes, and until the watcher has committed all."""
        began = time.monotonic()
        for number, batch in enumerate(values, start=1):
            for key, value in batch:
                self._producer.produce(self._topic, value, key)
            self._producer.poll(0)
            left = began + number * BATCH_NOTES / NOTES_PER_S - time.monotonic()
            if left > 0:
                time.sleep(left)
        self._producer.flush(30)
        while self._lag.lag() != 0:
            if time.monotonic() - began > DEADLINE_S:
                raise SystemExit("the watcher did not come to the end: is the machine too busy?")
            time.sleep(0.2)


@contextmanager
def stack_of(file: Path | None) -> Iterator[Addresses]:
    """A running stack, or one of our own."""
    if file is not None:
        yield addresses_of(read_stack_json(file))
        return
    with EmbeddedStack(None, ephemeral=True, components=("kafka", "registry")) as started:
        yield started.addresses


def serve(settings: DriftWatcherSettings) -> None:
    """Run a drift-watcher whose references are given, so that no MLflow is needed."""
    bootstrap(settings, find=lambda _: REFERENCES).run()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--stack", type=Path, help="stack.json of a running stack; else one is started")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with stack_of(options.stack) as known, tempfile.TemporaryDirectory(prefix="rxtract-bench-") as folder:
        runs = [Run(known, Path(folder) / str(number)).measure(options.seconds) for number in range(options.runs)]
    shares = [run["share_of_one_core"] for run in runs]
    if options.json:
        print(json.dumps({"runs": runs, "mean": statistics.mean(shares)}))
        return
    for run in runs:
        print(
            f"{run['share_of_one_core']:.1%} of a core for {run['records']:,.0f} records in {run['seconds']:.0f} s; "
            f"{run['at_rest']:.1%} at rest"
        )
    print(f"mean {statistics.mean(shares):.1%}")


if __name__ == "__main__":
    if SERVE in sys.argv:
        sys.exit(run_service(DriftWatcherSettings, serve))
    main()
