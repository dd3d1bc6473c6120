"""What is said of entities, compared: the predictions with what a person left, class by class.

Only entities that the model found as the person left them are compared, and only where the person judged them: what is said of an entity that
is none is counted by the entity's own measure. Nothing here holds a text but the words of prescriptions, while they are compared.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from contracts.records import AnnotationValidated, Entity, Relation

STATUS, TIME, EXPERIENCER, RELATION, PRESCRIPTION = "status", "time", "experiencer", "relation", "prescription"
UNKNOWN = "UNKNOWN"

_Unit = tuple[str, Any]
"""A class, and of what it is said."""


class StatementCounts(NamedTuple):
    """Outcomes of one note and class."""

    right: int
    wrong: int
    missed: int


def compare_statements(annotation: AnnotationValidated) -> dict[str, StatementCounts]:
    """Count each class that was said or is right, such as "status NEGATED", "relation TREATS" or "prescription frequency".

    And all classes of a kind together, under the kind's own name: "status".
    """
    before = {_place(entity): entity for entity in annotation.predicted_entities}
    both = [(before[_place(entity)], entity) for entity in annotation.entities if _place(entity) in before]
    judged = [(one, other) for one, other in both if _is_judged(other)]
    if not judged:
        return {}
    predicted = {unit for one, _ in judged for unit in _of(one)}
    right = {unit for _, other in judged for unit in _of(other)}
    predicted |= _relations([one for one, _ in judged], annotation.predicted_relations)
    right |= _relations([other for _, other in judged], annotation.relations)
    counts = [_counted(units) for units in (predicted & right, predicted - right, right - predicted)]
    names = sorted({name for found in counts for name in found})
    return {name: StatementCounts(*(found[name] for found in counts)) for name in names}


def _counted(units: set[_Unit]) -> Counter[str]:
    classes = Counter(name for name, _ in units)
    kinds: Counter[str] = Counter()
    for name, times in classes.items():
        kinds[name.partition(" ")[0]] += times
    return classes + kinds


def differs(annotation: AnnotationValidated) -> bool:
    """Whether a person corrected what is said of an entity that stayed."""
    return any(found.wrong or found.missed for found in compare_statements(annotation).values())


def _is_judged(entity: Entity) -> bool:
    return entity.assertion is not None and UNKNOWN not in {
        entity.assertion.status.value,
        entity.assertion.time.value,
        entity.assertion.experiencer.value,
    }


def _of(entity: Entity) -> Iterator[_Unit]:
    """UNKNOWN is no answer: it is missed where something is right, and wrong nowhere."""
    place = _place(entity)
    if (found := entity.assertion) is not None:
        axes = ((STATUS, found.status), (TIME, found.time), (EXPERIENCER, found.experiencer))
        yield from ((f"{axis} {value.value}", place) for axis, value in axes if value.value != UNKNOWN)
    if entity.prescription is not None:
        written: Mapping[str, Any] = entity.prescription.to_dict()
        yield from ((f"{PRESCRIPTION} {name}", (place, value)) for name, value in written.items() if value is not None)


def _relations(entities: Sequence[Entity], relations: Sequence[Relation]) -> set[_Unit]:
    places = {entity.entity_id: _place(entity) for entity in entities}
    return {
        (f"{RELATION} {one.type.value}", (places[one.treatment_id], places[one.disease_id]))
        for one in relations
        if one.treatment_id in places and one.disease_id in places and one.type.value != UNKNOWN
    }


def _place(entity: Entity) -> tuple[str, int, int]:
    return entity.label.value, entity.start, entity.end
