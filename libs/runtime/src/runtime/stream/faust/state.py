"""What the parts of a Faust application share: the stream's state, the bounds, and whether all is well."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.kafka.positions import Positions, counting
from runtime.service.health import Liveness, Readiness
from runtime.service.metrics import Kind, Metrics, MetricSpec
from runtime.service.settings import TRIES
from runtime.stream.attempts import Attempts
from runtime.stream.faust.stop import FailStop
from runtime.stream.ledger import Batch, Partition
from runtime.stream.state import Limits, StreamState
from runtime.stream.swollen import SwollenReader

BATCHES_HELD = MetricSpec(
    "rxtract_batches_held", Kind.GAUGE, "batches", (), "Batches fetched and not done: waiting, worked on or in flight."
)
BYTES_HELD = MetricSpec("rxtract_batches_held_bytes", Kind.GAUGE, "bytes", (), "What those batches hold in memory.")
BATCH_METRICS: tuple[MetricSpec, ...] = (BATCHES_HELD, BYTES_HELD)
"""What a batch application measures beside `runtime.service.metrics.METRICS`."""

Restore = Callable[[Iterable[Partition]], Mapping[Partition, int]]
"""Brings back the state of newly assigned partitions; gives the offsets from which to read them, whatever the group committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits(Limits):
    """Bounds of one process under Faust. One fetch may go beyond ``held_bytes`` by ``partition_fetch_bytes`` for each partition.

    Attributes:
        call_records: Batches of whatever partitions that wait together are handled in one call of at most so many records; 1: each by
            itself. A handler that is to have more must tell partitions apart.
        poll_records: Most records that one fetch takes over from aiokafka.
        partition_fetch_bytes: Most bytes that one request brings from one partition, unless a single record is larger.
        gather_s: Rest until so long after a fetch that was not full, so that the next one brings more: a record then waits up to
            twice as long, and each batch's fixed cost is paid less often. For those whom nobody waits for.
        stuck_s: How long the handler, the fetch loop or the commits may stand still before the process counts as hung.
    """

    call_records: int = 1
    poll_records: int = 2_000
    partition_fetch_bytes: int = 1 << 20
    gather_s: float = 0.0
    stuck_s: float = 25.0


class BatchState(StreamState):
    """Shared by the consumer, the agent and the health server of one process.

    Args:
        limits: Bounds.
        fail_stop: Ends the process.
        metrics: Where counts go.
        liveness: Ticked while all is well.
        readiness: See `runtime.stream.state.StreamState`.
        tries: See `runtime.stream.attempts.Attempts`.
        swollen: Looks, after a death, for what no client can read; None (tests without a broker): nobody does.
        clock: Monotonic seconds.

    Attributes:
        restore: Set by an application that keeps state of its own; called in a thread after each assignment.
    """

    def __init__(
        self,
        limits: BatchLimits,
        fail_stop: FailStop,
        metrics: Metrics,
        liveness: Liveness,
        *,
        readiness: Readiness,
        tries: int = TRIES,
        swollen: SwollenReader | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(metrics, readiness, Positions(counting(metrics)), Attempts(tries, metrics), clock=clock)
        self.limits = limits
        self.fail_stop = fail_stop
        self.liveness = liveness
        self.swollen = swollen
        metrics.gauge(BATCHES_HELD).set_function(lambda: self.ledger.held_batches)
        metrics.gauge(BYTES_HELD).set_function(lambda: self.ledger.held_bytes)
        self.restore: Restore | None = None
        self.ends: dict[Partition, int] = {}
        self.freed = asyncio.Event()
        self._clock = clock
        self._fetched_at_s: float | None = None
        self._finished_at_s = clock()
        self._committable_at_s: float | None = None

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

    def expect(self, partition: Partition, offset: int) -> None:
        """Read a partition from here."""
        self.ledger.expect(partition, offset)
        self.positions.begin(partition, offset)

    def deliver(self, partition: Partition, records: Sequence[Any], size_bytes: int) -> Batch:
        """Hand records over: reading goes on behind them."""
        batch = self.ledger.deliver(partition, records, size_bytes)
        self.positions.advance(partition, batch.last + 1)
        return batch

    def put_back(self) -> None:
        """Nobody has begun to work on what waits: it comes again, from there."""
        for partition, offset in self.ledger.put_back().items():
            self.positions.begin(partition, offset)

    def finish(self, batch: Batch) -> bool:
        """A batch is done and acknowledged."""
        counts = super().finish(batch)
        self._finished_at_s = self._clock()
        if self._committable_at_s is None and self.ledger.committable():
            self._committable_at_s = self._finished_at_s
        self.freed.set()
        return counts

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """A rebalance takes these from us; nothing of them will be committed any more."""
        partitions = list(partitions)
        self.forget(partitions)
        for partition in partitions:
            self.ends.pop(partition, None)
        self._note_committable()
        self.freed.set()

    def committed(self, offsets: Mapping[Partition, int], *, answered: bool = True) -> None:
        """The broker stored these offsets."""
        super().committed(offsets, answered=answered)
        self._note_committable()

    def waiting(self, partition: Partition, position: int) -> int | None:
        """Records behind a position that can be read, as far as the client said; None: it has not yet."""
        end = self.ends.get(partition)
        return None if end is None else max(0, end - position)

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

    def _note_committable(self) -> None:
        self._committable_at_s = self._clock() if self.ledger.committable() else None
