"""Reads topics that are kept: all of one up to its end now, or from its end backwards."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn, Self, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException
from contracts.record import Record
from contracts.wire import WireError

from runtime.consumer_errors import ConsumerErrors
from runtime.errors import Recoverable
from runtime.logs import get_logger
from runtime.positioned import POSITION_CONFIG, PositionedConsumer
from runtime.records import InputRecord

R = TypeVar("R", bound=Record)
_TIMEOUT_S = 10.0
_BATCH = 1_000
_log = get_logger(__name__)


class History:
    """Bounded reads without a group; nothing is committed.

    Args:
        config: librdkafka's settings of a client.
        errors: Counts what is told in place of records; whoever owns it ends the process when it lasts.
    """

    def __init__(self, config: Mapping[str, Any], errors: ConsumerErrors | None = None) -> None:
        self._config = config
        self._errors = errors
        self._asking: RangeReader | None = None

    def size(self, topic: str) -> int:
        """How many records a topic holds. Asked every few seconds, so its client is kept; by one thread alone.

        Raises:
            Recoverable: The broker gave no answer.
        """
        if self._asking is None:
            self._asking = RangeReader(self._config, self._errors)
        return sum(end - begin for _, begin, end in self._asking.ranges(topic))

    def read(self, topic: str) -> Iterator[InputRecord]:
        """Every record that is there now.

        Raises:
            Recoverable: The broker gave no answer.
        """
        with RangeReader(self._config, self._errors) as reader:
            yield from reader.read(topic, reader.ranges(topic))

    def decoded(self, topic: str, decode: Callable[[bytes | None], R]) -> Iterator[R]:
        """Every record that is there now and can be decoded.

        Raises:
            Recoverable: The broker gave no answer.
        """
        return readable(decode, self.read(topic))

    def backwards(self, topic: str, count: int) -> Iterator[list[InputRecord]]:
        """The newest records, then older ones: blocks of about `count`, then twice as many, with as many of each partition.

        Raises:
            Recoverable: The broker gave no answer.
        """
        with RangeReader(self._config, self._errors) as reader:
            left = reader.ranges(topic)
            while left := [(number, begin, end) for number, begin, end in left if end > begin]:
                each = -(-count // len(left))
                yield list(reader.read(topic, [(number, max(begin, end - each), end) for number, begin, end in left]))
                left = [(number, begin, end - each) for number, begin, end in left]
                count *= 2


class RangeReader:
    """Reads stretches of a topic by a client of its own.

    Args:
        config: librdkafka's settings of a client.
        errors: See `History`.
    """

    def __init__(self, config: Mapping[str, Any], errors: ConsumerErrors | None = None) -> None:
        hears = {} if errors is None else {"error_cb": errors.heard}
        self._consumer = Consumer({**POSITION_CONFIG, **config, "group.id": "rxtract-history-unused", **hears})
        self._errors = errors
        on_fine = None if errors is None else errors.fine
        self._reading = PositionedConsumer(self._consumer, on_error=self._fail, on_fine=on_fine)
        self._topic = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def ranges(self, topic: str) -> list[tuple[int, int, int]]:
        """Partition, first offset, and the offset behind the last that can be read.

        Raises:
            Recoverable: The broker gave no answer, or there is no such topic.
        """
        self._topic = topic
        try:
            known = self._consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
            found = [(number, *self._reading.ends_of((topic, number))) for number in sorted(known.partitions)]
        except KafkaException as error:
            self._fail(error.args[0])
        if not found:
            raise Recoverable(f"{topic} does not exist yet: run `rxtract topics apply`")
        if self._errors is not None:
            self._errors.exists([topic])
        return found

    def range(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset, and the offset behind the last that can be read.

        Raises:
            Recoverable: The broker gave no answer.
        """
        self._topic = topic
        try:
            return self._reading.ends_of((topic, partition))
        except KafkaException as error:
            self._fail(error.args[0])

    def read(self, topic: str, ranges: Iterable[tuple[int, int, int]]) -> Iterator[InputRecord]:
        """The records of some stretches: partition, first offset, and the one behind the last.

        Raises:
            Recoverable: The broker gave no answer.
        """
        self._topic = topic
        begins = {(topic, number): begin for number, begin, end in ranges if end > begin}
        ends = {(topic, number): end for number, begin, end in ranges if end > begin}
        self._reading.begin(begins, begins)
        heard_at_s = time.monotonic()
        while ends:
            before = dict(ends)
            found = self._reading.fetch(_BATCH, 1.0)
            for record in found:
                if record.offset < before.get((record.topic, record.partition), 0):
                    yield record
            ends = {place: end for place, end in ends.items() if (self._reading.positions.get(place) or 0) < end}
            if found:
                heard_at_s = time.monotonic()
            elif time.monotonic() - heard_at_s > _TIMEOUT_S:
                raise Recoverable(f"{topic} cannot be read: the broker sends nothing")

    def _fail(self, error: KafkaError, _topic: str = "") -> NoReturn:
        if self._errors is not None:
            self._errors.take(error.name(), self._topic)
        raise Recoverable(f"{self._topic} cannot be read: {error.name()}") from None


def readable(decode: Callable[[bytes | None], R], records: Iterable[InputRecord]) -> Iterator[R]:
    """What can be read; a record that cannot be is no ground to learn nothing from the others. Counted by its owner's DLQ."""
    skipped = 0
    for record in records:
        try:
            found = decode(record.value)
        except WireError:
            skipped += 1
        else:
            yield found
    if skipped:
        _log.warning("records that cannot be read were passed over", records=skipped)
