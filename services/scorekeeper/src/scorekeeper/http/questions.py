"""The answers to the ready questions, kept for a while: asking the records at rest costs a second when they are many."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outcomes.questions import READY_BY_NAME, UNREADABLE, NoRecordsAtRest, ask, open_records
from outcomes.sealed_rows import OpenWords
from runtime.service.logs import get_logger

KEEP_S = 15.0
SHOWN = ("diseases-by-city-and-week", "treatments-per-disease", "rising-mentions")
"""What the page shows; the others are for `rxtract sql`."""
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answers:
    """Rows of each question that is shown by its name, and how many notes they were asked of. Empty before the first file.

    Attributes:
        stale: The records could not be read: these are the answers before.
    """

    notes: int
    rows: dict[str, list[tuple[Any, ...]]]
    stale: bool = False


class Questions:
    """Asks, one at a time; who comes meanwhile gets the answers before.

    Args:
        folder: Of the records at rest.
        least_patients: Patients on which a row must rest.
        opens: Opens the words of sealed rows.
    """

    def __init__(
        self,
        folder: Path,
        least_patients: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        opens: OpenWords | None = None,
    ) -> None:
        self._folder = folder
        self._opens = opens
        self._least_patients = least_patients
        self._clock = clock
        self._lock = threading.Lock()
        self._answers = Answers(0, {})
        self._asked_at_s = -KEEP_S

    def answers(self) -> Answers:
        """The answers, not older than `KEEP_S` unless they are being asked for just now."""
        if self._clock() - self._asked_at_s >= KEEP_S and self._lock.acquire(blocking=False):
            try:
                self._answers = self._ask_or_keep()
                self._asked_at_s = self._clock()
            finally:
                self._lock.release()
        return self._answers

    def _ask_or_keep(self) -> Answers:
        """The numbers of the page do not rest on these answers, so whatever is wrong with the files must not hide them."""
        try:
            return self._ask()
        except UNREADABLE as error:
            _log.error(
                "the records at rest cannot be read", error=type(error).__name__
            )  # its text may name what is in them
            return replace(self._answers, stale=True)

    def _ask(self) -> Answers:
        try:
            connection = open_records(self._folder, opens=self._opens)
        except NoRecordsAtRest:
            return Answers(0, {})
        with connection:
            (notes,) = connection.execute("SELECT count(*) FROM notes").fetchall()[0]
            rows = {name: ask(connection, READY_BY_NAME[name], self._least_patients) for name in SHOWN}
            return Answers(int(notes), rows)
