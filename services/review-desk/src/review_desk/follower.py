"""Follows the topics in a thread, without a group: each process reads all, from where Redis says, or anew when Redis was wiped."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from contracts.registry import RegistryUnavailable
from runtime.consumer_errors import ASK_ANEW, ConsumerErrors
from runtime.errors import Recoverable
from runtime.health import Liveness, Readiness
from runtime.logs import get_logger
from runtime.loop import to_record
from runtime.metrics import Metrics
from runtime.records import InputRecord

from review_desk.adapters.store import LOOK_BACK_S, OURS, SWEEP_AT_ONCE, Store
from review_desk.metrics import OLDEST, REBUILDS, WAITING

QUEUE = "queue"
FOLLOWER_CONFIG: dict[str, Any] = {
    "group.id": "rxtract-desk-unused",  # librdkafka wants one; nothing is committed
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 50,
}
_BATCH = 1_000
_WAIT_S = 0.2
_ANSWER_S = 10.0
_SWEEP_EVERY_S = 60.0
_log = get_logger(__name__)


class Follower:
    """Keeps the projection up to date.

    Args:
        consumer: Made with `FOLLOWER_CONFIG`.
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
        stop: threading.Event,
        liveness: Liveness,
        readiness: Readiness,
        metrics: Metrics,
        history: frozenset[str] = frozenset(),
        errors: ConsumerErrors | None = None,
    ) -> None:
        self._consumer = consumer
        self._topics = topics
        self._project = project
        self._store = store
        self._stop = stop
        self._liveness = liveness
        self._readiness = readiness
        self._metrics = metrics
        self._history = history
        self._errors = errors or ConsumerErrors(metrics, readiness)
        self._ends: dict[str, int] = {}
        self._next: dict[str, int] = {}
        self._whole = False
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
        self._consumer.close()

    def _begin(self) -> None:
        """Assign everything, from the places that Redis remembers."""
        self._counted = False
        self._whole = False
        self._store.begin_building(self._reader)  # first: a wipe from here on is seen
        saved = self._store.offsets() if self._store.is_ready() else {}
        if not saved:
            self._metrics.counter(REBUILDS).inc()
        partitions = self._partitions()
        self._next, self._ends = {}, {}
        for partition in partitions:
            low, high = self._consumer.get_watermark_offsets(partition, timeout=_ANSWER_S)
            place = f"{partition.topic}:{partition.partition}"
            begin = saved[place] if place in saved else self._beginning(partition, low, high)
            partition.offset = min(max(begin, low), high)
            self._next[place], self._ends[place] = partition.offset, high
        self._consumer.assign(partitions)
        self._errors.exists(self._topics)

    def _beginning(self, partition: TopicPartition, low: int, high: int) -> int:
        """Where to read from without a memory. A queue that grows by days must not be rebuilt from years."""
        if partition.topic not in self._history:
            return low
        since_ms = int((time.time() - LOOK_BACK_S) * 1000)
        wanted = TopicPartition(partition.topic, partition.partition, since_ms)
        (found,) = self._consumer.offsets_for_times([wanted], timeout=_ANSWER_S)
        return found.offset if found.offset >= 0 else high

    def _partitions(self) -> list[TopicPartition]:
        found = self._consumer.list_topics(timeout=_ANSWER_S).topics
        if missing := [topic for topic in self._topics if topic not in found]:
            raise Recoverable(f"{len(missing)} topics do not exist yet: run `rxtract topics apply`")
        return [TopicPartition(topic, number) for topic in self._topics for number in found[topic].partitions]

    def _turn(self) -> None:
        self._liveness.tick()
        messages = self._consumer.consume(_BATCH, _WAIT_S)
        records = [to_record(message) for message in messages if self._is_record(message)]
        if not (self._store.is_ready() if self._whole else self._store.is_building(self._reader)):
            self._begin_again()
            return
        if records:
            self._project(records)
            self._advance(records)
        if not self._whole and all(self._next[place] >= end for place, end in self._ends.items()):
            self._finish()
        self._sweep()
        self._measure()

    def _is_record(self, message: Message) -> bool:
        """Whether it is one; what the client says instead is counted, and may mean that all places must be asked for anew.

        Raises:
            KafkaException: That.
        """
        error = message.error()
        if error is None:
            self._errors.fine(message.topic())
            return True
        if self._errors.saw(error, message.topic() or "") in ASK_ANEW:
            self._counted = True
            raise KafkaException(error)
        return False

    def _begin_again(self) -> None:
        _log.warning("Redis was wiped: the queue is read from the topics again")
        self._begin()

    def _finish(self) -> None:
        self._store.save_offsets(self._next)
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
        moved = {f"{record.topic}:{record.partition}": record.offset + 1 for record in records}
        self._next.update(moved)
        if self._whole:
            self._store.save_offsets(moved)

    def _measure(self) -> None:
        for queue, count in self._store.waiting().items():
            self._metrics.gauge(WAITING).labels(queue).set(count)
        for queue, age_s in self._store.oldest_s(time.time_ns() // 1_000_000).items():
            self._metrics.gauge(OLDEST).labels(queue).set(age_s)
