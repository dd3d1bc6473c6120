"""The right to do a work alone, held in Redis for a bounded time: of two processes one works, and a dead one's work is taken over."""

import secrets
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from runtime.errors import Recoverable


class Lease:
    """One holder at a time, by a token that nobody else has.

    Losing Redis loses nothing: what is to be done stands in the topics.

    Args:
        redis: Client.
        key: What is leased.
        seconds: Until a holder that says nothing has lost it.
    """

    def __init__(self, redis: Redis, key: str, seconds: float) -> None:
        self._redis = redis
        self._key = key
        self._ms = int(seconds * 1000)
        self._token = secrets.token_hex(16)

    def hold(self) -> bool:
        """Take the lease, or keep it; False when another has it.

        Raises:
            Recoverable: Redis is away.
        """
        try:
            if self._redis.set(self._key, self._token, nx=True, px=self._ms):
                return True
            if self._holder() != self._token:
                return False
            # Between the look and this the lease may run out and be taken: then the next call says so, and what is
            # published meanwhile has the same identities as what the other one publishes.
            return bool(self._redis.pexpire(self._key, self._ms))
        except RedisError as error:
            raise Recoverable(f"Redis cannot be asked for the lease ({type(error).__name__})") from None

    def release(self) -> None:
        """Give it back, if it is ours; does nothing when Redis is away."""
        try:
            if self._holder() == self._token:
                self._redis.delete(self._key)
        except RedisError:
            return

    def _holder(self) -> str:
        value: Any = self._redis.get(self._key)
        return value.decode() if isinstance(value, bytes) else str(value or "")
