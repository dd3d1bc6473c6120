"""The transport on confluent-kafka: one thread that fetches, has a batch worked on, commits, and keeps its place in the group meanwhile.

What becomes of a batch is `runtime.stream.worker`'s, what may be committed `runtime.stream.state`'s, the same as under Faust. Top to bottom:
`ConsumerLoop.run` is the life of a process, `_turn` one round of it. What is done here and nowhere else:

* A handler that takes long (or waits for something that is away) keeps the group membership: partitions are paused and polled.
* Fetching rests while a batch is worked on: two threads beside each other would wait for the interpreter's lock once a record.
* Anything unexpected stops the loop with the offset uncommitted. SIGTERM finishes what was begun, commits and returns.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from runtime.errors import Recoverable, RxtractError, Stopped
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.positioned import POSITION_CONFIG, KafkaConsumer, PositionedConsumer
from runtime.kafka.positions import Partition, counting
from runtime.kafka.records import Handler, InputRecord, OutputRecord
from runtime.service.health import Liveness, Readiness
from runtime.service.logs import get_logger
from runtime.service.metrics import ASSIGNED_PARTITIONS, Metrics
from runtime.service.settings import TRIES
from runtime.stream.attempts import Attempts, Mark
from runtime.stream.ledger import Batch
from runtime.stream.retry import Backoff
from runtime.stream.state import Limits, Marked, StreamState
from runtime.stream.swollen import SwollenReader
from runtime.stream.worker import Worker

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

_RECOMMIT_S = 5.0
_MARK_RETRY_S = 0.5
_MARK_POLL_S = 0.05
_REPORT_S = 0.1
_LAG_INTERVAL_S = 2.0
_place = itemgetter(0, 1)
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLimits(Limits):
    """Bounds of the loop; a batch is what one call of the handler takes, of any partitions.

    Attributes:
        poll_s: How long an idle loop waits for the first record of a batch.
        heartbeat_s: How long a handler may take before its partitions are paused and polled.
        watch_handler: Whether a handler that hangs makes the process not alive. False where minutes are normal (training).
    """

    batch_bytes: int = 8 << 20
    held_batches: int = 8
    commit_interval_s: float = 0.05
    revoke_wait_s: float = 10.0
    stop_wait_s: float = 10.0
    poll_s: float = 0.1
    heartbeat_s: float = 1.0
    watch_handler: bool = True


class ConsumerLoop:
    """Runs a handler over topics until it is stopped.

    Args:
        consumer: A consumer made with `CONSUMER_DEFAULTS` and a ``group.id``; the loop closes it.
        producer: Publishes what the handler gives; belongs to the loop's thread; the loop closes it.
        handler: Records in, records out. Runs in a thread of its own, one batch at a time; what is away is waited for.
        topics: Full names of the topics to read.
        stop: Set by `stop`.
        attempts: Shared with `runtime.stream.attempts.quarantined` around the handler.
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
        metrics: Metrics | None = None,
        liveness: Liveness | None = None,
        readiness: Readiness | None = None,
        backoff: Backoff | None = None,
        attempts: Attempts | None = None,
        errors: ConsumerErrors | None = None,
        swollen: SwollenReader | None = None,
    ) -> None:
        metrics, readiness = metrics or Metrics(), readiness or Readiness()
        self._metrics = metrics
        self._consumer = consumer
        self._producer = producer
        self._topics = list(topics)
        self._stop = stop or threading.Event()
        self._limits = limits or LoopLimits()
        self._liveness = liveness or Liveness()
        self._backoff = backoff or Backoff()
        self._attempts = attempts or Attempts(TRIES, metrics)
        self._errors = errors or ConsumerErrors(metrics, readiness)
        self._reading = PositionedConsumer(
            consumer,
            counting(metrics),
            self._on_error,
            lambda partition: self._state.halted(partition),  # noqa: PLW0108 - it comes later
            on_fine=self._errors.fine,
            read_own=self._read_own,
            behind_unread=None if swollen is None else swollen.behind,
        )
        self._swollen = swollen
        self._state = StreamState(metrics, readiness, self._reading.positions, self._attempts, topics=topics)
        self._worker = Worker(
            handler,
            producer,
            metrics,
            self._stop,
            wait=lambda is_over: self._wait_as_member(is_over, tick=True),
            call=self._call,
            on_waiting=self._state.waits_for,
            backoff=self._backoff,
        )
        self._thread: ThreadPoolExecutor | None = None
        self._held: list[InputRecord] = []
        self._died = False
        self._polled_at_s = self._committed_at_s = self._all_committed_at_s = self._lag_seen_at_s = 0.0

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
            with ThreadPoolExecutor(1, thread_name_prefix="handler") as self._thread:
                while not self._stop.is_set():
                    self._turn()
        except Stopped:
            pass
        except (RxtractError, KafkaException):
            raise
        except BaseException:
            self._died = True  # of what was in hand: the next owner must know
            raise
        finally:
            self._finish()

    def _turn(self) -> None:
        self._liveness.tick()
        self._errors.check()
        self._producer.poll(0)
        self._worker.turn()
        self._commit_now_and_then()
        self._measure_lag()
        if not self._has_room():
            self._wait_for_reports(self._has_room)
            return
        records = self._guarded(self._fetch())
        if not records:
            return
        batches = self._deliver(records)
        self._worker.work(batches, records, self._state.finish)
        if self._attempts.careful and self._settle_all():
            self._attempts.put_down()
            self._commit_as_member([batch.partition for batch in batches])

    # -- what may kill

    def _guarded(self, records: list[InputRecord]) -> list[InputRecord]:
        """What may be handled at once, once the marks that are due are written; the rest is held."""
        attempts = self._attempts
        if not records:
            return records
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
        if not self._write_marks(portion[0]):
            self._poll_for(_MARK_RETRY_S)
            return []
        chosen = {id(record) for record in portion}
        ready = [record for record in self._held if id(record) in chosen]
        self._held = [record for record in self._held if id(record) not in chosen]
        return ready

    def _careful_portion(self) -> list[InputRecord]:
        if not self._held:
            return []
        first = _place(self._held[0])
        own = [record for record in self._held if _place(record) == first]
        count = self._attempts.portion(first, [record.offset for record in own], len(own))
        portion, _ = _bounded(own[:count], self._limits.batch_bytes)
        self._attempts.take(first, portion[0].offset, portion[-1].offset)
        return portion

    def _write_marks(self, first: InputRecord) -> bool:
        """Tell the group what is in hand; all partitions when they came just now, or care begins or ends."""
        ours = self._ours()
        if not self._commit_as_member(ours if self._attempts.untold else ours & {_place(first)}):
            return False
        if not ours.issuperset(self._ours()):
            return False  # others came while the broker answered: their marks are due too
        self._attempts.told()
        return True

    def _poll_for(self, wait_s: float) -> None:
        """Poll as a member for a while: what hinders a mark is most often a rebalance, which ends by polling alone."""
        until_s = time.monotonic() + wait_s
        self._wait_as_member(lambda _: self._stop.wait(_MARK_POLL_S) or time.monotonic() >= until_s, tick=True)

    def _settle_all(self) -> bool:
        """Wait until nothing is in flight; False: asked to stop meanwhile."""
        while self._worker.in_flight and not self._stop.is_set():
            self._worker.turn()
            self._wait_for_reports(lambda: not self._worker.in_flight)
        return not self._stop.is_set()

    # -- fetching

    def _fetch(self) -> list[InputRecord]:
        """The next records: one is waited for, and whatever else has come is taken with it."""
        if self._held:
            held, self._held = self._held, []
            return held
        self._polled_at_s = time.monotonic()
        timeout_s = 0.002 if self._worker.in_flight else self._limits.poll_s
        return self._reading.fetch(self._limits.batch_records, timeout_s)

    def _deliver(self, records: Sequence[InputRecord]) -> list[Batch]:
        """Enter what is to be handled: one batch for each partition."""
        ledger, batches = self._state.ledger, []
        rows: dict[Partition, list[InputRecord]] = {}
        for place, together in groupby(records, _place):
            rows.setdefault(place, []).extend(together)
        for place, row in rows.items():
            batch = ledger.deliver(place, row, sum(len(record.value or b"") for record in row))
            ledger.start(batch)
            batches.append(batch)
        return batches

    def _pass_markers(self) -> None:
        """Where nothing is under way and only markers follow, the position behind them is what is done. Asked between two batches."""
        for partition in self._state.ledger.idle({_place(record) for record in self._held}):
            if (position := self._reading.positions.get(partition)) is not None:
                self._state.pass_over(partition, position)

    def _on_error(self, error: KafkaError, topic: str) -> None:
        """What the client says that is not about a position; a fatal error raises."""
        self._errors.saw(error, topic)

    # -- waiting

    def _call(self, handler: Handler, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        future: Future[Sequence[OutputRecord]] = self._beside(handler, records)
        self._wait_as_member(lambda slice_s: _is_done(future, slice_s), tick=not self._limits.watch_handler)
        return future.result()

    def _beside(self, act: Callable[..., Any], *arguments: Any, **more: Any) -> Future[Any]:
        assert self._thread is not None  # noqa: S101 - it lives as long as the loop turns
        return self._thread.submit(act, *arguments, **more)

    def _wait_as_member(self, is_over: Callable[[float], bool], *, tick: bool) -> None:
        """Wait for something; a heartbeat after the last poll pause the partitions and poll on."""
        paused: list[Partition] = []
        try:
            while not is_over(max(0.0, self._polled_at_s + self._limits.heartbeat_s - time.monotonic())):
                if tick:
                    self._liveness.tick()
                self._producer.poll(0)
                self._measure_lag()
                paused = self._reading.pause()
                # Partitions that came just now are not paused yet: what they deliver is held, never dropped.
                found = self._reading.fetch(1, 0)  # first: a revocation within it takes records off what is held
                self._held += found
                self._polled_at_s = time.monotonic()
        finally:
            if paused:
                self._reading.resume(paused)

    def _has_room(self) -> bool:
        limits = self._limits
        return self._worker.in_flight < limits.held_batches and self._state.ledger.held_bytes < limits.held_bytes

    def _wait_for_reports(self, enough: Callable[[], bool]) -> None:
        self._wait_as_member(lambda slice_s: self._is_reported(enough, slice_s), tick=True)

    def _is_reported(self, enough: Callable[[], bool], slice_s: float) -> bool:
        """Whether enough was acknowledged, or the first in flight has failed, or we were stopped."""
        deadline_s = time.monotonic() + slice_s
        worker = self._worker
        while not (over := enough() or worker.failed or self._stop.is_set()):
            if (left_s := deadline_s - time.monotonic()) <= 0:
                break
            worker.await_report(min(left_s, _REPORT_S))
        return over

    # -- committing

    def _commit_now_and_then(self) -> None:
        now_s = time.monotonic()
        if now_s - self._committed_at_s < self._limits.commit_interval_s:
            return
        self._pass_markers()
        # Now and then tell all of them again: an asynchronous commit may have failed and nothing new may come.
        again = now_s - self._all_committed_at_s >= _RECOMMIT_S
        if again:
            self._all_committed_at_s = now_s
        self._committed_at_s = now_s
        self._commit(self._state.to_commit(self._ours(), all_again=again), asynchronous=True)

    def _commit(self, what: Mapping[Partition, Marked], *, asynchronous: bool = False) -> bool:
        if not what:
            return True
        try:
            if asynchronous:
                self._consumer.commit(offsets=_places(what), asynchronous=True)
            else:
                self._consumer.commit(offsets=_places(what), asynchronous=False)
        except KafkaException as error:
            return self._not_committed(error)
        return self._committed(what, answered=not asynchronous)

    def _commit_as_member(self, partitions: Collection[Partition]) -> bool:
        """Commit, and wait for the broker's answer; one that is away is waited for as long as the client waits, polling meanwhile."""
        what = self._state.to_commit(partitions, all_again=True)
        if not what:
            return True
        future = self._beside(self._commit_if_ours, what)
        self._wait_as_member(
            lambda slice_s: _is_done(future, min(slice_s, _MARK_POLL_S)) or self._stop.is_set(), tick=True
        )
        if not future.done():
            return False
        if isinstance(error := future.exception(), KafkaException):
            return self._not_committed(error)
        future.result()
        return self._committed(what, answered=True)

    def _commit_if_ours(self, what: Mapping[Partition, Marked]) -> None:
        """In a thread of its own: what was lost before that came to run is another's, and our new membership would take it back."""
        ours = self._ours()
        if left := {one: marked for one, marked in what.items() if one in ours}:
            self._consumer.commit(offsets=_places(left), asynchronous=False)

    def _not_committed(self, error: KafkaException) -> bool:
        self._state.commit_failed()
        _log.warning("commit failed", code=error.args[0].name())
        return False

    def _committed(self, what: Mapping[Partition, Marked], *, answered: bool) -> bool:
        self._state.committed({partition: one.offset for partition, one in what.items()}, answered=answered)
        return True

    def _finish(self) -> None:
        try:
            self._leave(self._ours(), self._limits.stop_wait_s)
        finally:
            self._consumer.close()
            self._producer.close(0)
            self._metrics.gauge(ASSIGNED_PARTITIONS).set(0)

    def _leave(self, partitions: Collection[Partition], wait_s: float) -> None:
        """Complete and commit what is in flight, so that little comes twice, and say that nobody died here."""
        self._worker.drain(wait_s, self._liveness.tick)
        if not self._died:
            self._attempts.leaving(partitions)
        self._commit(self._state.to_commit(partitions, all_again=True))

    # -- the group's changes; called from within the consumer's poll

    def _on_assign(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        """Begin where the group left off, each partition by an offset of ours; the broker is waited for as long as it takes."""
        ours = _keys(partitions)
        for pause_s in self._backoff.pauses_s():
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
        self._state.assigned(ours)
        _log.info("assigned", partitions=_names(ours))

    def _take_on(self, ours: Sequence[Partition]) -> None:
        """Learn where the last owners left off and whether they died, mark that we are here, and read on there."""
        found = self._reading.committed(ours)
        suspicious = [one for one, left in found.items() if Mark.parse(left.metadata).suspicious]
        ends = {one: self._reading.ends_of(one)[1] for one in suspicious}
        self._reading.take_on(self._reading.left_off(found))
        starts = {one: self._reading.positions.get(one) or 0 for one in ours}
        own = {} if self._swollen is None else self._swollen.look({one: starts[one] for one in suspicious})
        for one, start in starts.items():
            self._state.ledger.expect(one, start)
            self._attempts.assigned(one, start, found[one].metadata, ends.get(one, 0))
        # Before the first fetch, of which a process may die. Where it fails, marks are written before the first record is handled.
        if self._commit(self._state.to_commit(self._state.ledger.partitions, all_again=True)):
            self._attempts.told()
        self._reading.go_on(ours, own)

    def _read_own(self, partition: Partition, offset: int, until: int) -> Iterator[Sequence[InputRecord]]:
        """What the client must not read, with what of it must not be handled noted."""
        assert self._swollen is not None  # noqa: S101 - who else said that there is something
        return self._attempts.doomed_noted(self._swollen.rows(partition, offset, until))

    def _on_revoke(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        """Partitions move to another process."""
        self._leave(_keys(partitions), self._limits.revoke_wait_s)
        self._forget(_keys(partitions), "revoked")

    def _on_lost(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        """Partitions were given away without asking us: a commit would overwrite another process's."""
        self._forget(_keys(partitions), "lost")

    def _forget(self, gone: Sequence[Partition], how: str) -> None:
        self._state.forget(gone, how)
        self._reading.forget(gone)
        self._held = [record for record in self._held if _place(record) not in gone]
        _log.info("unassigned", partitions=_names(gone))

    def _ours(self) -> set[Partition]:
        """What is assigned now. A group lets any member commit any partition: never one that has gone."""
        return set(_keys(self._consumer.assignment()))

    def _measure_lag(self) -> None:
        """Compare positions with the ends of the partitions, now and then, from what the client knows without asking."""
        if time.monotonic() - self._lag_seen_at_s >= _LAG_INTERVAL_S:
            self._lag_seen_at_s = time.monotonic()
            self._state.publish_progress(self._reading.waiting)


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


def _places(what: Mapping[Partition, Marked]) -> list[TopicPartition]:
    return [TopicPartition(*partition, *what[partition]) for partition in sorted(what)]


def _keys(partitions: Iterable[TopicPartition]) -> list[Partition]:
    return [(partition.topic, partition.partition) for partition in partitions]


def _names(partitions: Iterable[Partition]) -> list[str]:
    return [f"{topic}[{number}]" for topic, number in sorted(partitions)]
