"""Reads a small topic whole, without a group: what every replica must know (promotions, open drift) it reads by itself.

In a thread of its own. A broker that is away is waited for; what was read before is kept and reading goes on behind it.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException
from contracts.record import Record
from contracts.registry import RegistryUnavailable
from contracts.wire import WireError

from runtime.consumer_errors import ConsumerErrors, ErrorKind
from runtime.errors import Recoverable, RxtractError
from runtime.logs import get_logger
from runtime.metrics import Metrics
from runtime.positioned import POSITION_CONFIG, Growth, PositionedConsumer
from runtime.positions import Partition, counting, unheard

R = TypeVar("R", bound=Record)
_log = get_logger(__name__)
_PAUSE_S = 1.0
_BATCH = 500


class TopicFollower(Generic[R]):
    """Calls back with every record of a topic, the old ones first.

    Args:
        config: librdkafka's settings of a client.
        topic: Full name.
        decode: Raises `WireError`: such a record is passed over, since its writer owns it; and `RegistryUnavailable`: it is
            read again later.
        on_record: Called in the follower's thread, in the order of each partition. A record at which it raises comes again.
        metrics: Where a jump of our position is counted.
        make_consumer: Makes the client.
        errors: Counts what is told in place of records; whoever owns it ends the process when it lasts.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        topic: str,
        decode: Callable[[bytes | None], R],
        on_record: Callable[[R], None],
        metrics: Metrics | None = None,
        make_consumer: Callable[[dict[str, Any]], Consumer] = Consumer,
        errors: ConsumerErrors | None = None,
    ) -> None:
        self._config = {**POSITION_CONFIG, **config, "group.id": "rxtract-follower-unused"}
        self._topic = topic
        self._decode = decode
        self._on_record = on_record
        self._on_jump = unheard if metrics is None else counting(metrics)
        self._make_consumer = make_consumer
        self._errors = errors
        if errors is not None:
            self._config["error_cb"] = errors.heard
        self._next: dict[Partition, int] = {}
        self._ends: dict[Partition, int] | None = None
        self._caught_up = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow {topic}", daemon=True)

    @property
    def caught_up(self) -> bool:
        """Whether everything that was there at the start has been read."""
        return self._caught_up.is_set()

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        said = ""
        while not self._stopped.is_set():
            code = self._follow()
            if code and code != said:
                _log.warning("a topic is not followed now", topic=self._topic, code=code)
            said = code
            if code:
                self._stopped.wait(_PAUSE_S)

    def _follow(self) -> str:
        """Read until stopped or something fails; what failed. Nothing may end the thread: nobody would notice."""
        consumer = self._make_consumer(self._config)
        try:
            growth = Growth(consumer, [self._topic])
            on_fine = None if self._errors is None else self._errors.fine
            reading = PositionedConsumer(consumer, self._on_jump, _raise, on_fine=on_fine)
            self._begin(reading, self._partitions(growth))
            while not self._stopped.is_set():
                self._turn(reading)
                if new := growth.new(reading.positions.partitions):
                    reading.add(dict.fromkeys(new))
        except KafkaException as error:
            if self._errors is not None:
                self._errors.take(error.args[0].name(), self._topic)
            return str(error.args[0].name())
        except RegistryUnavailable:
            return "the schema registry is away"
        except RxtractError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, reading goes on
            return type(error).__name__
        finally:
            consumer.close()
        return ""

    def _begin(self, reading: PositionedConsumer, partitions: list[Partition]) -> None:
        found = {partition: reading.ends_of(partition) for partition in partitions}
        if self._ends is None:
            self._ends = {partition: end for partition, (_, end) in found.items()}
        known = {partition: self._next.get(partition) for partition in partitions}
        reading.begin(known, {partition: low for partition, (low, _) in found.items()})
        if self._errors is not None:
            self._errors.exists([self._topic])

    def _partitions(self, growth: Growth) -> list[Partition]:
        try:
            return growth.partitions()
        except Recoverable:
            if self._errors is not None:
                self._errors.lasts(ErrorKind.MISSING_TOPIC, self._topic)
            raise

    def _turn(self, reading: PositionedConsumer) -> None:
        for record in reading.fetch(_BATCH, 0.2):
            try:
                self._on_record(self._decode(record.value))
            except WireError as refused:
                _log.warning("passed over", topic=self._topic, reason=refused.reason.value)
            self._next[record.topic, record.partition] = record.offset + 1
        if not self.caught_up:
            here = reading.positions.get
            if all((here(partition) or 0) >= end for partition, end in (self._ends or {}).items()):
                self._caught_up.set()


def _raise(error: KafkaError, _topic: str) -> None:
    raise KafkaException(error)
