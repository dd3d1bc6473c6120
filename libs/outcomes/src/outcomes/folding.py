"""What the KPIs are computed from: the topics of a bounded window, folded into small counts.

A cell holds the sums of one (day, city, model version). A note counts once, as its highest (revision, model serial): a newer row takes
the older one's sums out again. Nothing here holds a text.
"""

from bisect import insort
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import ceil, log
from typing import NamedTuple
from zoneinfo import ZoneInfo

from contracts.records import (
    AnnotationOutcome,
    AnnotationValidated,
    DriftDetected,
    DriftLevel,
    EntitiesExtracted,
    ModelEvent,
    ModelEventKind,
    Origin,
    ReviewReason,
    Sample,
)

from outcomes.days import day_of
from outcomes.quality import AuditedNote, Expected, audited, expected, spans

KEEP_EXAMPLES = 20
LATENCY_STEP = log(1.04)  # a bin's middle is within 2 % of every value in it
PROMPT_MS = 30_000
DECIDED = frozenset({AnnotationOutcome.ACCEPTED, AnnotationOutcome.CORRECTED, AnnotationOutcome.ADJUDICATED})
STRAIGHT = frozenset({ReviewReason.NONE, ReviewReason.AUDIT})

CellKey = tuple[str, str, str]


class NoteSums(NamedTuple):
    """What one note adds to its cell. A tuple of plain numbers, because one is kept for every note of the window.

    Attributes:
        right: Mentions that are expected to be right.
        missed: Mentions that are expected to be missing.
        latency: Its bin.
    """

    straight: int
    prompt: int
    mentions: int
    right: float
    missed: float
    latency: int


@dataclass(slots=True)
class Cell:
    """Sums of one day, city and model version."""

    notes: int = 0
    straight: int = 0
    prompt: int = 0
    mentions: int = 0
    right: float = 0.0
    missed: float = 0.0
    latency_bins: Counter[int] = field(default_factory=Counter)
    decided: int = 0
    changed: int = 0
    seconds: float = 0.0

    @property
    def expected(self) -> Expected:
        """What the confidences of its notes promise."""
        return Expected(self.right, self.mentions - self.right, self.missed)

    def take_note(self, note: NoteSums, sign: int = 1) -> None:
        """Add a note, or take it out with sign -1."""
        self.notes += sign
        self.straight += sign * note.straight
        self.prompt += sign * note.prompt
        self.mentions += sign * note.mentions
        self.right += sign * note.right
        self.missed += sign * note.missed
        self.latency_bins[note.latency] += sign

    def take(self, other: "Cell", sign: int = 1) -> None:
        """Add another cell's sums, or take them out with sign -1."""
        self.notes += sign * other.notes
        self.straight += sign * other.straight
        self.prompt += sign * other.prompt
        self.mentions += sign * other.mentions
        self.right += sign * other.right
        self.missed += sign * other.missed
        for number, times in other.latency_bins.items():
            self.latency_bins[number] += sign * times
        self.decided += sign * other.decided
        self.changed += sign * other.changed
        self.seconds += sign * other.seconds


@dataclass(frozen=True, slots=True)
class Episode:
    """One drift episode as far as it is known."""

    episode_id: str
    segment: str
    version: str
    began_at: int
    level: DriftLevel
    recovered_at: int | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """A model that began to serve."""

    version: str
    at: int
    rolled_back: bool


@dataclass(frozen=True, slots=True)
class Example:
    """Where a number comes from: identities only, to be looked up by those who may."""

    kind: str
    identity: str
    words: str
    at: int


def latency_bin(latency_ms: int) -> int:
    """The bin of a latency; bins grow by 4 %."""
    return ceil(log(max(latency_ms, 1)) / LATENCY_STEP)


def quantile_ms(bins: Counter[int], share: float) -> float | None:
    """A quantile of binned latencies, within 2 %; None when there is none."""
    total = sum(bins.values())
    wanted = ceil(share * total)
    seen = 0
    for number in sorted(bins):
        seen += bins[number]
        if seen >= wanted and bins[number] > 0:
            return float(1.04 ** (number - 0.5)) if number > 0 else 1.0
    return None


class Folded:
    """The state of all KPIs. Feed it records in the order of each partition; order between topics does not matter.

    Args:
        zone: Whose days are counted.
        max_notes: Most notes that are remembered one by one; beyond it the oldest can no longer be superseded.
    """

    def __init__(self, zone: ZoneInfo, max_notes: int = 1_000_000) -> None:
        self.zone = zone
        self.cells: dict[CellKey, Cell] = {}
        self.refused: dict[tuple[str, str, str], int] = {}
        self.requested: dict[tuple[str, str], int] = {}
        self.episodes: dict[str, Episode] = {}
        self.promotions: dict[int, Promotion] = {}
        self.audits: dict[str, AuditedNote] = {}
        self.changes = 0
        self.audit_changes = 0
        self._max_notes = max_notes
        self._notes: OrderedDict[str, tuple[int, int, CellKey, NoteSums]] = OrderedDict()
        self._keys: dict[CellKey, CellKey] = {}
        self._decisions: dict[tuple[str, str], tuple[int, int, CellKey, Cell]] = {}
        self._audit_rank: dict[str, tuple[int, bool, str, int]] = {}
        self._examples: dict[str, list[Example]] = {}
        self.models: dict[str, tuple[str, int]] = {}

    def examples(self, kind: str) -> list[Example]:
        """The newest examples of a kind, newest first."""
        return self._examples.get(kind, [])[::-1]

    def cell(self, key: CellKey) -> Cell:
        """The cell of a day, city and version; made when it is not there."""
        return self.cells.setdefault(key, Cell())

    def extracted(self, event: EntitiesExtracted) -> None:
        """Take an entity event."""
        self.models[event.model.version] = (event.model.name, event.model.serial)
        if event.origin is not Origin.LIVE:
            return
        rank = (event.revision, event.model.serial)
        known = self._notes.get(event.note_id)
        if known is not None and known[:2] >= rank:
            return
        key = self._key(event.accepted_at, event.segment.city, event.model.version)
        added = _sums_of(event)
        self.changes += 1
        if known is not None and known[2] in self.cells:
            self.cells[known[2]].take_note(known[3], -1)
        self.cell(key).take_note(added)
        self._notes[event.note_id] = (*rank, key, added)
        if len(self._notes) > self._max_notes:
            self._notes.popitem(last=False)
        kind = "straight" if added.straight else "review"
        self._remember(Example(kind, event.note_id, f"{event.segment.city}, {event.review.reason}", event.extracted_at))

    def validated(self, annotation: AnnotationValidated) -> None:
        """Take a person's word."""
        if annotation.sample is Sample.IMPORTED:
            return
        if annotation.model is not None:
            self.models[annotation.model.version] = (annotation.model.name, annotation.model.serial)
        self._decide(annotation)
        if annotation.sample is Sample.AUDIT:
            self._audit(annotation)

    def detected(self, event: DriftDetected) -> None:
        """Take a drift event: it opens, worsens or ends an episode."""
        self.changes += 1
        old = self.episodes.get(event.episode_id)
        began = min(old.began_at, event.detected_at) if old else event.detected_at
        ended = old.recovered_at if old else None
        level = old.level if old else event.level
        if event.level is DriftLevel.RECOVERED:
            ended = event.detected_at
        elif old is None or event.level is DriftLevel.CRITICAL:
            level = event.level
        episode = Episode(event.episode_id, event.segment, event.model.version, began, level, ended)
        self.episodes[event.episode_id] = episode
        self._remember(Example("drift", event.episode_id, f"{event.segment}, {event.level}", event.detected_at))

    def model_event(self, event: ModelEvent) -> None:
        """Take a model event: only a promotion or a rollback changes who serves."""
        if event.kind not in {ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK}:
            return
        if event.serial is None or event.model_version is None:
            return
        self.changes += 1
        self.models[event.model_version] = (event.model_name, event.serial)
        back = event.kind is ModelEventKind.ROLLED_BACK
        self.promotions[event.serial] = Promotion(event.model_version, event.occurred_at, back)

    def dead_lettered(self, topic: str, reason: str, at_ms: int, place: str) -> None:
        """Take a dead letter; ``place`` is topic, partition and offset."""
        self.changes += 1
        key = (day_of(at_ms, self.zone), topic, reason)
        self.refused[key] = self.refused.get(key, 0) + 1
        self._remember(Example("refused", place, reason, at_ms))

    def review_requested(self, sample: Sample, at_ms: int) -> None:
        """Take a request for review."""
        self.changes += 1
        key = (day_of(at_ms, self.zone), sample.value)
        self.requested[key] = self.requested.get(key, 0) + 1

    def forget_before(self, day: str) -> None:
        """Drop what lies before a day: the window is bounded."""
        self.cells = {key: cell for key, cell in self.cells.items() if key[0] >= day}
        self._keys = {key: key for key in self._keys if key[0] >= day}
        self.refused = {key: times for key, times in self.refused.items() if key[0] >= day}
        self.requested = {key: times for key, times in self.requested.items() if key[0] >= day}
        self._notes = OrderedDict((note, row) for note, row in self._notes.items() if row[2][0] >= day)
        self._decisions = {who: row for who, row in self._decisions.items() if row[2][0] >= day}
        old = [note for note, row in self.audits.items() if day_of(row.written_at, self.zone) < day]
        for note in old:
            del self.audits[note]
            self._audit_rank.pop(note, None)

    def _key(self, at_ms: int, city: str, version: str) -> CellKey:
        """A cell's key, one object for all its notes."""
        key = (day_of(at_ms, self.zone), city, version)
        return self._keys.setdefault(key, key)

    def _replace(self, known: tuple[int, int, CellKey, Cell] | None, key: CellKey, added: Cell) -> None:
        self.changes += 1
        if known is not None and known[2] in self.cells:
            self.cells[known[2]].take(known[3], -1)
        self.cell(key).take(added)

    def _decide(self, annotation: AnnotationValidated) -> None:
        who = (annotation.note_id, annotation.annotator)
        rank = (annotation.revision, annotation.sequence)
        known = self._decisions.get(who)
        if known is not None and known[:2] >= rank:
            return
        version = annotation.model.version if annotation.model else ""
        key = self._key(annotation.annotated_at, annotation.segment.city, version)
        # A word carries the seconds of the words before it on the same revision; a newer revision was more work.
        earlier = known[3].seconds if known is not None and known[0] < annotation.revision else 0.0
        added = Cell(seconds=annotation.seconds_spent + earlier)
        if annotation.outcome in DECIDED:
            added.decided = 1
            added.changed = int(spans(annotation.predicted_entities) != spans(annotation.entities))
        self._replace(known, key, added)
        self._decisions[who] = (*rank, key, added)
        if added.changed:
            words = f"{annotation.segment.city}, {annotation.sample}"
            self._remember(Example("corrected", annotation.note_id, words, annotation.annotated_at))

    def _audit(self, annotation: AnnotationValidated) -> None:
        """Keep one judgement a note: an adjudication before the first validator, the newest word of each."""
        if annotation.outcome not in DECIDED or annotation.model is None:
            return
        adjudicated = annotation.outcome is AnnotationOutcome.ADJUDICATED
        rank = (annotation.revision, adjudicated, annotation.annotator, annotation.sequence)
        known = self._audit_rank.get(annotation.note_id)
        if known is not None and not _supersedes(rank, known):
            return
        self._audit_rank[annotation.note_id] = rank
        self.audits[annotation.note_id] = audited(annotation)
        self.audit_changes += 1
        self._remember(Example("audit", annotation.note_id, annotation.segment.city, annotation.annotated_at))

    def _remember(self, example: Example) -> None:
        """Keep the newest by their own time: at a start partitions come one after the other."""
        kept = self._examples.setdefault(example.kind, [])
        insort(kept, example, key=lambda one: one.at)
        del kept[:-KEEP_EXAMPLES]


def _supersedes(rank: tuple[int, bool, str, int], known: tuple[int, bool, str, int]) -> bool:
    if rank[:2] != known[:2]:
        return rank[:2] > known[:2]
    if rank[2] == known[2]:
        return rank[3] > known[3]
    return rank[1]  # of two validators the first counts until a lead decides; of two leads the last


def _sums_of(event: EntitiesExtracted) -> NoteSums:
    latency_ms = max(0, event.extracted_at - event.accepted_at)
    promised = expected(event.note_confidence, [entity.confidence for entity in event.entities])
    return NoteSums(
        straight=int(event.review.reason in STRAIGHT),
        prompt=int(latency_ms <= PROMPT_MS),
        mentions=len(event.entities),
        right=promised.right,
        missed=promised.missed,
        latency=latency_bin(latency_ms),
    )


def summed(folded: Folded, wanted: Callable[[CellKey], bool]) -> Cell:
    """The sums of all cells that are wanted."""
    total = Cell()
    for key, cell in folded.cells.items():
        if wanted(key):
            total.take(cell)
    return total


def selected(days: Iterable[str], city: str = "", version: str = "") -> Callable[[CellKey], bool]:
    """Cells of some days, and of one city and version where they are named."""
    chosen = frozenset(days)
    return lambda key: key[0] in chosen and city in {"", key[1]} and version in {"", key[2]}
