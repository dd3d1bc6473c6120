"""Watches the outcome of every note from outside, as a downstream consumer would: its own reader, its own clock."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeVar

from contracts.topics import ENTITIES_EXTRACTED, NOTES_ACCEPTED, NOTES_SUBMITTED, dlq_of, prefixed

from rxtract.reading import Seen, TopicReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from contracts.records import EntitiesExtracted

    from rxtract.addresses import StackAddresses

SLICE_S = 0.1
T = TypeVar("T")


@dataclass(slots=True)
class Outcomes:
    """What was seen so far. Entity events by note id, the one with the highest (revision, model serial) for each."""

    events: dict[str, EntitiesExtracted] = field(default_factory=dict)
    entities: int = 0
    duplicates: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    dead: list[Seen] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)

    def take(self, seen: Seen, now_ms: float) -> None:
        """Count one record."""
        if seen.topic.endswith(dlq_of("")):
            self.dead.append(seen)
            return
        event = seen.record
        if event is None:
            return
        known = self.events.get(event.note_id)
        self.duplicates += known is not None
        if known is None or (event.revision, event.model.serial) >= (known.revision, known.model.serial):
            self.events[event.note_id] = event
        if known is None:
            self.entities += len(event.entities)
            self.latencies_ms.append(now_ms - event.accepted_at)
        self.versions.add(event.model.version)

    def percentile_ms(self, share: float) -> float:
        """Return the latency that `share` of the notes were within, from accepted to seen here; 0 before the first."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Observer:
    """Reads entities and dead letters on a thread of its own while its block runs."""

    def __init__(self, addresses: StackAddresses) -> None:
        self._addresses = addresses
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._outcomes = Outcomes()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def look(self, question: Callable[[Outcomes], T]) -> T:
        """Return the answer to a question about what was seen so far.

        Raises:
            BaseException: what ended the observer, if something did.
        """
        if self._error is not None:
            raise self._error
        with self._lock:
            return question(self._outcomes)

    def wait(self, question: Callable[[Outcomes], bool], timeout_s: float, meanwhile: Callable[[], None]) -> bool:
        """Ask again until the answer is yes or the time is over; `meanwhile` runs between two looks."""
        deadline = time.monotonic() + timeout_s
        while not self.look(question):
            if time.monotonic() > deadline:
                return False
            meanwhile()
            self._stop.wait(SLICE_S)
        return True

    def _run(self) -> None:
        topics = [ENTITIES_EXTRACTED, dlq_of(NOTES_ACCEPTED), dlq_of(NOTES_SUBMITTED)]
        names = [prefixed(self._addresses.topic_prefix, topic) for topic in topics]
        try:
            for seen in TopicReader(self._addresses).read(names, follow=True, until=self._stop.is_set):
                with self._lock:
                    self._outcomes.take(seen, time.time() * 1000)
        except BaseException as error:  # noqa: BLE001 - handed to whoever looks next
            self._error = error
