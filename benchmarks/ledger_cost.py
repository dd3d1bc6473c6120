"""Processor time of the ledger at a steady rate of notes, on a real broker; beside another one that reads the same records at the same time.

python benchmarks/ledger_cost.py [--rate 5000] [--seconds 30] [--against OTHER/services/ledger/src] [--json]

Each note is what it is in production: a submitted record, the accepted one that names it, and its entity event. The ledger is the real
process. A share of a core is its processor time, all threads, by the time in which the notes came; what it takes at rest is in it.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
from confluent_kafka import Producer
from contracts import files
from contracts.apply import apply_schemas, apply_topics
from contracts.records import EntitiesExtracted, NoteAccepted, NoteSubmitted, Origin
from contracts.registry import ConfluentRegistry
from contracts.topics import ENTITIES_EXTRACTED, NOTES_ACCEPTED, NOTES_SUBMITTED, load_topics
from contracts.wire import Serializer
from corpus import simulate
from embedded_stack.services import ServiceProcess
from embedded_stack.stack import EmbeddedStack
from runtime.kafka.delivery import PRODUCER_DEFAULTS
from rxtract.platform_notes import as_submitted

DISTINCT = 2_000
PARTITIONS = 12
WARM_UP_S = 3.0
DEADLINE_S = 300.0
TICK_S = 0.1
OURS = Path(__file__).parents[1] / "services/ledger/src"


class Codecs(NamedTuple):
    """Writers of the three records."""

    submitted: Serializer[NoteSubmitted]
    accepted: Serializer[NoteAccepted]
    effect: Serializer[EntitiesExtracted]


class Written(NamedTuple):
    """The three records of a note."""

    key: bytes
    submitted: bytes
    accepted: bytes
    effect: bytes


def notes(count: int, write: Codecs) -> Iterator[Written]:
    """Notes of a few thousand texts, each with an id of its own."""
    (path,) = (one for one in files.example_files(ENTITIES_EXTRACTED) if one.stem == "disease-with-two-treatments")
    event = EntitiesExtracted.from_json(path.read_text(encoding="utf-8"))
    texts = [as_submitted(note) for note in islice(simulate(5), DISTINCT)]
    for number in range(count):
        note = replace(texts[number % DISTINCT], note_id=f"cost-{number:09d}")
        accepted = NoteAccepted(
            source=note.source,
            note_id=note.note_id,
            revision=note.revision,
            prescription_ref="p" * 43,
            patient_ref="p" * 43,
            doctor_ref="d" * 43,
            city=note.city,
            specialty=note.specialty,
            written_at=note.written_at,
            text=note.text,
            origin=Origin.LIVE,
            accepted_at=note.written_at,
            pseudonym_key_id="key",
        )
        effect = replace(event, source=note.source, note_id=note.note_id, revision=note.revision)
        key = f"{note.source}|{note.note_id}".encode()
        yield Written(key, write.submitted(note), write.accepted(accepted), write.effect(effect))


class Sender:
    """Stands for platform, ingestor and extractor: a client each, as theirs are configured."""

    def __init__(self, servers: str) -> None:
        made = [Producer({**PRODUCER_DEFAULTS, "bootstrap.servers": servers}) for _ in range(3)]
        self._submitted, self._accepted, self._effects = made
        self._offsets = [0] * PARTITIONS
        self._sent = 0

    def send(self, batch: list[Written]) -> None:
        """Write a batch; where a submitted record came to lie is counted, since nobody else writes there."""
        for note in batch:
            partition = self._sent // 100 % PARTITIONS
            self._sent += 1
            offset, self._offsets[partition] = self._offsets[partition], self._offsets[partition] + 1
            self._submitted.produce(NOTES_SUBMITTED, note.submitted, note.key, partition)
            origin = [("rxtract.submitted", f"{partition}:{offset}".encode())]
            self._accepted.produce(NOTES_ACCEPTED, note.accepted, note.key, partition, headers=origin)
        self._accepted.flush(60)
        self._submitted.flush(60)
        for note in batch:
            self._effects.produce(ENTITIES_EXTRACTED, note.effect, note.key)
        self._effects.flush(60)


def ledger(name: str, source: Path, env: dict[str, str], folder: Path) -> ServiceProcess:
    """One ledger from some sources, with a folder of its own."""
    path = os.pathsep.join([str(source), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"PYTHONPATH": path, "RXTRACT_LEDGER_DIR": str(folder / name)}
    return ServiceProcess("ledger", folder, {**env, **own}, name=name)


def effects(one: ServiceProcess) -> int:
    """Notes that it has seen answered."""
    answer = httpx.get(f"{one.health_url}/account", timeout=60)
    return int(answer.json()["effects"]) if answer.is_success else -1


def spent_s(one: ServiceProcess) -> float:
    """Processor time of a process, all threads."""
    return float(sum(psutil.Process(one.pid).cpu_times()[:2]))


def run(rate: int, seconds: float, ledgers: dict[str, ServiceProcess], sender: Sender, given: list[Written]) -> float:
    """Send at a rate and wait until every ledger has counted all; the seconds that it took."""
    array = int(rate * TICK_S)
    before = {name: effects(one) for name, one in ledgers.items()}
    began = time.monotonic()
    for start in range(0, len(given), array):
        sender.send(given[start : start + array])
        left = began + (start + array) / rate - time.monotonic()
        if left > 0:
            time.sleep(left)
    took = max(seconds, time.monotonic() - began)
    deadline = time.monotonic() + DEADLINE_S
    while any(effects(one) - before[name] < len(given) for name, one in ledgers.items()):
        if time.monotonic() > deadline:
            raise SystemExit(f"not all was counted: {[effects(one) for one in ledgers.values()]}")
        time.sleep(0.5)
    return took


def measure(options: argparse.Namespace, sources: dict[str, Path]) -> dict[str, Any]:
    """Run the ledgers on one broker, the same records for each."""
    with (
        ExitStack() as ending,
        tempfile.TemporaryDirectory(prefix="rxtract-ledger-") as name,
        EmbeddedStack(Path(name) / "stack", ephemeral=True, components=("kafka", "registry")) as stack,
    ):
        folder, servers = Path(name), stack.addresses.bootstrap_servers
        registry = ConfluentRegistry(stack.addresses.schema_registry_url)
        apply_topics({"bootstrap.servers": servers}, load_topics(), "")
        apply_schemas(registry, "")
        write = Codecs(
            Serializer.for_topic(NoteSubmitted, registry, NOTES_SUBMITTED),
            Serializer.for_topic(NoteAccepted, registry, NOTES_ACCEPTED),
            Serializer.for_topic(EntitiesExtracted, registry, ENTITIES_EXTRACTED),
        )
        env = {**stack.addresses.as_environment()}
        ledgers = {one: ledger(one, source, env, folder) for one, source in sources.items()}
        for one in ledgers.values():
            ending.enter_context(one).wait_ready(120)
        warm, count = int(options.rate * WARM_UP_S), int(options.rate * options.seconds)
        given = list(notes(warm + count, write))
        sender = Sender(servers)
        run(options.rate, WARM_UP_S, ledgers, sender, given[:warm])
        before = {one: spent_s(process) for one, process in ledgers.items()}
        took_s = run(options.rate, options.seconds, ledgers, sender, given[warm:])
        spent = {one: spent_s(process) - before[one] for one, process in ledgers.items()}
    found: dict[str, Any] = {"notes": count, "notes_a_second": round(count / took_s)}
    found["us_a_note"] = {one: round(1e6 * value / count, 2) for one, value in spent.items()}
    found["share_of_a_core"] = {one: round(value / count * options.rate, 4) for one, value in spent.items()}
    if "against" in spent:
        found["ours_by_the_other"] = round(spent["ours"] / spent["against"], 3)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=5_000, help="notes a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--against", type=Path, help="the sources of another ledger, which reads the same records")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sources = {"ours": OURS} | ({"against": options.against.resolve()} if options.against else {})
    found = measure(options, sources)
    if options.json:
        print(json.dumps(found))
        return
    for name in sources:
        share, cost = found["share_of_a_core"][name], found["us_a_note"][name]
        print(f"{name:<10}{cost:>8.1f} us a note, {share:>6.1%} of a core at {options.rate} notes/s")
    print(f"sent at {found['notes_a_second']} notes/s; ours by the other: {found.get('ours_by_the_other', '-')}")


if __name__ == "__main__":
    main()
