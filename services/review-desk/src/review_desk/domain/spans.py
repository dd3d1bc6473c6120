"""Entities as a person left them: checked against the text, given ids, compared with what the model had said."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.records import AnnotationChanges, Entity, EntityLabel, TreatmentPair

LABELS = {"DISEASE": EntityLabel.DISEASE, "TREATMENT": EntityLabel.TREATMENT}
_TOKEN = re.compile(r"\w+|[^\w\s]")


class SpansRefused(ValueError):
    """Entities or pairs do not fit the text; the message says which one by its place, without any text."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A span that a person drew; offsets in code points."""

    start: int
    end: int
    label: str


def entities_of(text: str, marks: Sequence[Mark], predicted: Sequence[Entity]) -> tuple[Entity, ...]:
    """The entities that marks make, in text order.

    What the model had found keeps the model's confidence; what a person drew has confidence 1.

    Raises:
        SpansRefused: A mark lies outside the text, is empty, has another label or overlaps its neighbour.
    """
    ordered = sorted(marks, key=lambda mark: (mark.start, mark.end))
    said = {(entity.start, entity.end, str(entity.label)): entity.confidence for entity in predicted}
    ends_at = 0
    entities = []
    for place, mark in enumerate(ordered, start=1):
        _check(mark, place, ends_at, len(text))
        ends_at = mark.end
        entities.append(
            Entity(
                entity_id=f"e{place}",
                label=LABELS[mark.label],
                text=text[mark.start : mark.end],
                start=mark.start,
                end=mark.end,
                confidence=said.get((mark.start, mark.end, mark.label), 1.0),
            )
        )
    return tuple(entities)


def _check(mark: Mark, place: int, free_from: int, length: int) -> None:
    if mark.label not in LABELS:
        raise SpansRefused(f"entity {place}: label must be DISEASE or TREATMENT")
    if not 0 <= mark.start < mark.end <= length:
        raise SpansRefused(f"entity {place}: start and end must lie within the text's {length} code points")
    if mark.start < free_from:
        raise SpansRefused(f"entity {place}: overlaps the entity before it")


def pairs_of(entities: Sequence[Entity], pairs: Iterable[tuple[Mark, Mark]]) -> tuple[TreatmentPair, ...]:
    """Pairs by entity ids, from pairs of (treatment, disease) marks.

    Raises:
        SpansRefused: A pair names no entity of the note, or not a treatment and a disease.
    """
    ids = {(entity.start, entity.end, str(entity.label)): entity.entity_id for entity in entities}
    found = []
    for place, (treatment, disease) in enumerate(pairs, start=1):
        treatment_id = ids.get((treatment.start, treatment.end, "TREATMENT"))
        disease_id = ids.get((disease.start, disease.end, "DISEASE"))
        if treatment_id is None or disease_id is None:
            raise SpansRefused(f"pair {place}: must join a treatment and a disease of this note")
        pair = TreatmentPair(treatment_id=treatment_id, disease_id=disease_id)
        if pair not in found:
            found.append(pair)
    return tuple(found)


def changes_of(predicted: Sequence[Entity], final: Sequence[Entity]) -> AnnotationChanges:
    """What was done, in counts: each entity counts once, as the least change that explains it."""
    old = [(entity.start, entity.end, str(entity.label)) for entity in predicted]
    new = [(entity.start, entity.end, str(entity.label)) for entity in final]
    kept = [span for span in old if span in new]
    left, come = [s for s in old if s not in kept], [s for s in new if s not in kept]
    relabelled = _match(left, come, lambda a, b: a[:2] == b[:2])
    moved = _match(left, come, lambda a, b: a[0] < b[1] and b[0] < a[1])
    return AnnotationChanges(kept=len(kept), added=len(come), removed=len(left), moved=moved, relabelled=relabelled)


def _match(left: list, come: list, same) -> int:  # type: ignore[no-untyped-def, type-arg]  # noqa: ANN001
    count = 0
    for span in list(left):
        partner = next((other for other in come if same(span, other)), None)
        if partner is not None:
            left.remove(span)
            come.remove(partner)
            count += 1
    return count


def token_labels(text: str, spans: Iterable[tuple[int, int, str]]) -> tuple[int, tuple[tuple[int, str], ...]]:
    """How many tokens a text has, and the labelled ones as (position, label): what kappa needs, and no text."""
    ordered = sorted(spans)
    labelled = []
    count = 0
    at = 0
    for count, token in enumerate(_TOKEN.finditer(text), start=1):
        while at < len(ordered) and ordered[at][1] <= token.start():
            at += 1
        if at < len(ordered) and ordered[at][0] < token.end():
            labelled.append((count - 1, ordered[at][2]))
    return count, tuple(labelled)


def pieces_of(text: str, spans: Iterable[tuple[int, int, str]]) -> list[tuple[str, str]]:
    """A text cut at its spans, in order: words with their label, or with none."""
    pieces = []
    at = 0
    for start, end, label in sorted(spans):
        pieces += [(text[at:start], ""), (text[start:end], label)]
        at = end
    return [piece for piece in (*pieces, (text[at:], "")) if piece[0]]
