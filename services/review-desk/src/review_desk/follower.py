"""Follows the topics in a thread, without a group: each process reads all, from where Redis says, or anew when Redis was wiped."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException
from contracts.registry import RegistryUnavailable
from runtime.errors import Recoverable
from runtime.kafka.consumer_errors import ASK_ANEW, ConsumerErrors
from runtime.kafka.positions import IN_REACH, Partition, counting, cut_off
from runtime.kafka.reader import RecordReader
from runtime.kafka.records import InputRecord
from runtime.service.clock import now_ms
from runtime.service.health import Liveness, Readiness
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics

from review_desk.adapters.store import LOOK_BACK_S, OURS, SWEEP_AT_ONCE, Store
from review_desk.metrics import OLDEST, PEOPLE_HELD, REBUILDS, WAITING

QUEUE = "queue"
FETCH_WAIT_MS = 50
_SWEEP_EVERY_S = 60.0
_log = get_logger(__name__)


class Follower:
    """Keeps the projection up to date.

    Args:
        consumer: Made by `runtime.kafka.reader.open_client`.
        topics: Full names.
        project: Applies a batch.
        errors: Takes what the consumer says in place of records.
        history: Those of the topics that are kept for ever: nothing older than `LOOK_BACK_S` is read of them.
    """

    def __init__(
        self,
        consumer: Consumer,
        topics: Sequence[str],
        project: Callable[[Sequence[InputRecord]], None],
        store: Store,
        *,
        stop: threading.Event,
        liveness: Liveness,
        readiness: Readiness,
        metrics: Metrics,
        history: frozenset[str] = frozenset(),
        errors: ConsumerErrors | None = None,
    ) -> None:
        self._errors = errors or ConsumerErrors(metrics, readiness)
        self._reading = RecordReader(
            consumer,
            topics,
            self._errors,
            on_error=self._on_error,
            on_jump=counting(metrics),
            on_halt=lambda partition: readiness.miss(IN_REACH, cut_off(partition)),
        )
        self._project = project
        self._store = store
        self._stop = stop
        self._liveness = liveness
        self._readiness = readiness
        self._metrics = metrics
        self._history = history
        self._ends: dict[Partition, int] = {}
        self._whole = self._growing = False
        self._reader = secrets.token_hex(8)
        self._sweep_at_s = 0.0
        self._counted = False

    def run(self) -> None:
        """Follow until asked to stop. What is away is waited for; a batch that was not applied is read again.

        Raises:
            ReadingBroken: A right or a topic has been missing for too long.
        """
        while not self._stop.is_set():
            self._errors.check()
            try:
                self._begin()
                while not self._stop.is_set():
                    self._turn()
            except (Recoverable, RegistryUnavailable, KafkaException, *OURS) as error:
                if isinstance(error, KafkaException) and not self._counted:
                    self._errors.take(error.args[0].name(), "")
                self._readiness.miss(QUEUE, "waiting for Kafka, the registry or Redis")
                _log.warning("the queue waits", error=type(error).__name__)
                self._liveness.tick()
                self._stop.wait(1.0)
        self._reading.close()

    def _begin(self) -> None:
        """Assign everything, from the places that Redis remembers."""
        self._counted = False
        self._whole = self._growing = False
        self._store.begin_building(self._reader)  # first: a wipe from here on is seen
        saved = self._store.offsets() if self._store.is_ready() else {}
        if not saved:
            self._metrics.counter(REBUILDS).inc()
        extents = self._reading.extents()
        known = {
            partition: saved[place] if (place := _place(partition)) in saved else self._beginning(partition, end)
            for partition, (_, end) in extents.items()
        }
        self._reading.begin(known, {partition: low for partition, (low, _) in extents.items()})
        self._ends = {partition: end for partition, (_, end) in extents.items()}
        if not self._reading.is_halted():
            self._readiness.meet(IN_REACH)

    def _beginning(self, partition: Partition, end: int) -> int | None:
        """Where to read from without a memory. A queue that grows by days must not be rebuilt from years."""
        if partition[0] not in self._history:
            return None
        since_ms = int((time.time() - LOOK_BACK_S) * 1000)
        found = self._reading.since([partition], since_ms)[partition]
        return end if found is None else found

    def _turn(self) -> None:
        self._liveness.tick()
        records = self._reading.read()
        if not (self._store.is_ready() if self._whole else self._store.is_building(self._reader)):
            self._begin_again()
            return
        if records:
            self._project(records)
            self._advance(records)
        self._look_for_growth()
        if not self._whole and self._is_read():
            self._finish()
        elif self._growing and self._is_read():
            self._growing = False
            self._readiness.meet(QUEUE)
        self._sweep()
        self._measure()

    def _look_for_growth(self) -> None:
        """New partitions are read from their beginning; whoever asks for a note meanwhile may miss one of theirs."""
        if new := self._reading.grown():
            self._ends |= {partition: end for partition, (_, end) in new.items()}
            self._growing = True
            self._readiness.miss(QUEUE, f"reading {len(new)} new partitions")
            _log.info("new partitions", partitions=len(new))

    def _is_read(self) -> bool:
        return self._reading.reached(self._ends)

    def _on_error(self, error: KafkaError, topic: str) -> None:
        """What the client says is counted, and may mean that all places must be asked for anew.

        Raises:
            KafkaException: That.
        """
        if self._errors.saw(error, topic) in ASK_ANEW:
            self._counted = True
            raise KafkaException(error)

    def _begin_again(self) -> None:
        _log.warning("Redis was wiped: the queue is read from the topics again")
        self._begin()

    def _finish(self) -> None:
        here = self._reading.position
        self._store.save_offsets({_place(partition): here(partition) or 0 for partition in self._ends})
        if not self._store.set_ready(self._reader):
            self._begin_again()
            return
        self._whole = True
        self._readiness.meet(QUEUE)
        _log.info("the queue is whole")

    def _sweep(self) -> None:
        """Now and then: tasks that outlived their texts leave the queues, and what is followed is kept."""
        now_s = time.time()
        if self._whole and now_s >= self._sweep_at_s and self._store.sweep(now_s) < SWEEP_AT_ONCE:
            self._store.renew()
            self._sweep_at_s = now_s + _SWEEP_EVERY_S

    def _advance(self, records: Sequence[InputRecord]) -> None:
        if self._whole:
            moved = {_place((record.topic, record.partition)): record.offset + 1 for record in records}
            self._store.save_offsets(moved)

    def _measure(self) -> None:
        self._metrics.gauge(PEOPLE_HELD).set(self._store.people_held())
        for queue, count in self._store.waiting().items():
            self._metrics.gauge(WAITING).labels(queue).set(count)
        for queue, age_s in self._store.oldest_s(now_ms()).items():
            self._metrics.gauge(OLDEST).labels(queue).set(age_s)


def _place(partition: Partition) -> str:
    """What Redis calls a partition."""
    return f"{partition[0]}:{partition[1]}"
