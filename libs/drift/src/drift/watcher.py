"""All that the drift-watcher decides, as a function of one partition of statistics.observed.v1 and nothing else.

The same records in the same order give the same state and the same decisions, however often the process that applies them dies.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import NamedTuple

from contracts.records import DriftDetected, DriftLevel, ModelCommand, ModelRef, StatisticsObserved

from drift.config import DriftConfig
from drift.events import commands_of, detected
from drift.reference import References
from drift.segment import LevelChange, SegmentWatch

FindReferences = Callable[[ModelRef], References]
"""The reference statistics of a model; empty when it has none (its records are then counted, not judged). May raise: try again later."""

_EXPIRY_EVERY = 256
_VERSIONS_KEPT = 10


class Outcome(NamedTuple):
    """What one record led to."""

    detected: tuple[DriftDetected, ...] = ()
    commands: tuple[ModelCommand, ...] = ()


NOTHING = Outcome()


class _Ruling(NamedTuple):
    """An event, and the model to go back to."""

    event: DriftDetected
    go_back_to: ModelRef | None


@dataclass(slots=True)
class Counts:
    """What happened so far; part of the state.

    Attributes:
        dropped: Ranges that were seen before, wholly or partly.
        stale: Records of a model that was replaced.
        unjudged: Records of a model without reference statistics.
    """

    dropped: int = 0
    stale: int = 0
    unjudged: int = 0


@dataclass(slots=True)
class PartitionWatcher:
    """The watcher of one source partition.

    Attributes:
        partition: Of statistics.observed.v1.
        find: Where references come from; asked at the first record of a model, before anything changes.
        zone: In which times are shown in evidence.
        last_offset: Last offset that was applied; -1 before the first.
        clock: Record time: the latest seen, but no single record moves it far.
        previous: The model that was watched before; None when this one's first notes could not be judged against it.
        left: Versions that a rollback was asked for; none is gone back to.
        saved_offset: At which offset the state was last due to be saved.
        saved_at: Record time of that.
    """

    partition: int
    config: DriftConfig
    find: FindReferences
    zone: tzinfo
    last_offset: int = -1
    clock: int = 0
    model: ModelRef | None = None
    previous: ModelRef | None = None
    left: list[str] = field(default_factory=list)
    saved_offset: int = -1
    saved_at: int = 0
    references: References = field(default_factory=dict)
    segments: dict[str, SegmentWatch] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)

    def apply(self, offset: int, record: StatisticsObserved) -> Outcome:
        """Take the record at an offset. One that was applied already changes nothing.

        Raises:
            Exception: Whatever finding the references of a newer model raises; nothing has changed then.
        """
        if offset <= self.last_offset:
            return NOTHING
        rulings = self._follow_model(offset, record)
        self.last_offset = offset
        self._advance(record.observed_at)
        if self.model is None or record.model.serial < self.model.serial:
            self.counts.stale += 1
            return _outcome(rulings)
        segment = self._segment(record.segment)
        segment.seen_at = self.clock
        if not segment.seen.is_new(record.note_partition, record.first_offset, record.last_offset):
            self.counts.dropped += 1
        elif not self.references:
            self.counts.unjudged += 1
        else:
            for decision in segment.add(record, self.references, self.clock, self.config):
                rulings.append(self._rule(record.segment, decision, offset))
        if offset % _EXPIRY_EVERY == 0:
            rulings += self._expire(offset)
        return _outcome(rulings)

    def skip(self, offset: int) -> None:
        """Pass over a record that could not be read."""
        self.last_offset = max(self.last_offset, offset)

    def look_again(self) -> None:
        """Ask once more for references that the model has none of; between two batches, as it may raise like `find`.

        Whoever puts a missing version back heals its watching by that; where it goes on is then no function of the partition.
        """
        if self.model is not None and not self.references:
            self.references = self.find(self.model)
            if self.references:
                # Its first notes went unjudged: what later ones show may have begun long after the promotion.
                self.previous = None

    def is_save_due(self, every_records: int, every_ms: int) -> bool:
        """Whether the state is to be saved after this record: a function of the partition too, so that replays save alike."""
        return self.last_offset - self.saved_offset >= every_records or abs(self.clock - self.saved_at) >= every_ms

    def mark_saved(self) -> None:
        """Note where we are; to be called directly before the state is written."""
        self.saved_offset, self.saved_at = self.last_offset, self.clock

    def _follow_model(self, offset: int, record: StatisticsObserved) -> list[_Ruling]:
        """Begin anew at the first record of a newer model; a promotion ends every episode."""
        if self.model is not None and record.model.serial <= self.model.serial:
            return []
        references = self.find(record.model)
        rulings = self._end_all(offset, list(self.segments), f"model {record.model.version} serves now")
        self.segments = {key: segment.succeed(self.config) for key, segment in self.segments.items()}
        self.previous, self.model, self.references = self.model, record.model, references
        return rulings

    def _advance(self, observed_at: int) -> None:
        if self.clock == 0:
            self.clock = observed_at
        elif observed_at > self.clock:
            self.clock = min(observed_at, self.clock + self.config.max_clock_step_ms)

    def _segment(self, key: str) -> SegmentWatch:
        segment = self.segments.get(key)
        if segment is None:
            segment = self.segments[key] = SegmentWatch()
            self._make_room(key)
        return segment

    def _make_room(self, newcomer: str) -> None:
        if len(self.segments) > self.config.max_segments:
            others = [key for key in self.segments if key != newcomer]
            del self.segments[
                min(others, key=lambda key: (self.segments[key].episode is not None, self.segments[key].seen_at, key))
            ]

    def _expire(self, offset: int) -> list[_Ruling]:
        gone = [key for key, segment in self.segments.items() if self.clock - segment.seen_at >= self.config.expiry_ms]
        rulings = self._end_all(offset, gone, "no notes any more")
        for key in gone:
            del self.segments[key]
        return rulings

    def _end_all(self, offset: int, keys: list[str], why: str) -> list[_Ruling]:
        ended = [(key, self.segments[key].end(why)) for key in sorted(keys)]
        return [self._rule(key, decision, offset) for key, decision in ended if decision is not None]

    def _rule(self, key: str, decision: LevelChange, offset: int) -> _Ruling:
        """Make the event of a decision, and note it with the episode."""
        assert self.model is not None  # noqa: S101 - nothing is decided before the first model is known
        if self.previous is None:
            decision = decision._replace(by_promotion=False)
        segment = self.segments[key]
        episode = segment.episode
        known_as = "" if episode is None else episode.id
        source = (self.partition, offset)
        event = detected(key, decision, known_as, self.model, self.references, source, self.clock, self.zone)
        if decision.level is DriftLevel.RECOVERED:
            segment.episode = None
        elif episode is not None:
            episode.id = event.episode_id
        return _Ruling(event, self._go_back_to(decision))

    def _go_back_to(self, decision: LevelChange) -> ModelRef | None:
        """The model before, when this one was bad from its first note on; asked for once, and never back to one that was left."""
        if not decision.by_promotion or self.model is None or self.previous is None:
            return None
        if decision.level is not DriftLevel.CRITICAL or {self.model.version, self.previous.version} & set(self.left):
            return None
        self.left = [*self.left, self.model.version][-_VERSIONS_KEPT:]
        return self.previous


def _outcome(rulings: list[_Ruling]) -> Outcome:
    if not rulings:
        return NOTHING
    commands = [command for ruling in rulings for command in commands_of(ruling.event, ruling.go_back_to)]
    return Outcome(tuple(ruling.event for ruling in rulings), tuple(commands))
