"""The plain consumer loop: fetch a batch, handle it, publish what it gave, and commit only what the broker has acknowledged.

Top to bottom: `ConsumerLoop.run` is the life of a process, `_turn` one round of it. What it promises:

* An offset is committed only after everything that the records before it produced was acknowledged.
* Several batches may be in flight; they are settled in the order in which they were fetched.
* A handler that takes long (or waits for something that is away) keeps the group membership: partitions are paused and polled.
* Anything unexpected stops the loop with the offset uncommitted. SIGTERM finishes what was begun, commits and returns.
* A record that kills the process is found and dead-lettered after a bounded number of tries, see `runtime.attempts`.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from runtime import metrics as m
from runtime.attempts import TRIES, Attempts, Mark
from runtime.consumer_errors import ConsumerErrors
from runtime.deadletter import REASON, STAGE, header
from runtime.delivery import Delivery, DeliveryProducer
from runtime.errors import DeliveryFailed, Recoverable, Rejected, RxtractError, Stopped
from runtime.health import Liveness, Readiness
from runtime.logs import get_logger
from runtime.positioned import POSITION_CONFIG, KafkaConsumer, PositionedConsumer, to_record
from runtime.positions import IN_REACH, Partition, counting, cut_off
from runtime.progress import Progress
from runtime.records import Handler, InputRecord, OutputRecord
from runtime.retry import Backoff
from runtime.swollen import SwollenReader

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
_MARK_RETRY_S = 0.5
_MARK_POLL_S = 0.05
_ANSWER_S = 10.0
_LAG_INTERVAL_S = 2.0
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """What bounds the loop.

    Attributes:
        batch_records: Records handed to the handler at once, at most.
        batch_bytes: Bytes of their values, at most, unless a single one is larger: what a client holds is decompressed, however little
            it was on the wire.
        max_in_flight: Batches sent and not acknowledged, at most.
        max_in_flight_bytes: No further batch is fetched while so much is not acknowledged.
        poll_s: How long an idle loop waits for the first record of a batch.
        heartbeat_s: How long a handler may take before its partitions are paused and polled.
        commit_interval_s: Time between two commits while running.
        drain_s: Time for acknowledgements when partitions are taken from us or we stop.
        watch_handler: Whether a handler that hangs makes the process not alive. False where minutes are normal (training).
    """

    batch_records: int = 500
    batch_bytes: int = 8_388_608
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


class ConsumerLoop:
    """Runs a handler over topics until it is stopped.

    Args:
        consumer: A consumer made with `CONSUMER_DEFAULTS` and a ``group.id``; the loop closes it.
        producer: Publishes what the handler gives; belongs to the loop's thread; the loop closes it.
        handler: Records in, records out. Runs in a thread of its own, one batch at a time.
        topics: Full names of the topics to read.
        stop: Set by `stop`; share it with `runtime.retry.retrying`.
        attempts: Shared with `runtime.attempts.quarantined` around the handler.
        errors: Takes what the consumer says in place of records; share its `heard` with the client as ``error_cb``.
        swollen: Looks, after a death, for what no client can read; None (tests without a broker): nobody does.
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
        attempts: Attempts | None = None,
        errors: ConsumerErrors | None = None,
        swollen: SwollenReader | None = None,
    ) -> None:
        self._consumer = consumer
        self._metrics = metrics or m.Metrics()
        self._producer = producer
        self._handler = handler
        self._topics = list(topics)
        self._stop = stop or threading.Event()
        self._limits = limits or LoopLimits()
        self._liveness = liveness or Liveness()
        self._readiness = readiness or Readiness()
        self._pauses_s = (backoff or Backoff()).pauses_s
        self._attempts = attempts or Attempts(TRIES, self._metrics)
        self._died = False
        self._errors = errors or ConsumerErrors(self._metrics, self._readiness)
        self._reading = PositionedConsumer(
            consumer,
            counting(self._metrics),
            self._on_error,
            self._on_halt,
            on_fine=self._errors.fine,
            read_own=self._read_own,
            behind_unread=None if swollen is None else swollen.behind,
        )
        self._swollen = swollen
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
        except (RxtractError, KafkaException):
            raise
        except BaseException:
            self._died = True  # of what was in hand: the next owner must know
            raise
        finally:
            self._finish()

    def _turn(self, worker: ThreadPoolExecutor) -> None:
        self._liveness.tick()
        self._errors.check()
        self._settle()
        self._measure_lag()
        if self._is_full():
            self._await_head()
            return
        records = self._guarded(self._fetch(), worker)
        if not records:
            return
        batch = self._handling = _batch_of(records)
        try:
            batch.outputs = self._handle(batch, worker)
            self._send(batch)
        finally:
            self._handling = None
        if self._attempts.careful and self._settle_all():
            self._attempts.put_down()
            self._commit_as_member(batch.next_offsets, worker)

    # -- what may kill

    def _guarded(self, records: list[InputRecord], worker: ThreadPoolExecutor) -> list[InputRecord]:
        """What may be handled at once, once the marks that are due are written; the rest is held."""
        if not records:
            return records
        attempts = self._attempts
        if not (attempts.careful or attempts.untold):
            records, rest = _bounded(records, self._limits.batch_bytes)
            self._held = [*rest, *self._held]
            return records
        self._held = [*records, *self._held]  # where a revocation that comes meanwhile finds them
        if attempts.careful and not self._settle_all():
            return []
        portion = self._careful_portion() if attempts.careful else _bounded(self._held, self._limits.batch_bytes)[0]
        if not portion:
            return []
        if not self._write_marks(portion[0], worker):
            self._poll_for(_MARK_RETRY_S)
            return []
        chosen = {id(record) for record in portion}
        ready = [record for record in self._held if id(record) in chosen]
        self._held = [record for record in self._held if id(record) not in chosen]
        return ready

    def _careful_portion(self) -> list[InputRecord]:
        if not self._held:
            return []
        first = (self._held[0].topic, self._held[0].partition)
        own = [record for record in self._held if (record.topic, record.partition) == first]
        count = self._attempts.portion(first, [record.offset for record in own], len(own))
        portion, _ = _bounded(own[:count], self._limits.batch_bytes)
        self._attempts.take(first, portion[0].offset, portion[-1].offset)
        return portion

    def _write_marks(self, first: InputRecord, worker: ThreadPoolExecutor) -> bool:
        """Tell the group what is in hand; all partitions when they came just now, or care begins or ends."""
        # A group lets any member commit any partition: never one that has gone.
        ours = set(_keys(self._consumer.assignment()))
        partitions = ours if self._attempts.untold else ours & {(first.topic, first.partition)}
        if not self._commit_as_member(partitions, worker):
            return False
        if not ours.issuperset(_keys(self._consumer.assignment())):
            return False  # others came while the broker answered: their marks are due too
        self._attempts.told()
        return True

    def _poll_for(self, wait_s: float) -> None:
        """Poll as a member for a while: what hinders a mark is most often a rebalance, which ends by polling alone."""
        until_s = time.monotonic() + wait_s
        self._wait_as_member(lambda _: self._stop.wait(_MARK_POLL_S) or time.monotonic() >= until_s, tick=True)

    def _settle_all(self) -> bool:
        """Wait until nothing is in flight; False: asked to stop meanwhile."""
        while self._in_flight:
            self._settle()
            if self._stop.is_set():
                return False
            if self._in_flight:
                self._await_head()
        return not self._stop.is_set()

    def _marked_offsets(self, partitions: Iterable[Partition]) -> list[TopicPartition]:
        done = self._done.done
        return [
            TopicPartition(*partition, done[partition], self._attempts.mark(partition))
            for partition in sorted(partitions)
            if partition in done
        ]

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
            self._advance(passed)

    def _on_error(self, error: KafkaError, topic: str) -> None:
        """What the client says that is not about a position; a fatal error raises."""
        self._errors.saw(error, topic)

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
                found = self._reading.fetch(1, 0)  # first: a revocation within it takes records off what is held
                self._held += found
        finally:
            self._reading.resume(paused)

    # -- delivering

    def _send(self, batch: _Batch) -> None:
        """Send, unless all was taken from us meanwhile: whoever has the partitions now does it, and ours would come behind."""
        if not batch.next_offsets:
            return
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
            raise self._producer.broken or failure
        for pause_s in self._pauses_s():
            _log.warning("delivery failed", failed=failure.failed, total=failure.total, code=failure.code)
            self._metrics.counter(m.RETRIES).labels("delivery").inc()
            self._pause(pause_s)
            if self._all_settled(self._limits.drain_s):
                break
        self._resending, self._in_flight = list(self._in_flight), deque()
        while self._resending:  # kept where a revocation that comes meanwhile finds it
            self._send(self._resending[0])
            del self._resending[0]

    def _complete(self, batch: _Batch) -> None:
        self._advance(batch.next_offsets)
        self._metrics.histogram(m.DELIVERY_SECONDS).observe(time.monotonic() - _delivery(batch).sent_at_s)
        self._metrics.gauge(m.BATCHES_IN_FLIGHT).set(len(self._in_flight))
        for topic, count in Counter(output.topic for output in batch.outputs).items():
            self._metrics.counter(m.RECORDS_DELIVERED).labels(topic).inc(count)
        for output in batch.outputs:
            if output.headers and (reason := header(output.headers, REASON)) is not None:
                stage = header(output.headers, STAGE) or b""
                self._metrics.counter(m.DEAD_LETTERS).labels(stage.decode(), reason.decode()).inc()

    def _advance(self, next_offsets: Mapping[Partition, int]) -> None:
        self._done.advance(next_offsets)
        for partition, offset in next_offsets.items():
            self._attempts.moved(partition, offset)

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

    def _commit(self, partitions: Iterable[Partition], *, asynchronous: bool) -> bool:
        offsets = self._marked_offsets(partitions)
        self._done.told_at_s = time.monotonic()
        if not offsets:
            return True
        try:
            if asynchronous:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            return self._not_committed(error)
        return self._sent(offsets)

    def _commit_as_member(self, partitions: Iterable[Partition], worker: ThreadPoolExecutor) -> bool:
        """Commit, and wait for the broker's answer; one that is away is waited for as long as the client waits, polling meanwhile."""
        offsets = self._marked_offsets(partitions)
        if not offsets:
            return True
        future = worker.submit(self._consumer.commit, offsets=offsets, asynchronous=False)
        self._wait_as_member(
            lambda slice_s: _is_done(future, min(slice_s, _MARK_POLL_S)) or self._stop.is_set(), tick=True
        )
        if not future.done():
            return False
        if isinstance(error := future.exception(), KafkaException):
            return self._not_committed(error)
        future.result()
        return self._sent(offsets)

    def _not_committed(self, error: KafkaException) -> bool:
        """It is safe: the records come again, with the same identity."""
        self._metrics.counter(m.COMMITS).labels("failed").inc()
        _log.warning("commit failed", code=error.args[0].name())
        return False

    def _sent(self, offsets: Sequence[TopicPartition]) -> bool:
        self._metrics.counter(m.COMMITS).labels("sent").inc()
        told = {(offset.topic, offset.partition) for offset in offsets} & self._done.untold
        self._done.untold -= told
        self._progress.moved(told)
        return True

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
            ours = _keys(self._consumer.assignment())
            if not self._died:
                self._attempts.leaving(ours)
            self._commit(ours, asynchronous=False)
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
                self._take_on(ours)
                break
            except KafkaException as error:
                _log.warning("waiting for committed offsets", code=error.args[0].name())
                self._errors.saw(error.args[0])
            except Recoverable as error:
                _log.warning("waiting for a look at what a process died of", message=str(error))
            self._errors.check()
            self._liveness.tick()
            if self._stop.wait(min(pause_s, 1.0)):
                self._consumer.incremental_assign([])  # else the client would begin by itself
                return
        self._errors.exists({topic for topic, _ in ours})
        self._metrics.counter(m.REBALANCES).labels("assigned").inc()
        self._metrics.gauge(m.ASSIGNED_PARTITIONS).inc(len(partitions))
        self._readiness.meet(ASSIGNMENT)
        _log.info("assigned", partitions=_names(partitions))

    def _take_on(self, ours: Sequence[Partition]) -> None:
        """Learn where the last owners left off and whether they died, mark that we are here, and read on there."""
        found = self._reading.committed(ours)
        suspicious = [one for one, left in found.items() if Mark.parse(left.metadata).suspicious]
        ends = {one: self._reading.ends_of(one)[1] for one in suspicious}
        self._reading.take_on({one: left.offset for one, left in found.items()})
        starts = {one: self._reading.positions.get(one) or 0 for one in ours}
        own = {} if self._swollen is None else self._swollen.look({one: starts[one] for one in suspicious})
        self._done.begin(starts)
        for one, start in starts.items():
            self._attempts.assigned(one, start, found[one].metadata, ends.get(one, 0))
        # Before the first fetch, of which a process may die. Where it fails, marks are written before the first record is handled.
        if self._commit(self._done.done, asynchronous=False):
            self._attempts.told()
        self._reading.go_on(ours, own)

    def _read_own(self, partition: Partition, offset: int, until: int) -> Iterator[Sequence[InputRecord]]:
        """What the client must not read, with what of it must not be handled noted."""
        assert self._swollen is not None  # noqa: S101 - who else said that there is something
        return self._attempts.doomed_noted(self._swollen.rows(partition, offset, until))

    def _on_revoke(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        """Partitions move to another process: complete and commit what is in flight, so that little comes twice."""
        self._metrics.counter(m.REBALANCES).labels("revoked").inc()
        self._drain()
        if not self._died:
            self._attempts.leaving(_keys(partitions))
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
        self._attempts.gone(gone)
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


def _bounded(records: list[InputRecord], most_bytes: int) -> tuple[list[InputRecord], list[InputRecord]]:
    """As many records as stay within so many bytes, at least one; and the rest."""
    size = 0
    for count, record in enumerate(records):
        size += len(record.value or b"")
        if count and size > most_bytes:
            return records[:count], records[count:]
    return records, []


def _is_done(future: Future[Any], timeout_s: float) -> bool:
    wait_for((future,), timeout_s)
    return future.done()


def _delivery(batch: _Batch) -> Delivery:
    assert batch.delivery is not None  # noqa: S101 - only sent batches are in flight
    return batch.delivery


def _keys(partitions: Iterable[TopicPartition]) -> list[Partition]:
    return [(partition.topic, partition.partition) for partition in partitions]


def _names(partitions: Iterable[TopicPartition]) -> list[str]:
    return [f"{topic}[{number}]" for topic, number in sorted(_keys(partitions))]
