"""Which offsets may be committed: bookkeeping without a clock, a thread or a network, the same for both transports.

A partition's records arrive as batches, each behind the one before; offsets may be missing between them, and inside. The ledger knows each batch until it is finished, and the only
offset it ever offers for a commit lies behind an unbroken row of finished batches. Whatever is not finished is read again by the next owner.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.errors import RxtractError
from runtime.kafka.positions import Partition

__all__ = ["Batch", "OffsetLedger", "Partition", "RepeatedOffsetsError", "UnknownPartitionError", "cut", "record_bytes"]


class RepeatedOffsetsError(RxtractError):
    """Records that were delivered come again: a mistake of ours, since positions are checked before."""


class UnknownPartitionError(RxtractError):
    """A batch of a partition that is not ours (any more)."""


@dataclass(slots=True, eq=False)
class Batch:
    """Records of one partition, in order.

    Attributes:
        first: Offset of the first record.
        last: Offset of the last record.
        size_bytes: Keys, values and headers together.
        records: What was fetched; emptied when the batch is finished.
        dropped: Its partition was taken from us, or it was put back: nothing of it counts.
    """

    partition: Partition
    first: int
    last: int
    size_bytes: int
    records: Sequence[Any]
    started: bool = False
    finished: bool = False
    dropped: bool = False


@dataclass(slots=True)
class _Row:
    """What is known of one assigned partition: the next offset, and the one behind what is done, of which the broker was told."""

    next: int
    done: int
    committed: int
    batches: deque[Batch] = field(default_factory=deque)


class OffsetLedger:
    """Follows every batch from its delivery to the commit behind it."""

    def __init__(self) -> None:
        self._rows: dict[Partition, _Row] = {}
        self._started: set[Batch] = set()
        # `start` is called from the worker's thread where it has one, everything else from the transport's.
        self._lock = threading.Lock()
        self.held_batches = 0
        self.held_bytes = 0

    @property
    def partitions(self) -> frozenset[Partition]:
        """The partitions that are ours."""
        return frozenset(self._rows)

    @property
    def started(self) -> int:
        """Batches that somebody works on, also of partitions that were taken from us meanwhile."""
        return len(self._started)

    def expect(self, partition: Partition, offset: int) -> None:
        """Take a partition on, or begin it anew at this offset.

        Batches of the partition that are under way no longer count: their records come again.
        """
        self.forget([partition])
        self._rows[partition] = _Row(next=offset, done=offset, committed=offset)

    def deliver(self, partition: Partition, records: Sequence[Any], size_bytes: int) -> Batch:
        """Enter a batch.

        Args:
            partition: Where the records come from.
            records: Objects with an ``offset``, ascending, at least one.
            size_bytes: What they hold in memory.

        Raises:
            UnknownPartitionError: The partition is not ours.
            RepeatedOffsetsError: The batch does not lie behind the one before.
        """
        row = self._rows.get(partition)
        if row is None:
            raise UnknownPartitionError(f"{partition[0]}[{partition[1]}] is not assigned")
        first, last = records[0].offset, records[-1].offset
        if first < row.next:
            raise RepeatedOffsetsError(f"{partition[0]}[{partition[1]}]: {first} came though {row.next} comes next")
        batch = Batch(partition, first, last, size_bytes, records)
        row.next = last + 1
        row.batches.append(batch)
        self.held_batches += 1
        self.held_bytes += size_bytes
        return batch

    def pass_over(self, partition: Partition, offset: int) -> None:
        """Nothing that can be read lies up to this offset: it may be committed when all before it may."""
        row = self._rows.get(partition)
        if row is None or offset <= row.next:
            return
        row.batches.append(Batch(partition, row.next, offset - 1, 0, (), started=True, finished=True))
        row.next = offset
        _close(row)

    def start(self, batch: Batch) -> bool:
        """Somebody begins to work on a batch; False: leave it, it was put back or its partition was taken from us."""
        with self._lock:
            if batch.dropped or batch.started:
                return False
            batch.started = True
            self._started.add(batch)
            return True

    def put_back(self) -> dict[Partition, int]:
        """Drop the batches on which nobody works yet: their records must come again, from these offsets."""
        back = {}
        for partition, row in self._rows.items():
            while row.batches and self._drop_waiting(row.batches[-1]):
                row.next = back[partition] = row.batches.pop().first
        return back

    def finish(self, batch: Batch) -> bool:
        """All that the batch produced is acknowledged by the broker; False: too late, its partition was taken from us."""
        if batch.finished:
            return False
        batch.finished = True
        self._started.discard(batch)
        if not batch.dropped or batch.started:
            self._release(batch)
        if not batch.dropped:
            _close(self._rows[batch.partition])
        return not batch.dropped

    def done(self, partition: Partition) -> int | None:
        """The offset behind the unbroken row of finished batches; None: the partition is not ours."""
        row = self._rows.get(partition)
        return None if row is None else row.done

    def committable(self) -> dict[Partition, int]:
        """For each partition with news the offset behind its unbroken row of finished batches."""
        return {partition: row.done for partition, row in self._rows.items() if row.done != row.committed}

    def committed(self, offsets: Mapping[Partition, int]) -> list[Partition]:
        """The broker has these offsets; returns where that is news."""
        moved = []
        for partition, offset in offsets.items():
            row = self._rows.get(partition)
            if row is not None and row.committed != offset:
                row.committed = offset
                moved.append(partition)
        return moved

    def idle(self, busy: Collection[Partition] = ()) -> dict[Partition, int]:
        """Partitions of which nothing is under way, less the ``busy`` ones, with the offset behind what is done."""
        return {one: row.done for one, row in self._rows.items() if not row.batches and one not in busy}

    def behind(self, waiting: Callable[[Partition, int], int | None]) -> dict[Partition, int]:
        """How many records lie behind our commit in each of our partitions.

        Args:
            waiting: Tells of a partition how many lie behind an offset; None: it is not known.
        """
        counts = {partition: waiting(partition, row.committed) for partition, row in self._rows.items()}
        return {partition: count for partition, count in counts.items() if count is not None}

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These partitions are no longer ours: nothing of them will be committed."""
        for partition in partitions:
            row = self._rows.pop(partition, None)
            for batch in () if row is None else row.batches:
                self._drop(batch)

    def _drop(self, batch: Batch) -> None:
        if not self._drop_waiting(batch):
            batch.dropped = True

    def _drop_waiting(self, batch: Batch) -> bool:
        """Drop a batch unless somebody began to work on it."""
        with self._lock:
            if batch.started or batch.finished:
                return False
            batch.dropped = True
        self._release(batch)
        return True

    def _release(self, batch: Batch) -> None:
        self.held_batches -= 1
        self.held_bytes -= batch.size_bytes
        batch.records = ()


def _close(row: _Row) -> None:
    """Move what is done behind the batches that are finished without a gap."""
    while row.batches and row.batches[0].finished:
        row.done = row.batches.popleft().last + 1


def record_bytes(record: Any) -> int:
    """What a fetched record holds: key, value and headers."""
    size = len(record.key or b"") + len(record.value or b"")
    if record.headers:
        size += sum(len(name) + len(value or b"") for name, value in record.headers)
    return size


def cut(records: Sequence[Any], max_records: int, max_bytes: int) -> Iterator[tuple[Sequence[Any], int]]:
    """Cut fetched records into rows of at most ``max_records`` and ``max_bytes``; yields each with its bytes.

    A single record above ``max_bytes`` makes a row of its own.
    """
    sizes = [
        record_bytes(record) if record.headers else len(record.key or b"") + len(record.value or b"")
        for record in records
    ]
    begin = 0
    while begin < len(records):
        end = min(begin + max_records, len(records))
        size = sum(sizes[begin:end])
        while size > max_bytes and end - begin > 1:
            end -= 1
            size -= sizes[end]
        yield records[begin:end], size
        begin = end
