"""The stored states, read back from their compacted topic."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from contracts.records import DriftState
from contracts.wire import WireError
from runtime.errors import Recoverable

_FIRST_WINDOW = 64
_TIMEOUT_S = 10.0


class StoredStates:
    """Reads the newest states of a partition, from the end of the log backwards.

    Args:
        config: librdkafka's settings of a client.
        topic: Full name.
        decode: Raises `WireError`.
    """

    def __init__(self, config: Mapping[str, Any], topic: str, decode: Callable[[bytes | None], DriftState]) -> None:
        self._config = {**config, "group.id": "rxtract-states-unused", "enable.auto.commit": False}
        self._topic = topic
        self._decode = decode

    def newest_first(self, partition: int) -> Iterator[list[DriftState]]:
        """Complete sets of chunks, the newest first; at most what the log still holds.

        Raises:
            Recoverable: The broker gave no answer.
        """
        consumer = Consumer(self._config)
        try:
            low, end = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=_TIMEOUT_S)
            begin = end
            later: list[DriftState] = []
            window = _FIRST_WINDOW
            while begin > low:
                begin, stop = max(low, begin - window), begin
                later = self._read(consumer, partition, begin, stop) + later
                yield from _complete(later)
                window *= 4
        except KafkaException as error:
            raise Recoverable(f"the stored state cannot be read: {error.args[0].name()}") from None
        finally:
            consumer.close()

    def _read(self, consumer: Consumer, partition: int, begin: int, stop: int) -> list[DriftState]:
        consumer.assign([TopicPartition(self._topic, partition, begin)])
        found: list[DriftState] = []
        while True:
            messages = consumer.consume(500, timeout=1.0)
            for message in messages:
                if (error := message.error()) is not None:
                    raise KafkaException(error)
                if (message.offset() or 0) < stop:
                    found += self._decoded(message.value())
            position = consumer.position([TopicPartition(self._topic, partition)])[0].offset
            if position >= stop or (not messages and position >= 0):
                return found

    def _decoded(self, value: bytes | None) -> list[DriftState]:
        try:
            return [self._decode(value)]
        except WireError:
            return []


def _complete(records: list[DriftState]) -> Iterator[list[DriftState]]:
    sets: dict[tuple[int, str], dict[int, DriftState]] = {}
    for record in records:
        sets.setdefault((record.source_offset, record.sha256), {})[record.chunk] = record
    for chunks in reversed(sets.values()):
        wanted = next(iter(chunks.values())).chunks
        if set(range(wanted)) <= set(chunks):
            yield [chunks[number] for number in range(wanted)]
