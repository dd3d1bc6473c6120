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


class Assertion(Record):
    __slots__ = (
        "status",
        "time",
        "experiencer",
        "cue_start",
        "cue_end",
    )


class Prescription(Record):
    __slots__ = (
        "form",
        "strength",
        "dose",
        "frequency",
        "period",
        "period_unit",
        "when",
        "as_needed",
        "duration",
        "duration_unit",
        "route",
    )


class Entity(Record):
    __slots__ = (
        "entity_id",
        "label",
        "text",
        "start",
        "end",
        "confidence",
        "assertion",
        "prescription",
    )


class Relation(Record):
    __slots__ = (
        "type",
        "treatment_id",
        "disease_id",
        "confidence",
    )


class AnnotationChanges(Record):
    __slots__ = (
        "kept",
        "added",
        "removed",
        "moved",
        "relabelled",
        "restated",
        "represcribed",
        "related",
    )


class AnnotationValidated(Record):
    __slots__ = (
        "annotation_id",
        "source",
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
        "rules_version",
        "rules_serial",
        "predicted_entities",
        "predicted_relations",
        "entities",
        "relations",
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
        "guideline_version",
        "comment",
        "pseudonym_key_id",
        "purpose",
        "consent_artefact_id",
        "encryption_key_id",
        "sealed",
        "note_confidence",
        "hidden_check",
    )


class HeldInterval(Record):
    __slots__ = (
        "since",
        "until",
    )


class AnnotatorJudged(Record):
    __slots__ = (
        "event_id",
        "annotator",
        "state",
        "doubt",
        "held",
        "decisions",
        "judged_at",
        "judged_by",
    )


class DeskChanged(Record):
    __slots__ = (
        "subject",
        "kind",
        "guideline_version",
        "text",
        "segment",
        "annotators",
        "mention",
        "label",
        "code_system",
        "code",
        "code_display",
        "changed_by",
        "changed_at",
        "encryption_key_id",
        "sealed",
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
        "encryption_key_id",
        "sealed",
    )


class Coding(Record):
    __slots__ = (
        "system",
        "code",
        "display",
        "version",
        "score",
        "how",
    )


class CodedEntity(Record):
    __slots__ = (
        "entity_id",
        "label",
        "text",
        "start",
        "end",
        "assertion",
        "codes",
    )


class EntitiesCoded(Record):
    __slots__ = (
        "event_id",
        "entities_event_id",
        "source",
        "note_id",
        "revision",
        "origin",
        "model",
        "rules_version",
        "rules_serial",
        "table_version",
        "table_serial",
        "segment",
        "patient_ref",
        "written_at",
        "accepted_at",
        "extracted_at",
        "entities",
        "pseudonym_key_id",
        "purpose",
        "consent_artefact_id",
        "encryption_key_id",
        "sealed",
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
        "source",
        "note_id",
        "revision",
        "origin",
        "model",
        "rules_version",
        "rules_serial",
        "segment",
        "patient_ref",
        "written_at",
        "accepted_at",
        "extracted_at",
        "note_confidence",
        "entities",
        "relations",
        "review",
        "pseudonym_key_id",
        "purpose",
        "consent_artefact_id",
        "encryption_key_id",
        "sealed",
    )


class FhirDocumentMade(Record):
    __slots__ = (
        "event_id",
        "entities_event_id",
        "source",
        "note_id",
        "revision",
        "origin",
        "model",
        "rules_version",
        "rules_serial",
        "table_version",
        "table_serial",
        "profile",
        "guide",
        "patient_ref",
        "written_at",
        "extracted_at",
        "bundle",
        "pseudonym_key_id",
        "purpose",
        "consent_artefact_id",
        "encryption_key_id",
        "sealed",
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
        "rules_version",
    )


class NoteAccepted(Record):
    __slots__ = (
        "source",
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
        "pseudonym_key_id",
        "purpose",
        "consent_artefact_id",
        "encryption_key_id",
        "sealed",
    )


class NoteSubmitted(Record):
    __slots__ = (
        "source",
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
        "sealed",
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
        "audit_rate",
        "measured_at",
    )


class ReviewRequested(Record):
    __slots__ = (
        "source",
        "note_id",
        "revision",
        "event_id",
        "origin",
        "text",
        "segment",
        "model",
        "rules_version",
        "rules_serial",
        "entities",
        "relations",
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
        "sealed",
        "expected_gain",
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


class WebhookDelivery(Record):
    __slots__ = (
        "delivery_id",
        "source",
        "note_id",
        "revision",
        "kind",
        "body",
        "occurred_at",
        "encryption_key_id",
        "sealed",
    )
