"""Where we are in every partition, known by ourselves: pure bookkeeping, used by every consumer of ours whatever client it has.

A position is what was handed over last plus one, or a start that somebody decided. It is given to the client at every assignment,
resume and seek, and each record that comes is held against it. What a client says of its own position is only a claim: librdkafka
2.10.1 stands one too far behind the end of a partition and then skips a record, or reads the whole partition again.

* Offsets that are missing are lawful: transaction markers, aborted records and compaction leave holes anywhere. A hole is believed
  when two readings of the log saw it: the second begins at the hole, by a seek of ours. What the second reading shows was skipped.
* Records that come again are dropped; they were handed over.
* A position that the broker does not have was passed by retention (what is gone is lost: it is counted, and reading goes on at the
  earliest) or the log was cut off behind it (nobody may guess where to go on: the partition stands still, and people are called).
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from runtime.service.logs import get_logger
from runtime.service.metrics import EXPIRED_RECORDS, OFFSET_RESETS, Metrics

Partition = tuple[str, int]
"""Topic and partition."""

IN_REACH = "positions"
"""The readiness condition that no log was cut off behind our position. It is missed when one was, and met again when that partition goes."""

_log = get_logger(__name__)


class Jump(StrEnum):
    """A change of position that the stream did not make by itself."""

    EXPIRED = "expired"
    """Retention deleted records before they were read: they are lost."""
    TRUNCATED = "truncated"
    """The log ends before our position: it was cut off, restored from before or made anew."""
    BACKWARDS = "backwards"
    """The client gave records again that were handed over."""
    SKIPPED = "skipped"
    """The client left out records that the log has; they were read by the second reading."""


OnJump = Callable[[Jump, Partition, int], None]
"""Hears of a jump, where it was, and how many offsets it was wide (0: not known)."""


class HasOffset(Protocol):
    """A record of whatever client."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""


class Admitted(NamedTuple):
    """What of a row of records may be handed over.

    Attributes:
        first: Index of the first record that may.
        stop: Index behind the last.
        look_again: Read once more from the position: a hole follows that nobody saw before, or nothing was new.
    """

    first: int
    stop: int
    look_again: bool


def unheard(_jump: Jump, _partition: Partition, _width: int) -> None:
    """Tell nobody: for readers whose user sees the outcome."""


class Positions:
    """The next offset of every partition that is ours, and the holes that one reading has seen.

    Args:
        on_jump: Hears of what nobody decided.
    """

    def __init__(self, on_jump: OnJump = unheard) -> None:
        self._on_jump = on_jump
        self._next: dict[Partition, int] = {}
        self._holes: dict[Partition, list[tuple[int, int]]] = {}
        self._halted: set[Partition] = set()

    @property
    def partitions(self) -> frozenset[Partition]:
        """Those that have a position."""
        return frozenset(self._next)

    @property
    def halted(self) -> frozenset[Partition]:
        """Those whose log was cut off: nothing is read of them."""
        return frozenset(self._halted)

    def get(self, partition: Partition) -> int | None:
        """The offset that comes next; None when the partition is not ours."""
        return self._next.get(partition)

    def begin(self, partition: Partition, offset: int) -> None:
        """Go on from here: a start that somebody decided."""
        self._next[partition] = offset
        self._holes.pop(partition, None)
        self._halted.discard(partition)

    def start(self, partition: Partition, known: int | None, low: int) -> int:
        """Decide where reading begins, and begin there.

        Args:
            partition: Which.
            known: Where it was left off; None: it was never read, so that it begins at the earliest.
            low: The earliest offset that the broker has.
        """
        if known is not None and known < low:
            self._on_jump(Jump.EXPIRED, partition, low - known)
        offset = low if known is None else max(known, low)
        self.begin(partition, offset)
        return offset

    def out_of_range(self, partition: Partition, low: int) -> int | None:
        """The broker says that it has nothing at our position: where to go on, or None when the partition must stand still."""
        here = self._next.get(partition)
        if here is None:
            return None
        if here < low:
            return self.start(partition, here, low)
        if partition not in self._halted:
            self._halted.add(partition)
            self._on_jump(Jump.TRUNCATED, partition, 0)
        return None

    def advance(self, partition: Partition, offset: int) -> None:
        """All before this offset was handed over."""
        self._next[partition] = offset
        holes = self._holes.get(partition)
        if holes is not None:
            self._holes[partition] = [hole for hole in holes if hole[1] > offset]

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These are not ours any more."""
        for partition in partitions:
            self._next.pop(partition, None)
            self._holes.pop(partition, None)
            self._halted.discard(partition)

    def admit(self, partition: Partition, records: Sequence[HasOffset]) -> Admitted:
        """Hold records against the position; whoever hands them over calls `advance`.

        Args:
            partition: Which.
            records: As the client gave them, ascending, at least one.
        """
        here, count = self._next.get(partition), len(records)
        if here is None:
            return Admitted(0, 0, look_again=False)
        if records[0].offset == here and records[-1].offset - here + 1 == count and not self._holes.get(partition):
            return Admitted(0, count, look_again=False)
        first = bisect_left(records, here, key=_offset)
        if first:
            self._on_jump(Jump.BACKWARDS, partition, here - records[0].offset)
        if first == count:  # the client stands elsewhere
            return Admitted(0, 0, look_again=True)
        return self._through_holes(partition, records, first, here)

    def reach(self, partition: Partition, offset: int) -> bool:
        """The client claims that the log ends here for now: whether to read once more from the position.

        A claim that a second reading repeats is believed: the position advances.
        """
        here = self._next.get(partition)
        if here is None or offset <= here:
            self._holes.pop(partition, None)  # a claim of more was not repeated
            return False
        if self._is_known(partition, here, offset):
            self.advance(partition, offset)
            return False
        self._note(partition, [(here, offset)])
        return True

    def _through_holes(self, partition: Partition, records: Sequence[HasOffset], first: int, here: int) -> Admitted:
        known = self._holes.get(partition, [])
        skipped = sum(any(begin <= record.offset < end for begin, end in known) for record in records[first:])
        if skipped:
            self._on_jump(Jump.SKIPPED, partition, skipped)
            self._holes[partition] = []
        unseen: list[tuple[int, int, int]] = []
        for index in range(first, len(records)):
            offset = records[index].offset
            if offset != here and (unseen or skipped or not self._is_known(partition, here, offset)):
                unseen.append((index, here, offset))
            here = offset + 1
        if not unseen:
            return Admitted(first, len(records), look_again=False)
        self._note(partition, [(begin, end) for _, begin, end in unseen])
        return Admitted(first, unseen[0][0], look_again=True)

    def _is_known(self, partition: Partition, begin: int, end: int) -> bool:
        """Whether an earlier reading saw nothing there either."""
        return any(start <= begin and end <= stop for start, stop in self._holes.get(partition, ()))

    def _note(self, partition: Partition, holes: list[tuple[int, int]]) -> None:
        """What the newest reading saw counts: an older one that reached less far is no second witness for more."""
        self._holes[partition] = holes


def lower_than(partition: Partition) -> list[Partition]:
    """The partitions of a topic that were there before this one, or came with it: new ones are added at the end."""
    return [(partition[0], number) for number in range(partition[1])]


def never_read(committed: Mapping[Partition, int], lows: Mapping[Partition, int]) -> int | None:
    """Where reading begins in a partition that its group never committed, and whose beginning retention deleted.

    A new group misses nothing: it begins at the earliest. But one that has come further in a lower partition was there before: this one
    was added later, and what is gone of it nobody has read. A group commits all that it has before it handles a record, so that its first
    commits, made side by side at the beginnings of what is left, prove nothing yet.

    Args:
        committed: What the group committed in the lower partitions of the topic.
        lows: Their earliest offsets.

    Returns:
        0: it was missed from its first record on. None: it begins.
    """
    return 0 if any(offset != lows[partition] for partition, offset in committed.items()) else None


def cut_off(partition: Partition) -> str:
    """Say why a partition stands still."""
    return f"{partition[0]}[{partition[1]}] ends before what was read of it: it was cut off or made anew"


def counting(metrics: Metrics) -> OnJump:
    """Count jumps and say each in one line of the log."""
    resets, expired = metrics.counter(OFFSET_RESETS), metrics.counter(EXPIRED_RECORDS)
    for jump in Jump:
        resets.labels(jump.value)

    def on_jump(jump: Jump, partition: Partition, width: int) -> None:
        resets.labels(jump.value).inc()
        if jump is Jump.EXPIRED:
            expired.inc(width)
        _log.error("position", jump=jump.value, topic=partition[0], partition=partition[1], offsets=width)

    return on_jump


def _offset(record: HasOffset) -> int:
    return record.offset
