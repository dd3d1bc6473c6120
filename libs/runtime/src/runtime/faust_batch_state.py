"""What the parts of a batch application share: the ledger, the bounds, and whether all is well."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from contracts.registry import SubjectMissing

from runtime.attempts import TRIES, Attempts
from runtime.errors import Unreadable
from runtime.faust_batch_ledger import OffsetLedger, Partition
from runtime.faust_batch_stop import FailStop
from runtime.health import Liveness, Readiness
from runtime.metrics import (
    ASSIGNED_PARTITIONS,
    COMMITS,
    REBALANCES,
    Kind,
    Metrics,
    MetricSpec,
)
from runtime.positions import IN_REACH, Positions, counting, cut_off
from runtime.progress import Progress
from runtime.retry import SUBJECT
from runtime.swollen import SwollenReader

BATCHES_HELD = MetricSpec(
    "rxtract_batches_held", Kind.GAUGE, "batches", (), "Batches fetched and not done: waiting, worked on or in flight."
)
BYTES_HELD = MetricSpec("rxtract_batches_held_bytes", Kind.GAUGE, "bytes", (), "What those batches hold in memory.")
BATCH_METRICS: tuple[MetricSpec, ...] = (BATCHES_HELD, BYTES_HELD)
"""What a batch application measures beside `runtime.metrics.METRICS`."""

UNREADABLE = "version"
"""The readiness condition that what a batch needs can be read at all. Not named at the start: it is missed when it cannot."""
ASSIGNED = "assigned"
"""The readiness condition that partitions were assigned to this process (none may be left for it: that counts too)."""


Restore = Callable[[Iterable[Partition]], Mapping[Partition, int]]
"""Brings back the state of newly assigned partitions; gives the offsets from which to read them, whatever the group committed."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of one process.

    Attributes:
        batch_records: Most records in one batch.
        batch_bytes: Most bytes in one batch, unless a single record is larger.
        held_batches: No fetch while this many batches are under way.
        held_bytes: No fetch while the batches under way hold this much. One fetch may go beyond it by ``partition_fetch_bytes`` for
            each assigned partition.
        poll_records: Most records that one fetch takes over from aiokafka.
        partition_fetch_bytes: Most bytes that one request brings from one partition, unless a single record is larger.
        gather_s: Rest until so long after a fetch that was not full, so that the next one brings more: a record then waits up to
            twice as long, and each batch's fixed cost is paid less often. For those whom nobody waits for.
        commit_interval_s: Pause between two commits; what was finished since the last one comes again after a crash.
        revoke_wait_s: How long batches under way may finish before their partitions are given away.
        stop_wait_s: The same when the process is asked to stop.
        stuck_s: How long the handler, the fetch loop or the commits may stand still before the process counts as hung.
    """

    batch_records: int = 500
    batch_bytes: int = 4 << 20
    held_batches: int = 64
    held_bytes: int = 32 << 20
    poll_records: int = 2_000
    partition_fetch_bytes: int = 1 << 20
    gather_s: float = 0.0
    commit_interval_s: float = 0.1
    revoke_wait_s: float = 5.0
    stop_wait_s: float = 12.0
    stuck_s: float = 25.0


class BatchState:
    """Shared by the consumer, the agent and the health server of one process.

    Args:
        limits: Bounds.
        fail_stop: Ends the process.
        metrics: Where counts go.
        liveness: Ticked while all is well.
        readiness: Its condition `ASSIGNED` follows the assignment.
        tries: See `runtime.attempts.Attempts`.
        swollen: Looks, after a death, for what no client can read; None (tests without a broker): nobody does.
        clock: Monotonic seconds.

    Attributes:
        attempts: What killed earlier owners of our partitions.
        restore: Set by an application that keeps state of its own; called in a thread after each assignment.
    """

    def __init__(
        self,
        limits: BatchLimits,
        fail_stop: FailStop,
        metrics: Metrics,
        liveness: Liveness,
        readiness: Readiness,
        *,
        tries: int = TRIES,
        swollen: SwollenReader | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self.fail_stop = fail_stop
        self.metrics = metrics
        self.liveness = liveness
        self.readiness = readiness
        self.ledger = OffsetLedger(Positions(counting(metrics)))
        self.attempts = Attempts(tries, metrics)
        self.swollen = swollen
        metrics.gauge(BATCHES_HELD).set_function(lambda: self.ledger.held_batches)
        metrics.gauge(BYTES_HELD).set_function(lambda: self.ledger.held_bytes)
        self.restore: Restore | None = None
        self.ends: dict[Partition, int] = {}
        self.freed = asyncio.Event()
        self._progress = Progress(metrics, clock=clock)
        self._clock = clock
        self._fetched_at_s: float | None = None
        self._finished_at_s = clock()
        self._committable_at_s: float | None = None
        self._waiting = ""

    def has_room(self) -> bool:
        """Whether another fetch may begin."""
        ledger = self.ledger
        return ledger.held_batches < self.limits.held_batches and ledger.held_bytes < self.limits.held_bytes

    def fetch_begins(self) -> None:
        """The fetch loop goes to the broker."""
        self._fetched_at_s = self._clock()

    def fetch_rests(self) -> None:
        """The fetch loop waits for room or for partitions: standing still is right."""
        self._fetched_at_s = None

    def waits_for(self, error: Exception | None) -> None:
        """What the batch in hand waits for; None: it goes on. Only what somebody must mend makes us not ready."""
        if isinstance(error, SubjectMissing | Unreadable):
            self._waiting = SUBJECT if isinstance(error, SubjectMissing) else UNREADABLE
            self.readiness.miss(self._waiting, str(error))
        elif error is None and self._waiting:
            self.readiness.meet(self._waiting)
            self._waiting = ""

    def batch_finished(self) -> None:
        """A batch is done and acknowledged."""
        self._finished_at_s = self._clock()
        if self._committable_at_s is None and self.ledger.committable():
            self._committable_at_s = self._finished_at_s
        self.freed.set()

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """A rebalance gave us these."""
        count = len(set(partitions))
        self.metrics.counter(REBALANCES).labels("assigned").inc()
        self.metrics.gauge(ASSIGNED_PARTITIONS).set(count)
        self.readiness.meet(ASSIGNED)

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """A rebalance takes these from us; nothing of them will be committed any more."""
        partitions = list(partitions)
        self.ledger.forget(partitions)
        if not self.ledger.positions.halted:
            self.readiness.meet(IN_REACH)
        self.attempts.gone(partitions)
        for partition in partitions:
            self.ends.pop(partition, None)
        self._note_committable()
        self.metrics.counter(REBALANCES).labels("revoked").inc()
        self.metrics.gauge(ASSIGNED_PARTITIONS).set(len(self.ledger.partitions))
        self.freed.set()

    def commit_moved(self, offsets: Mapping[Partition, int]) -> None:
        """The broker stored these offsets."""
        self.ledger.committed(dict(offsets))
        for partition, offset in offsets.items():
            self.attempts.moved(partition, offset)
        self._progress.moved(offsets)
        self._note_committable()
        self.metrics.counter(COMMITS).labels("ok").inc()

    def _note_committable(self) -> None:
        self._committable_at_s = self._clock() if self.ledger.committable() else None

    def commit_failed(self) -> None:
        """The broker refused a commit because the group had rebalanced: the next owner reads those records again."""
        self.metrics.counter(COMMITS).labels("failed").inc()

    def halted(self, partition: Partition) -> None:
        """A log ends before our position: its partition stands still, and the others flow."""
        self.readiness.miss(IN_REACH, cut_off(partition))

    def publish_progress(self) -> None:
        """Bring lag and commit age up to date."""
        self._progress.publish(self.ledger.behind(self.ends.get))

    def stuck(self, busy_s: float) -> str | None:
        """What stands still though it should not, in a few words, or None.

        A broker that is away makes nothing stuck: fetches return empty, commits wait.

        Args:
            busy_s: How long the handler has been at the batch in hand.
        """
        limit_s, now_s = self.limits.stuck_s, self._clock()
        if busy_s > limit_s:
            return "the handler"
        if self._fetched_at_s is not None and now_s - self._fetched_at_s > limit_s:
            return "the fetch loop"
        since_s = self._committable_at_s
        if since_s is not None and self._finished_at_s - since_s > limit_s and self.ledger.committable():
            return "the commits"  # work went on being finished all that time: the broker is there
        return None
