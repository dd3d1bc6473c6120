"""A story of drift as records on a topic, and what one watcher that nobody disturbs makes of it."""

import threading
import time
from zoneinfo import ZoneInfo

import numpy as np
from contracts import topics
from contracts.records import DriftState, ModelRef, StatisticsObserved
from contracts.wire import Deserializer, Serializer
from drift.config import DriftConfig
from drift.observation import in_order
from drift.state import digest, dump
from drift.watcher import PartitionWatcher
from drift_process import REFERENCES

NOTES = 20_000
SHIFT_AT = 8_000
BACK_AT = 14_000
SAVE_EVERY = 50
START_MS = 1_795_408_200_000
MODEL = ModelRef(name="rxtract-ner", version="7", serial=9)
ENVIRONMENT = {"RXTRACT_SAVE_EVERY_RECORDS": str(SAVE_EVERY)}


def records(ahead_ms=0):
    """Statistics of all notes and of three cities; unknown words rise in Pune, and go back.

    Every other record is of an extractor whose clock, and whose notes' clocks, are `ahead_ms` ahead.
    """
    random = np.random.default_rng(0)
    for first in range(0, NOTES, 25):
        for segment in ("all", "city=Pune", "city=Delhi", "city=Mumbai"):
            oov = random.normal(0.10, 0.08, 25) + (0.1 if "Pune" in segment and SHIFT_AT <= first < BACK_AT else 0.0)
            confidence = random.normal(0.966, 0.036, 25)
            yield StatisticsObserved(
                segment=segment,
                model=MODEL,
                note_partition=0,
                first_offset=first,
                last_offset=first + 24,
                observed_at=true_time(first) + ahead_ms * (first // 25 % 2),
                n=25,
                statistics=(),
                sums=in_order(
                    {
                        name: (25.0, float(v.sum()), float((v * v).sum()))
                        for name, v in (("oov_share", oov), ("confidence", confidence))
                    }
                ),
            )


def true_time(first_offset):
    return START_MS + first_offset * 1_000


def publish(rig, seconds: float, ahead_ms: int = 0, parts: int = 1, go: threading.Semaphore | None = None) -> None:
    """Publish the story; with `go` in so many parts, each begun when it is released once more."""
    serialise = Serializer.for_topic(StatisticsObserved, rig.registry, rig.topic(topics.STATISTICS_OBSERVED))
    everything = list(records(ahead_ms))
    pause_s = seconds / (len(everything) / 100)
    for number, record in enumerate(everything):
        if go is not None and number % -(-len(everything) // parts) == 0:
            go.acquire()
        at_ms = int(time.time() * 1000) + record.observed_at - true_time(record.first_offset)
        rig.producer.produce(
            rig.topic(topics.STATISTICS_OBSERVED), serialise(record), record.segment.encode(), timestamp=at_ms
        )
        if number % 100 == 99:
            rig.producer.flush(10)
            time.sleep(pause_s)
    assert rig.producer.flush(60) == 0


def unbroken(rig, right=lambda record: record):
    """What one watcher that nobody kills makes of the same partitions; `right` may change each record."""
    decode = Deserializer.for_topic(StatisticsObserved, rig.registry, rig.topic(topics.STATISTICS_OBSERVED))
    watchers, events, commands, states = {}, [], [], {}
    for message in rig.read(rig.topic(topics.STATISTICS_OBSERVED)):
        partition = message.partition()
        if partition not in watchers:
            watchers[partition] = PartitionWatcher(
                partition, DriftConfig(), lambda _: REFERENCES, ZoneInfo("Asia/Kolkata")
            )
        watcher = watchers[partition]
        outcome = watcher.apply(message.offset(), right(decode(message.value())))
        events += outcome.detected
        commands += outcome.commands
        if outcome.detected or watcher.is_save_due(SAVE_EVERY, 600_000):
            watcher.mark_saved()
            states[partition] = (watcher.last_offset, digest(dump(watcher)))
    return events, commands, states


def decoded(rig, record, name):
    decode = Deserializer.for_topic(record, rig.registry, rig.topic(name))
    return [decode(message.value()) for message in rig.read(rig.topic(name))]


def newest_states(rig):
    """Per partition the last saved offset and digest."""
    return {
        one.source_partition: (one.source_offset, one.sha256) for one in decoded(rig, DriftState, topics.DRIFT_STATE)
    }
