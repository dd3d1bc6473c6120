"""Processor time that each service spends on a note, by process, on a whole running stack: what docs/scale.md is computed from.

python benchmarks/service_costs.py [--notes 30000] [--rate 1000] [--json]

Processor time, not speed: it is the same on a busy machine. Warm-up notes are sent first and do not count.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import httpx
import psutil
from contracts.topics import STATISTICS_OBSERVED, prefixed
from corpus import simulate
from rxtract.bringup import Running, bring_up
from rxtract.kafka import client_config
from rxtract.lag import LagProbe
from rxtract.platform_notes import as_submitted
from rxtract.senders import HttpSender, KafkaSender

WARM_UP = 3_000
HTTP_ARRAY = 100
DEADLINE_S = 300
GROUPS = {"rxtract-extractor": "notes.accepted.v1", "rxtract-drift-watcher": STATISTICS_OBSERVED}


def processor_s(running: Running) -> dict[str, float]:
    """Seconds of processor time of each service and of the broker so far."""
    found = {name: psutil.Process(one.pid) for name, one in running.services.items()}
    for child in psutil.Process().children(recursive=True):
        line = " ".join(child.cmdline())
        if "kafka.Kafka" in line:
            found["kafka"] = child
        elif "redis-server" in line:
            found["redis"] = child
    return {name: sum(process.cpu_times()[:2]) for name, process in found.items()}


def send(door: HttpSender | KafkaSender, notes: list, rate: float) -> None:  # type: ignore[type-arg]
    """Send notes in arrays of a tenth of a second, so many a second; HTTP takes at most 100 at once."""
    array = max(1, int(rate / 10))
    if isinstance(door, HttpSender):
        array = min(array, HTTP_ARRAY)
    began = time.monotonic()
    for start in range(0, len(notes), array):
        door.send(notes[start : start + array])
        left = began + (start + array) / rate - time.monotonic()
        if left > 0:
            time.sleep(left)


def settle(running: Running, sent: int) -> None:
    """Wait until nothing is left to do: every group at its end, every note counted by the scorekeeper."""
    known = running.addresses
    probes = [
        LagProbe(client_config(known, "rxtract-costs"), group, prefixed(known.topic_prefix, topic))
        for group, topic in GROUPS.items()
    ]
    deadline = time.monotonic() + DEADLINE_S
    while any(probe.lag() != 0 for probe in probes) or counted(running) < sent:
        if time.monotonic() > deadline:
            raise SystemExit("the services did not come to rest: is the machine too busy?")
        time.sleep(0.5)
    for probe in probes:
        probe.close()


def counted(running: Running) -> int:
    """Notes that the scorekeeper has counted today."""
    answer = httpx.get(f"{running.addresses.score_url}/api/kpis", timeout=30)
    return int(answer.json()["notes_today"]) if answer.is_success else 0


def measure(running: Running, door: HttpSender | KafkaSender, notes: list, rate: float, sent: int) -> dict[str, float]:  # type: ignore[type-arg]
    """Microseconds a note by process; `sent` notes were sent before."""
    settle(running, sent)
    before = processor_s(running)
    began = time.monotonic()
    send(door, notes, rate)
    settle(running, sent + len(notes))
    idle_s = time.monotonic() - began
    after = processor_s(running)
    rest = at_rest(running)
    spent = {name: after[name] - before[name] - rest[name] * idle_s for name in before}
    return {name: round(1e6 * value / len(notes), 1) for name, value in spent.items()}


def at_rest(running: Running, seconds: float = 10.0) -> dict[str, float]:
    """Share of a core that each process takes when nothing comes."""
    before = processor_s(running)
    time.sleep(seconds)
    after = processor_s(running)
    return {name: (after[name] - before[name]) / seconds for name in before}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=30_000)
    parser.add_argument(
        "--rate", type=float, default=1_000, help="notes a second; a high one shows the cost in large batches"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    notes = [as_submitted(note) for note in islice(simulate(5), WARM_UP + 2 * options.notes)]
    with (
        tempfile.TemporaryDirectory(prefix="rxtract-costs-") as folder,
        bring_up(Path(folder), ephemeral=True, close_loop=True) as running,
    ):
        kafka, http = KafkaSender(running.addresses), HttpSender(running.addresses)
        send(kafka, notes[:WARM_UP], options.rate)
        by_kafka = measure(running, kafka, notes[WARM_UP : WARM_UP + options.notes], options.rate, WARM_UP)
        # Over HTTP the token says the source.
        few = [replace(note, source="") for note in notes[WARM_UP + options.notes :][: options.notes // 3]]
        by_http = measure(running, http, few, options.rate / 2, WARM_UP + options.notes)
        kafka.close()
        http.close()
    chars = sum(len(note.text) for note in notes) / len(notes)
    found = {"characters_a_note": round(chars), "kafka_door_us": by_kafka, "http_door_us": by_http}
    if options.json:
        print(json.dumps(found))
        return
    print(
        f"{found['characters_a_note']} characters a note; microseconds of processor time a note, by Kafka and by HTTP"
    )
    for name in by_kafka:
        print(f"{name:<16}{by_kafka[name]:>10.1f}{by_http[name]:>10.1f}")


if __name__ == "__main__":
    main()
