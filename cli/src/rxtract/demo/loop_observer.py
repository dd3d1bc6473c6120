"""Watches the loop from outside: alarms, model events, which model serves each note, what was labelled."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeVar

from contracts.records import (
    AnnotationValidated,
    DriftDetected,
    EntitiesExtracted,
    ModelEvent,
    ReviewRequested,
)
from contracts.topics import (
    ANNOTATIONS_VALIDATED,
    DRIFT_DETECTED,
    ENTITIES_EXTRACTED,
    MODEL_EVENTS,
    REVIEW_REQUESTED,
    prefixed,
)

from rxtract.reading import TopicReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from rxtract.addresses import StackAddresses
    from rxtract.reading import Seen

TOPICS = (ENTITIES_EXTRACTED, DRIFT_DETECTED, MODEL_EVENTS, REVIEW_REQUESTED, ANNOTATIONS_VALIDATED)
SLICE_S = 0.1
T = TypeVar("T")


@dataclass(slots=True)
class LoopSeen:
    """All that came, in its order on each topic; an event that was sent twice counts once."""

    alarms: list[DriftDetected] = field(default_factory=list)
    events: list[ModelEvent] = field(default_factory=list)
    extracted: dict[str, EntitiesExtracted] = field(default_factory=dict)
    requested: dict[str, ReviewRequested] = field(default_factory=dict)
    annotated: dict[str, AnnotationValidated] = field(default_factory=dict)
    first_by_version_s: dict[str, float] = field(default_factory=dict)

    def take(self, seen: Seen, now_s: float) -> None:
        """Count one record."""
        record = seen.record
        if isinstance(record, EntitiesExtracted):
            self.first_by_version_s.setdefault(record.model.version, now_s)
            known = self.extracted.get(record.note_id)
            if known is None or (record.revision, record.model.serial) >= (known.revision, known.model.serial):
                self.extracted[record.note_id] = record
        elif isinstance(record, DriftDetected):
            if (record.episode_id, record.level) not in {(one.episode_id, one.level) for one in self.alarms}:
                self.alarms.append(record)
        elif isinstance(record, ModelEvent):
            if record.event_id not in {one.event_id for one in self.events}:
                self.events.append(record)
        elif isinstance(record, ReviewRequested):
            self.requested[record.note_id] = record
        elif isinstance(record, AnnotationValidated):
            self.annotated[record.annotation_id] = record


class LoopObserver:
    """Reads the loop's topics from their start on a thread of its own while its block runs."""

    def __init__(self, addresses: StackAddresses) -> None:
        self._addresses = addresses
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._seen = LoopSeen()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="loop-observer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def look(self, question: Callable[[LoopSeen], T]) -> T:
        """Return the answer to a question about what was seen so far.

        Raises:
            BaseException: what ended the observer, if something did.
        """
        if self._error is not None:
            raise self._error
        with self._lock:
            return question(self._seen)

    def wait(
        self, question: Callable[[LoopSeen], bool], timeout_s: float, meanwhile: Callable[[], None] = lambda: None
    ) -> bool:
        """Ask again until the answer is yes or the time is over; `meanwhile` runs between two looks."""
        deadline = time.monotonic() + timeout_s
        while not self.look(question):
            if time.monotonic() > deadline:
                return False
            meanwhile()
            self._stop.wait(SLICE_S)
        return True

    def _run(self) -> None:
        names = [prefixed(self._addresses.topic_prefix, topic) for topic in TOPICS]
        try:
            for seen in TopicReader(self._addresses).read(names, follow=True, until=self._stop.is_set):
                with self._lock:
                    self._seen.take(seen, time.monotonic())
        except BaseException as error:  # noqa: BLE001 - handed to whoever looks next
            self._error = error
