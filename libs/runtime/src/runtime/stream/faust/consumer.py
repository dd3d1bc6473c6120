"""Faust's consumer, made to carry one list of records per partition and poll instead of one record at a time.

What is overridden here was read in faust-streaming 0.15.3; ``tests/test_faust_upstream.py`` fails when an upgrade changes any of it.
The rules: a fetched batch is delivered, or sought back to, or its partition is about to be taken; positions are ours and the client's are
claims (`runtime.kafka.positions`); the ledger alone says what may be committed; whatever does not fit ends the process.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from mode import Service, ServiceT

from runtime.errors import ReadingBroken, Recoverable
from runtime.kafka.consumer_errors import ErrorKind
from runtime.kafka.positions import lower_than, never_read
from runtime.kafka.records import InputRecord
from runtime.service.logs import get_logger
from runtime.stream.attempts import Mark
from runtime.stream.ledger import Batch, Partition, cut
from runtime.stream.state import ASSIGNED

if TYPE_CHECKING:
    from runtime.stream.faust.state import BatchState

_log = get_logger(__name__)

_UNASSIGNED_WAIT_S = 0.05
_FULL_WAIT_S = 1.0
_LOOK_FOR_MARKERS_S = 0.5
_OWN_PAUSE_S = 0.5


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Reads only what was committed, and commits with the mark of each partition beside its offset, see `runtime.stream.attempts`.

    Upstream reads what was aborted too, unless it is itself in a transaction, and says nothing beside an offset.
    """

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - upstream fixes it; taken over when it starts
        return consumer

    def highwater(self, tp: TP) -> int:
        """The offset behind the last record that can be read, not the end of the log: an open transaction may stand between."""
        return cast("int", self._ensure_consumer().last_stable_offset(tp))

    async def on_start(self) -> None:
        """Start, and have records made as ours where they are unpacked."""
        await super().on_start()
        fetcher = self._ensure_consumer()._fetcher  # noqa: SLF001 - upstream offers no other way
        fetcher._records = _OurRecords(fetcher._records)  # noqa: SLF001

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        state, ours = cast("BatchConsumer", self.consumer).batching, self.assignment()
        still: dict[Partition, int] = {tp: offset for tp, offset in offsets.items() if tp in ours}
        marked = {TopicPartition(*tp): OffsetAndMetadata(*one) for tp, one in state.marked(still).items()}
        try:
            await self._ensure_consumer().commit(marked)
        except CommitFailedError as error:
            if "already rebalanced" in str(error):
                return False
            await self.crash(error)
            return False
        except Exception as error:  # noqa: BLE001 - as upstream: the process ends, through the crash
            await self.crash(error)
            return False
        return True

    async def marks(self, partitions: Iterable[TP]) -> Mapping[TP, tuple[int, str]]:
        """What the group has committed: offset and mark."""
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001 - upstream offers the offset alone
        places = [TopicPartition(tp.topic, tp.partition) for tp in partitions]
        found = await self.call_thread(coordinator.fetch_committed_offsets, places)
        return {TP(at.topic, at.partition): (one.offset, one.metadata) for at, one in found.items()}


class _OurRecords(OrderedDict[TopicPartition, Any]):
    """What aiokafka holds by partition, to be unpacked as our records: its own class, made once more into ours, takes five times as long."""

    def __setitem__(self, tp: TopicPartition, fetched: Any) -> None:
        if isinstance(fetched, FetchResult):
            fetched._partition_records._consumer_record = _input_record  # noqa: SLF001 - it asks nobody else
        super().__setitem__(tp, fetched)


def _input_record(tp: TopicPartition, record: Any) -> InputRecord:
    timestamp = record.timestamp
    at_ms = -1 if timestamp is None else timestamp
    fields = (tp.topic, tp.partition, record.offset, at_ms, record.key, record.value, tuple(record.headers))
    return tuple.__new__(InputRecord, fields)  # what the class itself does is twice as slow


class BatchConsumer(driver.Consumer):
    """Yields messages whose value is a `Batch` and whose offset is the batch's last one."""

    logger = logging.getLogger("faust.transport")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batching: BatchState = cast("Any", self.app).batching
        self._commit_lock = asyncio.Lock()
        self._dropped: set[TP] = set()
        self._gather_until_s = 0.0
        self._look_for_markers_at_s = 0.0
        self._own: dict[TP, int] = {}
        self._own_rows: dict[TP, Iterator[Sequence[InputRecord]]] = {}
        self._loop_of_commits: asyncio.AbstractEventLoop | None = None

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- fetching ------------------------------------------------------------------------------------------------

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        """Read until stopped. Upstream's own loop compares only last offsets, which makes refetched batches vanish."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                async for _tp, message in self.getmany(timeout=1.0):
                    await self.wait_first(self.callback(message), self.suspend_flow.wait())
                await asyncio.sleep(0)
        except self.consumer_stopped_errors as error:
            self.surprise("the fetch loop", error)
        except Exception as error:  # noqa: BLE001 - Faust would restart the fetcher and go on behind the failure
            self.surprise("the fetch loop", error)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 - upstream's signature
        """Fetch once; yields one message for each partition that has records, or several where a bound cuts them."""
        await self._gather()
        if not await self._has_room():
            return
        generation = self.app.consumer_generation_id  # before the fetch is awaited: a rebalance may pass meanwhile
        fetched = await self._fetch(timeout_s=timeout)
        await self._pass_markers(fetched, generation)
        if not fetched or self.should_stop:
            return
        limits = self.batching.limits
        if sum(map(len, fetched.values())) < limits.batch_records:
            self._gather_until_s = time.monotonic() + limits.gather_s
        for fetched_tp, records in fetched.items():
            tp = TP(fetched_tp.topic, fetched_tp.partition)
            if self._is_stale(generation):
                await self._seek_back(fetched)
                return
            for row, size_bytes in self._rows(tp, self._admit(tp, records)):
                if not await self._guard(tp, row, generation) or self._is_stale(generation):
                    await self._seek_back(fetched)
                    return
                yield tp, self._message(tp, self.batching.deliver(tp, row, size_bytes), row[-1])

    def _admit(self, tp: TP, records: Sequence[Any]) -> Sequence[Any]:
        """What of the fetched records follows on our position; the rest is fetched again from there."""
        first, stop, look_again = self.batching.positions.admit(tp, records)
        if look_again:
            self._dropped.add(tp)
        return records if stop - first == len(records) else records[first:stop]

    def _rows(self, tp: TP, records: Sequence[Any]) -> Iterator[tuple[Sequence[Any], int]]:
        """Cut what was fetched of a partition into batches, as small as suspicion asks for at that moment."""
        limits, attempts = self.batching.limits, self.batching.attempts
        while records:
            count = len(records)
            if attempts.careful:
                offsets = [record.offset for record in records[: limits.batch_records]]
                count = attempts.portion(tp, offsets, limits.batch_records)
            yield from cut(records[:count], limits.batch_records, limits.batch_bytes)
            records = records[count:]

    async def _guard(self, tp: TP, row: Sequence[Any], generation: int) -> bool:
        """While a partition is suspect: all before is done and committed, and the mark of this batch is written, before it is begun."""
        attempts = self.batching.attempts
        if not (attempts.careful or attempts.untold):
            return True
        while self.batching.ledger.held_batches:
            self.batching.fetch_rests()
            self.batching.freed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.batching.freed.wait(), _FULL_WAIT_S)
            if self.should_stop or self._is_stale(generation):
                return False
        await self.commit()
        if attempts.careful:
            attempts.take(tp, row[0].offset, row[-1].offset)
        else:
            attempts.put_down()
        return await self.commit_marks()

    async def commit_marks(self) -> bool:
        """Commit the same offsets again, with what is to stand beside them now; False: a rebalance passed."""
        attempts = self.batching.attempts
        async with self._commit_lock:  # asked within it: whoever had it may have committed more
            offsets = {tp: base for tp in self.assignment() if (base := attempts.base(tp)) is not None}
            if offsets and not await self._commit(offsets):
                self.batching.commit_failed()
                return False
        attempts.told()
        return True

    async def _leave(self) -> None:
        """Whoever comes next is to know that nobody died here."""
        self.batching.attempts.leaving(self.assignment())
        await self.commit()

    def leave_soon(self, limit_s: float) -> None:
        """From another thread, before the process ends of a fault that we know: say so, as far as there is time."""
        if self._loop_of_commits is None:
            return
        with contextlib.suppress(Exception):  # then the next owner is careful for nothing
            asyncio.run_coroutine_threadsafe(self._leave(), self._loop_of_commits).result(limit_s)

    async def _take_marks(self, ours: Iterable[TP], lows: Mapping[TP, int]) -> None:
        """Learn whether the last owners of our partitions died, and say that we have them in hand now."""
        attempts = self.batching.attempts
        self._loop_of_commits = asyncio.get_running_loop()
        found = await cast("BatchConsumerThread", self._thread).marks(ours)
        suspicious = [tp for tp, (_, text) in found.items() if Mark.parse(text).suspicious]
        ends = await self.highwaters(*suspicious) if suspicious else {}
        for tp in ours:
            committed, text = found.get(tp, (-1, ""))
            begins = self.batching.positions.get(tp)
            base = max(committed, lows[tp]) if committed >= 0 else begins
            attempts.assigned(tp, base, text, int(ends.get(tp) or 0), begins)
        await self.commit_marks()
        await self._look_for_swollen(suspicious)

    def _is_stale(self, generation: int) -> bool:
        """Whether what was fetched under this generation may no longer be delivered."""
        return self.app.consumer_generation_id != generation or not self.flow_active

    async def _gather(self) -> None:
        """Let records come together; aiokafka asks for more only of partitions whose last answer was taken over."""
        if (left_s := self._gather_until_s - time.monotonic()) > 0:
            await self.sleep(left_s)

    async def _has_room(self) -> bool:
        """Wait until what is under way is within bounds; no fetch happens meanwhile. False: we are stopping."""
        batching = self.batching
        while not batching.has_room() and not self.should_stop:
            batching.fetch_rests()
            batching.freed.clear()
            try:
                await asyncio.wait_for(batching.freed.wait(), _FULL_WAIT_S)
            except TimeoutError:
                self._check_thread()
        return not self.should_stop

    async def _fetch(self, timeout_s: float) -> Mapping[Any, Sequence[Any]]:
        if not self.flow_active:
            self.batching.fetch_rests()
            await self.wait(self.can_resume_flow.wait())
        self.batching.fetch_begins()
        self._check_thread()
        positions = self.batching.positions
        active = set(self._get_active_partitions()) - positions.halted
        if own := await self._next_own(active):
            return own
        active -= self._own.keys()
        if not active:  # an empty set would mean all partitions to aiokafka
            await asyncio.sleep(_UNASSIGNED_WAIT_S)
            return {}
        await self._seek_dropped()
        try:
            fetched: Mapping[Any, Sequence[Any]] = await self._getmany(active_partitions=active, timeout=timeout_s)
        except NoOffsetForPartitionError:
            return {}  # just assigned: our own seek is to come
        except OffsetOutOfRangeError as error:
            for tp, asked in error.args[0].items():
                await self._out_of_range(TP(tp.topic, tp.partition), asked)
            return {}
        self._note_ends(active)
        return fetched

    async def _next_own(self, active: set[TP]) -> Mapping[TP, Sequence[Any]]:
        """The next records of a partition that the client must not read (`runtime.stream.swollen`); behind them it reads on."""
        positions, swollen = self.batching.positions, self.batching.swollen
        for tp in active & self._own.keys():
            here, until = positions.get(tp), self._own[tp]
            if here is None or swollen is None:
                continue
            if tp not in self._own_rows:
                self._own_rows[tp] = self.batching.attempts.doomed_noted(swollen.rows(tp, here, until))
            try:
                row = await asyncio.to_thread(next, self._own_rows[tp], None)
            except Recoverable as error:
                _log.warning("waiting for what is read here", message=str(error))
                del self._own_rows[tp]
                await asyncio.sleep(_OWN_PAUSE_S)
                continue
            if row is not None:
                return {tp: row}
            del self._own[tp], self._own_rows[tp]
            if positions.get(tp) is not None:
                self.batching.pass_over(tp, until)  # markers, or what was aborted
                positions.begin(tp, until)
                self._dropped.add(tp)
        await self._seek_dropped()
        return {}

    async def _look_for_swollen(self, suspicious: Iterable[TP]) -> None:
        """After a death: look for what the client must not read, and have it stand behind that."""
        swollen, positions = self.batching.swollen, self.batching.positions
        ours = self.assignment()
        self._own_rows.clear()
        self._own = {tp: until for tp, until in self._own.items() if tp in ours and until > (positions.get(tp) or 0)}
        starts: dict[Partition, int] = {tp: at for tp in suspicious if (at := positions.get(tp)) is not None}
        while swollen is not None and starts and not self.should_stop:
            try:
                found = await asyncio.to_thread(swollen.look, starts)
            except Recoverable as error:
                _log.warning("waiting for a look at what a process died of", message=str(error))
                await asyncio.sleep(_OWN_PAUSE_S)
                continue
            self._own.update({TP(*at): until for at, until in found.items()})
            break
        if still := {tp: until for tp, until in self._own.items() if tp in self.assignment()}:
            await self.seek_wait(still)

    async def _out_of_range(self, tp: TP, asked: int) -> None:
        """The broker has nothing at our position: go on at the earliest, or stand still when the log was cut off."""
        earliest = await self.earliest_offsets(tp)
        positions = self.batching.positions
        if tp not in self.assignment() or positions.get(tp) is None:
            return
        if asked == positions.get(tp) and positions.out_of_range(tp, next(iter(earliest.values()))) is None:
            self.batching.halted(tp)
        else:  # also where the client asked for another place than ours
            self._dropped.add(tp)

    async def _pass_markers(self, fetched: Mapping[Any, Sequence[Any]], generation: int) -> None:
        """Where the end lies behind our position and no record comes: see whether the client has passed nothing but markers."""
        if time.monotonic() < self._look_for_markers_at_s:
            return
        self._look_for_markers_at_s = time.monotonic() + _LOOK_FOR_MARKERS_S
        positions = self.batching.positions
        active = set(self._get_active_partitions()) - self._own.keys()
        for tp in active - fetched.keys() - self._dropped - positions.halted:
            here, end = positions.get(tp), self.batching.ends.get(tp)
            if here is None or end is None or end <= here or self._is_stale(generation):
                continue
            claimed = await self._thread.position(tp)
            if claimed is None or claimed <= here or self._is_stale(generation):
                continue  # it has not come further yet
            if positions.reach(tp, claimed):
                self._dropped.add(tp)
            elif positions.get(tp) == claimed:
                self.batching.pass_over(tp, claimed)

    async def _seek_back(self, fetched: Iterable[Any]) -> None:
        """A rebalance passed during the fetch. What is still ours is fetched again from where it is expected."""
        self._dropped |= {TP(tp.topic, tp.partition) for tp in fetched}
        if self.flow_active:  # else the offsets are not known yet, and the next fetch waits for them
            await self._seek_dropped()

    async def _seek_dropped(self) -> None:
        """Seek to what is expected wherever fetched records were dropped.

        A fetch from before a rebalance may return records of the new assignment, before or after the seek to the committed offsets.
        """
        if not self._dropped:
            return
        ours = self.assignment()
        for tp in self._dropped & self._own.keys():
            self._own_rows.pop(tp, None)  # begins again where we are
        dropped, self._dropped = self._dropped - self._own.keys(), set()
        offsets = {
            tp: offset for tp in dropped if tp in ours and (offset := self.batching.positions.get(tp)) is not None
        }
        if offsets:
            await self.seek_wait(offsets)

    def _message(self, tp: TP, batch: Batch, last_record: InputRecord) -> ConsumerMessage:
        message = self._to_message(tp, _as_fetched(last_record))
        message.key, message.headers, message.value = None, None, cast("Any", batch)
        return message

    def _note_ends(self, active: Iterable[TP]) -> None:
        for tp in active:
            with contextlib.suppress(Exception):  # a partition may leave us at any time; its end is only for the lag
                if (end := self.highwater(tp)) is not None:
                    self.batching.ends[tp] = end

    def check_coordinator(self) -> None:
        """Raise what the group coordinator died of. Before the first partitions nobody fetches, and so nobody else would ask."""
        consumer = getattr(getattr(self, "_thread", None), "_consumer", None)  # None until it has started
        coordinator = getattr(consumer, "_coordinator", None)
        if coordinator is not None:
            coordinator.check_errors()

    def topic_exists(self, topic: str) -> bool | None:
        """Whether the cluster has the topic, as far as the client knows; None before it knows anything."""
        consumer = getattr(getattr(self, "_thread", None), "_consumer", None)
        cluster = getattr(getattr(consumer, "_client", None), "cluster", None)
        if cluster is None or ASSIGNED in self.batching.readiness.missing or not cluster.brokers():
            return None
        return cluster.partitions_for_topic(topic) is not None

    def _check_thread(self) -> None:
        """Raise what the group coordinator or the consumer's thread died of; upstream never asks."""
        consumer = self._thread._ensure_consumer()  # noqa: SLF001 - upstream offers no other way
        consumer._coordinator.check_errors()  # noqa: SLF001
        if self._thread.crashed:
            raise self._thread.crash_reason or RuntimeError("the consumer's thread crashed")

    def surprise(self, where: str, error: BaseException) -> None:
        """Something failed that nobody expects: the process ends, and a right that is missing is named in one line, whoever met it first."""
        if isinstance(error, (TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
            broken = "Kafka does not let us read: give this principal the right to read the topic and to use its group"
            cast("Any", self.app).errors.count(ErrorKind.FORBIDDEN)
            error = ReadingBroken(f"{broken}; this process ends, so that a fresh one begins")
        if not self.batching.fail_stop.stopping:
            self.batching.fail_stop(where, error)

    # -- acknowledging and committing ----------------------------------------------------------------------------

    def ack(self, message: Message) -> bool:
        """All that the message's batch produced is acknowledged by the broker."""
        message.acked = True
        self._unacked_messages.discard(message)
        return self.batching.finish(cast("Any", message.value))

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002
        """Commit what the ledger offers. A caller that finds another commit under way waits, and then commits too."""
        async with self._commit_lock:
            return await self.force_commit(topics, start_new_transaction)

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002, ARG002
        """Commit behind each partition's unbroken row of finished batches; False: there was nothing, or a rebalance passed."""
        offsets = {tp: one.offset for tp, one in self.batching.to_commit(self.assignment()).items()}
        if not offsets:
            return False
        if not await self._commit({TP(*tp): offset for tp, offset in offsets.items()}):
            self.batching.commit_failed()
            return False
        self.batching.committed(offsets)
        return True

    @Service.task
    async def _commit_handler(self) -> None:
        try:
            while not self.should_stop:
                await asyncio.sleep(self.batching.limits.commit_interval_s)
                if not self.app.rebalancing:
                    await self.commit()
        except Exception as error:  # noqa: BLE001
            self.surprise("the commit loop", error)

    # -- partitions come and go ----------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Take no more, let what is under way finish for a while, commit, and only then forget the partitions."""
        try:
            self.stop_flow()
            self.app.flow_control.suspend()
            await self.finish_and_commit(self.batching.limits.revoke_wait_s)
        except Exception as error:  # noqa: BLE001 - aiokafka would log and drop it
            self.surprise("the revocation of partitions", error)
        self.batching.revoked(revoked)
        await super().on_partitions_revoked(revoked)

    async def finish_and_commit(self, limit_s: float) -> bool:
        """Put back what nobody works on, wait for the rest, commit; False: time ran out, only what was ready is committed."""
        batching = self.batching
        batching.put_back()
        deadline_s = self.loop.time() + limit_s
        while batching.ledger.started and self.loop.time() < deadline_s:
            batching.freed.clear()
            try:
                await asyncio.wait_for(
                    batching.freed.wait(), min(_FULL_WAIT_S, max(0.01, deadline_s - self.loop.time()))
                )
            except TimeoutError:
                continue
        await self._leave()
        return not batching.ledger.started

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Note what is ours now; the offsets follow with `perform_seek`."""
        self.batching.assigned(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Seek to the committed offsets, or to where restored state goes on, and expect each partition to go on there."""
        asked = set(self.assignment())
        await super().perform_seek()
        ours = asked & set(self.assignment())  # what the next rebalance brings meanwhile has a seek of its own to come
        known: dict[TP, int | None] = {tp: self._read_offset[tp] for tp in ours}
        known.update(await self._restore(ours))
        earliest = await self.earliest_offsets(*ours) if ours else {}
        lows = {TP(tp.topic, tp.partition): offset for tp, offset in earliest.items()}
        for tp, offset in known.items():
            first = await self._first_missed(tp, lows[tp]) if offset is None else offset
            self.batching.expect(tp, self.batching.positions.start(tp, first, lows[tp]))
        # Each is sought, also where aiokafka stands there: a fetch from before the rebalance may have moved it on, its records dropped.
        now = self.assignment()  # the next rebalance may be under way
        if still := {tp: self.batching.positions.get(tp) or 0 for tp in known if tp in now}:
            await self.seek_wait(still)
        try:
            await self._take_marks(ours, lows)
        except Exception as error:  # noqa: BLE001 - upstream would log it and read on without them
            self.surprise("the marks of the last owners", error)
        self.batching.freed.set()

    async def _first_missed(self, tp: TP, low: int) -> int | None:
        """Where reading begins in a partition that the group never committed, see `runtime.kafka.positions.never_read`."""
        lower = [TP(*one) for one in lower_than(tp)]
        if not lower or not low:
            return None
        found = await cast("BatchConsumerThread", self._thread).marks(lower)
        offsets: dict[Partition, int] = {one: offset for one, (offset, _) in found.items() if offset >= 0}
        lows = await self.earliest_offsets(*map(TP._make, offsets)) if offsets else {}
        return never_read(offsets, {(one.topic, one.partition): at for one, at in lows.items()})

    async def _restore(self, ours: Iterable[TP]) -> Mapping[TP, int]:
        """Let the application bring its state back; it decides where reading goes on."""
        if self.batching.restore is None or not ours:
            return {}
        try:
            found = await asyncio.to_thread(self.batching.restore, list(ours))
        except Exception as error:  # noqa: BLE001 - upstream would log it and read on without the state
            self.surprise("the restoring of state", error)
            return {}
        return {TP(*tp): offset for tp, offset in found.items()}

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Upstream's livelock check only logs, and compares two different clocks; ours is `BatchState.stuck`."""


def _as_fetched(record: InputRecord) -> Any:
    """A record as the client gives it."""
    size = len(record.value or b"")
    return ConsumerRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp_ms,
        0,
        record.key,
        record.value,
        None,
        len(record.key or b""),
        size,
        record.headers,
    )


class BatchTransport(driver.Transport):
    """Faust's aiokafka transport with our consumer."""

    Consumer = BatchConsumer
