"""The right to do a work alone, held in Redis for a bounded time: of two processes one works, and a dead one's work is taken over."""

import secrets
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from runtime.errors import Recoverable

_TAKE_OR_KEEP = """
local held = redis.call('GET', KEYS[1])
if not held then
    local fence = redis.call('INCR', KEYS[2])
    redis.call('SET', KEYS[1], fence .. ':' .. ARGV[1], 'PX', ARGV[2])
    return fence
end
local fence, token = string.match(held, '^(%d+):(.*)$')
if token ~= ARGV[1] then
    return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return tonumber(fence)
"""
"""One step in Redis: between a look and a write the lease could run out and be taken."""

_GIVE_BACK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Lease:
    """One holder at a time, by a token that nobody else has; each time it is taken it has a higher fence.

    Losing Redis loses nothing: what is to be done stands in the topics.

    Args:
        redis: Client.
        key: What is leased.
        seconds: Until a holder that says nothing has lost it.
    """

    def __init__(self, redis: Redis, key: str, seconds: float) -> None:
        self._redis = redis
        self._key = key
        self._fences = f"{{{key}}}:fence"  # the braces keep both keys in one slot of a Redis cluster
        self._ms = int(seconds * 1000)
        self._token = secrets.token_hex(16)
        self._fence = 0

    @property
    def fence(self) -> int:
        """Under which number it is held; 0 when it was not ours at the last look.

        Higher than that of every holder before: a process that stood still finds another number in its place, even when
        it has taken the lease again since.
        """
        return self._fence

    def hold(self) -> bool:
        """Take the lease, or keep it; False when another has it.

        Raises:
            Recoverable: Redis is away.
        """
        try:
            answer: Any = self._redis.eval(_TAKE_OR_KEEP, 2, self._key, self._fences, self._token, str(self._ms))
        except RedisError as error:
            raise _away(error) from None
        self._fence = int(answer)
        return self._fence > 0

    def is_held(self, fence: int) -> bool:
        """Whether it is ours now, and has been since it was taken under that fence: asked of Redis, not remembered.

        Raises:
            Recoverable: Redis is away.
        """
        try:
            value: Any = self._redis.get(self._key)
        except RedisError as error:
            raise _away(error) from None
        return bool(value == self._value(fence).encode())

    def release(self) -> None:
        """Give it back, if it is ours; does nothing when Redis is away."""
        try:
            self._redis.eval(_GIVE_BACK, 1, self._key, self._value(self._fence))
        except RedisError:
            return

    def _value(self, fence: int) -> str:
        return f"{fence}:{self._token}"


def _away(error: RedisError) -> Recoverable:
    return Recoverable(f"Redis cannot be asked for the lease ({type(error).__name__})")
