"""Corrections of what is said of entities that many patients' notes share: what a person who keeps the rules may look at first.

A correction is told by the words beside the entity, never by the entity or the note. Words are told only where so many patients have them in
corrections of one kind, so that no rare word of anybody shows.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from annotations.trust import ALL_TRUSTED
from annotations.verdicts import Verdict, newest, settle
from contracts.records import AnnotationValidated, AnnotatorJudged, AssertionStatus, Entity, Relation

from outcomes.statements import EXPERIENCER, RELATION, STATUS, TIME

LEAST_PATIENTS = 5
NOTHING = "none"
_HERE = "[...]"
"""Stands for the entity."""
_WORDS = 3
_TOKEN = re.compile(r"[^\W\d_]+(?:/[^\W\d_]+)*|\d+|[^\w\s]")
_LINE = re.compile(r"[\n\r]")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One kind of correction, beside the same words.

    Attributes:
        kind: status, time, experiencer or relation.
        phrase: Words beside the entity, which stands as [...]; every number as #. Of a relation the words between both ends.
        before: What the rules said.
        after: What people said.
        count: Corrections.
        patients: Distinct patients of them.
    """

    kind: str
    phrase: str
    before: str
    after: str
    count: int
    patients: int


class Corrections:
    """Takes annotations and returns what many of them correct. Keeps texts of notes in memory alone.

    Args:
        least_patients: Patients that a phrase needs.
    """

    def __init__(self, least_patients: int = LEAST_PATIENTS) -> None:
        if least_patients < LEAST_PATIENTS:
            raise ValueError(f"least_patients: at least {LEAST_PATIENTS}")
        self._least = least_patients
        self._trust = ALL_TRUSTED
        self._verdicts: dict[tuple[str, str], dict[str, Verdict]] = defaultdict(dict)
        self._annotations: dict[str, AnnotationValidated] = {}

    def take(self, annotation: AnnotationValidated) -> None:
        """Take an annotation; of one annotator on one note the last counts."""
        standing = self._verdicts[annotation.source, annotation.note_id]
        known = standing.get(annotation.annotator)
        verdict = standing[annotation.annotator] = newest(known, Verdict.of(annotation))
        if verdict.annotation_id == annotation.annotation_id:
            self._annotations[annotation.annotation_id] = annotation
            if known is not None and known.annotation_id != annotation.annotation_id:
                del self._annotations[known.annotation_id]

    def judged(self, event: AnnotatorJudged) -> None:
        """Take whose labels are held, or count again."""
        self._trust = self._trust.after(event)

    def proposals(self) -> list[Proposal]:
        """What many correct, the most patients first. Of phrases of which one is part of another the longer is told where it says as much."""
        found: dict[tuple[str, str, str, str], dict[tuple[str, str, str], str]] = defaultdict(dict)
        for number, word in enumerate(self._settled()):
            for place, (kind, before, after, phrases) in enumerate(_corrections(word)):
                for phrase in phrases:
                    found[kind, phrase, before, after][word.source, str(number), str(place)] = word.patient_ref
        told = [
            Proposal(*key, len(patients), len(set(patients.values())))
            for key, patients in found.items()
            if len(set(patients.values())) >= self._least
        ]
        return sorted(
            (one for one in told if not _is_part(one, told)),
            key=lambda one: (-one.patients, -one.count, one.kind, one.phrase),
        )

    def _settled(self) -> Iterator[AnnotationValidated]:
        """The annotation that settles each note, of those that a model had read and whose text is there."""
        for standing in self._verdicts.values():
            verdict = settle(standing.values(), self._trust).verdict
            annotation = self._annotations[verdict.annotation_id] if verdict else None
            if annotation is not None and annotation.model is not None and not annotation.sealed:
                yield annotation


_Correction = tuple[str, str, str, list[str]]


def _corrections(word: AnnotationValidated) -> Iterator[_Correction]:
    before = {_place(entity): entity for entity in word.predicted_entities}
    for entity in word.entities:
        predicted = before.get(_place(entity))
        if predicted is None or predicted.assertion is None or entity.assertion is None:
            continue
        if entity.assertion.status is AssertionStatus.UNKNOWN:
            continue
        said, right = predicted.assertion, entity.assertion
        axes = (
            (STATUS, said.status.value, right.status.value),
            (TIME, said.time.value, right.time.value),
            (EXPERIENCER, said.experiencer.value, right.experiencer.value),
        )
        changed = [axis for axis in axes if axis[1] != axis[2]]
        if changed:
            phrases = _beside(word.text, entity.start, entity.end)
            yield from ((*axis, phrases) for axis in changed)
    yield from _related(word)


def _related(word: AnnotationValidated) -> Iterator[_Correction]:
    said = _by_ends(word.predicted_entities, word.predicted_relations)
    right = _by_ends(word.entities, word.relations)
    kept = {_place(entity) for entity in word.predicted_entities} & {_place(entity) for entity in word.entities}
    for ends in sorted(said.keys() | right.keys()):
        before, after = said.get(ends, NOTHING), right.get(ends, NOTHING)
        if before != after and set(ends) <= kept:
            first, last = sorted(ends, key=lambda place: place[1])
            phrase = _joined(word.text[first[2] : last[1]])
            if len(phrase.split()) <= 2 * _WORDS:
                yield RELATION, before, after, [f"{_HERE} {phrase} {_HERE}".replace("  ", " ")]


_Place = tuple[str, int, int]


def _place(entity: Entity) -> _Place:
    return entity.label.value, entity.start, entity.end


def _by_ends(entities: Iterable[Entity], relations: Iterable[Relation]) -> dict[tuple[_Place, _Place], str]:
    places = {entity.entity_id: _place(entity) for entity in entities}
    return {
        (places[one.treatment_id], places[one.disease_id]): one.type.value
        for one in relations
        if one.treatment_id in places and one.disease_id in places
    }


def _joined(text: str) -> str:
    return " ".join("#" if token.isdigit() else token.lower() for token in _TOKEN.findall(text))


def _beside(text: str, start: int, end: int) -> list[str]:
    """One to three words before the entity, and after it, on its line."""
    before = _joined(_LINE.split(text[max(0, start - 200) : start])[-1]).split()
    after = _joined(_LINE.split(text[end : end + 200])[0]).split()
    ahead = [f"{' '.join(before[-count:])} {_HERE}" for count in range(1, min(_WORDS, len(before)) + 1)]
    behind = [f"{_HERE} {' '.join(after[:count])}" for count in range(1, min(_WORDS, len(after)) + 1)]
    return [*ahead, *behind]


def _is_part(one: Proposal, others: Iterable[Proposal]) -> bool:
    """Whether a longer phrase says as much of the same correction."""
    return any(
        other.phrase != one.phrase
        and one.phrase in other.phrase
        and (other.kind, other.before, other.after, other.count) == (one.kind, one.before, one.after, one.count)
        for other in others
    )
