"""Faults around a running extractor: restarts, rebalances, refused deliveries, broken notes, broken models."""

import os
import signal
import time

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from contracts import topics
from contracts.reasons import Reason
from extractor_rig import judge, key_of, note, until
from runtime.kafka.deadletter import ATTEMPT, REASON, header
from runtime.stream.faust.stop import EXIT_SURPRISE

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def sent(rig, count, **more):
    notes = [note(f"n{number}", f"fever since {number} days", **more) for number in range(count)]
    rig.send(notes)
    return [(one.note_id, one.revision) for one in notes]


def test_a_restart_in_good_order_loses_and_repeats_nothing(extractor_rig):
    """R2, small: SIGTERM while notes wait; exit code 0; hardly a record twice."""
    rig = extractor_rig
    expected = sent(rig, 4_000)
    for _ in range(3):
        process = rig.start("--note-ms", "1")
        begun = sum(rig.committed().values())
        until(lambda begun=begun: sum(rig.committed().values()) > begun, 60, "a commit after the start")
        stopped_at = time.monotonic()
        assert process.terminate() == 0, process.logged()
        assert time.monotonic() - stopped_at < 20
    rig.start()
    rig.drained(60)
    verdict = judge(expected, rig.events())
    assert (verdict.lost, verdict.double_effects, verdict.out_of_order) == ([], [], [])
    assert verdict.duplicates <= len(expected) * 0.001


def test_two_workers_share_and_one_takes_over(extractor_rig):
    """R6, small: a second worker joins under load, the first leaves, partitions move, nothing is lost."""
    rig = extractor_rig
    with rig.stream(notes_per_s=200) as expected:
        first = rig.start()
        until(lambda: first.metric("rxtract_records_consumed_total") > 0, 60, "the first worker to get notes")
        second = rig.start()
        until(lambda: second.metric("rxtract_records_consumed_total") > 0, 90, "the second worker to get notes")
        assert first.metric("rxtract_assigned_partitions") + second.metric("rxtract_assigned_partitions") == 12
        assert first.terminate() == 0
        until(lambda: second.metric("rxtract_assigned_partitions") == 12, 30, "the second worker to take over")
    rig.drained(90)
    verdict = judge(expected, rig.events())
    assert len(expected) > 500
    assert (verdict.lost, verdict.double_effects, verdict.out_of_order) == ([], [], [])
    assert verdict.duplicates <= len(expected) * 0.02


def test_a_refused_delivery_moves_no_offset(extractor_rig):
    """R10: the output topic takes nothing; the process stops with the offset uncommitted, and nothing is lost."""
    rig = extractor_rig
    limit_record_size(rig, rig.topic(topics.ENTITIES_EXTRACTED), 1)
    expected = sent(rig, 300)
    process = rig.start()
    assert process.child.wait(60) == EXIT_SURPRISE
    assert sum(rig.committed().values()) == 0
    limit_record_size(rig, rig.topic(topics.ENTITIES_EXTRACTED), 1_048_588)
    rig.start()
    rig.drained(60)
    assert judge(expected, rig.events()).lost == []


def limit_record_size(rig, topic: str, size_bytes: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(size_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in rig.admin.incremental_alter_configs([resource]).values():
        future.result(10)


def test_poison_among_notes_and_notes_that_break_the_tagger(extractor_rig):
    """R8 and B1: each bad record is one dead letter with its reason, all others are tagged, the process stays up."""
    rig = extractor_rig
    notes = [note(f"n{number}", "BREAKS it" if number % 100 == 7 else "fever") for number in range(2_000)]
    rig.send(notes)
    whole = rig.serialize(note("cut", "fever"))
    poison = {
        b"empty": (None, Reason.EMPTY_VALUE),
        b"magic": (b"\x01" + whole[1:], Reason.WRONG_MAGIC_BYTE),
        b"schema": (b"\x00\x7f\xff\xff\xff" + whole[5:], Reason.UNKNOWN_SCHEMA),
        b"cut": (whole[:-9], Reason.TRUNCATED),
        b"tail": (whole + b"x", Reason.TRAILING_BYTES),
    }
    for key, (value, _) in poison.items():
        rig.send_bytes(key, value, headers=[("traceparent", b"00-1")])
    rig.send([note("after", "cough")])
    process = rig.start()
    rig.drained(90)
    broken = {(one.note_id, 1) for one in notes if "BREAKS" in one.text}
    letters = {message.key(): message for message in rig.dead_letters()}
    assert len(letters) == len(broken) + len(poison)
    for key, (value, reason) in poison.items():
        headers = tuple(letters[key].headers())
        assert (letters[key].value(), header(headers, REASON)) == (value, reason.value.encode())
        assert headers[0] == ("traceparent", b"00-1")
    for note_id, _ in broken:
        headers = tuple(letters[key_of(note_id)].headers())
        assert (header(headers, REASON), header(headers, ATTEMPT)) == (b"HANDLER_FAILED", b"3")
    expected = [(one.note_id, 1) for one in notes] + [("after", 1)]
    assert judge(expected, rig.events(), broken).lost == []
    assert process.child.poll() is None
    assert "fever" not in process.logged()
    assert "BREAKS" not in process.logged()


def test_a_bad_deploy_stops_and_does_not_drain_the_topic_into_the_dlq(extractor_rig):
    """R14: every note fails; the process stops, the DLQ stays small, the offset stays where it was."""
    rig = extractor_rig
    sent(rig, 0)
    rig.send([note(f"n{number}", "BREAKS it") for number in range(3_000)])
    process = rig.start()
    assert process.child.wait(90) == EXIT_SURPRISE
    assert len(rig.dead_letters()) <= 200
    assert rig.lag() >= 2_800
    assert "BudgetExceeded" in process.logged()


def test_a_frozen_process_does_no_harm_when_it_wakes(extractor_rig):
    """R7, small: SIGSTOP beyond the session, another takes over, SIGCONT."""
    rig = extractor_rig
    frozen = rig.start("--note-ms", "1")
    until(lambda: frozen.ready, 60, "the first worker to be ready")
    expected = sent(rig, 4_000)
    until(rig.committed, 30, "a commit")
    os.kill(frozen.child.pid, signal.SIGSTOP)
    try:
        second = rig.start("--note-ms", "0.5")
        until(lambda: second.metric("rxtract_assigned_partitions") == 12, 60, "the second worker to take over")
    finally:
        os.kill(frozen.child.pid, signal.SIGCONT)
    rig.drained(90)
    verdict = judge(expected, rig.events())
    assert (verdict.lost, verdict.double_effects) == ([], [])
    assert rig.lag() == 0


def test_a_tagger_that_hangs_makes_the_process_not_alive(extractor_rig):
    """R33: liveness fails within 45 s of the hang, though the event loop still turns."""
    rig = extractor_rig
    process = rig.start("--hang-s", "600")
    until(lambda: process.ready, 60, "ready")
    assert process.get("/live")[0] == 200
    rig.send([note("n", "HANGS here")])
    hung_at = time.monotonic()
    until(lambda: process.get("/live")[0] == 503, 60, "not alive")
    assert time.monotonic() - hung_at < 45 + 5
    assert process.get("/metrics")[0] == 200
    process.kill()
    rig.start()
    rig.drained(60)
    assert judge([("n", 1)], rig.events()).lost == []


def test_nothing_listens_but_the_health_port(extractor_rig):
    """Faust's own web server is never bound."""
    rig = extractor_rig
    process = rig.start()
    until(lambda: process.ready, 60, "ready")
    assert listening_ports(process.child.pid) == {int(process.port_file.read_text())}


def listening_ports(pid: int) -> set[int]:
    with open("/proc/net/tcp") as tcp:  # noqa: PTH123 - a file of the kernel
        rows = [line.split() for line in tcp.readlines()[1:]]
    inodes = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        target = os.readlink(entry.path) if os.path.islink(entry.path) else ""  # noqa: PTH114, PTH115
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return {int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes}
