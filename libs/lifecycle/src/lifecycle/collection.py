"""From annotation events to labelled notes with roles: what counts, what is refused, and why, in numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping  # noqa: TC003 - a dataclass keeps its annotations resolvable
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

from clinical_ner.dataset_duplicates import duplicates, leakage
from clinical_ner.notes import AnnotatedNote, Label, Span
from contracts.identity import note_key
from contracts.records import AnnotationOutcome, AnnotationValidated, EntityLabel, RelationType, Sample

from lifecycle.roles import DEFAULT_SHARES, Role, Shares, role_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LABELLED = (AnnotationOutcome.ACCEPTED, AnnotationOutcome.CORRECTED, AnnotationOutcome.ADJUDICATED)


class Reason(StrEnum):
    """Why an annotation, or a note, is not in the data set."""

    REPEATED = "delivered more than once"
    OLDER_REVISION = "of an older revision of its note"
    OLDER_WORD = "replaced by a later word of the same annotator"
    SUPERSEDED = "settled by an adjudication"
    NO_LABELS = "skipped, unreadable or of an unknown outcome"
    SEALED = "its text is sealed, so nothing can be learnt from it here"
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
        mine = {"city": self.city, "specialty": self.specialty}
        parts = (part.partition("=") for part in (segment or "all").split("|") if part != "all")
        return all(mine.get(name) == value for name, _, value in parts)


@dataclass(frozen=True, slots=True)
class Collection:
    """Clean notes in the order of their annotation, and the count of what was left out by reason."""

    notes: tuple[LabelledNote, ...]
    read: int
    left_out: Mapping[Reason, int]

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
            "left_out": {reason.name.lower(): self.left_out.get(reason, 0) for reason in Reason},
        }


def collect(
    annotations: Iterable[AnnotationValidated], roles_key: bytes, shares: Shares = DEFAULT_SHARES
) -> Collection:
    """Validate annotations, settle each note, give it its role, and set duplicates aside.

    A note of the UNCERTAIN sample is kept when its role is to train and dropped otherwise: it was chosen where the
    model doubts, so a score on such notes says nothing about all notes, and its patient must not train either.
    A near-duplicate of an earlier note of another role is dropped: so near-duplicates never lie in two roles, and a
    note's role never changes when later ones arrive.
    """
    left_out: Counter[Reason] = Counter()
    given = _once(annotations, left_out)
    settled = [found for words in _by_note(given, left_out) if (found := _settle(words, left_out)) is not None]
    settled.sort(key=lambda word: (word.annotated_at, word.annotation_id))
    placed = [_placed(word, role_of(word.patient_ref or _key(word), roles_key, shares)) for word in settled]
    allowed = [item for item in placed if item.role is Role.TRAIN or item.sample is not Sample.UNCERTAIN]
    left_out[Reason.UNCERTAIN_SAMPLE] += len(placed) - len(allowed)
    return Collection(tuple(_distinct(allowed, left_out)), sum(left_out.values()) + _kept(allowed, left_out), left_out)


def _kept(allowed: Sequence[LabelledNote], left_out: Mapping[Reason, int]) -> int:
    return len(allowed) - left_out.get(Reason.DUPLICATE, 0) - left_out.get(Reason.OTHER_ROLE_DUPLICATE, 0)


def _once(annotations: Iterable[AnnotationValidated], left_out: Counter[Reason]) -> list[AnnotationValidated]:
    found: dict[str, AnnotationValidated] = {}
    for word in annotations:
        if word.annotation_id in found:
            left_out[Reason.REPEATED] += 1
        else:
            found[word.annotation_id] = word
    return list(found.values())


def _by_note(words: Iterable[AnnotationValidated], left_out: Counter[Reason]) -> list[list[AnnotationValidated]]:
    """Group by note; only the newest revision counts, and there each annotator's last word."""
    notes: dict[str, list[AnnotationValidated]] = defaultdict(list)
    for word in words:
        notes[_key(word)].append(word)
    result = []
    for given in notes.values():
        newest = max(word.revision for word in given)
        current = [word for word in given if word.revision == newest]
        left_out[Reason.OLDER_REVISION] += len(given) - len(current)
        last: dict[str, AnnotationValidated] = {}
        for word in sorted(current, key=lambda word: (word.sequence, word.annotated_at, word.annotation_id)):
            last[word.annotator] = word
        left_out[Reason.OLDER_WORD] += len(current) - len(last)
        result.append(list(last.values()))
    return result


def _settle(words: Sequence[AnnotationValidated], left_out: Counter[Reason]) -> AnnotationValidated | None:
    """Return the one annotation that speaks for the note; None when there is none that may."""
    sound = [word for word in words if _is_sound(word, left_out)]
    # An adjudication settles all words up to it; a later correction is an open contradiction again.
    judged = [word for word in sound if word.outcome is AnnotationOutcome.ADJUDICATED]
    if judged:
        final = max(judged, key=lambda word: (word.annotated_at, word.annotation_id))
        open_words = [
            word
            for word in sound
            if word is not final
            and word.annotated_at > final.annotated_at
            and word.annotation_id not in final.supersedes
        ]
        left_out[Reason.SUPERSEDED] += len(sound) - len(open_words) - 1
        sound = [final, *open_words]
    if not sound:
        return None
    if len({word.text for word in sound}) > 1:
        left_out[Reason.OTHER_TEXT] += len(sound)
        return None
    if len({_spans(word) for word in sound}) > 1:
        left_out[Reason.CONFLICT] += len(sound)
        return None
    left_out[Reason.AGREEMENT] += len(sound) - 1
    return min(sound, key=lambda word: (word.annotated_at, word.annotation_id))


def _is_sound(word: AnnotationValidated, left_out: Counter[Reason]) -> bool:
    problem = problem_of(word)
    if problem is not None:
        left_out[problem] += 1
    return problem is None


def problem_of(word: AnnotationValidated) -> Reason | None:
    """Return why an annotation cannot be used by itself, or None."""
    if word.outcome not in LABELLED:
        return Reason.NO_LABELS
    if word.sealed is not None and not word.text:
        return Reason.SEALED
    return _problem_of_entities(word)


def _problem_of_entities(word: AnnotationValidated) -> Reason | None:
    end = 0
    for entity in sorted(word.entities, key=lambda entity: (entity.start, entity.end)):
        if not 0 <= entity.start < entity.end <= len(word.text):
            return Reason.BAD_OFFSETS
        if word.text[entity.start : entity.end] != entity.text:
            return Reason.CONTRADICTS_TEXT
        if entity.label is EntityLabel.UNKNOWN:
            return Reason.UNKNOWN_LABEL
        if entity.start < end:
            return Reason.OVERLAP
        end = entity.end
    return None


def _key(word: AnnotationValidated) -> str:
    return note_key(word.source, word.note_id)


def _spans(word: AnnotationValidated) -> frozenset[tuple[str, int, int]]:
    return frozenset((str(entity.label), entity.start, entity.end) for entity in word.entities)


def _placed(word: AnnotationValidated, role: Role) -> LabelledNote:
    entities = sorted(word.entities, key=lambda entity: entity.start)
    place = {entity.entity_id: index for index, entity in enumerate(entities)}
    pairs = tuple(
        (place[relation.treatment_id], place[relation.disease_id])
        for relation in word.relations
        if relation.type is RelationType.TREATS and relation.treatment_id in place and relation.disease_id in place
    )
    note = AnnotatedNote(
        word.text,
        tuple(Span(entity.start, entity.end, Label(str(entity.label))) for entity in entities),
        pairs,
        note_id=_key(word),
        group=word.patient_ref or _key(word),
        people=None if word.sample is Sample.IMPORTED else (word.patient_ref or _key(word), word.doctor_ref),
    )
    return LabelledNote(note, role, word.sample, word.segment.city, word.segment.specialty, word.annotated_at)


def _distinct(items: Sequence[LabelledNote], left_out: Counter[Reason]) -> list[LabelledNote]:
    """Drop later copies: exact ones everywhere, near ones where the earlier note has another role."""
    notes = [item.note for item in items]
    dropped: dict[int, Reason] = {}
    for pair in sorted(duplicates(notes), key=lambda pair: pair.second):
        if items[pair.first].role is not items[pair.second].role:
            dropped[pair.second] = Reason.OTHER_ROLE_DUPLICATE
        elif pair.exact:
            dropped[pair.second] = Reason.DUPLICATE
    while more := _across_roles([(index, item) for index, item in enumerate(items) if index not in dropped]):
        dropped |= dict.fromkeys(more, Reason.OTHER_ROLE_DUPLICATE)
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
