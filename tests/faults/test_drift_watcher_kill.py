"""kill -9 of the drift-watcher while 20,000 notes' statistics arrive: alarms, ids, offsets and state equal an unbroken run."""

import threading
from pathlib import Path

import extractor_rig as rigs
import pytest
from contracts import topics
from contracts.records import DriftDetected, ModelCommand
from drift_rig import ENVIRONMENT, decoded, newest_states, publish, unbroken
from extractor_rig import until

KILLS = 3

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]


def started(rig):
    process = rig.start(**ENVIRONMENT)
    until(lambda: process.metric("rxtract_assigned_partitions") == 12, 60, "all partitions")
    return process


def test_kills_change_no_alarm_no_command_and_no_state(extractor_rig, monkeypatch, record_property):
    rig = extractor_rig
    monkeypatch.setattr(rigs, "PROCESS", Path(__file__).with_name("drift_process.py"))
    go = threading.Semaphore(0)
    more = {"parts": KILLS + 1, "go": go}
    publisher = threading.Thread(target=publish, args=(rig, 20.0), kwargs=more, daemon=True)
    publisher.start()
    for _ in range(KILLS):
        process = started(rig)
        saved = sum(rig.ends(topics.DRIFT_STATE).values())
        go.release()
        until(lambda saved=saved: sum(rig.ends(topics.DRIFT_STATE).values()) > saved + 1, 40, "saved states")
        process.kill()
    last = started(rig)
    go.release()
    publisher.join()
    events, commands, states = unbroken(rig)
    until(lambda: newest_states(rig) == states, 40, "the states of an unbroken run")
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
