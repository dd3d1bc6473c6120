"""confluent-kafka's Consumer, Producer and AdminClient over the simulated broker, with the calls that our code uses and the manners of the
real ones: callbacks from within `poll`, the end of a partition told once, a partition given up after a position that is not there.

Quirks can be turned on: `off_by_one` moves the client's own position one too far once the end of a partition was told, as librdkafka 2.10
did, and as nobody's client may do to us again unseen.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from tests.simulation.broker import Broker, Entry, Member, Place
from tests.simulation.kernel import Killed, Process, Signal

NEVER = float("inf")
_BEGIN_S = 0.02
_TICK_S = 0.02
"""Whoever waits for nothing waits so long at least: on a busy machine it is no less, and a world has fewer turns."""
_METADATA_S = 10.0


class SimMessage:
    """A record, or an error in its place."""

    __slots__ = ("_entry", "_error", "_offset", "_place")

    def __init__(self, place: Place, offset: int, entry: Entry | None = None, error: KafkaError | None = None) -> None:
        self._place, self._offset, self._entry, self._error = place, offset, entry, error

    def error(self) -> KafkaError | None:
        return self._error

    def topic(self) -> str:
        return self._place[0]

    def partition(self) -> int:
        return self._place[1]

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return None if self._entry is None else self._entry.key

    def value(self) -> bytes | None:
        return None if self._entry is None else self._entry.value

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self._entry.headers) if self._entry is not None and self._entry.headers else None

    def timestamp(self) -> tuple[int, int]:
        return (1, -1 if self._entry is None else self._entry.timestamp_ms)


@dataclass
class Fetching:
    """How far the client is in one partition, by its own opinion."""

    position: int
    begins_at_s: float
    paused: bool = False
    reported_end: int = -1
    given_up: bool = False
    one_off: bool = False


class SimConsumer:
    """`confluent_kafka.Consumer`.

    Args:
        config: librdkafka's settings; only those that decide what is simulated are read.
        off_by_one: The quirk.
    """

    def __init__(self, broker: Broker, process: Process, config: dict[str, Any], *, off_by_one: bool = False) -> None:
        self._broker, self._process, self._kernel = broker, process, broker.kernel
        self._reset = config.get("auto.offset.reset", "largest")
        self._reports_ends = bool(config.get("enable.partition.eof"))
        self._committed_only = config.get("isolation.level", "read_committed") == "read_committed"
        self._group = broker.group(config.get("group.id", ""))
        self._eager = "cooperative" not in config.get("partition.assignment.strategy", "range")
        self._off_by_one = off_by_one
        self._fetching: dict[Place, Fetching] = {}
        self._paused: set[Place] = set()
        self._errors: list[SimMessage] = []
        self._signal = Signal()
        self._member: Member | None = None
        self._callbacks: dict[str, Callable[..., None]] = {}
        self._in_callback = False
        self._assigned_in_callback = False
        self._closed = False
        self._last: Place | None = None
        self._known: dict[str, int] = {}
        self._commit_at_s = 0.0
        process.on_death.append(self._died)

    def _died(self) -> None:
        self._closed = True

    # -- the group

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        self._process.step()
        self._callbacks = callbacks
        member = Member(self._process.name, self._eager, self._process, self._signal, tuple(topics))
        self._member = member
        self._join()
        self._look_for_growth(member)

    def _join(self) -> None:
        assert self._member is not None
        group = self._group
        group.join(self._member)
        self._known = {topic: len(self._broker.topics.get(topic, ())) for topic in self._member.topics}
        self._broker.watch_session(group, self._member)

    def _look_for_growth(self, member: Member) -> None:
        def look() -> None:
            if self._closed:
                return
            now = {topic: len(self._broker.topics.get(topic, ())) for topic in member.topics}
            group = self._group
            if now != self._known and member in group.members:
                self._known = now
                group.rebalance()
            self._kernel.at(_METADATA_S, look)

        self._kernel.at(self._broker.random.uniform(0.1, _METADATA_S), look)

    def _serve(self) -> None:
        """What the group wants; runs the callbacks."""
        member, group = self._member, self._group
        if member is None or self._in_callback or self._broker.away:
            return
        if member.served == group.changes and not member.kicked:
            return
        if not member.kicked and self._broker.random.random() < self._broker.chances.late_news:
            return  # the news comes between two records, not always before the first
        member.served = group.changes
        if member.kicked:
            lost = sorted(member.owned)
            self._callback("on_lost" if "on_lost" in self._callbacks else "on_revoke", lost)
            self._drop(lost)
            self._join()
            return
        if member.to_revoke:
            gone, began_at_s = sorted(member.to_revoke), self._kernel.now
            member.revoking = True
            self._callback("on_revoke", gone)
            member.revoking = False
            self._broker.given_away(self._process, gone, self._kernel.now - began_at_s)
            self._drop(gone)
            group.revoked(member, gone)
            return
        free = sorted(group.free_for(member))
        if (free or not member.asked) and not (member.eager and not group.settled):
            member.asked = True
            member.owned |= set(free)
            self._assigned_in_callback = False
            self._callback("on_assign", free)
            if not self._assigned_in_callback and not member.kicked:
                stored = group.committed
                self._add([TopicPartition(*place, stored[place][0] if place in stored else 0) for place in free])

    def _callback(self, name: str, places: Sequence[Place]) -> None:
        if name in self._callbacks and not (name == "on_lost" and not places):
            self._in_callback = True
            try:
                self._callbacks[name](self, [TopicPartition(*place) for place in places])
            finally:
                self._in_callback = False

    def _drop(self, places: Iterable[Place]) -> None:
        for place in places:
            self._fetching.pop(place, None)

    # -- what is read

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._process.step()
        self._assigned_in_callback = True
        self._fetching.clear()
        self._add(partitions)

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        self._process.step()
        self._assigned_in_callback = True
        self._add(partitions)

    def _add(self, partitions: Iterable[TopicPartition]) -> None:
        for one in partitions:
            chance = self._broker.random
            begins = self._kernel.now + (chance.uniform(0, _BEGIN_S) if chance.random() < 0.6 else 0.0)
            place = (one.topic, one.partition)
            self._fetching[place] = Fetching(max(0, one.offset), begins, paused=place in self._paused)

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        self._process.step()
        for one in partitions:
            found = self._fetching.pop((one.topic, one.partition), None)
            if found is not None and self._kernel.now < found.begins_at_s:
                self._broker.record_event("aborted: stopped before it had begun", process=self._process.name)
                self._process.kill()  # as librdkafka's assertion does
                raise Killed

    def unassign(self) -> None:
        self._fetching.clear()

    def assignment(self) -> list[TopicPartition]:
        self._process.step()
        if self._member is not None:
            return [TopicPartition(*place) for place in sorted(self._member.owned)] if not self._member.kicked else []
        return [TopicPartition(*place) for place in sorted(self._fetching)]

    def seek(self, partition: TopicPartition) -> None:
        self._process.step()
        found = self._fetching.get((partition.topic, partition.partition))
        if found is None or found.given_up or self._kernel.now < found.begins_at_s:
            raise KafkaException(KafkaError(KafkaError._STATE))
        found.position, found.reported_end, found.one_off = partition.offset, -1, False

    def pause(self, partitions: list[TopicPartition]) -> None:
        for found in self._of(partitions):
            found.paused = True
        self._paused |= {(one.topic, one.partition) for one in partitions}  # also while they are away

    def resume(self, partitions: list[TopicPartition]) -> None:
        self._paused -= {(one.topic, one.partition) for one in partitions}
        for found in self._of(partitions):
            found.paused = False
            if found.one_off:
                found.position, found.one_off = found.position + 1, False
        self._signal.notify()

    def _of(self, partitions: Iterable[TopicPartition]) -> list[Fetching]:
        self._process.step()
        places = [(one.topic, one.partition) for one in partitions]
        return [self._fetching[place] for place in places if place in self._fetching]

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        self._process.step()
        found = []
        for one in partitions:
            at = self._fetching.get((one.topic, one.partition))
            found.append(
                TopicPartition(one.topic, one.partition, OFFSET_INVALID if at is None else at.position + at.one_off)
            )
        return found

    def poll(self, timeout: float = NEVER) -> SimMessage | None:
        """One message; runs what the group wants first."""
        self._process.step()
        until_s = self._kernel.now + (max(timeout, _TICK_S) if timeout > 0 else 0.0)
        waited = False
        while True:
            self._serve()
            if self._closed:
                raise RuntimeError("Consumer closed")
            if (message := self._next(waited=waited)) is not None:
                return message
            if self._kernel.now >= until_s:
                return None
            self._kernel.wait(self._pause_s(until_s - self._kernel.now), self._signals())
            self._process.step()
            waited = True

    def consume(self, num_messages: int = 1, timeout: float = NEVER) -> list[SimMessage]:
        """Several at once."""
        found: list[SimMessage] = []
        until_s = self._kernel.now + max(0.0, timeout)
        while len(found) < num_messages:
            message = self.poll(0 if found else max(0.0, until_s - self._kernel.now))
            if message is None:
                break
            found.append(message)
        return found

    def _pause_s(self, left_s: float) -> float:
        waiting = any(
            not one.paused and not one.given_up and self._is_ahead(p, one) for p, one in self._fetching.items()
        )
        news = self._member is not None and self._member.served != self._group.changes
        return min(left_s, 0.01) if waiting or news else left_s

    def _is_ahead(self, place: Place, one: Fetching) -> bool:
        log = self._broker.log(place)
        end = log.stable if self._committed_only else log.high
        return one.position != end or one.reported_end != end

    def _signals(self) -> list[Signal]:
        logs = [self._broker.log(place).signal for place, one in self._fetching.items() if not one.paused]
        return [self._signal, self._broker.back, *logs]

    def _next(self, *, waited: bool) -> SimMessage | None:
        if self._errors:
            return self._errors.pop(0)
        if self._broker.away:
            return None
        chance = self._broker.random
        if not waited and self._fetching and chance.random() < self._broker.chances.fetch_gap:
            return None
        places = [place for place, one in self._fetching.items() if not (one.paused or one.given_up)]
        if len(places) > 1:
            chance.shuffle(places)
            if self._last in places and chance.random() < 0.8:
                places.remove(self._last)
                places.insert(0, self._last)
        for place in places:
            if self._kernel.now < self._fetching[place].begins_at_s or place in self._broker.leaderless:
                continue
            message = self._read(place, self._fetching[place])
            if message is not None:
                self._last = place
                return message
        return None

    def _read(self, place: Place, at: Fetching) -> SimMessage | None:
        log = self._broker.log(place)
        end = log.stable if self._committed_only else log.high
        if at.one_off and log.high > at.position and self._broker.random.random() < 0.5:
            at.position, at.one_off = at.position + 1, False  # what lies at the old position is skipped
        if at.position < log.low or at.position > log.high:
            return self._out_of_range(place, at)
        while at.position < end:
            entry = log.entry(at.position)
            at.position += 1
            if entry.kind == "data" or (entry.kind == "aborted" and not self._committed_only):
                at.reported_end = -1
                return SimMessage(place, entry.offset, entry)
        if self._reports_ends and at.reported_end != at.position:
            at.reported_end = at.position
            at.one_off = self._off_by_one
            return SimMessage(place, at.position, None, KafkaError(KafkaError._PARTITION_EOF))
        return None

    def _out_of_range(self, place: Place, at: Fetching) -> SimMessage | None:
        asked = at.position
        if self._reset == "error":
            at.given_up = True
            return SimMessage(place, asked, None, KafkaError(KafkaError._AUTO_OFFSET_RESET))
        log = self._broker.log(place)
        at.position = log.low if self._reset in ("earliest", "smallest") else log.stable
        at.reported_end = -1
        return None

    # -- answers

    def _ask(self, timeout_s: float) -> None:
        """A question to the broker: it takes time, and may have no answer."""
        self._process.step()
        kernel, broker = self._kernel, self._broker
        kernel.wait(broker.random.uniform(0.0005, 0.005))
        until_s = kernel.now + timeout_s
        while broker.away and kernel.now < until_s:
            kernel.wait(until_s - kernel.now, (broker.back,))
        if broker.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        if broker.random.random() < broker.chances.failed_answer:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        self._process.step()

    def committed(self, partitions: list[TopicPartition], timeout: float = NEVER) -> list[TopicPartition]:
        self._ask(timeout)
        stored = self._group.committed
        found = []
        for one in partitions:
            left = stored.get((one.topic, one.partition))
            found.append(TopicPartition(one.topic, one.partition, *(left or (OFFSET_INVALID,))))
        return found

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition] | None:
        self._process.step()
        broker, kernel = self._broker, self._kernel
        if asynchronous:
            lost = broker.random.random() < broker.chances.refused_commit
            asked = self._joined()
            if not lost:  # one connection: commits arrive in the order in which they were sent
                self._commit_at_s = max(self._commit_at_s, kernel.now + broker.random.uniform(0.001, 0.02))
                kernel.at(self._commit_at_s - kernel.now, self._store, offsets, asked)
            return None
        asked = self._joined()
        if self._commit_at_s > kernel.now:
            kernel.wait(self._commit_at_s - kernel.now)
        self._ask(5.0)
        if broker.random.random() < broker.chances.refused_commit and not self._in_callback:
            raise KafkaException(KafkaError(KafkaError.REBALANCE_IN_PROGRESS))
        if not self._store(offsets, asked):
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID))
        self._process.step()
        return offsets

    def _joined(self) -> int:
        """Which of its memberships a commit belongs to."""
        return -1 if self._member is None or self._member.kicked else self._member.joined

    def _store(self, offsets: list[TopicPartition], asked: int) -> bool:
        group = self._group
        member = self._member
        if self._broker.away or member is None or asked != member.joined or member not in group.members:
            return False
        for one in offsets:
            self._broker.commit(group, (one.topic, one.partition), one.offset, one.metadata or "")
        return True

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = NEVER, *, cached: bool = False
    ) -> tuple[int, int] | None:
        log = self._broker.log((partition.topic, partition.partition))
        if cached:
            self._process.step()
            return (log.low, log.high)
        self._ask(timeout)
        return (log.low, log.stable)

    def offsets_for_times(self, partitions: list[TopicPartition], timeout: float = NEVER) -> list[TopicPartition]:
        self._ask(timeout)
        found = []
        for one in partitions:
            entries = self._broker.log((one.topic, one.partition)).entries
            at = next((entry.offset for entry in entries if entry.timestamp_ms >= one.offset), -1)
            found.append(TopicPartition(one.topic, one.partition, at))
        return found

    def list_topics(self, topic: str | None = None, timeout: float = NEVER) -> SimpleNamespace:
        self._ask(timeout)
        return metadata_of(self._broker, topic)

    def close(self) -> None:
        self._process.step()
        if self._closed:
            return
        member = self._member
        if member is not None and not member.kicked:
            gone = sorted(member.owned)
            if gone:
                self._callback("on_revoke", gone)
            self._drop(gone)
            self._group.leave(member)
        self._closed = True
        self._member = None


def metadata_of(broker: Broker, topic: str | None = None) -> SimpleNamespace:
    """What `list_topics` gives."""
    topics = {
        name: SimpleNamespace(
            topic=name, partitions={number: SimpleNamespace(id=number) for number in range(len(logs))}
        )
        for name, logs in broker.topics.items()
        if topic in (None, name)
    }
    return SimpleNamespace(topics=topics, cluster_id="simulated", brokers={1: SimpleNamespace(id=1)})


@dataclass
class _Queued:
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    partition: int | None
    report: Callable[..., None] | None


class SimProducer:
    """`confluent_kafka.Producer`: idempotent, in order, its reports from `poll`.

    Args:
        most: So many records wait for their reports at most.
        delivery_s: After so long without an acknowledgement a record is reported as timed out.
    """

    def __init__(self, broker: Broker, process: Process, *, most: int = 200, delivery_s: float = 6.0) -> None:
        self._broker, self._process, self._kernel = broker, process, broker.kernel
        self._most, self._delivery_s = most, delivery_s
        self._reports: list[tuple[_Queued, KafkaError | None, SimMessage | None]] = []
        self._signal = Signal()
        self._open = 0
        self._wire: deque[tuple[_Queued, float]] = deque()
        self._busy = False
        self._acked_at_s: dict[Place, float] = {}
        self.fatal = False

    @property
    def waits(self) -> bool:
        """Whether something was sent that nobody has acknowledged."""
        return self._open > 0

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        on_delivery: Callable[..., None] | None = None,
        headers: Sequence[tuple[str, bytes | None]] | None = None,
        **_: object,
    ) -> None:
        self._process.step()
        if self.fatal:
            raise KafkaException(KafkaError(KafkaError._FATAL, "fatal", fatal=True))
        if self._open >= self._most:
            raise BufferError("Local: Queue full")
        if topic not in self._broker.topics:
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC))
        if len(value or b"") > self._broker.most_bytes.get(topic, 1 << 30):
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        self._open += 1
        self._process.in_hand = set()
        if partition is None:
            partition = self._broker.partition_of(topic, key)
        self._wire.append((_Queued(topic, key, value, tuple(headers or ()), partition, on_delivery), self._kernel.now))
        if not self._busy:
            self._busy = True
            self._kernel.at(self._broker.random.uniform(0.001, 0.006), self._arrive)

    def _arrive(self) -> None:
        """A request reaches the broker, unless its process died on the way, or the broker is away: the client then tries again, in order."""
        broker, kernel = self._broker, self._kernel
        self._busy = False
        if self._process.dead and (broker.away or broker.disk_full or broker.random.random() < 0.5):
            self._wire.clear()
        kept: list[tuple[_Queued, float]] = []
        for _ in range(min(len(self._wire), broker.random.randint(1, 20))):
            queued, sent_at_s = self._wire.popleft()
            waits = broker.away or broker.disk_full or (queued.topic, queued.partition) in broker.leaderless
            if not self.fatal and waits and kernel.now - sent_at_s < self._delivery_s:
                kept.append((queued, sent_at_s))  # all of its partition wait, so that they stay in order
            else:
                self._take(queued)
        self._wire.extendleft(reversed(kept))
        if self._wire:
            self._busy = True
            kernel.at(
                0.1 if broker.away or broker.disk_full or kept else broker.random.uniform(0.001, 0.006), self._arrive
            )

    def _take(self, queued: _Queued) -> None:
        broker, chances = self._broker, self._broker.chances
        if self.fatal:
            self._later(0.001, queued, KafkaError(KafkaError._FATAL, "fatal", fatal=True), None)
            return
        if broker.away or broker.disk_full or (queued.topic, queued.partition) in broker.leaderless:
            self._later(0.0, queued, KafkaError(KafkaError._MSG_TIMED_OUT), None)
            return
        if broker.random.random() < chances.failed_produce:
            self._later(0.002, queued, KafkaError(KafkaError._MSG_TIMED_OUT), None)
            return
        number, offset = broker.append(queued.topic, queued.key, queued.value, queued.headers, queued.partition)
        if broker.random.random() < chances.lost_ack:  # it is there, and nobody says so
            self._later(self._delivery_s, queued, KafkaError(KafkaError._MSG_TIMED_OUT), None)
            return
        late_s = broker.random.uniform(0, chances.late_ack_s) if broker.random.random() < chances.late_ack else 0.0
        ack_s = broker.random.uniform(0.0, chances.ack_s) + late_s
        self._later(ack_s, queued, None, SimMessage((queued.topic, number), offset))

    def _later(self, delay_s: float, queued: _Queued, error: KafkaError | None, message: SimMessage | None) -> None:
        """Report, in order for each partition; those of different partitions may overtake each other."""

        def report() -> None:
            self._reports.append((queued, error, message))
            self._signal.notify()

        place = (queued.topic, -1 if message is None else message.partition())
        at_s = max(self._acked_at_s.get(place, 0.0), self._kernel.now + delay_s)
        self._acked_at_s[place] = at_s
        self._kernel.at(at_s - self._kernel.now, report)

    def poll(self, timeout: float = 0.0) -> int:
        self._process.step()
        if not self._reports and timeout > 0 and self._open:
            self._kernel.wait(max(timeout, _TICK_S), (self._signal,))
            self._process.step()
        elif not self._reports and timeout > 0:
            self._kernel.wait(timeout)
            self._process.step()
        count = 0
        while self._reports:
            queued, error, message = self._reports.pop(0)
            self._open -= 1
            count += 1
            if queued.report is not None:
                queued.report(error, message)
        return count

    def flush(self, timeout: float = NEVER) -> int:
        until_s = self._kernel.now + timeout
        while self._open and self._kernel.now < until_s:
            self.poll(until_s - self._kernel.now)
        return self._open


class SimAdmin:
    """`confluent_kafka.admin.AdminClient`, as far as something of ours asks it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def list_topics(self, topic: str | None = None, timeout: float = NEVER) -> SimpleNamespace:
        return metadata_of(self._broker, topic)
