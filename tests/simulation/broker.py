"""A Kafka broker in memory, with what makes a real one hard: markers, aborted records, open transactions, retention, truncation, growth,
answers that come late or never, a full disk, and groups whose partitions move at the wrong moment.

It knows nothing of what it serves. `tests/simulation/client.py` speaks to it in the words of confluent-kafka.
"""

import random
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.simulation.kernel import EPOCH_MS, Kernel, Signal

Place = tuple[str, int]


class Entry(NamedTuple):
    """One offset of a log: a record, an aborted one or a marker."""

    offset: int
    kind: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int


class Log:
    """One partition.

    Attributes:
        entries: From `low` on, one for each offset.
        open_at: Where an open transaction began; nothing behind it can be read.
        signal: Notified when something can be read.
    """

    def __init__(self) -> None:
        self.low = 0
        self.entries: list[Entry] = []
        self.open_at: int | None = None
        self.signal = Signal()

    @property
    def high(self) -> int:
        return self.low + len(self.entries)

    @property
    def stable(self) -> int:
        """The offset behind the last that can be read."""
        return self.high if self.open_at is None else self.open_at

    def entry(self, offset: int) -> Entry:
        return self.entries[offset - self.low]


@dataclass
class Chances:
    """How rough the broker is to its clients; all of it is off in a calm world."""

    ack_s: float = 0.01
    late_ack: float = 0.0
    late_ack_s: float = 3.0
    lost_ack: float = 0.0
    failed_produce: float = 0.0
    failed_answer: float = 0.0
    refused_commit: float = 0.0
    fetch_gap: float = 0.3
    sticky: bool = True
    late_news: float = 0.5


@dataclass(eq=False)
class Member:
    """One consumer of a group."""

    name: str
    eager: bool
    process: Any
    signal: Signal
    topics: tuple[str, ...]
    owned: set[Place] = field(default_factory=set)
    target: set[Place] = field(default_factory=set)
    to_revoke: set[Place] = field(default_factory=set)
    revoking: bool = False
    kicked: bool = False
    joined: int = 0
    served: int = -1
    """Up to which change of the group it did what it had to."""
    asked: bool = True
    """Whether it was told of its assignment (also of an empty one) since the last rebalance."""


class Group:
    """A consumer group: who has what, and what was committed."""

    def __init__(self, broker: "Broker", name: str) -> None:
        self.broker = broker
        self.name = name
        self.members: list[Member] = []
        self.committed: dict[Place, tuple[int, str]] = {}
        self.changes = 0

    def join(self, member: Member) -> None:
        member.kicked, member.owned, member.target, member.to_revoke = False, set(), set(), set()
        member.joined += 1
        self.members.append(member)
        self.rebalance()

    def leave(self, member: Member) -> None:
        if member in self.members:
            self.members.remove(member)
            member.owned, member.target = set(), set()
            self.rebalance()

    def kick(self, member: Member) -> None:
        """Its session is over: its partitions are given away without asking."""
        if member in self.members:
            member.kicked = True
            self.members.remove(member)
            self.rebalance()
            member.signal.notify()

    def rebalance(self) -> None:
        """Decide anew who reads what."""
        self.changes += 1
        if not self.members:
            return
        chance = self.broker.random
        places = sorted({place for member in self.members for place in self.broker.places(member.topics)})
        kept: dict[Place, Member] = {}
        most = -(-len(places) // len(self.members))
        counts = dict.fromkeys(range(len(self.members)), 0)
        if self.broker.chances.sticky:
            for index, member in enumerate(self.members):
                for place in sorted(member.owned):
                    if counts[index] < most and place in places:
                        kept[place] = member
                        counts[index] += 1
        rest = [place for place in places if place not in kept]
        chance.shuffle(rest)
        for place in rest:
            index = min(counts, key=lambda number: (counts[number], number))
            kept[place] = self.members[index]
            counts[index] += 1
        for index, member in enumerate(self.members):
            member.target = {place for place, owner in kept.items() if owner is self.members[index]}
            member.to_revoke = set(member.owned) if member.eager else member.owned - member.target
            member.asked = False
            member.signal.notify()
        self.broker.record_event(
            "rebalance", group=self.name, to={m.name: sorted(p for _, p in m.target) for m in self.members}
        )

    @property
    def settled(self) -> bool:
        """Whether nobody has to give anything away any more."""
        return not any(member.to_revoke or member.revoking for member in self.members)

    def revoked(self, member: Member, places: Iterable[Place]) -> None:
        member.owned -= set(places)
        member.to_revoke -= set(places)
        self.changes += 1
        for other in self.members:
            other.signal.notify()

    def free_for(self, member: Member) -> set[Place]:
        """What a member may begin to read now."""
        if member.eager and not self.settled:
            return set()
        taken = set().union(*(other.owned for other in self.members if other is not member))
        return member.target - member.owned - taken


class Broker:
    """Topics and groups.

    Args:
        kernel: Time.
        chance: Where its moods come from.
        record_event: Takes what happens, for the story.
    """

    def __init__(
        self, kernel: Kernel, chance: random.Random, record_event: Callable[..., None] = lambda *_, **__: None
    ) -> None:
        self.kernel = kernel
        self.random = chance
        self.chances = Chances()
        self.record_event = record_event
        self.topics: dict[str, list[Log]] = {}
        self.groups: dict[str, Group] = {}
        self.away = False
        self.disk_full = False
        self.leaderless: set[Place] = set()
        self.back = Signal()
        self.on_append: list[Callable[[str, int, Entry], None]] = []
        self.on_commit: list[Callable[[Group, Place, int, str], None]] = []
        self.on_given_away: list[Callable[[Any, set[Place], float], None]] = []
        self.most_bytes: dict[str, int] = {}
        self.session_s = 4.0

    # -- logs

    def create(self, topic: str, partitions: int) -> None:
        self.topics[topic] = [Log() for _ in range(partitions)]

    def grow(self, topic: str, partitions: int) -> None:
        logs = self.topics[topic]
        logs += [Log() for _ in range(partitions - len(logs))]
        self.record_event("partitions added", topic=topic, now=len(logs))

    def places(self, topics: Iterable[str]) -> list[Place]:
        return [(topic, number) for topic in topics for number in range(len(self.topics.get(topic, ())))]

    def log(self, place: Place) -> Log:
        return self.topics[place[0]][place[1]]

    def partition_of(self, topic: str, key: bytes | None) -> int:
        count = len(self.topics[topic])
        return self.random.randrange(count) if key is None else zlib.crc32(key) % count

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes | None]] = (),
        partition: int | None = None,
        kind: str = "data",
    ) -> tuple[int, int]:
        """Put one at the end; returns partition and offset."""
        number = self.partition_of(topic, key) if partition is None else partition
        log = self.topics[topic][number]
        stamp = EPOCH_MS + int(self.kernel.now * 1000)
        entry = Entry(log.high, kind, key, value, tuple(headers), stamp)
        log.entries.append(entry)
        if kind == "data":
            for hear in self.on_append:
                hear(topic, number, entry)
        if log.open_at is None:
            log.signal.notify()
        return number, entry.offset

    def begin_transaction(self, place: Place) -> None:
        log = self.log(place)
        if log.open_at is None:
            log.open_at = log.high

    def end_transaction(self, place: Place) -> None:
        """Commit or abort was written before, as records of one kind or the other; the marker closes it."""
        log = self.log(place)
        log.open_at = None
        self.append(place[0], None, None, (), place[1], "marker")

    def expire(self, place: Place, low: int) -> None:
        """Retention deletes what lies before an offset."""
        log = self.log(place)
        low = min(low, log.stable)
        if low > log.low:
            del log.entries[: low - log.low]
            log.low = low
            self.record_event("retention", topic=place[0], partition=place[1], low=low)
            log.signal.notify()

    def truncate(self, place: Place, high: int) -> None:
        """The end of a log is lost: restored from before."""
        log = self.log(place)
        if high < log.high:
            del log.entries[max(0, high - log.low) :]
            log.low = min(log.low, high)
            log.open_at = None
            self.record_event("truncated", topic=place[0], partition=place[1], high=high)
            log.signal.notify()

    # -- groups

    def group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group(self, name))

    def commit(self, group: Group, place: Place, offset: int, metadata: str) -> None:
        group.committed[place] = (offset, metadata)
        for hear in self.on_commit:
            hear(group, place, offset, metadata)

    def given_away(self, process: Any, places: Iterable[Place], took_s: float) -> None:
        """A process has done what it does before partitions move, and it took so long."""
        for hear in self.on_given_away:
            hear(process, {(topic, number) for topic, number in places}, took_s)

    def watch_session(self, group: Group, member: Member) -> None:
        """A process that is dead or frozen for longer than the session loses its partitions."""

        def look(since_s: float | None) -> None:
            if member not in group.members:
                return
            silent = member.process.dead or member.process.frozen
            if not silent:
                since_s = None
            elif since_s is None:
                since_s = self.kernel.now
            elif self.kernel.now - since_s >= self.session_s:
                self.record_event("session over", member=member.name)
                group.kick(member)
                return
            self.kernel.at(0.5, look, since_s)

        self.kernel.at(0.5, look, None)

    # -- the broker itself

    def go_away(self) -> None:
        self.away = True
        self.record_event("broker away")

    def come_back(self) -> None:
        self.away = False
        self.record_event("broker back")
        self.back.notify()
