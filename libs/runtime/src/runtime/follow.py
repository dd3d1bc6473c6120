"""Reads a small topic whole, without a group: what every replica must know (promotions, open drift) it reads by itself.

In a thread of its own. A broker that is away is waited for; what was read before is kept and reading goes on behind it.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition
from contracts.record import Record
from contracts.registry import RegistryUnavailable
from contracts.wire import WireError

from runtime.consumer_errors import ConsumerErrors
from runtime.logs import get_logger

R = TypeVar("R", bound=Record)
_log = get_logger(__name__)
_ANSWER_S = 5.0
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
        make_consumer: Makes the client.
        errors: Counts what is told in place of records; whoever owns it ends the process when it lasts.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        topic: str,
        decode: Callable[[bytes | None], R],
        on_record: Callable[[R], None],
        make_consumer: Callable[[dict[str, Any]], Consumer] = Consumer,
        errors: ConsumerErrors | None = None,
    ) -> None:
        self._config = {**config, "group.id": "rxtract-follower-unused", "enable.auto.commit": False}
        self._topic = topic
        self._decode = decode
        self._on_record = on_record
        self._make_consumer = make_consumer
        self._errors = errors
        if errors is not None:
            self._config["error_cb"] = errors.heard
        self._next: dict[int, int] = {}
        self._ends: dict[int, int] | None = None
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
            self._begin(consumer)
            while not self._stopped.is_set():
                self._turn(consumer)
        except KafkaException as error:
            if self._errors is not None:
                self._errors.take(error.args[0].name(), self._topic)
            return str(error.args[0].name())
        except RegistryUnavailable:
            return "the schema registry is away"
        except Exception as error:  # noqa: BLE001 - whatever it is, reading goes on
            return type(error).__name__
        finally:
            consumer.close()
        return ""

    def _begin(self, consumer: Consumer) -> None:
        known = consumer.list_topics(self._topic, timeout=_ANSWER_S).topics[self._topic]
        if known.error is not None:
            raise KafkaException(known.error)
        places, ends = [], {}
        for number in known.partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=_ANSWER_S)
            self._next[number] = min(max(self._next.get(number, low), low), high)
            ends[number] = high
            places.append(TopicPartition(self._topic, number, self._next[number]))
        if self._ends is None:
            self._ends = ends
        consumer.assign(places)
        if self._errors is not None:
            self._errors.exists([self._topic])

    def _turn(self, consumer: Consumer) -> None:
        for message in consumer.consume(_BATCH, timeout=0.2):
            if (error := message.error()) is not None:
                raise KafkaException(error)
            number, offset = message.partition() or 0, message.offset() or 0
            try:
                self._on_record(self._decode(message.value()))
            except WireError as refused:
                _log.warning("passed over", topic=self._topic, reason=refused.reason.value)
            self._next[number] = offset + 1
            if self._errors is not None:
                self._errors.fine(self._topic)
        if not self.caught_up and all(self._next[number] >= end for number, end in (self._ends or {}).items()):
            self._caught_up.set()
