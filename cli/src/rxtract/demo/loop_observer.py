"""Watches the loop from outside: alarms, model events, which model serves each note, what was labelled."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from contracts.identity import note_key
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
)

from rxtract.observer import rank_of
from rxtract.watching import Watch

if TYPE_CHECKING:
    from runtime.kafka.seen import Seen

    from rxtract.addresses import StackAddresses

TOPICS = (ENTITIES_EXTRACTED, DRIFT_DETECTED, MODEL_EVENTS, REVIEW_REQUESTED, ANNOTATIONS_VALIDATED)


@dataclass(slots=True)
class LoopSeen:
    """All that came, in its order on each topic; an event that was sent twice counts once. Notes are named by their keys."""

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
            note = note_key(record.source, record.note_id)
            known = self.extracted.get(note)
            if known is None or rank_of(record) >= rank_of(known):
                self.extracted[note] = record
        elif isinstance(record, DriftDetected):
            if (record.episode_id, record.level) not in {(one.episode_id, one.level) for one in self.alarms}:
                self.alarms.append(record)
        elif isinstance(record, ModelEvent):
            if record.event_id not in {one.event_id for one in self.events}:
                self.events.append(record)
        elif isinstance(record, ReviewRequested):
            self.requested[note_key(record.source, record.note_id)] = record
        elif isinstance(record, AnnotationValidated):
            self.annotated[record.annotation_id] = record


class LoopObserver(Watch[LoopSeen]):
    """Reads the loop's topics."""

    def __init__(self, addresses: StackAddresses) -> None:
        seen = LoopSeen()
        super().__init__(addresses, TOPICS, seen, lambda one: seen.take(one, time.monotonic()), "loop-observer")
