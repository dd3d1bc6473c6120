"""Goals of the table in docs/reliability.md at their full size, on a real broker: kills, restarts, replicas, repeats, a full disk, memory."""

from __future__ import annotations

import os
import random
import resource
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from contracts import topics
from contracts.reasons import Reason
from embedded_stack import EmbeddedStack
from extractor_rig import Process, Rig, judge, key_of, note, until
from line_rig import GOAL_S, Line, flows_again, wait
from runtime.kafka.deadletter import dead_letter
from runtime.kafka.records import InputRecord

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(900)]

PARTITIONS = 12
ROUNDS = int(os.environ.get("RXTRACT_MEMORY_ROUNDS", "20"))
"""Of 50,000 notes each: a million in all."""


def commits(rig: Rig) -> int:
    return sum(rig.committed().values())


def serves(rig: Rig, since: int, process: Process) -> None:
    until(lambda: process.child.poll() is None and (commits(rig) > since or time.sleep(0.2)), 60, "a commit")


def assert_one_effect_each(rig: Rig, sent: list[tuple[str, int]], most_twice: float, letters: int = 0) -> str:
    verdict = judge(sent, rig.events())
    assert (verdict.lost, verdict.double_effects, verdict.out_of_order) == ([], [], [])
    assert verdict.duplicates <= most_twice * len(sent), verdict.duplicates
    assert rig.lag() == 0
    assert len(rig.dead_letters()) == letters
    share = 100 * verdict.duplicates / len(sent)
    return f"{len(sent):,} notes, lost 0, double effects 0, {verdict.duplicates} records twice ({share:.2f} %)"


def test_twenty_kills_in_a_hundred_seconds(extractor_rig: Rig, record_property: Any) -> None:
    rig = extractor_rig
    with rig.stream(notes_per_s=200) as sent:
        for _ in range(20):
            process, begun_s, since = rig.start(), time.monotonic(), commits(rig)
            serves(rig, since, process)
            wait(max(0.0, begun_s + 5 - time.monotonic()))
            process.kill()
    killed_s = time.monotonic()
    rig.start()
    rig.drained(60)
    took_s = time.monotonic() - killed_s
    figures = assert_one_effect_each(rig, sent, 0.02)
    record_property("figure", f"20 kills: {figures}; lag 0 after {took_s:.0f} s")


def test_ten_restarts_in_good_order_of_two_replicas(extractor_rig: Rig, record_property: Any) -> None:
    rig = extractor_rig
    exits = []
    with rig.stream(notes_per_s=200) as sent:
        replicas = [rig.start(), rig.start()]
        until(lambda: all(one.metric("rxtract_assigned_partitions") > 0 for one in replicas), 90, "both to share")
        for number in range(10):
            at = number % 2
            begun_s = time.monotonic()
            assert replicas[at].terminate() == 0
            exits.append(time.monotonic() - begun_s)
            replicas[at] = rig.start()
            until(lambda at=at: replicas[at].metric("rxtract_assigned_partitions") > 0, 60, "the new one to share")
    rig.drained(60)
    figures = assert_one_effect_each(rig, sent, 0.001)
    assert max(exits) <= 20
    record_property("figure", f"10 restarts of 2 replicas: {figures}; slowest exit {max(exits):.1f} s, code 0")


def test_recovery_after_a_kill(extractor_rig: Rig, record_property: Any) -> None:
    rig = extractor_rig
    took = []
    with rig.stream(notes_per_s=100) as sent:
        process = rig.start()
        serves(rig, 0, process)
        for _ in range(20):
            process.kill()
            killed_s, since = time.monotonic(), commits(rig)
            process = rig.start()
            serves(rig, since, process)
            took.append(time.monotonic() - killed_s)
    rig.drained(60)
    figures = assert_one_effect_each(rig, sent, 1.0)
    took.sort()
    assert took[18] <= 15, took
    record_property("figure", f"20 kills: next commit p50 {took[9]:.1f} s, p95 {took[18]:.1f} s; {figures}")


def test_five_cycles_of_one_to_three_replicas(extractor_rig: Rig, record_property: Any) -> None:
    rig = extractor_rig
    pauses = []
    with rig.stream(notes_per_s=100) as sent:
        first = rig.start()
        serves(rig, 0, first)
        for _ in range(5):
            others = [rig.start(), rig.start()]
            until(
                lambda o=others: all(one.metric("rxtract_assigned_partitions") > 0 for one in o), 90, "three to share"
            )
            since, changed_s = commits(rig), time.monotonic()
            serves(rig, since, first)
            pauses.append(time.monotonic() - changed_s)
            for one in others:
                assert one.terminate() == 0
            since, changed_s = commits(rig), time.monotonic()
            until(lambda: first.metric("rxtract_assigned_partitions") == PARTITIONS, 60, "the first to have all again")
            serves(rig, since, first)
            pauses.append(time.monotonic() - changed_s)
    rig.drained(60)
    figures = assert_one_effect_each(rig, sent, 0.02)
    assert max(pauses) <= 15, pauses
    record_property("figure", f"5 cycles of 1 to 3 to 1: {figures}; longest pause {max(pauses):.1f} s")


def test_a_slow_note_with_a_hundred_behind_it_and_a_kill(extractor_rig: Rig, record_property: Any) -> None:
    rig = extractor_rig
    sent = [note("slow", "HANGS and fever"), *(note(f"n{number}", "fever") for number in range(100))]
    process = rig.start("--hang-s", "20")
    until(lambda: process.ready, 60, "ready")
    rig.send(sent)
    wait(10)
    process.kill()
    rig.start("--hang-s", "20")
    rig.drained(90)
    figures = assert_one_effect_each(rig, [(one.note_id, 1) for one in sent], 1.0)
    record_property("figure", f"a note of 20 s, killed at 10 s: {figures}")


def limit(rig: Rig, topic: str, size_bytes: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(size_bytes), incremental_operation=AlterConfigOpType.SET)
    resource_ = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in rig.admin.incremental_alter_configs([resource_]).values():
        future.result(10)


def test_a_dead_letter_topic_that_takes_nothing_for_thirty_seconds(extractor_rig: Rig, record_property: Any) -> None:
    rig = extractor_rig
    dlq = topics.dlq_of(rig.topic(topics.NOTES_ACCEPTED))
    limit(rig, dlq, 1)
    sent = [note(f"n{number}", "BREAKS it" if number == 50 else "fever") for number in range(200)]
    rig.send(sent)
    over_s, deaths = time.monotonic() + 30, 0
    while time.monotonic() < over_s:  # its supervisor starts it again and again
        process = rig.start()
        until(lambda process=process: process.child.poll() is not None, 60, "it to stop uncommitted")
        deaths += 1
    assert rig.dead_letters() == []
    assert rig.lag() > 0, "nothing was acknowledged past the note that has no dead letter"
    limit(rig, dlq, 2 << 20)
    rig.start()
    rig.drained(60)
    verdict = judge([(one.note_id, 1) for one in sent], rig.events(), [("n50", 1)])
    assert (verdict.lost, verdict.double_effects) == ([], [])
    assert len(rig.dead_letters()) == 1
    record_property("figure", f"refused for 30 s and {deaths} starts: lost 0, 1 dead letter when it took them again")


def test_each_note_three_times_and_shuffled(extractor_rig: Rig, record_property: Any) -> None:
    rig, chance = extractor_rig, random.Random(26)
    notes = [note(f"n{number}", f"fever {revision}", revision) for number in range(2_000) for revision in (1, 2)]
    copies = [one for one in notes for _ in range(3)]
    window = 1_000
    copies = [copies[at] for at in sorted(range(len(copies)), key=lambda at: at + chance.uniform(0, window))]
    rig.send(copies)
    rig.start()
    rig.drained(90)
    found: dict[tuple[str, int], set[str]] = {}
    for event in rig.events():
        found.setdefault((event.note_id, event.revision), set()).add(event.event_id)
    assert set(found) == {(one.note_id, one.revision) for one in notes}
    assert all(len(ids) == 1 for ids in found.values()), "copies carry one identity, so that a reader has one effect"
    record_property(
        "figure", f"{len(copies):,} records of {len(notes):,} revisions: {len(found):,} effects, highest last"
    )


def test_the_brokers_disk_is_full_for_a_minute(
    one_broker: EmbeddedStack, lone_line: Line, record_property: Any
) -> None:
    """A limit of the size of its files is what a full disk is to the broker: writes fail."""
    lone_line.start()
    with lone_line.notes(50, 10) as sender:
        flows_again(lone_line, sender, time.monotonic())
        psutil.Process(one_broker.pid("kafka")).rlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
        until(lambda: sender.refused.get(503, 0) > 0, 60, "the door to answer 503")
        wait(60)
        assert set(sender.refused) == {503}, sender.refused
        slowest_s = sender.slowest_answer_s
        one_broker.restart("kafka")
        took_s = flows_again(lone_line, sender, time.monotonic())
    figures = lone_line.settled(sender)
    assert lone_line.ingestor.running()
    assert took_s <= GOAL_S
    assert slowest_s <= 15
    refused = sender.refused[503]
    record_property(
        "figure", f"full for 60 s: {refused} answers 503, no other; {figures}; flows again in {took_s:.1f} s"
    )


def test_a_thousand_dead_letters_are_replayed_twice(extractor_rig: Rig, record_property: Any) -> None:
    rig, count = extractor_rig, 1_000
    topic = rig.topic(topics.NOTES_ACCEPTED)
    notes = [note(f"n{number}", f"fever {number}") for number in range(count)]
    original = {key_of(one.note_id): rig.serialize(one) for one in notes}
    for key, value in original.items():
        letter = dead_letter(InputRecord(topic, 0, 0, 0, key, value), Reason.HANDLER_FAILED, "extractor", attempt=1)
        rig.producer.produce(letter.topic, letter.value, letter.key, headers=list(letter.headers))
    assert rig.producer.flush(60) == 0
    for _ in range(2):
        assert f"{count} sent" in rig.typed("dlq", "replay", topics.NOTES_ACCEPTED, "--all", "--max-attempts", "10")
    replayed = list(rig.read(topic))
    assert len(replayed) == 2 * count
    assert all(message.value() == original[message.key()] for message in replayed)
    rig.start()
    rig.drained(60)
    figures = assert_one_effect_each(rig, [(one.note_id, 1) for one in notes], 1.0, letters=count)
    record_property("figure", f"replayed twice: {figures}, original bytes")


def slope(points: list[tuple[float, float]]) -> float:
    """Least squares."""
    x0, y0 = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((x - x0) * (y - y0) for x, y in points) / sum((x - x0) ** 2 for x, _ in points)


@pytest.mark.timeout(3_600)
def test_memory_does_not_grow_with_notes(extractor_rig: Rig, record_property: Any) -> None:
    rig, size, rounds = extractor_rig, 50_000, ROUNDS
    process = rig.start()
    until(lambda: process.ready, 60, "ready")
    points: list[tuple[float, float]] = []
    value, about = rig.serialize(note("n", "fever and cough since 3 days")), psutil.Process(process.child.pid)
    for number in range(1, rounds + 1):
        _fill(rig, value, size, lambda at, number=number: f"clinic|{number}-{at}".encode())
        rig.drained(300)
        points.append((number * size / 100_000, about.memory_info().rss / 1e6))
    settled = points[6:]  # caches and the allocator's first blocks are full by then
    grows = slope(settled)
    assert grows < 1.0, points
    record_property(
        "figure", f"{rounds * size:,} notes: {grows:+.2f} MB a 100,000 notes, {settled[-1][1]:.0f} MB at the end"
    )


def _fill(rig: Rig, value: bytes, count: int, key: Callable[[int], bytes]) -> None:
    for at in range(count):
        rig.send_bytes(key(at), value)
        if at % 500 == 0:
            rig.producer.poll(0)
    assert rig.producer.flush(120) == 0
