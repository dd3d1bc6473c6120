"""kill -9 of the drift-watcher while 20,000 notes' statistics arrive: alarms, ids, offsets and state equal an unbroken run."""

import threading
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import extractor_rig as rigs
import numpy as np
import pytest
from contracts import topics
from contracts.records import DriftDetected, DriftState, ModelCommand, ModelRef, StatisticsObserved
from contracts.wire import Deserializer, Serializer
from drift.config import DriftConfig
from drift.observation import in_order
from drift.state import digest, dump
from drift.watcher import PartitionWatcher
from drift_process import REFERENCES
from extractor_rig import until

NOTES = 20_000
SHIFT_AT = 8_000
BACK_AT = 14_000
KILLS = 3
SAVE_EVERY = 50
START_MS = 1_795_408_200_000
MODEL = ModelRef(name="rxtract-ner", version="7", serial=9)

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]


def records():
    """Statistics of all notes and of three cities; unknown words rise in Pune, and go back."""
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
                observed_at=START_MS + first * 1_000,
                n=25,
                statistics=(),
                sums=in_order(
                    {
                        name: (25.0, float(v.sum()), float((v * v).sum()))
                        for name, v in (("oov_share", oov), ("confidence", confidence))
                    }
                ),
            )


def publish(rig, seconds: float) -> None:
    serialise = Serializer.for_topic(StatisticsObserved, rig.registry, rig.topic(topics.STATISTICS_OBSERVED))
    everything = list(records())
    pause_s = seconds / (len(everything) / 100)
    for number, record in enumerate(everything):
        rig.producer.produce(rig.topic(topics.STATISTICS_OBSERVED), serialise(record), record.segment.encode())
        if number % 100 == 99:
            rig.producer.flush(10)
            time.sleep(pause_s)
    assert rig.producer.flush(60) == 0


def unbroken(rig):
    """What one watcher that nobody kills makes of the same partitions."""
    decode = Deserializer.for_topic(StatisticsObserved, rig.registry, rig.topic(topics.STATISTICS_OBSERVED))
    watchers, events, commands, states = {}, [], [], {}
    for message in rig.read(rig.topic(topics.STATISTICS_OBSERVED)):
        partition = message.partition()
        if partition not in watchers:
            watchers[partition] = PartitionWatcher(
                partition, DriftConfig(), lambda _: REFERENCES, ZoneInfo("Asia/Kolkata")
            )
        watcher = watchers[partition]
        outcome = watcher.apply(message.offset(), decode(message.value()))
        events += outcome.detected
        commands += outcome.commands
        if outcome.detected or watcher.is_save_due(SAVE_EVERY, 600_000):
            watcher.mark_saved()
            states[partition] = (watcher.last_offset, digest(dump(watcher)))
    return events, commands, states


def decoded(rig, record, name):
    decode = Deserializer.for_topic(record, rig.registry, rig.topic(name))
    return [decode(message.value()) for message in rig.read(rig.topic(name))]


def test_kills_change_no_alarm_no_command_and_no_state(extractor_rig, monkeypatch, record_property):
    rig = extractor_rig
    monkeypatch.setattr(rigs, "PROCESS", Path(__file__).with_name("drift_process.py"))
    environment = {"RXTRACT_SAVE_EVERY_RECORDS": str(SAVE_EVERY)}
    publisher = threading.Thread(target=publish, args=(rig, 20.0))
    publisher.start()
    for _ in range(KILLS):
        saved = sum(rig.ends(topics.DRIFT_STATE).values())
        process = rig.start(**environment)
        until(lambda saved=saved: sum(rig.ends(topics.DRIFT_STATE).values()) > saved + 1, 40, "saved states")
        process.kill()
    publisher.join()
    last = rig.start(**environment)
    events, commands, states = unbroken(rig)

    def newest():
        return {
            one.source_partition: (one.source_offset, one.sha256)
            for one in decoded(rig, DriftState, topics.DRIFT_STATE)
        }

    until(lambda: newest() == states, 40, "the states of an unbroken run")
    assert last.terminate() == 0
    found, asked = decoded(rig, DriftDetected, topics.DRIFT_DETECTED), decoded(rig, ModelCommand, topics.MODEL_COMMANDS)
    record_property(
        "seen", f"{len(events)} events, {len(found)} records of them; {len(commands)} commands, {len(asked)}"
    )
    assert len(events) >= 2
    assert commands
    assert set(map(repr, found)) == set(map(repr, events))
    assert set(map(repr, asked)) == set(map(repr, commands))
    assert {command.command_id for command in asked} == {command.command_id for command in commands}
