"""Unfinished corrections in Redis, for a day."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Protocol

from contracts.identity import note_key
from contracts.records import ReviewRequested
from contracts.wire import WireError
from sealing import PatientKeys
from sealing.codec import opened_beside, sealed_beside

from review_desk.adapters.store import Store

DRAFT_S = 24 * 3600


class Drafts(Protocol):
    """Keeps what a person has not finished."""

    def save(self, annotator: str, request: ReviewRequested, draft: Mapping[str, Any]) -> None:
        """Keep it."""

    def read(self, annotator: str, request: ReviewRequested) -> Any:
        """What was kept, or None."""

    def drop(self, annotator: str, note: str, revision: int) -> None:
        """It is finished."""


class RedisDrafts:
    """`Drafts` in Redis. They hold how a treatment is taken, in words: where texts are sealed, so are they, and an erasure takes them along.

    Args:
        store: Where the desk keeps the rest.
        keys: Of the patients; None where nothing is sealed.
    """

    def __init__(self, store: Store, keys: PatientKeys | None) -> None:
        self._redis, self._key, self._keys = store.redis, store.key, keys

    def save(self, annotator: str, request: ReviewRequested, draft: Mapping[str, Any]) -> None:
        """See `Drafts`.

        Raises:
            WireError: The patient was erased meanwhile.
            KeyStoreAway: The store does not answer.
        """
        words = json.dumps(dict(draft))
        if self._keys is not None:
            words = base64.b64encode(sealed_beside(request, words.encode(), self._keys)).decode("ascii")
        self._redis.set(
            self._place(annotator, note_key(request.source, request.note_id), request.revision), words, ex=DRAFT_S
        )

    def read(self, annotator: str, request: ReviewRequested) -> Any:
        """See `Drafts`. Nothing, where it cannot be opened any more, or was kept before sealing was switched on or off.

        Raises:
            KeyStoreAway: The store does not answer.
        """
        words = self._redis.get(self._place(annotator, note_key(request.source, request.note_id), request.revision))
        if words is None or words.startswith("{") == (self._keys is not None):
            return None
        if self._keys is not None:
            try:
                words = opened_beside(request, base64.b64decode(words), self._keys)
            except (WireError, ValueError):
                return None
        return json.loads(words)

    def drop(self, annotator: str, note: str, revision: int) -> None:
        """See `Drafts`."""
        self._redis.delete(self._place(annotator, note, revision))

    def _place(self, annotator: str, note: str, revision: int) -> str:
        return self._key("draft", annotator, note, str(revision))
