"""A place of the log counts while the log holds it: by age, by a new topic, by a restore from before, as replicas see it."""

import asyncio
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError, KafkaException
from ingestor.adapters.log import JUST_NOW_S, LOOK_AGAIN_S, Acknowledged, Extent, WatchedLog


class Cluster:
    """A topic with two partitions, and what replicas remember of it."""

    def __init__(self) -> None:
        self.topic_id, self.offsets = "kUn/+8Ng/Q0", {0: (0, 0), 1: (0, 0)}
        self.away = False
        self.asked = 0
        self.known: Acknowledged | None = Acknowledged()
        self.now_s = 0.0

    async def extents(self) -> Extent:
        self.asked += 1
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return Extent(self.topic_id, dict(self.offsets))

    async def read(self) -> Acknowledged | None:
        return self.known

    async def add(self, last: Mapping[int, int]) -> None:
        if self.known is not None:
            raised = {one: max(offset, self.known.last.get(one, 0)) for one, offset in last.items()}
            self.known = Acknowledged(self.known.shortened, {**self.known.last, **raised})

    async def shortened(self) -> int | None:
        if self.known is None:
            return None
        self.known = Acknowledged(self.known.shortened + 1)
        return self.known.shortened

    def replica(self) -> WatchedLog:
        return WatchedLog(self.extents, self, clock=lambda: self.now_s)

    async def store(self, log: WatchedLog, partition: int = 0) -> str:
        """One more note; gives its mark."""
        first, after = self.offsets[partition]
        self.offsets[partition] = (first, after + 1)
        (mark,) = await log.marks([(partition, after)])
        assert mark is not None
        return mark

    def later(self, seconds: float = LOOK_AGAIN_S + 1) -> None:
        self.now_s += seconds


async def held(log: WatchedLog, mark: str) -> bool:
    (found,) = await log.holds([mark])
    return found


def test_a_note_is_held_until_the_log_has_passed_it() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        log = cluster.replica()
        mark = await cluster.store(log)
        cluster.later(1)
        assert await held(log, mark)
        cluster.offsets[0] = (1, 1)
        cluster.later()
        assert not await held(log, mark)

    asyncio.run(scenario())


def test_what_another_replica_stored_is_seen_though_it_is_beyond_the_last_look() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        one, other = cluster.replica(), cluster.replica()
        await cluster.store(other)
        cluster.later(1)
        assert await held(other, await cluster.store(one))

    asyncio.run(scenario())


def test_what_was_stored_just_after_a_look_is_held() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        log = cluster.replica()
        mark = await cluster.store(log)
        cluster.later(1)
        for _ in range(3):
            assert await held(log, mark)  # looks
            cluster.later(JUST_NOW_S / 10)
            mark = await cluster.store(log)
            cluster.later(JUST_NOW_S / 10)
            assert await held(log, mark)

    asyncio.run(scenario())


def test_a_topic_made_anew_holds_nothing_of_before() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        log = cluster.replica()
        mark = await cluster.store(log)
        cluster.topic_id = "t2"
        cluster.later()
        assert not await held(log, mark)

    asyncio.run(scenario())


def test_what_the_log_lost_a_moment_ago_is_no_duplicate() -> None:
    def topic_anew(cluster: Cluster) -> None:
        cluster.topic_id = "t2"

    def by_age(cluster: Cluster) -> None:
        cluster.offsets[0] = (1, 1)

    def restored(cluster: Cluster) -> None:
        cluster.offsets[0] = (0, 0)

    async def scenario(lose: Callable[[Cluster], None]) -> None:
        cluster = Cluster()
        log = cluster.replica()
        mark = await cluster.store(log)
        cluster.later(1)
        assert await held(log, mark)
        lose(cluster)
        cluster.later(JUST_NOW_S)
        assert not await held(log, mark)

    for lose in (topic_anew, by_age, restored):
        asyncio.run(scenario(lose))


def test_a_log_restored_from_before_is_not_believed_even_when_it_has_grown_again() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        log = cluster.replica()
        await cluster.store(log)
        lost = await cluster.store(log)
        cluster.offsets[0] = (0, 1)  # restored, and the replicas started anew
        log = cluster.replica()
        other = await cluster.store(log, partition=1)  # any note makes it look
        cluster.offsets[0] = (0, 100)
        cluster.later()
        assert not await held(log, lost)
        assert not await held(cluster.replica(), lost)
        assert await held(log, other)
        assert cluster.known is not None
        assert cluster.known.shortened == 1
        cluster.later()
        assert await held(log, await cluster.store(log))

    asyncio.run(scenario())


def test_while_the_cluster_does_not_answer_nothing_is_a_duplicate_and_nothing_is_remembered() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        log = cluster.replica()
        mark = await cluster.store(log)
        cluster.away = True
        cluster.later()
        assert not await held(log, mark)
        assert await log.marks([(0, 7)]) == [None]
        cluster.away = False
        cluster.later()
        assert await held(log, mark)

    asyncio.run(scenario())


def test_without_redis_the_offsets_alone_tell() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        cluster.known = None
        log = cluster.replica()
        mark = await cluster.store(log)
        cluster.later(1)
        assert await held(log, mark)

    asyncio.run(scenario())


def test_many_requests_ask_the_cluster_once() -> None:
    async def scenario() -> None:
        cluster = Cluster()
        log = cluster.replica()
        mark = await cluster.store(log)
        cluster.later()
        await asyncio.gather(*(held(log, mark) for _ in range(100)))
        assert cluster.asked == 2

    asyncio.run(scenario())
