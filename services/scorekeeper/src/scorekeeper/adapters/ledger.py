"""The ledger's account of all notes, asked by HTTP and kept for a moment: the page must not wait for another service."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

KEEP_S = 5.0
_ANSWER_S = 1.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the ledger stands beside us


@dataclass(frozen=True, slots=True)
class Accounted:
    """What became of all notes: submitted = effects + dead_letters + open + lost."""

    submitted: int
    effects: int
    dead_letters: int
    open: int
    lost: int


class LedgerAccount:
    """Asks, one at a time; who comes meanwhile gets the answer before.

    Args:
        url: Of the ledger's health port; "": there is none.
        clock: Monotonic seconds.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Accounted | None = None
        self._asked_at_s = -KEEP_S

    def __call__(self) -> Accounted | None:
        """The account, at most `KEEP_S` old; None: the ledger does not answer, or there is none."""
        if self.url and self._clock() - self._asked_at_s >= KEEP_S and self._lock.acquire(blocking=False):
            try:
                self._known = self._ask()
                self._asked_at_s = self._clock()
            finally:
                self._lock.release()
        return self._known

    def _ask(self) -> Accounted | None:
        try:
            with _OPENER.open(f"{self.url}/account", timeout=_ANSWER_S) as answer:
                found = json.load(answer)
            return Accounted(*(int(found[name]) for name in Accounted.__slots__))
        except (OSError, ValueError, KeyError, TypeError):
            return None
