"""Who has decided something, by pseudonym."""

from collections.abc import Collection

from review_desk.adapters.store import KEEP_S, Store


class Deciders:
    """Annotators of the last month and more, whoever has a token now."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._key = store.key("deciders")

    def put(self, annotators: Collection[str]) -> None:
        """Remember them."""
        if annotators:
            self._redis.sadd(self._key, *annotators)
            self._redis.expire(self._key, KEEP_S)

    def all(self) -> set[str]:
        """All of them."""
        return set(self._redis.smembers(self._key))
