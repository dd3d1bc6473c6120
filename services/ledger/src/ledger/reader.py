"""The loop: causes before effects, so that no effect is ever met before the note that it answers.

A round takes what effects and dead letters have come, then asks where accepted and submitted notes end now. Whatever caused one of the
effects in hand lies before these ends. So submitted notes are read to theirs, then accepted ones, and only then the effects count.
However far behind the ledger is, memory holds one batch; what is open is in the book.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from contracts.registry import RegistryUnavailable
from runtime.errors import Recoverable, Stopped
from runtime.service.clock import now_ms
from runtime.service.health import Liveness, Readiness
from runtime.service.logs import get_logger

from ledger.accounting import Accounting, TopicKind
from ledger.adapters.book import ACCEPTED, SUBMITTED, Book, Partition
from ledger.adapters.log import Log, Read
from ledger.domain.records import Record

KAFKA_READ, REGISTRY, CAUGHT_UP = "log", "registry", "account"
"""Readiness conditions."""
_STAGES = {TopicKind.SUBMITTED: SUBMITTED, TopicKind.ACCEPTED: ACCEPTED}
_BATCH = 5_000
_ROUND_S = 1.0
"""So long effects are gathered: a round asks the broker four times."""
_WAIT_S = 0.25
_CUT_AFTER_S = 3.0
_STUCK_S = 30.0
_BEHIND_S = 120.0
_RETRY_S = 1.0
_MOST_IN_MEMORY = 50_000
_log = get_logger(__name__)


class Topics(NamedTuple):
    """Full names of the topics by role, and who must answer what lies on the first two.

    Attributes:
        roles: What each topic is.
        ingestor: Full name of the group that answers submitted notes.
        extractor: Of the one that answers accepted ones.
    """

    roles: Mapping[str, TopicKind]
    ingestor: str
    extractor: str

    def of(self, *roles: TopicKind) -> list[str]:
        """The topics of some roles."""
        return [topic for topic, role in self.roles.items() if role in roles]

    @property
    def submitted(self) -> list[str]:
        """What is read first."""
        return self.of(TopicKind.SUBMITTED)

    @property
    def accepted(self) -> list[str]:
        """What is read second."""
        return self.of(TopicKind.ACCEPTED)

    @property
    def letters(self) -> list[str]:
        """What answers by refusing."""
        return self.of(TopicKind.SUBMITTED_LETTERS, TopicKind.ACCEPTED_LETTERS)

    @property
    def effects(self) -> list[str]:
        """What answers."""
        return [*self.of(TopicKind.EFFECTS), *self.letters]


class Heard(NamedTuple):
    """Who is told of what happens.

    Attributes:
        jumped: Of a jump (expired or cut) and its partition.
        committed: After each commit, with the age of the oldest open note in seconds and how many records of each topic wait.
        took: Of each batch, with its topic and size.
    """

    jumped: Callable[[str, Partition], None] = lambda *_: None
    committed: Callable[[float, Mapping[str, int]], None] = lambda *_: None
    took: Callable[[Sequence[Record]], None] = lambda _: None


class Reader:
    """Runs until stopped.

    Args:
        log: Kafka.
        book: The account.
        take: Takes records into it.
        topics: Which, and whose.
        lost_after_s: See `LedgerSettings`.
        commit_s: See `LedgerSettings`.
        heard: Told of what happens.
        clock: UTC milliseconds.
    """

    def __init__(
        self,
        log: Log,
        book: Book,
        take: Accounting,
        topics: Topics,
        *,
        lost_after_s: float,
        commit_s: float,
        liveness: Liveness,
        readiness: Readiness,
        stop: threading.Event,
        heard: Heard | None = None,
        clock: Callable[[], int] = now_ms,
        batch: int = _BATCH,
    ) -> None:
        self._log = log
        self._book = book
        self._take = take
        self._topics = topics
        self._lost_after_ms = int(lost_after_s * 1000)
        self._commit_ms = int(commit_s * 1000)
        self._judge_ms = int(min(10.0, lost_after_s / 2) * 1000)
        self._liveness = liveness
        self._readiness = readiness
        self._stop = stop
        self._heard = heard or Heard()
        self._clock = clock
        self._batch = batch
        self._held: Read | None = None
        self._ends: dict[Partition, int] = {}
        self._goal: tuple[int, dict[Partition, int]] | None = None
        self._complete_ms: int | None = None
        self._doubted_ms: dict[Partition, int] = {}
        self._misplaced: set[Partition] = set()
        self._committed_ms = self._judged_ms = 0

    def run(self) -> None:
        """Read, until asked to stop; then commit.

        Raises:
            ReadingBroken: A right or a topic has been missing for too long.
        """
        try:
            self.begin()
            while not self._stop.is_set():
                self._tried(self.turn)
        except Stopped:
            pass  # in the middle of a round: what it had not counted is read again
        self.commit()

    def begin(self) -> None:
        """Take up every partition where the book left it.

        Raises:
            Stopped: Asked to stop meanwhile.
        """
        self._tried(self._begin)
        self._readiness.miss(CAUGHT_UP, "reading what was submitted and answered")
        self._tried(self._aim)

    def turn(self) -> None:
        """One round.

        Raises:
            Recoverable: Kafka gave no answer; nothing is lost by trying again.
            Stopped: Asked to stop meanwhile.
        """
        self._put_right()
        if self._held is None:
            self._held = self._read(self._topics.effects, _ROUND_S)
        accepted = self._look(self._topics.accepted)
        submitted = self._look(self._topics.submitted)  # after the other: whatever caused an accepted note lies before
        self._read_until(self._topics.submitted, submitted)
        self._read_until(self._topics.accepted, accepted)
        self._count(self._held)
        self._held = None
        self._readiness.meet(KAFKA_READ)
        now = self._clock()
        self._see_complete()
        if now - self._judged_ms >= self._judge_ms:
            self._judge(now)
        if now - self._committed_ms >= self._commit_ms:
            self.commit()

    def commit(self) -> None:
        """Make the account last."""
        self._committed_ms = self._clock()
        self._book.commit(self._committed_ms)
        oldest_ms = self._book.oldest_open_ms()
        waiting = dict.fromkeys(self._topics.roles, 0)
        for (topic, partition), end in self._ends.items():
            waiting[topic] += max(0, end - self._book.positions.get((topic, partition), 0))
        self._heard.committed(0.0 if oldest_ms is None else max(0, self._committed_ms - oldest_ms) / 1000, waiting)

    # -- reading

    def _begin(self) -> None:
        everything = list(self._topics.roles)
        ends = self._log.ends(everything)
        lows = self._log.lows(list(ends))
        self._ends.update(ends)
        for place, low in lows.items():
            self._place(place, low, ends[place])
        self._log.begin({place: self._book.positions[place] for place in ends})

    def _place(self, place: Partition, low: int, end: int) -> None:
        """Decide where a partition is read from."""
        here = self._book.positions.get(place)
        if here is None:
            self._book.positions[place] = self._book.begun[place] = low
        elif here < low:
            self._jumped("expired", place)
            self._book.positions[place] = low
        elif here > end:
            self._cut(place, end)

    def _look(self, topics: Sequence[str]) -> dict[Partition, int]:
        """Where topics end now; new partitions are taken up, and a log that was cut off is seen."""
        ends = self._log.ends(topics)
        self._ends.update(ends)
        if new := [place for place in ends if place not in self._book.positions]:
            lows = self._log.lows(new)
            for place in new:
                self._place(place, lows[place], ends[place])
            self._log.begin({place: self._book.positions[place] for place in new})
        for place, end in ends.items():
            if end >= self._book.positions[place]:
                self._doubted_ms.pop(place, None)
            elif self._clock() - self._doubted_ms.setdefault(place, self._clock()) >= _CUT_AFTER_S * 1000:
                self._doubted_ms.pop(place)  # a new leader may need a moment until it knows its end
                self._cut(place, end)
                self._log.begin({place: end})
        return ends

    def _cut(self, place: Partition, end: int) -> None:
        self._jumped("cut", place)
        self._goal = None  # it may lie behind the new end
        stage = _STAGES.get(self._topics.roles[place[0]])
        if stage is not None:
            waited = self._book.cut(stage, place[1], end, self._clock())
            _log.error("submissions lost their record", topic=place[0], partition=place[1], notes=waited)
        self._book.positions[place] = end
        self._book.begun[place] = min(self._book.begun[place], end)

    def _jumped(self, kind: str, place: Partition) -> None:
        _log.error("position", jump=kind, topic=place[0], partition=place[1])
        self._heard.jumped(kind, place)

    def _read(self, topics: Sequence[str], wait_s: float) -> Read:
        read = self._log.read(topics, self._batch, wait_s)
        self._misplaced |= read.misplaced
        return read

    def _put_right(self) -> None:
        """Decide where to go on in partitions whose position the broker does not have."""
        if self._misplaced:
            lows, ends = self._log.lows(self._misplaced), self._log.ends({topic for topic, _ in self._misplaced})
            for place in self._misplaced:
                self._place(place, lows[place], ends[place])
            self._log.begin({place: self._book.positions[place] for place in self._misplaced})
            self._misplaced = set()

    def _read_until(self, topics: Sequence[str], ends: Mapping[Partition, int]) -> None:
        moved_ms, where = self._clock(), self._book.positions
        while waiting := [place for place, end in ends.items() if where[place] < end]:
            self._go_on()
            self._put_right()
            read = self._read(topics, _WAIT_S)
            self._count(read)
            if read.reached:
                moved_ms = self._clock()
            elif self._clock() - moved_ms >= _STUCK_S * 1000:
                _log.warning("nothing comes of what is there", topic=topics[0], partitions=len(waiting))
                self._log.begin({place: where[place] for place in waiting})
                raise Recoverable(f"{topics[0]} gives nothing")
            if self._book.waiting >= _MOST_IN_MEMORY:
                self.commit()

    def _count(self, read: Read) -> None:
        """Take records into the book, and the positions with them."""
        if read.records:
            self._waited_out(read.records)
            self._heard.took(read.records)
        for place, at in read.reached.items():
            self._book.positions[place] = max(self._book.positions[place], at)

    def _waited_out(self, records: Sequence[Record]) -> None:
        while True:
            try:
                self._take(records)
            except RegistryUnavailable as error:
                self._readiness.miss(REGISTRY, str(error))
                self._stop.wait(_RETRY_S)
                self._go_on()
            else:
                self._readiness.meet(REGISTRY)
                return

    # -- judging

    def _aim(self) -> None:
        """Ask where everything ends, to know later that all until now was read."""
        if self._goal is None:
            asked_ms = self._clock()
            self._goal = (asked_ms, self._look(list(self._topics.roles)))
        elif self._clock() - self._goal[0] >= _BEHIND_S * 1000:
            self._readiness.miss(CAUGHT_UP, "behind what the topics hold")

    def _see_complete(self) -> None:
        """Until when everything was read: all that lay on the topics at that time is in the book."""
        if self._goal is not None and all(self._book.positions[place] >= end for place, end in self._goal[1].items()):
            self._complete_ms, self._goal = self._goal[0], None
            self._readiness.meet(CAUGHT_UP)

    def _judge(self, now: int) -> None:
        self._judged_ms = now
        if self._complete_ms is not None and (lost := self._book.judge(self._complete_ms - self._lost_after_ms)):
            _log.error("notes are lost", notes=lost, hint="rxtract reconcile names them")
        topics = self._topics
        passed = {
            (stage, partition): at
            for stage, group, names in (
                (SUBMITTED, topics.ingestor, topics.submitted),
                (ACCEPTED, topics.extractor, topics.accepted),
            )
            for topic in names
            for (_, partition), at in self._log.committed(group, topic).items()
        }
        self._book.note_passed(self._clock(), passed, 4 * self._lost_after_ms)
        self._aim()

    # -- waiting

    def _go_on(self) -> None:
        self._liveness.tick()
        if self._stop.is_set():
            raise Stopped("asked to stop")

    def _tried(self, do: Callable[[], None]) -> None:
        logged = ""
        while True:
            self._go_on()
            try:
                do()
            except Recoverable as error:
                if str(error) != logged:
                    _log.warning("waiting", why=str(error))
                logged = str(error)
                self._readiness.miss(KAFKA_READ, logged)
                self._stop.wait(_RETRY_S)
            else:
                return
