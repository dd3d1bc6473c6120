"""From annotation events to labelled notes with roles: what counts, what is refused, and why, in numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping  # noqa: TC003 - a dataclass keeps its annotations resolvable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

from annotations.trust import ALL_TRUSTED
from annotations.verdicts import LABELLING, State, Verdict, newest, settle
from clinical_ner.dataset_duplicates import duplicates, leakage
from clinical_ner.guideline import META_KEY
from clinical_ner.notes import AnnotatedNote, Label, Span
from contracts.identity import note_key
from contracts.purposes import allows_training
from contracts.records import AnnotationValidated, EntityLabel, RelationType, Sample
from contracts.segments import holds

from lifecycle.roles import DEFAULT_SHARES, Role, Shares, role_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from annotations.trust import Trust


class Exclusion(StrEnum):
    """Why an annotation, or a note, is not in the data set."""

    REPEATED = "delivered more than once"
    OLDER_REVISION = "of an older revision of its note"
    OLDER_VERDICT = "replaced by a later one of the same annotator"
    SUPERSEDED = "settled by an adjudication"
    NO_LABELS = "skipped, unreadable or of an unknown outcome"
    HELD = "held: its annotator's labels do not count until a lead looks"
    HIDDEN_CHECK = "a hidden check: it judges the annotator, not the note"
    SEALED = "its text is sealed, so nothing can be learnt from it here"
    PURPOSE = "the patient agreed to a purpose that leaves training out"
    OTHER_TEXT = "its text differs from that of the same note and revision"
    BAD_OFFSETS = "an entity lies outside its text"
    CONTRADICTS_TEXT = "an entity's words are not those of its text"
    UNKNOWN_LABEL = "an entity of an unknown label"
    OVERLAP = "two entities overlap"
    CONFLICT = "annotators contradict each other and nobody adjudicated"
    AGREEMENT = "the same as another annotator's"
    DUPLICATE = "a duplicate, or nearly, of an earlier note"
    OTHER_ROLE_DUPLICATE = "nearly the text of an earlier note of another role"
    UNCERTAIN_SAMPLE = "chosen for the model's doubt, so it may not judge"


@dataclass(frozen=True, slots=True)
class LabelledNote:
    """A note with the truth about it, and where it belongs."""

    note: AnnotatedNote
    role: Role
    sample: Sample
    city: str
    specialty: str
    annotated_at: int

    def in_segment(self, segment: str | None) -> bool:
        """Whether the note belongs to a segment such as `city=Pune|specialty=cardiology`; None and "all" hold all."""
        return segment is None or holds(segment, city=self.city, specialty=self.specialty)


@dataclass(frozen=True, slots=True)
class Collection:
    """Clean notes in the order of their annotation, the count of what was left out by reason, and of identifiers replaced."""

    notes: tuple[LabelledNote, ...]
    read: int
    left_out: Mapping[Exclusion, int]
    replaced: Mapping[str, int] = field(default_factory=dict)

    def of(self, role: Role, *segments: str, since: int = 0) -> list[AnnotatedNote]:
        """Return the notes of a role; of any of the segments where some are named, and labelled since then (UTC ms)."""
        wanted = segments or (None,)
        return [
            item.note
            for item in self.notes
            if item.role is role and item.annotated_at >= since and any(map(item.in_segment, wanted))
        ]

    def report(self) -> dict[str, object]:
        """Return the counts as plain data; no texts."""
        roles = Counter(item.role for item in self.notes)
        return {
            "annotations_read": self.read,
            "notes": len(self.notes),
            "roles": {str(role): roles[role] for role in Role},
            "left_out": {reason.name.lower(): self.left_out.get(reason, 0) for reason in Exclusion},
            "identifiers_replaced": dict(sorted(self.replaced.items())),
        }


def collect(
    annotations: Iterable[AnnotationValidated],
    roles_key: bytes,
    shares: Shares = DEFAULT_SHARES,
    *,
    trust: Trust = ALL_TRUSTED,
) -> Collection:
    """Validate annotations, settle each note, give it its role, and set duplicates aside.

    A note of the UNCERTAIN sample is kept when its role is to train and dropped otherwise: it was chosen where the
    model doubts, so a score on such notes says nothing about all notes, and its patient must not train either.
    A near-duplicate of an earlier note of another role is dropped: so near-duplicates never lie in two roles, and a
    note's role never changes when later ones arrive.
    Labels that `trust` holds, and answers to hidden checks, teach nothing and judge nothing.
    """
    left_out: Counter[Exclusion] = Counter()
    given = _once(annotations, left_out)
    settled = [found for note in _by_note(given, left_out) if (found := _settle(note, trust, left_out)) is not None]
    settled.sort(key=lambda one: (one.annotated_at, one.annotation_id))
    placed = [_placed(one, role_of(one.patient_ref or _key(one), roles_key, shares)) for one in settled]
    allowed = [item for item in placed if item.role is Role.TRAIN or item.sample is not Sample.UNCERTAIN]
    left_out[Exclusion.UNCERTAIN_SAMPLE] += len(placed) - len(allowed)
    return Collection(tuple(_distinct(allowed, left_out)), sum(left_out.values()) + _kept(allowed, left_out), left_out)


def _kept(allowed: Sequence[LabelledNote], left_out: Mapping[Exclusion, int]) -> int:
    return len(allowed) - left_out.get(Exclusion.DUPLICATE, 0) - left_out.get(Exclusion.OTHER_ROLE_DUPLICATE, 0)


def _once(annotations: Iterable[AnnotationValidated], left_out: Counter[Exclusion]) -> list[AnnotationValidated]:
    found: dict[str, AnnotationValidated] = {}
    for annotation in annotations:
        if annotation.annotation_id in found:
            left_out[Exclusion.REPEATED] += 1
        else:
            found[annotation.annotation_id] = annotation
    return list(found.values())


def _by_note(
    annotations: Iterable[AnnotationValidated], left_out: Counter[Exclusion]
) -> list[list[AnnotationValidated]]:
    """Group by note; only the newest revision counts. Older answers of one annotator are counted here and passed over by `settle`."""
    notes: dict[str, list[AnnotationValidated]] = defaultdict(list)
    for annotation in annotations:
        notes[_key(annotation)].append(annotation)
    result = []
    for given in notes.values():
        newest_revision = max(annotation.revision for annotation in given)
        current = [annotation for annotation in given if annotation.revision == newest_revision]
        left_out[Exclusion.OLDER_REVISION] += len(given) - len(current)
        standing = {annotation.annotator: annotation for annotation in sorted(current, key=_turn)}
        left_out[Exclusion.OLDER_VERDICT] += len(current) - len(standing)
        result.append(current)
    return result


def _turn(annotation: AnnotationValidated) -> tuple[int, int, str]:
    return annotation.sequence, annotation.annotated_at, annotation.annotation_id


def _settle(
    annotations: Sequence[AnnotationValidated], trust: Trust, left_out: Counter[Exclusion]
) -> AnnotationValidated | None:
    """Return the annotation that settles the note (`annotations.verdicts.settle`); None when none does, or it cannot be used."""
    verdicts: dict[str, Verdict] = {}
    for annotation in sorted(annotations, key=_turn):
        verdicts[annotation.annotator] = newest(verdicts.get(annotation.annotator), Verdict.of(annotation))
    settlement = settle(verdicts.values(), trust)
    verdicts = _counting(verdicts, trust, left_out)
    labelled = sum(verdict.labels for verdict in verdicts.values())
    if settlement.verdict is None:
        disputed = labelled if settlement.state is State.DISPUTED else 0
        left_out[Exclusion.CONFLICT] += disputed
        left_out[Exclusion.NO_LABELS] += len(verdicts) - disputed
        return None
    left_out[Exclusion.NO_LABELS] += len(verdicts) - labelled
    left_out[Exclusion.SUPERSEDED if settlement.verdict.adjudicates else Exclusion.AGREEMENT] += labelled - 1
    found = {annotation.annotation_id: annotation for annotation in annotations}
    chosen = found[settlement.verdict.annotation_id]
    problem = problem_of(chosen)
    if problem is None and not settlement.verdict.adjudicates and _texts_differ(verdicts.values(), found):
        problem = Exclusion.OTHER_TEXT
    if problem is not None:
        left_out[problem] += 1
    return chosen if problem is None else None


def _counting(verdicts: Mapping[str, Verdict], trust: Trust, left_out: Counter[Exclusion]) -> dict[str, Verdict]:
    """The verdicts without those that `settle` passed over for whose they are, or why they were asked; they are counted here."""
    kept: dict[str, Verdict] = {}
    for annotator, verdict in verdicts.items():
        if verdict.counts(trust) or not verdict.judges:
            kept[annotator] = verdict
        else:
            left_out[Exclusion.HIDDEN_CHECK if verdict.is_check else Exclusion.HELD] += 1
    return kept


def _texts_differ(verdicts: Iterable[Verdict], found: Mapping[str, AnnotationValidated]) -> bool:
    return len({found[verdict.annotation_id].text for verdict in verdicts if verdict.labels}) > 1


def problem_of(annotation: AnnotationValidated) -> Exclusion | None:
    """Return why an annotation cannot be used by itself, or None."""
    if annotation.outcome.value not in LABELLING:
        return Exclusion.NO_LABELS
    if not allows_training(annotation.purpose):
        return Exclusion.PURPOSE
    if annotation.sealed is not None and not annotation.text:
        return Exclusion.SEALED
    return _problem_of_entities(annotation)


def _problem_of_entities(annotation: AnnotationValidated) -> Exclusion | None:
    end = 0
    for entity in sorted(annotation.entities, key=lambda entity: (entity.start, entity.end)):
        if not 0 <= entity.start < entity.end <= len(annotation.text):
            return Exclusion.BAD_OFFSETS
        if annotation.text[entity.start : entity.end] != entity.text:
            return Exclusion.CONTRADICTS_TEXT
        if entity.label is EntityLabel.UNKNOWN:
            return Exclusion.UNKNOWN_LABEL
        if entity.start < end:
            return Exclusion.OVERLAP
        end = entity.end
    return None


def _key(annotation: AnnotationValidated) -> str:
    return note_key(annotation.source, annotation.note_id)


def _placed(annotation: AnnotationValidated, role: Role) -> LabelledNote:
    entities = sorted(annotation.entities, key=lambda entity: entity.start)
    place = {entity.entity_id: index for index, entity in enumerate(entities)}
    pairs = tuple(
        (place[relation.treatment_id], place[relation.disease_id])
        for relation in annotation.relations
        if relation.type is RelationType.TREATS and relation.treatment_id in place and relation.disease_id in place
    )
    note = AnnotatedNote(
        annotation.text,
        tuple(Span(entity.start, entity.end, Label(str(entity.label))) for entity in entities),
        pairs,
        note_id=_key(annotation),
        group=annotation.patient_ref or _key(annotation),
        meta={META_KEY: annotation.guideline_version} if annotation.guideline_version else {},
        people=None
        if annotation.sample is Sample.IMPORTED
        else (annotation.patient_ref or _key(annotation), annotation.doctor_ref),
    )
    return LabelledNote(
        note, role, annotation.sample, annotation.segment.city, annotation.segment.specialty, annotation.annotated_at
    )


def _distinct(items: Sequence[LabelledNote], left_out: Counter[Exclusion]) -> list[LabelledNote]:
    """Drop later copies: exact ones everywhere, near ones where the earlier note has another role."""
    notes = [item.note for item in items]
    dropped: dict[int, Exclusion] = {}
    for pair in sorted(duplicates(notes), key=lambda pair: pair.second):
        if items[pair.first].role is not items[pair.second].role:
            dropped[pair.second] = Exclusion.OTHER_ROLE_DUPLICATE
        elif pair.exact:
            dropped[pair.second] = Exclusion.DUPLICATE
    while more := _across_roles([(index, item) for index, item in enumerate(items) if index not in dropped]):
        dropped |= dict.fromkeys(more, Exclusion.OTHER_ROLE_DUPLICATE)
    left_out.update(dropped.values())
    return [item for index, item in enumerate(items) if index not in dropped]


def _across_roles(items: Sequence[tuple[int, LabelledNote]]) -> set[int]:
    """Return the later of each two notes of different roles that are still alike.

    `duplicates` names a note's closest earlier like alone; another one, less close, may lie in another role.
    """
    sides = {role: [(index, item.note) for index, item in items if item.role is role] for role in Role}
    found = set()
    for left, right in combinations(sides.values(), 2):
        for pair in leakage([note for _, note in left], [note for _, note in right]):
            found.add(max(left[pair.first][0], right[pair.second][0]))
    return found
