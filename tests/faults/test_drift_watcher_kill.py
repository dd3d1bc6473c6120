"""kill -9 of the drift-watcher while 20,000 notes' statistics arrive: alarms, ids, offsets and state equal an unbroken run.

Lists are compared: no alarm and no command is missing, none is there twice, and each partition's come in their order.
"""

import threading
from collections import defaultdict
from pathlib import Path

import extractor_rig as rigs
import pytest
from contracts import topics
from contracts.records import DriftDetected, DriftState, ModelCommand
from contracts.wire import Serializer
from drift.state import FORMAT_VERSION, digest, pack
from drift_rig import ENVIRONMENT, SAVE_EVERY, decoded, newest_states, publish, unbroken
from extractor_rig import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.fixture
def rig(extractor_rig, monkeypatch):
    monkeypatch.setattr(rigs, "PROCESS", Path(__file__).with_name("drift_process.py"))
    return extractor_rig


def started(rig):
    process = rig.start(**ENVIRONMENT)
    until(lambda: process.metric("rxtract_assigned_partitions") == 12, 60, "all partitions")
    return process


def by_source(events) -> dict[int, list[DriftDetected]]:
    """In the order of the topic, per source partition: partitions are decided independently of each other."""
    found = defaultdict(list)
    for event in events:
        found[event.source_partition].append(event)
    return dict(found)


def by_segment(commands) -> dict[str, list[ModelCommand]]:
    """In the order of the topic, per segment, which lies in one source partition."""
    found = defaultdict(list)
    for command in commands:
        found[command.segment].append(command)
    return dict(found)


def one_line_errors(rig):
    found, asked = decoded(rig, DriftDetected, topics.DRIFT_DETECTED), decoded(rig, ModelCommand, topics.MODEL_COMMANDS)
    return by_source(found), by_segment(asked)


def said_and_saved(rig) -> tuple[int, int]:
    return sum(rig.ends(topics.DRIFT_DETECTED).values()), sum(rig.ends(topics.DRIFT_STATE).values())


def is_through(rig) -> bool:
    """Whether states reach to within a saving of what was published, so that no alarm of it is still to come but in the last records."""
    ends = rig.ends(topics.STATISTICS_OBSERVED)
    saved = {partition: offset for partition, (offset, _) in newest_states(rig).items()}
    return all(saved.get(partition, -1) >= end - 1 - SAVE_EVERY for partition, end in ends.items() if end)


@pytest.mark.parametrize("kills", [3, pytest.param(8, marks=pytest.mark.long)])
def test_kills_change_no_alarm_no_command_and_no_state(rig, record_property, kills):
    go = threading.Semaphore(0)
    more = {"parts": kills + 1, "go": go}
    publisher = threading.Thread(target=publish, args=(rig, 20.0), kwargs=more, daemon=True)
    publisher.start()
    after_alarm = 0
    for _ in range(kills):
        process = started(rig)
        alarms, saved = said_and_saved(rig)
        go.release()

        def is_time(alarms=alarms, saved=saved) -> bool:
            said, states = said_and_saved(rig)
            if said > alarms:
                return True  # an alarm is out, and its state is perhaps not
            return states > saved + 1 and is_through(rig)

        until(is_time, 60, "an alarm, or the end of what was published and saved states")
        process.kill()
        after_alarm += said_and_saved(rig)[0] > alarms
    last = started(rig)
    go.release()
    publisher.join()
    events, commands, states = unbroken(rig)
    until(lambda: newest_states(rig) == states, 90, "the states of an unbroken run")
    assert last.terminate() == 0
    record_property("seen", f"{len(events)} events, {len(commands)} commands; {after_alarm} kills just after an alarm")
    assert len(events) >= 2
    assert commands
    assert after_alarm, "no kill came between an alarm and its state"
    assert one_line_errors(rig) == (by_source(events), by_segment(commands))


def damage(rig, partition: int, offset: int, good: bytes = b"") -> None:
    """Write a state that looks newest and was damaged on its way."""
    serialise = Serializer.for_topic(DriftState, rig.registry, rig.topic(topics.DRIFT_STATE))
    bad = DriftState(
        source_partition=partition,
        source_offset=offset,
        format_version=FORMAT_VERSION,
        chunk=0,
        chunks=1,
        sha256=digest(b"something else"),
        state=good or pack(b"{}"),
        saved_at=0,
    )
    rig.producer.produce(rig.topic(topics.DRIFT_STATE), serialise(bad), b"damaged", partition=partition)
    assert rig.producer.flush(10) == 0


def refused(process) -> float:
    return process.metric("rxtract_drift_states_refused_total")


def test_damaged_states_are_refused_counted_and_built_anew(rig):
    go = threading.Semaphore(3)
    publisher = threading.Thread(target=publish, args=(rig, 4.0), kwargs={"parts": 4, "go": go}, daemon=True)
    for partition in range(12):
        damage(rig, partition, 10**6)
    publisher.start()
    process = started(rig)
    until(lambda: refused(process) == 12, 30, "all to be refused")  # what the alert RxtractDriftStateRefused looks at
    until(lambda: said_and_saved(rig)[0] >= 2, 60, "alarms of what was built anew from the first record on")
    process.kill()

    stored = {
        one.source_partition: one for one in decoded(rig, DriftState, topics.DRIFT_STATE) if one.source_offset < 10**6
    }
    assert stored
    for state in stored.values():
        damage(rig, state.source_partition, state.source_offset, state.state)  # whole, but not what its digest says
    again = started(rig)
    until(lambda: refused(again) >= len(stored), 30, "the damaged ones to be refused")
    assert "its sha256 differs" in again.logged()
    go.release()
    publisher.join()
    events, commands, states = unbroken(rig)
    until(lambda: states.items() <= newest_states(rig).items(), 40, "the states of an unbroken run")
    assert again.terminate() == 0
    assert one_line_errors(rig) == (by_source(events), by_segment(commands))
