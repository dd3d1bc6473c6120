"""The overridden consumer over a thread that is a fake: what it fetches, when it commits, what it gives away."""

import asyncio
import functools
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from aiokafka.consumer.fetcher import FetchError, FetchResult, PartitionRecords
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError, TopicAuthorizationFailedError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from contracts.reasons import Reason
from faust.types import TP
from runtime.errors import Recoverable
from runtime.kafka.positions import IN_REACH, Jump
from runtime.kafka.records import InputRecord, OwnRecord
from runtime.service.health import Liveness, Readiness
from runtime.service.metrics import COMMIT_AGE, CONSUMER_LAG, EXPIRED_RECORDS, METRICS, OFFSET_RESETS, Metrics
from runtime.service.settings import ServiceSettings
from runtime.stream.attempts import Mark
from runtime.stream.faust import app as faust_batch
from runtime.stream.faust.app import BatchApp, BatchLimits, credentials
from runtime.stream.faust.consumer import BatchConsumer, BatchTransport, _OurRecords
from runtime.stream.faust.state import BATCH_METRICS, BatchState
from runtime.stream.faust.stop import EXIT_SURPRISE, FailStop
from runtime.stream.state import ASSIGNED

TP0, TP1 = TP("in", 0), TP("in", 1)


def rows(partition: int, first: int, last: int, value: bytes = b"value") -> list[InputRecord]:
    return [InputRecord("in", partition, offset, 1, b"k", value) for offset in range(first, last + 1)]


@dataclass
class FakeThread:
    """What the consumer asks of its thread."""

    ours: set = field(default_factory=lambda: {TP0, TP1})
    fetches: list = field(default_factory=list)
    commits: list = field(default_factory=list)
    seeks: list = field(default_factory=list)
    stored: dict = field(default_factory=dict)
    earliest: dict = field(default_factory=dict)
    metadata: dict = field(default_factory=dict)
    commit_answer: bool = True
    commit_s: float = 0.0
    crashed: bool = False
    asked: int = 0
    during_fetch: object = None
    active: set = field(default_factory=set)
    claims: dict = field(default_factory=dict)
    ends: dict = field(default_factory=dict)

    def assignment(self):
        return self.ours

    def highwater(self, tp):
        return self.ends.get(tp, 1_000)

    async def getmany(self, active_partitions, timeout):  # noqa: ASYNC109 - upstream's signature
        self.asked += 1
        self.active = active_partitions
        assert active_partitions
        if self.during_fetch:
            self.during_fetch()
        found = self.fetches.pop(0) if self.fetches else {}
        if isinstance(found, Exception):
            raise found
        return found

    async def position(self, tp):
        return self.claims.get(tp)

    async def commit(self, offsets):
        await asyncio.sleep(self.commit_s)
        self.commits.append(dict(offsets))
        return self.commit_answer

    async def seek_wait(self, offsets):
        self.seeks.append(dict(offsets))

    async def seek_to_committed(self):
        return {TopicPartition(*tp): self.stored.get(tp) for tp in self.ours}

    async def marks(self, partitions):
        return {tp: (self.stored.get(tp, -1), self.metadata.get(tp, "")) for tp in partitions}

    async def highwaters(self, *partitions):
        return dict.fromkeys(partitions, 1_000)

    async def earliest_offsets(self, *partitions):
        return {tp: self.earliest.get(tp, 0) for tp in partitions}

    def _ensure_consumer(self):
        return SimpleNamespace(_coordinator=SimpleNamespace(check_errors=lambda: None))


class NoSender:
    def send(self, records):
        raise AssertionError

    def poll(self, timeout_s=0.0): ...

    def close(self, timeout_s):
        return 0


class AckedMessage:
    def __init__(self, batch) -> None:
        self.acked = False
        self.value = batch


class Rig:
    """An application that never meets a broker."""

    def __init__(self, **limits) -> None:
        self.exits: list[int] = []
        settings = ServiceSettings.load(bootstrap_servers="127.0.0.1:1,127.0.0.2:2", schema_registry_url="http://x")
        self.metrics = Metrics((*METRICS, *BATCH_METRICS))
        self.app = BatchApp(
            settings,
            group="g",
            topic="in",
            handler=lambda records: [],
            sender=NoSender(),
            metrics=self.metrics,
            liveness=Liveness(),
            readiness=Readiness(ASSIGNED),
            limits=BatchLimits(**limits),
            fail_stop=FailStop(self.exits.append),
        )
        self.consumer: BatchConsumer = self.app.consumer
        self.thread = self.consumer._thread = FakeThread()
        self.batching: BatchState = self.app.batching
        self.batching.swollen = None  # there is no broker to ask
        self.app.consumer_generation_id = 1
        self.consumer._set_active_tps({TP0, TP1})
        for tp in (TP0, TP1):
            self.batching.expect(tp, 10)
        self.batching.attempts.told()  # the marks of this assignment are written

    async def fetch(self) -> list:
        return [message async for _, message in self.consumer.getmany(timeout=1.0)]

    def deliver(self, tp: TP, first: int, last: int):
        batch = self.batching.deliver(tp, rows(tp.partition, first, last), 1)
        self.batching.ledger.start(batch)
        return batch

    def finish(self, batch) -> None:
        self.consumer.ack(AckedMessage(batch))


def in_loop(story):
    """Run an async test in a loop of its own: Faust's services belong to the running loop."""

    @functools.wraps(story)
    def test(*arguments, **named):
        asyncio.run(asyncio.wait_for(story(*arguments, **named), 20))

    return test


@in_loop
async def test_one_batch_for_each_partition_and_poll():
    rig = Rig()
    rig.thread.fetches = [{TopicPartition("in", 0): rows(0, 10, 14), TopicPartition("in", 1): rows(1, 10, 10)}]
    messages = await rig.fetch()
    assert [(m.tp, m.offset, m.value.first, m.value.last, len(m.value.records)) for m in messages] == [
        (TP0, 14, 10, 14, 5),
        (TP1, 10, 10, 10, 1),
    ]
    assert {m.generation_id for m in messages} == {1}
    assert all(m.key is None and m.headers is None for m in messages)


async def handed_over(rig: Rig) -> list[tuple[int, int, str]]:
    """First and last offset of each batch, and the mark that stood when it was handed over; each is finished before the next."""
    found = []
    async for tp, message in rig.consumer.getmany(timeout=1.0):
        batch = message.value
        rig.batching.ledger.start(batch)
        found.append((batch.first, batch.last, rig.batching.attempts.mark(tp)))
        rig.finish(batch)
    return found


@in_loop
async def test_after_a_death_one_marked_portion_is_handled_at_a_time():
    rig = Rig()
    rig.thread.stored = {TP0: 10, TP1: 10}
    rig.thread.metadata = {TP0: Mark(running=True).text(), TP1: Mark().text()}
    await rig.consumer.perform_seek()
    rig.consumer.resume_flow()
    assert rig.batching.attempts.careful
    rig.thread.fetches = [{TP0: rows(0, 10, 159)}]
    found = await handed_over(rig)
    assert [(first, last) for first, last, _ in found] == [(10, 73), (74, 137), (138, 159)]
    assert [(Mark.parse(mark).first, Mark.parse(mark).last) for _, _, mark in found] == [
        (10, 73),
        (74, 137),
        (138, 159),
    ]
    assert all(Mark.parse(mark).running and Mark.parse(mark).deaths == 1 for _, _, mark in found)
    assert rig.exits == []


@in_loop
async def test_the_second_death_is_followed_record_by_record_and_the_fourth_refuses_the_one():
    rig = Rig()
    rig.thread.stored = {TP0: 10, TP1: 10}
    rig.thread.metadata = {TP0: Mark(1, running=True, first=10, last=13, narrow=10, until=300).text()}
    await rig.consumer.perform_seek()
    rig.consumer.resume_flow()
    rig.thread.fetches = [{TP0: rows(0, 10, 15)}]
    assert [(first, last) for first, last, _ in await handed_over(rig)] == [
        (10, 10),
        (11, 11),
        (12, 12),
        (13, 13),
        (14, 15),
    ]
    again = Rig()
    again.thread.stored = {TP0: 10, TP1: 10}
    again.thread.metadata = {TP0: Mark(3, running=True, first=10, last=10, narrow=14, until=300, accused=10).text()}
    await again.consumer.perform_seek()
    assert again.batching.attempts.why_dead(InputRecord("in", 0, 10, 0, None, b"")) is Reason.KILLED_PROCESS


@in_loop
async def test_leaving_in_order_says_so_beside_every_offset():
    rig = Rig()
    rig.thread.stored = {TP0: 10, TP1: 10}
    await rig.consumer.perform_seek()
    assert Mark.parse(rig.batching.attempts.mark(TP0)) == Mark(running=True)
    await rig.consumer.finish_and_commit(0.1)
    assert rig.thread.commits[-1] == {TP0: 10, TP1: 10}
    assert Mark.parse(rig.batching.attempts.mark(TP0)) == Mark()


@in_loop
async def test_batches_are_cut_at_their_bounds():
    rig = Rig(batch_records=3, batch_bytes=40)
    rig.thread.fetches = [{TP0: rows(0, 10, 16), TP1: rows(1, 10, 12, b"x" * 30)}]
    messages = await rig.fetch()
    assert [(m.value.first, m.value.last) for m in messages] == [
        (10, 12),
        (13, 15),
        (16, 16),
        (10, 10),
        (11, 11),
        (12, 12),
    ]


@in_loop
async def test_a_rebalance_during_the_fetch_seeks_back_to_what_is_expected():
    rig = Rig()
    rig.thread.fetches = [{TP0: rows(0, 10, 14), TP1: rows(1, 10, 14)}]

    def rebalance():
        rig.app.consumer_generation_id = 2
        rig.thread.ours = {TP0}

    rig.thread.during_fetch = rebalance
    assert await rig.fetch() == []
    assert rig.thread.seeks == [{TP0: 10}]
    rig.thread.during_fetch = None
    rig.thread.fetches = [{TP0: rows(0, 10, 14)}]
    assert [message.generation_id for message in await rig.fetch()] == [2]


@in_loop
async def test_a_rebalance_between_two_batches_keeps_the_rest_back():
    rig = Rig(batch_records=2)
    rig.thread.fetches = [{TP0: rows(0, 10, 15)}]
    seen = []
    async for _, message in rig.consumer.getmany(timeout=1.0):
        seen.append(message.value.first)
        rig.app.consumer_generation_id = 2
    assert seen == [10]
    assert rig.thread.seeks == [{TP0: 12}]


@in_loop
async def test_a_stopped_flow_delivers_nothing_and_seeks_nothing():
    rig = Rig()
    rig.thread.fetches = [{TP0: rows(0, 10, 14)}]
    rig.thread.during_fetch = rig.consumer.stop_flow
    assert await rig.fetch() == []
    assert rig.thread.seeks == []
    assert rig.batching.positions.get(TP0) == 10


@in_loop
async def test_a_coordinator_that_died_before_the_first_partitions_ends_the_process():
    def died():
        raise RuntimeError("coordinator")

    rig = Rig()
    faust_batch._check_coordinator(rig.app)  # not started yet
    rig.thread._consumer = SimpleNamespace(_coordinator=None)
    faust_batch._check_coordinator(rig.app)  # started, and not in the group yet
    assert rig.exits == []
    rig.thread._consumer = SimpleNamespace(_coordinator=SimpleNamespace(check_errors=died))
    faust_batch._check_coordinator(rig.app)
    assert rig.exits == [EXIT_SURPRISE]


class LoggedThread(FakeThread):
    """Keeps positions as aiokafka does, also that its seek to committed offsets leaves alone what has none."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(ours={TP0}, earliest={TP0: first})
        self.position, self.last, self.after_fetch = first, last, None

    async def getmany(self, active_partitions, timeout):  # noqa: ASYNC109 - upstream's signature
        first, self.position = self.position, min(self.position + 5, self.last + 1)
        if self.after_fetch:
            await self.after_fetch()
        return {TP0: rows(0, first, self.position - 1)} if first < self.position else {}

    async def seek_to_committed(self):
        if self.stored.get(TP0):
            self.position = self.stored[TP0]
        return await super().seek_to_committed()

    async def seek_wait(self, offsets):
        await super().seek_wait(offsets)
        self.position = offsets[TP0]


@pytest.mark.parametrize("stored", [None, 0, 9])
@pytest.mark.parametrize("seek_first", [True, False])
@in_loop
async def test_a_fetch_that_spans_the_assignment_skips_nothing(stored, seek_first):
    """Its records are dropped whether the seek passed before or after it, and come again in either case."""
    begin = 7 if stored is None else stored
    rig = Rig()
    thread = rig.thread = rig.consumer._thread = LoggedThread(begin, begin + 20)
    thread.stored = {TP0: stored}

    async def rebalance():
        thread.after_fetch = None
        rig.app.consumer_generation_id = 2
        rig.consumer.stop_flow()
        rig.batching.revoked([TP0, TP1])
        if seek_first:
            await rig.consumer.perform_seek()
            thread.position = begin + 5  # the fetch takes its records behind the seek

    thread.after_fetch = rebalance
    assert await rig.fetch() == []
    if not seek_first:
        await rig.consumer.perform_seek()
    rig.consumer.resume_flow()
    assert [message.value.first for message in await rig.fetch()] == [begin]
    assert [message.value.first for message in await rig.fetch()] == [begin + 5]


def resets(rig: Rig) -> dict[str, float]:
    read = rig.metrics.registry.get_sample_value
    return {jump.value: read(OFFSET_RESETS.name, {"reason": jump.value}) for jump in Jump}


@in_loop
async def test_a_hole_is_read_twice_and_then_passed():
    """Markers, aborted records and compaction leave holes in any log; stock behaviour of ours was to end the process."""
    rig = Rig()
    rig.thread.fetches = [{TP0: [*rows(0, 10, 11), *rows(0, 13, 14)]}, {TP0: rows(0, 13, 14)}]
    assert [(m.value.first, m.value.last) for m in await rig.fetch()] == [(10, 11)]
    assert [(m.value.first, m.value.last) for m in await rig.fetch()] == [(13, 14)]
    assert rig.thread.seeks == [{TP0: 12}]
    assert set(resets(rig).values()) == {0}


@in_loop
async def test_what_the_client_skipped_is_read_after_all():
    rig = Rig()
    rig.thread.fetches = [{TP0: rows(0, 13, 14)}, {TP0: rows(0, 10, 14)}]
    assert await rig.fetch() == []
    assert [(m.value.first, m.value.last) for m in await rig.fetch()] == [(10, 14)]
    assert resets(rig)["skipped"] == 1


@in_loop
async def test_what_comes_again_is_dropped():
    rig = Rig()
    rig.thread.fetches = [{TP0: rows(0, 10, 14)}, {TP0: rows(0, 2, 15)}]
    await rig.fetch()
    assert [(m.value.first, m.value.last) for m in await rig.fetch()] == [(15, 15)]
    assert resets(rig)["backwards"] == 1


@in_loop
async def test_retention_that_passed_us_is_counted_and_reading_goes_on_at_the_earliest():
    rig = Rig()
    rig.thread.earliest = {TP0: 50}
    batch = rig.deliver(TP0, 10, 11)
    rig.thread.fetches = [OffsetOutOfRangeError({TopicPartition("in", 0): 12}), {TP0: rows(0, 50, 51)}]
    assert await rig.fetch() == []
    assert [m.value.first for m in await rig.fetch()] == [50]
    assert rig.thread.seeks == [{TP0: 50}]
    assert rig.metrics.counter(EXPIRED_RECORDS)._value.get() == 38
    rig.finish(batch)
    assert await rig.consumer.commit() is True  # what was under way still counts
    assert rig.thread.commits == [{TP0: 12}]


@in_loop
async def test_retention_that_passed_the_committed_offset_is_counted_too():
    rig = Rig()
    rig.thread.stored, rig.thread.earliest = {TP0: 42, TP1: 5}, {TP0: 60, TP1: 5}
    await rig.consumer.perform_seek()
    assert rig.thread.seeks == [{TP0: 60, TP1: 5}]
    assert rig.metrics.counter(EXPIRED_RECORDS)._value.get() == 18


@in_loop
@pytest.mark.parametrize(("stored", "expired"), [({}, 0), ({TP0: 0}, 0), ({TP0: 5}, 6)])
async def test_what_retention_deletes_of_a_partition_that_came_after_its_group_is_counted(stored, expired):
    rig = Rig()
    rig.thread.stored, rig.thread.earliest = stored, {TP1: 6}
    await rig.consumer.perform_seek()
    assert rig.thread.seeks == [{TP0: stored.get(TP0, 0), TP1: 6}]
    assert rig.metrics.counter(EXPIRED_RECORDS)._value.get() == expired


@in_loop
async def test_marks_are_written_beside_what_the_commit_before_them_reached():
    """The group went back to 12, and stayed there until the next record: whoever took over did 12 to 14 again."""
    rig = Rig()
    first, second = rig.deliver(TP0, 10, 11), rig.deliver(TP0, 12, 14)
    rig.finish(first)
    async with rig.consumer._commit_lock:  # another commit is under way
        marking = asyncio.create_task(rig.consumer.commit_marks())
        await asyncio.sleep(0)
        rig.finish(second)
        assert await rig.consumer.force_commit() is True
    assert await marking is True
    assert rig.thread.commits == [{TP0: 15}, {TP0: 15}]


@in_loop
async def test_a_log_that_was_cut_off_stops_its_partition_and_is_not_ready():
    rig = Rig()
    cut_off = OffsetOutOfRangeError({TopicPartition("in", 0): 10})
    rig.thread.fetches = [cut_off, {TP1: rows(1, 10, 10)}]
    assert await rig.fetch() == []
    assert "cut off" in rig.batching.readiness.missing[IN_REACH]
    assert [m.tp for m in await rig.fetch()] == [TP1]
    assert rig.thread.active == {TP1}
    assert resets(rig)["truncated"] == 1
    assert rig.exits == []
    rig.batching.revoked([TP0])
    assert IN_REACH not in rig.batching.readiness.missing


@in_loop
async def test_a_report_about_another_place_than_ours_stops_nothing():
    """It was made before a seek, or the client stands elsewhere: it is told where we are."""
    rig = Rig()
    rig.thread.fetches = [OffsetOutOfRangeError({TopicPartition("in", 0): 99}), {}]
    await rig.fetch()
    await rig.fetch()
    assert rig.thread.seeks == [{TP0: 10}]
    assert IN_REACH not in rig.batching.readiness.missing


@in_loop
async def test_a_partition_without_a_committed_offset_is_no_error():
    rig = Rig()
    rig.thread.fetches = [NoOffsetForPartitionError(TP0), {TP0: rows(0, 10, 10)}]
    assert await rig.fetch() == []
    assert len(await rig.fetch()) == 1


@in_loop
async def test_markers_at_the_end_are_passed_and_committed_and_no_lag(monkeypatch):
    monkeypatch.setattr("runtime.stream.faust.consumer._LOOK_FOR_MARKERS_S", 0.0)
    rig = Rig()
    rig.thread.ends = {TP0: 13, TP1: 10}
    rig.thread.claims = {TP0: 11}
    rig.thread.fetches = [{TP0: rows(0, 10, 10)}]
    (message,) = await rig.fetch()
    await rig.fetch()
    assert rig.batching.ledger.behind(rig.batching.waiting)[TP0] == 3  # not known yet whether records stand there
    rig.thread.claims = {TP0: 13}
    await rig.fetch()
    assert rig.batching.positions.get(TP0) == 11
    await rig.fetch()
    assert rig.thread.seeks == [{TP0: 11}]
    assert rig.batching.positions.get(TP0) == 13
    assert await rig.consumer.commit() is False  # behind a batch that is not finished
    rig.batching.ledger.start(message.value)
    rig.finish(message.value)
    assert await rig.consumer.commit() is True
    assert rig.thread.commits == [{TP0: 13}]
    assert rig.batching.ledger.behind(rig.batching.waiting)[TP0] == 0


@in_loop
async def test_a_claim_of_the_client_that_is_not_true_skips_nothing(monkeypatch):
    monkeypatch.setattr("runtime.stream.faust.consumer._LOOK_FOR_MARKERS_S", 0.0)
    rig = Rig()
    rig.thread.claims = {TP0: 13}
    await rig.fetch()
    rig.thread.fetches = [{TP0: rows(0, 10, 14)}]
    assert [(m.value.first, m.value.last) for m in await rig.fetch()] == [(10, 14)]
    assert rig.thread.seeks == [{TP0: 10}]
    assert resets(rig)["skipped"] == 1


@in_loop
async def test_an_unassigned_member_fetches_nothing_and_does_not_sleep_a_second():
    rig = Rig()
    rig.consumer._active_partitions = set()
    begun = time.monotonic()
    assert await rig.fetch() == []
    assert rig.thread.asked == 0
    assert time.monotonic() - begun < 0.5


@pytest.mark.parametrize("limits", [{"held_batches": 1}, {"held_bytes": 1}])
@in_loop
async def test_full_means_no_fetch_and_room_means_at_once(limits):
    rig = Rig(**limits)
    batch = rig.deliver(TP0, 10, 12)
    rig.thread.fetches = [{TP0: rows(0, 13, 14)}]
    fetching = asyncio.create_task(rig.fetch())
    await asyncio.sleep(0.1)
    assert rig.thread.asked == 0
    rig.finish(batch)
    begun = time.monotonic()
    assert [m.value.first for m in await fetching] == [13]
    assert time.monotonic() - begun < 0.5  # stock Faust sleeps a whole second when its buffer is full


@in_loop
async def test_small_fetches_are_gathered_and_full_ones_are_not_waited_for():
    rig = Rig(gather_s=0.2, batch_records=3)
    rig.thread.fetches = [{TP0: rows(0, 10, 12)}, {TP0: rows(0, 13, 13)}, {TP0: rows(0, 14, 14)}]
    begun = time.monotonic()
    await rig.fetch()
    await rig.fetch()
    assert time.monotonic() - begun < 0.2, "rested though the fetch was full"
    assert [m.value.first for m in await rig.fetch()] == [14]
    assert time.monotonic() - begun >= 0.2


@in_loop
async def test_a_stop_does_not_wait_for_what_may_gather():
    rig = Rig(gather_s=60.0)
    rig.thread.fetches = [{TP0: rows(0, 10, 10)}]
    await rig.fetch()
    fetching = asyncio.create_task(rig.fetch())
    await asyncio.sleep(0.05)
    rig.consumer._stopped.set()
    await asyncio.wait_for(fetching, 2.0)


@in_loop
async def test_a_refetched_batch_is_not_dropped():
    """Upstream drops a message whose last offset is below the highest one that it saw."""
    rig = Rig()
    rig.consumer._read_offset[TP0] = 500
    rig.thread.fetches = [{TP0: rows(0, 10, 14)}]
    seen = []

    async def callback(message):
        seen.append(message.value.first)
        rig.consumer._stopped.set()

    rig.consumer.callback = callback
    await rig.consumer._drain_messages(SimpleNamespace(should_stop=False))
    assert seen == [10]


@in_loop
async def test_commits_behind_the_unbroken_row_only():
    rig = Rig()
    first, second = rig.deliver(TP0, 10, 14), rig.deliver(TP0, 15, 19)
    rig.finish(second)
    assert await rig.consumer.commit() is False
    rig.finish(first)
    assert await rig.consumer.commit() is True
    assert rig.thread.commits == [{TP0: 20}]
    assert await rig.consumer.commit() is False


@in_loop
async def test_fausts_own_acks_commit_nothing():
    """F1 to F5: an ack that Faust makes by itself never moves an offset."""
    rig = Rig()
    rig.deliver(TP0, 10, 14)
    rig.consumer._acked[TP0].extend(range(10, 15))
    assert await rig.consumer.commit() is False
    assert await rig.consumer.force_commit() is False
    assert rig.thread.commits == []


@in_loop
async def test_a_refused_commit_is_offered_again():
    rig = Rig()
    rig.thread.commit_answer = False
    rig.finish(rig.deliver(TP0, 10, 14))
    assert await rig.consumer.commit() is False
    rig.thread.commit_answer = True
    assert await rig.consumer.commit() is True


@in_loop
async def test_who_finds_a_commit_under_way_commits_the_rest():
    """Upstream's second caller waits for the first and commits nothing."""
    rig = Rig()
    rig.thread.commit_s = 0.05
    rig.finish(rig.deliver(TP0, 10, 14))
    first = asyncio.create_task(rig.consumer.commit())
    await asyncio.sleep(0.01)
    rig.finish(rig.deliver(TP0, 15, 19))
    await asyncio.gather(first, rig.consumer.commit())
    assert rig.thread.commits == [{TP0: 15}, {TP0: 20}]


@in_loop
async def test_only_what_is_assigned_is_committed():
    rig = Rig()
    rig.finish(rig.deliver(TP0, 10, 14))
    rig.thread.ours = {TP1}
    assert await rig.consumer.commit() is False


@in_loop
async def test_revocation_waits_for_work_then_commits_then_forgets():
    rig = Rig(revoke_wait_s=5.0)
    batch = rig.deliver(TP0, 10, 14)
    asyncio.get_running_loop().call_later(0.1, rig.finish, batch)
    rig.deliver(TP1, 10, 11)  # begun, and never finished

    async def finish_the_other():
        await asyncio.sleep(0.3)
        for started in list(rig.batching.ledger._started):
            rig.finish(started)

    helper = asyncio.create_task(finish_the_other())
    await rig.consumer.on_partitions_revoked({TP0, TP1})
    await helper
    assert rig.thread.commits == [{TP0: 15, TP1: 12}]
    assert rig.batching.ledger.partitions == frozenset()
    assert not rig.consumer.flow_active


@in_loop
async def test_revocation_does_not_wait_for_ever():
    rig = Rig(revoke_wait_s=0.2)
    ready, hanging = rig.deliver(TP0, 10, 14), rig.deliver(TP1, 10, 14)
    rig.finish(ready)
    begun = time.monotonic()
    await rig.consumer.on_partitions_revoked({TP0, TP1})
    assert time.monotonic() - begun < 2
    assert rig.thread.commits == [{TP0: 15}]
    rig.finish(hanging)
    assert await rig.consumer.commit() is False


@in_loop
async def test_a_failing_revocation_ends_the_process():
    """aiokafka would log the error, and the partitions would be given away without their commit."""
    rig = Rig()

    async def broken(offsets):
        raise RuntimeError("no")

    rig.thread.commit = broken
    rig.finish(rig.deliver(TP0, 10, 14))
    await rig.consumer.on_partitions_revoked({TP0})
    assert rig.exits == [EXIT_SURPRISE]


@in_loop
async def test_a_seek_sets_where_the_ledger_goes_on():
    rig = Rig()
    rig.thread.stored, rig.thread.earliest = {TP0: 42}, {TP1: 7}
    old = rig.deliver(TP0, 10, 14)
    await rig.consumer.perform_seek()
    assert rig.batching.positions.get(TP0) == 42
    assert rig.batching.positions.get(TP1) == 7
    assert rig.thread.seeks == [{TP0: 42, TP1: 7}]
    rig.finish(old)
    assert await rig.consumer.commit() is False


@in_loop
async def test_a_partition_that_comes_during_the_seek_waits_for_its_own():
    rig = Rig()
    rig.thread.ours, rig.thread.stored = {TP0}, {TP0: 42}
    rig.batching.revoked([TP0, TP1])
    seek = rig.thread.seek_to_committed

    async def seek_to_committed():
        found = await seek()
        rig.thread.ours = {TP0, TP1}
        return found

    rig.thread.seek_to_committed = seek_to_committed
    await rig.consumer.perform_seek()
    assert rig.batching.ledger.partitions == {TP0}
    assert rig.thread.seeks == [{TP0: 42}]


@in_loop
async def test_restored_state_says_where_reading_goes_on_whatever_was_committed():
    rig = Rig()
    rig.thread.stored = {TP0: 42}
    rig.batching.restore = lambda partitions: {TP0: 17}
    await rig.consumer.perform_seek()
    assert rig.thread.seeks == [{TP0: 17, TP1: 0}]
    assert rig.batching.positions.get(TP0) == 17


@in_loop
async def test_state_that_cannot_be_restored_ends_the_process():
    def away(partitions):
        raise ConnectionError

    rig = Rig()
    rig.batching.restore = away
    await rig.consumer.perform_seek()
    assert rig.exits == [EXIT_SURPRISE]


@in_loop
async def test_what_the_coordinator_died_of_ends_the_process():
    rig = Rig()

    def died():
        raise PermissionError("not authorised for the group")

    coordinator = SimpleNamespace(check_errors=died)
    rig.thread._ensure_consumer = lambda: SimpleNamespace(_coordinator=coordinator)
    await rig.consumer._drain_messages(SimpleNamespace(should_stop=False))
    assert rig.exits == [EXIT_SURPRISE]


@in_loop
async def test_a_crash_of_any_service_ends_the_process():
    rig = Rig()
    await rig.consumer.crash(RuntimeError("a sibling"))
    assert rig.exits == [EXIT_SURPRISE]


def test_a_right_that_a_commit_misses_first_is_named_too(caplog):
    @in_loop
    async def story():
        rig = Rig()
        rig.app._crash(TopicAuthorizationFailedError("in"))
        assert len(rig.exits) == 1

    story()
    assert "does not let us read" in caplog.text


@in_loop
async def test_a_crash_while_stopping_does_not():
    rig = Rig()
    rig.batching.fail_stop.stopping = True
    await rig.consumer.crash(RuntimeError("cancelled"))
    assert rig.exits == []


@in_loop
async def test_an_agent_whose_stream_raises_or_ends_ends_the_process():
    class Stream:
        def noack(self):
            return self

        async def events(self):
            if rig.raising:
                raise ValueError("broken")
            for _ in ():
                yield

    for raising in (True, False):
        rig = Rig()
        rig.raising = raising
        await rig.app.handle_all(Stream())
        assert rig.exits == [EXIT_SURPRISE]


@in_loop
async def test_the_application_is_set_up_as_it_must_be():
    rig = Rig()
    conf = rig.app.conf
    assert isinstance(rig.app.transport, BatchTransport)
    assert [str(url) for url in conf.broker] == ["kafka://127.0.0.1:1", "kafka://127.0.0.2:2"]
    assert 6 <= conf.broker_session_timeout <= 10
    assert conf.broker_heartbeat_interval <= conf.broker_session_timeout / 3
    assert conf.consumer_max_fetch_size == rig.batching.limits.partition_fetch_bytes
    assert conf.stream_buffer_maxsize > 4 * rig.batching.limits.held_batches
    assert not conf.web_enabled
    assert not conf.topic_allow_declare
    assert not list(rig.app.boot_strategy.web_server())
    assert "pickle" not in str(conf.key_serializer) + str(conf.value_serializer)


@in_loop
async def test_nothing_is_written_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Rig().app._create_directories()
    assert list(tmp_path.iterdir()) == []


def settings(**more) -> ServiceSettings:
    return ServiceSettings.load(bootstrap_servers="b:1", schema_registry_url="http://x", **more)


def test_security_settings_are_passed_on():
    assert credentials(settings()) is None
    scram = credentials(
        settings(security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_username="u", sasl_password="p")
    )
    assert (scram.protocol.value, scram.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (scram.username, scram.password) == ("u", "p")
    assert scram.ssl_context is not None
    plain = credentials(
        settings(security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", sasl_username="u", sasl_password="p")
    )
    assert (plain.protocol.value, plain.ssl_context) == ("SASL_PLAINTEXT", None)
    assert credentials(settings(security_protocol="SSL")).protocol.value == "SSL"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock) -> BatchState:
    metrics = Metrics((*METRICS, *BATCH_METRICS))
    return BatchState(
        BatchLimits(), FailStop(lambda code: None), metrics, Liveness(), readiness=Readiness(ASSIGNED), clock=clock
    )


def test_stuck_names_the_handler(state):
    assert state.stuck(1.0) is None
    assert state.stuck(31.0) == "the handler"


def test_stuck_names_a_fetch_loop_that_stands_still(state, clock):
    state.fetch_begins()
    clock.now += 31
    assert state.stuck(0.0) == "the fetch loop"
    state.fetch_rests()
    assert state.stuck(0.0) is None


def test_stuck_names_commits_that_do_not_move_though_work_is_done(state, clock):
    tp = ("in", 0)
    state.expect(tp, 10)

    def finish(first: int) -> None:
        batch = state.deliver(tp, rows(0, first, first + 4), 1)
        state.ledger.start(batch)
        state.finish(batch)

    clock.now += 31
    assert state.stuck(0.0) is None
    finish(10)
    assert state.stuck(0.0) is None  # idle before: nothing waited for a commit
    clock.now += 31
    assert state.stuck(0.0) is None  # nothing was finished since: a broker that is away is not our fault
    finish(15)
    assert state.stuck(0.0) == "the commits"
    state.committed({tp: 20})
    assert state.stuck(0.0) is None
    clock.now += 31
    finish(20)
    assert state.stuck(0.0) is None
    state.revoked([tp])
    state.expect(tp, 20)
    clock.now += 31
    finish(20)
    assert state.stuck(0.0) is None


def test_readiness_follows_the_assignment(state):
    assert not state.readiness.ready
    state.assigned([("in", 0)])
    assert state.readiness.ready


def test_lag_and_commit_age_leave_with_the_partitions(state, clock):
    tp = ("in", 0)
    read = functools.partial(state.metrics.registry.get_sample_value, labels={"topic": "in"})
    state.assigned([tp])
    state.expect(tp, 0)
    state.ends[tp] = 5_000
    state.publish_progress(state.waiting)
    clock.now += 70
    state.publish_progress(state.waiting)
    assert (read(CONSUMER_LAG.name), read(COMMIT_AGE.name)) == (5_000, 70)
    state.committed({tp: 10})
    state.publish_progress(state.waiting)
    assert (read(CONSUMER_LAG.name), read(COMMIT_AGE.name)) == (4_990, 0)
    clock.now += 5
    state.revoked([tp])
    state.publish_progress(state.waiting)
    assert (read(CONSUMER_LAG.name), read(COMMIT_AGE.name)) == (0, 0)


class Swollen:
    """Knows of a batch that no client can read, up to offset 14 of a partition, and reads it."""

    def __init__(self) -> None:
        self.looked: list[dict] = []
        self.asked: list[tuple[int, int]] = []

    def look(self, starts):
        self.looked.append(dict(starts))
        if len(self.looked) == 1:
            raise Recoverable("the broker is away")
        return dict.fromkeys(starts, 14)

    def rows(self, partition, offset, until):
        self.asked.append((offset, until))
        for at in range(offset, until):
            why = Reason.TOO_LARGE if at == 12 else None
            yield [OwnRecord(InputRecord(*partition, at, 0, b"k", None if why else b"own"), why)]
            if len(self.asked) == 1:
                raise Recoverable("the broker goes away")


@in_loop
async def test_after_a_death_what_the_client_must_not_read_is_read_by_ourselves_and_then_it_goes_on():
    rig = Rig()
    rig.batching.swollen = known = Swollen()
    rig.thread.stored = {TP0: 10, TP1: 10}
    rig.thread.metadata = {TP0: Mark(running=True).text(), TP1: Mark().text()}
    await rig.consumer.perform_seek()
    rig.consumer.resume_flow()
    assert rig.thread.seeks[-1] == {TP0: 14}
    assert known.looked == [{TP0: 10}, {TP0: 10}]
    found: list[tuple[int, int]] = []
    doomed = []
    while len(found) < 4:
        async for _, message in rig.consumer.getmany(timeout=1.0):
            batch = message.value
            rig.batching.ledger.start(batch)
            found.append((batch.first, batch.last))
            doomed += [one for one in batch.records if rig.batching.attempts.why_dead(batch.records[0])]
            rig.finish(batch)
    rig.thread.fetches = [{TP0: rows(0, 14, 15)}]
    found += [(first, last) for first, last, _ in await handed_over(rig)]
    assert found == [(10, 10), (11, 11), (12, 12), (13, 13), (14, 15)]
    assert [one.offset for one in doomed] == [12]
    assert known.asked == [(10, 14), (11, 14)]
    assert rig.thread.seeks[-1] == {TP0: 14}


def test_what_aiokafka_unpacks_are_our_records_with_all_that_they_carry():
    builder = DefaultRecordBatchBuilder(2, 3, 0, -1, -1, -1, 16_384)  # lz4
    headers = [("trace", b"1"), ("empty", None)]
    sent = [(b"k", b"v", 1_700_000_000_000, headers), (None, b"", 5, []), (b"", None, 7, [])]
    for offset, (key, value, timestamp, own) in enumerate(sent):
        assert builder.append(offset, timestamp, key, value, own) is not None
    builder.set_producer_state(-1, -1, 40)
    place = TopicPartition("in", 2)
    unpacked = PartitionRecords(place, MemoryRecords(bytes(builder.build())), [], 0, None, None, True, 0)
    held = _OurRecords()
    state = SimpleNamespace(paused=False, position=0, consumed_to=lambda _: None)
    assignment = SimpleNamespace(active=True, state_value=lambda _: state)
    held[place] = FetchResult(place, assignment=assignment, partition_records=unpacked, backoff=0)
    found = held[place].getall()
    assert [type(record) for record in found] == [InputRecord] * 3
    assert found == [
        InputRecord("in", 2, offset, timestamp, key, value, tuple(own))
        for offset, (key, value, timestamp, own) in enumerate(sent)
    ]
    held[place] = FetchError(error=ValueError(), backoff=0)
    assert isinstance(held[place], FetchError)
