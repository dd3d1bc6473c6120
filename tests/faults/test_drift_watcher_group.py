"""Two drift-watchers share the work and part again, and clocks go wrong: the same alarms, none twice, none missed."""

import dataclasses
import threading
import time
from pathlib import Path

import extractor_rig as rigs
import pytest
from contracts import topics
from contracts.records import DriftDetected, ModelCommand
from drift_rig import ENVIRONMENT, decoded, newest_states, publish, true_time, unbroken
from extractor_rig import until

HOUR_MS = 3_600_000

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]


@pytest.fixture
def rig(extractor_rig, monkeypatch):
    monkeypatch.setattr(rigs, "PROCESS", Path(__file__).with_name("drift_process.py"))
    return extractor_rig


def words(records) -> list[str]:
    return sorted(map(repr, records))


def saved(rig) -> int:
    return sum(rig.ends(topics.DRIFT_STATE).values())


def assigned(process) -> float:
    return process.metric("rxtract_assigned_partitions")


@pytest.mark.parametrize("visits", [1, pytest.param(5, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_a_second_watcher_joins_and_leaves(rig, visits, record_property):
    first = rig.start(**ENVIRONMENT)
    until(lambda: assigned(first) == 12, 60, "the first to have all partitions")
    go = threading.Semaphore(0)
    publisher = threading.Thread(target=publish, args=(rig, 20.0), kwargs={"parts": 2 * visits, "go": go})
    publisher.start()
    took = []
    for _ in range(visits):
        go.release()
        until(lambda: saved(rig) > 1, 40, "a saved state")
        second = rig.start(**ENVIRONMENT)
        until(lambda second=second: assigned(first) == assigned(second) == 6, 60, "each to have half of the partitions")
        before = saved(rig)
        go.release()
        until(lambda before=before: saved(rig) > before + 2, 40, "both to work")
        assert second.terminate() == 0
        left_s = time.monotonic()
        until(lambda: assigned(first) == 12, 60, "the first to have all partitions again")
        took.append(time.monotonic() - left_s)
    publisher.join()
    events, commands, states = unbroken(rig)
    until(lambda: newest_states(rig) == states, 40, "the states of an unbroken run")
    assert first.terminate() == 0
    assert len(events) >= 2
    assert commands
    assert words(decoded(rig, DriftDetected, topics.DRIFT_DETECTED)) == words(events)
    assert words(decoded(rig, ModelCommand, topics.MODEL_COMMANDS)) == words(commands)
    record_property(
        "figure", f"{2 * visits} moves of 6 of 12 partitions: the same as unbroken; taken over within {max(took):.1f} s"
    )


def test_clocks_an_hour_apart_change_times_and_no_decision(rig):
    """Every other record, its notes and its Kafka timestamp come from a clock that is an hour ahead.

    Decisions follow the order of the topic. What an alarm says of times may be wrong by that hour and no more.
    """
    process = rig.start(**ENVIRONMENT)
    publish(rig, 5.0, ahead_ms=HOUR_MS)
    _, _, states = unbroken(rig)
    until(lambda: newest_states(rig) == states, 60, "all to be decided")
    assert process.terminate() == 0
    events, commands, _ = unbroken(
        rig, lambda record: dataclasses.replace(record, observed_at=true_time(record.first_offset))
    )
    found = decoded(rig, DriftDetected, topics.DRIFT_DETECTED)
    asked = decoded(rig, ModelCommand, topics.MODEL_COMMANDS)
    assert {command.command_id for command in asked} == {command.command_id for command in commands}
    right = {(event.source_partition, event.source_offset): event for event in events}
    assert len(found) == len(right) >= 2
    for event in found:
        expected = right[event.source_partition, event.source_offset]
        assert (event.episode_id, event.segment, event.level, event.direction, event.statistics) == (
            expected.episode_id, expected.segment, expected.level, expected.direction, expected.statistics,
        )  # fmt: skip
        assert 0 <= event.began_at - expected.began_at <= HOUR_MS
        assert 0 <= event.detected_at - expected.detected_at <= HOUR_MS
