"""Entities as a person left them: checked against the text, given ids, compared with what the model had said."""

import re
from bisect import bisect_right
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
    found: dict[TreatmentPair, None] = {}
    for place, (treatment, disease) in enumerate(pairs, start=1):
        treatment_id = ids.get((treatment.start, treatment.end, "TREATMENT"))
        disease_id = ids.get((disease.start, disease.end, "DISEASE"))
        if treatment_id is None or disease_id is None:
            raise SpansRefused(f"pair {place}: must join a treatment and a disease of this note")
        found[TreatmentPair(treatment_id=treatment_id, disease_id=disease_id)] = None
    return tuple(found)


def changes_of(predicted: Sequence[Entity], final: Sequence[Entity]) -> AnnotationChanges:
    """What was done, in counts: each entity counts once, as the least change that explains it.

    Args:
        predicted: What the model had found, in whatever order.
        final: In text order and without overlap, as `entities_of` gives it.
    """
    old = [(entity.start, entity.end, str(entity.label)) for entity in predicted]
    new = [(entity.start, entity.end, str(entity.label)) for entity in final]
    common = set(old) & set(new)
    left, come = [span for span in old if span not in common], [span for span in new if span not in common]
    kept = len(old) - len(left)
    left, come, relabelled = _without_relabelled(left, come)
    moved = _moved(left, come)
    return AnnotationChanges(
        kept=kept, added=len(come) - moved, removed=len(left) - moved, moved=moved, relabelled=relabelled
    )


_Span = tuple[int, int, str]


def _without_relabelled(left: Sequence[_Span], come: Sequence[_Span]) -> tuple[list[_Span], list[_Span], int]:
    """Pair what differs by its label alone; returns what remains of both, and how many pairs there were."""
    places = {(start, end): place for place, (start, end, _) in enumerate(come)}
    remaining, taken = [], set()
    for span in left:
        place = places.pop(span[:2], None)
        if place is None:
            remaining.append(span)
        else:
            taken.add(place)
    return remaining, [span for place, span in enumerate(come) if place not in taken], len(taken)


def _moved(left: Sequence[_Span], come: Sequence[_Span]) -> int:
    """How many of `left` overlap one of `come` that no other took: each takes the first, in text order, that is free."""
    ends = [end for _, end, _ in come]
    next_free = list(range(len(come) + 1))
    count = 0
    for start, end, _ in left:
        place = _free_from(next_free, bisect_right(ends, start))
        if place < len(come) and come[place][0] < end:
            next_free[place] = place + 1
            count += 1
    return count


def _free_from(next_free: list[int], place: int) -> int:
    """The first free place from one on; what was passed over is remembered, so that runs of taken places cost once."""
    found = place
    while next_free[found] != found:
        found = next_free[found]
    while next_free[place] != found:
        next_free[place], place = found, next_free[place]
    return found


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
