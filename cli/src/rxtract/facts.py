"""What was found in a note as plain objects for scripts, and in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clinical_ner.meaning import Experiencer, Status, Time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.meaning import Assertion, Prescription, Relation
    from clinical_ner.tagger import Entity

_EVERY = {"h": "hour", "d": "day", "wk": "week", "mo": "month"}


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


def assertion_words(assertion: Assertion, text: str) -> str:
    """Return what an assertion says beyond the patient's present fact, with the words that decided; may be empty."""
    usual = (Status.PRESENT, Time.CURRENT, Experiencer.PATIENT)
    words = [str(value).lower() for value, plain in zip(assertion[:3], usual, strict=True) if value != plain]
    if words and assertion.cue_start >= 0:
        words.append(f"by {text[assertion.cue_start : assertion.cue_end]!r}")
    return " ".join(words)


def prescription_words(prescription: Prescription) -> str:
    """Return a prescription as one readable phrase."""
    parts = [prescription.form, prescription.strength]
    parts += [f"dose {prescription.dose}"] if prescription.dose else []
    if prescription.frequency and prescription.period and prescription.period_unit:
        unit = _EVERY[prescription.period_unit]
        every = unit if prescription.period == 1 else f"{prescription.period} {unit}s"
        parts.append(f"{prescription.frequency} x per {every}")
    parts.append({"AC": "before food", "PC": "after food", "HS": "at bedtime"}.get(prescription.when or ""))
    parts.append("as needed" if prescription.as_needed else None)
    if prescription.duration and prescription.duration_unit:
        unit = _EVERY[prescription.duration_unit]
        parts.append(f"for {prescription.duration} {unit}{'s' if prescription.duration > 1 else ''}")
    parts.append(prescription.route)
    return ", ".join(part for part in parts if part)
