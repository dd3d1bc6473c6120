"""The extractor on Faust's batch transport: our own consumer, state, ledger and worker, driven without Faust's threads.

The event loop is asyncio's own with the world's clock. What stands in the place of aiokafka's thread reads the simulated broker as aiokafka
does: an eager group, positions of its own, errors for what lies out of range. The whole of it goes when the two engines become one.
"""

import asyncio
import queue
import sys
from asyncio import base_events
from collections.abc import Coroutine, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import CommitFailedError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from extractor import handler as extraction
from extractor.metrics import METRICS
from faust.types import TP
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import InputRecord
from runtime.service.health import Liveness, Readiness
from runtime.service.metrics import EXPIRED_RECORDS, Metrics
from runtime.service.settings import ServiceSettings
from runtime.stream.faust import stop as faust_batch_stop
from runtime.stream.faust.app import BatchApp, BatchLimits
from runtime.stream.faust.consumer import BatchConsumerThread
from runtime.stream.faust.state import BATCH_METRICS
from runtime.stream.faust.stop import FailStop
from runtime.stream.ledger import RepeatedOffsetsError, UnknownPartitionError
from runtime.stream.state import ASSIGNED

from tests.simulation.broker import Member
from tests.simulation.client import SimProducer
from tests.simulation.kernel import Kernel, Killed, Process, Signal, SimEvent
from tests.simulation.services import (
    ACCEPTED,
    EXTRACTORS,
    KILLS_EXTRACTOR,
    Outlook,
    Running,
    extraction_handler,
    moody,
)

_POLL_S = 0.1
_GROUP_S = 0.25


class SimLoop(base_events.BaseEventLoop):
    """asyncio's loop with the world's clock: it waits as any task of the world does."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self._kernel = kernel
        self._wakeup = Signal()
        self._woken = False
        self._selector = self
        self.set_exception_handler(lambda *_: None)

    def time(self) -> float:
        return self._kernel.now

    def select(self, timeout: float | None) -> list[Any]:
        """Called by `_run_once` in the place of a selector's."""
        if not self._woken and (timeout is None or timeout > 0):
            hooks = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(None, None)
            self._kernel.wait(float("inf") if timeout is None else timeout, (self._wakeup,))
            sys.set_asyncgen_hooks(*hooks)
        self._woken = False
        return []

    def _process_events(self, _: object) -> None: ...

    def _check_closed(self) -> None:
        """A killed process closes nothing; what is left of its tasks ends without a word."""

    def __del__(self) -> None: ...

    def _write_to_self(self) -> None:
        self._woken = True
        self._wakeup.notify()


class SimQueue:
    """`queue.SimpleQueue` for tasks."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel, self._items, self._signal = kernel, [], Signal()

    def put(self, item: Any) -> None:
        self._items.append(item)
        self._signal.notify()

    def get_nowait(self) -> Any:
        if not self._items:
            raise queue.Empty
        return self._items.pop(0)

    def get(self, timeout: float) -> Any:
        if not self._items:
            self._kernel.wait(timeout, (self._signal,))
        return self.get_nowait()


class SimThread:
    """aiokafka's consumer and its thread, over the simulated broker."""

    def __init__(self, outlook: Outlook, process: Process, consumer: Any, member: Member) -> None:
        self.consumer, self.member = consumer, member
        self._outlook, self._process, self._broker = outlook, process, outlook.broker
        self._group = outlook.broker.group(EXTRACTORS)
        self.positions: dict[TP, int | None] = {}
        self.crashed = False
        self.crash_reason: BaseException | None = None

    async def _ask(self) -> None:
        self._process.step()
        await asyncio.sleep(self._broker.random.uniform(0.001, 0.01))
        while self._broker.away:  # noqa: ASYNC110 - the broker is no part of this loop
            await asyncio.sleep(_POLL_S)
        self._process.step()

    def assignment(self) -> set[TP]:
        return set(self.positions)

    def assign(self, ours: Iterable[TP]) -> None:
        self.positions = dict.fromkeys(ours)

    def highwater(self, tp: TP) -> int:
        return self._broker.log(tuple(tp)).stable

    async def getmany(self, active_partitions: set[TP], timeout: float) -> Mapping[TP, list[InputRecord]]:  # noqa: ASYNC109
        until_s = self._broker.kernel.now + timeout
        while True:
            self._process.step()
            if found := self._read(sorted(active_partitions & self.positions.keys())):
                await asyncio.sleep(self._broker.random.uniform(0.0, 0.01))  # a rebalance may pass meanwhile
                return found
            if self._broker.kernel.now >= until_s:
                return {}
            await asyncio.sleep(_POLL_S)

    def _read(self, active: list[TP]) -> dict[TP, list[InputRecord]]:
        found: dict[TP, list[InputRecord]] = {}
        if self._broker.away:
            return found
        chance = self._broker.random
        chance.shuffle(active)
        for tp in active:
            here, log = self.positions[tp], self._broker.log(tuple(tp))
            if here is None:
                continue
            if here < log.low or here > log.high:
                raise OffsetOutOfRangeError({TopicPartition(*tp): here})
            end = min(log.stable, here + chance.choice((2, 10, 500)))
            rows = [
                InputRecord(*tp, one.offset, one.timestamp_ms, one.key, one.value, one.headers)
                for one in (log.entry(offset) for offset in range(here, end))
                if one.kind == "data"
            ]
            self.positions[tp] = end
            if rows:
                found[tp] = rows
        return found

    async def position(self, tp: TP) -> int | None:
        return self.positions.get(tp)

    async def seek_wait(self, offsets: Mapping[TP, int]) -> None:
        self._process.step()
        for tp, offset in offsets.items():
            if tp in self.positions:
                self.positions[tp] = offset

    async def seek_to_committed(self) -> dict[TP, int | None]:
        await self._ask()
        stored = {tp: self._group.committed.get(tuple(tp), (None, ""))[0] for tp in self.positions}
        self.positions.update(stored)
        return stored

    async def marks(self, partitions: Iterable[TP]) -> dict[TP, tuple[int, str]]:
        await self._ask()
        return {tp: self._group.committed.get(tuple(tp), (-1, "")) for tp in partitions}

    async def highwaters(self, *partitions: TP) -> dict[TP, int]:
        await self._ask()
        return {tp: self._broker.log(tuple(tp)).stable for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> dict[TP, int]:
        await self._ask()
        return {tp: self._broker.log(tuple(tp)).low for tp in partitions}

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        """Our own thread's way of committing, with the marks; what it calls is simulated."""
        return await BatchConsumerThread._commit(self, offsets)

    def _ensure_consumer(self) -> Any:
        return SimpleNamespace(commit=self._store, _coordinator=SimpleNamespace(check_errors=lambda: None))

    async def _store(self, marked: Mapping[TopicPartition, Any]) -> None:
        joined = self.member.joined
        await self._ask()
        refused = self._broker.random.random() < self._broker.chances.refused_commit
        if refused or self.member not in self._group.members or joined != self.member.joined:
            raise CommitFailedError("Commit cannot be completed since the group has already rebalanced")
        for tp, one in marked.items():
            self._broker.commit(self._group, (tp.topic, tp.partition), one.offset, one.metadata)

    async def crash(self, error: BaseException) -> None:
        self.crashed, self.crash_reason = True, error


class FaustProcess:
    """What `runtime.stream.faust.app.run` does, on the simulated thread."""

    def __init__(self, outlook: Outlook, process: Process) -> None:
        self._outlook, self._process, self._kernel = outlook, process, outlook.broker.kernel
        self.metrics = Metrics((*METRICS, *BATCH_METRICS))
        self.readiness = Readiness(ASSIGNED, age_s=lambda: self._kernel.now)
        self._asked_to_stop = SimEvent(self._kernel)
        self._loop: SimLoop | None = None

    def stop(self) -> None:
        self._asked_to_stop.set()

    def run(self) -> None:
        self._loop = SimLoop(self._kernel)
        self._loop.run_until_complete(self._main())

    def _leave(self, _code: int) -> None:
        self._outlook.broker.record_event("ended", process=self._process.name, error=repr(self._app.fail_stop.reason))
        reason = self._app.fail_stop.reason
        if isinstance(
            reason, (RepeatedOffsetsError, UnknownPartitionError)
        ):  # a mistake of ours, and no trouble of the world's
            self._kernel.error = self._kernel.error or reason
        self._process.ended = True
        self._process.kill()
        raise Killed

    async def _main(self) -> None:
        outlook, process, kernel = self._outlook, self._process, self._kernel
        producer = SimProducer(outlook.broker, process, delivery_s=outlook.delivery_s, most=outlook.queue)
        outlook.producers.append((process, producer))
        limits = BatchLimits(
            batch_records=(most := min(outlook.limits.batch_records, 20)),
            call_records=4 * most,
            held_batches=outlook.limits.held_batches * 2,
            commit_interval_s=max(0.2, outlook.limits.commit_interval_s),
        )
        settings = ServiceSettings.load(bootstrap_servers="127.0.0.1:1", schema_registry_url="http://x")
        app = self._app = BatchApp(
            settings,
            group="extractor",
            topic=ACCEPTED,
            handler=moody(extraction_handler(self.metrics, outlook.column_notes), outlook, process, KILLS_EXTRACTOR),
            sender=DeliveryProducer({}, producer),
            metrics=self.metrics,
            liveness=Liveness(),
            readiness=self.readiness,
            limits=limits,
            fail_stop=FailStop(self._leave),
            stage=extraction.STAGE,
        )
        app.batching.swollen = None  # it asks a broker by another client, and no record here is larger than memory
        consumer: Any = app.consumer
        member = Member(process.name, True, process, Signal(), (ACCEPTED,))
        consumer._thread = thread = SimThread(outlook, process, consumer, member)
        consumer._on_partitions_revoked = consumer._on_partitions_assigned = _nothing
        consumer.callback = self._hand_over
        app.worker._inbox, app.worker.worker.stop = SimQueue(kernel), SimEvent(kernel)
        process.spawn(app.worker._run)
        consumer.stop_flow()
        fetcher: Any = SimpleNamespace(should_stop=False)
        tasks = [
            asyncio.ensure_future(self._in_group(app, consumer, thread, member)),
            asyncio.ensure_future(consumer._drain_messages(fetcher)),
            asyncio.ensure_future(self._commit(app, consumer)),
        ]
        while not self._asked_to_stop.is_set():
            await asyncio.sleep(0.5)
            process.step()
            for task in tasks:
                if task.done():
                    task.result()
        await self._end(app, consumer, member)
        for task in tasks:
            task.cancel()

    async def _hand_over(self, message: Any) -> None:
        consumer: Any = self._app.consumer
        self._app.handle(SimpleNamespace(message=message, ack=lambda: consumer.ack(message)))

    async def _commit(self, app: BatchApp, consumer: Any) -> None:
        while True:
            await asyncio.sleep(app.batching.limits.commit_interval_s)
            if not app.rebalancing:
                await consumer.commit()

    async def _end(self, app: BatchApp, consumer: Any, member: Member) -> None:
        """As `runtime.stream.faust.app._stop` does."""
        app.fail_stop.stopping = True
        consumer.stop_flow()
        await consumer.finish_and_commit(app.batching.limits.stop_wait_s)
        app.worker.stop(0.0)
        self._outlook.broker.group(EXTRACTORS).leave(member)

    async def _in_group(self, app: BatchApp, consumer: Any, thread: SimThread, member: Member) -> None:
        """Membership, as aiokafka's coordinator and Faust's rebalance listener have it."""
        broker = self._outlook.broker
        group = broker.group(EXTRACTORS)
        group.join(member)
        broker.watch_session(group, member)
        known, looked_at_s = len(broker.topics[ACCEPTED]), self._kernel.now
        while not self._asked_to_stop.is_set():
            self._process.step()
            if not broker.away:
                if member.kicked or member.to_revoke:
                    await self._give_away(app, consumer, thread, member)
                elif (not member.asked or group.free_for(member)) and group.settled:
                    await self._take_on(app, consumer, thread, member)
                if self._kernel.now - looked_at_s > 10.0 and member in group.members:
                    looked_at_s = self._kernel.now
                    if known != len(broker.topics[ACCEPTED]):
                        known = len(broker.topics[ACCEPTED])
                        group.rebalance()
            await asyncio.sleep(_GROUP_S)

    async def _give_away(self, app: BatchApp, consumer: Any, thread: SimThread, member: Member) -> None:
        group = self._outlook.broker.group(EXTRACTORS)
        app.rebalancing = True
        lost = member.kicked
        gone = {TP(*place) for place in member.owned}
        member.revoking = not lost
        began_at_s = self._kernel.now
        await consumer.on_partitions_revoked(gone)
        member.revoking = False
        self._outlook.broker.given_away(self._process, gone, self._kernel.now - began_at_s)
        thread.assign(())
        if lost:
            group.join(member)
            self._outlook.broker.watch_session(group, member)
        else:
            group.revoked(member, set(member.owned))

    async def _take_on(self, app: BatchApp, consumer: Any, thread: SimThread, member: Member) -> None:
        group = self._outlook.broker.group(EXTRACTORS)
        member.asked = True
        member.owned |= group.free_for(member)
        ours = {TP(*place) for place in member.owned}
        generation = group.changes
        thread.assign(sorted(ours))
        app.consumer_generation_id = generation
        await consumer.on_partitions_assigned(ours, generation)
        await consumer.perform_seek()
        app.rebalancing = False
        if not (member.to_revoke or member.kicked):
            consumer.resume_flow()


def _run_in(coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> Any:
    """`asyncio.run_coroutine_threadsafe` for tasks; its `result` lets the world go on."""
    assert isinstance(loop, SimLoop)
    done = SimEvent(loop._kernel)

    async def run() -> None:
        try:
            await coroutine
        finally:
            done.set()

    loop.call_soon_threadsafe(lambda: loop.create_task(run()))
    return SimpleNamespace(result=done.wait)


async def _nothing(*_: object) -> None:
    """Faust's application is not there to be told."""


def extractor(outlook: Outlook, process: Process) -> Running:
    """The extractor on Faust's transport."""
    extracting = FaustProcess(outlook, process)
    return Running(
        extracting.run, extracting.stop, extracting.readiness, extracting.metrics.counter(EXPIRED_RECORDS)._value.get
    )


def install() -> None:
    """See `services.install`."""
    faust_batch_stop._flush_logs = lambda: None
    asyncio.run_coroutine_threadsafe = _run_in
    sys.unraisablehook = lambda _: None  # killed coroutines end when they are collected
