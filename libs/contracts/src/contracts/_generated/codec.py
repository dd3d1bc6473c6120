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

_ACCESSACTION = {0: records.AccessAction.UNKNOWN, 2: records.AccessAction.REVIEW, 4: records.AccessAction.LOOK, 6: records.AccessAction.EXAMPLES}
_ACCESSACTION_BYTES = {records.AccessAction.UNKNOWN: b'\x00', records.AccessAction.REVIEW: b'\x02', records.AccessAction.LOOK: b'\x04', records.AccessAction.EXAMPLES: b'\x06'}
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

_SAMPLE = {0: records.Sample.UNCERTAIN, 2: records.Sample.AUDIT, 4: records.Sample.DRIFT, 6: records.Sample.IMPORTED}
_SAMPLE_BYTES = {records.Sample.UNCERTAIN: b'\x00', records.Sample.AUDIT: b'\x02', records.Sample.DRIFT: b'\x04', records.Sample.IMPORTED: b'\x06'}
_SAMPLE_NAMES: dict[str, Any] = {member: member for member in records.Sample}

_ANNOTATIONOUTCOME = {0: records.AnnotationOutcome.UNKNOWN, 2: records.AnnotationOutcome.ACCEPTED, 4: records.AnnotationOutcome.CORRECTED, 6: records.AnnotationOutcome.UNREADABLE, 8: records.AnnotationOutcome.SKIPPED, 10: records.AnnotationOutcome.ADJUDICATED}
_ANNOTATIONOUTCOME_BYTES = {records.AnnotationOutcome.UNKNOWN: b'\x00', records.AnnotationOutcome.ACCEPTED: b'\x02', records.AnnotationOutcome.CORRECTED: b'\x04', records.AnnotationOutcome.UNREADABLE: b'\x06', records.AnnotationOutcome.SKIPPED: b'\x08', records.AnnotationOutcome.ADJUDICATED: b'\n'}
_ANNOTATIONOUTCOME_NAMES: dict[str, Any] = {member: member for member in records.AnnotationOutcome}

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

_MODELEVENTKIND = {0: records.ModelEventKind.UNKNOWN, 2: records.ModelEventKind.MODEL_TRAINED, 4: records.ModelEventKind.PROMOTED, 6: records.ModelEventKind.REJECTED, 8: records.ModelEventKind.ROLLED_BACK, 10: records.ModelEventKind.TRAINING_DEFERRED, 12: records.ModelEventKind.TRAINING_FAILED, 14: records.ModelEventKind.MERGED_INTO}
_MODELEVENTKIND_BYTES = {records.ModelEventKind.UNKNOWN: b'\x00', records.ModelEventKind.MODEL_TRAINED: b'\x02', records.ModelEventKind.PROMOTED: b'\x04', records.ModelEventKind.REJECTED: b'\x06', records.ModelEventKind.ROLLED_BACK: b'\x08', records.ModelEventKind.TRAINING_DEFERRED: b'\n', records.ModelEventKind.TRAINING_FAILED: b'\x0c', records.ModelEventKind.MERGED_INTO: b'\x0e'}
_MODELEVENTKIND_NAMES: dict[str, Any] = {member: member for member in records.ModelEventKind}


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


def resolved_entity(d: dict[str, Any]) -> records.Entity:
    r: Any = _new(twins.Entity)
    r.entity_id = d["entity_id"]
    r.label = _ENTITYLABEL_NAMES[d["label"]]
    r.text = d["text"]
    r.start = d["start"]
    r.end = d["end"]
    r.confidence = d["confidence"]
    r.__class__ = records.Entity
    return r


def resolved_treatment_pair(d: dict[str, Any]) -> records.TreatmentPair:
    r: Any = _new(twins.TreatmentPair)
    r.treatment_id = d["treatment_id"]
    r.disease_id = d["disease_id"]
    r.__class__ = records.TreatmentPair
    return r


def resolved_annotation_changes(d: dict[str, Any]) -> records.AnnotationChanges:
    r: Any = _new(twins.AnnotationChanges)
    r.kept = d["kept"]
    r.added = d["added"]
    r.removed = d["removed"]
    r.moved = d["moved"]
    r.relabelled = d["relabelled"]
    r.__class__ = records.AnnotationChanges
    return r


def resolved_annotation_validated(d: dict[str, Any]) -> records.AnnotationValidated:
    r: Any = _new(twins.AnnotationValidated)
    r.annotation_id = d["annotation_id"]
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
    r.predicted_entities = tuple([resolved_entity(item) for item in d["predicted_entities"]])
    r.predicted_pairs = tuple([resolved_treatment_pair(item) for item in d["predicted_pairs"]])
    r.entities = tuple([resolved_entity(item) for item in d["entities"]])
    r.treatment_pairs = tuple([resolved_treatment_pair(item) for item in d["treatment_pairs"]])
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
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.purpose = d["purpose"]
    r.consent_artefact_id = d["consent_artefact_id"]
    r.encryption_key_id = d["encryption_key_id"]
    r.__class__ = records.AnnotationValidated
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
    r.__class__ = records.DriftWords
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
    r.note_id = d["note_id"]
    r.revision = d["revision"]
    r.origin = _ORIGIN_NAMES[d["origin"]]
    r.model = resolved_model_ref(d["model"])
    r.segment = resolved_segment(d["segment"])
    r.written_at = d["written_at"]
    r.accepted_at = d["accepted_at"]
    r.extracted_at = d["extracted_at"]
    r.note_confidence = d["note_confidence"]
    r.entities = tuple([resolved_entity(item) for item in d["entities"]])
    r.treatment_pairs = tuple([resolved_treatment_pair(item) for item in d["treatment_pairs"]])
    r.review = resolved_review(d["review"])
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.purpose = d["purpose"]
    r.consent_artefact_id = d["consent_artefact_id"]
    r.encryption_key_id = d["encryption_key_id"]
    r.__class__ = records.EntitiesExtracted
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
    r.__class__ = records.ModelEvent
    return r


def resolved_note_accepted(d: dict[str, Any]) -> records.NoteAccepted:
    r: Any = _new(twins.NoteAccepted)
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
    r.producer = d["producer"]
    r.pseudonym_key_id = d["pseudonym_key_id"]
    r.purpose = d["purpose"]
    r.consent_artefact_id = d["consent_artefact_id"]
    r.encryption_key_id = d["encryption_key_id"]
    r.__class__ = records.NoteAccepted
    return r


def resolved_note_submitted(d: dict[str, Any]) -> records.NoteSubmitted:
    r: Any = _new(twins.NoteSubmitted)
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
    r.measured_at = d["measured_at"]
    r.__class__ = records.QualityMeasured
    return r


def resolved_review_requested(d: dict[str, Any]) -> records.ReviewRequested:
    r: Any = _new(twins.ReviewRequested)
    r.note_id = d["note_id"]
    r.revision = d["revision"]
    r.event_id = d["event_id"]
    r.origin = _ORIGIN_NAMES[d["origin"]]
    r.text = d["text"]
    r.segment = resolved_segment(d["segment"])
    r.model = resolved_model_ref(d["model"])
    r.entities = tuple([resolved_entity(item) for item in d["entities"]])
    r.treatment_pairs = tuple([resolved_treatment_pair(item) for item in d["treatment_pairs"]])
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
    out += (b"\x00", LONGS[r.at],)
    value_8 = r.pseudonym_key_id
    if value_8 is None:
        out.append(b"\x00")
    else:
        data_9 = value_8.encode()
        out += (b"\x02", LONGS[len(data_9)], data_9,)
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
            entity_13.__class__ = records.Entity
            item_10 = entity_13
            items_9.append(item_10)
        number_16 = SHORT_LONGS[b[i]]
        if number_16 is None:
            count_11, i = read_long(b, i)
        else:
            count_11 = number_16
            i += 1
    record.predicted_entities = tuple(items_9)
    items_17: list[Any] = []
    number_20 = SHORT_LONGS[b[i]]
    if number_20 is None:
        count_19, i = read_long(b, i)
    else:
        count_19 = number_20
        i += 1
    while count_19:
        if count_19 < 0:
            count_19 = -count_19
            _, i = read_length(b, i)
        for _ in range(count_19):
            treatment_pair_21: Any = _new(twins.TreatmentPair)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            treatment_pair_21.treatment_id = b[i : (i := i + n)].decode()
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            treatment_pair_21.disease_id = b[i : (i := i + n)].decode()
            treatment_pair_21.__class__ = records.TreatmentPair
            item_18 = treatment_pair_21
            items_17.append(item_18)
        number_22 = SHORT_LONGS[b[i]]
        if number_22 is None:
            count_19, i = read_long(b, i)
        else:
            count_19 = number_22
            i += 1
    record.predicted_pairs = tuple(items_17)
    items_23: list[Any] = []
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
            entity_27: Any = _new(twins.Entity)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_27.entity_id = b[i : (i := i + n)].decode()
            entity_27.label = _ENTITYLABEL[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_27.text = b[i : (i := i + n)].decode()
            number_28 = SHORT_LONGS[b[i]]
            if number_28 is None:
                entity_27.start, i = read_int(b, i)
            else:
                entity_27.start = number_28
                i += 1
            number_29 = SHORT_LONGS[b[i]]
            if number_29 is None:
                entity_27.end, i = read_int(b, i)
            else:
                entity_27.end = number_29
                i += 1
            (entity_27.confidence,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            entity_27.__class__ = records.Entity
            item_24 = entity_27
            items_23.append(item_24)
        number_30 = SHORT_LONGS[b[i]]
        if number_30 is None:
            count_25, i = read_long(b, i)
        else:
            count_25 = number_30
            i += 1
    record.entities = tuple(items_23)
    items_31: list[Any] = []
    number_34 = SHORT_LONGS[b[i]]
    if number_34 is None:
        count_33, i = read_long(b, i)
    else:
        count_33 = number_34
        i += 1
    while count_33:
        if count_33 < 0:
            count_33 = -count_33
            _, i = read_length(b, i)
        for _ in range(count_33):
            treatment_pair_35: Any = _new(twins.TreatmentPair)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            treatment_pair_35.treatment_id = b[i : (i := i + n)].decode()
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            treatment_pair_35.disease_id = b[i : (i := i + n)].decode()
            treatment_pair_35.__class__ = records.TreatmentPair
            item_32 = treatment_pair_35
            items_31.append(item_32)
        number_36 = SHORT_LONGS[b[i]]
        if number_36 is None:
            count_33, i = read_long(b, i)
        else:
            count_33 = number_36
            i += 1
    record.treatment_pairs = tuple(items_31)
    record.sample = _SAMPLE[b[i]]
    i += 1
    branch_37 = b[i]
    i += 1
    if branch_37 == 2:
        (record.inclusion_probability,) = _DOUBLES_1.unpack_from(b, i)
        i += 8
    elif branch_37 == 0:
        record.inclusion_probability = None
    else:
        raise ValueError("no such branch")
    record.predictions_shown = _BOOLEANS[b[i]]
    i += 1
    record.outcome = _ANNOTATIONOUTCOME[b[i]]
    i += 1
    annotation_changes_38: Any = _new(twins.AnnotationChanges)
    number_39 = SHORT_LONGS[b[i]]
    if number_39 is None:
        annotation_changes_38.kept, i = read_int(b, i)
    else:
        annotation_changes_38.kept = number_39
        i += 1
    number_40 = SHORT_LONGS[b[i]]
    if number_40 is None:
        annotation_changes_38.added, i = read_int(b, i)
    else:
        annotation_changes_38.added = number_40
        i += 1
    number_41 = SHORT_LONGS[b[i]]
    if number_41 is None:
        annotation_changes_38.removed, i = read_int(b, i)
    else:
        annotation_changes_38.removed = number_41
        i += 1
    number_42 = SHORT_LONGS[b[i]]
    if number_42 is None:
        annotation_changes_38.moved, i = read_int(b, i)
    else:
        annotation_changes_38.moved = number_42
        i += 1
    number_43 = SHORT_LONGS[b[i]]
    if number_43 is None:
        annotation_changes_38.relabelled, i = read_int(b, i)
    else:
        annotation_changes_38.relabelled = number_43
        i += 1
    annotation_changes_38.__class__ = records.AnnotationChanges
    record.changes = annotation_changes_38
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.annotator = b[i : (i := i + n)].decode()
    number_44 = SHORT_LONGS[b[i]]
    if number_44 is None:
        record.sequence, i = read_int(b, i)
    else:
        record.sequence = number_44
        i += 1
    (record.seconds_spent,) = _DOUBLES_1.unpack_from(b, i)
    i += 8
    number_45 = SHORT_LONGS[b[i]]
    if number_45 is None:
        record.annotated_at, i = read_long(b, i)
    else:
        record.annotated_at = number_45
        i += 1
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
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            item_47 = b[i : (i := i + n)].decode()
            items_46.append(item_47)
        number_50 = SHORT_LONGS[b[i]]
        if number_50 is None:
            count_48, i = read_long(b, i)
        else:
            count_48 = number_50
            i += 1
    record.supersedes = tuple(items_46)
    branch_51 = b[i]
    i += 1
    if branch_51 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.dataset_digest = b[i : (i := i + n)].decode()
    elif branch_51 == 0:
        record.dataset_digest = None
    else:
        raise ValueError("no such branch")
    branch_52 = b[i]
    i += 1
    if branch_52 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_52 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    branch_53 = b[i]
    i += 1
    if branch_53 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.purpose = b[i : (i := i + n)].decode()
    elif branch_53 == 0:
        record.purpose = None
    else:
        raise ValueError("no such branch")
    branch_54 = b[i]
    i += 1
    if branch_54 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.consent_artefact_id = b[i : (i := i + n)].decode()
    elif branch_54 == 0:
        record.consent_artefact_id = None
    else:
        raise ValueError("no such branch")
    branch_55 = b[i]
    i += 1
    if branch_55 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_55 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.AnnotationValidated
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_annotation_validated(r: records.AnnotationValidated, header: bytes) -> bytes:
    data_1 = r.annotation_id.encode()
    data_2 = r.note_id.encode()
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_2)], data_2, INTS[r.revision]]
    value_3 = r.event_id
    if value_3 is None:
        out.append(b"\x00")
    else:
        data_4 = value_3.encode()
        out += (b"\x02", LONGS[len(data_4)], data_4,)
    value_5 = r.origin
    if value_5 is None:
        out.append(b"\x00")
    else:
        out += (b"\x02", _ORIGIN_BYTES[value_5],)
    data_6 = r.text.encode()
    data_7 = r.language.encode()
    segment_8 = r.segment
    data_9 = segment_8.city.encode()
    data_10 = segment_8.specialty.encode()
    data_11 = r.patient_ref.encode()
    data_12 = r.doctor_ref.encode()
    out += (LONGS[len(data_6)], data_6, LONGS[len(data_7)], data_7, LONGS[len(data_9)], data_9, LONGS[len(data_10)], data_10, LONGS[len(data_11)], data_11, LONGS[len(data_12)], data_12, LONGS[r.written_at],)
    value_13 = r.model
    if value_13 is None:
        out.append(b"\x00")
    else:
        model_ref_14 = value_13
        data_15 = model_ref_14.name.encode()
        data_16 = model_ref_14.version.encode()
        out += (b"\x02", LONGS[len(data_15)], data_15, LONGS[len(data_16)], data_16, LONGS[model_ref_14.serial],)
    items_17 = r.predicted_entities
    if items_17:
        out.append(LONGS[len(items_17)])
        for item_18 in items_17:
            entity_19 = item_18
            data_20 = entity_19.entity_id.encode()
            data_21 = entity_19.text.encode()
            out += (LONGS[len(data_20)], data_20, _ENTITYLABEL_BYTES[entity_19.label], LONGS[len(data_21)], data_21, INTS[entity_19.start], INTS[entity_19.end], _DOUBLES_1.pack(entity_19.confidence),)
    out += (b"\x00",)
    items_22 = r.predicted_pairs
    if items_22:
        out.append(LONGS[len(items_22)])
        for item_23 in items_22:
            treatment_pair_24 = item_23
            data_25 = treatment_pair_24.treatment_id.encode()
            data_26 = treatment_pair_24.disease_id.encode()
            out += (LONGS[len(data_25)], data_25, LONGS[len(data_26)], data_26,)
    out += (b"\x00",)
    items_27 = r.entities
    if items_27:
        out.append(LONGS[len(items_27)])
        for item_28 in items_27:
            entity_29 = item_28
            data_30 = entity_29.entity_id.encode()
            data_31 = entity_29.text.encode()
            out += (LONGS[len(data_30)], data_30, _ENTITYLABEL_BYTES[entity_29.label], LONGS[len(data_31)], data_31, INTS[entity_29.start], INTS[entity_29.end], _DOUBLES_1.pack(entity_29.confidence),)
    out += (b"\x00",)
    items_32 = r.treatment_pairs
    if items_32:
        out.append(LONGS[len(items_32)])
        for item_33 in items_32:
            treatment_pair_34 = item_33
            data_35 = treatment_pair_34.treatment_id.encode()
            data_36 = treatment_pair_34.disease_id.encode()
            out += (LONGS[len(data_35)], data_35, LONGS[len(data_36)], data_36,)
    out += (b"\x00", _SAMPLE_BYTES[r.sample],)
    value_37 = r.inclusion_probability
    if value_37 is None:
        out.append(b"\x00")
    else:
        out += (b"\x02", _DOUBLES_1.pack(value_37),)
    annotation_changes_38 = r.changes
    data_39 = r.annotator.encode()
    out += (_BOOLEAN_BYTES[r.predictions_shown], _ANNOTATIONOUTCOME_BYTES[r.outcome], INTS[annotation_changes_38.kept], INTS[annotation_changes_38.added], INTS[annotation_changes_38.removed], INTS[annotation_changes_38.moved], INTS[annotation_changes_38.relabelled], LONGS[len(data_39)], data_39, INTS[r.sequence], _DOUBLES_1.pack(r.seconds_spent), LONGS[r.annotated_at],)
    items_40 = r.supersedes
    if items_40:
        out.append(LONGS[len(items_40)])
        for item_41 in items_40:
            data_42 = item_41.encode()
            out += (LONGS[len(data_42)], data_42,)
    out += (b"\x00",)
    value_43 = r.dataset_digest
    if value_43 is None:
        out.append(b"\x00")
    else:
        data_44 = value_43.encode()
        out += (b"\x02", LONGS[len(data_44)], data_44,)
    value_45 = r.pseudonym_key_id
    if value_45 is None:
        out.append(b"\x00")
    else:
        data_46 = value_45.encode()
        out += (b"\x02", LONGS[len(data_46)], data_46,)
    value_47 = r.purpose
    if value_47 is None:
        out.append(b"\x00")
    else:
        data_48 = value_47.encode()
        out += (b"\x02", LONGS[len(data_48)], data_48,)
    value_49 = r.consent_artefact_id
    if value_49 is None:
        out.append(b"\x00")
    else:
        data_50 = value_49.encode()
        out += (b"\x02", LONGS[len(data_50)], data_50,)
    value_51 = r.encryption_key_id
    if value_51 is None:
        out.append(b"\x00")
    else:
        data_52 = value_51.encode()
        out += (b"\x02", LONGS[len(data_52)], data_52,)
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
    out += (b"\x00", LONGS[len(data_7)], data_7, LONGS[len(data_9)], data_9, LONGS[len(data_10)], data_10, LONGS[model_ref_8.serial], INTS[r.source_partition], LONGS[r.source_offset], LONGS[r.detected_at],)
    value_11 = r.began_at
    if value_11 is None:
        out.append(b"\x00")
    else:
        out += (b"\x02", LONGS[value_11],)
    value_12 = r.pseudonym_key_id
    if value_12 is None:
        out.append(b"\x00")
    else:
        data_13 = value_12.encode()
        out += (b"\x02", LONGS[len(data_13)], data_13,)
    value_14 = r.purpose
    if value_14 is None:
        out.append(b"\x00")
    else:
        data_15 = value_14.encode()
        out += (b"\x02", LONGS[len(data_15)], data_15,)
    value_16 = r.consent_artefact_id
    if value_16 is None:
        out.append(b"\x00")
    else:
        data_17 = value_16.encode()
        out += (b"\x02", LONGS[len(data_17)], data_17,)
    value_18 = r.encryption_key_id
    if value_18 is None:
        out.append(b"\x00")
    else:
        data_19 = value_18.encode()
        out += (b"\x02", LONGS[len(data_19)], data_19,)
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
    out += (b"\x00", LONGS[r.observed_from], LONGS[r.observed_to],)
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
    number_5 = SHORT_LONGS[b[i]]
    if number_5 is None:
        record.written_at, i = read_long(b, i)
    else:
        record.written_at = number_5
        i += 1
    number_6 = SHORT_LONGS[b[i]]
    if number_6 is None:
        record.accepted_at, i = read_long(b, i)
    else:
        record.accepted_at = number_6
        i += 1
    number_7 = SHORT_LONGS[b[i]]
    if number_7 is None:
        record.extracted_at, i = read_long(b, i)
    else:
        record.extracted_at = number_7
        i += 1
    (record.note_confidence,) = _DOUBLES_1.unpack_from(b, i)
    i += 8
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
            entity_12: Any = _new(twins.Entity)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_12.entity_id = b[i : (i := i + n)].decode()
            entity_12.label = _ENTITYLABEL[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_12.text = b[i : (i := i + n)].decode()
            number_13 = SHORT_LONGS[b[i]]
            if number_13 is None:
                entity_12.start, i = read_int(b, i)
            else:
                entity_12.start = number_13
                i += 1
            number_14 = SHORT_LONGS[b[i]]
            if number_14 is None:
                entity_12.end, i = read_int(b, i)
            else:
                entity_12.end = number_14
                i += 1
            (entity_12.confidence,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            entity_12.__class__ = records.Entity
            item_9 = entity_12
            items_8.append(item_9)
        number_15 = SHORT_LONGS[b[i]]
        if number_15 is None:
            count_10, i = read_long(b, i)
        else:
            count_10 = number_15
            i += 1
    record.entities = tuple(items_8)
    items_16: list[Any] = []
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
            treatment_pair_20: Any = _new(twins.TreatmentPair)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            treatment_pair_20.treatment_id = b[i : (i := i + n)].decode()
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            treatment_pair_20.disease_id = b[i : (i := i + n)].decode()
            treatment_pair_20.__class__ = records.TreatmentPair
            item_17 = treatment_pair_20
            items_16.append(item_17)
        number_21 = SHORT_LONGS[b[i]]
        if number_21 is None:
            count_18, i = read_long(b, i)
        else:
            count_18 = number_21
            i += 1
    record.treatment_pairs = tuple(items_16)
    review_22: Any = _new(twins.Review)
    review_22.requested = _BOOLEANS[b[i]]
    i += 1
    review_22.reason = _REVIEWREASON[b[i]]
    i += 1
    branch_23 = b[i]
    i += 1
    if branch_23 == 2:
        (review_22.inclusion_probability,) = _DOUBLES_1.unpack_from(b, i)
        i += 8
    elif branch_23 == 0:
        review_22.inclusion_probability = None
    else:
        raise ValueError("no such branch")
    review_22.__class__ = records.Review
    record.review = review_22
    branch_24 = b[i]
    i += 1
    if branch_24 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_24 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    branch_25 = b[i]
    i += 1
    if branch_25 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.purpose = b[i : (i := i + n)].decode()
    elif branch_25 == 0:
        record.purpose = None
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
        record.consent_artefact_id = b[i : (i := i + n)].decode()
    elif branch_26 == 0:
        record.consent_artefact_id = None
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
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_27 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.EntitiesExtracted
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_entities_extracted(r: records.EntitiesExtracted, header: bytes) -> bytes:
    data_1 = r.event_id.encode()
    data_2 = r.note_id.encode()
    model_ref_3 = r.model
    data_4 = model_ref_3.name.encode()
    data_5 = model_ref_3.version.encode()
    segment_6 = r.segment
    data_7 = segment_6.city.encode()
    data_8 = segment_6.specialty.encode()
    out = [header, LONGS[len(data_1)], data_1, LONGS[len(data_2)], data_2, INTS[r.revision], _ORIGIN_BYTES[r.origin], LONGS[len(data_4)], data_4, LONGS[len(data_5)], data_5, LONGS[model_ref_3.serial], LONGS[len(data_7)], data_7, LONGS[len(data_8)], data_8, LONGS[r.written_at], LONGS[r.accepted_at], LONGS[r.extracted_at], _DOUBLES_1.pack(r.note_confidence)]
    items_9 = r.entities
    if items_9:
        out.append(LONGS[len(items_9)])
        for item_10 in items_9:
            entity_11 = item_10
            data_12 = entity_11.entity_id.encode()
            data_13 = entity_11.text.encode()
            out += (LONGS[len(data_12)], data_12, _ENTITYLABEL_BYTES[entity_11.label], LONGS[len(data_13)], data_13, INTS[entity_11.start], INTS[entity_11.end], _DOUBLES_1.pack(entity_11.confidence),)
    out += (b"\x00",)
    items_14 = r.treatment_pairs
    if items_14:
        out.append(LONGS[len(items_14)])
        for item_15 in items_14:
            treatment_pair_16 = item_15
            data_17 = treatment_pair_16.treatment_id.encode()
            data_18 = treatment_pair_16.disease_id.encode()
            out += (LONGS[len(data_17)], data_17, LONGS[len(data_18)], data_18,)
    review_19 = r.review
    out += (b"\x00", _BOOLEAN_BYTES[review_19.requested], _REVIEWREASON_BYTES[review_19.reason],)
    value_20 = review_19.inclusion_probability
    if value_20 is None:
        out.append(b"\x00")
    else:
        out += (b"\x02", _DOUBLES_1.pack(value_20),)
    value_21 = r.pseudonym_key_id
    if value_21 is None:
        out.append(b"\x00")
    else:
        data_22 = value_21.encode()
        out += (b"\x02", LONGS[len(data_22)], data_22,)
    value_23 = r.purpose
    if value_23 is None:
        out.append(b"\x00")
    else:
        data_24 = value_23.encode()
        out += (b"\x02", LONGS[len(data_24)], data_24,)
    value_25 = r.consent_artefact_id
    if value_25 is None:
        out.append(b"\x00")
    else:
        data_26 = value_25.encode()
        out += (b"\x02", LONGS[len(data_26)], data_26,)
    value_27 = r.encryption_key_id
    if value_27 is None:
        out.append(b"\x00")
    else:
        data_28 = value_27.encode()
        out += (b"\x02", LONGS[len(data_28)], data_28,)
    return b"".join(out)


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
    out = [header, LONGS[len(data_1)], data_1, _MODELACTION_BYTES[r.action], LONGS[len(data_2)], data_2, LONGS[len(data_3)], data_3]
    value_4 = r.target_version
    if value_4 is None:
        out.append(b"\x00")
    else:
        data_5 = value_4.encode()
        out += (b"\x02", LONGS[len(data_5)], data_5,)
    value_6 = r.champion_version
    if value_6 is None:
        out.append(b"\x00")
    else:
        data_7 = value_6.encode()
        out += (b"\x02", LONGS[len(data_7)], data_7,)
    data_8 = r.requested_by.encode()
    out += (LONGS[len(data_8)], data_8, LONGS[r.requested_at],)
    value_9 = r.segment
    if value_9 is None:
        out.append(b"\x00")
    else:
        data_10 = value_9.encode()
        out += (b"\x02", LONGS[len(data_10)], data_10,)
    return b"".join(out)


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
    record.__class__ = records.ModelEvent
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_model_event(r: records.ModelEvent, header: bytes) -> bytes:
    data_1 = r.event_id.encode()
    data_2 = r.model_name.encode()
    out = [header, LONGS[len(data_1)], data_1, _MODELEVENTKIND_BYTES[r.kind], LONGS[len(data_2)], data_2]
    value_3 = r.model_version
    if value_3 is None:
        out.append(b"\x00")
    else:
        data_4 = value_3.encode()
        out += (b"\x02", LONGS[len(data_4)], data_4,)
    value_5 = r.serial
    if value_5 is None:
        out.append(b"\x00")
    else:
        out += (b"\x02", LONGS[value_5],)
    value_6 = r.previous_version
    if value_6 is None:
        out.append(b"\x00")
    else:
        data_7 = value_6.encode()
        out += (b"\x02", LONGS[len(data_7)], data_7,)
    value_8 = r.artifact_sha256
    if value_8 is None:
        out.append(b"\x00")
    else:
        data_9 = value_8.encode()
        out += (b"\x02", LONGS[len(data_9)], data_9,)
    value_10 = r.command_id
    if value_10 is None:
        out.append(b"\x00")
    else:
        data_11 = value_10.encode()
        out += (b"\x02", LONGS[len(data_11)], data_11,)
    items_12 = r.reasons
    if items_12:
        out.append(LONGS[len(items_12)])
        for item_13 in items_12:
            data_14 = item_13.encode()
            out += (LONGS[len(data_14)], data_14,)
    out += (b"\x00",)
    value_15 = r.missing_labels
    if value_15 is None:
        out.append(b"\x00")
    else:
        out += (b"\x02", INTS[value_15],)
    out += (LONGS[r.occurred_at],)
    entries_16 = r.metrics
    if entries_16:
        out.append(LONGS[len(entries_16)])
        for key_17, item_18 in entries_16.items():
            data_19 = key_17.encode()
            out += (LONGS[len(data_19)], data_19, _DOUBLES_1.pack(item_18),)
    out += (b"\x00",)
    value_20 = r.merged_into
    if value_20 is None:
        out.append(b"\x00")
    else:
        data_21 = value_20.encode()
        out += (b"\x02", LONGS[len(data_21)], data_21,)
    entries_22 = r.taught_by
    if entries_22:
        out.append(LONGS[len(entries_22)])
        for key_23, item_24 in entries_22.items():
            data_25 = key_23.encode()
            out += (LONGS[len(data_25)], data_25, INTS[item_24],)
    out += (b"\x00",)
    return b"".join(out)


def read_note_accepted(b: bytes, i: int) -> records.NoteAccepted:
    record: Any = _new(twins.NoteAccepted)
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
    n = SHORT_LENGTHS[b[i]]
    if n < 0:
        n, i = read_length(b, i)
    else:
        i += 1
    record.producer = b[i : (i := i + n)].decode()
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
    record.__class__ = records.NoteAccepted
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_note_accepted(r: records.NoteAccepted, header: bytes) -> bytes:
    data_1 = r.note_id.encode()
    data_2 = r.prescription_ref.encode()
    data_3 = r.patient_ref.encode()
    data_4 = r.doctor_ref.encode()
    data_5 = r.city.encode()
    data_6 = r.specialty.encode()
    data_7 = r.text.encode()
    data_8 = r.language.encode()
    data_9 = r.producer.encode()
    out = [header, LONGS[len(data_1)], data_1, INTS[r.revision], LONGS[len(data_2)], data_2, LONGS[len(data_3)], data_3, LONGS[len(data_4)], data_4, LONGS[len(data_5)], data_5, LONGS[len(data_6)], data_6, LONGS[r.written_at], LONGS[len(data_7)], data_7, LONGS[len(data_8)], data_8, _ORIGIN_BYTES[r.origin], LONGS[r.accepted_at], LONGS[len(data_9)], data_9]
    value_10 = r.pseudonym_key_id
    if value_10 is None:
        out.append(b"\x00")
    else:
        data_11 = value_10.encode()
        out += (b"\x02", LONGS[len(data_11)], data_11,)
    value_12 = r.purpose
    if value_12 is None:
        out.append(b"\x00")
    else:
        data_13 = value_12.encode()
        out += (b"\x02", LONGS[len(data_13)], data_13,)
    value_14 = r.consent_artefact_id
    if value_14 is None:
        out.append(b"\x00")
    else:
        data_15 = value_14.encode()
        out += (b"\x02", LONGS[len(data_15)], data_15,)
    value_16 = r.encryption_key_id
    if value_16 is None:
        out.append(b"\x00")
    else:
        data_17 = value_16.encode()
        out += (b"\x02", LONGS[len(data_17)], data_17,)
    return b"".join(out)


def read_note_submitted(b: bytes, i: int) -> records.NoteSubmitted:
    record: Any = _new(twins.NoteSubmitted)
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
    record.__class__ = records.NoteSubmitted
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_note_submitted(r: records.NoteSubmitted, header: bytes) -> bytes:
    data_1 = r.note_id.encode()
    data_2 = r.prescription_id.encode()
    data_3 = r.patient_ref.encode()
    data_4 = r.doctor_ref.encode()
    data_5 = r.city.encode()
    data_6 = r.specialty.encode()
    data_7 = r.text.encode()
    data_8 = r.language.encode()
    out = [header, LONGS[len(data_1)], data_1, INTS[r.revision], LONGS[len(data_2)], data_2, LONGS[len(data_3)], data_3, LONGS[len(data_4)], data_4, LONGS[len(data_5)], data_5, LONGS[len(data_6)], data_6, LONGS[r.written_at], LONGS[len(data_7)], data_7, LONGS[len(data_8)], data_8, _ORIGIN_BYTES[r.origin]]
    value_9 = r.pseudonym_key_id
    if value_9 is None:
        out.append(b"\x00")
    else:
        data_10 = value_9.encode()
        out += (b"\x02", LONGS[len(data_10)], data_10,)
    value_11 = r.purpose
    if value_11 is None:
        out.append(b"\x00")
    else:
        data_12 = value_11.encode()
        out += (b"\x02", LONGS[len(data_12)], data_12,)
    value_13 = r.consent_artefact_id
    if value_13 is None:
        out.append(b"\x00")
    else:
        data_14 = value_13.encode()
        out += (b"\x02", LONGS[len(data_14)], data_14,)
    value_15 = r.encryption_key_id
    if value_15 is None:
        out.append(b"\x00")
    else:
        data_16 = value_15.encode()
        out += (b"\x02", LONGS[len(data_16)], data_16,)
    return b"".join(out)


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
    number_19 = SHORT_LONGS[b[i]]
    if number_19 is None:
        record.measured_at, i = read_long(b, i)
    else:
        record.measured_at = number_19
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
            out += (LONGS[len(data_9)], data_9, _DOUBLES_5.pack(label_quality_8.precision, label_quality_8.recall, label_quality_8.f1, label_quality_8.f1_low, label_quality_8.f1_high), INTS[label_quality_8.support],)
            value_10 = label_quality_8.precision_low
            if value_10 is None:
                out.append(b"\x00")
            else:
                out += (b"\x02", _DOUBLES_1.pack(value_10),)
            value_11 = label_quality_8.precision_high
            if value_11 is None:
                out.append(b"\x00")
            else:
                out += (b"\x02", _DOUBLES_1.pack(value_11),)
            value_12 = label_quality_8.recall_low
            if value_12 is None:
                out.append(b"\x00")
            else:
                out += (b"\x02", _DOUBLES_1.pack(value_12),)
            value_13 = label_quality_8.recall_high
            if value_13 is None:
                out.append(b"\x00")
            else:
                out += (b"\x02", _DOUBLES_1.pack(value_13),)
    out += (b"\x00",)
    value_14 = r.estimated_f1
    if value_14 is None:
        out.append(b"\x00")
    else:
        out += (b"\x02", _DOUBLES_1.pack(value_14),)
    value_15 = r.prefill_bias
    if value_15 is None:
        out.append(b"\x00")
    else:
        out += (b"\x02", _DOUBLES_1.pack(value_15),)
    out += (LONGS[r.measured_at],)
    return b"".join(out)


def read_review_requested(b: bytes, i: int) -> records.ReviewRequested:
    record: Any = _new(twins.ReviewRequested)
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
    items_5: list[Any] = []
    number_8 = SHORT_LONGS[b[i]]
    if number_8 is None:
        count_7, i = read_long(b, i)
    else:
        count_7 = number_8
        i += 1
    while count_7:
        if count_7 < 0:
            count_7 = -count_7
            _, i = read_length(b, i)
        for _ in range(count_7):
            entity_9: Any = _new(twins.Entity)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_9.entity_id = b[i : (i := i + n)].decode()
            entity_9.label = _ENTITYLABEL[b[i]]
            i += 1
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            entity_9.text = b[i : (i := i + n)].decode()
            number_10 = SHORT_LONGS[b[i]]
            if number_10 is None:
                entity_9.start, i = read_int(b, i)
            else:
                entity_9.start = number_10
                i += 1
            number_11 = SHORT_LONGS[b[i]]
            if number_11 is None:
                entity_9.end, i = read_int(b, i)
            else:
                entity_9.end = number_11
                i += 1
            (entity_9.confidence,) = _DOUBLES_1.unpack_from(b, i)
            i += 8
            entity_9.__class__ = records.Entity
            item_6 = entity_9
            items_5.append(item_6)
        number_12 = SHORT_LONGS[b[i]]
        if number_12 is None:
            count_7, i = read_long(b, i)
        else:
            count_7 = number_12
            i += 1
    record.entities = tuple(items_5)
    items_13: list[Any] = []
    number_16 = SHORT_LONGS[b[i]]
    if number_16 is None:
        count_15, i = read_long(b, i)
    else:
        count_15 = number_16
        i += 1
    while count_15:
        if count_15 < 0:
            count_15 = -count_15
            _, i = read_length(b, i)
        for _ in range(count_15):
            treatment_pair_17: Any = _new(twins.TreatmentPair)
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            treatment_pair_17.treatment_id = b[i : (i := i + n)].decode()
            n = SHORT_LENGTHS[b[i]]
            if n < 0:
                n, i = read_length(b, i)
            else:
                i += 1
            treatment_pair_17.disease_id = b[i : (i := i + n)].decode()
            treatment_pair_17.__class__ = records.TreatmentPair
            item_14 = treatment_pair_17
            items_13.append(item_14)
        number_18 = SHORT_LONGS[b[i]]
        if number_18 is None:
            count_15, i = read_long(b, i)
        else:
            count_15 = number_18
            i += 1
    record.treatment_pairs = tuple(items_13)
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
    number_19 = SHORT_LONGS[b[i]]
    if number_19 is None:
        record.requested_at, i = read_long(b, i)
    else:
        record.requested_at = number_19
        i += 1
    number_20 = SHORT_LONGS[b[i]]
    if number_20 is None:
        record.written_at, i = read_long(b, i)
    else:
        record.written_at = number_20
        i += 1
    branch_21 = b[i]
    i += 1
    if branch_21 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.pseudonym_key_id = b[i : (i := i + n)].decode()
    elif branch_21 == 0:
        record.pseudonym_key_id = None
    else:
        raise ValueError("no such branch")
    branch_22 = b[i]
    i += 1
    if branch_22 == 2:
        n = SHORT_LENGTHS[b[i]]
        if n < 0:
            n, i = read_length(b, i)
        else:
            i += 1
        record.purpose = b[i : (i := i + n)].decode()
    elif branch_22 == 0:
        record.purpose = None
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
        record.consent_artefact_id = b[i : (i := i + n)].decode()
    elif branch_23 == 0:
        record.consent_artefact_id = None
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
        record.encryption_key_id = b[i : (i := i + n)].decode()
    elif branch_24 == 0:
        record.encryption_key_id = None
    else:
        raise ValueError("no such branch")
    record.__class__ = records.ReviewRequested
    if i != len(b):
        raise ValueError("the bytes do not end with the record")
    return record


def write_review_requested(r: records.ReviewRequested, header: bytes) -> bytes:
    data_1 = r.note_id.encode()
    data_2 = r.event_id.encode()
    data_3 = r.text.encode()
    segment_4 = r.segment
    data_5 = segment_4.city.encode()
    data_6 = segment_4.specialty.encode()
    model_ref_7 = r.model
    data_8 = model_ref_7.name.encode()
    data_9 = model_ref_7.version.encode()
    out = [header, LONGS[len(data_1)], data_1, INTS[r.revision], LONGS[len(data_2)], data_2, _ORIGIN_BYTES[r.origin], LONGS[len(data_3)], data_3, LONGS[len(data_5)], data_5, LONGS[len(data_6)], data_6, LONGS[len(data_8)], data_8, LONGS[len(data_9)], data_9, LONGS[model_ref_7.serial]]
    items_10 = r.entities
    if items_10:
        out.append(LONGS[len(items_10)])
        for item_11 in items_10:
            entity_12 = item_11
            data_13 = entity_12.entity_id.encode()
            data_14 = entity_12.text.encode()
            out += (LONGS[len(data_13)], data_13, _ENTITYLABEL_BYTES[entity_12.label], LONGS[len(data_14)], data_14, INTS[entity_12.start], INTS[entity_12.end], _DOUBLES_1.pack(entity_12.confidence),)
    out += (b"\x00",)
    items_15 = r.treatment_pairs
    if items_15:
        out.append(LONGS[len(items_15)])
        for item_16 in items_15:
            treatment_pair_17 = item_16
            data_18 = treatment_pair_17.treatment_id.encode()
            data_19 = treatment_pair_17.disease_id.encode()
            out += (LONGS[len(data_18)], data_18, LONGS[len(data_19)], data_19,)
    data_20 = r.patient_ref.encode()
    data_21 = r.doctor_ref.encode()
    out += (b"\x00", _DOUBLES_1.pack(r.note_confidence), _SAMPLE_BYTES[r.sample], _DOUBLES_1.pack(r.inclusion_probability), _BOOLEAN_BYTES[r.show_predictions], LONGS[len(data_20)], data_20, LONGS[len(data_21)], data_21, LONGS[r.requested_at], LONGS[r.written_at],)
    value_22 = r.pseudonym_key_id
    if value_22 is None:
        out.append(b"\x00")
    else:
        data_23 = value_22.encode()
        out += (b"\x02", LONGS[len(data_23)], data_23,)
    value_24 = r.purpose
    if value_24 is None:
        out.append(b"\x00")
    else:
        data_25 = value_24.encode()
        out += (b"\x02", LONGS[len(data_25)], data_25,)
    value_26 = r.consent_artefact_id
    if value_26 is None:
        out.append(b"\x00")
    else:
        data_27 = value_26.encode()
        out += (b"\x02", LONGS[len(data_27)], data_27,)
    value_28 = r.encryption_key_id
    if value_28 is None:
        out.append(b"\x00")
    else:
        data_29 = value_28.encode()
        out += (b"\x02", LONGS[len(data_29)], data_29,)
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

READERS: dict[type, Callable[[bytes, int], Any]] = {
    records.AccessLogged: read_access_logged,
    records.AnnotationValidated: read_annotation_validated,
    records.DriftDetected: read_drift_detected,
    records.DriftState: read_drift_state,
    records.DriftWords: read_drift_words,
    records.EntitiesExtracted: read_entities_extracted,
    records.ModelCommand: read_model_command,
    records.ModelEvent: read_model_event,
    records.NoteAccepted: read_note_accepted,
    records.NoteSubmitted: read_note_submitted,
    records.QualityMeasured: read_quality_measured,
    records.ReviewRequested: read_review_requested,
    records.StatisticsObserved: read_statistics_observed,
}

RESOLVED: dict[type, Callable[[dict[str, Any]], Any]] = {
    records.AccessLogged: resolved_access_logged,
    records.AnnotationValidated: resolved_annotation_validated,
    records.DriftDetected: resolved_drift_detected,
    records.DriftState: resolved_drift_state,
    records.DriftWords: resolved_drift_words,
    records.EntitiesExtracted: resolved_entities_extracted,
    records.ModelCommand: resolved_model_command,
    records.ModelEvent: resolved_model_event,
    records.NoteAccepted: resolved_note_accepted,
    records.NoteSubmitted: resolved_note_submitted,
    records.QualityMeasured: resolved_quality_measured,
    records.ReviewRequested: resolved_review_requested,
    records.StatisticsObserved: resolved_statistics_observed,
}

WRITERS: dict[type, Callable[[Any, bytes], bytes]] = {
    records.AccessLogged: write_access_logged,
    records.AnnotationValidated: write_annotation_validated,
    records.DriftDetected: write_drift_detected,
    records.DriftState: write_drift_state,
    records.DriftWords: write_drift_words,
    records.EntitiesExtracted: write_entities_extracted,
    records.ModelCommand: write_model_command,
    records.ModelEvent: write_model_event,
    records.NoteAccepted: write_note_accepted,
    records.NoteSubmitted: write_note_submitted,
    records.QualityMeasured: write_quality_measured,
    records.ReviewRequested: write_review_requested,
    records.StatisticsObserved: write_statistics_observed,
}
