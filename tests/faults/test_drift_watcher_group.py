"""Two drift-watchers share the work and part again, and clocks go wrong: the same alarms, none twice, none missed."""

import dataclasses
import threading
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


def assigned(process) -> float:
    return process.metric("rxtract_assigned_partitions")


def test_a_second_watcher_joins_and_leaves(rig):
    first = rig.start(**ENVIRONMENT)
    until(lambda: assigned(first) == 12, 60, "the first to have all partitions")
    publisher = threading.Thread(target=publish, args=(rig, 20.0))
    publisher.start()
    until(lambda: sum(rig.ends(topics.DRIFT_STATE).values()) > 1, 40, "a saved state")
    second = rig.start(**ENVIRONMENT)
    until(lambda: assigned(first) == assigned(second) == 6, 60, "each to have half of the partitions")
    saved = sum(rig.ends(topics.DRIFT_STATE).values())
    until(lambda: sum(rig.ends(topics.DRIFT_STATE).values()) > saved + 2, 40, "both to work")
    was_publishing = publisher.is_alive()
    assert second.terminate() == 0
    until(lambda: assigned(first) == 12, 60, "the first to have all partitions again")
    publisher.join()
    assert was_publishing, "the story was over before the second left"
    events, commands, states = unbroken(rig)
    until(lambda: newest_states(rig) == states, 40, "the states of an unbroken run")
    assert first.terminate() == 0
    assert len(events) >= 2
    assert commands
    assert words(decoded(rig, DriftDetected, topics.DRIFT_DETECTED)) == words(events)
    assert words(decoded(rig, ModelCommand, topics.MODEL_COMMANDS)) == words(commands)


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
