"""A record that kills the process: found by marks beside the committed offsets, tried a bounded number of times, then dead-lettered.

A crash in C, a kill for want of memory or a hang leaves no exception to catch, and the next process reads the same records again. So each
commit carries a few bytes of metadata, which Kafka stores with the offset and gives to whoever reads the partition next:

* ``running``: somebody had records behind this offset in hand. Who finds it on a partition knows that the last owner died.
* After a death the records that can have been in hand are handled with care: one portion at a time, its bounds marked before it is begun,
  everything before it acknowledged and committed. What dies then is known to lie in that portion.
* A batch that may have killed before anything of it was in hand, because it is too large once decompressed, is looked for before the client
  reads on, see `runtime.stream.swollen`; its large records are doomed at once.
* A portion that killed is handled record by record. A record that was alone in hand at two deaths running is dead-lettered, at the death
  that ``tries`` names at the latest. Once alone proves nothing: whoever kills from outside meets one innocent record or the other.

Without a death the cost is one commit for each assignment; nothing is added to a batch. Whoever leaves in good order says so, and a
rebalance between two tries forgets nothing. All of this is a decision over offsets: no client, no clock but the one that is given.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from contracts.reasons import Reason

from runtime.kafka.deadletter import dead_letter
from runtime.kafka.positions import Partition
from runtime.kafka.records import Handler, InputRecord, OutputRecord, OwnRecord
from runtime.service.logs import get_logger
from runtime.service.metrics import DIED_IN_HAND, Metrics

_log = get_logger(__name__)

SUSPECT_RECORDS = 8_192
"""So many records behind a commit may have been in hand when a process died: more than any loop of ours has under way."""
PORTION_RECORDS = 64
_SHRINK_BITS = 3
_FORGET_S = (
    60.0  # a partition that ends in something that is no record (a transaction's marker) would stay suspect for ever
)
_VERSION = "rxtract1"
_NONE = -1


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands beside a committed offset.

    Attributes:
        deaths: How many processes died of what lies before `until`.
        running: Somebody has records behind the offset in hand.
        first, last: Those records, when they are one marked portion; -1: any behind the offset.
        narrow: Before this offset portions are small: the last one that killed ended here.
        until: Before this offset records are handled with care.
        accused: The record that was alone in hand at the last death; -1: none was.
        owner: Which process wrote it: one that lost its session and comes back did not die.
    """

    deaths: int = 0
    running: bool = False
    first: int = _NONE
    last: int = _NONE
    narrow: int = _NONE
    until: int = _NONE
    accused: int = _NONE
    owner: str = field(default="", compare=False)

    @property
    def suspicious(self) -> bool:
        """Whether whoever takes the partition on must be careful."""
        return self.running or self.deaths > 0

    def text(self) -> str:
        """As Kafka stores it."""
        numbers = (self.deaths, int(self.running), self.first, self.last, self.narrow, self.until, self.accused)
        return ",".join((_VERSION, self.owner, *map(str, numbers)))

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Read it; whatever is not ours (another tool moved the offset) counts as left in good order."""
        version, owner, *numbers = (text or "").split(",") if "," in (text or "") else ("", "")
        try:
            deaths, running, first, last, narrow, until, accused = map(int, numbers)
        except ValueError:
            return cls()
        return cls(deaths, bool(running), first, last, narrow, until, accused, owner) if version == _VERSION else cls()


@dataclass(slots=True)
class _Suspect:
    """A partition on which a process died, and how far that is not cleared up."""

    deaths: int
    narrow: int
    until: int
    accused: int
    condemned: int | None
    seen_at_s: float


class Attempts:
    """Who died with what in hand, for the partitions of one process.

    Args:
        tries: So often a record may kill before it is dead-lettered; at least 3: the first death does not name the record, and the second may
            be another's doing.
        metrics: Deaths are counted.
        clock: Monotonic seconds.
    """

    def __init__(self, tries: int, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self.tries = max(3, tries)
        self._died = metrics.counter(DIED_IN_HAND)
        self._clock = clock
        self._owner = secrets.token_hex(4)
        self._suspects: dict[Partition, _Suspect] = {}
        self._bases: dict[Partition, int] = {}
        self._doomed: dict[Partition, dict[int, Reason]] = {}
        self._leaving: set[Partition] = set()
        self._in_hand: tuple[Partition, int, int] | None = None
        self._told_careful: bool | None = None

    # -- partitions come and go

    def assigned(
        self,
        partition: Partition,
        committed: int | None,
        text: str | None,
        end: int,
        begins: int | None = None,
    ) -> None:
        """Take a partition on.

        Args:
            partition: Which.
            committed: The committed offset, or where reading begins without one.
            text: What stands beside it.
            end: The offset behind the last record; only asked for when somebody died.
            begins: Where reading goes on, when that is not where the commit is (state of our own is older).
        """
        self.gone([partition])
        self._told_careful = None  # its mark is to be written
        mark = Mark.parse(text)
        if mark.running and mark.owner == self._owner:
            mark = replace(mark, running=False)
        if committed is not None and committed >= 0:
            self._bases[partition] = committed
        deaths = mark.deaths + mark.running
        if deaths == 0:
            return
        base = max(0, committed or 0)
        begins = base if begins is None else begins
        narrow, until = mark.narrow, mark.until
        if mark.running:
            self._died.inc()
            if mark.first == _NONE:
                until = min(max(base, begins) + SUSPECT_RECORDS, end)
                narrow = until if deaths >= self.tries - 2 else begins
            else:
                narrow, until = mark.last + 1, max(mark.until, mark.last + 1)
        alone = mark.first != _NONE and mark.first == mark.last
        condemned = mark.first if alone and mark.first == mark.accused and deaths >= self.tries else None
        accused = mark.first if alone else mark.accused
        if until > begins:
            self._suspects[partition] = _Suspect(deaths, narrow, until, accused, condemned, self._clock())
            _log.error(
                "a process died with records in hand",
                topic=partition[0],
                partition=partition[1],
                deaths=deaths,
                first=mark.first if mark.first != _NONE else begins,
                behind=until,
                dead_letter=condemned is not None,
            )

    def leaving(self, partitions: Iterable[Partition]) -> None:
        """What is committed of these from now on says that nobody has anything in hand."""
        self._leaving.update(partitions)

    def left(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Of these, what we are leaving, with the offset behind which nothing is done."""
        if not self._leaving:
            return {}
        return {one: self._bases[one] for one in partitions if one in self._leaving and one in self._bases}

    def gone(self, partitions: Iterable[Partition]) -> None:
        """These are no longer ours."""
        for partition in partitions:
            self._suspects.pop(partition, None)
            self._bases.pop(partition, None)
            self._doomed.pop(partition, None)
            self._leaving.discard(partition)
            if self._in_hand is not None and self._in_hand[0] == partition:
                self._in_hand = None

    # -- working

    @property
    def careful(self) -> bool:
        """Whether one marked portion at a time is handled, because a partition is suspect."""
        if not self._suspects:
            return False
        old_s = self._clock() - _FORGET_S
        for partition in [one for one, suspect in self._suspects.items() if suspect.seen_at_s < old_s]:
            del self._suspects[partition]
        return bool(self._suspects)

    @property
    def untold(self) -> bool:
        """Whether all marks must be written before the next record is handled: partitions came, or care began or ended."""
        return self._told_careful is not self.careful

    def told(self) -> None:
        """They were."""
        self._told_careful = self.careful

    def portion(self, partition: Partition, offsets: Sequence[int], most: int) -> int:
        """How many of these records may be handled at once."""
        suspect = self._suspects.get(partition)
        if suspect is None:
            return min(most, len(offsets))
        if (
            suspect.condemned is not None
        ):  # alone; what lies before it (state that is rebuilt from older records) as ever
            before = sum(offset < suspect.condemned for offset in offsets)
            return before or 1
        if offsets[0] >= suspect.narrow:
            return min(most, PORTION_RECORDS, len(offsets))
        if suspect.deaths >= self.tries - 2:
            return 1
        return max(1, min(most, PORTION_RECORDS >> _SHRINK_BITS * (suspect.deaths - 1), len(offsets)))

    def take(self, partition: Partition, first: int, last: int) -> None:
        """A portion is about to be handled: its mark is to be written first."""
        self._in_hand = (partition, first, last)

    def put_down(self) -> None:
        """Nothing marked is in hand any more."""
        self._in_hand = None

    def moved(self, partition: Partition, next_offset: int) -> None:
        """All before an offset is done and acknowledged."""
        self._bases[partition] = next_offset
        if partition in self._doomed:
            later = {offset: why for offset, why in self._doomed[partition].items() if offset >= next_offset}
            self._doomed[partition] = later
        suspect = self._suspects.get(partition)
        if suspect is None:
            return
        suspect.seen_at_s = self._clock()
        if suspect.condemned is not None and next_offset > suspect.condemned:
            suspect.condemned = None
            suspect.deaths = self.tries - 2
        if next_offset > suspect.accused:
            suspect.accused = _NONE
        if next_offset >= suspect.narrow:
            suspect.deaths = 1
        if next_offset >= suspect.until:
            del self._suspects[partition]
            _log.warning("what a process died with is done", topic=partition[0], partition=partition[1])

    def base(self, partition: Partition) -> int | None:
        """The offset behind which nothing is done; None: not known yet."""
        return self._bases.get(partition)

    def mark(self, partition: Partition) -> str:
        """What to commit beside an offset of a partition."""
        suspect = self._suspects.get(partition)
        mark = Mark(owner=self._owner)
        if suspect is not None:
            mark = replace(
                mark, deaths=suspect.deaths, narrow=suspect.narrow, until=suspect.until, accused=suspect.accused
            )
        if suspect is not None and suspect.condemned is not None:
            mark = replace(mark, first=suspect.condemned, last=suspect.condemned)
        if partition in self._leaving:
            return mark.text()
        if not self.careful:
            return replace(mark, running=True).text()
        if self._in_hand is not None and self._in_hand[0] == partition:
            return replace(mark, running=True, first=self._in_hand[1], last=self._in_hand[2]).text()
        return mark.text()

    def doom(self, record: InputRecord, why: Reason) -> None:
        """This record is not to be handled: it was seen to be deadly before it killed again."""
        self._doomed.setdefault((record.topic, record.partition), {})[record.offset] = why

    def doomed_noted(self, rows: Iterable[Sequence[OwnRecord]]) -> Iterator[Sequence[InputRecord]]:
        """The records of rows that we read by ourselves, once it is noted which of them are doomed."""
        for row in rows:
            for record, why in row:
                if why is not None:
                    self.doom(record, why)
            yield [record for record, _ in row]

    def why_dead(self, record: InputRecord) -> Reason | None:
        """Why a record must not be handled; None: it may."""
        partition = (record.topic, record.partition)
        suspect = self._suspects.get(partition)
        if suspect is not None and suspect.condemned == record.offset:
            return Reason.KILLED_PROCESS
        return self._doomed.get(partition, {}).get(record.offset)

    @property
    def condemns(self) -> bool:
        """Whether there is such a record."""
        return any(self._doomed.values()) or any(suspect.condemned is not None for suspect in self._suspects.values())


def quarantined(handler: Handler, attempts: Attempts, stage: str) -> Handler:
    """Wrap a handler so that what killed too often never reaches it, and becomes a dead letter.

    Args:
        handler: What the record kills.
        attempts: Knows which.
        stage: Who refuses it.
    """

    def handle(records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        if not attempts.condemns:
            return handler(records)
        reasons = [attempts.why_dead(record) for record in records]
        letters = []
        for record, reason in zip(records, reasons, strict=True):
            if reason is not None:
                tries = attempts.tries if reason is Reason.KILLED_PROCESS else None
                letters.append(dead_letter(record, reason, stage, tries))
        others = [record for record, reason in zip(records, reasons, strict=True) if reason is None]
        return [*letters, *(handler(others) if others else ())]

    return handle
