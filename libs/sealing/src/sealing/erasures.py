"""Erasures as a service notices them: for what it holds itself beside the topics, in files and in memory."""

import time
from collections.abc import Callable

from sealing.keys import LOOK_EVERY_S
from sealing.store import KeyStore

SETTLED_S = 3 * LOOK_EVERY_S
"""After so long nothing is opened any more with a key that was destroyed: what is cleared then stays clear."""


class Erasures:
    """Gives each erasure once, when it has settled; after a start all that there ever were. Belongs to one thread.

    Args:
        store: The key store.
        clock: Monotonic seconds.
    """

    def __init__(self, store: KeyStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._last = 0
        self._generation = -1
        self._asked_at_s = -LOOK_EVERY_S
        self._pending: list[tuple[float, str]] = []

    def due(self) -> list[str]:
        """Pseudonyms of patients whose texts must go now.

        Raises:
            KeyStoreAway: The store does not answer; ask again.
        """
        now_s = self._clock()
        if now_s - self._asked_at_s >= LOOK_EVERY_S:
            self._asked_at_s = now_s
            self._ask(now_s)
        settled = [subject for at_s, subject in self._pending if now_s - at_s >= SETTLED_S]
        self._pending = [(at_s, subject) for at_s, subject in self._pending if now_s - at_s < SETTLED_S]
        return settled

    def _ask(self, now_s: float) -> None:
        generation = self._store.generation()
        if generation == self._generation:
            return
        found = self._store.erasures(self._last)
        self._generation = generation
        self._pending += [(now_s, one.subject) for one in found]
        self._last = max((one.number for one in found), default=self._last)
