"""What the KPIs are computed from: the topics of a bounded window, folded into small counts.

A cell holds the sums of one (day, city, model version). A note, which is a source and its id, counts once, as its highest (revision, model
serial, rules serial): a newer row takes the older one's sums out again. Nothing here holds a text.
"""

from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from annotations.trust import ALL_TRUSTED
from contracts.identity import note_key
from contracts.origins import counts_as_live
from contracts.records import (
    AnnotationValidated,
    AnnotatorJudged,
    DriftDetected,
    DriftLevel,
    EntitiesExtracted,
    ModelEvent,
    ModelEventKind,
    Origin,
    ReviewReason,
    Sample,
)

from outcomes.cells import Cell, CellKey, NoteSums, latency_bin
from outcomes.days import day_of
from outcomes.examples import AUDIT, BEHIND, CORRECTED, HISTORY, REFUSED, REVIEW, STRAIGHT, Example, Newest
from outcomes.facts import is_fact
from outcomes.planning import Point
from outcomes.quality import AuditedNote, expected
from outcomes.remembered import MOST_NOTES, Remembered, Row
from outcomes.verdicts import CountedVerdict, NoteVerdicts

PROMPT_MS = 30_000
GO_STRAIGHT = frozenset({ReviewReason.NONE, ReviewReason.AUDIT})
INTAKE_DLQ, ACCEPTED_DLQ = "notes.submitted.v1.dlq", "notes.accepted.v1.dlq"


class Refusal(NamedTuple):
    """What dead letters are counted by.

    Attributes:
        live: False for those that are known to be of no live note.
    """

    day: str
    topic: str
    reason: str
    live: bool


class DeadLetter(NamedTuple):
    """What is known of a record that was refused.

    Attributes:
        at: When, UTC milliseconds.
        place: Topic, partition and offset.
        origin: The note's; None where it could not be read.
        note: Its key, `source|note_id`; "" where it is not known.
    """

    topic: str
    reason: str
    at: int
    place: str
    origin: Origin | None = None
    note: str = ""


_LABELS, _GOLD_F1 = "training/annotated", "gold/micro/challenger_f1"
"""Numbers of a trained version, as the gate names them."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One drift episode as far as it is known."""

    episode_id: str
    segment: str
    version: str
    began_at: int
    level: DriftLevel
    recovered_at: int | None = None

    def is_open_since(self, start_ms: int) -> bool:
        """Whether it is still open, or was at this time or later."""
        return self.recovered_at is None or self.recovered_at >= start_ms


@dataclass(frozen=True, slots=True)
class Promotion:
    """A model that began to serve."""

    version: str
    at: int
    rolled_back: bool


class Folded:
    """The state of all KPIs. Feed it records in the order of each partition; order between topics does not matter.

    Args:
        zone: Whose days are counted.
        most_notes: That are remembered one by one (`outcomes.remembered`).
    """

    def __init__(self, zone: ZoneInfo, most_notes: int = MOST_NOTES) -> None:
        self.zone = zone
        self.cells: dict[CellKey, Cell] = {}
        self.refused: dict[Refusal, int] = {}
        self.lost: dict[str, str] = {}
        """Live notes that were accepted and then given up, with the day; until they come out after all."""
        self.episodes: dict[str, Episode] = {}
        self.promotions: dict[int, Promotion] = {}
        self.trained: dict[str, Point] = {}
        """Of each version that was trained: its annotated notes and its F1 on the gate's gold."""
        self.awaits_approval = ""
        """The version that passed the gate and waits for a person; "" where none does."""
        self.audits: dict[str, AuditedNote] = {}
        self.began_at: int | None = None
        """When the first live note that is known was accepted, UTC milliseconds."""
        self.changes = 0
        self.audit_changes = 0
        self.notes = Remembered(most_notes)
        self._keys: dict[CellKey, CellKey] = {}
        self._verdicts: dict[str, NoteVerdicts] = {}
        self.trust = ALL_TRUSTED
        self.newest = Newest()
        self.models: dict[str, tuple[str, int]] = {}

    def cell(self, key: CellKey) -> Cell:
        """The cell of a day, city and version; made when it is not there."""
        return self.cells.setdefault(key, Cell())

    def extracted(self, event: EntitiesExtracted) -> None:
        """Take an entity event."""
        self._know_model(event.model.version, event.model.name, event.model.serial)
        if event.origin is not Origin.LIVE:
            return
        note = note_key(event.source, event.note_id)
        rank = (event.revision, event.model.serial, event.rules_serial)
        known = self.notes.get(note)
        if known is not None and known.rank >= rank:
            return
        self.began_at = min(event.accepted_at, self.began_at or event.accepted_at)
        key = self._key(event.accepted_at, event.segment.city, event.model.version)
        added = _sums_of(event)
        self.changes += 1
        if known is not None and known.key in self.cells:
            self.cells[known.key].take_note(known.sums, -1)
            self.newest.drop(_kind(known.sums), known.key, note)
        self.cell(key).take_note(added)
        self.lost.pop(note, None)
        self.notes.put(note, Row(*rank, key, added), known)
        if note in self._verdicts:
            self._judge(note)
        example = Example(note, f"{event.segment.city}, {event.review.reason}", event.extracted_at)
        self.newest.keep(_kind(added), key, example)

    def validated(self, annotation: AnnotationValidated) -> None:
        """Take an annotation."""
        if annotation.sample is Sample.IMPORTED:
            return
        if annotation.model is not None:
            self._know_model(annotation.model.version, annotation.model.name, annotation.model.serial)
        if not counts_as_live(annotation.origin):
            return
        version = annotation.model.version if annotation.model else ""
        key = self._key(annotation.annotated_at, annotation.segment.city, version)
        note = note_key(annotation.source, annotation.note_id)
        verdicts = self._verdicts.setdefault(note, NoteVerdicts())
        settled = verdicts.settled(self.trust)
        taken = verdicts.take(annotation, key)
        if taken is not None:
            self._count_seconds(*taken)
        self._count_decision(note, settled, verdicts.settled(self.trust))
        self._judge(note)

    def judged(self, event: AnnotatorJudged) -> None:
        """Take whose labels are held, or count again: the notes that this person answered are settled anew."""
        self.changes += 1
        theirs = [note for note, found in self._verdicts.items() if found.of(event.annotator)]
        before = {note: self._verdicts[note].settled(self.trust) for note in theirs}
        self.trust = self.trust.after(event)
        for note in theirs:
            self._count_decision(note, before[note], self._verdicts[note].settled(self.trust))
            self._judge(note)

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

    def model_event(self, event: ModelEvent) -> None:
        """Take a model event: only a promotion or a rollback changes who serves; a release of rules changes no model."""
        if event.rules_version is None and event.kind is ModelEventKind.APPROVAL_AWAITED:
            self.changes += 1
            self.awaits_approval = event.model_version or ""
        if event.kind is ModelEventKind.MODEL_TRAINED and event.model_version and _LABELS in event.metrics:
            self.changes += 1
            point = Point(int(event.metrics[_LABELS]), event.metrics.get(_GOLD_F1, 0.0))
            self.trained |= {event.model_version: point} if _GOLD_F1 in event.metrics else {}
        if event.rules_version is not None or event.kind not in {ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK}:
            return
        if event.serial is None or event.model_version is None:
            return
        self.changes += 1
        self._know_model(event.model_version, event.model_name, event.serial)
        back = event.kind is ModelEventKind.ROLLED_BACK
        self.awaits_approval = ""  # it was promoted, or was judged against a champion that does not serve any more
        self.promotions[event.serial] = Promotion(event.model_version, event.occurred_at, back)

    def dead_lettered(self, letter: DeadLetter) -> None:
        """Take a dead letter."""
        self.changes += 1
        key = Refusal(day_of(letter.at, self.zone), letter.topic, letter.reason, counts_as_live(letter.origin))
        self.refused[key] = self.refused.get(key, 0) + 1
        kind = BEHIND if letter.topic != INTAKE_DLQ else REFUSED if key.live else HISTORY
        self.newest.keep(kind, (key.day, "", ""), Example(letter.place, letter.reason, letter.at))
        if letter.topic == ACCEPTED_DLQ and key.live and letter.note not in self.notes:
            self.lost[letter.note or letter.place] = key.day

    def forget_before(self, day: str) -> None:
        """Drop what lies before a day: the window is bounded."""
        self.cells = {key: cell for key, cell in self.cells.items() if key[0] >= day}
        self._keys = {key: key for key in self._keys if key[0] >= day}
        self.refused = {key: times for key, times in self.refused.items() if key.day >= day}
        self.notes.forget_before(day)
        self.lost = {note: on for note, on in self.lost.items() if on >= day}
        self.newest.forget_before(day)
        self._verdicts = {note: found for note, found in self._verdicts.items() if found.newest_day() >= day}
        self.audits = {note: row for note, row in self.audits.items() if day_of(row.written_at, self.zone) >= day}

    def _know_model(self, version: str, name: str, serial: int) -> None:
        """Keep a version's newest serial: a rollback gives it another, and records of the older one may come later."""
        self.models[version] = max((name, serial), self.models.get(version, (name, serial)), key=itemgetter(1))

    def _key(self, at_ms: int, city: str, version: str) -> CellKey:
        """A cell's key, one object for all its notes."""
        key = (day_of(at_ms, self.zone), city, version)
        return self._keys.setdefault(key, key)

    def _count_seconds(self, before: CountedVerdict | None, verdict: CountedVerdict) -> None:
        self.changes += 1
        if before is not None and before.key in self.cells:
            self.cells[before.key].seconds -= before.seconds
        self.cell(verdict.key).seconds += verdict.seconds

    def _count_decision(self, note: str, before: CountedVerdict | None, verdict: CountedVerdict | None) -> None:
        """Count a note that people decided by the verdict that settles it."""
        if before == verdict:
            return
        if before is not None and before.key in self.cells:
            self.cells[before.key].take(_decision(before), -1)
            self.newest.drop(CORRECTED, before.key, note)
        if verdict is not None:
            self.cell(verdict.key).take(_decision(verdict))
        if verdict is not None and verdict.changes:
            example = Example(note, f"{verdict.key[1]}, {verdict.sample}", verdict.at)
            self.newest.keep(CORRECTED, verdict.key, example)

    def _judge(self, note: str) -> None:
        """Keep what the verdicts on a note of the audit measure; verdicts on a revision that a newer one has replaced measure nothing."""
        verdict = self._verdicts[note].audited(self.trust)
        known = self.notes.get(note)
        if verdict is not None and known is not None and known.revision > verdict.revision:
            verdict = None
        judged, before = None if verdict is None else verdict.audit, self.audits.pop(note, None)
        if before is not None:
            self.newest.drop(AUDIT, self._audit_key(before), note)
        if verdict is not None and judged is not None:
            self.audits[note] = judged
            self.newest.keep(AUDIT, self._audit_key(judged), Example(note, judged.city, verdict.at))
        if judged != before:
            self.audit_changes += 1
            self.changes += 1

    def _audit_key(self, note: AuditedNote) -> CellKey:
        return self._key(note.written_at, note.city, note.version)


def _kind(note: NoteSums) -> str:
    return STRAIGHT if note.straight else REVIEW


def _decision(verdict: CountedVerdict) -> Cell:
    return Cell(decided=1, changed=int(verdict.changes))


def _sums_of(event: EntitiesExtracted) -> NoteSums:
    latency_ms = max(0, event.extracted_at - event.accepted_at)
    promised = expected(event.note_confidence, [entity.confidence for entity in event.entities])
    return NoteSums(
        straight=int(event.review.reason in GO_STRAIGHT),
        prompt=int(latency_ms <= PROMPT_MS),
        mentions=len(event.entities),
        facts=sum(map(is_fact, event.entities)),
        right=promised.right,
        missed=promised.missed,
        latency=latency_bin(latency_ms),
    )
