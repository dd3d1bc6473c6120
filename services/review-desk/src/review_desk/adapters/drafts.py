"""Unfinished corrections in Redis, for a day."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from contracts.records import ReviewRequested
from contracts.wire import WireError
from sealing import PatientKeys
from sealing.codec import opened_beside, sealed_beside

from review_desk.adapters.store import Store
from review_desk.adapters.texts import Requests
from review_desk.domain.refusals import Conflict
from review_desk.domain.tasks import Task

DRAFT_S = 24 * 3600


class Drafts:
    """They hold how a treatment is taken, in words: where texts are sealed, so are they, and an erasure takes them along.

    Args:
        store: Where the desk keeps the rest.
        requests: Finds whose words they are, where they are sealed.
        keys: Of the patients; None where nothing is sealed.
    """

    def __init__(self, store: Store, requests: Requests, keys: PatientKeys | None) -> None:
        self._redis, self._key, self._requests, self._keys = store.redis, store.key, requests, keys

    def save(self, annotator: str, note: str, task: Task, draft: Mapping[str, Any]) -> None:
        """Keep an unfinished correction.

        Raises:
            Conflict: It cannot be sealed: the text is gone, or its patient was erased.
            Recoverable: The broker or the key store does not answer.
        """
        words = json.dumps(dict(draft))
        if self._keys is not None:
            request = self._requests.read(task.partition, task.offset)
            try:
                sealed = None if request is None else sealed_beside(request, words.encode(), self._keys)
            except WireError:
                sealed = None
            if sealed is None:
                raise Conflict("its text is gone")
            words = base64.b64encode(sealed).decode("ascii")
        self._redis.set(self._place(annotator, note, task.revision), words, ex=DRAFT_S)

    def read(self, annotator: str, note: str, request: ReviewRequested) -> Any:
        """An unfinished correction; None without one, where it cannot be opened any more, or was kept before sealing was switched on or off.

        Raises:
            KeyStoreAway: The store does not answer.
        """
        words = self._redis.get(self._place(annotator, note, request.revision))
        if words is None or words.startswith("{") == (self._keys is not None):
            return None
        if self._keys is not None:
            try:
                words = opened_beside(request, base64.b64decode(words), self._keys)
            except (WireError, ValueError):
                return None
        return json.loads(words)

    def drop(self, annotator: str, note: str, revision: int) -> None:
        """The correction is finished."""
        self._redis.delete(self._place(annotator, note, revision))

    def _place(self, annotator: str, note: str, revision: int) -> str:
        return self._key("draft", annotator, note, str(revision))
