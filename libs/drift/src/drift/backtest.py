"""What the watcher would have said on recorded notes: the same statistics, the same decisions, without a stream."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from itertools import count
from typing import NamedTuple

from contracts.records import DriftDetected, ModelRef
from contracts.segments import parts_of

from drift.config import DriftConfig
from drift.observation import NOTES_PER_RECORD, NoteNumbers, Observation, observe
from drift.reference import References
from drift.watcher import PartitionWatcher

_MODEL = ModelRef(name="backtest", version="0", serial=0)


class RecordedNote(NamedTuple):
    """What is known of a recorded note beside its text; an empty city or specialty makes no segment of its own."""

    city: str
    specialty: str
    written_at: int

    @property
    def accepted_at(self) -> int:
        """A recorded note was accepted when it was written."""
        return self.written_at


class Alarm(NamedTuple):
    """One statistic in one decision.

    Attributes:
        note_index: Of the note that decided, from 0.
        before: Mean of the statistic before the change.
        after: Mean since.
        evidence: The decision's sentence.
    """

    note_index: int
    segment: str
    statistic: str
    level: str
    direction: str
    before: float
    after: float
    evidence: str

    def to_dict(self) -> dict[str, object]:
        """As the command prints it."""
        return {
            "note_index": self.note_index,
            "segment": self.segment,
            "statistic": self.statistic,
            "level": self.level,
            "direction": self.direction,
            "from": self.before,
            "to": self.after,
        }


def backtest(
    batches: Iterable[Sequence[tuple[RecordedNote, NoteNumbers]]],
    references: References,
    zone: tzinfo,
    config: DriftConfig | None = None,
) -> Iterator[Alarm]:
    """Run the detector over notes in their order.

    Args:
        batches: Notes and their counts; how they are batched changes nothing.
        references: Of the model that counted.
        zone: In which evidence shows times.
        config: Thresholds; the watcher's own when left out.
    """
    watcher = PartitionWatcher(0, config or DriftConfig(), lambda _: references, zone)
    offsets = count()
    for observations in _blocks(batches):
        for record in observe(observations, _MODEL, 0):
            if not _names_a_place(record.segment):
                continue
            for event in watcher.apply(next(offsets), record).detected:
                yield from _alarms(record.last_offset, event)


def _blocks(batches: Iterable[Sequence[tuple[RecordedNote, NoteNumbers]]]) -> Iterator[list[Observation]]:
    """25 notes at a time, so that the segment of all notes closes a block with each."""
    held: list[Observation] = []
    indices = count()
    for batch in batches:
        for note, numbers in batch:
            held.append(Observation(next(indices), note, numbers))
            if len(held) == NOTES_PER_RECORD:
                yield held
                held = []
    yield held


def _names_a_place(segment: str) -> bool:
    return all(parts_of(segment).values())


def _alarms(note_index: int, event: DriftDetected) -> Iterator[Alarm]:
    for one in event.statistics:
        yield Alarm(
            note_index,
            event.segment,
            one.name,
            event.level.value,
            event.direction.value,
            one.before,
            one.after,
            event.evidence,
        )
