"""Reads topics that are kept: all of one up to its end now, or from its end backwards."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition
from contracts.record import Record
from contracts.wire import WireError

from runtime.consumer_errors import ConsumerErrors
from runtime.errors import Recoverable
from runtime.logs import get_logger
from runtime.loop import to_record
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
        self._errors = errors
        self._config = {**config, "group.id": "rxtract-history-unused", "enable.auto.commit": False}
        if errors is not None:
            self._config["error_cb"] = errors.heard
        self._asking: _Reader | None = None

    def size(self, topic: str) -> int:
        """How many records a topic holds. Asked every few seconds, so its client is kept; by one thread alone.

        Raises:
            Recoverable: The broker gave no answer.
        """
        if self._asking is None:
            self._asking = _Reader(self._config, self._errors)
        return sum(end - begin for _, begin, end in self._asking.ranges(topic))

    def read(self, topic: str) -> Iterator[InputRecord]:
        """Every record that is there now.

        Raises:
            Recoverable: The broker gave no answer.
        """
        with _Reader(self._config, self._errors) as reader:
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
        with _Reader(self._config, self._errors) as reader:
            left = reader.ranges(topic)
            while left := [(number, begin, end) for number, begin, end in left if end > begin]:
                each = -(-count // len(left))
                yield list(reader.read(topic, [(number, max(begin, end - each), end) for number, begin, end in left]))
                left = [(number, begin, end - each) for number, begin, end in left]
                count *= 2


class _Reader:
    def __init__(self, config: Mapping[str, Any], errors: ConsumerErrors | None) -> None:
        self._consumer = Consumer(dict(config))
        self._errors = errors

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def ranges(self, topic: str) -> list[tuple[int, int, int]]:
        """Partition, first offset, and the offset behind the last."""
        try:
            known = self._consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
            found = []
            for number in sorted(known.partitions):
                begin, end = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_TIMEOUT_S)
                found.append((number, begin, end))
        except KafkaException as error:
            self._count(error.args[0].name(), topic)
            raise Recoverable(f"{topic} cannot be read: {error.args[0].name()}") from None
        if not found:
            raise Recoverable(f"{topic} does not exist yet: run `rxtract topics apply`")
        return found

    def _count(self, name: str, topic: str) -> None:
        if self._errors is not None:
            self._errors.take(name, topic)

    def read(self, topic: str, ranges: list[tuple[int, int, int]]) -> Iterator[InputRecord]:
        ends = {number: end for number, begin, end in ranges if end > begin}
        if not ends:
            return
        self._consumer.assign([TopicPartition(topic, number, begin) for number, begin, end in ranges if number in ends])
        silent = 0
        while ends:
            messages = self._consumer.consume(_BATCH, timeout=1.0)
            silent = 0 if messages else silent + 1
            if silent > _TIMEOUT_S:
                raise Recoverable(f"{topic} cannot be read: the broker sends nothing")
            for message in messages:
                if (error := message.error()) is not None:
                    self._count(error.name(), topic)
                    raise Recoverable(f"{topic} cannot be read: {error.name()}")
                record = to_record(message)
                if record.partition in ends and record.offset < ends[record.partition]:
                    yield record
            for place in self._consumer.position([TopicPartition(topic, number) for number in ends]):
                if place.offset >= ends[place.partition]:
                    del ends[place.partition]


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
