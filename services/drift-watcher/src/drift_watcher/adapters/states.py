"""The stored states, read back from their compacted topic."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from contracts.records import DriftState
from contracts.wire import WireError
from runtime.consumer_errors import ConsumerErrors
from runtime.history import RangeReader

_FIRST_WINDOW = 64


class StoredStates:
    """Reads the newest states of a partition, from the end of the log backwards.

    Args:
        config: librdkafka's settings of a client.
        topic: Full name.
        decode: Raises `WireError`.
        errors: Counts what is told in place of records.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        topic: str,
        decode: Callable[[bytes | None], DriftState],
        errors: ConsumerErrors | None = None,
    ) -> None:
        self._config = config
        self._errors = errors
        self._topic = topic
        self._decode = decode

    def newest_first(self, partition: int) -> Iterator[list[DriftState]]:
        """Complete sets of chunks, the newest first; at most what the log still holds.

        Raises:
            Recoverable: The broker gave no answer.
        """
        with RangeReader(self._config, self._errors) as reader:
            low, begin = reader.range(self._topic, partition)
            later: list[DriftState] = []
            window = _FIRST_WINDOW
            while begin > low:
                begin, stop = max(low, begin - window), begin
                found = reader.read(self._topic, [(partition, begin, stop)])
                later = [state for record in found for state in self._decoded(record.value)] + later
                yield from _complete(later)
                window *= 4

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
