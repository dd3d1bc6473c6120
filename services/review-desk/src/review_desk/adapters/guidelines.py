"""The versions of the guideline in Redis, as the topic of changes has them. They are the leads' words, and hold no note's text."""

import json
from dataclasses import dataclass

from clinical_ner.guideline import SHIPPED_VERSION, Guideline, order_of, shipped

from review_desk.adapters.store import KEEP_S, Store


@dataclass(frozen=True, slots=True)
class Edit:
    """A version that a lead wrote: by which pseudonym, and when (UTC milliseconds)."""

    guideline: Guideline
    by: str
    at: int


class Guidelines:
    """Every version that was written at this desk; the shipped one stands before the first."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._key = store.key("guidelines")

    def put(self, edit: Edit) -> None:
        """Keep a version. The same one again changes nothing: of two that came at once the first one stays."""
        kept = json.dumps([edit.guideline.text, edit.by, edit.at])
        self._redis.hsetnx(self._key, edit.guideline.version, kept)
        self._redis.expire(self._key, KEEP_S)

    def version(self) -> str:
        """The version that counts now: the newest one written here, else the shipped one."""
        return max(self._redis.hkeys(self._key), key=order_of, default=SHIPPED_VERSION)

    def versions(self) -> list[str]:
        """All of them, the newest first."""
        return sorted({SHIPPED_VERSION, *self._redis.hkeys(self._key)}, key=order_of, reverse=True)

    def get(self, version: str) -> Edit | None:
        """One version; None when it was never written."""
        found = self._redis.hget(self._key, version)
        if found is not None:
            text, by, at = json.loads(found)
            return Edit(Guideline(version, text), by, at)
        return Edit(shipped(), "", 0) if version == SHIPPED_VERSION else None
