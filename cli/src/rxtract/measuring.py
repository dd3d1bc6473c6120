"""Measures the whole path on a stack of its own: both doors, and how long a note takes to become entities."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from corpus import simulate
from runtime.service import clock

from rxtract.bringup import bring_up
from rxtract.observer import Observer
from rxtract.platform_notes import as_submitted
from rxtract.senders import KafkaSender

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

SEED = 11
KAFKA_NOTES = 60_000
HTTP_NOTES = 10_000
LATENCY_NOTES_PER_S = 500
LATENCY_S = 20
WARM_UP_S = 3
TICK_S = 0.02
PATIENCE_S = 60.0


def measure_path(folder: Path, doors: ModuleType, scale: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Return notes per second of both doors (extractor stopped) and note-to-entity latency at 500 notes a second."""
    with bring_up(folder, ephemeral=True) as running:
        latency = _latency(running.addresses, say)
        running.services.pop("extractor").end()
        say("measuring the doors")
        known = running.addresses
        kafka = doors.measure_kafka_door(
            known.bootstrap_servers, known.schema_registry_url, notes=int(KAFKA_NOTES * scale)
        )
        http = doors.measure_http_door(known.ingest_url, known.ingest_token, notes=int(HTTP_NOTES * scale))
    return {"note_to_entity": latency, "kafka_door": kafka, "http_door": http}


def _latency(addresses: Any, say: Callable[[str], None]) -> dict[str, float]:
    """Send at an even rate through the Kafka door; the clock is that of a consumer outside."""
    door = KafkaSender(addresses)
    total = LATENCY_NOTES_PER_S * (LATENCY_S + WARM_UP_S)
    notes = [as_submitted(note) for note in islice(simulate(SEED), total)]
    say(f"sending {LATENCY_NOTES_PER_S} notes a second for {LATENCY_S} s")
    with Observer(addresses) as observer:
        began = time.monotonic()
        per_tick = int(LATENCY_NOTES_PER_S * TICK_S)
        for number, start in enumerate(range(0, total, per_tick)):
            now_ms = clock.now_ms()
            door.send_soon([replace(note, written_at=now_ms) for note in notes[start : start + per_tick]])
            time.sleep(max(0.0, began + (number + 1) * TICK_S - time.monotonic()))
        door.close()
        observer.wait(lambda seen: len(seen.events) >= total, PATIENCE_S, lambda: None)
        measured = observer.look(lambda seen: list(seen.latencies_ms))
    steady = sorted(measured[LATENCY_NOTES_PER_S * WARM_UP_S :])
    return {
        "notes": len(measured),
        "notes_per_s": LATENCY_NOTES_PER_S,
        "p50_ms": round(steady[len(steady) // 2], 1),
        "p95_ms": round(steady[int(len(steady) * 0.95)], 1),
        "p99_ms": round(steady[int(len(steady) * 0.99)], 1),
    }
