"""Positions are ours: nothing is lost or read twice when groups change, topics grow, and logs have holes, are cut or expire."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewTopic
from contracts import topics
from embedded_stack.addresses import write_stack_json
from extractor_rig import judge, note, patiently, until
from position_rig import Doors, submitted
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.positions import IN_REACH
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.metrics import CONSUMER_LAG, EXPIRED_RECORDS, OFFSET_RESETS
from runtime.stream.loop import CONSUMER_DEFAULTS, ConsumerLoop, LoopLimits

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]
GROWN_S = 30.0


def figures(line: str) -> None:
    """Show what was measured when the test is run with -s."""
    sys.stdout.write(line + "\n")


@pytest.fixture
def doors(extractor_rig) -> Iterator[Doors]:
    doors = Doors(extractor_rig)
    try:
        yield doors
    finally:
        doors.close()


def test_what_comes_behind_the_end_of_a_partition_is_not_skipped_by_a_pause(extractor_rig):
    """librdkafka 2.10.1: the end was reported, `consume(n)` moved its position one too far, and a pause made that count."""
    rig, topic = extractor_rig, extractor_rig.prefix + "pauses"
    patiently(lambda: rig.admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(20))
    handled: list[bytes] = []

    def slow(records: Sequence[InputRecord]) -> list[OutputRecord]:
        handled.extend(record.value or b"" for record in records)
        if any(record.partition == 1 for record in records):
            time.sleep(1.0)  # longer than a heartbeat: the partitions are paused meanwhile
        return []

    loop = ConsumerLoop(
        Consumer({**CONSUMER_DEFAULTS, "bootstrap.servers": rig.bootstrap, "group.id": topic}),
        DeliveryProducer({"bootstrap.servers": rig.bootstrap}),
        slow,
        [topic],
        limits=LoopLimits(heartbeat_s=0.1),
    )
    thread = threading.Thread(target=loop.run)
    thread.start()

    def put(partition: int, *values: bytes) -> None:
        for value in values:
            rig.producer.produce(topic, value, partition=partition)
        assert rig.producer.flush(30) == 0

    try:
        put(0, *(b"a%d" % number for number in range(5)))
        until(lambda: len(handled) == 5, 60, "the first records")
        time.sleep(1.0)  # long enough for the end to be reported
        for number in range(4):
            put(1, b"pause%d" % number)
            time.sleep(0.4)
            put(0, b"b%d" % number)
            until(lambda number=number: b"b%d" % number in handled, 15, f"b{number}, behind a pause")
    finally:
        loop.stop()
        thread.join(30)
    assert {value for value, times in Counter(handled).items() if times > 1} == set()


@pytest.mark.parametrize(
    ("joins", "notes_per_s", "least"),
    [
        (2, 12, 50),
        (1, 2_000, 5_000),
        pytest.param(20, 12, 1_500, marks=pytest.mark.long),
        pytest.param(20, 2_000, 40_000, marks=pytest.mark.long),
    ],
)
def test_ingestors_come_and_go_and_no_note_is_lost(doors, joins, notes_per_s, least):
    first = doors.start()
    until(lambda: first.partitions == 12, 60, "the first door to have all partitions")
    with doors.stream(notes_per_s) as sent:
        for number in range(joins):
            second = doors.start()
            until(lambda second=second: second.partitions == 6, 60, f"join {number}")
            time.sleep(1.5)
            doors.stop(second)
            until(lambda: first.partitions == 12, 60, f"leave {number}")
            time.sleep(0.5)
        until(lambda: len(sent) >= least or time.sleep(0.2), 300, "enough notes")
    doors.drained(120)
    accepted = doors.accepted()
    lost, again = set(sent) - set(accepted), len(accepted) - len(set(accepted))
    figures(f"{joins} joins at {notes_per_s}/s: {len(sent)} notes, lost {len(lost)}, repeated {again}")
    assert lost == set()
    assert again <= len(sent) * 0.02
    assert sum(first.value(OFFSET_RESETS.name, reason=jump) for jump in ("expired", "truncated", "backwards")) == 0


@pytest.mark.parametrize("counts", [(24,), pytest.param((16, 24), marks=pytest.mark.long)])
def test_topics_grow_under_load_and_nothing_is_missing(doors, extractor_rig, tmp_path, counts):
    rig = extractor_rig
    door, extractor = doors.start(), rig.start()
    until(lambda: door.partitions == 12 and extractor.metric("rxtract_assigned_partitions") == 12, 90, "12 partitions")
    with doors.stream(50) as sent:
        time.sleep(2)
        for count in counts:
            grown_at = time.monotonic()
            doors.grow(topics.NOTES_SUBMITTED, count)
            doors.grow(topics.NOTES_ACCEPTED, count)
            until(
                lambda count=count: door.partitions == count == extractor.metric("rxtract_assigned_partitions"),
                GROWN_S,
                f"{count} partitions to be read",
            )
            figures(f"{count} partitions are read after {time.monotonic() - grown_at:.1f} s")
            time.sleep(2)
    doors.drained(60)
    rig.drained(60)
    verdict = judge([(one, 1) for one in sent], rig.events())
    figures(f"{len(sent)} notes, lost {len(verdict.lost)}, repeated {verdict.duplicates}")
    assert verdict.lost == []
    assert len(rig.ends(topics.NOTES_ACCEPTED)) == 24
    stack_json = tmp_path / "stack.json"
    write_stack_json(stack_json, rig.addresses, {"topic_prefix": rig.prefix})
    for old in sent[:3]:
        story = why(stack_json, old)
        assert "notes.submitted.v1" in story
        assert "Structured" in story


def why(stack_json, note_id: str) -> str:
    command = [sys.executable, "-m", "rxtract", "why", note_id, "--stack", str(stack_json)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_transactions_are_read_as_they_ended_and_leave_no_lag(doors, extractor_rig):
    """Committed, aborted and both again, on the way in and on the way through: markers are no records."""
    rig = extractor_rig
    door, extractor = doors.start(), rig.start()
    until(lambda: door.partitions == 12 and extractor.ready, 90, "both to be ready")
    accepted = rig.topic(topics.NOTES_ACCEPTED)
    good, bad = [], []
    for number in range(3):
        for commit in (True, False):
            ids = [f"in-{commit}-{number}-{one}" for one in range(5)]
            doors.transaction(doors.source, {one: doors.write(submitted(one)) for one in ids}, commit=commit)
            through = [f"through-{commit}-{number}-{one}" for one in range(5)]
            values = {one: rig.serialize(note(one, "fever")) for one in through}
            doors.transaction(accepted, values, commit=commit)
            (good if commit else bad).extend(ids + through)
    until(lambda: set(good) <= {event.note_id for event in rig.events()}, 60, "all that was committed")

    def lags() -> tuple[float, float, int]:
        return door.lag(doors.source), extractor.metric(CONSUMER_LAG.name), rig.lag()

    until(lambda: lags() == (0, 0, 0) or time.sleep(0.2), 60, "no lag, by our figure and by Kafka's")
    doors.drained(30)
    assert {event.note_id for event in rig.events()} == set(good)
    assert extractor.child.poll() is None
    assert extractor.metric(OFFSET_RESETS.name) == 0


def test_an_open_transaction_is_no_lag_and_does_not_hold_a_reader_up(doors, extractor_rig, tmp_path):
    rig = extractor_rig
    door = doors.start()
    until(lambda: door.partitions == 12, 60, "the door to be ready")
    doors.transaction(doors.source, {"first": doors.write(submitted("first"))}, commit=True)
    waiting = doors.transaction(doors.source, {"later": doors.write(submitted("later"))}, commit=None)
    until(lambda: "first" in doors.accepted(), 30, "what was committed")
    until(lambda: door.lag(doors.source) == 0 or time.sleep(0.2), 30, "no lag behind an open transaction")
    stack_json = tmp_path / "stack.json"
    write_stack_json(stack_json, rig.addresses, {"topic_prefix": rig.prefix})
    command = [sys.executable, "-m", "rxtract", "tap", topics.NOTES_SUBMITTED, "--no-follow", "--json", "--from-start"]
    done = subprocess.run(
        [*command, "--stack", str(stack_json)], capture_output=True, text=True, timeout=60, check=True
    )
    assert [line for line in done.stdout.splitlines() if '"first"' in line]
    assert '"later"' not in done.stdout
    assert "behind an open transaction" in done.stderr
    waiting.commit_transaction(30)
    until(lambda: "later" in doors.accepted(), 30, "what was committed later")


def test_retention_that_passed_us_is_counted_and_reading_goes_on(doors, extractor_rig):
    rig = extractor_rig
    door, extractor = doors.start(), rig.start()
    until(lambda: door.partitions == 12 and extractor.ready, 90, "both to be ready")
    with doors.stream(100) as before:
        until(lambda: len(before) >= 200, 30, "notes")
    doors.drained(60)
    rig.drained(60)
    doors.stop(door)
    assert extractor.terminate() == 0
    with doors.stream(100) as gone:  # nobody reads them
        until(lambda: len(gone) >= 100, 30, "notes")
    rig.send([note(f"gone{number}", "fever") for number in range(100)])
    for name in (topics.NOTES_SUBMITTED, topics.NOTES_ACCEPTED):
        doors.expire(name)
    door, extractor = doors.start(), rig.start()
    until(lambda: door.partitions == 12 and extractor.ready, 90, "both to be ready again")
    with doors.stream(100) as after:
        until(lambda: len(after) >= 200, 30, "notes")
    doors.drained(60)
    rig.drained(60)
    assert judge([(one, 1) for one in after], rig.events()).lost == []
    assert door.value(EXPIRED_RECORDS.name) == len(gone)
    until(lambda: extractor.metric(EXPIRED_RECORDS.name) == 100, 10, "the extractor's count")
    assert door.value(OFFSET_RESETS.name, reason="expired") > 0
    assert extractor.ready


def test_a_log_that_was_cut_off_is_not_read_from_anywhere_else(doors, extractor_rig):
    """The topics are restored from before: committed offsets lie behind their ends."""
    rig = extractor_rig
    rig.send([note(f"kept{number}", "fever") for number in range(10)])
    accepted = rig.topic(topics.NOTES_ACCEPTED)
    for topic, group in ((doors.source, doors.group), (accepted, rig.prefix + "rxtract-extractor")):
        consumer = Consumer({"bootstrap.servers": rig.bootstrap, "group.id": group})
        places = [TopicPartition(topic, number, 1_000) for number in range(11)]  # the twelfth is as it was
        patiently(lambda consumer=consumer, places=places: consumer.commit(offsets=places, asynchronous=False))
        consumer.close()
    door, extractor = doors.start(), rig.start()
    until(lambda: IN_REACH in door.shared.readiness.missing, 60, "the door to say so")
    until(lambda: extractor.metric(OFFSET_RESETS.name) == 11 or time.sleep(0.2), 60, "the extractor to count")
    until(lambda: door.value(OFFSET_RESETS.name, reason="truncated") == 11, 30, "the door to count")
    assert not extractor.ready
    assert "cut off" in extractor.get("/ready")[1]
    with doors.stream(100) as sent:
        until(lambda: len(sent) >= 300, 30, "notes")
        time.sleep(2)
    twelfth = [message for message in rig.read(doors.source) if message.partition() == 11]
    until(lambda: len(doors.accepted()) == 10 + len(twelfth), 30, "the partition that was not cut off")
    assert extractor.child.poll() is None
    assert door.error is None
