"""What was found in a note as plain objects: the JSON of the command line and of the synchronous door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.meaning import Relation
    from clinical_ner.tagger import Entity, TaggedNote


def note_object(note_id: str, text: str, tagged: TaggedNote) -> dict[str, Any]:
    """Return all that was found in a note; offsets count code points of `text`."""
    return {
        "id": note_id,
        "entities": entity_objects(text, tagged.entities),
        "relations": relation_objects(text, tagged.entities, tagged.relations),
        "note_confidence": round(tagged.confidence, 4),
    }


def entity_id(index: int) -> str:
    """Return the id of an entity by its place: e1, e2, and so on, as in the records."""
    return f"e{index + 1}"


def entity_objects(text: str, entities: Sequence[Entity]) -> list[dict[str, Any]]:
    """Return the entities of a note as plain objects."""
    return [
        {
            "entity_id": entity_id(index),
            "label": str(entity.label),
            "text": text[entity.start : entity.end],
            "start": entity.start,
            "end": entity.end,
            "confidence": round(entity.confidence, 4),
            "assertion": entity.assertion._asdict(),
            "prescription": None if entity.prescription is None else entity.prescription._asdict(),
        }
        for index, entity in enumerate(entities)
    ]


def relation_objects(text: str, entities: Sequence[Entity], relations: Sequence[Relation]) -> list[dict[str, Any]]:
    """Return the relations of a note as plain objects; `treatment` and `disease` are their words."""
    return [
        {
            "type": str(relation.type),
            "treatment": text[entities[relation.treatment].start : entities[relation.treatment].end],
            "disease": text[entities[relation.disease].start : entities[relation.disease].end],
            "treatment_id": entity_id(relation.treatment),
            "disease_id": entity_id(relation.disease),
            "confidence": round(relation.confidence, 4),
        }
        for relation in relations
    ]
