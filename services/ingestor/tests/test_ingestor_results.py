"""First results in Redis: a Redis that is away costs nothing but deduplication."""

import asyncio

from ingestor.adapters.results import NoResults, RedisResults, connect, key_of
from ingestor.metrics import DEDUPLICATION_UP, METRICS
from runtime.service.metrics import Metrics


def test_a_dead_redis_is_asked_once_a_second_at_most() -> None:
    metrics, now = Metrics(METRICS), [0.0]
    calls: list[str] = []

    class Counting(RedisResults):
        def _rest(self, error: Exception) -> None:
            calls.append(type(error).__name__)
            super()._rest(error)

    async def scenario() -> None:
        results = Counting(connect("redis://127.0.0.1:1/0"), "t.", 60, metrics, clock=lambda: now[0])
        for _ in range(5):
            assert await results.find(["a", "b"]) == [None, None]
            await results.remember({"a": "1"})
        assert len(calls) == 1
        now[0] = 1.5
        await results.find(["a"])
        assert len(calls) == 2
        await results.close()

    asyncio.run(scenario())
    assert metrics.gauge(DEDUPLICATION_UP)._value.get() == 0


def test_keys_tell_nothing_and_do_not_run_together() -> None:
    assert key_of("ab", "c") != key_of("a", "bc")
    assert len(key_of("N1\ud800")) == 64


def test_no_redis_remembers_nothing() -> None:
    assert asyncio.run(NoResults().find(["a"])) == [None]
