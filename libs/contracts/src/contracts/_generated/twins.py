"""Twins of the records: the same slots, not frozen, so that they are filled fast. See contracts.records."""

from contracts.record import Record


class AccessLogged(Record):
    __slots__ = (
        "access_id",
        "person",
        "role",
        "service",
        "action",
        "note_ref",
        "seen",
        "at",
        "pseudonym_key_id",
    )


class Segment(Record):
    __slots__ = (
        "city",
        "specialty",
    )


class ModelRef(Record):
    __slots__ = (
        "name",
        "version",
        "serial",
    )


class Entity(Record):
    __slots__ = (
        "entity_id",
        "label",
        "text",
        "start",
        "end",
        "confidence",
    )


class TreatmentPair(Record):
    __slots__ = (
        "treatment_id",
        "disease_id",
    )


class AnnotationChanges(Record):
    __slots__ = (
        "kept",
        "added",
        "removed",
        "moved",
        "relabelled",
    )


class AnnotationValidated(Record):
    __slots__ = (
        "annotation_id",
        "note_id",
        "revision",
        "event_id",
        "origin",
        "text",
        "language",
        "segment",
        "patient_ref",
        "doctor_ref",
        "written_at",
        "model",
        "predicted_entities",
        "predicted_pairs",
        "entities",
        "treatment_pairs",
        "sample",
        "inclusion_probability",
        "predictions_shown",
        "outcome",
        "changes",
        "annotator",
        "sequence",
        "seconds_spent",
        "annotated_at",
        "supersedes",
        "dataset_digest",
        "pseudonym_key_id",
        "purpose",
        "consent_artefact_id",
        "encryption_key_id",
    )


class MovedStatistic(Record):
    __slots__ = (
        "name",
        "before",
        "after",
        "reference",
    )


class DriftDetected(Record):
    __slots__ = (
        "episode_id",
        "segment",
        "level",
        "direction",
        "statistics",
        "evidence",
        "model",
        "source_partition",
        "source_offset",
        "detected_at",
        "began_at",
        "pseudonym_key_id",
        "purpose",
        "consent_artefact_id",
        "encryption_key_id",
    )


class DriftState(Record):
    __slots__ = (
        "source_partition",
        "source_offset",
        "format_version",
        "chunk",
        "chunks",
        "sha256",
        "state",
        "saved_at",
    )


class NewWord(Record):
    __slots__ = (
        "word",
        "notes",
        "patients",
        "doctors",
    )


class DriftWords(Record):
    __slots__ = (
        "segment",
        "model",
        "words",
        "observed_from",
        "observed_to",
    )


class Review(Record):
    __slots__ = (
        "requested",
        "reason",
        "inclusion_probability",
    )


class EntitiesExtracted(Record):
    __slots__ = (
        "event_id",
        "note_id",
        "revision",
        "origin",
        "model",
        "segment",
        "written_at",
        "accepted_at",
        "extracted_at",
        "note_confidence",
        "entities",
        "treatment_pairs",
        "review",
        "pseudonym_key_id",
        "purpose",
        "consent_artefact_id",
        "encryption_key_id",
    )


class ModelCommand(Record):
    __slots__ = (
        "command_id",
        "action",
        "model_name",
        "reason",
        "target_version",
        "champion_version",
        "requested_by",
        "requested_at",
        "segment",
    )


class ModelEvent(Record):
    __slots__ = (
        "event_id",
        "kind",
        "model_name",
        "model_version",
        "serial",
        "previous_version",
        "artifact_sha256",
        "command_id",
        "reasons",
        "missing_labels",
        "occurred_at",
        "metrics",
        "merged_into",
        "taught_by",
    )


class NoteAccepted(Record):
    __slots__ = (
        "note_id",
        "revision",
        "prescription_ref",
        "patient_ref",
        "doctor_ref",
        "city",
        "specialty",
        "written_at",
        "text",
        "language",
        "origin",
        "accepted_at",
        "producer",
        "pseudonym_key_id",
        "purpose",
        "consent_artefact_id",
        "encryption_key_id",
    )


class NoteSubmitted(Record):
    __slots__ = (
        "note_id",
        "revision",
        "prescription_id",
        "patient_ref",
        "doctor_ref",
        "city",
        "specialty",
        "written_at",
        "text",
        "language",
        "origin",
        "pseudonym_key_id",
        "purpose",
        "consent_artefact_id",
        "encryption_key_id",
    )


class LabelQuality(Record):
    __slots__ = (
        "label",
        "precision",
        "recall",
        "f1",
        "f1_low",
        "f1_high",
        "support",
        "precision_low",
        "precision_high",
        "recall_low",
        "recall_high",
    )


class QualityMeasured(Record):
    __slots__ = (
        "measurement_id",
        "model",
        "segment",
        "window_start",
        "window_end",
        "notes",
        "labels",
        "estimated_f1",
        "prefill_bias",
        "measured_at",
    )


class ReviewRequested(Record):
    __slots__ = (
        "note_id",
        "revision",
        "event_id",
        "origin",
        "text",
        "segment",
        "model",
        "entities",
        "treatment_pairs",
        "note_confidence",
        "sample",
        "inclusion_probability",
        "show_predictions",
        "patient_ref",
        "doctor_ref",
        "requested_at",
        "written_at",
        "pseudonym_key_id",
        "purpose",
        "consent_artefact_id",
        "encryption_key_id",
    )


class StatisticSum(Record):
    __slots__ = (
        "name",
        "count",
        "sum",
        "sum_of_squares",
    )


class StatisticsObserved(Record):
    __slots__ = (
        "segment",
        "model",
        "note_partition",
        "first_offset",
        "last_offset",
        "observed_at",
        "n",
        "statistics",
        "sums",
    )
