"""Reads a small topic whole, without a group: what every replica must know (promotions, open drift) it reads by itself.

In a thread of its own. A broker that is away is waited for; what was read before is kept and reading goes on behind it.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from confluent_kafka import Consumer, KafkaException
from contracts.record import Record
from contracts.registry import RegistryUnavailable
from contracts.wire import WireError

from runtime.errors import RxtractError
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.positions import Partition, counting, unheard
from runtime.kafka.reader import RecordReader, open_client
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics

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
        *,
        metrics: Metrics | None = None,
        make_consumer: Callable[[dict[str, Any]], Consumer] = Consumer,
        errors: ConsumerErrors | None = None,
    ) -> None:
        self._config = config
        self._topic = topic
        self._decode = decode
        self._on_record = on_record
        self._on_jump = unheard if metrics is None else counting(metrics)
        self._make_consumer = make_consumer
        self._errors = errors
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
        client = open_client(self._config, self._errors, self._make_consumer)
        reader = RecordReader(client, [self._topic], self._errors, on_jump=self._on_jump)
        try:
            self._begin(reader)
            while not self._stopped.is_set():
                self._turn(reader)
                reader.grown()
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
            reader.close()
        return ""

    def _begin(self, reader: RecordReader) -> None:
        extents = reader.extents()
        if self._ends is None:
            self._ends = {partition: end for partition, (_, end) in extents.items()}
        known = {partition: self._next.get(partition) for partition in extents}
        reader.begin(known, {partition: low for partition, (low, _) in extents.items()})

    def _turn(self, reader: RecordReader) -> None:
        for record in reader.read(_BATCH):
            try:
                self._on_record(self._decode(record.value))
            except WireError as refused:
                _log.warning("passed over", topic=self._topic, reason=refused.reason.value)
            self._next[record.topic, record.partition] = record.offset + 1
        if not self.caught_up and reader.reached(self._ends or {}):
            self._caught_up.set()
