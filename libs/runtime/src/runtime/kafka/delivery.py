"""Publishing with proof: a batch is delivered when the broker has acknowledged each of its records.

``flush()`` also returns 0 when deliveries failed, and one flush is global to a producer. So reports are counted per batch, which lets
several batches be in flight. A producer belongs to one thread: its callbacks run where it is polled, and polling from a second
thread beside a busy one costs a wait for the interpreter lock per record.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from runtime.errors import DeliveryFailed, ProducerBroken, Rejected
from runtime.kafka.deadletter import is_dead_letter, without_value
from runtime.kafka.records import OutputRecord

PRODUCER_DEFAULTS: Mapping[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",  # what Java and aiokafka do; librdkafka's own default is CRC32
    "compression.type": "lz4",
    "linger.ms": 5,
    "batch.num.messages": 10_000,
    "queue.buffering.max.kbytes": 65_536,
    "queue.buffering.max.messages": 100_000,
    "message.max.bytes": 16_777_216,  # the broker's limit per topic decides; a dead letter may be larger than a legal record
    "delivery.timeout.ms": 120_000,
    "socket.keepalive.enable": True,
    "reconnect.backoff.max.ms": 2_000,
}

Report = Callable[[KafkaError | None, Message | None], None]
_PASSING = frozenset(
    {
        "_MSG_TIMED_OUT",
        "_TIMED_OUT",
        "_TIMED_OUT_QUEUE",
        "_QUEUE_FULL",
        "_TRANSPORT",
        "_ALL_BROKERS_DOWN",
        "REQUEST_TIMED_OUT",
        "LEADER_NOT_AVAILABLE",
        "NOT_LEADER_FOR_PARTITION",
        "NETWORK_EXCEPTION",
        "NOT_ENOUGH_REPLICAS",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    }
)
"""What a broker that comes back mends, so that sending again helps; a missing topic or a forbidden one is for people."""
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
_ENQUEUE_TIMEOUT_S = 10.0
_POLL_S = 0.1
_PUMP_S = 0.001


class KafkaProducer(Protocol):
    """The three calls of ``confluent_kafka.Producer`` that we use; a test's fake has the same."""

    def produce(self, topic: str, value: bytes | None = ..., key: bytes | None = ..., **more: Any) -> None:
        """Queue one record; its report comes to ``on_delivery`` from ``poll``."""

    def poll(self, timeout: float = ...) -> int:
        """Run the callbacks of reports that have come, waiting up to ``timeout`` seconds for the first."""

    def flush(self, timeout: float = ...) -> int:
        """Wait for reports; returns how many records are still without one."""


class Delivery:
    """The reports of one batch that are still to come.

    Attributes:
        places: Partition and offset by the record's place in the batch, where `DeliveryProducer.send` was asked for them.
    """

    def __init__(
        self, producer: KafkaProducer | Producer, total: int, on_settled: Callable[["Delivery"], None]
    ) -> None:
        self._producer = producer
        self._total = total
        self._pending = total
        self._failed = 0
        self._first_error: KafkaError | None = None
        self._on_settled = on_settled
        self.places: dict[int, tuple[int, int]] = {}
        self._future: asyncio.Future[None] | None = None
        self.sent_at_s = time.monotonic()
        if total == 0:
            self._settle()

    def report(self, error: KafkaError | None, _message: object) -> None:
        """Take one delivery report (librdkafka's callback)."""
        if error is not None:
            self._failed += 1
            self._first_error = self._first_error or error
        self._pending -= 1
        if self._pending == 0:
            self._settle()

    def report_of(self, number: int, error: KafkaError | None, message: Message | None) -> None:
        """Take the report of one record, and where it stands."""
        if error is None and message is not None:
            partition, offset = message.partition(), message.offset()
            if partition is not None and offset is not None:
                self.places[number] = (partition, offset)
        self.report(error, message)

    @property
    def settled(self) -> bool:
        """Whether a report has come for every record, good or bad."""
        return self._pending == 0

    @property
    def failure(self) -> DeliveryFailed | None:
        """What went wrong so far, or None."""
        if self._first_error is None:
            return None
        return DeliveryFailed(
            self._failed,
            self._total,
            self._first_error.name(),
            retriable=not self._first_error.fatal() and self._first_error.name() in _PASSING,
        )

    @property
    def broken(self) -> ProducerBroken | None:
        """Set when a report says that the client can never send again."""
        error = self._first_error
        if error is None or not (error.fatal() or error.code() == KafkaError._FATAL):  # noqa: SLF001 - that is how the client names its own codes
            return None
        return ProducerBroken(error.name())

    def wait(self, timeout_s: float) -> None:
        """Poll until the batch is settled.

        Raises:
            DeliveryFailed: Not all was acknowledged within the time.
            ProducerBroken: Nothing will ever be acknowledged: end the process.
        """
        deadline = time.monotonic() + timeout_s
        while not self.settled:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self.unfinished()
            self._producer.poll(min(left, _POLL_S))
        self._raise_failure()

    async def done(self, timeout_s: float | None = None) -> None:
        """Wait on the event loop until the batch is settled; `DeliveryProducer` polls meanwhile.

        Raises:
            DeliveryFailed: Not all was acknowledged, or not within the time.
            ProducerBroken: Nothing will ever be acknowledged: end the process.
        """
        if not self.settled:
            if self._future is None:
                self._future = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(asyncio.shield(self._future), timeout_s)
            except TimeoutError:
                raise self.unfinished() from None
        self._raise_failure()

    def unfinished(self) -> DeliveryFailed:
        """The error for reports that did not come in time. The records may still arrive."""
        return DeliveryFailed(self._pending + self._failed, self._total, "_TIMED_OUT", retriable=True)

    def _raise_failure(self) -> None:
        if (error := self.broken or self.failure) is not None:
            raise error

    def _settle(self) -> None:
        self._on_settled(self)
        if self._future is not None and not self._future.done():
            self._future.set_result(None)


class DeliveryProducer:
    """A librdkafka producer that counts delivery reports per batch.

    Args:
        config: librdkafka settings, laid over `PRODUCER_DEFAULTS`.
        producer: The client to use instead of a new one (tests).
    """

    def __init__(self, config: Mapping[str, Any], producer: KafkaProducer | None = None) -> None:
        self._producer: KafkaProducer | Producer = producer or Producer({**PRODUCER_DEFAULTS, **config})
        self._broken: ProducerBroken | None = None
        self._in_flight: set[Delivery] = set()
        self._pump: asyncio.Task[None] | None = None

    @property
    def broken(self) -> ProducerBroken | None:
        """Why this client can never send again (a fatal error of the idempotent producer): only a new process mends that. Else None."""
        return self._broken

    @property
    def in_flight(self) -> int:
        """Batches that are not settled yet."""
        return len(self._in_flight)

    def send(
        self,
        records: Sequence[OutputRecord],
        enqueue_timeout_s: float = _ENQUEUE_TIMEOUT_S,
        *,
        with_places: bool = False,
    ) -> Delivery:
        """Queue a batch. Blocks while librdkafka's queue is full, at most ``enqueue_timeout_s``.

        Args:
            records: The batch.
            enqueue_timeout_s: For which it may block.
            with_places: Whether the delivery shall tell where each record stands.

        Raises:
            Rejected: The local queue stayed full: the broker is away or slow. What was queued before may still arrive.
        """
        delivery = Delivery(self._producer, len(records), self._settled)
        if records:
            self._in_flight.add(delivery)
        try:
            for number, record in enumerate(records):
                report = partial(delivery.report_of, number) if with_places else delivery.report
                try:
                    self._produce(record, report)
                except BufferError:
                    self._enqueue_patiently(record, report, enqueue_timeout_s)
        except BaseException:
            self._in_flight.discard(delivery)
            raise
        self._producer.poll(0)
        self._start_pump()
        return delivery

    def poll(self, timeout_s: float = 0.0) -> None:
        """Run the callbacks of reports that have come."""
        self._producer.poll(timeout_s)

    def close(self, timeout_s: float) -> int:
        """Wait for all reports; returns how many records are still without one."""
        if self._pump is not None:
            self._pump.cancel()
            self._pump = None
        return self._producer.flush(timeout_s)

    def _enqueue_patiently(self, record: OutputRecord, report: Report, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Rejected("the queue to the broker is full")
            self._producer.poll(min(left, _POLL_S))
            try:
                return self._produce(record, report)
            except BufferError:
                continue

    def _produce(self, record: OutputRecord, report: Report) -> None:
        topic, key, value, headers, partition, _ = record
        try:
            if not headers and partition is None:  # as nearly always
                self._producer.produce(topic, value, key, on_delivery=report)
                return
            if is_dead_letter(record):
                report = partial(self._report_letter, record, report)
            more: dict[str, Any] = {} if partition is None else {"partition": partition}
            self._producer.produce(topic, value, key, on_delivery=report, headers=list(headers), **more)
        except KafkaException as error:
            # Refused before it was queued (too large, fatal producer state): count it as its report.
            report(error.args[0], None)

    def _report_letter(
        self, letter: OutputRecord, report: Report, error: KafkaError | None, message: Message | None
    ) -> None:
        """A dead letter must never stop the line: one that is larger than the producer or the topic takes goes without its bytes."""
        if error is None or error.code() not in _TOO_LARGE:
            report(error, message)
            return
        less = without_value(letter)
        try:
            self._producer.produce(less.topic, less.value, less.key, on_delivery=report, headers=list(less.headers))
        except BufferError:  # its place in the queue is free again only after this callback: sent again with its batch
            report(KafkaError(KafkaError._QUEUE_FULL), None)  # noqa: SLF001 - that is how the client names its own codes
        except KafkaException as refused:
            report(refused.args[0], None)

    def _settled(self, delivery: Delivery) -> None:
        self._in_flight.discard(delivery)
        self._broken = self._broken or delivery.broken

    def _start_pump(self) -> None:
        if not self._in_flight or (self._pump is not None and not self._pump.done()):
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # no event loop here: `Delivery.wait` polls
        self._pump = loop.create_task(self._poll_while_in_flight())

    async def _poll_while_in_flight(self) -> None:
        while self._in_flight:
            self._producer.poll(0)
            await asyncio.sleep(_PUMP_S)
