"""A librdkafka consumer whose positions are ours: it is told where to read at every assignment, resume and seek, and its records are checked.

``auto.offset.reset`` is ``error``, so that the client reports a position which the broker does not have instead of choosing another one.
The end of a partition is reported too: it is the only way to see that nothing but markers stands behind the last record.
Records are taken by ``poll``, never by ``consume(n)``, which moves the client's own position at the end of a partition too far.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime.errors import Recoverable
from runtime.kafka.positions import OnJump, Partition, Positions, cut_off, lower_than, never_read, unheard
from runtime.kafka.records import InputRecord
from runtime.service.logs import get_logger

POSITION_CONFIG: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "auto.offset.reset": "error",  # a position that the broker does not have is reported, and we decide
    "enable.partition.eof": True,  # a transaction's marker is never handed out: only so it is seen that nothing waits
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    "topic.metadata.refresh.interval.ms": 10_000,  # new partitions are seen within so long
}
"""What a consumer must be made with."""

_ANSWER_S = 5.0
_OWN_PAUSE_S = 0.5
_OUT_OF_RANGE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION})  # noqa: SLF001
_log = get_logger(__name__)


class KafkaConsumer(Protocol):
    """The calls of ``confluent_kafka.Consumer`` that we use; a test's fake has the same."""

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        """Join the group; ``on_assign``, ``on_revoke`` and ``on_lost`` are called from within ``poll``."""

    def poll(self, timeout: float = ...) -> Message | None:
        """One message, or None."""

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> Any:
        """Commit positions."""

    def committed(self, partitions: list[TopicPartition], timeout: float = ...) -> list[TopicPartition]:
        """What the group committed, with its metadata."""

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Read these, from their offsets."""

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Read these too, from their offsets."""

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        """Read these no more."""

    def assignment(self) -> list[TopicPartition]:
        """What is assigned now."""

    def seek(self, partition: TopicPartition) -> None:
        """Read on from this offset."""

    def pause(self, partitions: list[TopicPartition]) -> None:
        """Stop fetching from partitions."""

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Fetch from them again."""

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = ..., *, cached: bool = ...
    ) -> tuple[int, int] | None:
        """First offset, and the one behind the last that can be read; ``cached``: the end of the log, as far as the client knows."""

    def close(self) -> None:
        """Leave the group."""


ReadOwn = Callable[[Partition, int, int], Iterator[Sequence[InputRecord]]]
"""Reads the records of a partition from an offset up to another by other means than the client. Raises `Recoverable`."""


class Committed(NamedTuple):
    """What a group left of a partition: the offset (None: it never was there), and the metadata beside it."""

    offset: int | None
    metadata: str | None


class PositionedConsumer:
    """Reads records from positions that we keep.

    Args:
        consumer: Made with `POSITION_CONFIG`.
        on_jump: Hears of every jump that nobody decided.
        on_error: Hears of an error of the client that is not about a position, and of which topic ("": of none). Behind a fatal one
            `fetch` raises in any case.
        on_fine: Hears of which topic something was read, or its end.
        on_halt: Hears that a partition stands still because its log was cut off.
        eager: Whether the group's protocol is, so that partitions are only ever assigned all together.
        read_own: Reads what the client must not: records of a partition from an offset up to another.
        behind_unread: Called where the client says that it cannot decompress what stands at our position: the offset up to which
            `read_own` is to read. None: that is an error like any other.
    """

    def __init__(
        self,
        consumer: KafkaConsumer | Consumer,
        on_jump: OnJump = unheard,
        on_error: Callable[[KafkaError, str], object] | None = None,
        on_halt: Callable[[Partition], None] | None = None,
        *,
        on_fine: Callable[[str], None] | None = None,
        eager: bool = False,
        read_own: ReadOwn | None = None,
        behind_unread: Callable[[Partition, int], int] | None = None,
    ) -> None:
        self.positions = Positions(on_jump)
        self._consumer = consumer
        self._on_error = on_error or _log_error
        self._on_halt = on_halt or _raise_truncated
        self._on_fine = on_fine or _unheard
        self._eager = eager
        self._rows: dict[Partition, list[InputRecord]] = {}
        self._taken: list[InputRecord] = []
        self._ends: dict[Partition, int] = {}
        self._given: dict[Partition, int] = {}
        self._unplaced: set[Partition] = set()
        self._read_own = read_own or _read_nothing
        self._behind_unread = behind_unread
        self._own: dict[Partition, int] = {}
        self._own_rows: dict[Partition, Iterator[Sequence[InputRecord]]] = {}

    # -- partitions come and go

    def committed(self, partitions: Iterable[Partition]) -> dict[Partition, Committed]:
        """Ask where the group left off.

        Raises:
            KafkaException: The broker gave no answer.
        """
        found: dict[Partition, Committed] = {}
        places = [TopicPartition(*partition) for partition in partitions]
        for place in self._consumer.committed(places, timeout=_ANSWER_S) if places else ():
            if place.error is not None:
                raise KafkaException(place.error)
            offset = place.offset if place.offset >= 0 else None
            found[place.topic, place.partition] = Committed(offset, place.metadata)
        return found

    def left_off(self, found: Mapping[Partition, Committed]) -> dict[Partition, int | None]:
        """Where a group goes on in each of these; None: it begins there, see `runtime.kafka.positions.never_read`.

        Raises:
            KafkaException: The broker gave no answer.
        """
        return {one: self._first_missed(one) if at.offset is None else at.offset for one, at in found.items()}

    def _first_missed(self, partition: Partition) -> int | None:
        lower = lower_than(partition)
        if not lower or not self.ends_of(partition)[0]:
            return None
        offsets = {one: at.offset for one, at in self.committed(lower).items() if at.offset is not None}
        return never_read(offsets, self._ask_earliest(offsets))

    def ends_of(self, partition: Partition) -> tuple[int, int]:
        """Ask for the first offset that is there, and for the one behind the last that can be read.

        Raises:
            KafkaException: The broker gave no answer.
        """
        found = self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=_ANSWER_S)
        if found is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
        return found

    def begin(self, known: Mapping[Partition, int | None], lows: Mapping[Partition, int] | None = None) -> None:
        """Read exactly these, each from where it was left off; None: from the earliest.

        Args:
            known: Where each was left off.
            lows: The earliest of each, from somebody who has just asked.

        Raises:
            KafkaException: The broker gave no answer; nothing has changed then.
        """
        lows = lows or self._ask_earliest(known)
        self.forget(self.positions.partitions)
        self._take_on(known, lows)
        self._assign_all()

    def add(self, known: Mapping[Partition, int | None]) -> None:
        """Read these too.

        Raises:
            KafkaException: The broker gave no answer; nothing has changed then.
        """
        self.take_on(known)
        self.go_on(known)

    def take_on(self, known: Mapping[Partition, int | None]) -> None:
        """Know where each of these is read on; nothing is read before `go_on`.

        Raises:
            KafkaException: The broker gave no answer; nothing has changed then.
        """
        self._take_on(known, self._ask_earliest(known))

    def go_on(self, partitions: Iterable[Partition], by_ourselves: Mapping[Partition, int] | None = None) -> None:
        """Read these.

        Args:
            partitions: Which.
            by_ourselves: Up to these offsets not by the client but by `read_own`.
        """
        own = by_ourselves or {}
        self._own.update(own)
        places = [
            TopicPartition(one.topic, one.partition, own.get((one.topic, one.partition), one.offset))
            for one in self._give(partitions)
        ]
        self._consumer.incremental_assign(places)
        self._resume_given(place for place in places if (place.topic, place.partition) not in own)
        if own:
            self._consumer.pause([TopicPartition(*partition) for partition in own])

    def forget(self, partitions: Collection[Partition]) -> None:
        """These are not ours any more: what was fetched of them is dropped, also from a fetch that is under way."""
        self.positions.forget(partitions)
        self._unplaced.difference_update(partitions)
        self._taken[:] = [record for record in self._taken if (record.topic, record.partition) not in partitions]
        for partition in partitions:
            self._rows.pop(partition, None)
            self._ends.pop(partition, None)
            self._given.pop(partition, None)
            self._own.pop(partition, None)
            self._own_rows.pop(partition, None)

    def leave(self, partition: Partition) -> None:
        """Read no more of this one."""
        self.forget([partition])
        self._consumer.incremental_unassign([TopicPartition(*partition)])

    def seek(self, partition: Partition, offset: int) -> None:
        """Go on from here: somebody decided it."""
        self.positions.begin(partition, offset)
        self._place(partition)

    def pause(self) -> list[Partition]:
        """Fetch nothing; returns what is paused, for `resume`."""
        places = self._consumer.assignment()
        self._consumer.pause(places)
        return [(place.topic, place.partition) for place in places]

    def resume(self, paused: Iterable[Partition]) -> None:
        """Fetch again, from our own position, what is still ours."""
        ours = {(place.topic, place.partition) for place in self._consumer.assignment()}
        moving = [
            one
            for one in paused
            if one in ours and one not in self._own and one in self.positions.partitions - self.positions.halted
        ]
        for partition in moving:
            self._place(partition)
        self._consumer.resume([TopicPartition(*partition) for partition in moving])

    # -- reading

    def fetch(self, limit: int, timeout_s: float) -> list[InputRecord]:
        """The next records: one is waited for, and whatever else has come is taken with it. They count as handed over.

        An error ends it: a client may give one after another for as long as it is asked, and whoever reads must turn meanwhile.

        Raises:
            KafkaException: The client cannot go on.
        """
        if self._unplaced:
            self._find_places()
        if self._own and (own := self._next_own()):
            return own
        taken: list[InputRecord] = []
        self._taken = taken
        rows: dict[Partition, list[InputRecord]] = {}
        self._rows = rows
        count, row, place = 0, [], None
        poll = self._consumer.poll
        message = poll(timeout_s)
        while message is not None:
            error = message.error()
            if error is None:
                record = to_record(message)
                if place is None or place[1] != record.partition or place[0] != record.topic or place not in rows:
                    place = (record.topic, record.partition)
                    row = rows.setdefault(place, [])
                row.append(record)
                count += 1
                if count >= limit:
                    break
            else:
                partition = (message.topic() or "", message.partition() or 0)
                before = rows.pop(partition, ())
                admitted = self._admit(partition, before) if before else ()
                taken += admitted
                # Else it is about a place that we have left, or are not at yet.
                if (partition not in self._own and len(admitted) == len(before)) or error.fatal():
                    self._hear(error, partition, message)
                if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is how the client names its own codes
                    break
            message = poll(0)
        for partition, found in rows.items():
            taken += self._admit(partition, found)
        self._rows, self._taken = {}, []
        return taken

    def at_end(self, partition: Partition) -> bool:
        """Whether nothing that can be read lies behind our position, as far as the broker said last."""
        end = self._ends.get(partition)
        return end is not None and end == self.positions.get(partition)

    def waiting(self, partition: Partition, position: int) -> int | None:
        """Records behind a position that can be read, as far as the client knows without asking; None: it does not."""
        if self.at_end(partition):
            return max(0, self._ends[partition] - position)
        found = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        return None if found is None or found[1] < 0 else max(0, found[1] - position)

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()

    def _next_own(self) -> list[InputRecord]:
        """The next records of a partition that the client must not read; behind them it reads on."""
        for partition, until in tuple(self._own.items()):
            here = self.positions.get(partition) or 0
            try:
                rows = self._own_rows.setdefault(partition, self._read_own(partition, here, until))
                row = next(rows, None)
            except Recoverable as error:
                _log.warning("waiting for what is read here", message=str(error))
                del self._own_rows[partition]
                time.sleep(_OWN_PAUSE_S)
                continue
            if row is not None:
                self.positions.advance(partition, row[-1].offset + 1)
                return list(row)
            del self._own[partition], self._own_rows[partition]
            self.positions.begin(partition, until)
            self._place(partition)
            self._consumer.resume([TopicPartition(*partition)])
        return []

    def _admit(self, partition: Partition, row: Sequence[InputRecord]) -> Sequence[InputRecord]:
        self._on_fine(partition[0])
        if partition in self._own:
            return ()
        first, stop, look_again = self.positions.admit(partition, row)
        if stop > first:
            self.positions.advance(partition, row[stop - 1].offset + 1)
        if look_again:
            self._place(partition)
        return row if stop - first == len(row) else row[first:stop]

    def _hear(self, error: KafkaError, partition: Partition, message: Message) -> None:
        """Something that is not a record."""
        code = error.code()
        if error.fatal():
            self._on_error(error, partition[0])
            raise KafkaException(error)
        if code == KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is how the client names its own codes
            self._on_fine(partition[0])
            end = message.offset() or 0
            if self.positions.reach(partition, end):
                self._place(partition)
            else:
                self._ends[partition] = end
        elif code in _OUT_OF_RANGE:
            self._given.pop(partition, None)  # it began, and has given up
            # A report of a place that is not ours (any more) is no report about us: the client is told where we are.
            asked = self.positions.get(partition) if code == KafkaError._LOG_TRUNCATION else message.offset()  # noqa: SLF001
            if asked == self.positions.get(partition):
                self._unplaced.add(partition)
            elif partition in self.positions.partitions:
                self._place(partition)
        else:
            self._on_error(error, partition[0])
            here = self.positions.get(partition)
            if code == KafkaError._BAD_COMPRESSION and self._behind_unread is not None and here is not None:  # noqa: SLF001
                self._read_by_ourselves(partition, here, self._behind_unread)

    def _read_by_ourselves(
        self, partition: Partition, here: int, behind_unread: Callable[[Partition, int], int]
    ) -> None:
        """Read what the client cannot; it waits behind that."""
        try:
            until = behind_unread(partition, here)
        except Recoverable as error:  # the client will say it again
            _log.warning("waiting for a look at what cannot be decompressed", message=str(error))
            return
        self._consumer.pause([TopicPartition(*partition)])
        self._consumer.seek(TopicPartition(*partition, until))
        self._own[partition] = until

    def _find_places(self) -> None:
        """Decide where to go on in partitions whose position the broker does not have."""
        for partition in tuple(self._unplaced):
            try:
                low, _ = self.ends_of(partition)
            except KafkaException as error:
                self._on_error(error.args[0], partition[0])
                return
            self._unplaced.discard(partition)
            if self.positions.get(partition) is None:
                continue
            if self.positions.out_of_range(partition, low) is None:
                self._on_halt(partition)
            else:
                self._place(partition)

    def _ask_earliest(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return {partition: self.ends_of(partition)[0] for partition in partitions}

    def _take_on(self, known: Mapping[Partition, int | None], lows: Mapping[Partition, int]) -> None:
        for partition, offset in known.items():
            self.positions.start(partition, offset, lows[partition])

    def _place(self, partition: Partition) -> None:
        """Tell the client our position."""
        if partition in self._own:
            return
        self._ends.pop(partition, None)
        here = self.positions.get(partition) or 0
        try:
            self._consumer.seek(TopicPartition(*partition, here))
        except KafkaException as error:
            if error.args[0].code() != KafkaError._STATE:  # noqa: SLF001 - it does not fetch there: given up, or not begun
                raise
            # Where it has not begun it will begin at what it was given; to stop it once more meanwhile would abort the process.
            if self._given.get(partition) != here:
                self._assign_anew(partition)

    def _assign_anew(self, partition: Partition) -> None:
        if self._eager:
            self._assign_all()
        else:
            self._consumer.incremental_unassign([TopicPartition(*partition)])
            self._consumer.incremental_assign(self._give([partition]))

    def _assign_all(self) -> None:
        self._ends.clear()
        places = self._give(sorted(self.positions.partitions - self.positions.halted))
        self._consumer.assign(places)
        self._resume_given(place for place in places if (place.topic, place.partition) not in self._own)

    def _resume_given(self, places: Iterable[TopicPartition]) -> None:
        """A partition that went while it was paused comes back paused: nothing would ever be read of it."""
        self._consumer.resume(list(places))

    def _give(self, partitions: Iterable[Partition]) -> list[TopicPartition]:
        places = {partition: self.positions.get(partition) or 0 for partition in partitions}
        self._given.update(places)
        return [TopicPartition(*partition, offset) for partition, offset in places.items()]


def to_record(message: Message) -> InputRecord:
    """Translate the client's message."""
    return InputRecord(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()),  # what was consumed has bytes, never str
    )


def _log_error(error: KafkaError, _topic: str) -> None:
    _log.warning("consumer", code=error.name())


def _read_nothing(_partition: Partition, _offset: int, _until: int) -> Iterator[Sequence[InputRecord]]:
    return iter(())


def _unheard(_topic: str) -> None:
    pass


def _raise_truncated(partition: Partition) -> None:
    raise Recoverable(cut_off(partition))
