"""How many notes the ingestor takes in a second, by each door. Starts nothing: it is given the addresses of what runs.

    python benchmarks/ingestor_doors.py --stack DIR/stack.json [--topic-prefix P] [--door kafka|http|both] [--notes N]

Kafka door: notes are written to `notes.submitted.v1` faster than they are taken, and the growth of `notes.accepted.v1` is timed
from the moment at which the last one was written (so that writing takes no part of the machine) until the last was accepted.
HTTP door: arrays of 100 over a few connections, timed from the first request to the last 202.
"""

import argparse
import asyncio
import json
import platform
import time
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Consumer, Producer, TopicPartition
from contracts.files import schema_text
from contracts.records import NoteSubmitted, Origin
from contracts.registry import ConfluentRegistry
from contracts.topics import NOTES_ACCEPTED, NOTES_SUBMITTED, prefixed, subject_of
from contracts.wire import Serializer

WORDS = (
    "k/c/o type 2 DM and HTN x 8 yrs, c/o fever with chills 3 days, body ache, no rash. "
    "O/E febrile, BP 148/92, chest clear. Imp: viral fever, uncontrolled hypertension. "
    "Adv Tab metformin 500 mg BD, Tab telmisartan 40 mg OD, Tab paracetamol 650 mg TDS x 3 days, plenty of fluids, review SOS. "
)
TIMEOUT_S = 300.0


def make_note(number: int) -> NoteSubmitted:
    """A note of ordinary length (about 260 characters)."""
    return NoteSubmitted(
        source="bench",
        note_id=f"bench-{time.time_ns()}-{number}",
        revision=1,
        prescription_id=f"RX-{number}",
        patient_ref=f"PAT-{number % 50_000}",
        doctor_ref=f"DOC-{number % 2_000}",
        city="Pune",
        specialty="general medicine",
        written_at=int(time.time() * 1000),
        text=WORDS,
        origin=Origin.BACKFILL,
    )


def measure_kafka_door(
    bootstrap_servers: str, schema_registry_url: str, *, topic_prefix: str = "", notes: int = 200_000
) -> dict[str, Any]:
    """Notes a second by the Kafka door.

    Returns:
        notes, seconds, notes_per_s (after the last was written), notes_per_s_while_written (of the whole run).
    """
    source, target = prefixed(topic_prefix, NOTES_SUBMITTED), prefixed(topic_prefix, NOTES_ACCEPTED)
    registry = ConfluentRegistry(schema_registry_url)
    schema_id = registry.lookup(subject_of(source), schema_text(NoteSubmitted.SCHEMA_NAME))
    write = Serializer(NoteSubmitted, schema_id)
    values = [write(make_note(number)) for number in range(notes)]
    before = _size_of(bootstrap_servers, target)
    started_s = time.monotonic()
    _produce(bootstrap_servers, source, values)
    written_s = time.monotonic()
    at_written = _size_of(bootstrap_servers, target) - before
    finished_s = _wait_for_size(bootstrap_servers, target, before + notes)
    return {
        "notes": notes,
        "note_bytes": len(values[0]),
        "seconds": round(finished_s - written_s, 3),
        "notes_per_s": round((notes - at_written) / (finished_s - written_s)),
        "notes_per_s_while_written": round(notes / (finished_s - started_s)),
    }


def measure_http_door(
    ingest_url: str, token: str, *, notes: int = 20_000, array: int = 100, connections: int = 4
) -> dict[str, Any]:
    """Notes a second by the HTTP door, in arrays.

    Returns:
        notes, seconds, notes_per_s, and p50_ms and p95_ms of one request.
    """
    return asyncio.run(_measure_http(ingest_url, token, notes, array, connections))


async def _measure_http(ingest_url: str, token: str, notes: int, array: int, connections: int) -> dict[str, Any]:
    bodies = [
        json.dumps([_body(start + offset) for offset in range(array)]).encode() for start in range(0, notes, array)
    ]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    took_s: list[float] = []

    async def send_all(client: httpx.AsyncClient) -> None:
        while bodies:
            body = bodies.pop()
            request_started_s = time.monotonic()
            answer = await client.post(f"{ingest_url}/v1/notes", content=body)
            took_s.append(time.monotonic() - request_started_s)
            assert answer.status_code == 202, answer.status_code

    async with httpx.AsyncClient(headers=headers, timeout=30) as client:
        started_s = time.monotonic()
        await asyncio.gather(*(send_all(client) for _ in range(connections)))
        seconds = time.monotonic() - started_s
    took_s.sort()
    return {
        "notes": notes,
        "array": array,
        "connections": connections,
        "seconds": round(seconds, 3),
        "notes_per_s": round(notes / seconds),
        "p50_ms": round(took_s[len(took_s) // 2] * 1000, 1),
        "p95_ms": round(took_s[int(len(took_s) * 0.95)] * 1000, 1),
    }


def _body(number: int) -> dict[str, Any]:
    return {
        name: value for name, value in make_note(number).to_dict().items() if value is not None and name != "source"
    }


def _produce(bootstrap_servers: str, topic: str, values: list[bytes]) -> None:
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "linger.ms": 20,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    for number, value in enumerate(values):
        producer.produce(topic, value, str(number).encode())
    assert producer.flush(TIMEOUT_S) == 0


def _size_of(bootstrap_servers: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "rxtract-bench-size"})
    try:
        return _count(consumer, topic)
    finally:
        consumer.close()


def _wait_for_size(bootstrap_servers: str, topic: str, size: int) -> float:
    """The time (monotonic) at which a topic had so many records."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "rxtract-bench-size"})
    deadline_s = time.monotonic() + TIMEOUT_S
    try:
        while _count(consumer, topic) < size:
            if time.monotonic() > deadline_s:
                raise TimeoutError("the ingestor did not accept all notes in time: is it running on this stack?")
            time.sleep(0.02)
        return time.monotonic()
    finally:
        consumer.close()


def _count(consumer: Consumer, topic: str) -> int:
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    total = 0
    for number in partitions:
        offsets = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
        assert offsets is not None
        total += offsets[1] - offsets[0]
    return total


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description="Notes a second by each door of a running ingestor.")
    parser.add_argument("--stack", type=Path, required=True, help="stack.json with the addresses")
    parser.add_argument("--topic-prefix", default="")
    parser.add_argument("--door", choices=("kafka", "http", "both"), default="both")
    parser.add_argument("--notes", type=int, default=0, help="0 takes 200,000 by Kafka and 20,000 by HTTP")
    parser.add_argument("--ingest-url", help="overrides the stack's")
    parser.add_argument("--token", help="overrides the stack's")
    options = parser.parse_args()
    stack = json.loads(options.stack.read_text(encoding="utf-8"))
    found: dict[str, Any] = {"machine": f"{platform.machine()}, {platform.python_version()}"}
    if options.door in {"kafka", "both"}:
        found["kafka_door"] = measure_kafka_door(
            stack["bootstrap_servers"],
            stack["schema_registry_url"],
            topic_prefix=options.topic_prefix,
            notes=options.notes or 200_000,
        )
    if options.door in {"http", "both"}:
        found["http_door"] = measure_http_door(
            options.ingest_url or stack["ingest_url"],
            options.token or stack["ingest_token"],
            notes=options.notes or 20_000,
        )
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
