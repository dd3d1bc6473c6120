"""The plain consumer loop: fetch a batch, handle it, publish what it gave, and commit only what the broker has acknowledged.

Top to bottom: `ConsumerLoop.run` is the life of a process, `_turn` one round of it. What it promises:

* An offset is committed only after everything that the records before it produced was acknowledged.
* Several batches may be in flight; they are settled in the order in which they were fetched.
* A handler that takes long (or waits for something that is away) keeps the group membership: partitions are paused and polled.
* Anything unexpected stops the loop with the offset uncommitted. SIGTERM finishes what was begun, commits and returns.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from runtime import metrics as m
from runtime.deadletter import REASON, STAGE, header
from runtime.delivery import Delivery, DeliveryProducer
from runtime.errors import DeliveryFailed, Rejected, Stopped
from runtime.health import Liveness, Readiness
from runtime.logs import get_logger
from runtime.positioned import POSITION_CONFIG, KafkaConsumer, PositionedConsumer, to_record
from runtime.positions import IN_REACH, Partition, counting, cut_off
from runtime.progress import Progress
from runtime.records import Handler, InputRecord, OutputRecord
from runtime.retry import Backoff

__all__ = [
    "ASSIGNMENT",
    "CONSUMER_DEFAULTS",
    "ConsumerLoop",
    "KafkaConsumer",
    "LoopLimits",
    "to_record",
]

CONSUMER_DEFAULTS: Mapping[str, Any] = {
    **POSITION_CONFIG,
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 3_000,
    "max.poll.interval.ms": 300_000,
    "queued.max.messages.kbytes": 32_768,  # bounds what is fetched ahead, and so the bytes of a batch
    "fetch.queue.backoff.ms": 20,  # the default of a second starves a fast consumer whenever that bound is met
    "socket.keepalive.enable": True,
    "reconnect.backoff.max.ms": 2_000,
}

ASSIGNMENT = "assignment"
"""The readiness condition that the loop meets when it has its first partitions."""

_RECOMMIT_S = 5.0
_LAG_INTERVAL_S = 2.0
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """What bounds the loop.

    Attributes:
        batch_records: Records handed to the handler at once, at most.
        max_in_flight: Batches sent and not acknowledged, at most.
        max_in_flight_bytes: No further batch is fetched while so much is not acknowledged.
        poll_s: How long an idle loop waits for the first record of a batch.
        heartbeat_s: How long a handler may take before its partitions are paused and polled.
        commit_interval_s: Time between two commits while running.
        drain_s: Time for acknowledgements when partitions are taken from us or we stop.
        watch_handler: Whether a handler that hangs makes the process not alive. False where minutes are normal (training).
    """

    batch_records: int = 500
    max_in_flight: int = 8
    max_in_flight_bytes: int = 33_554_432
    poll_s: float = 0.1
    heartbeat_s: float = 1.0
    commit_interval_s: float = 0.05
    drain_s: float = 10.0
    watch_handler: bool = True


@dataclass(slots=True)
class _Batch:
    """Records that were fetched, the offset to commit for each of their partitions, and what they produced."""

    records: Sequence[InputRecord]
    next_offsets: dict[Partition, int]
    outputs: Sequence[OutputRecord] = ()
    output_bytes: int = 0
    delivery: Delivery | None = None


@dataclass(slots=True)
class _Done:
    """The offset behind what is finished in each partition, and which of them the broker was not told yet."""

    done: dict[Partition, int] = field(default_factory=dict)
    untold: set[Partition] = field(default_factory=set)
    told_at_s: float = 0.0
    told_all_at_s: float = 0.0

    def begin(self, starts: Mapping[Partition, int]) -> None:
        self.done.update(starts)

    def advance(self, next_offsets: Mapping[Partition, int]) -> None:
        self.done.update(next_offsets)
        self.untold.update(next_offsets)

    def forget(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self.done.pop(partition, None)
            self.untold.discard(partition)

    def as_offsets(self, partitions: Iterable[Partition]) -> list[TopicPartition]:
        return [
            TopicPartition(topic, number, self.done[topic, number])
            for topic, number in sorted(partitions)
            if (topic, number) in self.done
        ]


class ConsumerLoop:
    """Runs a handler over topics until it is stopped.

    Args:
        consumer: A consumer made with `CONSUMER_DEFAULTS` and a ``group.id``; the loop closes it.
        producer: Publishes what the handler gives; belongs to the loop's thread; the loop closes it.
        handler: Records in, records out. Runs in a thread of its own, one batch at a time.
        topics: Full names of the topics to read.
        stop: Set by `stop`; share it with `runtime.retry.retrying`.
    """

    def __init__(
        self,
        consumer: KafkaConsumer | Consumer,
        producer: DeliveryProducer,
        handler: Handler,
        topics: Sequence[str],
        *,
        stop: threading.Event | None = None,
        limits: LoopLimits | None = None,
        metrics: m.Metrics | None = None,
        liveness: Liveness | None = None,
        readiness: Readiness | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._consumer = consumer
        self._metrics = metrics or m.Metrics()
        self._reading = PositionedConsumer(consumer, counting(self._metrics), self._on_error, self._on_halt)
        self._producer = producer
        self._handler = handler
        self._topics = list(topics)
        self._stop = stop or threading.Event()
        self._limits = limits or LoopLimits()
        self._liveness = liveness or Liveness()
        self._readiness = readiness or Readiness()
        self._pauses_s = (backoff or Backoff()).pauses_s
        self._in_flight: deque[_Batch] = deque()
        self._handling: _Batch | None = None
        self._held: list[InputRecord] = []
        self._resending: list[_Batch] = []
        self._done = _Done()
        self._progress = Progress(self._metrics, self._topics)
        self._lag_seen_at_s = 0.0

    def stop(self) -> None:
        """Ask the loop to finish what it has begun and return. Safe from signal handlers and other threads."""
        self._stop.set()

    def run(self) -> None:
        """Run until stopped.

        Raises:
            Exception: Whatever surprised us; offsets of unfinished records are not committed.
        """
        self._consumer.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="handler") as worker:
                while not self._stop.is_set():
                    self._turn(worker)
        except Stopped:
            pass
        finally:
            self._finish()

    def _turn(self, worker: ThreadPoolExecutor) -> None:
        self._liveness.tick()
        self._settle()
        self._measure_lag()
        if self._is_full():
            self._await_head()
            return
        records = self._fetch()
        if not records:
            return
        batch = self._handling = _batch_of(records)
        try:
            batch.outputs = self._handle(batch, worker)
            self._send(batch)
        finally:
            self._handling = None

    # -- fetching

    def _fetch(self) -> list[InputRecord]:
        """The next records: one is waited for, and whatever else has come is taken with it."""
        if self._held:
            held, self._held = self._held, []
            return held
        return self._reading.fetch(self._limits.batch_records, self._limits.poll_s if not self._in_flight else 0.002)

    def _pass_markers(self) -> None:
        """Where nothing is under way and only markers follow, the position behind them is what is done. Asked between two batches."""
        busy = self._under_way()
        passed = {
            partition: position
            for partition, done in self._done.done.items()
            if partition not in busy
            and (position := self._reading.positions.get(partition)) is not None
            and position > done
        }
        if passed:
            self._done.advance(passed)

    def _on_error(self, error: KafkaError) -> None:
        """What the client says that is neither fatal nor about a position."""
        _log.warning("consumer", code=error.name())

    def _on_halt(self, partition: Partition) -> None:
        """A log ends before our position: nobody may guess where to go on. Its partition stands still, and the others flow."""
        self._readiness.miss(IN_REACH, cut_off(partition))

    # -- handling

    def _handle(self, batch: _Batch, worker: ThreadPoolExecutor) -> Sequence[OutputRecord]:
        started_s = time.monotonic()
        future: Future[Sequence[OutputRecord]] = worker.submit(self._handler, batch.records)
        self._wait_as_member(lambda slice_s: _is_done(future, slice_s), tick=not self._limits.watch_handler)
        outputs = future.result()
        self._metrics.histogram(m.HANDLER_SECONDS).observe(time.monotonic() - started_s)
        self._metrics.histogram(m.BATCH_RECORDS).observe(len(batch.records))
        for topic, count in Counter(record.topic for record in batch.records).items():
            self._metrics.counter(m.RECORDS_CONSUMED).labels(topic).inc(count)
        return outputs

    def _wait_as_member(self, is_done: Callable[[float], bool], *, tick: bool) -> None:
        """Wait for something; when it takes longer than a heartbeat, pause the partitions and keep polling."""
        if is_done(self._limits.heartbeat_s):
            return
        paused: list[Partition] = []
        try:
            while not is_done(self._limits.heartbeat_s):
                if tick:
                    self._liveness.tick()
                self._producer.poll(0)
                self._measure_lag()
                paused = self._reading.pause()
                # Partitions that came just now are not paused yet: what they deliver is held, never dropped.
                self._held += self._reading.fetch(1, 0)
        finally:
            self._reading.resume(paused)

    # -- delivering

    def _send(self, batch: _Batch) -> None:
        for pause_s in self._pauses_s():
            try:
                batch.delivery = self._producer.send(batch.outputs)
                break
            except Rejected:
                self._metrics.counter(m.RETRIES).labels("delivery").inc()
                self._pause(pause_s)
        batch.records = ()  # only what is sent is needed from here on
        batch.output_bytes = sum(len(output.value or b"") for output in batch.outputs)
        self._in_flight.append(batch)
        self._metrics.gauge(m.BATCHES_IN_FLIGHT).set(len(self._in_flight))

    def _is_full(self) -> bool:
        count, size = self._limits.max_in_flight, self._limits.max_in_flight_bytes
        return len(self._in_flight) >= count or sum(batch.output_bytes for batch in self._in_flight) >= size

    def _settle(self) -> None:
        """Take finished batches off the front, and commit now and then."""
        self._producer.poll(0)
        while self._in_flight and _delivery(self._in_flight[0]).settled:
            failure = _delivery(self._in_flight[0]).failure
            if failure is not None:
                self._send_again(failure)
                break
            self._complete(self._in_flight.popleft())
        self._commit_now_and_then()

    def _await_head(self) -> None:
        head = _delivery(self._in_flight[0])

        def is_done(slice_s: float) -> bool:
            deadline_s = time.monotonic() + slice_s
            while not (head.settled or self._stop.is_set() or time.monotonic() >= deadline_s):
                self._producer.poll(min(slice_s, 0.1))
            return head.settled or self._stop.is_set()

        self._wait_as_member(is_done, tick=True)

    def _send_again(self, failure: DeliveryFailed) -> None:
        """Send the front batch and all behind it once more, in order, so that the last copy of each key is the newest.

        Raises:
            DeliveryFailed: Sending the same bytes again cannot help.
        """
        if not failure.retriable:
            raise failure
        for pause_s in self._pauses_s():
            _log.warning("delivery failed", failed=failure.failed, total=failure.total, code=failure.code)
            self._metrics.counter(m.RETRIES).labels("delivery").inc()
            self._pause(pause_s)
            if self._all_settled(self._limits.drain_s):
                break
        self._resending, self._in_flight = list(self._in_flight), deque()
        while self._resending:  # kept where a revocation that comes meanwhile finds it
            batch = self._resending[0]
            if batch.next_offsets:  # else its partitions were taken from us: whoever has them now does it
                self._send(batch)
            del self._resending[0]

    def _complete(self, batch: _Batch) -> None:
        self._done.advance(batch.next_offsets)
        self._metrics.histogram(m.DELIVERY_SECONDS).observe(time.monotonic() - _delivery(batch).sent_at_s)
        self._metrics.gauge(m.BATCHES_IN_FLIGHT).set(len(self._in_flight))
        for topic, count in Counter(output.topic for output in batch.outputs).items():
            self._metrics.counter(m.RECORDS_DELIVERED).labels(topic).inc(count)
        for output in batch.outputs:
            if output.headers and (reason := header(output.headers, REASON)) is not None:
                stage = header(output.headers, STAGE) or b""
                self._metrics.counter(m.DEAD_LETTERS).labels(stage.decode(), reason.decode()).inc()

    def _pause(self, pause_s: float) -> None:
        deadline_s = time.monotonic() + pause_s

        def is_over(slice_s: float) -> bool:
            left_s = max(0.0, deadline_s - time.monotonic())
            if self._stop.wait(min(slice_s, left_s)):
                raise Stopped("asked to stop while the broker was away")
            return time.monotonic() >= deadline_s

        self._wait_as_member(is_over, tick=True)

    def _all_settled(self, timeout_s: float) -> bool:
        deadline_s = time.monotonic() + timeout_s
        while any(not _delivery(batch).settled for batch in self._in_flight):
            if time.monotonic() >= deadline_s:
                return False
            self._producer.poll(0.05)
            self._liveness.tick()
        return True

    # -- committing

    def _commit_now_and_then(self) -> None:
        now_s = time.monotonic()
        if now_s - self._done.told_at_s < self._limits.commit_interval_s:
            return
        self._pass_markers()
        # Now and then tell all of them again: an asynchronous commit may have failed and nothing new may come.
        again = now_s - self._done.told_all_at_s >= _RECOMMIT_S
        if again:
            self._done.told_all_at_s = now_s
        ours = set(_keys(self._consumer.assignment()))
        self._commit(ours & (self._done.done.keys() if again else self._done.untold), asynchronous=True)

    def _commit(self, partitions: Iterable[Partition], *, asynchronous: bool) -> None:
        offsets = self._done.as_offsets(partitions)
        self._done.told_at_s = time.monotonic()
        if not offsets:
            return
        try:
            if asynchronous:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # Not committed is safe: the records come again, with the same identity.
            self._metrics.counter(m.COMMITS).labels("failed").inc()
            _log.warning("commit failed", code=error.args[0].name())
        else:
            self._metrics.counter(m.COMMITS).labels("sent").inc()
            told = {(offset.topic, offset.partition) for offset in offsets} & self._done.untold
            self._done.untold -= told
            self._progress.moved(told)

    def _drain(self) -> None:
        """Wait a bounded time for what is in flight and complete what was acknowledged, up to the first that was not."""
        self._all_settled(self._limits.drain_s)
        while self._in_flight:
            delivery = _delivery(self._in_flight[0])
            if not delivery.settled or delivery.failure is not None:
                break
            self._complete(self._in_flight.popleft())

    def _finish(self) -> None:
        try:
            self._drain()
            self._commit(self._done.done, asynchronous=False)
        finally:
            self._in_flight.clear()
            self._consumer.close()
            self._producer.close(0)
            self._metrics.gauge(m.ASSIGNED_PARTITIONS).set(0)

    # -- the group's changes; called from within the consumer's poll

    def _on_assign(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        """Begin where the group left off, each partition by an offset of ours; the broker is waited for as long as it takes."""
        ours = _keys(partitions)
        for pause_s in self._pauses_s():
            try:
                self._reading.add(self._reading.committed(ours))
                break
            except KafkaException as error:
                _log.warning("waiting for committed offsets", code=error.args[0].name())
            self._liveness.tick()
            if self._stop.wait(min(pause_s, 1.0)):
                self._consumer.incremental_assign([])  # else the client would begin by itself
                return
        positions = self._reading.positions
        self._done.begin({partition: positions.get(partition) or 0 for partition in ours})
        self._metrics.counter(m.REBALANCES).labels("assigned").inc()
        self._metrics.gauge(m.ASSIGNED_PARTITIONS).inc(len(partitions))
        self._readiness.meet(ASSIGNMENT)
        _log.info("assigned", partitions=_names(partitions))

    def _on_revoke(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        """Partitions move to another process: complete and commit what is in flight, so that little comes twice."""
        self._metrics.counter(m.REBALANCES).labels("revoked").inc()
        self._drain()
        self._commit(_keys(partitions), asynchronous=False)
        self._forget(partitions)

    def _on_lost(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        """Partitions were given away without asking us: a commit would overwrite another process's."""
        self._metrics.counter(m.REBALANCES).labels("lost").inc()
        self._forget(partitions)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        gone = set(_keys(partitions))
        self._reading.forget(gone)
        if not self._reading.positions.halted:
            self._readiness.meet(IN_REACH)
        self._metrics.gauge(m.ASSIGNED_PARTITIONS).dec(len(partitions))
        self._done.forget(gone)
        for batch in self._batches_under_way():
            for partition in gone & batch.next_offsets.keys():
                del batch.next_offsets[partition]
        self._held = [record for record in self._held if (record.topic, record.partition) not in gone]
        _log.info("unassigned", partitions=_names(partitions))

    def _measure_lag(self) -> None:
        """Compare positions with the ends of the partitions, now and then, from what the client knows without asking."""
        if time.monotonic() - self._lag_seen_at_s < _LAG_INTERVAL_S:
            return
        self._lag_seen_at_s = time.monotonic()
        behind = {
            partition: waiting
            for partition, done in self._done.done.items()
            if (waiting := self._reading.waiting(partition, done)) is not None
        }
        self._progress.publish(behind)

    def _under_way(self) -> set[Partition]:
        """Partitions of which something was fetched that is not done."""
        held = {(record.topic, record.partition) for record in self._held}
        return held.union(*(batch.next_offsets for batch in self._batches_under_way()))

    def _batches_under_way(self) -> Iterable[_Batch]:
        return (*self._in_flight, *self._resending, *((self._handling,) if self._handling else ()))


def _batch_of(records: Sequence[InputRecord]) -> _Batch:
    nexts: dict[Partition, int] = {}
    last = records[0]
    for record in records:  # those of a partition come together
        if record.partition != last.partition or record.topic != last.topic:
            nexts[last.topic, last.partition] = last.offset + 1
        last = record
    nexts[last.topic, last.partition] = last.offset + 1
    return _Batch(records, nexts)


def _is_done(future: Future[Sequence[OutputRecord]], timeout_s: float) -> bool:
    wait_for((future,), timeout_s)
    return future.done()


def _delivery(batch: _Batch) -> Delivery:
    assert batch.delivery is not None  # noqa: S101 - only sent batches are in flight
    return batch.delivery


def _keys(partitions: Iterable[TopicPartition]) -> list[Partition]:
    return [(partition.topic, partition.partition) for partition in partitions]


def _names(partitions: Iterable[TopicPartition]) -> list[str]:
    return [f"{topic}[{number}]" for topic, number in sorted(_keys(partitions))]
