"""From a tagged note to the records that say so."""

from collections.abc import Sequence
from functools import lru_cache

from contracts.identity import event_id
from contracts.records import (
    Assertion,
    AssertionStatus,
    AssertionTime,
    EntitiesExtracted,
    Entity,
    EntityLabel,
    Experiencer,
    ModelRef,
    NoteAccepted,
    Prescription,
    Relation,
    RelationType,
    Review,
    ReviewRequested,
    Segment,
)
from serving.tagging import TaggedAssertion, TaggedNote, TaggedPrescription, TaggedRelation

from extractor.domain.sampling import Chosen

_LABELS = {label.value: label for label in (EntityLabel.DISEASE, EntityLabel.TREATMENT)}
_STATUSES = {member.value: member for member in AssertionStatus}
_TIMES = {member.value: member for member in AssertionTime}
_EXPERIENCERS = {member.value: member for member in Experiencer}
_TYPES = {member.value: member for member in RelationType}

_WITHOUT_CUE: dict[TaggedAssertion, Assertion] = {}
"""What no words decided, as nearly always; there are few such, and the tagger shares them too, so a look-up compares nothing."""


@lru_cache(maxsize=4_096)
def segment(city: str, specialty: str) -> Segment:
    """The segment of a note; there are few, and one is needed for every note."""
    return Segment(city=city, specialty=specialty)


@lru_cache(maxsize=4_096)
def entity_id(index: int) -> str:
    """The id of a note's entity by its place: e1, e2, and so on."""
    return f"e{index + 1}"


def extracted(
    note: NoteAccepted,
    tagged: TaggedNote,
    model: ModelRef,
    rules: tuple[str, int],
    review: Review,
    extracted_at: int,
) -> EntitiesExtracted:
    """The event that says what one model found in one revision of a note.

    Args:
        note: The accepted note.
        tagged: What the tagger said of its text.
        model: Which model version said it.
        rules: Version and serial of the rules that read what the note says of the entities.
        review: Whether people look at it too.
        extracted_at: UTC milliseconds.
    """
    return EntitiesExtracted(
        event_id=event_id(note.source, note.note_id, note.revision, model.serial, rules[1]),
        source=note.source,
        note_id=note.note_id,
        revision=note.revision,
        origin=note.origin,
        model=model,
        rules_version=rules[0],
        rules_serial=rules[1],
        segment=segment(note.city, note.specialty),
        patient_ref=note.patient_ref,
        written_at=note.written_at,
        accepted_at=note.accepted_at,
        extracted_at=extracted_at,
        note_confidence=tagged.confidence,
        entities=_entities(note.text, tagged),
        relations=_relations(tagged.relations) if tagged.relations else (),
        review=review,
        pseudonym_key_id=note.pseudonym_key_id,
        purpose=note.purpose,
        consent_artefact_id=note.consent_artefact_id,
        encryption_key_id=note.encryption_key_id,
    )


def review_request(note: NoteAccepted, event: EntitiesExtracted, chosen: Chosen, gain: float | None) -> ReviewRequested:
    """The request for people to look at a note, with what the model said and what an answer is expected to teach."""
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
        expected_gain=gain,
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
                assertion=_WITHOUT_CUE.get(entity.assertion) or _assertion(entity.assertion),
                prescription=None if entity.prescription is None else _prescription(entity.prescription),
            )
            for index, entity in enumerate(tagged.entities)
        ]
    )


def _assertion(found: TaggedAssertion) -> Assertion:
    made = Assertion(
        status=_STATUSES[found.status],
        time=_TIMES[found.time],
        experiencer=_EXPERIENCERS[found.experiencer],
        cue_start=found.cue_start,
        cue_end=found.cue_end,
    )
    if made.cue_start < 0:
        _WITHOUT_CUE[found] = made
    return made


@lru_cache(maxsize=4_096)
def _prescription(found: TaggedPrescription) -> Prescription:
    """The record; doctors write few of them, again and again."""
    return Prescription(
        form=found.form,
        strength=found.strength,
        dose=found.dose,
        frequency=found.frequency,
        period=found.period,
        period_unit=found.period_unit,
        when=found.when,
        as_needed=found.as_needed,
        duration=found.duration,
        duration_unit=found.duration_unit,
        route=found.route,
    )


def _relations(relations: Sequence[TaggedRelation]) -> tuple[Relation, ...]:
    return tuple(
        [
            Relation(
                type=_TYPES[relation.type],
                treatment_id=entity_id(relation.treatment),
                disease_id=entity_id(relation.disease),
                confidence=relation.confidence,
            )
            for relation in relations
        ]
    )
