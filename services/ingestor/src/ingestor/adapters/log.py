"""What the log of accepted notes still holds: a note is a duplicate only while the log has the first.

A first result is remembered with its place: topic, partition, offset. The log may have lost that place since: by age, because the topic
was made anew, or because Kafka was restored from before. Its first and next offsets tell, and where another note may stand at the old
place meanwhile, an epoch: it changes with the topic, and when the log is seen to be shorter than what was acknowledged.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec, TopicDescription
from redis.exceptions import RedisError
from runtime.service.logs import get_logger

if TYPE_CHECKING:
    from redis.asyncio import Redis

LOOK_AGAIN_S = 5.0
JUST_NOW_S = 0.5
_ANSWER_S = 2.0
LEADERS_MS = 5_000
"""So long a leader that died is asked in vain; in the client's own 15 minutes each request would wait for an answer that never comes."""
_log = get_logger(__name__)

Place = tuple[int, int]
"""Partition and offset."""


class AcceptedLog(Protocol):
    """Knows which places of the log still hold what was put there."""

    async def marks(self, places: Sequence[Place]) -> Sequence[str | None]:
        """Where notes stand that were just delivered, to be remembered; None while that cannot be said."""

    async def holds(self, marks: Sequence[str]) -> Sequence[bool]:
        """Whether the log still holds what stood there; false where nobody can tell."""


class NoLog:
    """`AcceptedLog` where nothing is remembered."""

    async def marks(self, places: Sequence[Place]) -> Sequence[str | None]:
        """See `AcceptedLog`."""
        return [None] * len(places)

    async def holds(self, marks: Sequence[str]) -> Sequence[bool]:
        """See `AcceptedLog`."""
        return [False] * len(marks)


@dataclass(frozen=True, slots=True)
class Extent:
    """What the log has: the topic's identity, and for each partition its first and its next offset."""

    topic_id: str
    offsets: Mapping[int, tuple[int, int]]


class Extents(Protocol):
    """Asks the cluster."""

    async def __call__(self) -> Extent:
        """Raise KafkaException or TimeoutError when it does not answer."""


class KafkaExtents:
    """`Extents` of a topic, all partitions in three questions."""

    def __init__(self, admin: AdminClient, topic: str) -> None:
        self._admin = admin
        self._topic = topic

    async def __call__(self) -> Extent:
        """See `Extents`."""
        asked = self._admin.describe_topics(TopicCollection([self._topic]), request_timeout=_ANSWER_S)
        described: TopicDescription = await _answer(asked[self._topic])
        numbers = [one.id for one in described.partitions]
        first = self._list(numbers, OffsetSpec.earliest())
        after = self._list(numbers, OffsetSpec.latest())
        offsets = {one: (await _offset(first[one]), await _offset(after[one])) for one in numbers}
        return Extent(str(described.topic_id), offsets)

    def _list(self, numbers: Sequence[int], which: OffsetSpec) -> dict[int, Future[ListOffsetsResultInfo]]:
        asked = {TopicPartition(self._topic, one): which for one in numbers}
        found = self._admin.list_offsets(asked, request_timeout=_ANSWER_S)
        return {place.partition: future for place, future in found.items()}


async def _answer(future: Future[TopicDescription]) -> TopicDescription:
    return await asyncio.wait_for(asyncio.wrap_future(future), 2 * _ANSWER_S)


async def _offset(future: Future[ListOffsetsResultInfo]) -> int:
    return int((await asyncio.wait_for(asyncio.wrap_future(future), 2 * _ANSWER_S)).offset)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What all replicas know of the log: how often it was seen to be too short, and the last offset acknowledged in each partition."""

    shortened: int = 0
    last: Mapping[int, int] = field(default_factory=dict)


class Memory(Protocol):
    """Where replicas keep `Acknowledged`. None or nothing while it is away."""

    async def read(self) -> Acknowledged | None:
        """What is known."""

    async def add(self, last: Mapping[int, int]) -> None:
        """Note offsets that were acknowledged; a lower one changes nothing."""

    async def shortened(self) -> int | None:
        """The log is shorter than what was acknowledged: forget the offsets, and count it."""


class RedisMemory:
    """`Memory` in Redis."""

    def __init__(self, redis: "Redis", prefix: str, topic: str) -> None:
        self._redis = redis
        self._last = f"{prefix}rxtract:ingestor:last:{topic}"
        self._count = f"{prefix}rxtract:ingestor:shortened:{topic}"

    async def read(self) -> Acknowledged | None:
        """See `Memory`."""
        try:
            count = await self._redis.get(self._count)
            last = await self._redis.zrange(self._last, 0, -1, withscores=True)
        except (RedisError, OSError):
            return None
        return Acknowledged(int(count or 0), {int(pair[0]): int(float(pair[1])) for pair in last})

    async def add(self, last: Mapping[int, int]) -> None:
        """See `Memory`."""
        try:
            await self._redis.zadd(self._last, {str(partition): offset for partition, offset in last.items()}, gt=True)
        except (RedisError, OSError):
            return  # the results are not remembered either

    async def shortened(self) -> int | None:
        """See `Memory`."""
        try:
            await self._redis.delete(self._last)
            return int(await self._redis.incr(self._count))
        except (RedisError, OSError):
            return None


class WatchedLog:
    """`AcceptedLog` that looks at the log every few seconds while notes come, and just before it says of a place that it is held.

    Args:
        extents: Asks the cluster.
        memory: Of all replicas.
        clock: Monotonic seconds.
    """

    def __init__(self, extents: Extents, memory: Memory, clock: Callable[[], float] = time.monotonic) -> None:
        self._extents = extents
        self._memory = memory
        self._clock = clock
        self._extent: Extent | None = None
        self._shortened = 0
        self._looked_at_s = -math.inf
        self._looking = asyncio.Lock()

    async def marks(self, places: Sequence[Place]) -> Sequence[str | None]:
        """See `AcceptedLog`."""
        await self._look(self._clock() - LOOK_AGAIN_S)
        if self._extent is None:
            return [None] * len(places)
        last: dict[int, int] = {}
        for partition, offset in places:
            last[partition] = max(offset, last.get(partition, 0))
        await self._memory.add(last)
        return [f"{self._epoch(self._extent)}/{partition}/{offset}" for partition, offset in places]

    async def holds(self, marks: Sequence[str]) -> Sequence[bool]:
        """See `AcceptedLog`."""
        if not marks:
            return []
        # Whoever is answered "duplicate" never sends again: no older look will do.
        asked_at_s = self._clock()
        await self._look(asked_at_s - JUST_NOW_S)
        if not all(self._has(mark) for mark in marks):
            await self._look(asked_at_s)  # perhaps put there since by another replica, or by us
        return [self._has(mark) for mark in marks]

    def _epoch(self, extent: Extent) -> str:
        return f"{extent.topic_id}.{self._shortened}"

    def _has(self, mark: str) -> bool:
        if self._extent is None:
            return False
        epoch, partition, offset = mark.rsplit("/", 2)  # a topic's identity is base64: it may have a slash
        first, after = self._extent.offsets.get(int(partition), (0, 0))
        return epoch == self._epoch(self._extent) and first <= int(offset) < after

    async def _look(self, not_before_s: float) -> None:
        """Ask, unless that was begun since then; what came meanwhile shares the answer."""
        async with self._looking:
            if self._looked_at_s > not_before_s:
                return
            self._looked_at_s = self._clock()
            # In this order: what was acknowledged before the log is asked must be in its answer.
            known = await self._memory.read()
            try:
                self._extent = await self._extents()
            except (KafkaException, TimeoutError) as error:
                self._extent = None
                _log.warning("accepting without deduplication: the log does not answer", error=type(error).__name__)
            if known is not None:
                self._shortened = known.shortened
                await self._compare(known)

    async def _compare(self, known: Acknowledged) -> None:
        offsets = self._extent.offsets if self._extent is not None else {}
        if all(last < offsets[partition][1] for partition, last in known.last.items() if partition in offsets):
            return
        _log.error("the log of accepted notes is shorter than what was acknowledged: first results are forgotten")
        self._shortened = await self._memory.shortened() or self._shortened + 1
