"""From a tagged note to the records that say so."""

from collections.abc import Sequence
from functools import lru_cache

from contracts.identity import event_id
from contracts.records import (
    EntitiesExtracted,
    Entity,
    EntityLabel,
    ModelRef,
    NoteAccepted,
    Relation,
    RelationType,
    Review,
    ReviewRequested,
    Segment,
)

from extractor.domain.sampling import Chosen
from extractor.domain.tagging import TaggedEntity, TaggedNote

RULES_VERSION = "pairs-1"
"""The rules in use: treatments paired with diseases by the rule of clauses (`clinical-ner/native/pairs.c`)."""

RULES_SERIAL = 0
"""Rises by one whenever RULES_VERSION changes, in either direction; of two events about one note the higher one counts."""

RULE_PRECISION = 0.87
"""Of the pairs that the rule makes of right entities, this share is right: the lowest of three styles (docs/decisions/decoder.md)."""

_LABELS = {label.value: label for label in (EntityLabel.DISEASE, EntityLabel.TREATMENT)}


@lru_cache(maxsize=4_096)
def segment(city: str, specialty: str) -> Segment:
    """The segment of a note; there are few, and one is needed for every note."""
    return Segment(city=city, specialty=specialty)


@lru_cache(maxsize=4_096)
def entity_id(index: int) -> str:
    """The id of a note's entity by its place: e1, e2, and so on."""
    return f"e{index + 1}"


def extracted(
    note: NoteAccepted, tagged: TaggedNote, model: ModelRef, review: Review, extracted_at: int
) -> EntitiesExtracted:
    """The event that says what one model found in one revision of a note.

    Args:
        note: The accepted note.
        tagged: What the tagger said of its text.
        model: Which model version said it.
        review: Whether people look at it too.
        extracted_at: UTC milliseconds.
    """
    return EntitiesExtracted(
        event_id=event_id(note.source, note.note_id, note.revision, model.serial, RULES_SERIAL),
        source=note.source,
        note_id=note.note_id,
        revision=note.revision,
        origin=note.origin,
        model=model,
        rules_version=RULES_VERSION,
        rules_serial=RULES_SERIAL,
        segment=segment(note.city, note.specialty),
        patient_ref=note.patient_ref,
        written_at=note.written_at,
        accepted_at=note.accepted_at,
        extracted_at=extracted_at,
        note_confidence=tagged.confidence,
        entities=_entities(note.text, tagged),
        relations=_relations(tagged.entities, tagged.pairs) if tagged.pairs else (),
        review=review,
        pseudonym_key_id=note.pseudonym_key_id,
        purpose=note.purpose,
        consent_artefact_id=note.consent_artefact_id,
        encryption_key_id=note.encryption_key_id,
    )


def review_request(note: NoteAccepted, event: EntitiesExtracted, chosen: Chosen) -> ReviewRequested:
    """The request for people to look at a note, with what the model said."""
    return ReviewRequested(
        source=note.source,
        note_id=note.note_id,
        revision=note.revision,
        event_id=event.event_id,
        origin=note.origin,
        text=note.text,
        segment=event.segment,
        model=event.model,
        rules_version=event.rules_version,
        rules_serial=event.rules_serial,
        entities=event.entities,
        relations=event.relations,
        note_confidence=event.note_confidence,
        sample=chosen.sample,
        inclusion_probability=event.review.inclusion_probability or 1.0,
        show_predictions=chosen.show_predictions,
        patient_ref=note.patient_ref,
        doctor_ref=note.doctor_ref,
        requested_at=event.extracted_at,
        written_at=note.written_at,
        pseudonym_key_id=note.pseudonym_key_id,
        purpose=note.purpose,
        consent_artefact_id=note.consent_artefact_id,
        encryption_key_id=note.encryption_key_id,
    )


def _entities(text: str, tagged: TaggedNote) -> tuple[Entity, ...]:
    return tuple(
        [
            Entity(
                entity_id=entity_id(index),
                label=_LABELS[entity.label],
                text=text[entity.start : entity.end],
                start=entity.start,
                end=entity.end,
                confidence=entity.confidence,
            )
            for index, entity in enumerate(tagged.entities)
        ]
    )


def _relations(entities: Sequence[TaggedEntity], pairs: Sequence[tuple[int, int]]) -> tuple[Relation, ...]:
    """Pairs as relations: as sure as both ends, taken as independent of each other, and the rule together."""
    return tuple(
        [
            Relation(
                type=RelationType.TREATS,
                treatment_id=entity_id(treatment),
                disease_id=entity_id(disease),
                confidence=entities[treatment].confidence * entities[disease].confidence * RULE_PRECISION,
            )
            for treatment, disease in pairs
        ]
    )
