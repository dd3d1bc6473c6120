"""The stored states, read back from their compacted topic."""

from collections.abc import Callable, Iterator

from contracts.records import DriftState
from contracts.wire import WireError
from runtime.kafka.history import History

_FIRST_WINDOW = 64


class StoredStates:
    """Reads the newest states of a partition, from the end of the log backwards.

    Args:
        history: Reads topics.
        topic: Full name.
        decode: Raises `WireError`.
    """

    def __init__(
        self,
        history: History,
        topic: str,
        decode: Callable[[bytes | None], DriftState],
    ) -> None:
        self._history = history
        self._topic = topic
        self._decode = decode

    def newest_first(self, partition: int) -> Iterator[list[DriftState]]:
        """Complete sets of chunks, the newest first; at most what the log still holds.

        Raises:
            Recoverable: The broker gave no answer.
        """
        later: list[DriftState] = []
        for block in self._history.newest_first((self._topic, partition), _FIRST_WINDOW):
            later = [state for record in block for state in self._decoded(record.value)] + later
            yield from _complete(later)

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
