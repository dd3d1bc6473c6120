"""For whom segments are reserved, in Redis, as the topic of changes has it."""

import json
from collections.abc import Collection, Mapping

from review_desk.adapters.store import KEEP_S, Store


class Reservations:
    """Segments whose notes go to some people alone. The newest change of a segment counts, in whatever order they come."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._key = store.key("reservations")

    def put(self, segment: str, annotators: Collection[str], at: int) -> None:
        """Reserve a segment from `at` (UTC milliseconds) on; for nobody: release it."""
        before = self._redis.hget(self._key, segment)
        if before is None or json.loads(before)[0] <= at:
            self._redis.hset(self._key, segment, json.dumps([at, sorted(annotators)]))
            self._redis.expire(self._key, KEEP_S)

    def all(self) -> Mapping[str, Collection[str]]:
        """Annotators by reserved segment."""
        kept = {segment: json.loads(found)[1] for segment, found in self._redis.hgetall(self._key).items()}
        return {segment: frozenset(annotators) for segment, annotators in kept.items() if annotators}
