"""Entities as a person left them: checked against the text, given ids, compared with what the model had said."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from annotations.spans import Span, Stated, relation_ends, span_of, spans_of, stated_of
from contracts.records import (
    AnnotationChanges,
    Assertion,
    AssertionStatus,
    AssertionTime,
    Entity,
    EntityLabel,
    Experiencer,
    Prescription,
    Relation,
    RelationType,
    ReviewRequested,
)
from contracts.rules import TOKEN

DISEASE, TREATMENT = EntityLabel.DISEASE.value, EntityLabel.TREATMENT.value
LABELS = {DISEASE: EntityLabel.DISEASE, TREATMENT: EntityLabel.TREATMENT}


class SpansRefused(ValueError):
    """Entities or pairs do not fit the text; the message says which one by its place, without any text."""


@dataclass(frozen=True, slots=True)
class DrawnSpan:
    """A span that a person drew; offsets in code points.

    Attributes:
        stated: What the person says of it; None where the client knows nothing of it.
        prescription: How it is taken; it counts only beside `stated`.
    """

    start: int
    end: int
    label: str
    stated: Stated | None = None
    prescription: Prescription | None = None

    @property
    def span(self) -> Span:
        """Where it lies, and its label."""
        return Span(self.start, self.end, self.label)


@dataclass(frozen=True, slots=True)
class Pair:
    """A treatment and a disease that belong together.

    Attributes:
        type: How, in the contract's words.
    """

    treatment: DrawnSpan
    disease: DrawnSpan
    type: str = RelationType.TREATS.value


_OF_TREATMENTS = frozenset({AssertionStatus.ALLERGY.value, AssertionStatus.REFUSED.value})


def entities_of(text: str, marks: Sequence[DrawnSpan], predicted: Sequence[Entity]) -> tuple[Entity, ...]:
    """The entities that marks make, in text order.

    What the model had found keeps the model's confidence; what a person drew has confidence 1. What a mark does not state stays as the
    rules had it, or unsaid.

    Raises:
        SpansRefused: A mark lies outside the text, is empty, has another label or overlaps its neighbour, or cannot be what is stated.
    """
    ordered = sorted(marks, key=lambda mark: (mark.start, mark.end))
    found_before = {span_of(entity): entity for entity in predicted}
    ends_at = 0
    entities = []
    for place, mark in enumerate(ordered, start=1):
        _check(mark, place, ends_at, len(text))
        ends_at = mark.end
        found = found_before.get(mark.span)
        entities.append(
            Entity(
                entity_id=f"e{place}",
                label=LABELS[mark.label],
                text=text[mark.start : mark.end],
                start=mark.start,
                end=mark.end,
                confidence=found.confidence if found else 1.0,
                assertion=_assertion(mark, place, found),
                prescription=_prescription(mark, place, found),
            )
        )
    return tuple(entities)


def _assertion(mark: DrawnSpan, place: int, found: Entity | None) -> Assertion | None:
    """What is stated; the words that decided stay where the person left what they decided."""
    predicted = found.assertion if found else None
    if mark.stated is None:
        return predicted
    if mark.label == DISEASE and mark.stated.status in _OF_TREATMENTS:
        raise SpansRefused(f"entity {place}: a disease cannot be {mark.stated.status}")
    if predicted is not None and stated_of(predicted) == mark.stated:
        return predicted
    return Assertion(
        status=AssertionStatus(mark.stated.status),
        time=AssertionTime(mark.stated.time),
        experiencer=Experiencer(mark.stated.experiencer),
        cue_start=-1,
        cue_end=-1,
    )


def _prescription(mark: DrawnSpan, place: int, found: Entity | None) -> Prescription | None:
    if mark.stated is None:
        return found.prescription if found else None
    if mark.prescription is not None and mark.label == DISEASE:
        raise SpansRefused(f"entity {place}: a disease has no prescription")
    return mark.prescription


def _check(mark: DrawnSpan, place: int, free_from: int, length: int) -> None:
    if mark.label not in LABELS:
        raise SpansRefused(f"entity {place}: label must be DISEASE or TREATMENT")
    if not 0 <= mark.start < mark.end <= length:
        raise SpansRefused(f"entity {place}: start and end must lie within the text's {length} code points")
    if mark.start < free_from:
        raise SpansRefused(f"entity {place}: overlaps the entity before it")


def relations_of(
    entities: Sequence[Entity], pairs: Iterable[Pair], request: ReviewRequested, *, all_shown: bool
) -> tuple[Relation, ...]:
    """Relations by entity ids, from pairs of marks.

    What had been predicted keeps its confidence; what a person made has confidence 1.

    Args:
        entities: Of the note, as the person left them.
        pairs: What the person says.
        request: What was predicted.
        all_shown: Whether the person saw every relation that has a type of ours; else only those of type TREATS. What was not seen stays
            while both its ends do.

    Raises:
        SpansRefused: A pair names no entity of the note, or not a treatment and a disease, or its ends twice.
    """
    ids = {span_of(entity): entity.entity_id for entity in entities}
    predicted = _carried(ids, request)
    known = {(*_ends(one), one.type): one for one in predicted}
    found: dict[tuple[str, str], Relation] = {}
    for place, pair in enumerate(pairs, start=1):
        treatment, disease = pair.treatment, pair.disease
        treatment_id = ids.get(Span(treatment.start, treatment.end, TREATMENT))
        disease_id = ids.get(Span(disease.start, disease.end, DISEASE))
        if treatment_id is None or disease_id is None:
            raise SpansRefused(f"pair {place}: must join a treatment and a disease of this note")
        kind = RelationType(pair.type)
        drawn = Relation(type=kind, treatment_id=treatment_id, disease_id=disease_id, confidence=1.0)
        if all_shown and _ends(drawn) in found:
            raise SpansRefused(f"pair {place}: these two are paired already")
        found[_ends(drawn)] = known.get((*_ends(drawn), kind), drawn)
    seen = set(RelationType) - {RelationType.UNKNOWN} if all_shown else {RelationType.TREATS}
    others = (one for one in predicted if one.type not in seen and _ends(one) not in found)
    return (*found.values(), *others)


def _carried(ids: Mapping[Span, str], request: ReviewRequested) -> list[Relation]:
    """What was predicted of entities that are still there, under their ids of now."""
    now = {entity.entity_id: ids[span_of(entity)] for entity in request.entities if span_of(entity) in ids}
    return [
        replace(one, treatment_id=now[one.treatment_id], disease_id=now[one.disease_id])
        for one in request.relations
        if one.treatment_id in now and one.disease_id in now
    ]


def _ends(relation: Relation) -> tuple[str, str]:
    return relation.treatment_id, relation.disease_id


def changes_of(
    predicted: Sequence[Entity],
    final: Sequence[Entity],
    predicted_relations: Sequence[Relation] = (),
    relations: Sequence[Relation] = (),
) -> AnnotationChanges:
    """What was done, in counts: each entity counts once, as the least change that explains it; what is said of it apart from that.

    Args:
        predicted: What the model had found, in whatever order.
        final: In text order and without overlap, as `entities_of` gives it.
        predicted_relations: What the rules had found.
        relations: As the person left them.
    """
    old, new = spans_of(predicted), spans_of(final)
    common = set(old) & set(new)
    left, come = [span for span in old if span not in common], [span for span in new if span not in common]
    kept = len(old) - len(left)
    left, come, relabelled = _without_relabelled(left, come)
    moved = _moved(left, come)
    return AnnotationChanges(
        kept=kept,
        added=len(come) - moved,
        removed=len(left) - moved,
        moved=moved,
        relabelled=relabelled,
        restated=restated(predicted, final),
        represcribed=represcribed(predicted, final),
        related=len(relation_ends(predicted, predicted_relations) ^ relation_ends(final, relations)),
    )


def _kept(predicted: Sequence[Entity], final: Sequence[Entity]) -> Iterator[tuple[Entity, Entity]]:
    before = {span_of(entity): entity for entity in predicted}
    return ((before[span_of(entity)], entity) for entity in final if span_of(entity) in before)


def restated(predicted: Sequence[Entity], final: Sequence[Entity]) -> int:
    """How many kept entities have another status, time or experiencer."""
    return sum(stated_of(one.assertion) != stated_of(other.assertion) for one, other in _kept(predicted, final))


def represcribed(predicted: Sequence[Entity], final: Sequence[Entity]) -> int:
    """How many kept entities have another prescription."""
    return sum(one.prescription != other.prescription for one, other in _kept(predicted, final))


def _without_relabelled(left: Sequence[Span], come: Sequence[Span]) -> tuple[list[Span], list[Span], int]:
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


def _moved(left: Sequence[Span], come: Sequence[Span]) -> int:
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


def token_labels(text: str, spans: Iterable[Span]) -> tuple[int, tuple[tuple[int, str], ...]]:
    """How many tokens a text has, and the labelled ones as (position, label): what kappa needs, and no text."""
    ordered = sorted(spans)
    labelled = []
    count = 0
    at = 0
    for count, token in enumerate(TOKEN.finditer(text), start=1):
        while at < len(ordered) and ordered[at][1] <= token.start():
            at += 1
        if at < len(ordered) and ordered[at][0] < token.end():
            labelled.append((count - 1, ordered[at][2]))
    return count, tuple(labelled)


def pieces_of(text: str, spans: Iterable[Span]) -> list[tuple[str, str]]:
    """A text cut at its spans, in order: words with their label, or with none."""
    pieces = []
    at = 0
    for start, end, label in sorted(spans):
        pieces += [(text[at:start], ""), (text[start:end], label)]
        at = end
    return [piece for piece in (*pieces, (text[at:], "")) if piece[0]]
