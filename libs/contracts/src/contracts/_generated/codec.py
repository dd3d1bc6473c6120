"""Readers and writers of the contract's records. Written by `python -m contracts.generate`; do not edit.

Readers raise IndexError, KeyError, ValueError (with UnicodeDecodeError) or struct.error on bytes that are not exactly one
record; `contracts.wire` turns them into reasons. Writers raise AttributeError, KeyError, TypeError, ValueError,
OverflowError or struct.error on fields that hold what their type does not allow.

Readers fill the slots of a record's twin and then change its class, as the records do themselves.
"""

# mypy: disable-error-code="no-any-return"

from collections.abc import Callable
from struct import Struct, pack, unpack_from
from typing import Any

from contracts import records
from contracts._generated import twins
from contracts.varint import INTS, LONGS, SHORT_LENGTHS, SHORT_LONGS, read_int, read_length, read_long

_new = object.__new__
_BOOLEANS = {0: False, 1: True}
_BOOLEAN_BYTES = {False: b"\x00", True: b"\x01"}

_DOUBLES_1 = Struct("<1d")

_DOUBLES_3 = Struct("<3d")

_DOUBLES_5 = Struct("<5d")

_ACCESSACTION = {0: records.AccessAction.UNKNOWN, 2: records.AccessAction.REVIEW, 4: records.AccessAction.LOOK, 6: records.AccessAction.EXAMPLES, 8: records.AccessAction.SEARCH, 10: records.AccessAction.EXPORT, 12: records.AccessAction.COMMENT, 14: records.AccessAction.REPLAY}
_ACCESSACTION_BYTES = {records.AccessAction.UNKNOWN: b'\x00', records.AccessAction.REVIEW: b'\x02', records.AccessAction.LOOK: b'\x04', records.AccessAction.EXAMPLES: b'\x06', records.AccessAction.SEARCH: b'\x08', records.AccessAction.EXPORT: b'\n', records.AccessAction.COMMENT: b'\x0c', records.AccessAction.REPLAY: b'\x0e'}
_ACCESSACTION_NAMES: dict[str, Any] = {member: member for member in records.AccessAction}

_SEEN = {0: records.Seen.UNKNOWN, 2: records.Seen.IDENTITY, 4: records.Seen.TEXT, 6: records.Seen.ENTITIES, 8: records.Seen.ANNOTATIONS}
_SEEN_BYTES = {records.Seen.UNKNOWN: b'\x00', records.Seen.IDENTITY: b'\x02', records.Seen.TEXT: b'\x04', records.Seen.ENTITIES: b'\x06', records.Seen.ANNOTATIONS: b'\x08'}
_SEEN_NAMES: dict[str, Any] = {member: member for member in records.Seen}

_ORIGIN = {0: records.Origin.LIVE, 2: records.Origin.BACKFILL, 4: records.Origin.REPLAY, 6: records.Origin.REEXTRACT}
_ORIGIN_BYTES = {records.Origin.LIVE: b'\x00', records.Origin.BACKFILL: b'\x02', records.Origin.REPLAY: b'\x04', records.Origin.REEXTRACT: b'\x06'}
_ORIGIN_NAMES: dict[str, Any] = {member: member for member in records.Origin}

_ENTITYLABEL = {0: records.EntityLabel.UNKNOWN, 2: records.EntityLabel.DISEASE, 4: records.EntityLabel.TREATMENT}
_ENTITYLABEL_BYTES = {records.EntityLabel.UNKNOWN: b'\x00', records.EntityLabel.DISEASE: b'\x02', records.EntityLabel.TREATMENT: b'\x04'}
_ENTITYLABEL_NAMES: dict[str, Any] = {member: member for member in records.EntityLabel}

_ASSERTIONSTATUS = {0: records.AssertionStatus.UNKNOWN, 2: records.AssertionStatus.PRESENT, 4: records.AssertionStatus.NEGATED, 6: records.AssertionStatus.POSSIBLE, 8: records.AssertionStatus.HYPOTHETICAL, 10: records.AssertionStatus.ALLERGY, 12: records.AssertionStatus.REFUSED}
_ASSERTIONSTATUS_BYTES = {records.AssertionStatus.UNKNOWN: b'\x00', records.AssertionStatus.PRESENT: b'\x02', records.AssertionStatus.NEGATED: b'\x04', records.AssertionStatus.POSSIBLE: b'\x06', records.AssertionStatus.HYPOTHETICAL: b'\x08', records.AssertionStatus.ALLERGY: b'\n', records.AssertionStatus.REFUSED: b'\x0c'}
_ASSERTIONSTATUS_NAMES: dict[str, Any] = {member: member for member in records.AssertionStatus}

_ASSERTIONTIME = {0: records.AssertionTime.UNKNOWN, 2: records.AssertionTime.CURRENT, 4: records.AssertionTime.HISTORICAL, 6: records.AssertionTime.PLANNED}
_ASSERTIONTIME_BYTES = {records.AssertionTime.UNKNOWN: b'\x00', records.AssertionTime.CURRENT: b'\x02', records.AssertionTime.HISTORICAL: b'\x04', records.AssertionTime.PLANNED: b'\x06'}
_ASSERTIONTIME_NAMES: dict[str, Any] = {member: member for member in records.AssertionTime}

_EXPERIENCER = {0: records.Experiencer.UNKNOWN, 2: records.Experiencer.PATIENT, 4: records.Experiencer.FAMILY, 6: records.Experiencer.OTHER}
_EXPERIENCER_BYTES = {records.Experiencer.UNKNOWN: b'\x00', records.Experiencer.PATIENT: b'\x02', records.Experiencer.FAMILY: b'\x04', records.Experiencer.OTHER: b'\x06'}
_EXPERIENCER_NAMES: dict[str, Any] = {member: member for member in records.Experiencer}

_RELATIONTYPE = {0: records.RelationType.UNKNOWN, 2: records.RelationType.TREATS, 4: records.RelationType.TREATED, 6: records.RelationType.PLANNED, 8: records.RelationType.PREVENTS, 10: records.RelationType.CAUSES, 12: records.RelationType.CONTRAINDICATED, 14: records.RelationType.REFUSED, 16: records.RelationType.TREATS_FAILED}
_RELATIONTYPE_BYTES = {records.RelationType.UNKNOWN: b'\x00', records.RelationType.TREATS: b'\x02', records.RelationType.TREATED: b'\x04', records.RelationType.PLANNED: b'\x06', records.RelationType.PREVENTS: b'\x08', records.RelationType.CAUSES: b'\n', records.RelationType.CONTRAINDICATED: b'\x0c', records.RelationType.REFUSED: b'\x0e', records.RelationType.TREATS_FAILED: b'\x10'}
_RELATIONTYPE_NAMES: dict[str, Any] = {member: member for member in records.RelationType}

_SAMPLE = {0: records.Sample.UNCERTAIN, 2: records.Sample.AUDIT, 4: records.Sample.DRIFT, 6: records.Sample.IMPORTED}
_SAMPLE_BYTES = {records.Sample.UNCERTAIN: b'\x00', records.Sample.AUDIT: b'\x02', records.Sample.DRIFT: b'\x04', records.Sample.IMPORTED: b'\x06'}
_SAMPLE_NAMES: dict[str, Any] = {member: member for member in records.Sample}

_ANNOTATIONOUTCOME = {0: records.AnnotationOutcome.UNKNOWN, 2: records.AnnotationOutcome.ACCEPTED, 4: records.AnnotationOutcome.CORRECTED, 6: records.AnnotationOutcome.UNREADABLE, 8: records.AnnotationOutcome.SKIPPED, 10: records.AnnotationOutcome.ADJUDICATED}
_ANNOTATIONOUTCOME_BYTES = {records.AnnotationOutcome.UNKNOWN: b'\x00', records.AnnotationOutcome.ACCEPTED: b'\x02', records.AnnotationOutcome.CORRECTED: b'\x04', records.AnnotationOutcome.UNREADABLE: b'\x06', records.AnnotationOutcome.SKIPPED: b'\x08', records.AnnotationOutcome.ADJUDICATED: b'\n'}
_ANNOTATIONOUTCOME_NAMES: dict[str, Any] = {member: member for member in records.AnnotationOutcome}

_TRUSTSTATE = {0: records.TrustState.UNKNOWN, 2: records.TrustState.HELD, 4: records.TrustState.CLEARED, 6: records.TrustState.EXCLUDED}
_TRUSTSTATE_BYTES = {records.TrustState.UNKNOWN: b'\x00', records.TrustState.HELD: b'\x02', records.TrustState.CLEARED: b'\x04', records.TrustState.EXCLUDED: b'\x06'}
_TRUSTSTATE_NAMES: dict[str, Any] = {member: member for member in records.TrustState}

_TRUSTDOUBT = {0: records.TrustDoubt.UNKNOWN, 2: records.TrustDoubt.NONE, 4: records.TrustDoubt.FAILED_CHECKS, 6: records.TrustDoubt.TOO_FAST, 8: records.TrustDoubt.NEVER_CHANGES, 10: records.TrustDoubt.ALWAYS_THE_SAME}
_TRUSTDOUBT_BYTES = {records.TrustDoubt.UNKNOWN: b'\x00', records.TrustDoubt.NONE: b'\x02', records.TrustDoubt.FAILED_CHECKS: b'\x04', records.TrustDoubt.TOO_FAST: b'\x06', records.TrustDoubt.NEVER_CHANGES: b'\x08', records.TrustDoubt.ALWAYS_THE_SAME: b'\n'}
_TRUSTDOUBT_NAMES: dict[str, Any] = {member: member for member in records.TrustDoubt}

_DESKCHANGE = {0: records.DeskChange.UNKNOWN, 2: records.DeskChange.GUIDELINE_EDITED, 4: records.DeskChange.RESERVED, 6: records.DeskChange.RELEASED, 8: records.DeskChange.CODE_PROPOSED, 10: records.DeskChange.CODE_ACCEPTED, 12: records.DeskChange.CODE_REFUSED}
_DESKCHANGE_BYTES = {records.DeskChange.UNKNOWN: b'\x00', records.DeskChange.GUIDELINE_EDITED: b'\x02', records.DeskChange.RESERVED: b'\x04', records.DeskChange.RELEASED: b'\x06', records.DeskChange.CODE_PROPOSED: b'\x08', records.DeskChange.CODE_ACCEPTED: b'\n', records.DeskChange.CODE_REFUSED: b'\x0c'}
_DESKCHANGE_NAMES: dict[str, Any] = {member: member for member in records.DeskChange}

_DRIFTLEVEL = {0: records.DriftLevel.UNKNOWN, 2: records.DriftLevel.WARNING, 4: records.DriftLevel.CRITICAL, 6: records.DriftLevel.RECOVERED}
_DRIFTLEVEL_BYTES = {records.DriftLevel.UNKNOWN: b'\x00', records.DriftLevel.WARNING: b'\x02', records.DriftLevel.CRITICAL: b'\x04', records.DriftLevel.RECOVERED: b'\x06'}
_DRIFTLEVEL_NAMES: dict[str, Any] = {member: member for member in records.DriftLevel}

_DRIFTDIRECTION = {0: records.DriftDirection.UNKNOWN, 2: records.DriftDirection.WORSE, 4: records.DriftDirection.BETTER}
_DRIFTDIRECTION_BYTES = {records.DriftDirection.UNKNOWN: b'\x00', records.DriftDirection.WORSE: b'\x02', records.DriftDirection.BETTER: b'\x04'}
_DRIFTDIRECTION_NAMES: dict[str, Any] = {member: member for member in records.DriftDirection}

_REVIEWREASON = {0: records.ReviewReason.NONE, 2: records.ReviewReason.LOW_CONFIDENCE, 4: records.ReviewReason.AUDIT, 6: records.ReviewReason.DRIFT, 8: records.ReviewReason.DRIFT_UNREVIEWED}
_REVIEWREASON_BYTES = {records.ReviewReason.NONE: b'\x00', records.ReviewReason.LOW_CONFIDENCE: b'\x02', records.ReviewReason.AUDIT: b'\x04', records.ReviewReason.DRIFT: b'\x06', records.ReviewReason.DRIFT_UNREVIEWED: b'\x08'}
_REVIEWREASON_NAMES: dict[str, Any] = {member: member for member in records.ReviewReason}

_MODELACTION = {0: records.ModelAction.UNKNOWN, 2: records.ModelAction.RETRAIN, 4: records.ModelAction.EVALUATE, 6: records.ModelAction.PROMOTE, 8: records.ModelAction.ROLLBACK}
_MODELACTION_BYTES = {records.ModelAction.UNKNOWN: b'\x00', records.ModelAction.RETRAIN: b'\x02', records.ModelAction.EVALUATE: b'\x04', records.ModelAction.PROMOTE: b'\x06', records.ModelAction.ROLLBACK: b'\x08'}
_MODELACTION_NAMES: dict[str, Any] = {member: member for member in records.ModelAction}

_MODELEVENTKIND = {0: records.ModelEventKind.UNKNOWN, 2: records.ModelEventKind.MODEL_TRAINED, 4: records.ModelEventKind.PROMOTED, 6: records.ModelEventKind.REJECTED, 8: records.ModelEventKind.ROLLED_BACK, 10: records.ModelEventKind.TRAINING_DEFERRED, 12: records.ModelEventKind.TRAINING_FAILED, 14: records.ModelEventKind.MERGED_INTO, 16: records.ModelEventKind.APPROVAL_AWAITED}
_MODELEVENTKIND_BYTES = {records.ModelEventKind.UNKNOWN: b'\x00', records.ModelEventKind.MODEL_TRAINED: b'\x02', records.ModelEventKind.PROMOTED: b'\x04', records.ModelEventKind.REJECTED: b'\x06', records.ModelEventKind.ROLLED_BACK: b'\x08', records.ModelEventKind.TRAINING_DEFERRED: b'\n', records.ModelEventKind.TRAINING_FAILED: b'\x0c', records.ModelEventKind.MERGED_INTO: b'\x0e', records.ModelEventKind.APPROVAL_AWAITED: b'\x10'}
_MODELEVENTKIND_NAMES: dict[str, Any] = {member: member for member in records.ModelEventKind}

_DELIVERYKIND = {0: records.DeliveryKind.UNKNOWN, 2: records.DeliveryKind.EXTRACTED, 4: records.DeliveryKind.REFUSED}
_DELIVERYKIND_BYTES = {records.DeliveryKind.UNKNOWN: b'\x00', records.DeliveryKind.EXTRACTED: b'\x02', records.DeliveryKind.REFUSED: b'\x04'}
_DELIVERYKIND_NAMES: dict[str, Any] = {member: member for member in records.DeliveryKind}


def resolved_access_logged(d: dict[str, Any]) -> records.AccessLogged:
    r: Any = _new(twins.AccessLogged)
    r.access_id = d["access_id"]
    r.person = d["person"]
    r.role = d["role"]
    r.service = d["service"]
    r.action = _ACCESSACTION_NAMES[d["action"]]
    r.note_ref = d["note_ref"]
    r.seen = tuple([_SEEN_NAMES[item] for item in d["seen"]])
    r.at = d["at"]
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.__class__ = records.AccessLogged
    return r


def resolved_segment(d: dict[str, Any]) -> records.Segment:
    r: Any = _new(twins.Segment)
    r.city = d["city"]
    r.specialty = d["specialty"]
    r.__class__ = records.Segment
    return r


def resolved_model_ref(d: dict[str, Any]) -> records.ModelRef:
    r: Any = _new(twins.ModelRef)
    r.name = d["name"]
    r.version = d["version"]
    r.serial = d["serial"]
    r.__class__ = records.ModelRef
    return r


def resolved_assertion(d: dict[str, Any]) -> records.Assertion:
    r: Any = _new(twins.Assertion)
    r.status = _ASSERTIONSTATUS_NAMES[d["status"]]
    r.time = _ASSERTIONTIME_NAMES[d["time"]]
    r.experiencer = _EXPERIENCER_NAMES[d["experiencer"]]
    r.cue_start = d["cue_start"]
    r.cue_end = d["cue_end"]
    r.__class__ = records.Assertion
    return r


def resolved_prescription(d: dict[str, Any]) -> records.Prescription:
    r: Any = _new(twins.Prescription)
    r.form = d["form"]
    r.strength = d["strength"]
    r.dose = d["dose"]
    r.frequency = d["frequency"]
    r.period = d["period"]
    r.period_unit = d["period_unit"]
    r.when = d["when"]
    r.as_needed = d["as_needed"]
    r.duration = d["duration"]
    r.duration_unit = d["duration_unit"]
    r.route = d["route"]
    r.__class__ = records.Prescription
    return r


def resolved_entity(d: dict[str, Any]) -> records.Entity:
    r: Any = _new(twins.Entity)
    r.entity_id = d["entity_id"]
    r.label = _ENTITYLABEL_NAMES[d["label"]]
    r.text = d["text"]
    r.start = d["start"]
    r.end = d["end"]
    r.confidence = d["confidence"]
    r.assertion = None if d["assertion"] is None else resolved_assertion(d["assertion"])
    r.prescription = None if d["prescription"] is None else resolved_prescription(d["prescription"])
    r.__class__ = records.Entity
    return r


def resolved_relation(d: dict[str, Any]) -> records.Relation:
    r: Any = _new(twins.Relation)
    r.type = _RELATIONTYPE_NAMES[d["type"]]
    r.treatment_id = d["treatment_id"]
    r.disease_id = d["disease_id"]
    r.confidence = d["confidence"]
    r.__class__ = records.Relation
    return r


def resolved_annotation_changes(d: dict[str, Any]) -> records.AnnotationChanges:
    r: Any = _new(twins.AnnotationChanges)
    r.kept = d["kept"]
    r.added = d["added"]
    r.removed = d["removed"]
    r.moved = d["moved"]
    r.relabelled = d["relabelled"]
    r.restated = d["restated"]
    r.represcribed = d["represcribed"]
    r.related = d["related"]
    r.__class__ = records.AnnotationChanges
    return r


def resolved_annotation_validated(d: dict[str, Any]) -> records.AnnotationValidated:
    r: Any = _new(twins.AnnotationValidated)
    r.annotation_id = d["annotation_id"]
    r.source = d["source"]
    r.note_id = d["note_id"]
    r.revision = d["revision"]
    r.event_id = d["event_id"]
    r.origin = None if d["origin"] is None else _ORIGIN_NAMES[d["origin"]]
    r.text = d["text"]
    r.language = d["language"]
    r.segment = resolved_segment(d["segment"])
    r.patient_ref = d["patient_ref"]
    r.doctor_ref = d["doctor_ref"]
    r.written_at = d["written_at"]
    r.model = None if d["model"] is None else resolved_model_ref(d["model"])
    r.rules_version = d["rules_version"]
    r.rules_serial = d["rules_serial"]
    r.predicted_entities = tuple([resolved_entity(item) for item in d["predicted_entities"]])
    r.predicted_relations = tuple([resolved_relation(item) for item in d["predicted_relations"]])
    r.entities = tuple([resolved_entity(item) for item in d["entities"]])
    r.relations = tuple([resolved_relation(item) for item in d["relations"]])
    r.sample = _SAMPLE_NAMES[d["sample"]]
    r.inclusion_probability = d["inclusion_probability"]
    r.predictions_shown = d["predictions_shown"]
    r.outcome = _ANNOTATIONOUTCOME_NAMES[d["outcome"]]
    r.changes = resolved_annotation_changes(d["changes"])
    r.annotator = d["annotator"]
    r.sequence = d["sequence"]
    r.seconds_spent = d["seconds_spent"]
    r.annotated_at = d["annotated_at"]
    r.supersedes = tuple([item for item in d["supersedes"]])
    r.dataset_digest = d["dataset_digest"]
    r.guideline_version = d["guideline_version"]
    r.comment = d["comment"]
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.purpose = d["purpose"]
    r.consent_artefact_id = d["consent_artefact_id"]
    r.encryption_key_id = d["encryption_key_id"]
    r.sealed = d["sealed"]
    r.note_confidence = d["note_confidence"]
    r.hidden_check = d["hidden_check"]
    r.__class__ = records.AnnotationValidated
    return r


def resolved_held_interval(d: dict[str, Any]) -> records.HeldInterval:
    r: Any = _new(twins.HeldInterval)
    r.since = d["since"]
    r.until = d["until"]
    r.__class__ = records.HeldInterval
    return r


def resolved_annotator_judged(d: dict[str, Any]) -> records.AnnotatorJudged:
    r: Any = _new(twins.AnnotatorJudged)
    r.event_id = d["event_id"]
    r.annotator = d["annotator"]
    r.state = _TRUSTSTATE_NAMES[d["state"]]
    r.doubt = _TRUSTDOUBT_NAMES[d["doubt"]]
    r.held = tuple([resolved_held_interval(item) for item in d["held"]])
    r.decisions = d["decisions"]
    r.judged_at = d["judged_at"]
    r.judged_by = d["judged_by"]
    r.__class__ = records.AnnotatorJudged
    return r


def resolved_desk_changed(d: dict[str, Any]) -> records.DeskChanged:
    r: Any = _new(twins.DeskChanged)
    r.subject = d["subject"]
    r.kind = _DESKCHANGE_NAMES[d["kind"]]
    r.guideline_version = d["guideline_version"]
    r.text = d["text"]
    r.segment = d["segment"]
    r.annotators = tuple([item for item in d["annotators"]])
    r.mention = d["mention"]
    r.label = d["label"]
    r.code_system = d["code_system"]
    r.code = d["code"]
    r.code_display = d["code_display"]
    r.changed_by = d["changed_by"]
    r.changed_at = d["changed_at"]
    r.encryption_key_id = d["encryption_key_id"]
    r.sealed = d["sealed"]
    r.__class__ = records.DeskChanged
    return r


def resolved_moved_statistic(d: dict[str, Any]) -> records.MovedStatistic:
    r: Any = _new(twins.MovedStatistic)
    r.name = d["name"]
    r.before = d["before"]
    r.after = d["after"]
    r.reference = d["reference"]
    r.__class__ = records.MovedStatistic
    return r


def resolved_drift_detected(d: dict[str, Any]) -> records.DriftDetected:
    r: Any = _new(twins.DriftDetected)
    r.episode_id = d["episode_id"]
    r.segment = d["segment"]
    r.level = _DRIFTLEVEL_NAMES[d["level"]]
    r.direction = _DRIFTDIRECTION_NAMES[d["direction"]]
    r.statistics = tuple([resolved_moved_statistic(item) for item in d["statistics"]])
    r.evidence = d["evidence"]
    r.model = resolved_model_ref(d["model"])
    r.source_partition = d["source_partition"]
    r.source_offset = d["source_offset"]
    r.detected_at = d["detected_at"]
    r.began_at = d["began_at"]
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.purpose = d["purpose"]
    r.consent_artefact_id = d["consent_artefact_id"]
    r.encryption_key_id = d["encryption_key_id"]
    r.__class__ = records.DriftDetected
    return r


def resolved_drift_state(d: dict[str, Any]) -> records.DriftState:
    r: Any = _new(twins.DriftState)
    r.source_partition = d["source_partition"]
    r.source_offset = d["source_offset"]
    r.format_version = d["format_version"]
    r.chunk = d["chunk"]
    r.chunks = d["chunks"]
    r.sha256 = d["sha256"]
    r.state = d["state"]
    r.saved_at = d["saved_at"]
    r.__class__ = records.DriftState
    return r


def resolved_new_word(d: dict[str, Any]) -> records.NewWord:
    r: Any = _new(twins.NewWord)
    r.word = d["word"]
    r.notes = d["notes"]
    r.patients = d["patients"]
    r.doctors = d["doctors"]
    r.__class__ = records.NewWord
    return r


def resolved_drift_words(d: dict[str, Any]) -> records.DriftWords:
    r: Any = _new(twins.DriftWords)
    r.segment = d["segment"]
    r.model = resolved_model_ref(d["model"])
    r.words = tuple([resolved_new_word(item) for item in d["words"]])
    r.observed_from = d["observed_from"]
    r.observed_to = d["observed_to"]
    r.encryption_key_id = d["encryption_key_id"]
    r.sealed = d["sealed"]
    r.__class__ = records.DriftWords
    return r


def resolved_coding(d: dict[str, Any]) -> records.Coding:
    r: Any = _new(twins.Coding)
    r.system = d["system"]
    r.code = d["code"]
    r.display = d["display"]
    r.version = d["version"]
    r.score = d["score"]
    r.how = d["how"]
    r.__class__ = records.Coding
    return r


def resolved_coded_entity(d: dict[str, Any]) -> records.CodedEntity:
    r: Any = _new(twins.CodedEntity)
    r.entity_id = d["entity_id"]
    r.label = _ENTITYLABEL_NAMES[d["label"]]
    r.text = d["text"]
    r.start = d["start"]
    r.end = d["end"]
    r.assertion = None if d["assertion"] is None else resolved_assertion(d["assertion"])
    r.codes = tuple([resolved_coding(item) for item in d["codes"]])
    r.__class__ = records.CodedEntity
    return r


def resolved_entities_coded(d: dict[str, Any]) -> records.EntitiesCoded:
    r: Any = _new(twins.EntitiesCoded)
    r.event_id = d["event_id"]
    r.entities_event_id = d["entities_event_id"]
    r.source = d["source"]
    r.note_id = d["note_id"]
    r.revision = d["revision"]
    r.origin = _ORIGIN_NAMES[d["origin"]]
    r.model = resolved_model_ref(d["model"])
    r.rules_version = d["rules_version"]
    r.rules_serial = d["rules_serial"]
    r.table_version = d["table_version"]
    r.table_serial = d["table_serial"]
    r.segment = resolved_segment(d["segment"])
    r.patient_ref = d["patient_ref"]
    r.written_at = d["written_at"]
    r.accepted_at = d["accepted_at"]
    r.extracted_at = d["extracted_at"]
    r.entities = tuple([resolved_coded_entity(item) for item in d["entities"]])
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.purpose = d["purpose"]
    r.consent_artefact_id = d["consent_artefact_id"]
    r.encryption_key_id = d["encryption_key_id"]
    r.sealed = d["sealed"]
    r.__class__ = records.EntitiesCoded
    return r


def resolved_review(d: dict[str, Any]) -> records.Review:
    r: Any = _new(twins.Review)
    r.requested = d["requested"]
    r.reason = _REVIEWREASON_NAMES[d["reason"]]
    r.inclusion_probability = d["inclusion_probability"]
    r.__class__ = records.Review
    return r


def resolved_entities_extracted(d: dict[str, Any]) -> records.EntitiesExtracted:
    r: Any = _new(twins.EntitiesExtracted)
    r.event_id = d["event_id"]
    r.source = d["source"]
    r.note_id = d["note_id"]
    r.revision = d["revision"]
    r.origin = _ORIGIN_NAMES[d["origin"]]
    r.model = resolved_model_ref(d["model"])
    r.rules_version = d["rules_version"]
    r.rules_serial = d["rules_serial"]
    r.segment = resolved_segment(d["segment"])
    r.patient_ref = d["patient_ref"]
    r.written_at = d["written_at"]
    r.accepted_at = d["accepted_at"]
    r.extracted_at = d["extracted_at"]
    r.note_confidence = d["note_confidence"]
    r.entities = tuple([resolved_entity(item) for item in d["entities"]])
    r.relations = tuple([resolved_relation(item) for item in d["relations"]])
    r.review = resolved_review(d["review"])
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.purpose = d["purpose"]
    r.consent_artefact_id = d["consent_artefact_id"]
    r.encryption_key_id = d["encryption_key_id"]
    r.sealed = d["sealed"]
    r.__class__ = records.EntitiesExtracted
    return r


def resolved_fhir_document_made(d: dict[str, Any]) -> records.FhirDocumentMade:
    r: Any = _new(twins.FhirDocumentMade)
    r.event_id = d["event_id"]
    r.entities_event_id = d["entities_event_id"]
    r.source = d["source"]
    r.note_id = d["note_id"]
    r.revision = d["revision"]
    r.origin = _ORIGIN_NAMES[d["origin"]]
    r.model = resolved_model_ref(d["model"])
    r.rules_version = d["rules_version"]
    r.rules_serial = d["rules_serial"]
    r.table_version = d["table_version"]
    r.table_serial = d["table_serial"]
    r.profile = d["profile"]
    r.guide = d["guide"]
    r.patient_ref = d["patient_ref"]
    r.written_at = d["written_at"]
    r.extracted_at = d["extracted_at"]
    r.bundle = d["bundle"]
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.purpose = d["purpose"]
    r.consent_artefact_id = d["consent_artefact_id"]
    r.encryption_key_id = d["encryption_key_id"]
    r.sealed = d["sealed"]
    r.__class__ = records.FhirDocumentMade
    return r


def resolved_model_command(d: dict[str, Any]) -> records.ModelCommand:
    r: Any = _new(twins.ModelCommand)
    r.command_id = d["command_id"]
    r.action = _MODELACTION_NAMES[d["action"]]
    r.model_name = d["model_name"]
    r.reason = d["reason"]
    r.target_version = d["target_version"]
    r.champion_version = d["champion_version"]
    r.requested_by = d["requested_by"]
    r.requested_at = d["requested_at"]
    r.segment = d["segment"]
    r.__class__ = records.ModelCommand
    return r


def resolved_model_event(d: dict[str, Any]) -> records.ModelEvent:
    r: Any = _new(twins.ModelEvent)
    r.event_id = d["event_id"]
    r.kind = _MODELEVENTKIND_NAMES[d["kind"]]
    r.model_name = d["model_name"]
    r.model_version = d["model_version"]
    r.serial = d["serial"]
    r.previous_version = d["previous_version"]
    r.artifact_sha256 = d["artifact_sha256"]
    r.command_id = d["command_id"]
    r.reasons = tuple([item for item in d["reasons"]])
    r.missing_labels = d["missing_labels"]
    r.occurred_at = d["occurred_at"]
    r.metrics = d["metrics"]
    r.merged_into = d["merged_into"]
    r.taught_by = d["taught_by"]
    r.rules_version = d["rules_version"]
    r.__class__ = records.ModelEvent
    return r


def resolved_note_accepted(d: dict[str, Any]) -> records.NoteAccepted:
    r: Any = _new(twins.NoteAccepted)
    r.source = d["source"]
    r.note_id = d["note_id"]
    r.revision = d["revision"]
    r.prescription_ref = d["prescription_ref"]
    r.patient_ref = d["patient_ref"]
    r.doctor_ref = d["doctor_ref"]
    r.city = d["city"]
    r.specialty = d["specialty"]
    r.written_at = d["written_at"]
    r.text = d["text"]
    r.language = d["language"]
    r.origin = _ORIGIN_NAMES[d["origin"]]
    r.accepted_at = d["accepted_at"]
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.purpose = d["purpose"]
    r.consent_artefact_id = d["consent_artefact_id"]
    r.encryption_key_id = d["encryption_key_id"]
    r.sealed = d["sealed"]
    r.__class__ = records.NoteAccepted
    return r


def resolved_note_submitted(d: dict[str, Any]) -> records.NoteSubmitted:
    r: Any = _new(twins.NoteSubmitted)
    r.source = d["source"]
    r.note_id = d["note_id"]
    r.revision = d["revision"]
    r.prescription_id = d["prescription_id"]
    r.patient_ref = d["patient_ref"]
    r.doctor_ref = d["doctor_ref"]
    r.city = d["city"]
    r.specialty = d["specialty"]
    r.written_at = d["written_at"]
    r.text = d["text"]
    r.language = d["language"]
    r.origin = _ORIGIN_NAMES[d["origin"]]
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.purpose = d["purpose"]
    r.consent_artefact_id = d["consent_artefact_id"]
    r.encryption_key_id = d["encryption_key_id"]
    r.sealed = d["sealed"]
    r.__class__ = records.NoteSubmitted
    return r


def resolved_label_quality(d: dict[str, Any]) -> records.LabelQuality:
    r: Any = _new(twins.LabelQuality)
    r.label = d["label"]
    r.precision = d["precision"]
    r.recall = d["recall"]
    r.f1 = d["f1"]
    r.f1_low = d["f1_low"]
    r.f1_high = d["f1_high"]
    r.support = d["support"]
    r.precision_low = d["precision_low"]
    r.precision_high = d["precision_high"]
    r.recall_low = d["recall_low"]
    r.recall_high = d["recall_high"]
    r.__class__ = records.LabelQuality
    return r


def resolved_quality_measured(d: dict[str, Any]) -> records.QualityMeasured:
    r: Any = _new(twins.QualityMeasured)
    r.measurement_id = d["measurement_id"]
    r.model = resolved_model_ref(d["model"])
    r.segment = d["segment"]
    r.window_start = d["window_start"]
    r.window_end = d["window_end"]
    r.notes = d["notes"]
    r.labels = tuple([resolved_label_quality(item) for item in d["labels"]])
    r.estimated_f1 = d["estimated_f1"]
    r.prefill_bias = d["prefill_bias"]
    r.audit_rate = d["audit_rate"]
    r.measured_at = d["measured_at"]
    r.__class__ = records.QualityMeasured
    return r


def resolved_review_requested(d: dict[str, Any]) -> records.ReviewRequested:
    r: Any = _new(twins.ReviewRequested)
    r.source = d["source"]
    r.note_id = d["note_id"]
    r.revision = d["revision"]
    r.event_id = d["event_id"]
    r.origin = _ORIGIN_NAMES[d["origin"]]
    r.text = d["text"]
    r.segment = resolved_segment(d["segment"])
    r.model = resolved_model_ref(d["model"])
    r.rules_version = d["rules_version"]
    r.rules_serial = d["rules_serial"]
    r.entities = tuple([resolved_entity(item) for item in d["entities"]])
    r.relations = tuple([resolved_relation(item) for item in d["relations"]])
    r.note_confidence = d["note_confidence"]
    r.sample = _SAMPLE_NAMES[d["sample"]]
    r.inclusion_probability = d["inclusion_probability"]
    r.show_predictions = d["show_predictions"]
    r.patient_ref = d["patient_ref"]
    r.doctor_ref = d["doctor_ref"]
    r.requested_at = d["requested_at"]
    r.written_at = d["written_at"]
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.purpose = d["purpose"]
    r.consent_artefact_id = d["consent_artefact_id"]
    r.encryption_key_id = d["encryption_key_id"]
    r.sealed = d["sealed"]
    r.expected_gain = d["expected_gain"]
    r.__class__ = records.ReviewRequested
    return r


def resolved_statistic_sum(d: dict[str, Any]) -> records.StatisticSum:
    r: Any = _new(twins.StatisticSum)
    r.name = d["name"]
    r.count = d["count"]
    r.sum = d["sum"]
    r.sum_of_squares = d["sum_of_squares"]
    r.__class__ = records.StatisticSum
    return r


def resolved_statistics_observed(d: dict[str, Any]) -> records.StatisticsObserved:
    r: Any = _new(twins.StatisticsObserved)
    r.segment = d["segment"]
    r.model = resolved_model_ref(d["model"])
    r.note_partition = d["note_partition"]
    r.first_offset = d["first_offset"]
    r.last_offset = d["last_offset"]
    r.observed_at = d["observed_at"]
    r.n = d["n"]
    r.statistics = tuple([resolved_statistic_sum(item) for item in d["statistics"]])
    r.sums = tuple([item for item in d["sums"]])
    r.__class__ = records.StatisticsObserved
    return r


def resolved_webhook_delivery(d: dict[str, Any]) -> records.WebhookDelivery:
    r: Any = _new(twins.WebhookDelivery)
    r.delivery_id = d["delivery_id"]
    r.source = d["source"]
    r.note_id = d["note_id"]
    r.revision = d["revision"]
    r.kind = _DELIVERYKIND_NAMES[d["kind"]]
    r.body = d["body"]
    r.occurred_at = d["occurred_at"]
    r.encryption_key_id = d["encryption_key_id"]
    r.sealed = d["sealed"]
    r.__class__ = records.WebhookDelivery
    return r


def read_access_logged(b: bytes, i: int) -> records.AccessLogged:
    record: Any = _new(twins.AccessLogged)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.access_id = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.person = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.role = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.service = b[i : (i := i + n)].decode()
    record.action = _ACCESSACTION[b[i]]
    i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.note_ref = b[i : (i := i + n)].decode()
    items_1: list[Any] = []
    number_4 = SHORT_LONGS[b[i]]
    if number_4 is None:
        count_3, i = read_long(b, i)
    else:
        count_3 = number_4
        i += 1
    while count_3:
        if count_3 < 0:
            count_3 = -count_3
            _, i = read_length(b, i)
        for _ in range(count_3):
            item_2 = _SEEN[b[i]]
            i += 1
            items_1.append(item_2)
        number_5 = SHORT_LONGS[b[i]]
        if number_5 is None:
            count_3, i = read_long(b, i)
        else:
            count_3 = number_5
            i += 1
    record.seen = tuple(items_1)
    number_6 = SHORT_LONGS[b[i]]
    if number_6 is None:
        record.at, i = read_long(b, i)
    else:
        record.at = number_6
        i += 1
    branch_7 = b[i]
    i += 1
    if branch_7 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_7 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.AccessLogged
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_access_logged(r: records.AccessLogged, header: bytes) -> bytes:
    data_1 = r.access_id.encode()
    data_2 = r.person.encode()
    data_3 = r.role.encode()
    data_4 = r.service.encode()
    data_5 = r.note_ref.encode()
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_2)], data_2, LONGS[len(data_3)], data_3, LONGS[len(data_4)], data_4, _ACCESSACTION_BYTES[r.action], LONGS[len(data_5)], data_5]
    items_6 = r.seen
    if items_6:
        out.append(LONGS[len(items_6)])
        for item_7 in items_6:
            out += (_SEEN_BYTES[item_7],)
    value_8 = r.pseudonym_key_id
    out += (b"\x00", LONGS[r.at], b"\x00" if value_8 is None else b"\x02" + LONGS[len(data_9 := value_8.encode())] + data_9,)
    return b"".join(out)


def read_annotation_validated(b: bytes, i: int) -> records.AnnotationValidated:
    record: Any = _new(twins.AnnotationValidated)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.annotation_id = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.source = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.note_id = b[i : (i := i + n)].decode()
    number_1 = SHORT_LONGS[b[i]]
    if number_1 is None:
        record.revision, i = read_int(b, i)
    else:
        record.revision = number_1
        i += 1
    branch_2 = b[i]
    i += 1
    if branch_2 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.event_id = b[i : (i := i + n)].decode()
    elif branch_2 == 0:
        record.event_id = None
    else:
        raise ValueError("no such branch")
    branch_3 = b[i]
    i += 1
    if branch_3 == 2:
        record.origin = _ORIGIN[b[i]]
        i += 1
    elif branch_3 == 0:
        record.origin = None
    else:
        raise ValueError("no such branch")
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.text = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.language = b[i : (i := i + n)].decode()
    segment_4: Any = _new(twins.Segment)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    segment_4.city = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    segment_4.specialty = b[i : (i := i + n)].decode()
    segment_4.__class__ = records.Segment
    record.segment = segment_4
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.patient_ref = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.doctor_ref = b[i : (i := i + n)].decode()
    number_5 = SHORT_LONGS[b[i]]
    if number_5 is None:
        record.written_at, i = read_long(b, i)
    else:
        record.written_at = number_5
        i += 1
    branch_6 = b[i]
    i += 1
    if branch_6 == 2:
        model_ref_7: Any = _new(twins.ModelRef)
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        model_ref_7.name = b[i : (i := i + n)].decode()
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        model_ref_7.version = b[i : (i := i + n)].decode()
        number_8 = SHORT_LONGS[b[i]]
        if number_8 is None:
            model_ref_7.serial, i = read_long(b, i)
        else:
            model_ref_7.serial = number_8
            i += 1
        model_ref_7.__class__ = records.ModelRef
        record.model = model_ref_7
    elif branch_6 == 0:
        record.model = None
    else:
        raise ValueError("no such branch")
    branch_9 = b[i]
    i += 1
    if branch_9 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.rules_version = b[i : (i := i + n)].decode()
    elif branch_9 == 0:
        record.rules_version = None
    else:
        raise ValueError("no such branch")
    branch_10 = b[i]
    i += 1
    if branch_10 == 2:
        number_11 = SHORT_LONGS[b[i]]
        if number_11 is None:
            record.rules_serial, i = read_long(b, i)
        else:
            record.rules_serial = number_11
            i += 1
    elif branch_10 == 0:
        record.rules_serial = None
    else:
        raise ValueError("no such branch")
    items_12: list[Any] = []
    number_15 = SHORT_LONGS[b[i]]
    if number_15 is None:
        count_14, i = read_long(b, i)
    else:
        count_14 = number_15
        i += 1
    while count_14:
        if count_14 < 0:
            count_14 = -count_14
            _, i = read_length(b, i)
        for _ in range(count_14):
            entity_16: Any = _new(twins.Entity)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_16.entity_id = b[i : (i := i + n)].decode()
            entity_16.label = _ENTITYLABEL[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_16.text = b[i : (i := i + n)].decode()
            number_17 = SHORT_LONGS[b[i]]
            if number_17 is None:
                entity_16.start, i = read_int(b, i)
            else:
                entity_16.start = number_17
                i += 1
            number_18 = SHORT_LONGS[b[i]]
            if number_18 is None:
                entity_16.end, i = read_int(b, i)
            else:
                entity_16.end = number_18
                i += 1
            (entity_16.confidence,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            branch_19 = b[i]
            i += 1
            if branch_19 == 2:
                assertion_20: Any = _new(twins.Assertion)
                assertion_20.status = _ASSERTIONSTATUS[b[i]]
                i += 1
                assertion_20.time = _ASSERTIONTIME[b[i]]
                i += 1
                assertion_20.experiencer = _EXPERIENCER[b[i]]
                i += 1
                number_21 = SHORT_LONGS[b[i]]
                if number_21 is None:
                    assertion_20.cue_start, i = read_int(b, i)
                else:
                    assertion_20.cue_start = number_21
                    i += 1
                number_22 = SHORT_LONGS[b[i]]
                if number_22 is None:
                    assertion_20.cue_end, i = read_int(b, i)
                else:
                    assertion_20.cue_end = number_22
                    i += 1
                assertion_20.__class__ = records.Assertion
                entity_16.assertion = assertion_20
            elif branch_19 == 0:
                entity_16.assertion = None
            else:
                raise ValueError("no such branch")
            branch_23 = b[i]
            i += 1
            if branch_23 == 2:
                prescription_24: Any = _new(twins.Prescription)
                branch_25 = b[i]
                i += 1
                if branch_25 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_24.form = b[i : (i := i + n)].decode()
                elif branch_25 == 0:
                    prescription_24.form = None
                else:
                    raise ValueError("no such branch")
                branch_26 = b[i]
                i += 1
                if branch_26 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_24.strength = b[i : (i := i + n)].decode()
                elif branch_26 == 0:
                    prescription_24.strength = None
                else:
                    raise ValueError("no such branch")
                branch_27 = b[i]
                i += 1
                if branch_27 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_24.dose = b[i : (i := i + n)].decode()
                elif branch_27 == 0:
                    prescription_24.dose = None
                else:
                    raise ValueError("no such branch")
                branch_28 = b[i]
                i += 1
                if branch_28 == 2:
                    number_29 = SHORT_LONGS[b[i]]
                    if number_29 is None:
                        prescription_24.frequency, i = read_int(b, i)
                    else:
                        prescription_24.frequency = number_29
                        i += 1
                elif branch_28 == 0:
                    prescription_24.frequency = None
                else:
                    raise ValueError("no such branch")
                branch_30 = b[i]
                i += 1
                if branch_30 == 2:
                    number_31 = SHORT_LONGS[b[i]]
                    if number_31 is None:
                        prescription_24.period, i = read_int(b, i)
                    else:
                        prescription_24.period = number_31
                        i += 1
                elif branch_30 == 0:
                    prescription_24.period = None
                else:
                    raise ValueError("no such branch")
                branch_32 = b[i]
                i += 1
                if branch_32 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_24.period_unit = b[i : (i := i + n)].decode()
                elif branch_32 == 0:
                    prescription_24.period_unit = None
                else:
                    raise ValueError("no such branch")
                branch_33 = b[i]
                i += 1
                if branch_33 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_24.when = b[i : (i := i + n)].decode()
                elif branch_33 == 0:
                    prescription_24.when = None
                else:
                    raise ValueError("no such branch")
                branch_34 = b[i]
                i += 1
                if branch_34 == 2:
                    prescription_24.as_needed = _BOOLEANS[b[i]]
                    i += 1
                elif branch_34 == 0:
                    prescription_24.as_needed = None
                else:
                    raise ValueError("no such branch")
                branch_35 = b[i]
                i += 1
                if branch_35 == 2:
                    number_36 = SHORT_LONGS[b[i]]
                    if number_36 is None:
                        prescription_24.duration, i = read_int(b, i)
                    else:
                        prescription_24.duration = number_36
                        i += 1
                elif branch_35 == 0:
                    prescription_24.duration = None
                else:
                    raise ValueError("no such branch")
                branch_37 = b[i]
                i += 1
                if branch_37 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_24.duration_unit = b[i : (i := i + n)].decode()
                elif branch_37 == 0:
                    prescription_24.duration_unit = None
                else:
                    raise ValueError("no such branch")
                branch_38 = b[i]
                i += 1
                if branch_38 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_24.route = b[i : (i := i + n)].decode()
                elif branch_38 == 0:
                    prescription_24.route = None
                else:
                    raise ValueError("no such branch")
                prescription_24.__class__ = records.Prescription
                entity_16.prescription = prescription_24
            elif branch_23 == 0:
                entity_16.prescription = None
            else:
                raise ValueError("no such branch")
            entity_16.__class__ = records.Entity
            item_13 = entity_16
            items_12.append(item_13)
        number_39 = SHORT_LONGS[b[i]]
        if number_39 is None:
            count_14, i = read_long(b, i)
        else:
            count_14 = number_39
            i += 1
    record.predicted_entities = tuple(items_12)
    items_40: list[Any] = []
    number_43 = SHORT_LONGS[b[i]]
    if number_43 is None:
        count_42, i = read_long(b, i)
    else:
        count_42 = number_43
        i += 1
    while count_42:
        if count_42 < 0:
            count_42 = -count_42
            _, i = read_length(b, i)
        for _ in range(count_42):
            relation_44: Any = _new(twins.Relation)
            relation_44.type = _RELATIONTYPE[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            relation_44.treatment_id = b[i : (i := i + n)].decode()
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            relation_44.disease_id = b[i : (i := i + n)].decode()
            (relation_44.confidence,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            relation_44.__class__ = records.Relation
            item_41 = relation_44
            items_40.append(item_41)
        number_45 = SHORT_LONGS[b[i]]
        if number_45 is None:
            count_42, i = read_long(b, i)
        else:
            count_42 = number_45
            i += 1
    record.predicted_relations = tuple(items_40)
    items_46: list[Any] = []
    number_49 = SHORT_LONGS[b[i]]
    if number_49 is None:
        count_48, i = read_long(b, i)
    else:
        count_48 = number_49
        i += 1
    while count_48:
        if count_48 < 0:
            count_48 = -count_48
            _, i = read_length(b, i)
        for _ in range(count_48):
            entity_50: Any = _new(twins.Entity)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_50.entity_id = b[i : (i := i + n)].decode()
            entity_50.label = _ENTITYLABEL[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_50.text = b[i : (i := i + n)].decode()
            number_51 = SHORT_LONGS[b[i]]
            if number_51 is None:
                entity_50.start, i = read_int(b, i)
            else:
                entity_50.start = number_51
                i += 1
            number_52 = SHORT_LONGS[b[i]]
            if number_52 is None:
                entity_50.end, i = read_int(b, i)
            else:
                entity_50.end = number_52
                i += 1
            (entity_50.confidence,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            branch_53 = b[i]
            i += 1
            if branch_53 == 2:
                assertion_54: Any = _new(twins.Assertion)
                assertion_54.status = _ASSERTIONSTATUS[b[i]]
                i += 1
                assertion_54.time = _ASSERTIONTIME[b[i]]
                i += 1
                assertion_54.experiencer = _EXPERIENCER[b[i]]
                i += 1
                number_55 = SHORT_LONGS[b[i]]
                if number_55 is None:
                    assertion_54.cue_start, i = read_int(b, i)
                else:
                    assertion_54.cue_start = number_55
                    i += 1
                number_56 = SHORT_LONGS[b[i]]
                if number_56 is None:
                    assertion_54.cue_end, i = read_int(b, i)
                else:
                    assertion_54.cue_end = number_56
                    i += 1
                assertion_54.__class__ = records.Assertion
                entity_50.assertion = assertion_54
            elif branch_53 == 0:
                entity_50.assertion = None
            else:
                raise ValueError("no such branch")
            branch_57 = b[i]
            i += 1
            if branch_57 == 2:
                prescription_58: Any = _new(twins.Prescription)
                branch_59 = b[i]
                i += 1
                if branch_59 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_58.form = b[i : (i := i + n)].decode()
                elif branch_59 == 0:
                    prescription_58.form = None
                else:
                    raise ValueError("no such branch")
                branch_60 = b[i]
                i += 1
                if branch_60 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_58.strength = b[i : (i := i + n)].decode()
                elif branch_60 == 0:
                    prescription_58.strength = None
                else:
                    raise ValueError("no such branch")
                branch_61 = b[i]
                i += 1
                if branch_61 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_58.dose = b[i : (i := i + n)].decode()
                elif branch_61 == 0:
                    prescription_58.dose = None
                else:
                    raise ValueError("no such branch")
                branch_62 = b[i]
                i += 1
                if branch_62 == 2:
                    number_63 = SHORT_LONGS[b[i]]
                    if number_63 is None:
                        prescription_58.frequency, i = read_int(b, i)
                    else:
                        prescription_58.frequency = number_63
                        i += 1
                elif branch_62 == 0:
                    prescription_58.frequency = None
                else:
                    raise ValueError("no such branch")
                branch_64 = b[i]
                i += 1
                if branch_64 == 2:
                    number_65 = SHORT_LONGS[b[i]]
                    if number_65 is None:
                        prescription_58.period, i = read_int(b, i)
                    else:
                        prescription_58.period = number_65
                        i += 1
                elif branch_64 == 0:
                    prescription_58.period = None
                else:
                    raise ValueError("no such branch")
                branch_66 = b[i]
                i += 1
                if branch_66 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_58.period_unit = b[i : (i := i + n)].decode()
                elif branch_66 == 0:
                    prescription_58.period_unit = None
                else:
                    raise ValueError("no such branch")
                branch_67 = b[i]
                i += 1
                if branch_67 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_58.when = b[i : (i := i + n)].decode()
                elif branch_67 == 0:
                    prescription_58.when = None
                else:
                    raise ValueError("no such branch")
                branch_68 = b[i]
                i += 1
                if branch_68 == 2:
                    prescription_58.as_needed = _BOOLEANS[b[i]]
                    i += 1
                elif branch_68 == 0:
                    prescription_58.as_needed = None
                else:
                    raise ValueError("no such branch")
                branch_69 = b[i]
                i += 1
                if branch_69 == 2:
                    number_70 = SHORT_LONGS[b[i]]
                    if number_70 is None:
                        prescription_58.duration, i = read_int(b, i)
                    else:
                        prescription_58.duration = number_70
                        i += 1
                elif branch_69 == 0:
                    prescription_58.duration = None
                else:
                    raise ValueError("no such branch")
                branch_71 = b[i]
                i += 1
                if branch_71 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_58.duration_unit = b[i : (i := i + n)].decode()
                elif branch_71 == 0:
                    prescription_58.duration_unit = None
                else:
                    raise ValueError("no such branch")
                branch_72 = b[i]
                i += 1
                if branch_72 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_58.route = b[i : (i := i + n)].decode()
                elif branch_72 == 0:
                    prescription_58.route = None
                else:
                    raise ValueError("no such branch")
                prescription_58.__class__ = records.Prescription
                entity_50.prescription = prescription_58
            elif branch_57 == 0:
                entity_50.prescription = None
            else:
                raise ValueError("no such branch")
            entity_50.__class__ = records.Entity
            item_47 = entity_50
            items_46.append(item_47)
        number_73 = SHORT_LONGS[b[i]]
        if number_73 is None:
            count_48, i = read_long(b, i)
        else:
            count_48 = number_73
            i += 1
    record.entities = tuple(items_46)
    items_74: list[Any] = []
    number_77 = SHORT_LONGS[b[i]]
    if number_77 is None:
        count_76, i = read_long(b, i)
    else:
        count_76 = number_77
        i += 1
    while count_76:
        if count_76 < 0:
            count_76 = -count_76
            _, i = read_length(b, i)
        for _ in range(count_76):
            relation_78: Any = _new(twins.Relation)
            relation_78.type = _RELATIONTYPE[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            relation_78.treatment_id = b[i : (i := i + n)].decode()
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            relation_78.disease_id = b[i : (i := i + n)].decode()
            (relation_78.confidence,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            relation_78.__class__ = records.Relation
            item_75 = relation_78
            items_74.append(item_75)
        number_79 = SHORT_LONGS[b[i]]
        if number_79 is None:
            count_76, i = read_long(b, i)
        else:
            count_76 = number_79
            i += 1
    record.relations = tuple(items_74)
    record.sample = _SAMPLE[b[i]]
    i += 1
    branch_80 = b[i]
    i += 1
    if branch_80 == 2:
        (record.inclusion_probability,) = _DOUBLES_1.unpack_from(b, i)
        i += 8
    elif branch_80 == 0:
        record.inclusion_probability = None
    else:
        raise ValueError("no such branch")
    record.predictions_shown = _BOOLEANS[b[i]]
    i += 1
    record.outcome = _ANNOTATIONOUTCOME[b[i]]
    i += 1
    annotation_changes_81: Any = _new(twins.AnnotationChanges)
    number_82 = SHORT_LONGS[b[i]]
    if number_82 is None:
        annotation_changes_81.kept, i = read_int(b, i)
    else:
        annotation_changes_81.kept = number_82
        i += 1
    number_83 = SHORT_LONGS[b[i]]
    if number_83 is None:
        annotation_changes_81.added, i = read_int(b, i)
    else:
        annotation_changes_81.added = number_83
        i += 1
    number_84 = SHORT_LONGS[b[i]]
    if number_84 is None:
        annotation_changes_81.removed, i = read_int(b, i)
    else:
        annotation_changes_81.removed = number_84
        i += 1
    number_85 = SHORT_LONGS[b[i]]
    if number_85 is None:
        annotation_changes_81.moved, i = read_int(b, i)
    else:
        annotation_changes_81.moved = number_85
        i += 1
    number_86 = SHORT_LONGS[b[i]]
    if number_86 is None:
        annotation_changes_81.relabelled, i = read_int(b, i)
    else:
        annotation_changes_81.relabelled = number_86
        i += 1
    number_87 = SHORT_LONGS[b[i]]
    if number_87 is None:
        annotation_changes_81.restated, i = read_int(b, i)
    else:
        annotation_changes_81.restated = number_87
        i += 1
    number_88 = SHORT_LONGS[b[i]]
    if number_88 is None:
        annotation_changes_81.represcribed, i = read_int(b, i)
    else:
        annotation_changes_81.represcribed = number_88
        i += 1
    number_89 = SHORT_LONGS[b[i]]
    if number_89 is None:
        annotation_changes_81.related, i = read_int(b, i)
    else:
        annotation_changes_81.related = number_89
        i += 1
    annotation_changes_81.__class__ = records.AnnotationChanges
    record.changes = annotation_changes_81
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.annotator = b[i : (i := i + n)].decode()
    number_90 = SHORT_LONGS[b[i]]
    if number_90 is None:
        record.sequence, i = read_int(b, i)
    else:
        record.sequence = number_90
        i += 1
    (record.seconds_spent,) = _DOUBLES_1.unpack_from(b, i)
    i += 8
    number_91 = SHORT_LONGS[b[i]]
    if number_91 is None:
        record.annotated_at, i = read_long(b, i)
    else:
        record.annotated_at = number_91
        i += 1
    items_92: list[Any] = []
    number_95 = SHORT_LONGS[b[i]]
    if number_95 is None:
        count_94, i = read_long(b, i)
    else:
        count_94 = number_95
        i += 1
    while count_94:
        if count_94 < 0:
            count_94 = -count_94
            _, i = read_length(b, i)
        for _ in range(count_94):
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            item_93 = b[i : (i := i + n)].decode()
            items_92.append(item_93)
        number_96 = SHORT_LONGS[b[i]]
        if number_96 is None:
            count_94, i = read_long(b, i)
        else:
            count_94 = number_96
            i += 1
    record.supersedes = tuple(items_92)
    branch_97 = b[i]
    i += 1
    if branch_97 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.dataset_digest = b[i : (i := i + n)].decode()
    elif branch_97 == 0:
        record.dataset_digest = None
    else:
        raise ValueError("no such branch")
    branch_98 = b[i]
    i += 1
    if branch_98 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.guideline_version = b[i : (i := i + n)].decode()
    elif branch_98 == 0:
        record.guideline_version = None
    else:
        raise ValueError("no such branch")
    branch_99 = b[i]
    i += 1
    if branch_99 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.comment = b[i : (i := i + n)].decode()
    elif branch_99 == 0:
        record.comment = None
    else:
        raise ValueError("no such branch")
    branch_100 = b[i]
    i += 1
    if branch_100 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_100 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    branch_101 = b[i]
    i += 1
    if branch_101 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.purpose = b[i : (i := i + n)].decode()
    elif branch_101 == 0:
        record.purpose = None
    else:
        raise ValueError("no such branch")
    branch_102 = b[i]
    i += 1
    if branch_102 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.consent_artefact_id = b[i : (i := i + n)].decode()
    elif branch_102 == 0:
        record.consent_artefact_id = None
    else:
        raise ValueError("no such branch")
    branch_103 = b[i]
    i += 1
    if branch_103 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_103 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    branch_104 = b[i]
    i += 1
    if branch_104 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.sealed = b[i : (i := i + n)]
    elif branch_104 == 0:
        record.sealed = None
    else:
        raise ValueError("no such branch")
    branch_105 = b[i]
    i += 1
    if branch_105 == 2:
        (record.note_confidence,) = _DOUBLES_1.unpack_from(b, i)
        i += 8
    elif branch_105 == 0:
        record.note_confidence = None
    else:
        raise ValueError("no such branch")
    record.hidden_check = _BOOLEANS[b[i]]
    i += 1
    record.__class__ = records.AnnotationValidated
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_annotation_validated(r: records.AnnotationValidated, header: bytes) -> bytes:
    data_1 = r.annotation_id.encode()
    data_2 = r.source.encode()
    data_3 = r.note_id.encode()
    value_4 = r.event_id
    value_6 = r.origin
    data_7 = r.text.encode()
    data_8 = r.language.encode()
    segment_9 = r.segment
    data_10 = segment_9.city.encode()
    data_11 = segment_9.specialty.encode()
    data_12 = r.patient_ref.encode()
    data_13 = r.doctor_ref.encode()
    value_14 = r.model
    value_15 = r.rules_version
    value_17 = r.rules_serial
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_2)], data_2, LONGS[len(data_3)], data_3, INTS[r.revision], b"\x00" if value_4 is None else b"\x02" + LONGS[len(data_5 := value_4.encode())] + data_5, b"\x00" if value_6 is None else b"\x02" + _ORIGIN_BYTES[value_6], LONGS[len(data_7)], data_7, LONGS[len(data_8)], data_8, LONGS[len(data_10)], data_10, LONGS[len(data_11)], data_11, LONGS[len(data_12)], data_12, LONGS[len(data_13)], data_13, LONGS[r.written_at], b"\x00" if value_14 is None else write_model_ref(value_14, b"\x02"), b"\x00" if value_15 is None else b"\x02" + LONGS[len(data_16 := value_15.encode())] + data_16, b"\x00" if value_17 is None else b"\x02" + LONGS[value_17]]
    items_18 = r.predicted_entities
    if items_18:
        out.append(LONGS[len(items_18)])
        for item_19 in items_18:
            entity_20 = item_19
            data_21 = entity_20.entity_id.encode()
            data_22 = entity_20.text.encode()
            value_23 = entity_20.assertion
            value_24 = entity_20.prescription
            out += (LONGS[len(data_21)], data_21, _ENTITYLABEL_BYTES[entity_20.label], LONGS[len(data_22)], data_22, INTS[entity_20.start], INTS[entity_20.end], _DOUBLES_1.pack(entity_20.confidence), b"\x00" if value_23 is None else b"\x02" + _ASSERTIONSTATUS_BYTES[value_23.status] + _ASSERTIONTIME_BYTES[value_23.time] + _EXPERIENCER_BYTES[value_23.experiencer] + INTS[value_23.cue_start] + INTS[value_23.cue_end], b"\x00" if value_24 is None else write_prescription(value_24, b"\x02"),)
    out += (b"\x00",)
    items_25 = r.predicted_relations
    if items_25:
        out.append(LONGS[len(items_25)])
        for item_26 in items_25:
            relation_27 = item_26
            data_28 = relation_27.treatment_id.encode()
            data_29 = relation_27.disease_id.encode()
            out += (_RELATIONTYPE_BYTES[relation_27.type], LONGS[len(data_28)], data_28, LONGS[len(data_29)], data_29, _DOUBLES_1.pack(relation_27.confidence),)
    out += (b"\x00",)
    items_30 = r.entities
    if items_30:
        out.append(LONGS[len(items_30)])
        for item_31 in items_30:
            entity_32 = item_31
            data_33 = entity_32.entity_id.encode()
            data_34 = entity_32.text.encode()
            value_35 = entity_32.assertion
            value_36 = entity_32.prescription
            out += (LONGS[len(data_33)], data_33, _ENTITYLABEL_BYTES[entity_32.label], LONGS[len(data_34)], data_34, INTS[entity_32.start], INTS[entity_32.end], _DOUBLES_1.pack(entity_32.confidence), b"\x00" if value_35 is None else b"\x02" + _ASSERTIONSTATUS_BYTES[value_35.status] + _ASSERTIONTIME_BYTES[value_35.time] + _EXPERIENCER_BYTES[value_35.experiencer] + INTS[value_35.cue_start] + INTS[value_35.cue_end], b"\x00" if value_36 is None else write_prescription(value_36, b"\x02"),)
    out += (b"\x00",)
    items_37 = r.relations
    if items_37:
        out.append(LONGS[len(items_37)])
        for item_38 in items_37:
            relation_39 = item_38
            data_40 = relation_39.treatment_id.encode()
            data_41 = relation_39.disease_id.encode()
            out += (_RELATIONTYPE_BYTES[relation_39.type], LONGS[len(data_40)], data_40, LONGS[len(data_41)], data_41, _DOUBLES_1.pack(relation_39.confidence),)
    value_42 = r.inclusion_probability
    annotation_changes_43 = r.changes
    data_44 = r.annotator.encode()
    out += (b"\x00", _SAMPLE_BYTES[r.sample], b"\x00" if value_42 is None else b"\x02" + _DOUBLES_1.pack(value_42), _BOOLEAN_BYTES[r.predictions_shown], _ANNOTATIONOUTCOME_BYTES[r.outcome], INTS[annotation_changes_43.kept], INTS[annotation_changes_43.added], INTS[annotation_changes_43.removed], INTS[annotation_changes_43.moved], INTS[annotation_changes_43.relabelled], INTS[annotation_changes_43.restated], INTS[annotation_changes_43.represcribed], INTS[annotation_changes_43.related], LONGS[len(data_44)], data_44, INTS[r.sequence], _DOUBLES_1.pack(r.seconds_spent), LONGS[r.annotated_at],)
    items_45 = r.supersedes
    if items_45:
        out.append(LONGS[len(items_45)])
        for item_46 in items_45:
            data_47 = item_46.encode()
            out += (LONGS[len(data_47)], data_47,)
    value_48 = r.dataset_digest
    value_50 = r.guideline_version
    value_52 = r.comment
    value_54 = r.pseudonym_key_id
    value_56 = r.purpose
    value_58 = r.consent_artefact_id
    value_60 = r.encryption_key_id
    value_62 = r.sealed
    value_64 = r.note_confidence
    out += (b"\x00", b"\x00" if value_48 is None else b"\x02" + LONGS[len(data_49 := value_48.encode())] + data_49, b"\x00" if value_50 is None else b"\x02" + LONGS[len(data_51 := value_50.encode())] + data_51, b"\x00" if value_52 is None else b"\x02" + LONGS[len(data_53 := value_52.encode())] + data_53, b"\x00" if value_54 is None else b"\x02" + LONGS[len(data_55 := value_54.encode())] + data_55, b"\x00" if value_56 is None else b"\x02" + LONGS[len(data_57 := value_56.encode())] + data_57, b"\x00" if value_58 is None else b"\x02" + LONGS[len(data_59 := value_58.encode())] + data_59, b"\x00" if value_60 is None else b"\x02" + LONGS[len(data_61 := value_60.encode())] + data_61, b"\x00" if value_62 is None else b"\x02" + LONGS[len(data_63 := value_62)] + data_63, b"\x00" if value_64 is None else b"\x02" + _DOUBLES_1.pack(value_64), _BOOLEAN_BYTES[r.hidden_check],)
    return b"".join(out)


def read_annotator_judged(b: bytes, i: int) -> records.AnnotatorJudged:
    record: Any = _new(twins.AnnotatorJudged)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.event_id = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.annotator = b[i : (i := i + n)].decode()
    record.state = _TRUSTSTATE[b[i]]
    i += 1
    record.doubt = _TRUSTDOUBT[b[i]]
    i += 1
    items_1: list[Any] = []
    number_4 = SHORT_LONGS[b[i]]
    if number_4 is None:
        count_3, i = read_long(b, i)
    else:
        count_3 = number_4
        i += 1
    while count_3:
        if count_3 < 0:
            count_3 = -count_3
            _, i = read_length(b, i)
        for _ in range(count_3):
            held_interval_5: Any = _new(twins.HeldInterval)
            number_6 = SHORT_LONGS[b[i]]
            if number_6 is None:
                held_interval_5.since, i = read_long(b, i)
            else:
                held_interval_5.since = number_6
                i += 1
            branch_7 = b[i]
            i += 1
            if branch_7 == 2:
                number_8 = SHORT_LONGS[b[i]]
                if number_8 is None:
                    held_interval_5.until, i = read_long(b, i)
                else:
                    held_interval_5.until = number_8
                    i += 1
            elif branch_7 == 0:
                held_interval_5.until = None
            else:
                raise ValueError("no such branch")
            held_interval_5.__class__ = records.HeldInterval
            item_2 = held_interval_5
            items_1.append(item_2)
        number_9 = SHORT_LONGS[b[i]]
        if number_9 is None:
            count_3, i = read_long(b, i)
        else:
            count_3 = number_9
            i += 1
    record.held = tuple(items_1)
    number_10 = SHORT_LONGS[b[i]]
    if number_10 is None:
        record.decisions, i = read_int(b, i)
    else:
        record.decisions = number_10
        i += 1
    number_11 = SHORT_LONGS[b[i]]
    if number_11 is None:
        record.judged_at, i = read_long(b, i)
    else:
        record.judged_at = number_11
        i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.judged_by = b[i : (i := i + n)].decode()
    record.__class__ = records.AnnotatorJudged
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_annotator_judged(r: records.AnnotatorJudged, header: bytes) -> bytes:
    data_1 = r.event_id.encode()
    data_2 = r.annotator.encode()
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_2)], data_2, _TRUSTSTATE_BYTES[r.state], _TRUSTDOUBT_BYTES[r.doubt]]
    items_3 = r.held
    if items_3:
        out.append(LONGS[len(items_3)])
        for item_4 in items_3:
            held_interval_5 = item_4
            value_6 = held_interval_5.until
            out += (LONGS[held_interval_5.since], b"\x00" if value_6 is None else b"\x02" + LONGS[value_6],)
    data_7 = r.judged_by.encode()
    out += (b"\x00", INTS[r.decisions], LONGS[r.judged_at], LONGS[len(data_7)], data_7,)
    return b"".join(out)


def read_desk_changed(b: bytes, i: int) -> records.DeskChanged:
    record: Any = _new(twins.DeskChanged)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.subject = b[i : (i := i + n)].decode()
    record.kind = _DESKCHANGE[b[i]]
    i += 1
    branch_1 = b[i]
    i += 1
    if branch_1 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.guideline_version = b[i : (i := i + n)].decode()
    elif branch_1 == 0:
        record.guideline_version = None
    else:
        raise ValueError("no such branch")
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.text = b[i : (i := i + n)].decode()
    branch_2 = b[i]
    i += 1
    if branch_2 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.segment = b[i : (i := i + n)].decode()
    elif branch_2 == 0:
        record.segment = None
    else:
        raise ValueError("no such branch")
    items_3: list[Any] = []
    number_6 = SHORT_LONGS[b[i]]
    if number_6 is None:
        count_5, i = read_long(b, i)
    else:
        count_5 = number_6
        i += 1
    while count_5:
        if count_5 < 0:
            count_5 = -count_5
            _, i = read_length(b, i)
        for _ in range(count_5):
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            item_4 = b[i : (i := i + n)].decode()
            items_3.append(item_4)
        number_7 = SHORT_LONGS[b[i]]
        if number_7 is None:
            count_5, i = read_long(b, i)
        else:
            count_5 = number_7
            i += 1
    record.annotators = tuple(items_3)
    branch_8 = b[i]
    i += 1
    if branch_8 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.mention = b[i : (i := i + n)].decode()
    elif branch_8 == 0:
        record.mention = None
    else:
        raise ValueError("no such branch")
    branch_9 = b[i]
    i += 1
    if branch_9 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.label = b[i : (i := i + n)].decode()
    elif branch_9 == 0:
        record.label = None
    else:
        raise ValueError("no such branch")
    branch_10 = b[i]
    i += 1
    if branch_10 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.code_system = b[i : (i := i + n)].decode()
    elif branch_10 == 0:
        record.code_system = None
    else:
        raise ValueError("no such branch")
    branch_11 = b[i]
    i += 1
    if branch_11 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.code = b[i : (i := i + n)].decode()
    elif branch_11 == 0:
        record.code = None
    else:
        raise ValueError("no such branch")
    branch_12 = b[i]
    i += 1
    if branch_12 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.code_display = b[i : (i := i + n)].decode()
    elif branch_12 == 0:
        record.code_display = None
    else:
        raise ValueError("no such branch")
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.changed_by = b[i : (i := i + n)].decode()
    number_13 = SHORT_LONGS[b[i]]
    if number_13 is None:
        record.changed_at, i = read_long(b, i)
    else:
        record.changed_at = number_13
        i += 1
    branch_14 = b[i]
    i += 1
    if branch_14 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_14 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    branch_15 = b[i]
    i += 1
    if branch_15 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.sealed = b[i : (i := i + n)]
    elif branch_15 == 0:
        record.sealed = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.DeskChanged
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_desk_changed(r: records.DeskChanged, header: bytes) -> bytes:
    data_1 = r.subject.encode()
    value_2 = r.guideline_version
    data_4 = r.text.encode()
    value_5 = r.segment
    out = [header, LONGS[len(data_1)], data_1, _DESKCHANGE_BYTES[r.kind], b"\x00" if value_2 is None else b"\x02" + LONGS[len(data_3 := value_2.encode())] + data_3, LONGS[len(data_4)], data_4, b"\x00" if value_5 is None else b"\x02" + LONGS[len(data_6 := value_5.encode())] + data_6]
    items_7 = r.annotators
    if items_7:
        out.append(LONGS[len(items_7)])
        for item_8 in items_7:
            data_9 = item_8.encode()
            out += (LONGS[len(data_9)], data_9,)
    value_10 = r.mention
    value_12 = r.label
    value_14 = r.code_system
    value_16 = r.code
    value_18 = r.code_display
    data_20 = r.changed_by.encode()
    value_21 = r.encryption_key_id
    value_23 = r.sealed
    out += (b"\x00", b"\x00" if value_10 is None else b"\x02" + LONGS[len(data_11 := value_10.encode())] + data_11, b"\x00" if value_12 is None else b"\x02" + LONGS[len(data_13 := value_12.encode())] + data_13, b"\x00" if value_14 is None else b"\x02" + LONGS[len(data_15 := value_14.encode())] + data_15, b"\x00" if value_16 is None else b"\x02" + LONGS[len(data_17 := value_16.encode())] + data_17, b"\x00" if value_18 is None else b"\x02" + LONGS[len(data_19 := value_18.encode())] + data_19, LONGS[len(data_20)], data_20, LONGS[r.changed_at], b"\x00" if value_21 is None else b"\x02" + LONGS[len(data_22 := value_21.encode())] + data_22, b"\x00" if value_23 is None else b"\x02" + LONGS[len(data_24 := value_23)] + data_24,)
    return b"".join(out)


def read_drift_detected(b: bytes, i: int) -> records.DriftDetected:
    record: Any = _new(twins.DriftDetected)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.episode_id = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.segment = b[i : (i := i + n)].decode()
    record.level = _DRIFTLEVEL[b[i]]
    i += 1
    record.direction = _DRIFTDIRECTION[b[i]]
    i += 1
    items_1: list[Any] = []
    number_4 = SHORT_LONGS[b[i]]
    if number_4 is None:
        count_3, i = read_long(b, i)
    else:
        count_3 = number_4
        i += 1
    while count_3:
        if count_3 < 0:
            count_3 = -count_3
            _, i = read_length(b, i)
        for _ in range(count_3):
            moved_statistic_5: Any = _new(twins.MovedStatistic)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            moved_statistic_5.name = b[i : (i := i + n)].decode()
            moved_statistic_5.before, moved_statistic_5.after, moved_statistic_5.reference = _DOUBLES_3.unpack_from(b, i)
            i += 24
            moved_statistic_5.__class__ = records.MovedStatistic
            item_2 = moved_statistic_5
            items_1.append(item_2)
        number_6 = SHORT_LONGS[b[i]]
        if number_6 is None:
            count_3, i = read_long(b, i)
        else:
            count_3 = number_6
            i += 1
    record.statistics = tuple(items_1)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.evidence = b[i : (i := i + n)].decode()
    model_ref_7: Any = _new(twins.ModelRef)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_7.name = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_7.version = b[i : (i := i + n)].decode()
    number_8 = SHORT_LONGS[b[i]]
    if number_8 is None:
        model_ref_7.serial, i = read_long(b, i)
    else:
        model_ref_7.serial = number_8
        i += 1
    model_ref_7.__class__ = records.ModelRef
    record.model = model_ref_7
    number_9 = SHORT_LONGS[b[i]]
    if number_9 is None:
        record.source_partition, i = read_int(b, i)
    else:
        record.source_partition = number_9
        i += 1
    number_10 = SHORT_LONGS[b[i]]
    if number_10 is None:
        record.source_offset, i = read_long(b, i)
    else:
        record.source_offset = number_10
        i += 1
    number_11 = SHORT_LONGS[b[i]]
    if number_11 is None:
        record.detected_at, i = read_long(b, i)
    else:
        record.detected_at = number_11
        i += 1
    branch_12 = b[i]
    i += 1
    if branch_12 == 2:
        number_13 = SHORT_LONGS[b[i]]
        if number_13 is None:
            record.began_at, i = read_long(b, i)
        else:
            record.began_at = number_13
            i += 1
    elif branch_12 == 0:
        record.began_at = None
    else:
        raise ValueError("no such branch")
    branch_14 = b[i]
    i += 1
    if branch_14 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_14 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    branch_15 = b[i]
    i += 1
    if branch_15 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.purpose = b[i : (i := i + n)].decode()
    elif branch_15 == 0:
        record.purpose = None
    else:
        raise ValueError("no such branch")
    branch_16 = b[i]
    i += 1
    if branch_16 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.consent_artefact_id = b[i : (i := i + n)].decode()
    elif branch_16 == 0:
        record.consent_artefact_id = None
    else:
        raise ValueError("no such branch")
    branch_17 = b[i]
    i += 1
    if branch_17 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_17 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.DriftDetected
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_drift_detected(r: records.DriftDetected, header: bytes) -> bytes:
    data_1 = r.episode_id.encode()
    data_2 = r.segment.encode()
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_2)], data_2, _DRIFTLEVEL_BYTES[r.level], _DRIFTDIRECTION_BYTES[r.direction]]
    items_3 = r.statistics
    if items_3:
        out.append(LONGS[len(items_3)])
        for item_4 in items_3:
            moved_statistic_5 = item_4
            data_6 = moved_statistic_5.name.encode()
            out += (LONGS[len(data_6)], data_6, _DOUBLES_3.pack(moved_statistic_5.before, moved_statistic_5.after, moved_statistic_5.reference),)
    data_7 = r.evidence.encode()
    model_ref_8 = r.model
    data_9 = model_ref_8.name.encode()
    data_10 = model_ref_8.version.encode()
    value_11 = r.began_at
    value_12 = r.pseudonym_key_id
    value_14 = r.purpose
    value_16 = r.consent_artefact_id
    value_18 = r.encryption_key_id
    out += (b"\x00", LONGS[len(data_7)], data_7, LONGS[len(data_9)], data_9, LONGS[len(data_10)], data_10, LONGS[model_ref_8.serial], INTS[r.source_partition], LONGS[r.source_offset], LONGS[r.detected_at], b"\x00" if value_11 is None else b"\x02" + LONGS[value_11], b"\x00" if value_12 is None else b"\x02" + LONGS[len(data_13 := value_12.encode())] + data_13, b"\x00" if value_14 is None else b"\x02" + LONGS[len(data_15 := value_14.encode())] + data_15, b"\x00" if value_16 is None else b"\x02" + LONGS[len(data_17 := value_16.encode())] + data_17, b"\x00" if value_18 is None else b"\x02" + LONGS[len(data_19 := value_18.encode())] + data_19,)
    return b"".join(out)


def read_drift_state(b: bytes, i: int) -> records.DriftState:
    record: Any = _new(twins.DriftState)
    number_1 = SHORT_LONGS[b[i]]
    if number_1 is None:
        record.source_partition, i = read_int(b, i)
    else:
        record.source_partition = number_1
        i += 1
    number_2 = SHORT_LONGS[b[i]]
    if number_2 is None:
        record.source_offset, i = read_long(b, i)
    else:
        record.source_offset = number_2
        i += 1
    number_3 = SHORT_LONGS[b[i]]
    if number_3 is None:
        record.format_version, i = read_int(b, i)
    else:
        record.format_version = number_3
        i += 1
    number_4 = SHORT_LONGS[b[i]]
    if number_4 is None:
        record.chunk, i = read_int(b, i)
    else:
        record.chunk = number_4
        i += 1
    number_5 = SHORT_LONGS[b[i]]
    if number_5 is None:
        record.chunks, i = read_int(b, i)
    else:
        record.chunks = number_5
        i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.sha256 = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.state = b[i : (i := i + n)]
    number_6 = SHORT_LONGS[b[i]]
    if number_6 is None:
        record.saved_at, i = read_long(b, i)
    else:
        record.saved_at = number_6
        i += 1
    record.__class__ = records.DriftState
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_drift_state(r: records.DriftState, header: bytes) -> bytes:
    data_1 = r.sha256.encode()
    data_2 = r.state
    return b"".join(
        (
            header,
            INTS[r.source_partition],
            LONGS[r.source_offset],
            INTS[r.format_version],
            INTS[r.chunk],
            INTS[r.chunks],
            LONGS[len(data_1)], data_1,
            LONGS[len(data_2)], data_2,
            LONGS[r.saved_at],
        )
    )


def read_drift_words(b: bytes, i: int) -> records.DriftWords:
    record: Any = _new(twins.DriftWords)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.segment = b[i : (i := i + n)].decode()
    model_ref_1: Any = _new(twins.ModelRef)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_1.name = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_1.version = b[i : (i := i + n)].decode()
    number_2 = SHORT_LONGS[b[i]]
    if number_2 is None:
        model_ref_1.serial, i = read_long(b, i)
    else:
        model_ref_1.serial = number_2
        i += 1
    model_ref_1.__class__ = records.ModelRef
    record.model = model_ref_1
    items_3: list[Any] = []
    number_6 = SHORT_LONGS[b[i]]
    if number_6 is None:
        count_5, i = read_long(b, i)
    else:
        count_5 = number_6
        i += 1
    while count_5:
        if count_5 < 0:
            count_5 = -count_5
            _, i = read_length(b, i)
        for _ in range(count_5):
            new_word_7: Any = _new(twins.NewWord)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            new_word_7.word = b[i : (i := i + n)].decode()
            number_8 = SHORT_LONGS[b[i]]
            if number_8 is None:
                new_word_7.notes, i = read_int(b, i)
            else:
                new_word_7.notes = number_8
                i += 1
            number_9 = SHORT_LONGS[b[i]]
            if number_9 is None:
                new_word_7.patients, i = read_int(b, i)
            else:
                new_word_7.patients = number_9
                i += 1
            number_10 = SHORT_LONGS[b[i]]
            if number_10 is None:
                new_word_7.doctors, i = read_int(b, i)
            else:
                new_word_7.doctors = number_10
                i += 1
            new_word_7.__class__ = records.NewWord
            item_4 = new_word_7
            items_3.append(item_4)
        number_11 = SHORT_LONGS[b[i]]
        if number_11 is None:
            count_5, i = read_long(b, i)
        else:
            count_5 = number_11
            i += 1
    record.words = tuple(items_3)
    number_12 = SHORT_LONGS[b[i]]
    if number_12 is None:
        record.observed_from, i = read_long(b, i)
    else:
        record.observed_from = number_12
        i += 1
    number_13 = SHORT_LONGS[b[i]]
    if number_13 is None:
        record.observed_to, i = read_long(b, i)
    else:
        record.observed_to = number_13
        i += 1
    branch_14 = b[i]
    i += 1
    if branch_14 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_14 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    branch_15 = b[i]
    i += 1
    if branch_15 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.sealed = b[i : (i := i + n)]
    elif branch_15 == 0:
        record.sealed = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.DriftWords
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_drift_words(r: records.DriftWords, header: bytes) -> bytes:
    data_1 = r.segment.encode()
    model_ref_2 = r.model
    data_3 = model_ref_2.name.encode()
    data_4 = model_ref_2.version.encode()
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_3)], data_3, LONGS[len(data_4)], data_4, LONGS[model_ref_2.serial]]
    items_5 = r.words
    if items_5:
        out.append(LONGS[len(items_5)])
        for item_6 in items_5:
            new_word_7 = item_6
            data_8 = new_word_7.word.encode()
            out += (LONGS[len(data_8)], data_8, INTS[new_word_7.notes], INTS[new_word_7.patients], INTS[new_word_7.doctors],)
    value_9 = r.encryption_key_id
    value_11 = r.sealed
    out += (b"\x00", LONGS[r.observed_from], LONGS[r.observed_to], b"\x00" if value_9 is None else b"\x02" + LONGS[len(data_10 := value_9.encode())] + data_10, b"\x00" if value_11 is None else b"\x02" + LONGS[len(data_12 := value_11)] + data_12,)
    return b"".join(out)


def read_entities_coded(b: bytes, i: int) -> records.EntitiesCoded:
    record: Any = _new(twins.EntitiesCoded)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.event_id = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.entities_event_id = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.source = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.note_id = b[i : (i := i + n)].decode()
    number_1 = SHORT_LONGS[b[i]]
    if number_1 is None:
        record.revision, i = read_int(b, i)
    else:
        record.revision = number_1
        i += 1
    record.origin = _ORIGIN[b[i]]
    i += 1
    model_ref_2: Any = _new(twins.ModelRef)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_2.name = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_2.version = b[i : (i := i + n)].decode()
    number_3 = SHORT_LONGS[b[i]]
    if number_3 is None:
        model_ref_2.serial, i = read_long(b, i)
    else:
        model_ref_2.serial = number_3
        i += 1
    model_ref_2.__class__ = records.ModelRef
    record.model = model_ref_2
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.rules_version = b[i : (i := i + n)].decode()
    number_4 = SHORT_LONGS[b[i]]
    if number_4 is None:
        record.rules_serial, i = read_long(b, i)
    else:
        record.rules_serial = number_4
        i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.table_version = b[i : (i := i + n)].decode()
    number_5 = SHORT_LONGS[b[i]]
    if number_5 is None:
        record.table_serial, i = read_long(b, i)
    else:
        record.table_serial = number_5
        i += 1
    segment_6: Any = _new(twins.Segment)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    segment_6.city = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    segment_6.specialty = b[i : (i := i + n)].decode()
    segment_6.__class__ = records.Segment
    record.segment = segment_6
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.patient_ref = b[i : (i := i + n)].decode()
    number_7 = SHORT_LONGS[b[i]]
    if number_7 is None:
        record.written_at, i = read_long(b, i)
    else:
        record.written_at = number_7
        i += 1
    number_8 = SHORT_LONGS[b[i]]
    if number_8 is None:
        record.accepted_at, i = read_long(b, i)
    else:
        record.accepted_at = number_8
        i += 1
    number_9 = SHORT_LONGS[b[i]]
    if number_9 is None:
        record.extracted_at, i = read_long(b, i)
    else:
        record.extracted_at = number_9
        i += 1
    items_10: list[Any] = []
    number_13 = SHORT_LONGS[b[i]]
    if number_13 is None:
        count_12, i = read_long(b, i)
    else:
        count_12 = number_13
        i += 1
    while count_12:
        if count_12 < 0:
            count_12 = -count_12
            _, i = read_length(b, i)
        for _ in range(count_12):
            coded_entity_14: Any = _new(twins.CodedEntity)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            coded_entity_14.entity_id = b[i : (i := i + n)].decode()
            coded_entity_14.label = _ENTITYLABEL[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            coded_entity_14.text = b[i : (i := i + n)].decode()
            number_15 = SHORT_LONGS[b[i]]
            if number_15 is None:
                coded_entity_14.start, i = read_int(b, i)
            else:
                coded_entity_14.start = number_15
                i += 1
            number_16 = SHORT_LONGS[b[i]]
            if number_16 is None:
                coded_entity_14.end, i = read_int(b, i)
            else:
                coded_entity_14.end = number_16
                i += 1
            branch_17 = b[i]
            i += 1
            if branch_17 == 2:
                assertion_18: Any = _new(twins.Assertion)
                assertion_18.status = _ASSERTIONSTATUS[b[i]]
                i += 1
                assertion_18.time = _ASSERTIONTIME[b[i]]
                i += 1
                assertion_18.experiencer = _EXPERIENCER[b[i]]
                i += 1
                number_19 = SHORT_LONGS[b[i]]
                if number_19 is None:
                    assertion_18.cue_start, i = read_int(b, i)
                else:
                    assertion_18.cue_start = number_19
                    i += 1
                number_20 = SHORT_LONGS[b[i]]
                if number_20 is None:
                    assertion_18.cue_end, i = read_int(b, i)
                else:
                    assertion_18.cue_end = number_20
                    i += 1
                assertion_18.__class__ = records.Assertion
                coded_entity_14.assertion = assertion_18
            elif branch_17 == 0:
                coded_entity_14.assertion = None
            else:
                raise ValueError("no such branch")
            items_21: list[Any] = []
            number_24 = SHORT_LONGS[b[i]]
            if number_24 is None:
                count_23, i = read_long(b, i)
            else:
                count_23 = number_24
                i += 1
            while count_23:
                if count_23 < 0:
                    count_23 = -count_23
                    _, i = read_length(b, i)
                for _ in range(count_23):
                    coding_25: Any = _new(twins.Coding)
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    coding_25.system = b[i : (i := i + n)].decode()
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    coding_25.code = b[i : (i := i + n)].decode()
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    coding_25.display = b[i : (i := i + n)].decode()
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    coding_25.version = b[i : (i := i + n)].decode()
                    (coding_25.score,) = _DOUBLES_1.unpack_from(b, i)
                    i += 8
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    coding_25.how = b[i : (i := i + n)].decode()
                    coding_25.__class__ = records.Coding
                    item_22 = coding_25
                    items_21.append(item_22)
                number_26 = SHORT_LONGS[b[i]]
                if number_26 is None:
                    count_23, i = read_long(b, i)
                else:
                    count_23 = number_26
                    i += 1
            coded_entity_14.codes = tuple(items_21)
            coded_entity_14.__class__ = records.CodedEntity
            item_11 = coded_entity_14
            items_10.append(item_11)
        number_27 = SHORT_LONGS[b[i]]
        if number_27 is None:
            count_12, i = read_long(b, i)
        else:
            count_12 = number_27
            i += 1
    record.entities = tuple(items_10)
    branch_28 = b[i]
    i += 1
    if branch_28 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_28 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    branch_29 = b[i]
    i += 1
    if branch_29 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.purpose = b[i : (i := i + n)].decode()
    elif branch_29 == 0:
        record.purpose = None
    else:
        raise ValueError("no such branch")
    branch_30 = b[i]
    i += 1
    if branch_30 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.consent_artefact_id = b[i : (i := i + n)].decode()
    elif branch_30 == 0:
        record.consent_artefact_id = None
    else:
        raise ValueError("no such branch")
    branch_31 = b[i]
    i += 1
    if branch_31 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_31 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    branch_32 = b[i]
    i += 1
    if branch_32 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.sealed = b[i : (i := i + n)]
    elif branch_32 == 0:
        record.sealed = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.EntitiesCoded
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_entities_coded(r: records.EntitiesCoded, header: bytes) -> bytes:
    data_1 = r.event_id.encode()
    data_2 = r.entities_event_id.encode()
    data_3 = r.source.encode()
    data_4 = r.note_id.encode()
    model_ref_5 = r.model
    data_6 = model_ref_5.name.encode()
    data_7 = model_ref_5.version.encode()
    data_8 = r.rules_version.encode()
    data_9 = r.table_version.encode()
    segment_10 = r.segment
    data_11 = segment_10.city.encode()
    data_12 = segment_10.specialty.encode()
    data_13 = r.patient_ref.encode()
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_2)], data_2, LONGS[len(data_3)], data_3, LONGS[len(data_4)], data_4, INTS[r.revision], _ORIGIN_BYTES[r.origin], LONGS[len(data_6)], data_6, LONGS[len(data_7)], data_7, LONGS[model_ref_5.serial], LONGS[len(data_8)], data_8, LONGS[r.rules_serial], LONGS[len(data_9)], data_9, LONGS[r.table_serial], LONGS[len(data_11)], data_11, LONGS[len(data_12)], data_12, LONGS[len(data_13)], data_13, LONGS[r.written_at], LONGS[r.accepted_at], LONGS[r.extracted_at]]
    items_14 = r.entities
    if items_14:
        out.append(LONGS[len(items_14)])
        for item_15 in items_14:
            coded_entity_16 = item_15
            data_17 = coded_entity_16.entity_id.encode()
            data_18 = coded_entity_16.text.encode()
            value_19 = coded_entity_16.assertion
            out += (LONGS[len(data_17)], data_17, _ENTITYLABEL_BYTES[coded_entity_16.label], LONGS[len(data_18)], data_18, INTS[coded_entity_16.start], INTS[coded_entity_16.end], b"\x00" if value_19 is None else b"\x02" + _ASSERTIONSTATUS_BYTES[value_19.status] + _ASSERTIONTIME_BYTES[value_19.time] + _EXPERIENCER_BYTES[value_19.experiencer] + INTS[value_19.cue_start] + INTS[value_19.cue_end],)
            items_20 = coded_entity_16.codes
            if items_20:
                out.append(LONGS[len(items_20)])
                for item_21 in items_20:
                    coding_22 = item_21
                    data_23 = coding_22.system.encode()
                    data_24 = coding_22.code.encode()
                    data_25 = coding_22.display.encode()
                    data_26 = coding_22.version.encode()
                    data_27 = coding_22.how.encode()
                    out += (LONGS[len(data_23)], data_23, LONGS[len(data_24)], data_24, LONGS[len(data_25)], data_25, LONGS[len(data_26)], data_26, _DOUBLES_1.pack(coding_22.score), LONGS[len(data_27)], data_27,)
            out += (b"\x00",)
    value_28 = r.pseudonym_key_id
    value_30 = r.purpose
    value_32 = r.consent_artefact_id
    value_34 = r.encryption_key_id
    value_36 = r.sealed
    out += (b"\x00", b"\x00" if value_28 is None else b"\x02" + LONGS[len(data_29 := value_28.encode())] + data_29, b"\x00" if value_30 is None else b"\x02" + LONGS[len(data_31 := value_30.encode())] + data_31, b"\x00" if value_32 is None else b"\x02" + LONGS[len(data_33 := value_32.encode())] + data_33, b"\x00" if value_34 is None else b"\x02" + LONGS[len(data_35 := value_34.encode())] + data_35, b"\x00" if value_36 is None else b"\x02" + LONGS[len(data_37 := value_36)] + data_37,)
    return b"".join(out)


def read_entities_extracted(b: bytes, i: int) -> records.EntitiesExtracted:
    record: Any = _new(twins.EntitiesExtracted)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.event_id = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.source = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.note_id = b[i : (i := i + n)].decode()
    number_1 = SHORT_LONGS[b[i]]
    if number_1 is None:
        record.revision, i = read_int(b, i)
    else:
        record.revision = number_1
        i += 1
    record.origin = _ORIGIN[b[i]]
    i += 1
    model_ref_2: Any = _new(twins.ModelRef)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_2.name = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_2.version = b[i : (i := i + n)].decode()
    number_3 = SHORT_LONGS[b[i]]
    if number_3 is None:
        model_ref_2.serial, i = read_long(b, i)
    else:
        model_ref_2.serial = number_3
        i += 1
    model_ref_2.__class__ = records.ModelRef
    record.model = model_ref_2
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.rules_version = b[i : (i := i + n)].decode()
    number_4 = SHORT_LONGS[b[i]]
    if number_4 is None:
        record.rules_serial, i = read_long(b, i)
    else:
        record.rules_serial = number_4
        i += 1
    segment_5: Any = _new(twins.Segment)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    segment_5.city = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    segment_5.specialty = b[i : (i := i + n)].decode()
    segment_5.__class__ = records.Segment
    record.segment = segment_5
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.patient_ref = b[i : (i := i + n)].decode()
    number_6 = SHORT_LONGS[b[i]]
    if number_6 is None:
        record.written_at, i = read_long(b, i)
    else:
        record.written_at = number_6
        i += 1
    number_7 = SHORT_LONGS[b[i]]
    if number_7 is None:
        record.accepted_at, i = read_long(b, i)
    else:
        record.accepted_at = number_7
        i += 1
    number_8 = SHORT_LONGS[b[i]]
    if number_8 is None:
        record.extracted_at, i = read_long(b, i)
    else:
        record.extracted_at = number_8
        i += 1
    (record.note_confidence,) = _DOUBLES_1.unpack_from(b, i)
    i += 8
    items_9: list[Any] = []
    number_12 = SHORT_LONGS[b[i]]
    if number_12 is None:
        count_11, i = read_long(b, i)
    else:
        count_11 = number_12
        i += 1
    while count_11:
        if count_11 < 0:
            count_11 = -count_11
            _, i = read_length(b, i)
        for _ in range(count_11):
            entity_13: Any = _new(twins.Entity)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_13.entity_id = b[i : (i := i + n)].decode()
            entity_13.label = _ENTITYLABEL[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_13.text = b[i : (i := i + n)].decode()
            number_14 = SHORT_LONGS[b[i]]
            if number_14 is None:
                entity_13.start, i = read_int(b, i)
            else:
                entity_13.start = number_14
                i += 1
            number_15 = SHORT_LONGS[b[i]]
            if number_15 is None:
                entity_13.end, i = read_int(b, i)
            else:
                entity_13.end = number_15
                i += 1
            (entity_13.confidence,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            branch_16 = b[i]
            i += 1
            if branch_16 == 2:
                assertion_17: Any = _new(twins.Assertion)
                assertion_17.status = _ASSERTIONSTATUS[b[i]]
                i += 1
                assertion_17.time = _ASSERTIONTIME[b[i]]
                i += 1
                assertion_17.experiencer = _EXPERIENCER[b[i]]
                i += 1
                number_18 = SHORT_LONGS[b[i]]
                if number_18 is None:
                    assertion_17.cue_start, i = read_int(b, i)
                else:
                    assertion_17.cue_start = number_18
                    i += 1
                number_19 = SHORT_LONGS[b[i]]
                if number_19 is None:
                    assertion_17.cue_end, i = read_int(b, i)
                else:
                    assertion_17.cue_end = number_19
                    i += 1
                assertion_17.__class__ = records.Assertion
                entity_13.assertion = assertion_17
            elif branch_16 == 0:
                entity_13.assertion = None
            else:
                raise ValueError("no such branch")
            branch_20 = b[i]
            i += 1
            if branch_20 == 2:
                prescription_21: Any = _new(twins.Prescription)
                branch_22 = b[i]
                i += 1
                if branch_22 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_21.form = b[i : (i := i + n)].decode()
                elif branch_22 == 0:
                    prescription_21.form = None
                else:
                    raise ValueError("no such branch")
                branch_23 = b[i]
                i += 1
                if branch_23 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_21.strength = b[i : (i := i + n)].decode()
                elif branch_23 == 0:
                    prescription_21.strength = None
                else:
                    raise ValueError("no such branch")
                branch_24 = b[i]
                i += 1
                if branch_24 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_21.dose = b[i : (i := i + n)].decode()
                elif branch_24 == 0:
                    prescription_21.dose = None
                else:
                    raise ValueError("no such branch")
                branch_25 = b[i]
                i += 1
                if branch_25 == 2:
                    number_26 = SHORT_LONGS[b[i]]
                    if number_26 is None:
                        prescription_21.frequency, i = read_int(b, i)
                    else:
                        prescription_21.frequency = number_26
                        i += 1
                elif branch_25 == 0:
                    prescription_21.frequency = None
                else:
                    raise ValueError("no such branch")
                branch_27 = b[i]
                i += 1
                if branch_27 == 2:
                    number_28 = SHORT_LONGS[b[i]]
                    if number_28 is None:
                        prescription_21.period, i = read_int(b, i)
                    else:
                        prescription_21.period = number_28
                        i += 1
                elif branch_27 == 0:
                    prescription_21.period = None
                else:
                    raise ValueError("no such branch")
                branch_29 = b[i]
                i += 1
                if branch_29 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_21.period_unit = b[i : (i := i + n)].decode()
                elif branch_29 == 0:
                    prescription_21.period_unit = None
                else:
                    raise ValueError("no such branch")
                branch_30 = b[i]
                i += 1
                if branch_30 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_21.when = b[i : (i := i + n)].decode()
                elif branch_30 == 0:
                    prescription_21.when = None
                else:
                    raise ValueError("no such branch")
                branch_31 = b[i]
                i += 1
                if branch_31 == 2:
                    prescription_21.as_needed = _BOOLEANS[b[i]]
                    i += 1
                elif branch_31 == 0:
                    prescription_21.as_needed = None
                else:
                    raise ValueError("no such branch")
                branch_32 = b[i]
                i += 1
                if branch_32 == 2:
                    number_33 = SHORT_LONGS[b[i]]
                    if number_33 is None:
                        prescription_21.duration, i = read_int(b, i)
                    else:
                        prescription_21.duration = number_33
                        i += 1
                elif branch_32 == 0:
                    prescription_21.duration = None
                else:
                    raise ValueError("no such branch")
                branch_34 = b[i]
                i += 1
                if branch_34 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_21.duration_unit = b[i : (i := i + n)].decode()
                elif branch_34 == 0:
                    prescription_21.duration_unit = None
                else:
                    raise ValueError("no such branch")
                branch_35 = b[i]
                i += 1
                if branch_35 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_21.route = b[i : (i := i + n)].decode()
                elif branch_35 == 0:
                    prescription_21.route = None
                else:
                    raise ValueError("no such branch")
                prescription_21.__class__ = records.Prescription
                entity_13.prescription = prescription_21
            elif branch_20 == 0:
                entity_13.prescription = None
            else:
                raise ValueError("no such branch")
            entity_13.__class__ = records.Entity
            item_10 = entity_13
            items_9.append(item_10)
        number_36 = SHORT_LONGS[b[i]]
        if number_36 is None:
            count_11, i = read_long(b, i)
        else:
            count_11 = number_36
            i += 1
    record.entities = tuple(items_9)
    items_37: list[Any] = []
    number_40 = SHORT_LONGS[b[i]]
    if number_40 is None:
        count_39, i = read_long(b, i)
    else:
        count_39 = number_40
        i += 1
    while count_39:
        if count_39 < 0:
            count_39 = -count_39
            _, i = read_length(b, i)
        for _ in range(count_39):
            relation_41: Any = _new(twins.Relation)
            relation_41.type = _RELATIONTYPE[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            relation_41.treatment_id = b[i : (i := i + n)].decode()
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            relation_41.disease_id = b[i : (i := i + n)].decode()
            (relation_41.confidence,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            relation_41.__class__ = records.Relation
            item_38 = relation_41
            items_37.append(item_38)
        number_42 = SHORT_LONGS[b[i]]
        if number_42 is None:
            count_39, i = read_long(b, i)
        else:
            count_39 = number_42
            i += 1
    record.relations = tuple(items_37)
    review_43: Any = _new(twins.Review)
    review_43.requested = _BOOLEANS[b[i]]
    i += 1
    review_43.reason = _REVIEWREASON[b[i]]
    i += 1
    branch_44 = b[i]
    i += 1
    if branch_44 == 2:
        (review_43.inclusion_probability,) = _DOUBLES_1.unpack_from(b, i)
        i += 8
    elif branch_44 == 0:
        review_43.inclusion_probability = None
    else:
        raise ValueError("no such branch")
    review_43.__class__ = records.Review
    record.review = review_43
    branch_45 = b[i]
    i += 1
    if branch_45 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_45 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    branch_46 = b[i]
    i += 1
    if branch_46 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.purpose = b[i : (i := i + n)].decode()
    elif branch_46 == 0:
        record.purpose = None
    else:
        raise ValueError("no such branch")
    branch_47 = b[i]
    i += 1
    if branch_47 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.consent_artefact_id = b[i : (i := i + n)].decode()
    elif branch_47 == 0:
        record.consent_artefact_id = None
    else:
        raise ValueError("no such branch")
    branch_48 = b[i]
    i += 1
    if branch_48 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_48 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    branch_49 = b[i]
    i += 1
    if branch_49 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.sealed = b[i : (i := i + n)]
    elif branch_49 == 0:
        record.sealed = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.EntitiesExtracted
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_entities_extracted(r: records.EntitiesExtracted, header: bytes) -> bytes:
    data_1 = r.event_id.encode()
    data_2 = r.source.encode()
    data_3 = r.note_id.encode()
    model_ref_4 = r.model
    data_5 = model_ref_4.name.encode()
    data_6 = model_ref_4.version.encode()
    data_7 = r.rules_version.encode()
    segment_8 = r.segment
    data_9 = segment_8.city.encode()
    data_10 = segment_8.specialty.encode()
    data_11 = r.patient_ref.encode()
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_2)], data_2, LONGS[len(data_3)], data_3, INTS[r.revision], _ORIGIN_BYTES[r.origin], LONGS[len(data_5)], data_5, LONGS[len(data_6)], data_6, LONGS[model_ref_4.serial], LONGS[len(data_7)], data_7, LONGS[r.rules_serial], LONGS[len(data_9)], data_9, LONGS[len(data_10)], data_10, LONGS[len(data_11)], data_11, LONGS[r.written_at], LONGS[r.accepted_at], LONGS[r.extracted_at], _DOUBLES_1.pack(r.note_confidence)]
    items_12 = r.entities
    if items_12:
        out.append(LONGS[len(items_12)])
        for item_13 in items_12:
            entity_14 = item_13
            data_15 = entity_14.entity_id.encode()
            data_16 = entity_14.text.encode()
            value_17 = entity_14.assertion
            value_18 = entity_14.prescription
            out += (LONGS[len(data_15)], data_15, _ENTITYLABEL_BYTES[entity_14.label], LONGS[len(data_16)], data_16, INTS[entity_14.start], INTS[entity_14.end], _DOUBLES_1.pack(entity_14.confidence), b"\x00" if value_17 is None else b"\x02" + _ASSERTIONSTATUS_BYTES[value_17.status] + _ASSERTIONTIME_BYTES[value_17.time] + _EXPERIENCER_BYTES[value_17.experiencer] + INTS[value_17.cue_start] + INTS[value_17.cue_end], b"\x00" if value_18 is None else write_prescription(value_18, b"\x02"),)
    out += (b"\x00",)
    items_19 = r.relations
    if items_19:
        out.append(LONGS[len(items_19)])
        for item_20 in items_19:
            relation_21 = item_20
            data_22 = relation_21.treatment_id.encode()
            data_23 = relation_21.disease_id.encode()
            out += (_RELATIONTYPE_BYTES[relation_21.type], LONGS[len(data_22)], data_22, LONGS[len(data_23)], data_23, _DOUBLES_1.pack(relation_21.confidence),)
    review_24 = r.review
    value_25 = review_24.inclusion_probability
    value_26 = r.pseudonym_key_id
    value_28 = r.purpose
    value_30 = r.consent_artefact_id
    value_32 = r.encryption_key_id
    value_34 = r.sealed
    out += (b"\x00", _BOOLEAN_BYTES[review_24.requested], _REVIEWREASON_BYTES[review_24.reason], b"\x00" if value_25 is None else b"\x02" + _DOUBLES_1.pack(value_25), b"\x00" if value_26 is None else b"\x02" + LONGS[len(data_27 := value_26.encode())] + data_27, b"\x00" if value_28 is None else b"\x02" + LONGS[len(data_29 := value_28.encode())] + data_29, b"\x00" if value_30 is None else b"\x02" + LONGS[len(data_31 := value_30.encode())] + data_31, b"\x00" if value_32 is None else b"\x02" + LONGS[len(data_33 := value_32.encode())] + data_33, b"\x00" if value_34 is None else b"\x02" + LONGS[len(data_35 := value_34)] + data_35,)
    return b"".join(out)


def read_fhir_document_made(b: bytes, i: int) -> records.FhirDocumentMade:
    record: Any = _new(twins.FhirDocumentMade)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.event_id = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.entities_event_id = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.source = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.note_id = b[i : (i := i + n)].decode()
    number_1 = SHORT_LONGS[b[i]]
    if number_1 is None:
        record.revision, i = read_int(b, i)
    else:
        record.revision = number_1
        i += 1
    record.origin = _ORIGIN[b[i]]
    i += 1
    model_ref_2: Any = _new(twins.ModelRef)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_2.name = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_2.version = b[i : (i := i + n)].decode()
    number_3 = SHORT_LONGS[b[i]]
    if number_3 is None:
        model_ref_2.serial, i = read_long(b, i)
    else:
        model_ref_2.serial = number_3
        i += 1
    model_ref_2.__class__ = records.ModelRef
    record.model = model_ref_2
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.rules_version = b[i : (i := i + n)].decode()
    number_4 = SHORT_LONGS[b[i]]
    if number_4 is None:
        record.rules_serial, i = read_long(b, i)
    else:
        record.rules_serial = number_4
        i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.table_version = b[i : (i := i + n)].decode()
    number_5 = SHORT_LONGS[b[i]]
    if number_5 is None:
        record.table_serial, i = read_long(b, i)
    else:
        record.table_serial = number_5
        i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.profile = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.guide = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.patient_ref = b[i : (i := i + n)].decode()
    number_6 = SHORT_LONGS[b[i]]
    if number_6 is None:
        record.written_at, i = read_long(b, i)
    else:
        record.written_at = number_6
        i += 1
    number_7 = SHORT_LONGS[b[i]]
    if number_7 is None:
        record.extracted_at, i = read_long(b, i)
    else:
        record.extracted_at = number_7
        i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.bundle = b[i : (i := i + n)].decode()
    branch_8 = b[i]
    i += 1
    if branch_8 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_8 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    branch_9 = b[i]
    i += 1
    if branch_9 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.purpose = b[i : (i := i + n)].decode()
    elif branch_9 == 0:
        record.purpose = None
    else:
        raise ValueError("no such branch")
    branch_10 = b[i]
    i += 1
    if branch_10 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.consent_artefact_id = b[i : (i := i + n)].decode()
    elif branch_10 == 0:
        record.consent_artefact_id = None
    else:
        raise ValueError("no such branch")
    branch_11 = b[i]
    i += 1
    if branch_11 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_11 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    branch_12 = b[i]
    i += 1
    if branch_12 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.sealed = b[i : (i := i + n)]
    elif branch_12 == 0:
        record.sealed = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.FhirDocumentMade
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_fhir_document_made(r: records.FhirDocumentMade, header: bytes) -> bytes:
    data_1 = r.event_id.encode()
    data_2 = r.entities_event_id.encode()
    data_3 = r.source.encode()
    data_4 = r.note_id.encode()
    model_ref_5 = r.model
    data_6 = model_ref_5.name.encode()
    data_7 = model_ref_5.version.encode()
    data_8 = r.rules_version.encode()
    data_9 = r.table_version.encode()
    data_10 = r.profile.encode()
    data_11 = r.guide.encode()
    data_12 = r.patient_ref.encode()
    data_13 = r.bundle.encode()
    value_14 = r.pseudonym_key_id
    value_16 = r.purpose
    value_18 = r.consent_artefact_id
    value_20 = r.encryption_key_id
    value_22 = r.sealed
    return b"".join(
        (
            header,
            LONGS[len(data_1)], data_1,
            LONGS[len(data_2)], data_2,
            LONGS[len(data_3)], data_3,
            LONGS[len(data_4)], data_4,
            INTS[r.revision],
            _ORIGIN_BYTES[r.origin],
            LONGS[len(data_6)], data_6,
            LONGS[len(data_7)], data_7,
            LONGS[model_ref_5.serial],
            LONGS[len(data_8)], data_8,
            LONGS[r.rules_serial],
            LONGS[len(data_9)], data_9,
            LONGS[r.table_serial],
            LONGS[len(data_10)], data_10,
            LONGS[len(data_11)], data_11,
            LONGS[len(data_12)], data_12,
            LONGS[r.written_at],
            LONGS[r.extracted_at],
            LONGS[len(data_13)], data_13,
            b"\x00" if value_14 is None else b"\x02" + LONGS[len(data_15 := value_14.encode())] + data_15,
            b"\x00" if value_16 is None else b"\x02" + LONGS[len(data_17 := value_16.encode())] + data_17,
            b"\x00" if value_18 is None else b"\x02" + LONGS[len(data_19 := value_18.encode())] + data_19,
            b"\x00" if value_20 is None else b"\x02" + LONGS[len(data_21 := value_20.encode())] + data_21,
            b"\x00" if value_22 is None else b"\x02" + LONGS[len(data_23 := value_22)] + data_23,
        )
    )


def read_model_command(b: bytes, i: int) -> records.ModelCommand:
    record: Any = _new(twins.ModelCommand)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.command_id = b[i : (i := i + n)].decode()
    record.action = _MODELACTION[b[i]]
    i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.model_name = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.reason = b[i : (i := i + n)].decode()
    branch_1 = b[i]
    i += 1
    if branch_1 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.target_version = b[i : (i := i + n)].decode()
    elif branch_1 == 0:
        record.target_version = None
    else:
        raise ValueError("no such branch")
    branch_2 = b[i]
    i += 1
    if branch_2 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.champion_version = b[i : (i := i + n)].decode()
    elif branch_2 == 0:
        record.champion_version = None
    else:
        raise ValueError("no such branch")
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.requested_by = b[i : (i := i + n)].decode()
    number_3 = SHORT_LONGS[b[i]]
    if number_3 is None:
        record.requested_at, i = read_long(b, i)
    else:
        record.requested_at = number_3
        i += 1
    branch_4 = b[i]
    i += 1
    if branch_4 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.segment = b[i : (i := i + n)].decode()
    elif branch_4 == 0:
        record.segment = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.ModelCommand
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_model_command(r: records.ModelCommand, header: bytes) -> bytes:
    data_1 = r.command_id.encode()
    data_2 = r.model_name.encode()
    data_3 = r.reason.encode()
    value_4 = r.target_version
    value_6 = r.champion_version
    data_8 = r.requested_by.encode()
    value_9 = r.segment
    return b"".join(
        (
            header,
            LONGS[len(data_1)], data_1,
            _MODELACTION_BYTES[r.action],
            LONGS[len(data_2)], data_2,
            LONGS[len(data_3)], data_3,
            b"\x00" if value_4 is None else b"\x02" + LONGS[len(data_5 := value_4.encode())] + data_5,
            b"\x00" if value_6 is None else b"\x02" + LONGS[len(data_7 := value_6.encode())] + data_7,
            LONGS[len(data_8)], data_8,
            LONGS[r.requested_at],
            b"\x00" if value_9 is None else b"\x02" + LONGS[len(data_10 := value_9.encode())] + data_10,
        )
    )


def read_model_event(b: bytes, i: int) -> records.ModelEvent:
    record: Any = _new(twins.ModelEvent)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.event_id = b[i : (i := i + n)].decode()
    record.kind = _MODELEVENTKIND[b[i]]
    i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.model_name = b[i : (i := i + n)].decode()
    branch_1 = b[i]
    i += 1
    if branch_1 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.model_version = b[i : (i := i + n)].decode()
    elif branch_1 == 0:
        record.model_version = None
    else:
        raise ValueError("no such branch")
    branch_2 = b[i]
    i += 1
    if branch_2 == 2:
        number_3 = SHORT_LONGS[b[i]]
        if number_3 is None:
            record.serial, i = read_long(b, i)
        else:
            record.serial = number_3
            i += 1
    elif branch_2 == 0:
        record.serial = None
    else:
        raise ValueError("no such branch")
    branch_4 = b[i]
    i += 1
    if branch_4 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.previous_version = b[i : (i := i + n)].decode()
    elif branch_4 == 0:
        record.previous_version = None
    else:
        raise ValueError("no such branch")
    branch_5 = b[i]
    i += 1
    if branch_5 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.artifact_sha256 = b[i : (i := i + n)].decode()
    elif branch_5 == 0:
        record.artifact_sha256 = None
    else:
        raise ValueError("no such branch")
    branch_6 = b[i]
    i += 1
    if branch_6 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.command_id = b[i : (i := i + n)].decode()
    elif branch_6 == 0:
        record.command_id = None
    else:
        raise ValueError("no such branch")
    items_7: list[Any] = []
    number_10 = SHORT_LONGS[b[i]]
    if number_10 is None:
        count_9, i = read_long(b, i)
    else:
        count_9 = number_10
        i += 1
    while count_9:
        if count_9 < 0:
            count_9 = -count_9
            _, i = read_length(b, i)
        for _ in range(count_9):
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            item_8 = b[i : (i := i + n)].decode()
            items_7.append(item_8)
        number_11 = SHORT_LONGS[b[i]]
        if number_11 is None:
            count_9, i = read_long(b, i)
        else:
            count_9 = number_11
            i += 1
    record.reasons = tuple(items_7)
    branch_12 = b[i]
    i += 1
    if branch_12 == 2:
        number_13 = SHORT_LONGS[b[i]]
        if number_13 is None:
            record.missing_labels, i = read_int(b, i)
        else:
            record.missing_labels = number_13
            i += 1
    elif branch_12 == 0:
        record.missing_labels = None
    else:
        raise ValueError("no such branch")
    number_14 = SHORT_LONGS[b[i]]
    if number_14 is None:
        record.occurred_at, i = read_long(b, i)
    else:
        record.occurred_at = number_14
        i += 1
    entries_15: dict[str, Any] = {}
    number_19 = SHORT_LONGS[b[i]]
    if number_19 is None:
        count_18, i = read_long(b, i)
    else:
        count_18 = number_19
        i += 1
    while count_18:
        if count_18 < 0:
            count_18 = -count_18
            _, i = read_length(b, i)
        for _ in range(count_18):
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            key_16 = b[i : (i := i + n)].decode()
            (item_17,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            entries_15[key_16] = item_17
        number_20 = SHORT_LONGS[b[i]]
        if number_20 is None:
            count_18, i = read_long(b, i)
        else:
            count_18 = number_20
            i += 1
    record.metrics = entries_15
    branch_21 = b[i]
    i += 1
    if branch_21 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.merged_into = b[i : (i := i + n)].decode()
    elif branch_21 == 0:
        record.merged_into = None
    else:
        raise ValueError("no such branch")
    entries_22: dict[str, Any] = {}
    number_26 = SHORT_LONGS[b[i]]
    if number_26 is None:
        count_25, i = read_long(b, i)
    else:
        count_25 = number_26
        i += 1
    while count_25:
        if count_25 < 0:
            count_25 = -count_25
            _, i = read_length(b, i)
        for _ in range(count_25):
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            key_23 = b[i : (i := i + n)].decode()
            number_27 = SHORT_LONGS[b[i]]
            if number_27 is None:
                item_24, i = read_int(b, i)
            else:
                item_24 = number_27
                i += 1
            entries_22[key_23] = item_24
        number_28 = SHORT_LONGS[b[i]]
        if number_28 is None:
            count_25, i = read_long(b, i)
        else:
            count_25 = number_28
            i += 1
    record.taught_by = entries_22
    branch_29 = b[i]
    i += 1
    if branch_29 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.rules_version = b[i : (i := i + n)].decode()
    elif branch_29 == 0:
        record.rules_version = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.ModelEvent
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_model_event(r: records.ModelEvent, header: bytes) -> bytes:
    data_1 = r.event_id.encode()
    data_2 = r.model_name.encode()
    value_3 = r.model_version
    value_5 = r.serial
    value_6 = r.previous_version
    value_8 = r.artifact_sha256
    value_10 = r.command_id
    out = [header, LONGS[len(data_1)], data_1, _MODELEVENTKIND_BYTES[r.kind], LONGS[len(data_2)], data_2, b"\x00" if value_3 is None else b"\x02" + LONGS[len(data_4 := value_3.encode())] + data_4, b"\x00" if value_5 is None else b"\x02" + LONGS[value_5], b"\x00" if value_6 is None else b"\x02" + LONGS[len(data_7 := value_6.encode())] + data_7, b"\x00" if value_8 is None else b"\x02" + LONGS[len(data_9 := value_8.encode())] + data_9, b"\x00" if value_10 is None else b"\x02" + LONGS[len(data_11 := value_10.encode())] + data_11]
    items_12 = r.reasons
    if items_12:
        out.append(LONGS[len(items_12)])
        for item_13 in items_12:
            data_14 = item_13.encode()
            out += (LONGS[len(data_14)], data_14,)
    value_15 = r.missing_labels
    out += (b"\x00", b"\x00" if value_15 is None else b"\x02" + INTS[value_15], LONGS[r.occurred_at],)
    entries_16 = r.metrics
    if entries_16:
        out.append(LONGS[len(entries_16)])
        for key_17, item_18 in entries_16.items():
            data_19 = key_17.encode()
            out += (LONGS[len(data_19)], data_19, _DOUBLES_1.pack(item_18),)
    value_20 = r.merged_into
    out += (b"\x00", b"\x00" if value_20 is None else b"\x02" + LONGS[len(data_21 := value_20.encode())] + data_21,)
    entries_22 = r.taught_by
    if entries_22:
        out.append(LONGS[len(entries_22)])
        for key_23, item_24 in entries_22.items():
            data_25 = key_23.encode()
            out += (LONGS[len(data_25)], data_25, INTS[item_24],)
    value_26 = r.rules_version
    out += (b"\x00", b"\x00" if value_26 is None else b"\x02" + LONGS[len(data_27 := value_26.encode())] + data_27,)
    return b"".join(out)


def read_note_accepted(b: bytes, i: int) -> records.NoteAccepted:
    record: Any = _new(twins.NoteAccepted)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.source = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.note_id = b[i : (i := i + n)].decode()
    number_1 = SHORT_LONGS[b[i]]
    if number_1 is None:
        record.revision, i = read_int(b, i)
    else:
        record.revision = number_1
        i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.prescription_ref = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.patient_ref = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.doctor_ref = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.city = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.specialty = b[i : (i := i + n)].decode()
    number_2 = SHORT_LONGS[b[i]]
    if number_2 is None:
        record.written_at, i = read_long(b, i)
    else:
        record.written_at = number_2
        i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.text = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.language = b[i : (i := i + n)].decode()
    record.origin = _ORIGIN[b[i]]
    i += 1
    number_3 = SHORT_LONGS[b[i]]
    if number_3 is None:
        record.accepted_at, i = read_long(b, i)
    else:
        record.accepted_at = number_3
        i += 1
    branch_4 = b[i]
    i += 1
    if branch_4 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_4 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    branch_5 = b[i]
    i += 1
    if branch_5 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.purpose = b[i : (i := i + n)].decode()
    elif branch_5 == 0:
        record.purpose = None
    else:
        raise ValueError("no such branch")
    branch_6 = b[i]
    i += 1
    if branch_6 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.consent_artefact_id = b[i : (i := i + n)].decode()
    elif branch_6 == 0:
        record.consent_artefact_id = None
    else:
        raise ValueError("no such branch")
    branch_7 = b[i]
    i += 1
    if branch_7 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_7 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    branch_8 = b[i]
    i += 1
    if branch_8 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.sealed = b[i : (i := i + n)]
    elif branch_8 == 0:
        record.sealed = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.NoteAccepted
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_note_accepted(r: records.NoteAccepted, header: bytes) -> bytes:
    data_1 = r.source.encode()
    data_2 = r.note_id.encode()
    data_3 = r.prescription_ref.encode()
    data_4 = r.patient_ref.encode()
    data_5 = r.doctor_ref.encode()
    data_6 = r.city.encode()
    data_7 = r.specialty.encode()
    data_8 = r.text.encode()
    data_9 = r.language.encode()
    value_10 = r.pseudonym_key_id
    value_12 = r.purpose
    value_14 = r.consent_artefact_id
    value_16 = r.encryption_key_id
    value_18 = r.sealed
    return b"".join(
        (
            header,
            LONGS[len(data_1)], data_1,
            LONGS[len(data_2)], data_2,
            INTS[r.revision],
            LONGS[len(data_3)], data_3,
            LONGS[len(data_4)], data_4,
            LONGS[len(data_5)], data_5,
            LONGS[len(data_6)], data_6,
            LONGS[len(data_7)], data_7,
            LONGS[r.written_at],
            LONGS[len(data_8)], data_8,
            LONGS[len(data_9)], data_9,
            _ORIGIN_BYTES[r.origin],
            LONGS[r.accepted_at],
            b"\x00" if value_10 is None else b"\x02" + LONGS[len(data_11 := value_10.encode())] + data_11,
            b"\x00" if value_12 is None else b"\x02" + LONGS[len(data_13 := value_12.encode())] + data_13,
            b"\x00" if value_14 is None else b"\x02" + LONGS[len(data_15 := value_14.encode())] + data_15,
            b"\x00" if value_16 is None else b"\x02" + LONGS[len(data_17 := value_16.encode())] + data_17,
            b"\x00" if value_18 is None else b"\x02" + LONGS[len(data_19 := value_18)] + data_19,
        )
    )


def read_note_submitted(b: bytes, i: int) -> records.NoteSubmitted:
    record: Any = _new(twins.NoteSubmitted)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.source = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.note_id = b[i : (i := i + n)].decode()
    number_1 = SHORT_LONGS[b[i]]
    if number_1 is None:
        record.revision, i = read_int(b, i)
    else:
        record.revision = number_1
        i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.prescription_id = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.patient_ref = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.doctor_ref = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.city = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.specialty = b[i : (i := i + n)].decode()
    number_2 = SHORT_LONGS[b[i]]
    if number_2 is None:
        record.written_at, i = read_long(b, i)
    else:
        record.written_at = number_2
        i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.text = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.language = b[i : (i := i + n)].decode()
    record.origin = _ORIGIN[b[i]]
    i += 1
    branch_3 = b[i]
    i += 1
    if branch_3 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_3 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    branch_4 = b[i]
    i += 1
    if branch_4 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.purpose = b[i : (i := i + n)].decode()
    elif branch_4 == 0:
        record.purpose = None
    else:
        raise ValueError("no such branch")
    branch_5 = b[i]
    i += 1
    if branch_5 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.consent_artefact_id = b[i : (i := i + n)].decode()
    elif branch_5 == 0:
        record.consent_artefact_id = None
    else:
        raise ValueError("no such branch")
    branch_6 = b[i]
    i += 1
    if branch_6 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_6 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    branch_7 = b[i]
    i += 1
    if branch_7 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.sealed = b[i : (i := i + n)]
    elif branch_7 == 0:
        record.sealed = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.NoteSubmitted
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_note_submitted(r: records.NoteSubmitted, header: bytes) -> bytes:
    data_1 = r.source.encode()
    data_2 = r.note_id.encode()
    data_3 = r.prescription_id.encode()
    data_4 = r.patient_ref.encode()
    data_5 = r.doctor_ref.encode()
    data_6 = r.city.encode()
    data_7 = r.specialty.encode()
    data_8 = r.text.encode()
    data_9 = r.language.encode()
    value_10 = r.pseudonym_key_id
    value_12 = r.purpose
    value_14 = r.consent_artefact_id
    value_16 = r.encryption_key_id
    value_18 = r.sealed
    return b"".join(
        (
            header,
            LONGS[len(data_1)], data_1,
            LONGS[len(data_2)], data_2,
            INTS[r.revision],
            LONGS[len(data_3)], data_3,
            LONGS[len(data_4)], data_4,
            LONGS[len(data_5)], data_5,
            LONGS[len(data_6)], data_6,
            LONGS[len(data_7)], data_7,
            LONGS[r.written_at],
            LONGS[len(data_8)], data_8,
            LONGS[len(data_9)], data_9,
            _ORIGIN_BYTES[r.origin],
            b"\x00" if value_10 is None else b"\x02" + LONGS[len(data_11 := value_10.encode())] + data_11,
            b"\x00" if value_12 is None else b"\x02" + LONGS[len(data_13 := value_12.encode())] + data_13,
            b"\x00" if value_14 is None else b"\x02" + LONGS[len(data_15 := value_14.encode())] + data_15,
            b"\x00" if value_16 is None else b"\x02" + LONGS[len(data_17 := value_16.encode())] + data_17,
            b"\x00" if value_18 is None else b"\x02" + LONGS[len(data_19 := value_18)] + data_19,
        )
    )


def read_quality_measured(b: bytes, i: int) -> records.QualityMeasured:
    record: Any = _new(twins.QualityMeasured)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.measurement_id = b[i : (i := i + n)].decode()
    model_ref_1: Any = _new(twins.ModelRef)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_1.name = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_1.version = b[i : (i := i + n)].decode()
    number_2 = SHORT_LONGS[b[i]]
    if number_2 is None:
        model_ref_1.serial, i = read_long(b, i)
    else:
        model_ref_1.serial = number_2
        i += 1
    model_ref_1.__class__ = records.ModelRef
    record.model = model_ref_1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.segment = b[i : (i := i + n)].decode()
    number_3 = SHORT_LONGS[b[i]]
    if number_3 is None:
        record.window_start, i = read_long(b, i)
    else:
        record.window_start = number_3
        i += 1
    number_4 = SHORT_LONGS[b[i]]
    if number_4 is None:
        record.window_end, i = read_long(b, i)
    else:
        record.window_end = number_4
        i += 1
    number_5 = SHORT_LONGS[b[i]]
    if number_5 is None:
        record.notes, i = read_int(b, i)
    else:
        record.notes = number_5
        i += 1
    items_6: list[Any] = []
    number_9 = SHORT_LONGS[b[i]]
    if number_9 is None:
        count_8, i = read_long(b, i)
    else:
        count_8 = number_9
        i += 1
    while count_8:
        if count_8 < 0:
            count_8 = -count_8
            _, i = read_length(b, i)
        for _ in range(count_8):
            label_quality_10: Any = _new(twins.LabelQuality)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            label_quality_10.label = b[i : (i := i + n)].decode()
            label_quality_10.precision, label_quality_10.recall, label_quality_10.f1, label_quality_10.f1_low, label_quality_10.f1_high = _DOUBLES_5.unpack_from(b, i)
            i += 40
            number_11 = SHORT_LONGS[b[i]]
            if number_11 is None:
                label_quality_10.support, i = read_int(b, i)
            else:
                label_quality_10.support = number_11
                i += 1
            branch_12 = b[i]
            i += 1
            if branch_12 == 2:
                (label_quality_10.precision_low,) = _DOUBLES_1.unpack_from(b, i)
                i += 8
            elif branch_12 == 0:
                label_quality_10.precision_low = None
            else:
                raise ValueError("no such branch")
            branch_13 = b[i]
            i += 1
            if branch_13 == 2:
                (label_quality_10.precision_high,) = _DOUBLES_1.unpack_from(b, i)
                i += 8
            elif branch_13 == 0:
                label_quality_10.precision_high = None
            else:
                raise ValueError("no such branch")
            branch_14 = b[i]
            i += 1
            if branch_14 == 2:
                (label_quality_10.recall_low,) = _DOUBLES_1.unpack_from(b, i)
                i += 8
            elif branch_14 == 0:
                label_quality_10.recall_low = None
            else:
                raise ValueError("no such branch")
            branch_15 = b[i]
            i += 1
            if branch_15 == 2:
                (label_quality_10.recall_high,) = _DOUBLES_1.unpack_from(b, i)
                i += 8
            elif branch_15 == 0:
                label_quality_10.recall_high = None
            else:
                raise ValueError("no such branch")
            label_quality_10.__class__ = records.LabelQuality
            item_7 = label_quality_10
            items_6.append(item_7)
        number_16 = SHORT_LONGS[b[i]]
        if number_16 is None:
            count_8, i = read_long(b, i)
        else:
            count_8 = number_16
            i += 1
    record.labels = tuple(items_6)
    branch_17 = b[i]
    i += 1
    if branch_17 == 2:
        (record.estimated_f1,) = _DOUBLES_1.unpack_from(b, i)
        i += 8
    elif branch_17 == 0:
        record.estimated_f1 = None
    else:
        raise ValueError("no such branch")
    branch_18 = b[i]
    i += 1
    if branch_18 == 2:
        (record.prefill_bias,) = _DOUBLES_1.unpack_from(b, i)
        i += 8
    elif branch_18 == 0:
        record.prefill_bias = None
    else:
        raise ValueError("no such branch")
    branch_19 = b[i]
    i += 1
    if branch_19 == 2:
        (record.audit_rate,) = _DOUBLES_1.unpack_from(b, i)
        i += 8
    elif branch_19 == 0:
        record.audit_rate = None
    else:
        raise ValueError("no such branch")
    number_20 = SHORT_LONGS[b[i]]
    if number_20 is None:
        record.measured_at, i = read_long(b, i)
    else:
        record.measured_at = number_20
        i += 1
    record.__class__ = records.QualityMeasured
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_quality_measured(r: records.QualityMeasured, header: bytes) -> bytes:
    data_1 = r.measurement_id.encode()
    model_ref_2 = r.model
    data_3 = model_ref_2.name.encode()
    data_4 = model_ref_2.version.encode()
    data_5 = r.segment.encode()
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_3)], data_3, LONGS[len(data_4)], data_4, LONGS[model_ref_2.serial], LONGS[len(data_5)], data_5, LONGS[r.window_start], LONGS[r.window_end], INTS[r.notes]]
    items_6 = r.labels
    if items_6:
        out.append(LONGS[len(items_6)])
        for item_7 in items_6:
            label_quality_8 = item_7
            data_9 = label_quality_8.label.encode()
            value_10 = label_quality_8.precision_low
            value_11 = label_quality_8.precision_high
            value_12 = label_quality_8.recall_low
            value_13 = label_quality_8.recall_high
            out += (LONGS[len(data_9)], data_9, _DOUBLES_5.pack(label_quality_8.precision, label_quality_8.recall, label_quality_8.f1, label_quality_8.f1_low, label_quality_8.f1_high), INTS[label_quality_8.support], b"\x00" if value_10 is None else b"\x02" + _DOUBLES_1.pack(value_10), b"\x00" if value_11 is None else b"\x02" + _DOUBLES_1.pack(value_11), b"\x00" if value_12 is None else b"\x02" + _DOUBLES_1.pack(value_12), b"\x00" if value_13 is None else b"\x02" + _DOUBLES_1.pack(value_13),)
    value_14 = r.estimated_f1
    value_15 = r.prefill_bias
    value_16 = r.audit_rate
    out += (b"\x00", b"\x00" if value_14 is None else b"\x02" + _DOUBLES_1.pack(value_14), b"\x00" if value_15 is None else b"\x02" + _DOUBLES_1.pack(value_15), b"\x00" if value_16 is None else b"\x02" + _DOUBLES_1.pack(value_16), LONGS[r.measured_at],)
    return b"".join(out)


def read_review_requested(b: bytes, i: int) -> records.ReviewRequested:
    record: Any = _new(twins.ReviewRequested)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.source = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.note_id = b[i : (i := i + n)].decode()
    number_1 = SHORT_LONGS[b[i]]
    if number_1 is None:
        record.revision, i = read_int(b, i)
    else:
        record.revision = number_1
        i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.event_id = b[i : (i := i + n)].decode()
    record.origin = _ORIGIN[b[i]]
    i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.text = b[i : (i := i + n)].decode()
    segment_2: Any = _new(twins.Segment)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    segment_2.city = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    segment_2.specialty = b[i : (i := i + n)].decode()
    segment_2.__class__ = records.Segment
    record.segment = segment_2
    model_ref_3: Any = _new(twins.ModelRef)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_3.name = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_3.version = b[i : (i := i + n)].decode()
    number_4 = SHORT_LONGS[b[i]]
    if number_4 is None:
        model_ref_3.serial, i = read_long(b, i)
    else:
        model_ref_3.serial = number_4
        i += 1
    model_ref_3.__class__ = records.ModelRef
    record.model = model_ref_3
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.rules_version = b[i : (i := i + n)].decode()
    number_5 = SHORT_LONGS[b[i]]
    if number_5 is None:
        record.rules_serial, i = read_long(b, i)
    else:
        record.rules_serial = number_5
        i += 1
    items_6: list[Any] = []
    number_9 = SHORT_LONGS[b[i]]
    if number_9 is None:
        count_8, i = read_long(b, i)
    else:
        count_8 = number_9
        i += 1
    while count_8:
        if count_8 < 0:
            count_8 = -count_8
            _, i = read_length(b, i)
        for _ in range(count_8):
            entity_10: Any = _new(twins.Entity)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_10.entity_id = b[i : (i := i + n)].decode()
            entity_10.label = _ENTITYLABEL[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_10.text = b[i : (i := i + n)].decode()
            number_11 = SHORT_LONGS[b[i]]
            if number_11 is None:
                entity_10.start, i = read_int(b, i)
            else:
                entity_10.start = number_11
                i += 1
            number_12 = SHORT_LONGS[b[i]]
            if number_12 is None:
                entity_10.end, i = read_int(b, i)
            else:
                entity_10.end = number_12
                i += 1
            (entity_10.confidence,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            branch_13 = b[i]
            i += 1
            if branch_13 == 2:
                assertion_14: Any = _new(twins.Assertion)
                assertion_14.status = _ASSERTIONSTATUS[b[i]]
                i += 1
                assertion_14.time = _ASSERTIONTIME[b[i]]
                i += 1
                assertion_14.experiencer = _EXPERIENCER[b[i]]
                i += 1
                number_15 = SHORT_LONGS[b[i]]
                if number_15 is None:
                    assertion_14.cue_start, i = read_int(b, i)
                else:
                    assertion_14.cue_start = number_15
                    i += 1
                number_16 = SHORT_LONGS[b[i]]
                if number_16 is None:
                    assertion_14.cue_end, i = read_int(b, i)
                else:
                    assertion_14.cue_end = number_16
                    i += 1
                assertion_14.__class__ = records.Assertion
                entity_10.assertion = assertion_14
            elif branch_13 == 0:
                entity_10.assertion = None
            else:
                raise ValueError("no such branch")
            branch_17 = b[i]
            i += 1
            if branch_17 == 2:
                prescription_18: Any = _new(twins.Prescription)
                branch_19 = b[i]
                i += 1
                if branch_19 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_18.form = b[i : (i := i + n)].decode()
                elif branch_19 == 0:
                    prescription_18.form = None
                else:
                    raise ValueError("no such branch")
                branch_20 = b[i]
                i += 1
                if branch_20 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_18.strength = b[i : (i := i + n)].decode()
                elif branch_20 == 0:
                    prescription_18.strength = None
                else:
                    raise ValueError("no such branch")
                branch_21 = b[i]
                i += 1
                if branch_21 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_18.dose = b[i : (i := i + n)].decode()
                elif branch_21 == 0:
                    prescription_18.dose = None
                else:
                    raise ValueError("no such branch")
                branch_22 = b[i]
                i += 1
                if branch_22 == 2:
                    number_23 = SHORT_LONGS[b[i]]
                    if number_23 is None:
                        prescription_18.frequency, i = read_int(b, i)
                    else:
                        prescription_18.frequency = number_23
                        i += 1
                elif branch_22 == 0:
                    prescription_18.frequency = None
                else:
                    raise ValueError("no such branch")
                branch_24 = b[i]
                i += 1
                if branch_24 == 2:
                    number_25 = SHORT_LONGS[b[i]]
                    if number_25 is None:
                        prescription_18.period, i = read_int(b, i)
                    else:
                        prescription_18.period = number_25
                        i += 1
                elif branch_24 == 0:
                    prescription_18.period = None
                else:
                    raise ValueError("no such branch")
                branch_26 = b[i]
                i += 1
                if branch_26 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_18.period_unit = b[i : (i := i + n)].decode()
                elif branch_26 == 0:
                    prescription_18.period_unit = None
                else:
                    raise ValueError("no such branch")
                branch_27 = b[i]
                i += 1
                if branch_27 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_18.when = b[i : (i := i + n)].decode()
                elif branch_27 == 0:
                    prescription_18.when = None
                else:
                    raise ValueError("no such branch")
                branch_28 = b[i]
                i += 1
                if branch_28 == 2:
                    prescription_18.as_needed = _BOOLEANS[b[i]]
                    i += 1
                elif branch_28 == 0:
                    prescription_18.as_needed = None
                else:
                    raise ValueError("no such branch")
                branch_29 = b[i]
                i += 1
                if branch_29 == 2:
                    number_30 = SHORT_LONGS[b[i]]
                    if number_30 is None:
                        prescription_18.duration, i = read_int(b, i)
                    else:
                        prescription_18.duration = number_30
                        i += 1
                elif branch_29 == 0:
                    prescription_18.duration = None
                else:
                    raise ValueError("no such branch")
                branch_31 = b[i]
                i += 1
                if branch_31 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_18.duration_unit = b[i : (i := i + n)].decode()
                elif branch_31 == 0:
                    prescription_18.duration_unit = None
                else:
                    raise ValueError("no such branch")
                branch_32 = b[i]
                i += 1
                if branch_32 == 2:
                    n = SHORT_LENGTHS[b[i]]
                    if n < 0:
                        n, i = read_length(b, i)
                    else:
                        i += 1
                    prescription_18.route = b[i : (i := i + n)].decode()
                elif branch_32 == 0:
                    prescription_18.route = None
                else:
                    raise ValueError("no such branch")
                prescription_18.__class__ = records.Prescription
                entity_10.prescription = prescription_18
            elif branch_17 == 0:
                entity_10.prescription = None
            else:
                raise ValueError("no such branch")
            entity_10.__class__ = records.Entity
            item_7 = entity_10
            items_6.append(item_7)
        number_33 = SHORT_LONGS[b[i]]
        if number_33 is None:
            count_8, i = read_long(b, i)
        else:
            count_8 = number_33
            i += 1
    record.entities = tuple(items_6)
    items_34: list[Any] = []
    number_37 = SHORT_LONGS[b[i]]
    if number_37 is None:
        count_36, i = read_long(b, i)
    else:
        count_36 = number_37
        i += 1
    while count_36:
        if count_36 < 0:
            count_36 = -count_36
            _, i = read_length(b, i)
        for _ in range(count_36):
            relation_38: Any = _new(twins.Relation)
            relation_38.type = _RELATIONTYPE[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            relation_38.treatment_id = b[i : (i := i + n)].decode()
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            relation_38.disease_id = b[i : (i := i + n)].decode()
            (relation_38.confidence,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            relation_38.__class__ = records.Relation
            item_35 = relation_38
            items_34.append(item_35)
        number_39 = SHORT_LONGS[b[i]]
        if number_39 is None:
            count_36, i = read_long(b, i)
        else:
            count_36 = number_39
            i += 1
    record.relations = tuple(items_34)
    (record.note_confidence,) = _DOUBLES_1.unpack_from(b, i)
    i += 8
    record.sample = _SAMPLE[b[i]]
    i += 1
    (record.inclusion_probability,) = _DOUBLES_1.unpack_from(b, i)
    i += 8
    record.show_predictions = _BOOLEANS[b[i]]
    i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.patient_ref = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.doctor_ref = b[i : (i := i + n)].decode()
    number_40 = SHORT_LONGS[b[i]]
    if number_40 is None:
        record.requested_at, i = read_long(b, i)
    else:
        record.requested_at = number_40
        i += 1
    number_41 = SHORT_LONGS[b[i]]
    if number_41 is None:
        record.written_at, i = read_long(b, i)
    else:
        record.written_at = number_41
        i += 1
    branch_42 = b[i]
    i += 1
    if branch_42 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_42 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    branch_43 = b[i]
    i += 1
    if branch_43 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.purpose = b[i : (i := i + n)].decode()
    elif branch_43 == 0:
        record.purpose = None
    else:
        raise ValueError("no such branch")
    branch_44 = b[i]
    i += 1
    if branch_44 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.consent_artefact_id = b[i : (i := i + n)].decode()
    elif branch_44 == 0:
        record.consent_artefact_id = None
    else:
        raise ValueError("no such branch")
    branch_45 = b[i]
    i += 1
    if branch_45 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_45 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    branch_46 = b[i]
    i += 1
    if branch_46 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.sealed = b[i : (i := i + n)]
    elif branch_46 == 0:
        record.sealed = None
    else:
        raise ValueError("no such branch")
    branch_47 = b[i]
    i += 1
    if branch_47 == 2:
        (record.expected_gain,) = _DOUBLES_1.unpack_from(b, i)
        i += 8
    elif branch_47 == 0:
        record.expected_gain = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.ReviewRequested
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_review_requested(r: records.ReviewRequested, header: bytes) -> bytes:
    data_1 = r.source.encode()
    data_2 = r.note_id.encode()
    data_3 = r.event_id.encode()
    data_4 = r.text.encode()
    segment_5 = r.segment
    data_6 = segment_5.city.encode()
    data_7 = segment_5.specialty.encode()
    model_ref_8 = r.model
    data_9 = model_ref_8.name.encode()
    data_10 = model_ref_8.version.encode()
    data_11 = r.rules_version.encode()
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_2)], data_2, INTS[r.revision], LONGS[len(data_3)], data_3, _ORIGIN_BYTES[r.origin], LONGS[len(data_4)], data_4, LONGS[len(data_6)], data_6, LONGS[len(data_7)], data_7, LONGS[len(data_9)], data_9, LONGS[len(data_10)], data_10, LONGS[model_ref_8.serial], LONGS[len(data_11)], data_11, LONGS[r.rules_serial]]
    items_12 = r.entities
    if items_12:
        out.append(LONGS[len(items_12)])
        for item_13 in items_12:
            entity_14 = item_13
            data_15 = entity_14.entity_id.encode()
            data_16 = entity_14.text.encode()
            value_17 = entity_14.assertion
            value_18 = entity_14.prescription
            out += (LONGS[len(data_15)], data_15, _ENTITYLABEL_BYTES[entity_14.label], LONGS[len(data_16)], data_16, INTS[entity_14.start], INTS[entity_14.end], _DOUBLES_1.pack(entity_14.confidence), b"\x00" if value_17 is None else b"\x02" + _ASSERTIONSTATUS_BYTES[value_17.status] + _ASSERTIONTIME_BYTES[value_17.time] + _EXPERIENCER_BYTES[value_17.experiencer] + INTS[value_17.cue_start] + INTS[value_17.cue_end], b"\x00" if value_18 is None else write_prescription(value_18, b"\x02"),)
    out += (b"\x00",)
    items_19 = r.relations
    if items_19:
        out.append(LONGS[len(items_19)])
        for item_20 in items_19:
            relation_21 = item_20
            data_22 = relation_21.treatment_id.encode()
            data_23 = relation_21.disease_id.encode()
            out += (_RELATIONTYPE_BYTES[relation_21.type], LONGS[len(data_22)], data_22, LONGS[len(data_23)], data_23, _DOUBLES_1.pack(relation_21.confidence),)
    data_24 = r.patient_ref.encode()
    data_25 = r.doctor_ref.encode()
    value_26 = r.pseudonym_key_id
    value_28 = r.purpose
    value_30 = r.consent_artefact_id
    value_32 = r.encryption_key_id
    value_34 = r.sealed
    value_36 = r.expected_gain
    out += (b"\x00", _DOUBLES_1.pack(r.note_confidence), _SAMPLE_BYTES[r.sample], _DOUBLES_1.pack(r.inclusion_probability), _BOOLEAN_BYTES[r.show_predictions], LONGS[len(data_24)], data_24, LONGS[len(data_25)], data_25, LONGS[r.requested_at], LONGS[r.written_at], b"\x00" if value_26 is None else b"\x02" + LONGS[len(data_27 := value_26.encode())] + data_27, b"\x00" if value_28 is None else b"\x02" + LONGS[len(data_29 := value_28.encode())] + data_29, b"\x00" if value_30 is None else b"\x02" + LONGS[len(data_31 := value_30.encode())] + data_31, b"\x00" if value_32 is None else b"\x02" + LONGS[len(data_33 := value_32.encode())] + data_33, b"\x00" if value_34 is None else b"\x02" + LONGS[len(data_35 := value_34)] + data_35, b"\x00" if value_36 is None else b"\x02" + _DOUBLES_1.pack(value_36),)
    return b"".join(out)


def read_statistics_observed(b: bytes, i: int) -> records.StatisticsObserved:
    record: Any = _new(twins.StatisticsObserved)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.segment = b[i : (i := i + n)].decode()
    model_ref_1: Any = _new(twins.ModelRef)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_1.name = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    model_ref_1.version = b[i : (i := i + n)].decode()
    number_2 = SHORT_LONGS[b[i]]
    if number_2 is None:
        model_ref_1.serial, i = read_long(b, i)
    else:
        model_ref_1.serial = number_2
        i += 1
    model_ref_1.__class__ = records.ModelRef
    record.model = model_ref_1
    number_3 = SHORT_LONGS[b[i]]
    if number_3 is None:
        record.note_partition, i = read_int(b, i)
    else:
        record.note_partition = number_3
        i += 1
    number_4 = SHORT_LONGS[b[i]]
    if number_4 is None:
        record.first_offset, i = read_long(b, i)
    else:
        record.first_offset = number_4
        i += 1
    number_5 = SHORT_LONGS[b[i]]
    if number_5 is None:
        record.last_offset, i = read_long(b, i)
    else:
        record.last_offset = number_5
        i += 1
    number_6 = SHORT_LONGS[b[i]]
    if number_6 is None:
        record.observed_at, i = read_long(b, i)
    else:
        record.observed_at = number_6
        i += 1
    number_7 = SHORT_LONGS[b[i]]
    if number_7 is None:
        record.n, i = read_int(b, i)
    else:
        record.n = number_7
        i += 1
    items_8: list[Any] = []
    number_11 = SHORT_LONGS[b[i]]
    if number_11 is None:
        count_10, i = read_long(b, i)
    else:
        count_10 = number_11
        i += 1
    while count_10:
        if count_10 < 0:
            count_10 = -count_10
            _, i = read_length(b, i)
        for _ in range(count_10):
            statistic_sum_12: Any = _new(twins.StatisticSum)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            statistic_sum_12.name = b[i : (i := i + n)].decode()
            statistic_sum_12.count, statistic_sum_12.sum, statistic_sum_12.sum_of_squares = _DOUBLES_3.unpack_from(b, i)
            i += 24
            statistic_sum_12.__class__ = records.StatisticSum
            item_9 = statistic_sum_12
            items_8.append(item_9)
        number_13 = SHORT_LONGS[b[i]]
        if number_13 is None:
            count_10, i = read_long(b, i)
        else:
            count_10 = number_13
            i += 1
    record.statistics = tuple(items_8)
    items_14: list[Any] = []
    number_17 = SHORT_LONGS[b[i]]
    if number_17 is None:
        count_16, i = read_long(b, i)
    else:
        count_16 = number_17
        i += 1
    while count_16:
        if count_16 < 0:
            count_16 = -count_16
            _, i = read_length(b, i)
        items_14 += unpack_from(f"<{count_16}d", b, i)
        i += 8 * count_16
        number_18 = SHORT_LONGS[b[i]]
        if number_18 is None:
            count_16, i = read_long(b, i)
        else:
            count_16 = number_18
            i += 1
    record.sums = tuple(items_14)
    record.__class__ = records.StatisticsObserved
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_statistics_observed(r: records.StatisticsObserved, header: bytes) -> bytes:
    data_1 = r.segment.encode()
    model_ref_2 = r.model
    data_3 = model_ref_2.name.encode()
    data_4 = model_ref_2.version.encode()
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_3)], data_3, LONGS[len(data_4)], data_4, LONGS[model_ref_2.serial], INTS[r.note_partition], LONGS[r.first_offset], LONGS[r.last_offset], LONGS[r.observed_at], INTS[r.n]]
    items_5 = r.statistics
    if items_5:
        out.append(LONGS[len(items_5)])
        for item_6 in items_5:
            statistic_sum_7 = item_6
            data_8 = statistic_sum_7.name.encode()
            out += (LONGS[len(data_8)], data_8, _DOUBLES_3.pack(statistic_sum_7.count, statistic_sum_7.sum, statistic_sum_7.sum_of_squares),)
    out += (b"\x00",)
    items_9 = r.sums
    if items_9:
        out += (LONGS[len(items_9)], pack(f"<{len(items_9)}d", *items_9))
    out += (b"\x00",)
    return b"".join(out)


def read_webhook_delivery(b: bytes, i: int) -> records.WebhookDelivery:
    record: Any = _new(twins.WebhookDelivery)
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.delivery_id = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.source = b[i : (i := i + n)].decode()
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.note_id = b[i : (i := i + n)].decode()
    number_1 = SHORT_LONGS[b[i]]
    if number_1 is None:
        record.revision, i = read_int(b, i)
    else:
        record.revision = number_1
        i += 1
    record.kind = _DELIVERYKIND[b[i]]
    i += 1
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.body = b[i : (i := i + n)].decode()
    number_2 = SHORT_LONGS[b[i]]
    if number_2 is None:
        record.occurred_at, i = read_long(b, i)
    else:
        record.occurred_at = number_2
        i += 1
    branch_3 = b[i]
    i += 1
    if branch_3 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_3 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    branch_4 = b[i]
    i += 1
    if branch_4 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.sealed = b[i : (i := i + n)]
    elif branch_4 == 0:
        record.sealed = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.WebhookDelivery
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_webhook_delivery(r: records.WebhookDelivery, header: bytes) -> bytes:
    data_1 = r.delivery_id.encode()
    data_2 = r.source.encode()
    data_3 = r.note_id.encode()
    data_4 = r.body.encode()
    value_5 = r.encryption_key_id
    value_7 = r.sealed
    return b"".join(
        (
            header,
            LONGS[len(data_1)], data_1,
            LONGS[len(data_2)], data_2,
            LONGS[len(data_3)], data_3,
            INTS[r.revision],
            _DELIVERYKIND_BYTES[r.kind],
            LONGS[len(data_4)], data_4,
            LONGS[r.occurred_at],
            b"\x00" if value_5 is None else b"\x02" + LONGS[len(data_6 := value_5.encode())] + data_6,
            b"\x00" if value_7 is None else b"\x02" + LONGS[len(data_8 := value_7)] + data_8,
        )
    )


def write_model_ref(r: records.ModelRef, header: bytes) -> bytes:
    data_1 = r.name.encode()
    data_2 = r.version.encode()
    return b"".join(
        (
            header,
            LONGS[len(data_1)], data_1,
            LONGS[len(data_2)], data_2,
            LONGS[r.serial],
        )
    )


def write_prescription(r: records.Prescription, header: bytes) -> bytes:
    value_1 = r.form
    value_3 = r.strength
    value_5 = r.dose
    value_7 = r.frequency
    value_8 = r.period
    value_9 = r.period_unit
    value_11 = r.when
    value_13 = r.as_needed
    value_14 = r.duration
    value_15 = r.duration_unit
    value_17 = r.route
    return b"".join(
        (
            header,
            b"\x00" if value_1 is None else b"\x02" + LONGS[len(data_2 := value_1.encode())] + data_2,
            b"\x00" if value_3 is None else b"\x02" + LONGS[len(data_4 := value_3.encode())] + data_4,
            b"\x00" if value_5 is None else b"\x02" + LONGS[len(data_6 := value_5.encode())] + data_6,
            b"\x00" if value_7 is None else b"\x02" + INTS[value_7],
            b"\x00" if value_8 is None else b"\x02" + INTS[value_8],
            b"\x00" if value_9 is None else b"\x02" + LONGS[len(data_10 := value_9.encode())] + data_10,
            b"\x00" if value_11 is None else b"\x02" + LONGS[len(data_12 := value_11.encode())] + data_12,
            b"\x00" if value_13 is None else b"\x02" + _BOOLEAN_BYTES[value_13],
            b"\x00" if value_14 is None else b"\x02" + INTS[value_14],
            b"\x00" if value_15 is None else b"\x02" + LONGS[len(data_16 := value_15.encode())] + data_16,
            b"\x00" if value_17 is None else b"\x02" + LONGS[len(data_18 := value_17.encode())] + data_18,
        )
    )

READERS: dict[type, Callable[[bytes, int], Any]] = {
    records.AccessLogged: read_access_logged,
    records.AnnotationValidated: read_annotation_validated,
    records.AnnotatorJudged: read_annotator_judged,
    records.DeskChanged: read_desk_changed,
    records.DriftDetected: read_drift_detected,
    records.DriftState: read_drift_state,
    records.DriftWords: read_drift_words,
    records.EntitiesCoded: read_entities_coded,
    records.EntitiesExtracted: read_entities_extracted,
    records.FhirDocumentMade: read_fhir_document_made,
    records.ModelCommand: read_model_command,
    records.ModelEvent: read_model_event,
    records.NoteAccepted: read_note_accepted,
    records.NoteSubmitted: read_note_submitted,
    records.QualityMeasured: read_quality_measured,
    records.ReviewRequested: read_review_requested,
    records.StatisticsObserved: read_statistics_observed,
    records.WebhookDelivery: read_webhook_delivery,
}

RESOLVED: dict[type, Callable[[dict[str, Any]], Any]] = {
    records.AccessLogged: resolved_access_logged,
    records.AnnotationValidated: resolved_annotation_validated,
    records.AnnotatorJudged: resolved_annotator_judged,
    records.DeskChanged: resolved_desk_changed,
    records.DriftDetected: resolved_drift_detected,
    records.DriftState: resolved_drift_state,
    records.DriftWords: resolved_drift_words,
    records.EntitiesCoded: resolved_entities_coded,
    records.EntitiesExtracted: resolved_entities_extracted,
    records.FhirDocumentMade: resolved_fhir_document_made,
    records.ModelCommand: resolved_model_command,
    records.ModelEvent: resolved_model_event,
    records.NoteAccepted: resolved_note_accepted,
    records.NoteSubmitted: resolved_note_submitted,
    records.QualityMeasured: resolved_quality_measured,
    records.ReviewRequested: resolved_review_requested,
    records.StatisticsObserved: resolved_statistics_observed,
    records.WebhookDelivery: resolved_webhook_delivery,
}

WRITERS: dict[type, Callable[[Any, bytes], bytes]] = {
    records.AccessLogged: write_access_logged,
    records.AnnotationValidated: write_annotation_validated,
    records.AnnotatorJudged: write_annotator_judged,
    records.DeskChanged: write_desk_changed,
    records.DriftDetected: write_drift_detected,
    records.DriftState: write_drift_state,
    records.DriftWords: write_drift_words,
    records.EntitiesCoded: write_entities_coded,
    records.EntitiesExtracted: write_entities_extracted,
    records.FhirDocumentMade: write_fhir_document_made,
    records.ModelCommand: write_model_command,
    records.ModelEvent: write_model_event,
    records.NoteAccepted: write_note_accepted,
    records.NoteSubmitted: write_note_submitted,
    records.QualityMeasured: write_quality_measured,
    records.ReviewRequested: write_review_requested,
    records.StatisticsObserved: write_statistics_observed,
    records.WebhookDelivery: write_webhook_delivery,
}
