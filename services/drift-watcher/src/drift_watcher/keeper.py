"""The watchers of the partitions that are ours: brought back on assignment, saved at places that follow from the partition."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import tzinfo

from contracts.records import DriftState
from drift.config import DriftConfig
from drift.state import FORMAT_VERSION, StateRefusedError, digest, dump, load, pack, unpack
from drift.watcher import FindReferences, PartitionWatcher
from runtime.errors import RxtractError
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics
from runtime.stream.ledger import Partition

from drift_watcher import metrics as m
from drift_watcher.domain.published import Published
from drift_watcher.scores import Scores

_log = get_logger(__name__)
_CHUNK_BYTES = 900_000

Stored = Callable[[int], Iterable[list[DriftState]]]
"""Complete stored states of a partition, the newest first."""


class NotRestoredError(RxtractError):
    """A record of a partition whose watcher was not brought back: a mistake of ours."""


class WatcherKeeper:
    """Holds a watcher for each assigned partition.

    Args:
        stored: Where states are read back from.
        find: Reference statistics of a model.
        config: Thresholds.
        zone: In which evidence shows times.
        save_every: Records, and milliseconds of record time, between two saves.
        published: What is out already; asked after each assignment, when whoever had the partitions is gone.
    """

    def __init__(
        self,
        stored: Stored,
        find: FindReferences,
        config: DriftConfig,
        zone: tzinfo,
        *,
        save_every: tuple[int, int],
        metrics: Metrics,
        published: Callable[[], Published] = Published,
    ) -> None:
        self._published = published
        self.published = Published()
        self._stored = stored
        self._find = find
        self._config = config
        self._zone = zone
        self._save_every = save_every
        self._watchers: dict[int, PartitionWatcher] = {}
        self._refused = metrics.counter(m.STATES_REFUSED)
        self._bytes = metrics.gauge(m.STATE_BYTES)
        self._seconds = metrics.gauge(m.RESTORE_SECONDS)
        self._scores = Scores(metrics)

    def watcher(self, partition: int) -> PartitionWatcher:
        """The watcher of a partition.

        Raises:
            NotRestoredError: There is none.
        """
        try:
            return self._watchers[partition]
        except KeyError:
            raise NotRestoredError(f"partition {partition} was not restored") from None

    def restore(self, partitions: Iterable[Partition]) -> Mapping[Partition, int]:
        """Bring the states of newly assigned partitions back; gives the offset behind each."""
        begun_at_s = time.monotonic()
        self._watchers = {partition: self._newest(partition) for _, partition in partitions}
        self._scores.keep(self._watchers)
        for partition, watcher in self._watchers.items():
            self._scores.take(partition, watcher.segments)
        self.published = self._published()
        self._seconds.set(time.monotonic() - begun_at_s)
        return {(topic, partition): self._watchers[partition].last_offset + 1 for topic, partition in partitions}

    def gave_up(self, partitions: Iterable[Partition]) -> None:
        """Tell no scores of partitions that went; whoever gets them tells theirs. Their watchers stay for what is under way."""
        self._scores.drop(partition for _, partition in partitions)

    def is_save_due(self, watcher: PartitionWatcher) -> bool:
        """Whether so many records, or so much record time, came since the last save. After an alarm it is due too."""
        return watcher.is_save_due(*self._save_every)

    def save(self, watcher: PartitionWatcher) -> Iterator[DriftState]:
        """The state as records."""
        watcher.mark_saved()
        plain = dump(watcher)
        self._bytes.labels(str(watcher.partition)).set(len(plain))
        self._scores.take(watcher.partition, watcher.segments)
        packed, sha256 = pack(plain), digest(plain)
        chunks = [packed[at : at + _CHUNK_BYTES] for at in range(0, len(packed), _CHUNK_BYTES)]
        for number, chunk in enumerate(chunks):
            yield DriftState(
                source_partition=watcher.partition,
                source_offset=watcher.last_offset,
                format_version=FORMAT_VERSION,
                chunk=number,
                chunks=len(chunks),
                sha256=sha256,
                state=chunk,
                saved_at=watcher.clock,
            )

    def _newest(self, partition: int) -> PartitionWatcher:
        for chunks in self._stored(partition):
            try:
                plain = unpack(b"".join(chunk.state for chunk in chunks), chunks[0].sha256)
                return load(plain, partition, self._config, self._find, self._zone, chunks[0].format_version)
            except StateRefusedError as refused:
                self._refused.inc()
                _log.error("a stored state is refused; trying the one before", partition=partition, why=str(refused))
        return PartitionWatcher(partition, self._config, self._find, self._zone)
