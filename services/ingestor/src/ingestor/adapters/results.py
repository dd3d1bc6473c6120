"""First results of what HTTP clients sent, kept in Redis for a while. Keys are hashes, values hold no text.

Redis is a convenience here: without it every note is accepted, since duplicates are harmless downstream.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics

from ingestor.metrics import DEDUPLICATION_UP

_log = get_logger(__name__)
_REST_S = 1.0
_TIMEOUT_S = 0.25


class FirstResults(Protocol):
    """Remembers the first result for a key."""

    async def find(self, keys: Sequence[str]) -> Sequence[str | None]:
        """What was remembered for each key; None for unknown ones, and for all while the store is away."""

    async def remember(self, results: Mapping[str, str]) -> None:
        """Remember results, for a limited time, in place of what the log has lost."""


def key_of(*parts: str) -> str:
    """A key that tells nothing about its parts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class RedisResults:
    """`FirstResults` in Redis. After an error it rests a second, so that a Redis that hangs costs little.

    Args:
        redis: Client with short time limits; see `connect`.
        prefix: Put before keys, for clusters that are shared.
        ttl_s: How long a result is remembered.
    """

    def __init__(
        self,
        redis: "Redis",
        prefix: str,
        ttl_s: int,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._prefix = f"{prefix}rxtract:ingestor:first:"
        self._ttl_s = ttl_s
        self._up = metrics.gauge(DEDUPLICATION_UP)
        self._clock = clock
        self._rests_until_s = 0.0
        self._up.set(1)

    async def find(self, keys: Sequence[str]) -> Sequence[str | None]:
        """See `FirstResults`."""
        if not keys or self._rests():
            return [None] * len(keys)
        try:
            found = await self._redis.mget([self._prefix + key for key in keys])
        except (RedisError, OSError) as error:
            self._rest(error)
            return [None] * len(keys)
        self._up.set(1)
        return [None if value is None else str(value) for value in found]

    async def remember(self, results: Mapping[str, str]) -> None:
        """See `FirstResults`."""
        if not results or self._rests():
            return
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key, value in results.items():
                    pipeline.set(self._prefix + key, value, ex=self._ttl_s)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            self._rest(error)

    async def close(self) -> None:
        """Close connections."""
        await self._redis.aclose()

    def _rests(self) -> bool:
        return self._clock() < self._rests_until_s

    def _rest(self, error: Exception) -> None:
        self._rests_until_s = self._clock() + _REST_S
        self._up.set(0)
        _log.warning("accepting without deduplication", error=type(error).__name__)


class NoResults:
    """`FirstResults` that remembers nothing: no Redis is configured."""

    async def find(self, keys: Sequence[str]) -> Sequence[str | None]:
        """See `FirstResults`."""
        return [None] * len(keys)

    async def remember(self, results: Mapping[str, str]) -> None:
        """See `FirstResults`."""


def connect(url: str) -> "Redis":
    """A client that gives up soon."""
    return Redis.from_url(
        url, decode_responses=True, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry_on_timeout=False
    )
