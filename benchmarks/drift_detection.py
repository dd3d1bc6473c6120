"""What the drift-watcher's work costs at 10,000 notes a second in 100 segments: `python benchmarks/drift_detection.py`.

Notes of 12 cities and 7 specialties are summed up as the extractor does it (batches of 500 of 12 partitions), and the records are
decoded, applied and saved as the watcher does it. Kafka's client is not in it. Prints the share of one core and the state's size.
"""

import argparse
import json
import time
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from zlib import crc32
from zoneinfo import ZoneInfo

import numpy as np
from contracts.records import ModelRef, StatisticsObserved
from contracts.registry import InMemoryRegistry
from contracts.wire import Deserializer, Serializer
from drift.backtest import RecordedNote
from drift.config import DriftConfig
from drift.observation import Observation, observe
from drift.reference import Reference
from drift.state import digest, dump, pack
from drift.watcher import PartitionWatcher

NOTES_PER_S = 10_000
NOTE_PARTITIONS = 12
BATCH_NOTES = 500
SAVE_EVERY_RECORDS = 2_000
SAVE_EVERY_MS = 600_000
MODEL = ModelRef(name="rxtract-ner", version="1", serial=1)
REFERENCES = {
    "tokens": Reference(30.0, 2.2),
    "disease_entities": Reference(1.26, 0.27),
    "treatment_entities": Reference(1.26, 0.27),
    "confidence": Reference(0.966, 0.0072),
    "oov_share": Reference(0.1, 0.016),
    "unknown_char_share": Reference(0.0, 0.004),
    "disease_token_share": Reference(0.55, 0.07),
}


def notes(seed: int, start_ms: int) -> Iterator[tuple[RecordedNote, SimpleNamespace]]:
    """Quiet notes of 12 cities and 7 specialties: 1 + 12 + 7 + 84 = 104 segments."""
    random = np.random.default_rng(seed)
    for index in count():
        tokens = int(random.integers(10, 60))
        numbers = SimpleNamespace(
            tokens=tokens,
            oov_tokens=int(random.binomial(tokens, 0.1)),
            chars=tokens * 6,
            unknown_chars=0,
            disease_entities=int(random.poisson(1.26)),
            treatment_entities=int(random.poisson(1.26)),
            disease_tokens=2,
            treatment_tokens=2,
            negated_entities=0,
            uncertain_entities=0,
            confidence=float(np.clip(random.normal(0.966, 0.036), 0, 1)),
        )
        yield (
            RecordedNote(f"city{random.integers(12)}", f"specialty{random.integers(7)}", start_ms + index // 10),
            numbers,
        )


def batches(n: int) -> Iterator[list[StatisticsObserved]]:
    """The records of each batch of the extractor."""
    source = notes(0, 1_795_408_200_000)
    for number in range(n // BATCH_NOTES):
        first = number // NOTE_PARTITIONS * BATCH_NOTES
        rows = [Observation(first + at, *next(source)) for at in range(BATCH_NOTES)]
        yield list(observe(rows, MODEL, number % NOTE_PARTITIONS))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    registry = InMemoryRegistry()
    serialise = Serializer(StatisticsObserved, register(registry))
    decode = Deserializer.for_topic(StatisticsObserved, registry, "statistics.observed.v1")
    values = [[(crc32(r.segment.encode()) % 12, serialise(r)) for r in batch] for batch in batches(options.notes)]
    watchers = [PartitionWatcher(p, DriftConfig(), lambda _: REFERENCES, ZoneInfo("UTC")) for p in range(12)]
    begun_at_s = time.process_time()
    alarms = saves = records = 0
    for batch in values:
        for partition, value in batch:
            watcher = watchers[partition]
            alarms += len(watcher.apply(watcher.last_offset + 1, decode(value)).detected)
            records += 1
            if watcher.is_save_due(SAVE_EVERY_RECORDS, SAVE_EVERY_MS):
                watcher.mark_saved()
                plain = dump(watcher)
                pack(plain), digest(plain)
                saves += 1
    used_s = time.process_time() - begun_at_s
    report(options, watchers, used_s / (options.notes / NOTES_PER_S), records, saves, alarms)


def register(registry: InMemoryRegistry) -> int:
    """Register the record's schema."""
    from contracts.files import schema_text

    return registry.register("statistics.observed.v1-value", schema_text("StatisticsObserved"))


def report(
    options: argparse.Namespace, watchers: list[PartitionWatcher], share: float, records: int, saves: int, alarms: int
) -> None:
    """Print the figures."""
    sizes = [len(dump(watcher)) for watcher in watchers]
    figures = {
        "share_of_one_core": round(share, 4),
        "notes": options.notes,
        "segments": sum(len(watcher.segments) for watcher in watchers),
        "records": records,
        "records_per_note": round(records / options.notes, 3),
        "us_per_record": round(share * 1e6 / (records / options.notes * NOTES_PER_S), 2),
        "saves": saves,
        "state_bytes": sum(sizes),
        "packed_bytes": sum(len(pack(dump(watcher))) for watcher in watchers),
        "alarms": alarms,
    }
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:>20}  {value}")


if __name__ == "__main__":
    main()
