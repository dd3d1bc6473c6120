"""Spans of a note: where an entity lies and its label, and what is stated of it. Never any text."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from contracts.records import Assertion, Entity, Relation

UNKNOWN = "UNKNOWN"


class Span(NamedTuple):
    """A labelled part of a text.

    Attributes:
        start: Offset of its first character, in code points.
        end: Offset behind its last character.
        label: DISEASE or TREATMENT.
    """

    start: int
    end: int
    label: str


class Stated(NamedTuple):
    """What is stated of an entity, in the contract's words (docs/meaning.md), without the words of the note that decided."""

    status: str
    time: str
    experiencer: str

    @property
    def is_judged(self) -> bool:
        """Whether anything is stated: UNKNOWN says that nobody judged it."""
        return self.status != UNKNOWN


def span_of(entity: Entity) -> Span:
    """The span of one entity."""
    return Span(entity.start, entity.end, str(entity.label))


def spans_of(entities: Iterable[Entity]) -> tuple[Span, ...]:
    """The spans of entities, in their order."""
    return tuple(span_of(entity) for entity in entities)


def stated_of(assertion: Assertion | None) -> Stated | None:
    """What an assertion states; None where there is none."""
    if assertion is None:
        return None
    return Stated(str(assertion.status), str(assertion.time), str(assertion.experiencer))


def relation_ends(entities: Sequence[Entity], relations: Sequence[Relation]) -> set[tuple[int, int, str]]:
    """Relations as (start of the treatment, start of the disease, type), whatever the ids are; one without its ends is left out."""
    starts = {entity.entity_id: entity.start for entity in entities}
    return {
        (starts[one.treatment_id], starts[one.disease_id], str(one.type))
        for one in relations
        if one.treatment_id in starts and one.disease_id in starts
    }
