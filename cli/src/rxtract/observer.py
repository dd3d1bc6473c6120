"""Watches the outcome of every note from outside, as a downstream consumer would, by a clock of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from contracts.identity import note_key
from contracts.topics import ENTITIES_EXTRACTED, NOTES_ACCEPTED, NOTES_SUBMITTED, dlq_of

from rxtract.watching import Watch

if TYPE_CHECKING:
    from contracts.records import EntitiesExtracted
    from runtime.kafka.seen import Seen

    from rxtract.addresses import StackAddresses


def rank_of(event: EntitiesExtracted) -> tuple[int, int, int]:
    """For a note the event with the highest counts: revision, model, rules."""
    return event.revision, event.model.serial, event.rules_serial


@dataclass(slots=True)
class Outcomes:
    """What was seen so far. Entity events by the note's key, the one that counts for each."""

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
        note = note_key(event.source, event.note_id)
        known = self.events.get(note)
        self.duplicates += known is not None
        if known is None or rank_of(event) >= rank_of(known):
            self.events[note] = event
        if known is None:
            self.entities += len(event.entities)
            self.latencies_ms.append(now_ms - event.accepted_at)
        self.versions.add(event.model.version)

    def percentile_ms(self, share: float) -> float:
        """Return the latency that `share` of the notes were within, from accepted to seen here; 0 before the first."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Observer(Watch[Outcomes]):
    """Reads entities and dead letters."""

    def __init__(self, addresses: StackAddresses) -> None:
        seen = Outcomes()
        topics = (ENTITIES_EXTRACTED, dlq_of(NOTES_ACCEPTED), dlq_of(NOTES_SUBMITTED))
        super().__init__(addresses, topics, seen, lambda one: seen.take(one, time.time() * 1000), "observer")
