"""The loop: one process reads all topics from the beginning of the window, counts, keeps, measures and shows."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from confluent_kafka import KafkaException
from contracts.records import QualityMeasured
from outcomes.days import day_start_ms
from runtime.errors import Recoverable, RxtractError
from runtime.kafka.records import Handler
from runtime.service import clock
from runtime.service.health import Liveness, Readiness
from runtime.service.logs import get_logger
from runtime.service.metrics import CONSUMER_LAG, Metrics
from runtime.stream.retry import wait

from scorekeeper.adapters.sink import Sink, Sinks
from scorekeeper.adapters.topics import Place, Start, Topics
from scorekeeper.domain.board import WEEK, Board
from scorekeeper.domain.measuring import Said, measurements
from scorekeeper.exposition import Exposition, samples_of
from scorekeeper.fold import Fold
from scorekeeper.metrics import LEADS, MEASUREMENTS, RECORDS_GONE

LEASE, HISTORY = "lease", "history"
_MEASURE_EVERY_S = 1.0
_SHOW_EVERY_S = 5.0
_REFRESH_EVERY_S = 30.0  # without a record: ages and costs go on
_LAG_EVERY_S = 2.0
_RETRY_S = 1.0
_log = get_logger(__name__)


class LeaseLost(RxtractError):
    """Another scorekeeper has taken over. This one must end, or both would export."""


class HoldsLease(Protocol):
    """`runtime.service.lease.Lease` and a test's fake."""

    def hold(self) -> bool:
        """Take or keep it."""

    def release(self) -> None:
        """Give it back."""


class Every:
    """True once in a while.

    Args:
        seconds: Between two times.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next_s = 0.0

    def due(self) -> bool:
        """Whether the time has come; then it begins anew."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + self._seconds
        return True


class Reader:
    """Runs until stopped. Holds the lease before it touches the folder, and gives it back at the end.

    Args:
        handle: Takes a batch and waits out a registry that is away.
        publish: Sends measurements and waits for the broker's word; raises Recoverable.
        lease: The right to export and write.
        lease_s: After which a dead one's lease is free, seconds.
        erased: Patients whose rows must go now; raises Recoverable.
    """

    def __init__(
        self,
        topics: Topics,
        fold: Fold,
        handle: Handler,
        sink: Sink | Sinks,
        *,
        board: Board,
        said: Said,
        publish: Callable[[Sequence[QualityMeasured]], None],
        exposition: Exposition,
        lease: HoldsLease,
        lease_s: float,
        metrics: Metrics,
        liveness: Liveness,
        readiness: Readiness,
        stop: threading.Event,
        erased: Callable[[], Sequence[str]] = tuple,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        self._topics = topics
        self._fold = fold
        self._handle = handle
        self._sink = sink
        self._board = board
        self._said = said
        self._publish = publish
        self._exposition = exposition
        self._lease = lease
        self._lease_due = Every(lease_s / 4)
        self._metrics = metrics
        self._liveness = liveness
        self._readiness = readiness
        self._stop = stop
        self._erased = erased
        self._now_ms = now_ms
        self._measure_due, self._show_due, self._lag_due = (
            Every(_MEASURE_EVERY_S),
            Every(_SHOW_EVERY_S),
            Every(_LAG_EVERY_S),
        )
        self._refresh_due = Every(_REFRESH_EVERY_S)
        self._measured_at = self._shown_at = -1
        self._day = ""
        self._ends: dict[Place, int] = {}

    def run(self) -> None:
        """Read, until asked to stop.

        Raises:
            LeaseLost: Another has taken over.
            KafkaException: The client cannot go on.
            SettingsError: The folder belongs to another cluster.
        """
        try:
            starts = self._ask_starts()
            if starts is None:
                return
            self._begin(starts)
            while not self._stop.is_set():
                self._turn()
        finally:
            # The lease may be gone; the folder's own lock still keeps others out of it.
            self._sink.close(self._liveness.tick)
            self._topics.close()

    def _ask_starts(self) -> dict[Place, Start] | None:
        said = ""
        while not self._stop.is_set():
            self._beat()
            days = self._board.days(WEEK, self._now_ms())
            try:
                self._sink.claim(self._topics.cluster())
                return self._topics.starts(day_start_ms(days[0], self._board.zone), self._sink.next_offset)
            except Recoverable as error:
                if str(error) != said:
                    _log.warning("not ready", why=str(error))
                said = str(error)
                self._readiness.miss(HISTORY, said)
            self._stop.wait(_RETRY_S)
        return None

    def _begin(self, starts: dict[Place, Start]) -> None:
        for (topic, _), start in starts.items():
            if start.gone:
                self._metrics.counter(RECORDS_GONE).labels(topic).inc(start.gone)
                _log.error("records were deleted before they were kept", topic=topic, records=start.gone)
        self._fold.count_from = {place: start.count_from for place, start in starts.items()}
        self._ends = {place: start.end for place, start in starts.items()}
        self._topics.begin(starts)
        records = sum(start.end - start.read_from for start in starts.values())
        _log.info("reading", partitions=len(starts), records=records)
        self._readiness.miss(HISTORY, f"reading {records} records")

    def _beat(self) -> None:
        """Say that we live and lead; called between the files of a long write, too."""
        self._keep_lease()
        self._liveness.tick()

    def _turn(self) -> None:
        self._beat()
        records = self._topics.read()
        if records:
            self._handle(records)
        self._erase()
        self._look_for_growth()
        self._sink.turn(self._beat)
        if not self._board.whole:
            self._look_whole()
        if self._lag_due.due():
            for topic, waiting in self._topics.lag().items():
                self._metrics.gauge(CONSUMER_LAG).labels(topic).set(waiting)
        if self._board.whole:
            self._tell()

    def _erase(self) -> None:
        try:
            patients = self._erased()
        except Recoverable as error:
            _log.warning("erasures wait", why=str(error))
            return
        if patients:
            rows = self._sink.erase(frozenset(patients), self._beat)
            _log.info("erased", patients=len(patients), rows=rows)

    def _look_for_growth(self) -> None:
        """New partitions are read from their beginning, and the numbers are whole again when that is done."""
        try:
            new = self._topics.grown()
        except KafkaException as error:
            _log.warning("new partitions wait", code=error.args[0].name())
            return
        if new:
            _log.info("new partitions", partitions=len(new))
            self._fold.count_from |= {place: start.count_from for place, start in new.items()}
            self._ends |= {place: start.end for place, start in new.items()}
            self._board.whole = False
            self._readiness.miss(HISTORY, f"reading {len(new)} new partitions")

    def _look_whole(self) -> None:
        if self._topics.reached(self._ends):
            self._board.whole = True
            self._readiness.meet(HISTORY)
            _log.info("the numbers are whole", changes=self._board.folded.changes)

    def _tell(self) -> None:
        """Publish what people's words changed, and show all numbers anew."""
        now_ms = self._now_ms()
        with self._board.lock:
            self._turn_the_day(now_ms)
            if self._measure_due.due() and self._measured_at != self._board.folded.audit_changes:
                changes = self._board.folded.audit_changes
                news = self._said.news(measurements(self._board, now_ms))
            else:
                changes, news = self._measured_at, []
            if self._show_due.due() and (self._shown_at != self._board.folded.changes or self._refresh_due.due()):
                self._shown_at = self._board.folded.changes
                self._exposition.show(samples_of(self._board, now_ms))
        if news and not self._say(news):
            return
        self._measured_at = changes

    def _turn_the_day(self, now_ms: int) -> None:
        day = self._board.today(now_ms)
        if day != self._day:
            self._day = day
            self._board.folded.forget_before(self._board.days(WEEK, now_ms)[0])
            self._measured_at = -1

    def _say(self, news: Sequence[QualityMeasured]) -> bool:
        """Publish; false: the broker did not take it, and the next turn tries again."""
        try:
            self._publish(news)
        except Recoverable as error:
            _log.warning("measurements wait", why=str(error))
            return False
        for one in news:
            self._said.take(one)
        self._metrics.counter(MEASUREMENTS).inc(len(news))
        return True

    def _keep_lease(self) -> None:
        if not self._lease_due.due():
            return
        try:
            held = self._lease.hold()
        except Recoverable as error:
            # Nobody else can take it while Redis is away.
            _log.warning("the lease cannot be renewed", why=str(error))
            return
        if not held:
            raise LeaseLost("another scorekeeper holds the lease: this one ends")


def until_held(
    lease: HoldsLease, stop: threading.Event, liveness: Liveness, readiness: Readiness, *, metrics: Metrics
) -> None:
    """Wait for the lease: alive, not ready, exporting nothing.

    Raises:
        Stopped: The process was asked to stop meanwhile.
    """
    said = ""
    while True:
        try:
            held, why = lease.hold(), "another scorekeeper exports"
        except Recoverable as error:
            held, why = False, str(error)
        if held:
            metrics.gauge(LEADS).set(1)
            readiness.meet(LEASE)
            return
        if why != said:
            _log.warning("waiting", why=why)
        said = why
        readiness.miss(LEASE, why)
        wait(stop, _RETRY_S, liveness.tick)
