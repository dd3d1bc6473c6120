"""What one process knows of the partitions it reads, whatever client reads them: what may be committed, with which mark, and what people see of it.

Belongs to the transport's thread (or event loop). Nothing here waits, fetches or commits: a transport does, and says what came of it.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from contracts.registry import SubjectMissing

from runtime.errors import Unreadable
from runtime.kafka.positions import IN_REACH, Partition, Positions, cut_off
from runtime.service.health import Readiness
from runtime.service.metrics import ASSIGNED_PARTITIONS, COMMITS, REBALANCES, Metrics
from runtime.stream.attempts import Attempts
from runtime.stream.ledger import Batch, OffsetLedger
from runtime.stream.progress import Progress
from runtime.stream.retry import SUBJECT

ASSIGNED = "assigned"
"""The readiness condition that partitions were assigned to this process (none may be left for it: that counts too)."""
UNREADABLE = "version"
"""The readiness condition that what a batch needs can be read at all. Not named at the start: it is missed when it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one process.

    Attributes:
        batch_records: Most records in one batch.
        batch_bytes: Most bytes in one batch, unless a single record is larger: what a client holds is decompressed, however little it was
            on the wire.
        held_batches: No fetch while this many batches are under way.
        held_bytes: No fetch while the batches under way hold this much.
        commit_interval_s: Pause between two commits; what was finished since the last one comes again after a crash.
        revoke_wait_s: How long batches under way may finish before their partitions are given away.
        stop_wait_s: The same when the process is asked to stop.
    """

    batch_records: int = 500
    batch_bytes: int = 4 << 20
    held_batches: int = 64
    held_bytes: int = 32 << 20
    commit_interval_s: float = 0.1
    revoke_wait_s: float = 5.0
    stop_wait_s: float = 12.0


class Marked(NamedTuple):
    """What is committed of a partition: the offset, and the mark beside it (`runtime.stream.attempts`)."""

    offset: int
    mark: str


class StreamState:
    """The partitions of one process.

    Args:
        metrics: Where counts go.
        readiness: Its conditions `ASSIGNED`, `IN_REACH` and those of what a batch waits for follow what happens here.
        positions: Where each partition is read on; the transport's own.
        attempts: What killed earlier owners of our partitions.
        topics: Told as without lag before anything came from them.
        clock: Monotonic seconds.

    Attributes:
        ledger: Every batch under way.
    """

    def __init__(
        self,
        metrics: Metrics,
        readiness: Readiness,
        positions: Positions,
        attempts: Attempts,
        *,
        topics: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.metrics = metrics
        self.readiness = readiness
        self.positions = positions
        self.attempts = attempts
        self.ledger = OffsetLedger()
        self._progress = Progress(metrics, topics, clock)
        self._waiting = ""

    # -- partitions come and go

    def assigned(self, partitions: Collection[Partition]) -> None:
        """A rebalance gave us these, beside what we have."""
        self.metrics.counter(REBALANCES).labels("assigned").inc()
        self.metrics.gauge(ASSIGNED_PARTITIONS).set(len(self.ledger.partitions | set(partitions)))
        self.readiness.meet(ASSIGNED)

    def forget(self, partitions: Collection[Partition], how: str = "revoked") -> None:
        """These are no longer ours: nothing of them will be committed.

        Args:
            partitions: Which.
            how: ``revoked``, or ``lost`` when nobody asked us.
        """
        self.ledger.forget(partitions)
        self.positions.forget(partitions)
        self.attempts.gone(partitions)
        if not self.positions.halted:
            self.readiness.meet(IN_REACH)
        self.metrics.counter(REBALANCES).labels(how).inc()
        self.metrics.gauge(ASSIGNED_PARTITIONS).set(len(self.ledger.partitions))

    def halted(self, partition: Partition) -> None:
        """A log ends before our position: nobody may guess where to go on. Its partition stands still, and the others flow."""
        self.readiness.miss(IN_REACH, cut_off(partition))

    # -- batches

    def finish(self, batch: Batch) -> bool:
        """All that a batch produced is acknowledged by the broker; False: too late, its partition was taken from us."""
        counts = self.ledger.finish(batch)
        if counts:
            self._moved(batch.partition)
        return counts

    def pass_over(self, partition: Partition, offset: int) -> None:
        """Nothing that can be read lies up to this offset."""
        self.ledger.pass_over(partition, offset)
        self._moved(partition)

    def waits_for(self, error: Exception | None) -> None:
        """What the batch in hand waits for; None: it goes on. Only what somebody must mend makes us not ready."""
        if isinstance(error, SubjectMissing | Unreadable):
            self._waiting = SUBJECT if isinstance(error, SubjectMissing) else UNREADABLE
            self.readiness.miss(self._waiting, str(error))
        elif error is None and self._waiting:
            self.readiness.meet(self._waiting)
            self._waiting = ""

    # -- committing

    def to_commit(self, ours: Collection[Partition], *, all_again: bool = False) -> dict[Partition, Marked]:
        """What there is to commit of the partitions that are ours now.

        Args:
            ours: Of these alone: a group lets any member commit any partition.
            all_again: Also what was committed: an answer may have been lost, or only the marks are new.
        """
        offsets = self.attempts.left(ours) | {one: at for one, at in self.ledger.committable().items() if one in ours}
        if all_again:
            offsets = {one: at for one in ours if (at := self.ledger.done(one)) is not None} | offsets
        return self.marked(offsets)

    def marked(self, offsets: Mapping[Partition, int]) -> dict[Partition, Marked]:
        """These offsets with what is to stand beside them now."""
        return {one: Marked(offset, self.attempts.mark(one)) for one, offset in offsets.items()}

    def committed(self, offsets: Mapping[Partition, int], *, answered: bool = True) -> None:
        """The broker stored these offsets, or was sent them without waiting for its answer."""
        self._progress.moved(self.ledger.committed(offsets))
        self.metrics.counter(COMMITS).labels("ok" if answered else "sent").inc()

    def commit_failed(self) -> None:
        """The broker refused a commit, most often because the group had rebalanced: it is safe, the records come again."""
        self.metrics.counter(COMMITS).labels("failed").inc()

    def publish_progress(self, waiting: Callable[[Partition, int], int | None]) -> None:
        """Bring lag and commit age up to date.

        Args:
            waiting: Tells of a partition how many readable records lie behind an offset; None: it is not known.
        """
        self._progress.publish(self.ledger.behind(waiting))

    def _moved(self, partition: Partition) -> None:
        if (done := self.ledger.done(partition)) is not None:
            self.attempts.moved(partition, done)
