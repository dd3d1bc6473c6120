"""Reads topics that are kept: all of one up to its end now, a stretch of it, or from its end backwards."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from confluent_kafka import KafkaException
from contracts.record import Record
from contracts.wire import WireError

from runtime.errors import Recoverable
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.positions import Partition
from runtime.kafka.reader import Extent, RecordReader, open_client
from runtime.kafka.records import InputRecord
from runtime.service.logs import get_logger

R = TypeVar("R", bound=Record)
_SILENT_S = 10.0
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
        self._asking: dict[str, RecordReader] = {}

    def size(self, topic: str) -> int:
        """How many records a topic holds. Asked every few seconds, so its client is kept; by one thread alone.

        Raises:
            Recoverable: The broker gave no answer.
        """
        if topic not in self._asking:
            self._asking[topic] = self._open(topic)
        with told_as_recoverable(topic, self._errors):
            return sum(end - low for low, end in self._asking[topic].extents().values())

    def read(self, topic: str) -> Iterator[InputRecord]:
        """Every record that is there now.

        Raises:
            Recoverable: The broker gave no answer.
        """
        with self._open(topic) as reader, told_as_recoverable(topic, self._errors):
            yield from stretch(reader, reader.extents())

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
        with self._open(topic) as reader, told_as_recoverable(topic, self._errors):
            left = reader.extents()
            while left := {one: extent for one, extent in left.items() if extent.end > extent.low}:
                each = -(-count // len(left))
                block = {one: Extent(max(low, end - each), end) for one, (low, end) in left.items()}
                yield list(stretch(reader, block))
                left = {one: Extent(low, end - each) for one, (low, end) in left.items()}
                count *= 2

    def newest_first(self, partition: Partition, first_window: int) -> Iterator[list[InputRecord]]:
        """One partition from its end: a window of records, then the four times as many before, and so on.

        Raises:
            Recoverable: The broker gave no answer.
        """
        with self._open(partition[0]) as reader, told_as_recoverable(partition[0], self._errors):
            (low, begin), window = reader.extents([partition])[partition], first_window
            while begin > low:
                begin, end = max(low, begin - window), begin
                yield list(stretch(reader, {partition: Extent(begin, end)}))
                window *= 4

    def _open(self, topic: str) -> RecordReader:
        return RecordReader(open_client(self._config, self._errors), [topic], self._errors)


@contextmanager
def told_as_recoverable(topic: str, errors: ConsumerErrors | None) -> Iterator[None]:
    """What the client says while a topic is read is counted, and waited out by whoever reads."""
    try:
        yield
    except KafkaException as error:
        name = error.args[0].name()
        if errors is not None:
            errors.take(name, topic)
        raise Recoverable(f"{topic} cannot be read: {name}") from None


def stretch(reader: RecordReader, extents: Mapping[Partition, Extent]) -> Iterator[InputRecord]:
    """The records of these stretches of partitions.

    Raises:
        Recoverable: The broker sends nothing.
    """
    wanted = {one: extent for one, extent in extents.items() if extent.end > extent.low}
    begins = {one: low for one, (low, _) in wanted.items()}
    reader.begin(begins, begins)
    return reader.up_to({one: end for one, (_, end) in wanted.items()}, _SILENT_S)


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
