"""Where comments to the lead stand on the topic of annotations: places, never words."""

from collections.abc import Sequence
from dataclasses import dataclass

from review_desk.adapters.store import KEEP_S, Store

KEEP_COMMENTS = 500


@dataclass(frozen=True, slots=True)
class CommentPlace:
    """An annotation that carries a comment."""

    note: str
    annotator: str
    partition: int
    offset: int


class CommentPlaces:
    """The newest comments. One annotator has one on a note: that of the newest record."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.redis

    def put(self, place: CommentPlace, at: int) -> None:
        """Remember a comment given at `at` (UTC milliseconds)."""
        member, ages = f"{place.annotator} {place.note}", self._store.key("commented")
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zadd(ages, {member: at})
            pipeline.zremrangebyrank(ages, 0, -KEEP_COMMENTS - 1)
            pipeline.expire(ages, KEEP_S)
            pipeline.set(self._store.key("comment", member), f"{place.partition} {place.offset}", ex=KEEP_S)
            pipeline.execute()

    def drop(self, note: str, annotator: str) -> None:
        """The annotator's newest word on the note has no comment any more."""
        member = f"{annotator} {note}"
        self._redis.zrem(self._store.key("commented"), member)
        self._redis.delete(self._store.key("comment", member))

    def newest(self, count: int) -> list[CommentPlace]:
        """The newest comments, the newest first."""
        return self._places(list(self._redis.zrevrange(self._store.key("commented"), 0, count - 1)))

    def on(self, note: str, annotators: Sequence[str]) -> list[CommentPlace]:
        """What these annotators wrote about a note."""
        return self._places([f"{annotator} {note}" for annotator in annotators])

    def _places(self, members: Sequence[str]) -> list[CommentPlace]:
        found = self._redis.mget([self._store.key("comment", member) for member in members]) if members else []
        places = []
        for member, place in zip(members, found, strict=True):
            if place is not None:
                annotator, _, note = member.partition(" ")
                partition, _, offset = place.partition(" ")
                places.append(CommentPlace(note, annotator, int(partition), int(offset)))
        return places
