"""The ledger's account, asked by HTTP. That of all notes is kept for a moment: the page must not wait for another service."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

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


@dataclass(frozen=True, slots=True)
class Waiting:
    """A submission of a note that has no effect yet; `at_ms` is when it was accepted, or sent where it is not accepted yet."""

    revision: int
    is_accepted: bool
    at_ms: int
    is_lost: bool


class NoAnswer(RuntimeError):
    """The ledger does not answer."""


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
            found = self._answer("/account")
            return Accounted(*(int(found[name]) for name in Accounted.__slots__))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def waiting(self, source: str, note_id: str) -> tuple[Waiting, ...]:
        """What of a note has no effect yet, the oldest revision first; some seconds old.

        Raises:
            NoAnswer: The ledger is away.
        """
        try:
            found = self._answer(f"/note?{urlencode({'source': source, 'note_id': note_id})}")
            return tuple(
                Waiting(int(one["revision"]), bool(one["is_accepted"]), int(one["at_ms"]), bool(one["is_lost"]))
                for one in found["waiting"]
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NoAnswer(type(error).__name__) from None

    def _answer(self, path: str) -> Any:
        with _OPENER.open(f"{self.url}{path}", timeout=_ANSWER_S) as answer:
            return json.load(answer)
