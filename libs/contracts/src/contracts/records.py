"""The records of the contract. Written by `python -m contracts.generate` from schemas/records; do not edit.

A record is a frozen dataclass. `__new__` stands in for the usual initialiser, which sets each field of a frozen dataclass
the slow way: it fills the slots of a twin that is not frozen and then changes its class.
"""

# mypy: disable-error-code="no-any-return"
# ruff: noqa: A002, D102 - arguments are named as the fields, and the class says what they are

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Self

from contracts._generated import twins
from contracts.record import Record

_new = object.__new__
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class AccessAction(StrEnum):
    """On which occasion something was shown. UNKNOWN stands for one that this reader does not know yet."""

    UNKNOWN = "UNKNOWN"
    REVIEW = "REVIEW"
    LOOK = "LOOK"
    EXAMPLES = "EXAMPLES"
    SEARCH = "SEARCH"
    EXPORT = "EXPORT"
    COMMENT = "COMMENT"
    REPLAY = "REPLAY"


class Seen(StrEnum):
    """Part of a note. UNKNOWN stands for one that this reader does not know yet."""

    UNKNOWN = "UNKNOWN"
    IDENTITY = "IDENTITY"
    TEXT = "TEXT"
    ENTITIES = "ENTITIES"
    ANNOTATIONS = "ANNOTATIONS"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class AccessLogged(Record):
    """A person was shown something of a note.

    Written before it is shown: what could not be logged is not shown.

    Attributes:
        access_id: UUIDv4 of this access; a record that came twice has the same.
        person: Who looked: the name in the token file, or the one that the login proxy gave. Key of the topic.
        role: Role in which the person looked: validator or lead.
        service: Service that showed it: review-desk or scorekeeper.
        action: REVIEW: handed out to be judged. LOOK: opened to be read. EXAMPLES: listed behind a number of
            the control page, or among the dead letters. SEARCH: found by its words. EXPORT: in a file of
            labels. COMMENT: listed with what was written about it. REPLAY: a dead letter was sent again, mended
            or as it was.
        note_ref: Keyed pseudonym of the note: HMAC-SHA256 under the pseudonym key of its kind and the key of
            its topic; see the operator's guide.
        seen: What was shown: the note's id and circumstances, its text, what the model marked, what people said
            of it.
        at: When, UTC.
        pseudonym_key_id: Which key note_ref was made with; the same as in accepted notes.
    """

    SCHEMA_NAME: ClassVar[str] = "AccessLogged"

    access_id: str
    person: str
    role: str
    service: str
    action: AccessAction
    note_ref: str
    seen: tuple[Seen, ...]
    at: int
    pseudonym_key_id: str | None = None

    def __new__(
        cls,
        *,
        access_id: str,
        person: str,
        role: str,
        service: str,
        action: AccessAction,
        note_ref: str,
        seen: tuple[Seen, ...],
        at: int,
        pseudonym_key_id: str | None = None,
    ) -> Self:
        self: Any = _new(twins.AccessLogged)
        self.access_id = access_id
        self.person = person
        self.role = role
        self.service = service
        self.action = action
        self.note_ref = note_ref
        self.seen = seen
        self.at = at
        self.pseudonym_key_id = pseudonym_key_id
        self.__class__ = cls
        return self


class Origin(StrEnum):
    """Why the note passes through now. Only LIVE notes count for drift, audit and latency."""

    LIVE = "LIVE"
    BACKFILL = "BACKFILL"
    REPLAY = "REPLAY"
    REEXTRACT = "REEXTRACT"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Segment(Record):
    """Where a note comes from, in the terms by which language is watched.

    Attributes:
        city: City of the practice, as the platform names it.
        specialty: Specialty of the doctor, as the platform names it.
    """

    SCHEMA_NAME: ClassVar[str] = "Segment"

    city: str
    specialty: str

    def __new__(
        cls,
        *,
        city: str,
        specialty: str,
    ) -> Self:
        self: Any = _new(twins.Segment)
        self.city = city
        self.specialty = specialty
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class ModelRef(Record):
    """One version of a registered model.

    Attributes:
        name: Name of the registered model.
        version: Version in the model registry.
        serial: Rises by one with each promotion or rollback. Orders the effects of one note: the higher serial
            wins.
    """

    SCHEMA_NAME: ClassVar[str] = "ModelRef"

    name: str
    version: str
    serial: int

    def __new__(
        cls,
        *,
        name: str,
        version: str,
        serial: int,
    ) -> Self:
        self: Any = _new(twins.ModelRef)
        self.name = name
        self.version = version
        self.serial = serial
        self.__class__ = cls
        return self


class EntityLabel(StrEnum):
    """Kind of entity. UNKNOWN stands for a label that this reader does not know yet."""

    UNKNOWN = "UNKNOWN"
    DISEASE = "DISEASE"
    TREATMENT = "TREATMENT"


class AssertionStatus(StrEnum):
    """Whether the patient has it. UNKNOWN: not judged, or a status that this reader does not know yet."""

    UNKNOWN = "UNKNOWN"
    PRESENT = "PRESENT"
    NEGATED = "NEGATED"
    POSSIBLE = "POSSIBLE"
    HYPOTHETICAL = "HYPOTHETICAL"
    ALLERGY = "ALLERGY"
    REFUSED = "REFUSED"


class AssertionTime(StrEnum):
    """When it holds. UNKNOWN: not judged, or a time that this reader does not know yet."""

    UNKNOWN = "UNKNOWN"
    CURRENT = "CURRENT"
    HISTORICAL = "HISTORICAL"
    PLANNED = "PLANNED"


class Experiencer(StrEnum):
    """Whom it concerns. UNKNOWN: not judged, or one that this reader does not know yet."""

    UNKNOWN = "UNKNOWN"
    PATIENT = "PATIENT"
    FAMILY = "FAMILY"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Assertion(Record):
    """What the note says of an entity.

    Attributes:
        status: Whether the patient has it. ALLERGY and REFUSED are for treatments.
        time: When it holds.
        experiencer: Whom it concerns.
        cue_start: First code point of the words that decided, counted from 0 in the accepted text. -1 when none
            did.
        cue_end: Code point after the last one of the words that decided. -1 when none did.
    """

    SCHEMA_NAME: ClassVar[str] = "Assertion"

    status: AssertionStatus
    time: AssertionTime
    experiencer: Experiencer
    cue_start: int
    cue_end: int

    def __new__(
        cls,
        *,
        status: AssertionStatus,
        time: AssertionTime,
        experiencer: Experiencer,
        cue_start: int,
        cue_end: int,
    ) -> Self:
        self: Any = _new(twins.Assertion)
        self.status = status
        self.time = time
        self.experiencer = experiencer
        self.cue_start = cue_start
        self.cue_end = cue_end
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Prescription(Record):
    """How a treatment is to be taken, as far as it is written.

    What is not written is null.

    Attributes:
        form: Dosage form, lower case: tablet, syrup, injection, inhaler and so on.
        strength: Strength as written, unit after one blank, digits without thousands separators: 500 mg, 250
            mg/5ml, 60000 iu.
        dose: Amount for one intake, as written: 1 tablet, 2 puffs, 5 ml.
        frequency: Intakes per period. Null when not written, or when phases differ or contradict each other.
        period: Length of the period in period_unit.
        period_unit: h, d, wk or mo.
        when: AC (before food), PC (after food) or HS (at bedtime).
        as_needed: True for SOS and prn.
        duration: How long, in duration_unit. Null when not written, or when phases differ or contradict each
            other.
        duration_unit: d, wk or mo.
        route: oral, intravenous, intramuscular, subcutaneous, inhalation, nasal, ophthalmic, otic, topical,
            sublingual, rectal or vaginal.
    """

    SCHEMA_NAME: ClassVar[str] = "Prescription"

    form: str | None = None
    strength: str | None = None
    dose: str | None = None
    frequency: int | None = None
    period: int | None = None
    period_unit: str | None = None
    when: str | None = None
    as_needed: bool | None = None
    duration: int | None = None
    duration_unit: str | None = None
    route: str | None = None

    def __new__(
        cls,
        *,
        form: str | None = None,
        strength: str | None = None,
        dose: str | None = None,
        frequency: int | None = None,
        period: int | None = None,
        period_unit: str | None = None,
        when: str | None = None,
        as_needed: bool | None = None,
        duration: int | None = None,
        duration_unit: str | None = None,
        route: str | None = None,
    ) -> Self:
        self: Any = _new(twins.Prescription)
        self.form = form
        self.strength = strength
        self.dose = dose
        self.frequency = frequency
        self.period = period
        self.period_unit = period_unit
        self.when = when
        self.as_needed = as_needed
        self.duration = duration
        self.duration_unit = duration_unit
        self.route = route
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Entity(Record):
    """A mention of a disease or treatment in a note.

    Attributes:
        entity_id: Unique within the note: e1, e2, and so on in text order.
        label: Kind of entity.
        text: The mention as written. Equals the note's text[start:end].
        start: First code point of the mention in the accepted text, counted from 0.
        end: Code point after the last one of the mention.
        confidence: Calibrated probability, 0 to 1, that span and label are both right.
        assertion: Whether, when and for whom it holds. Null when it was not judged.
        prescription: How it is to be taken. Null for diseases, and where nothing is written.
    """

    SCHEMA_NAME: ClassVar[str] = "Entity"

    entity_id: str
    label: EntityLabel
    text: str
    start: int
    end: int
    confidence: float
    assertion: Assertion | None = None
    prescription: Prescription | None = None

    def __new__(
        cls,
        *,
        entity_id: str,
        label: EntityLabel,
        text: str,
        start: int,
        end: int,
        confidence: float,
        assertion: Assertion | None = None,
        prescription: Prescription | None = None,
    ) -> Self:
        self: Any = _new(twins.Entity)
        self.entity_id = entity_id
        self.label = label
        self.text = text
        self.start = start
        self.end = end
        self.confidence = confidence
        self.assertion = assertion
        self.prescription = prescription
        self.__class__ = cls
        return self


class RelationType(StrEnum):
    """What the treatment has to do with the disease. UNKNOWN stands for a type that this reader does not know yet."""

    UNKNOWN = "UNKNOWN"
    TREATS = "TREATS"
    TREATED = "TREATED"
    PLANNED = "PLANNED"
    PREVENTS = "PREVENTS"
    CAUSES = "CAUSES"
    CONTRAINDICATED = "CONTRAINDICATED"
    REFUSED = "REFUSED"
    TREATS_FAILED = "TREATS_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Relation(Record):
    """What a treatment has to do with a disease, both entities of the same note.

    Attributes:
        type: TREATS: given now for it. TREATED: completed in the past. PLANNED, PREVENTS, CAUSES (side effect),
            CONTRAINDICATED, REFUSED, TREATS_FAILED (no response).
        treatment_id: entity_id of the treatment.
        disease_id: entity_id of the disease.
        confidence: Probability, 0 to 1, that both ends and the type are right.
    """

    SCHEMA_NAME: ClassVar[str] = "Relation"

    type: RelationType
    treatment_id: str
    disease_id: str
    confidence: float

    def __new__(
        cls,
        *,
        type: RelationType,
        treatment_id: str,
        disease_id: str,
        confidence: float,
    ) -> Self:
        self: Any = _new(twins.Relation)
        self.type = type
        self.treatment_id = treatment_id
        self.disease_id = disease_id
        self.confidence = confidence
        self.__class__ = cls
        return self


class Sample(StrEnum):
    """How the note was chosen. Only AUDIT measures quality; the others are for learning."""

    UNCERTAIN = "UNCERTAIN"
    AUDIT = "AUDIT"
    DRIFT = "DRIFT"
    IMPORTED = "IMPORTED"


class AnnotationOutcome(StrEnum):
    """How the person left the note. Only ACCEPTED, CORRECTED and ADJUDICATED carry labels."""

    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    CORRECTED = "CORRECTED"
    UNREADABLE = "UNREADABLE"
    SKIPPED = "SKIPPED"
    ADJUDICATED = "ADJUDICATED"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class AnnotationChanges(Record):
    """What a person did to the predictions, in counts.

    Attributes:
        kept: Predicted entities left as they were.
        added: Entities that the model had missed.
        removed: Predicted entities that were wrong.
        moved: Entities whose span was corrected.
        relabelled: Entities whose label was corrected.
        restated: Kept entities of which a status, a time or an experiencer was corrected.
        represcribed: Kept treatments of which the prescription was corrected.
        related: Relations that were added, removed or given another type.
    """

    SCHEMA_NAME: ClassVar[str] = "AnnotationChanges"

    kept: int
    added: int
    removed: int
    moved: int
    relabelled: int
    restated: int = 0
    represcribed: int = 0
    related: int = 0

    def __new__(
        cls,
        *,
        kept: int,
        added: int,
        removed: int,
        moved: int,
        relabelled: int,
        restated: int = 0,
        represcribed: int = 0,
        related: int = 0,
    ) -> Self:
        self: Any = _new(twins.AnnotationChanges)
        self.kept = kept
        self.added = added
        self.removed = removed
        self.moved = moved
        self.relabelled = relabelled
        self.restated = restated
        self.represcribed = represcribed
        self.related = related
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class AnnotationValidated(Record):
    """A person's decision on one revision of a note.

    Void for any other revision. Skips, flags and adjudications are events too.

    Attributes:
        annotation_id: UUIDv5 of source, note_id, revision, annotator and sequence.
        source: System that sent the note: 1 to 40 of a-z, 0-9 and hyphen. With note_id the note's identity.
        note_id: Identity of the note within its source.
        revision: The revision that the person saw.
        event_id: The EntitiesExtracted event that was corrected. Null for imported notes.
        origin: Why the note passed through. Null for imported notes.
        text: The text that the offsets count in.
        language: BCP 47 tag of the main language.
        segment: City and specialty of the note. Empty strings when an import does not know them.
        patient_ref: Pseudonym of the patient, or the document of an import: what shares a patient shares a
            role.
        doctor_ref: Pseudonym of the doctor. Empty when an import does not know it.
        written_at: When the doctor wrote the note, UTC.
        model: The model whose predictions were corrected. Null for imported notes.
        rules_version: Version of the rules whose output was corrected. Null for imported notes.
        rules_serial: Serial of those rules. Null for imported notes.
        predicted_entities: What the model had found.
        predicted_relations: Relations between treatments and diseases, as the model and its rules had them.
        entities: What is right. Entities that a person drew have confidence 1.
        relations: Relations between treatments and diseases, as the person decided.
        sample: How the note was chosen.
        inclusion_probability: Probability with which the sample took this note. Null for imported notes.
        predictions_shown: Whether the person saw the model's entities first.
        outcome: How the person left the note.
        changes: What was changed, in counts.
        annotator: Pseudonym of the person, or the name of the import.
        sequence: 1 for this annotator's first decision on the revision, higher for each later one. The highest
            wins.
        seconds_spent: Seconds between showing the note and this decision. 0 for imported notes.
        annotated_at: When the person decided, UTC.
        supersedes: annotation_ids that an adjudication decides between. Empty otherwise.
        dataset_digest: sha256 of the imported data set. Null for the review desk.
        guideline_version: Version of the annotation guideline that the annotator had beside the note
            (desk.changed.v1, or the shipped one). Null where none was shown.
        comment: What the annotator writes to the lead about this note. Null where nothing, and where it is
            sealed.
        pseudonym_key_id: Key under which the references were made pseudonyms. Null while they are in clear or
            absent.
        purpose: Purpose of processing that the patient agreed to.
        consent_artefact_id: Consent artefact that covers this record.
        encryption_key_id: Key under which text fields are encrypted. Null while they are in clear.
        sealed: The record's texts, encrypted under encryption_key_id. Null while they are in clear; text fields
            are empty where it is set.
        note_confidence: The model's probability that the whole note is right, as the request had it. Null for
            imported notes and older events.
        hidden_check: Whether the note was settled before and was shown again to see whether the person reads.
            Such an answer judges the person and settles nothing.
    """

    SCHEMA_NAME: ClassVar[str] = "AnnotationValidated"

    annotation_id: str
    source: str
    note_id: str
    revision: int
    event_id: str | None = None
    origin: Origin | None = None
    text: str
    language: str = "en"
    segment: Segment
    patient_ref: str
    doctor_ref: str
    written_at: int
    model: ModelRef | None = None
    rules_version: str | None = None
    rules_serial: int | None = None
    predicted_entities: tuple[Entity, ...]
    predicted_relations: tuple[Relation, ...]
    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    sample: Sample
    inclusion_probability: float | None = None
    predictions_shown: bool
    outcome: AnnotationOutcome
    changes: AnnotationChanges
    annotator: str
    sequence: int
    seconds_spent: float
    annotated_at: int
    supersedes: tuple[str, ...] = ()
    dataset_digest: str | None = None
    guideline_version: str | None = None
    comment: str | None = None
    pseudonym_key_id: str | None = None
    purpose: str | None = None
    consent_artefact_id: str | None = None
    encryption_key_id: str | None = None
    sealed: bytes | None = None
    note_confidence: float | None = None
    hidden_check: bool = False

    def __new__(
        cls,
        *,
        annotation_id: str,
        source: str,
        note_id: str,
        revision: int,
        event_id: str | None = None,
        origin: Origin | None = None,
        text: str,
        language: str = "en",
        segment: Segment,
        patient_ref: str,
        doctor_ref: str,
        written_at: int,
        model: ModelRef | None = None,
        rules_version: str | None = None,
        rules_serial: int | None = None,
        predicted_entities: tuple[Entity, ...],
        predicted_relations: tuple[Relation, ...],
        entities: tuple[Entity, ...],
        relations: tuple[Relation, ...],
        sample: Sample,
        inclusion_probability: float | None = None,
        predictions_shown: bool,
        outcome: AnnotationOutcome,
        changes: AnnotationChanges,
        annotator: str,
        sequence: int,
        seconds_spent: float,
        annotated_at: int,
        supersedes: tuple[str, ...] = (),
        dataset_digest: str | None = None,
        guideline_version: str | None = None,
        comment: str | None = None,
        pseudonym_key_id: str | None = None,
        purpose: str | None = None,
        consent_artefact_id: str | None = None,
        encryption_key_id: str | None = None,
        sealed: bytes | None = None,
        note_confidence: float | None = None,
        hidden_check: bool = False,
    ) -> Self:
        self: Any = _new(twins.AnnotationValidated)
        self.annotation_id = annotation_id
        self.source = source
        self.note_id = note_id
        self.revision = revision
        self.event_id = event_id
        self.origin = origin
        self.text = text
        self.language = language
        self.segment = segment
        self.patient_ref = patient_ref
        self.doctor_ref = doctor_ref
        self.written_at = written_at
        self.model = model
        self.rules_version = rules_version
        self.rules_serial = rules_serial
        self.predicted_entities = predicted_entities
        self.predicted_relations = predicted_relations
        self.entities = entities
        self.relations = relations
        self.sample = sample
        self.inclusion_probability = inclusion_probability
        self.predictions_shown = predictions_shown
        self.outcome = outcome
        self.changes = changes
        self.annotator = annotator
        self.sequence = sequence
        self.seconds_spent = seconds_spent
        self.annotated_at = annotated_at
        self.supersedes = supersedes
        self.dataset_digest = dataset_digest
        self.guideline_version = guideline_version
        self.comment = comment
        self.pseudonym_key_id = pseudonym_key_id
        self.purpose = purpose
        self.consent_artefact_id = consent_artefact_id
        self.encryption_key_id = encryption_key_id
        self.sealed = sealed
        self.note_confidence = note_confidence
        self.hidden_check = hidden_check
        self.__class__ = cls
        return self


class TrustState(StrEnum):
    """HELD: labels do not count until a lead looks.

    CLEARED: a lead looked and they count. EXCLUDED: a lead looked and what was held never counts; what comes
    does.
    """

    UNKNOWN = "UNKNOWN"
    HELD = "HELD"
    CLEARED = "CLEARED"
    EXCLUDED = "EXCLUDED"


class TrustDoubt(StrEnum):
    """Which test fired. NONE where a lead decided."""

    UNKNOWN = "UNKNOWN"
    NONE = "NONE"
    FAILED_CHECKS = "FAILED_CHECKS"
    TOO_FAST = "TOO_FAST"
    NEVER_CHANGES = "NEVER_CHANGES"
    ALWAYS_THE_SAME = "ALWAYS_THE_SAME"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class HeldInterval(Record):
    """A part of a person's answers that does not count.

    Attributes:
        since: First annotated_at that it covers, UTC.
        until: First annotated_at that it does not cover any more. Null: it is open.
    """

    SCHEMA_NAME: ClassVar[str] = "HeldInterval"

    since: int
    until: int | None = None

    def __new__(
        cls,
        *,
        since: int,
        until: int | None = None,
    ) -> Self:
        self: Any = _new(twins.HeldInterval)
        self.since = since
        self.until = until
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class AnnotatorJudged(Record):
    """Whether a person's labels count: held by a test of the review desk until a lead looks, then cleared or excluded.

    The newest of an annotator is the truth.

    Attributes:
        event_id: UUIDv5 of annotator, state and the moment that it follows from.
        annotator: Pseudonym of the person, as annotations have it. Key of the topic.
        state: What was decided.
        doubt: Which test fired.
        held: All intervals of this person whose answers do not count, from now on.
        decisions: Decisions of the person on which the test fired. 0 where a lead decided.
        judged_at: When it was decided, UTC. The test of decisions begins anew behind it.
        judged_by: Pseudonym of the lead. Empty where a test fired.
    """

    SCHEMA_NAME: ClassVar[str] = "AnnotatorJudged"

    event_id: str
    annotator: str
    state: TrustState
    doubt: TrustDoubt = TrustDoubt.NONE
    held: tuple[HeldInterval, ...]
    decisions: int = 0
    judged_at: int
    judged_by: str = ""

    def __new__(
        cls,
        *,
        event_id: str,
        annotator: str,
        state: TrustState,
        doubt: TrustDoubt = TrustDoubt.NONE,
        held: tuple[HeldInterval, ...],
        decisions: int = 0,
        judged_at: int,
        judged_by: str = "",
    ) -> Self:
        self: Any = _new(twins.AnnotatorJudged)
        self.event_id = event_id
        self.annotator = annotator
        self.state = state
        self.doubt = doubt
        self.held = held
        self.decisions = decisions
        self.judged_at = judged_at
        self.judged_by = judged_by
        self.__class__ = cls
        return self


class DeskChange(StrEnum):
    """What was done. UNKNOWN stands for a change that this reader does not know yet."""

    UNKNOWN = "UNKNOWN"
    GUIDELINE_EDITED = "GUIDELINE_EDITED"
    RESERVED = "RESERVED"
    RELEASED = "RELEASED"
    CODE_PROPOSED = "CODE_PROPOSED"
    CODE_ACCEPTED = "CODE_ACCEPTED"
    CODE_REFUSED = "CODE_REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class DeskChanged(Record):
    """A lead changed how the review desk works: the guideline, for whom notes are reserved, or which code a mention stands for; or a validator proposed such a code.

    The newest record of a subject is the truth.

    Attributes:
        subject: What was changed, and the key of the topic: guideline/VERSION, reservation/SEGMENT or code/ID.
        kind: GUIDELINE_EDITED: a new version of the text. RESERVED: notes go to these annotators alone.
            RELEASED: to everybody again. CODE_PROPOSED: a mention should have this code. CODE_ACCEPTED,
            CODE_REFUSED: what a lead decided of it.
        guideline_version: Version of the text, such as 1.2. Null unless a guideline was edited.
        text: The guideline, in Markdown. Empty unless a guideline was edited, and where it is sealed.
        segment: Segment that is reserved or released, such as city=Pune|specialty=cardiology, or all. Null
            unless it is one.
        annotators: Pseudonyms of those for whom notes are reserved. Empty otherwise.
        mention: Words whose code is meant. Null unless it is one of a code.
        label: DISEASE or TREATMENT. Null unless it is one of a code.
        code_system: Identifier of the code's system, as FHIR writes it. Null unless it is one of a code.
        code: The code that the mention should have. Null unless it is one of a code.
        code_display: The code's name in the desk's tables. Null unless it is one of a code.
        changed_by: Pseudonym of the lead; of the validator who proposed a code.
        changed_at: When, UTC.
        encryption_key_id: Key under which text fields are encrypted. Null while they are in clear.
        sealed: The record's texts, encrypted under encryption_key_id. Null while they are in clear; text fields
            are empty where it is set.
    """

    SCHEMA_NAME: ClassVar[str] = "DeskChanged"

    subject: str
    kind: DeskChange
    guideline_version: str | None = None
    text: str = ""
    segment: str | None = None
    annotators: tuple[str, ...] = ()
    mention: str | None = None
    label: str | None = None
    code_system: str | None = None
    code: str | None = None
    code_display: str | None = None
    changed_by: str
    changed_at: int
    encryption_key_id: str | None = None
    sealed: bytes | None = None

    def __new__(
        cls,
        *,
        subject: str,
        kind: DeskChange,
        guideline_version: str | None = None,
        text: str = "",
        segment: str | None = None,
        annotators: tuple[str, ...] = (),
        mention: str | None = None,
        label: str | None = None,
        code_system: str | None = None,
        code: str | None = None,
        code_display: str | None = None,
        changed_by: str,
        changed_at: int,
        encryption_key_id: str | None = None,
        sealed: bytes | None = None,
    ) -> Self:
        self: Any = _new(twins.DeskChanged)
        self.subject = subject
        self.kind = kind
        self.guideline_version = guideline_version
        self.text = text
        self.segment = segment
        self.annotators = annotators
        self.mention = mention
        self.label = label
        self.code_system = code_system
        self.code = code
        self.code_display = code_display
        self.changed_by = changed_by
        self.changed_at = changed_at
        self.encryption_key_id = encryption_key_id
        self.sealed = sealed
        self.__class__ = cls
        return self


class DriftLevel(StrEnum):
    """How bad it is. RECOVERED ends the episode."""

    UNKNOWN = "UNKNOWN"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    RECOVERED = "RECOVERED"


class DriftDirection(StrEnum):
    """Whether the change harms the model."""

    UNKNOWN = "UNKNOWN"
    WORSE = "WORSE"
    BETTER = "BETTER"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class MovedStatistic(Record):
    """A statistic that moved, in its own unit.

    Attributes:
        name: Which statistic.
        before: Its mean before the change.
        after: Its mean since the change.
        reference: Its mean in the model's training data.
    """

    SCHEMA_NAME: ClassVar[str] = "MovedStatistic"

    name: str
    before: float
    after: float
    reference: float

    def __new__(
        cls,
        *,
        name: str,
        before: float,
        after: float,
        reference: float,
    ) -> Self:
        self: Any = _new(twins.MovedStatistic)
        self.name = name
        self.before = before
        self.after = after
        self.reference = reference
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class DriftDetected(Record):
    """An episode of drift in one segment began, got worse or ended.

    Numbers only, never words of notes.

    Attributes:
        episode_id: The same in all events of one episode.
        segment: Segment key: all, city=X, specialty=Y, or city=X|specialty=Y. Key of the topic.
        level: How bad it is.
        direction: Whether the change harms the model.
        statistics: The statistics that moved.
        evidence: One plain sentence of numbers for people.
        model: The model that was watched.
        source_partition: Partition of statistics.observed.v1 that the decision was made on.
        source_offset: Offset of the record that decided.
        detected_at: Record time of the decision, UTC.
        began_at: Record time at which the change began, as far as the detector can tell, UTC.
        pseudonym_key_id: Key under which the references were made pseudonyms. Null while they are in clear or
            absent.
        purpose: Purpose of processing that the patient agreed to.
        consent_artefact_id: Consent artefact that covers this record.
        encryption_key_id: Key under which text fields are encrypted. Null while they are in clear.
    """

    SCHEMA_NAME: ClassVar[str] = "DriftDetected"

    episode_id: str
    segment: str
    level: DriftLevel
    direction: DriftDirection
    statistics: tuple[MovedStatistic, ...]
    evidence: str
    model: ModelRef
    source_partition: int
    source_offset: int
    detected_at: int
    began_at: int | None = None
    pseudonym_key_id: str | None = None
    purpose: str | None = None
    consent_artefact_id: str | None = None
    encryption_key_id: str | None = None

    def __new__(
        cls,
        *,
        episode_id: str,
        segment: str,
        level: DriftLevel,
        direction: DriftDirection,
        statistics: tuple[MovedStatistic, ...],
        evidence: str,
        model: ModelRef,
        source_partition: int,
        source_offset: int,
        detected_at: int,
        began_at: int | None = None,
        pseudonym_key_id: str | None = None,
        purpose: str | None = None,
        consent_artefact_id: str | None = None,
        encryption_key_id: str | None = None,
    ) -> Self:
        self: Any = _new(twins.DriftDetected)
        self.episode_id = episode_id
        self.segment = segment
        self.level = level
        self.direction = direction
        self.statistics = statistics
        self.evidence = evidence
        self.model = model
        self.source_partition = source_partition
        self.source_offset = source_offset
        self.detected_at = detected_at
        self.began_at = began_at
        self.pseudonym_key_id = pseudonym_key_id
        self.purpose = purpose
        self.consent_artefact_id = consent_artefact_id
        self.encryption_key_id = encryption_key_id
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class DriftState(Record):
    """The drift-watcher's state of one source partition.

    The newest record of a key is the truth.

    Attributes:
        source_partition: Partition of statistics.observed.v1. Key of the topic, with /chunk behind it when
            there are several.
        source_offset: Last offset that the state contains. -1 when none.
        format_version: Version of the state's layout. An unknown one is refused and rebuilt.
        chunk: Number of this piece, from 0.
        chunks: How many pieces the state has.
        sha256: Digest of the whole state before compression, in lower-case hex.
        state: This piece of the state: JSON compressed by zlib. Plain data, never a pickle.
        saved_at: Record time of the last record that the state contains, UTC.
    """

    SCHEMA_NAME: ClassVar[str] = "DriftState"

    source_partition: int
    source_offset: int
    format_version: int
    chunk: int = 0
    chunks: int = 1
    sha256: str
    state: bytes
    saved_at: int

    def __new__(
        cls,
        *,
        source_partition: int,
        source_offset: int,
        format_version: int,
        chunk: int = 0,
        chunks: int = 1,
        sha256: str,
        state: bytes,
        saved_at: int,
    ) -> Self:
        self: Any = _new(twins.DriftState)
        self.source_partition = source_partition
        self.source_offset = source_offset
        self.format_version = format_version
        self.chunk = chunk
        self.chunks = chunks
        self.sha256 = sha256
        self.state = state
        self.saved_at = saved_at
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class NewWord(Record):
    """A word that the model does not know and that many people used.

    Attributes:
        word: The word in lower case. Never capitalised or numeric in the notes.
        notes: Notes that held it.
        patients: Different patients, at least 5.
        doctors: Different doctors, at least 3.
    """

    SCHEMA_NAME: ClassVar[str] = "NewWord"

    word: str
    notes: int
    patients: int
    doctors: int

    def __new__(
        cls,
        *,
        word: str,
        notes: int,
        patients: int,
        doctors: int,
    ) -> Self:
        self: Any = _new(twins.NewWord)
        self.word = word
        self.notes = notes
        self.patients = patients
        self.doctors = doctors
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class DriftWords(Record):
    """New words of one segment, published only when many patients and doctors used them.

    Restricted.

    Attributes:
        segment: Segment key. Key of the topic.
        model: The model that does not know the words.
        words: The words, most frequent first.
        observed_from: Record time of the first note counted, UTC.
        observed_to: Record time of the last note counted, UTC.
        encryption_key_id: Key under which text fields are encrypted. Null while they are in clear.
        sealed: The record's texts, encrypted under encryption_key_id. Null while they are in clear; text fields
            are empty where it is set.
    """

    SCHEMA_NAME: ClassVar[str] = "DriftWords"

    segment: str
    model: ModelRef
    words: tuple[NewWord, ...]
    observed_from: int
    observed_to: int
    encryption_key_id: str | None = None
    sealed: bytes | None = None

    def __new__(
        cls,
        *,
        segment: str,
        model: ModelRef,
        words: tuple[NewWord, ...],
        observed_from: int,
        observed_to: int,
        encryption_key_id: str | None = None,
        sealed: bytes | None = None,
    ) -> Self:
        self: Any = _new(twins.DriftWords)
        self.segment = segment
        self.model = model
        self.words = words
        self.observed_from = observed_from
        self.observed_to = observed_to
        self.encryption_key_id = encryption_key_id
        self.sealed = sealed
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Coding(Record):
    """A code of a mention, and how it was found.

    Attributes:
        system: Identifier of the code system, as FHIR writes it: http://hl7.org/fhir/sid/icd-10,
            http://fdasis.nlm.nih.gov, or a customer's own.
        code: The code in its system.
        display: The code's name in its system. May be empty.
        version: Version of the table that knows this code, with the first digits of its digest:
            base-1+c891b7a423c4.
        score: How sure the code is, 0 to 1. What stays below the threshold of the tables has no code.
        how: How it was found: abbreviation, list, brand, title, included, substance, words, combination, typo,
            imported.
    """

    SCHEMA_NAME: ClassVar[str] = "Coding"

    system: str
    code: str
    display: str
    version: str
    score: float
    how: str

    def __new__(
        cls,
        *,
        system: str,
        code: str,
        display: str,
        version: str,
        score: float,
        how: str,
    ) -> Self:
        self: Any = _new(twins.Coding)
        self.system = system
        self.code = code
        self.display = display
        self.version = version
        self.score = score
        self.how = how
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class CodedEntity(Record):
    """A mention of a disease or treatment in a note, with its codes.

    Attributes:
        entity_id: The entity_id of the same mention in EntitiesExtracted.
        label: Kind of entity.
        text: The mention as written. Empty where the record is sealed.
        start: First code point of the mention in the accepted text, counted from 0.
        end: Code point after the last one of the mention.
        assertion: Whether, when and for whom it holds. Null when it was not judged.
        codes: The main code first; one for each substance of a combination. Empty where no code is sure enough,
            or the record is sealed.
    """

    SCHEMA_NAME: ClassVar[str] = "CodedEntity"

    entity_id: str
    label: EntityLabel
    text: str
    start: int
    end: int
    assertion: Assertion | None = None
    codes: tuple[Coding, ...]

    def __new__(
        cls,
        *,
        entity_id: str,
        label: EntityLabel,
        text: str,
        start: int,
        end: int,
        assertion: Assertion | None = None,
        codes: tuple[Coding, ...],
    ) -> Self:
        self: Any = _new(twins.CodedEntity)
        self.entity_id = entity_id
        self.label = label
        self.text = text
        self.start = start
        self.end = end
        self.assertion = assertion
        self.codes = codes
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class EntitiesCoded(Record):
    """The codes of what was found in one revision of a note, by one set of tables.

    For a note keep the row with the highest (revision, model.serial, rules_serial, table_serial).

    Attributes:
        event_id: UUIDv5 of source, note_id, revision, model.serial, rules_serial and table_serial, joined by |.
            Equal for exact duplicates.
        entities_event_id: event_id of the EntitiesExtracted that was coded.
        source: System that sent the note: 1 to 40 of a-z, 0-9 and hyphen. With note_id the note's identity.
        note_id: Identity of the note within its source.
        revision: The revision that was read.
        origin: Why the note passed through.
        model: The model that made this event.
        rules_version: Version of the tables of assertion, relations and prescription attributes. Empty when no
            rules ran.
        rules_serial: Rises by one with each release or rollback of rules. 0 before the first release.
        table_version: Versions of all tables that were asked, joined by a comma.
        table_serial: Rises with each build or import of a table: the UTC second at which the newest of the
            tables was made. The higher serial wins.
        segment: City and specialty of the note.
        patient_ref: Pseudonym of the patient (keyed HMAC): counts patients without naming one.
        written_at: When the doctor wrote the note, UTC.
        accepted_at: When the ingestor accepted the note, UTC.
        extracted_at: When the extractor made this event, UTC.
        entities: All mentions, in text order.
        pseudonym_key_id: Key under which the references were made pseudonyms. Null while they are in clear or
            absent.
        purpose: Purpose of processing that the patient agreed to.
        consent_artefact_id: Consent artefact that covers this record.
        encryption_key_id: Key under which text fields are encrypted. Null while they are in clear.
        sealed: The record's texts, encrypted under encryption_key_id. Null while they are in clear; text fields
            are empty where it is set.
    """

    SCHEMA_NAME: ClassVar[str] = "EntitiesCoded"

    event_id: str
    entities_event_id: str
    source: str
    note_id: str
    revision: int
    origin: Origin = Origin.LIVE
    model: ModelRef
    rules_version: str
    rules_serial: int
    table_version: str
    table_serial: int
    segment: Segment
    patient_ref: str
    written_at: int
    accepted_at: int
    extracted_at: int
    entities: tuple[CodedEntity, ...]
    pseudonym_key_id: str | None = None
    purpose: str | None = None
    consent_artefact_id: str | None = None
    encryption_key_id: str | None = None
    sealed: bytes | None = None

    def __new__(
        cls,
        *,
        event_id: str,
        entities_event_id: str,
        source: str,
        note_id: str,
        revision: int,
        origin: Origin = Origin.LIVE,
        model: ModelRef,
        rules_version: str,
        rules_serial: int,
        table_version: str,
        table_serial: int,
        segment: Segment,
        patient_ref: str,
        written_at: int,
        accepted_at: int,
        extracted_at: int,
        entities: tuple[CodedEntity, ...],
        pseudonym_key_id: str | None = None,
        purpose: str | None = None,
        consent_artefact_id: str | None = None,
        encryption_key_id: str | None = None,
        sealed: bytes | None = None,
    ) -> Self:
        self: Any = _new(twins.EntitiesCoded)
        self.event_id = event_id
        self.entities_event_id = entities_event_id
        self.source = source
        self.note_id = note_id
        self.revision = revision
        self.origin = origin
        self.model = model
        self.rules_version = rules_version
        self.rules_serial = rules_serial
        self.table_version = table_version
        self.table_serial = table_serial
        self.segment = segment
        self.patient_ref = patient_ref
        self.written_at = written_at
        self.accepted_at = accepted_at
        self.extracted_at = extracted_at
        self.entities = entities
        self.pseudonym_key_id = pseudonym_key_id
        self.purpose = purpose
        self.consent_artefact_id = consent_artefact_id
        self.encryption_key_id = encryption_key_id
        self.sealed = sealed
        self.__class__ = cls
        return self


class ReviewReason(StrEnum):
    """Why the note was sent to review, or was not.

    DRIFT_UNREVIEWED: drifted segment, but its daily budget was used up.
    """

    NONE = "NONE"
    LOW_CONFIDENCE = "LOW_CONFIDENCE"
    AUDIT = "AUDIT"
    DRIFT = "DRIFT"
    DRIFT_UNREVIEWED = "DRIFT_UNREVIEWED"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Review(Record):
    """Whether people look at this note too.

    Attributes:
        requested: True when the note was sent to the review desk.
        reason: Why.
        inclusion_probability: Probability, over 0 and up to 1, with which the sample took this note. Null when
            not sampled.
    """

    SCHEMA_NAME: ClassVar[str] = "Review"

    requested: bool
    reason: ReviewReason = ReviewReason.NONE
    inclusion_probability: float | None = None

    def __new__(
        cls,
        *,
        requested: bool,
        reason: ReviewReason = ReviewReason.NONE,
        inclusion_probability: float | None = None,
    ) -> Self:
        self: Any = _new(twins.Review)
        self.requested = requested
        self.reason = reason
        self.inclusion_probability = inclusion_probability
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class EntitiesExtracted(Record):
    """What one model version and one release of rules found in one revision of a note.

    For a note keep the row with the highest (revision, model.serial, rules_serial).

    Attributes:
        event_id: UUIDv5 of source, note_id, revision, model.serial and rules_serial, joined by |. Equal for
            exact duplicates.
        source: System that sent the note: 1 to 40 of a-z, 0-9 and hyphen. With note_id the note's identity.
        note_id: Identity of the note within its source.
        revision: The revision that was read.
        origin: Why the note passed through.
        model: The model that made this event.
        rules_version: Version of the tables of assertion, relations and prescription attributes. Empty when no
            rules ran.
        rules_serial: Rises by one with each release or rollback of rules. 0 before the first release.
        segment: City and specialty of the note.
        patient_ref: Pseudonym of the patient (keyed HMAC): counts patients without naming one.
        written_at: When the doctor wrote the note, UTC.
        accepted_at: When the ingestor accepted the note, UTC.
        extracted_at: When the extractor made this event, UTC.
        note_confidence: Calibrated confidence, 0 to 1, that the whole note is right.
        entities: All mentions, in text order.
        relations: Relations between treatments and diseases. Left out when unsure.
        review: Whether people look at this note too.
        pseudonym_key_id: Key under which the references were made pseudonyms. Null while they are in clear or
            absent.
        purpose: Purpose of processing that the patient agreed to.
        consent_artefact_id: Consent artefact that covers this record.
        encryption_key_id: Key under which text fields are encrypted. Null while they are in clear.
        sealed: The record's texts, encrypted under encryption_key_id. Null while they are in clear; text fields
            are empty where it is set.
    """

    SCHEMA_NAME: ClassVar[str] = "EntitiesExtracted"

    event_id: str
    source: str
    note_id: str
    revision: int
    origin: Origin = Origin.LIVE
    model: ModelRef
    rules_version: str
    rules_serial: int
    segment: Segment
    patient_ref: str
    written_at: int
    accepted_at: int
    extracted_at: int
    note_confidence: float
    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    review: Review
    pseudonym_key_id: str | None = None
    purpose: str | None = None
    consent_artefact_id: str | None = None
    encryption_key_id: str | None = None
    sealed: bytes | None = None

    def __new__(
        cls,
        *,
        event_id: str,
        source: str,
        note_id: str,
        revision: int,
        origin: Origin = Origin.LIVE,
        model: ModelRef,
        rules_version: str,
        rules_serial: int,
        segment: Segment,
        patient_ref: str,
        written_at: int,
        accepted_at: int,
        extracted_at: int,
        note_confidence: float,
        entities: tuple[Entity, ...],
        relations: tuple[Relation, ...],
        review: Review,
        pseudonym_key_id: str | None = None,
        purpose: str | None = None,
        consent_artefact_id: str | None = None,
        encryption_key_id: str | None = None,
        sealed: bytes | None = None,
    ) -> Self:
        self: Any = _new(twins.EntitiesExtracted)
        self.event_id = event_id
        self.source = source
        self.note_id = note_id
        self.revision = revision
        self.origin = origin
        self.model = model
        self.rules_version = rules_version
        self.rules_serial = rules_serial
        self.segment = segment
        self.patient_ref = patient_ref
        self.written_at = written_at
        self.accepted_at = accepted_at
        self.extracted_at = extracted_at
        self.note_confidence = note_confidence
        self.entities = entities
        self.relations = relations
        self.review = review
        self.pseudonym_key_id = pseudonym_key_id
        self.purpose = purpose
        self.consent_artefact_id = consent_artefact_id
        self.encryption_key_id = encryption_key_id
        self.sealed = sealed
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class FhirDocumentMade(Record):
    """A note as a FHIR R4 document, of what was found in one revision of it and of one set of tables of codes.

    For a note and a profile keep the row with the highest (revision, model.serial, rules_serial, table_serial).

    Attributes:
        event_id: UUIDv5 of the word document, event_id of the EntitiesCoded, profile and guide, joined by |.
            Equal for exact duplicates.
        entities_event_id: event_id of the EntitiesExtracted of which the document was made.
        source: System that sent the note: 1 to 40 of a-z, 0-9 and hyphen. With note_id the note's identity.
        note_id: Identity of the note within its source.
        revision: The revision that was read.
        origin: Why the note passed through.
        model: The model that made this event.
        rules_version: Version of the tables of assertion, relations and prescription attributes. Empty when no
            rules ran.
        rules_serial: Rises by one with each release or rollback of rules. 0 before the first release.
        table_version: Versions of all tables that were asked, joined by a comma.
        table_serial: Rises with each build or import of a table: the UTC second at which the newest of the
            tables was made. The higher serial wins.
        profile: Kind of document: op-consult or prescription (the records of India's ABDM), or r4.
        guide: Version of ABDM's guide whose rules about code systems the document keeps. Empty for r4.
        patient_ref: Pseudonym of the patient (keyed HMAC): counts patients without naming one.
        written_at: When the doctor wrote the note, UTC.
        extracted_at: When the extractor made this event, UTC.
        bundle: The document: a FHIR R4 Bundle of type document, as JSON. Preliminary: a machine read the note.
            Empty where the record is sealed.
        pseudonym_key_id: Key under which the references were made pseudonyms. Null while they are in clear or
            absent.
        purpose: Purpose of processing that the patient agreed to.
        consent_artefact_id: Consent artefact that covers this record.
        encryption_key_id: Key under which text fields are encrypted. Null while they are in clear.
        sealed: The record's texts, encrypted under encryption_key_id. Null while they are in clear; text fields
            are empty where it is set.
    """

    SCHEMA_NAME: ClassVar[str] = "FhirDocumentMade"

    event_id: str
    entities_event_id: str
    source: str
    note_id: str
    revision: int
    origin: Origin = Origin.LIVE
    model: ModelRef
    rules_version: str
    rules_serial: int
    table_version: str
    table_serial: int
    profile: str
    guide: str
    patient_ref: str
    written_at: int
    extracted_at: int
    bundle: str
    pseudonym_key_id: str | None = None
    purpose: str | None = None
    consent_artefact_id: str | None = None
    encryption_key_id: str | None = None
    sealed: bytes | None = None

    def __new__(
        cls,
        *,
        event_id: str,
        entities_event_id: str,
        source: str,
        note_id: str,
        revision: int,
        origin: Origin = Origin.LIVE,
        model: ModelRef,
        rules_version: str,
        rules_serial: int,
        table_version: str,
        table_serial: int,
        profile: str,
        guide: str,
        patient_ref: str,
        written_at: int,
        extracted_at: int,
        bundle: str,
        pseudonym_key_id: str | None = None,
        purpose: str | None = None,
        consent_artefact_id: str | None = None,
        encryption_key_id: str | None = None,
        sealed: bytes | None = None,
    ) -> Self:
        self: Any = _new(twins.FhirDocumentMade)
        self.event_id = event_id
        self.entities_event_id = entities_event_id
        self.source = source
        self.note_id = note_id
        self.revision = revision
        self.origin = origin
        self.model = model
        self.rules_version = rules_version
        self.rules_serial = rules_serial
        self.table_version = table_version
        self.table_serial = table_serial
        self.profile = profile
        self.guide = guide
        self.patient_ref = patient_ref
        self.written_at = written_at
        self.extracted_at = extracted_at
        self.bundle = bundle
        self.pseudonym_key_id = pseudonym_key_id
        self.purpose = purpose
        self.consent_artefact_id = consent_artefact_id
        self.encryption_key_id = encryption_key_id
        self.sealed = sealed
        self.__class__ = cls
        return self


class ModelAction(StrEnum):
    """What the trainer shall do. UNKNOWN is refused."""

    UNKNOWN = "UNKNOWN"
    RETRAIN = "RETRAIN"
    EVALUATE = "EVALUATE"
    PROMOTE = "PROMOTE"
    ROLLBACK = "ROLLBACK"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class ModelCommand(Record):
    """An order to the trainer.

    Executed once, however often it is delivered.

    Attributes:
        command_id: Identity of the order. The same story gives the same id.
        action: What to do.
        model_name: Registered model. Key of the topic.
        reason: Why: drift, annotations, quality, schedule, operator.
        target_version: Version to evaluate, promote or go back to. Null: the trainer's own choice.
        champion_version: Champion that the order was given against. A later champion voids it.
        requested_by: Service or pseudonym of the operator that asks.
        requested_at: When the order was given, UTC.
        segment: Segment key that the order is about. Null: all notes.
    """

    SCHEMA_NAME: ClassVar[str] = "ModelCommand"

    command_id: str
    action: ModelAction
    model_name: str
    reason: str
    target_version: str | None = None
    champion_version: str | None = None
    requested_by: str
    requested_at: int
    segment: str | None = None

    def __new__(
        cls,
        *,
        command_id: str,
        action: ModelAction,
        model_name: str,
        reason: str,
        target_version: str | None = None,
        champion_version: str | None = None,
        requested_by: str,
        requested_at: int,
        segment: str | None = None,
    ) -> Self:
        self: Any = _new(twins.ModelCommand)
        self.command_id = command_id
        self.action = action
        self.model_name = model_name
        self.reason = reason
        self.target_version = target_version
        self.champion_version = champion_version
        self.requested_by = requested_by
        self.requested_at = requested_at
        self.segment = segment
        self.__class__ = cls
        return self


class ModelEventKind(StrEnum):
    """What happened. Readers ignore UNKNOWN."""

    UNKNOWN = "UNKNOWN"
    MODEL_TRAINED = "MODEL_TRAINED"
    PROMOTED = "PROMOTED"
    REJECTED = "REJECTED"
    ROLLED_BACK = "ROLLED_BACK"
    TRAINING_DEFERRED = "TRAINING_DEFERRED"
    TRAINING_FAILED = "TRAINING_FAILED"
    MERGED_INTO = "MERGED_INTO"
    APPROVAL_AWAITED = "APPROVAL_AWAITED"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class ModelEvent(Record):
    """What happened to a model, or to a release of rules.

    Extractors load what PROMOTED and ROLLED_BACK name.

    Attributes:
        event_id: Identity of the event. Equal for exact duplicates.
        kind: What happened.
        model_name: Registered model. Key of the topic.
        model_version: Version that the event is about.
        serial: Serial that the version serves under. Null unless promoted or rolled back.
        previous_version: Version that served before.
        artifact_sha256: sha256 of the tables that services open, in lower-case hex.
        command_id: Command that led here. With MERGED_INTO: the command that was folded.
        reasons: Why, one plain sentence each.
        missing_labels: Labelled notes still missing. Only with TRAINING_DEFERRED.
        occurred_at: When it happened, UTC.
        metrics: Numbers of the gate or the training, by name.
        merged_into: command_id of the open run that took the command over. Only with MERGED_INTO.
        taught_by: Notes that the version learnt from, by the pseudonym of each annotator whose word they carry.
            Only with MODEL_TRAINED.
        rules_version: Version of the rules that the event is about. Null: it is about a model.
    """

    SCHEMA_NAME: ClassVar[str] = "ModelEvent"

    event_id: str
    kind: ModelEventKind
    model_name: str
    model_version: str | None = None
    serial: int | None = None
    previous_version: str | None = None
    artifact_sha256: str | None = None
    command_id: str | None = None
    reasons: tuple[str, ...]
    missing_labels: int | None = None
    occurred_at: int
    metrics: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    merged_into: str | None = None
    taught_by: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    rules_version: str | None = None

    def __new__(
        cls,
        *,
        event_id: str,
        kind: ModelEventKind,
        model_name: str,
        model_version: str | None = None,
        serial: int | None = None,
        previous_version: str | None = None,
        artifact_sha256: str | None = None,
        command_id: str | None = None,
        reasons: tuple[str, ...],
        missing_labels: int | None = None,
        occurred_at: int,
        metrics: Mapping[str, float] = _NOTHING,
        merged_into: str | None = None,
        taught_by: Mapping[str, int] = _NOTHING,
        rules_version: str | None = None,
    ) -> Self:
        self: Any = _new(twins.ModelEvent)
        self.event_id = event_id
        self.kind = kind
        self.model_name = model_name
        self.model_version = model_version
        self.serial = serial
        self.previous_version = previous_version
        self.artifact_sha256 = artifact_sha256
        self.command_id = command_id
        self.reasons = reasons
        self.missing_labels = missing_labels
        self.occurred_at = occurred_at
        self.metrics = metrics
        self.merged_into = merged_into
        self.taught_by = taught_by
        self.rules_version = rules_version
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class NoteAccepted(Record):
    """A note that passed validation: NFC text, references replaced by pseudonyms.

    Attributes:
        source: System that sent the note: 1 to 40 of a-z, 0-9 and hyphen. With note_id the note's identity.
        note_id: Identity of the note within its source.
        revision: 1 for the first wording, higher for each later one. The highest revision wins.
        prescription_ref: Pseudonym of the prescription (keyed HMAC).
        patient_ref: Pseudonym of the patient (keyed HMAC).
        doctor_ref: Pseudonym of the doctor (keyed HMAC).
        city: City of the practice.
        specialty: Specialty of the doctor.
        written_at: When the doctor wrote the note, UTC.
        text: The accepted text in NFC. All offsets in later records count its code points.
        language: BCP 47 tag of the main language.
        origin: Why the note passes through now.
        accepted_at: When the ingestor accepted the note, UTC. Latency counts from here.
        pseudonym_key_id: Key under which the references were made pseudonyms. Null while they are in clear or
            absent.
        purpose: Purpose of processing that the patient agreed to.
        consent_artefact_id: Consent artefact that covers this record.
        encryption_key_id: Key under which text fields are encrypted. Null while they are in clear.
        sealed: The record's texts, encrypted under encryption_key_id. Null while they are in clear; text fields
            are empty where it is set.
    """

    SCHEMA_NAME: ClassVar[str] = "NoteAccepted"

    source: str
    note_id: str
    revision: int
    prescription_ref: str
    patient_ref: str
    doctor_ref: str
    city: str
    specialty: str
    written_at: int
    text: str
    language: str = "en"
    origin: Origin = Origin.LIVE
    accepted_at: int
    pseudonym_key_id: str | None = None
    purpose: str | None = None
    consent_artefact_id: str | None = None
    encryption_key_id: str | None = None
    sealed: bytes | None = None

    def __new__(
        cls,
        *,
        source: str,
        note_id: str,
        revision: int,
        prescription_ref: str,
        patient_ref: str,
        doctor_ref: str,
        city: str,
        specialty: str,
        written_at: int,
        text: str,
        language: str = "en",
        origin: Origin = Origin.LIVE,
        accepted_at: int,
        pseudonym_key_id: str | None = None,
        purpose: str | None = None,
        consent_artefact_id: str | None = None,
        encryption_key_id: str | None = None,
        sealed: bytes | None = None,
    ) -> Self:
        self: Any = _new(twins.NoteAccepted)
        self.source = source
        self.note_id = note_id
        self.revision = revision
        self.prescription_ref = prescription_ref
        self.patient_ref = patient_ref
        self.doctor_ref = doctor_ref
        self.city = city
        self.specialty = specialty
        self.written_at = written_at
        self.text = text
        self.language = language
        self.origin = origin
        self.accepted_at = accepted_at
        self.pseudonym_key_id = pseudonym_key_id
        self.purpose = purpose
        self.consent_artefact_id = consent_artefact_id
        self.encryption_key_id = encryption_key_id
        self.sealed = sealed
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class NoteSubmitted(Record):
    """A clinical note as the platform submits it.

    Holds text and references in clear.

    Attributes:
        source: System that sent the note: 1 to 40 of a-z, 0-9 and hyphen. With note_id the note's identity.
        note_id: Identity of the note within its source, chosen by the platform.
        revision: 1 for the first wording, higher for each later one. The highest revision wins, whatever the
            order of arrival.
        prescription_id: Prescription that the note belongs to, in clear.
        patient_ref: Patient reference of the platform, in clear.
        doctor_ref: Doctor reference of the platform, in clear.
        city: City of the practice.
        specialty: Specialty of the doctor.
        written_at: When the doctor wrote the note, UTC.
        text: The note. Any Unicode text; the ingestor normalises it to NFC.
        language: BCP 47 tag of the main language.
        origin: Why the note passes through now.
        pseudonym_key_id: Key under which the references were made pseudonyms. Null while they are in clear or
            absent.
        purpose: Purpose of processing that the patient agreed to.
        consent_artefact_id: Consent artefact that covers this record.
        encryption_key_id: Key under which text fields are encrypted. Null while they are in clear.
        sealed: The record's texts, encrypted under encryption_key_id. Null while they are in clear; text fields
            are empty where it is set.
    """

    SCHEMA_NAME: ClassVar[str] = "NoteSubmitted"

    source: str
    note_id: str
    revision: int
    prescription_id: str
    patient_ref: str
    doctor_ref: str
    city: str
    specialty: str
    written_at: int
    text: str
    language: str = "en"
    origin: Origin = Origin.LIVE
    pseudonym_key_id: str | None = None
    purpose: str | None = None
    consent_artefact_id: str | None = None
    encryption_key_id: str | None = None
    sealed: bytes | None = None

    def __new__(
        cls,
        *,
        source: str,
        note_id: str,
        revision: int,
        prescription_id: str,
        patient_ref: str,
        doctor_ref: str,
        city: str,
        specialty: str,
        written_at: int,
        text: str,
        language: str = "en",
        origin: Origin = Origin.LIVE,
        pseudonym_key_id: str | None = None,
        purpose: str | None = None,
        consent_artefact_id: str | None = None,
        encryption_key_id: str | None = None,
        sealed: bytes | None = None,
    ) -> Self:
        self: Any = _new(twins.NoteSubmitted)
        self.source = source
        self.note_id = note_id
        self.revision = revision
        self.prescription_id = prescription_id
        self.patient_ref = patient_ref
        self.doctor_ref = doctor_ref
        self.city = city
        self.specialty = specialty
        self.written_at = written_at
        self.text = text
        self.language = language
        self.origin = origin
        self.pseudonym_key_id = pseudonym_key_id
        self.purpose = purpose
        self.consent_artefact_id = consent_artefact_id
        self.encryption_key_id = encryption_key_id
        self.sealed = sealed
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class LabelQuality(Record):
    """Exact-span quality of one label with its interval.

    Attributes:
        label: DISEASE, TREATMENT, or ALL for both together; or what is said of entities that were rightly
            found, such as "status NEGATED", "time HISTORICAL", "experiencer FAMILY", "relation TREATS" or
            "prescription frequency".
        precision: Weighted share of predicted entities that are right, 0 to 1.
        recall: Weighted share of right entities that were found, 0 to 1.
        f1: Harmonic mean of both, 0 to 1.
        f1_low: Lower end of the 95 % interval of f1.
        f1_high: Upper end of the 95 % interval of f1.
        support: Right entities in the sample.
        precision_low: Lower end of the 95 % interval of precision. Null from an older scorekeeper.
        precision_high: Upper end of the 95 % interval of precision.
        recall_low: Lower end of the 95 % interval of recall.
        recall_high: Upper end of the 95 % interval of recall.
    """

    SCHEMA_NAME: ClassVar[str] = "LabelQuality"

    label: str
    precision: float
    recall: float
    f1: float
    f1_low: float
    f1_high: float
    support: int
    precision_low: float | None = None
    precision_high: float | None = None
    recall_low: float | None = None
    recall_high: float | None = None

    def __new__(
        cls,
        *,
        label: str,
        precision: float,
        recall: float,
        f1: float,
        f1_low: float,
        f1_high: float,
        support: int,
        precision_low: float | None = None,
        precision_high: float | None = None,
        recall_low: float | None = None,
        recall_high: float | None = None,
    ) -> Self:
        self: Any = _new(twins.LabelQuality)
        self.label = label
        self.precision = precision
        self.recall = recall
        self.f1 = f1
        self.f1_low = f1_low
        self.f1_high = f1_high
        self.support = support
        self.precision_low = precision_low
        self.precision_high = precision_high
        self.recall_low = recall_low
        self.recall_high = recall_high
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class QualityMeasured(Record):
    """Live quality of one model version in one segment, measured on the random audit alone.

    Attributes:
        measurement_id: UUIDv5 of model version, segment and window.
        model: The model that was measured. Its name is the key of the topic.
        segment: Segment key: all, city=X, specialty=Y, or city=X|specialty=Y.
        window_start: First written_at that counts, UTC.
        window_end: written_at after the last that counts, UTC.
        notes: Audited notes in the window.
        labels: Quality per label, and for all labels together.
        estimated_f1: f1 expected from calibrated confidences alone, before labels arrive.
        prefill_bias: f1 on notes shown with predictions minus f1 on notes shown without.
        audit_rate: Share of live notes to audit from now on, 0 to 1, so that f1 of a week is known as near as
            wanted. Null: nothing is said of it (of segments, of older versions, from an older scorekeeper).
        measured_at: When the scorekeeper measured, UTC.
    """

    SCHEMA_NAME: ClassVar[str] = "QualityMeasured"

    measurement_id: str
    model: ModelRef
    segment: str
    window_start: int
    window_end: int
    notes: int
    labels: tuple[LabelQuality, ...]
    estimated_f1: float | None = None
    prefill_bias: float | None = None
    audit_rate: float | None = None
    measured_at: int

    def __new__(
        cls,
        *,
        measurement_id: str,
        model: ModelRef,
        segment: str,
        window_start: int,
        window_end: int,
        notes: int,
        labels: tuple[LabelQuality, ...],
        estimated_f1: float | None = None,
        prefill_bias: float | None = None,
        audit_rate: float | None = None,
        measured_at: int,
    ) -> Self:
        self: Any = _new(twins.QualityMeasured)
        self.measurement_id = measurement_id
        self.model = model
        self.segment = segment
        self.window_start = window_start
        self.window_end = window_end
        self.notes = notes
        self.labels = labels
        self.estimated_f1 = estimated_f1
        self.prefill_bias = prefill_bias
        self.audit_rate = audit_rate
        self.measured_at = measured_at
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class ReviewRequested(Record):
    """A note that people shall look at, with what the model said.

    Attributes:
        source: System that sent the note: 1 to 40 of a-z, 0-9 and hyphen. With note_id the note's identity.
        note_id: Identity of the note within its source.
        revision: The revision that was read. A newer revision voids this request.
        event_id: The EntitiesExtracted event that this request belongs to.
        origin: Why the note passed through.
        text: The accepted text.
        segment: City and specialty of the note.
        model: The model that made the predictions.
        rules_version: Version of the tables of assertion, relations and prescription attributes. Empty when no
            rules ran.
        rules_serial: Rises by one with each release or rollback of rules. 0 before the first release.
        entities: What the model found.
        relations: Relations between treatments and diseases. Left out when unsure.
        note_confidence: Calibrated confidence, 0 to 1, that the whole note is right.
        sample: How the note was chosen.
        inclusion_probability: Probability, over 0 and up to 1, with which the sample took this note.
        show_predictions: False for the half of the audit notes that are shown without the model's entities.
        patient_ref: Pseudonym of the patient.
        doctor_ref: Pseudonym of the doctor.
        requested_at: When review was asked for, UTC.
        written_at: When the doctor wrote the note, UTC.
        pseudonym_key_id: Key under which the references were made pseudonyms. Null while they are in clear or
            absent.
        purpose: Purpose of processing that the patient agreed to.
        consent_artefact_id: Consent artefact that covers this record.
        encryption_key_id: Key under which text fields are encrypted. Null while they are in clear.
        sealed: The record's texts, encrypted under encryption_key_id. Null while they are in clear; text fields
            are empty where it is set.
        expected_gain: What looking at the note is expected to teach, for a token of reading: the sum of min(p,
            1 - p) over all spans that may be an entity, by its tokens and a fixed cost of opening it. Null in
            older events.
    """

    SCHEMA_NAME: ClassVar[str] = "ReviewRequested"

    source: str
    note_id: str
    revision: int
    event_id: str
    origin: Origin = Origin.LIVE
    text: str
    segment: Segment
    model: ModelRef
    rules_version: str
    rules_serial: int
    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    note_confidence: float
    sample: Sample
    inclusion_probability: float
    show_predictions: bool
    patient_ref: str
    doctor_ref: str
    requested_at: int
    written_at: int
    pseudonym_key_id: str | None = None
    purpose: str | None = None
    consent_artefact_id: str | None = None
    encryption_key_id: str | None = None
    sealed: bytes | None = None
    expected_gain: float | None = None

    def __new__(
        cls,
        *,
        source: str,
        note_id: str,
        revision: int,
        event_id: str,
        origin: Origin = Origin.LIVE,
        text: str,
        segment: Segment,
        model: ModelRef,
        rules_version: str,
        rules_serial: int,
        entities: tuple[Entity, ...],
        relations: tuple[Relation, ...],
        note_confidence: float,
        sample: Sample,
        inclusion_probability: float,
        show_predictions: bool,
        patient_ref: str,
        doctor_ref: str,
        requested_at: int,
        written_at: int,
        pseudonym_key_id: str | None = None,
        purpose: str | None = None,
        consent_artefact_id: str | None = None,
        encryption_key_id: str | None = None,
        sealed: bytes | None = None,
        expected_gain: float | None = None,
    ) -> Self:
        self: Any = _new(twins.ReviewRequested)
        self.source = source
        self.note_id = note_id
        self.revision = revision
        self.event_id = event_id
        self.origin = origin
        self.text = text
        self.segment = segment
        self.model = model
        self.rules_version = rules_version
        self.rules_serial = rules_serial
        self.entities = entities
        self.relations = relations
        self.note_confidence = note_confidence
        self.sample = sample
        self.inclusion_probability = inclusion_probability
        self.show_predictions = show_predictions
        self.patient_ref = patient_ref
        self.doctor_ref = doctor_ref
        self.requested_at = requested_at
        self.written_at = written_at
        self.pseudonym_key_id = pseudonym_key_id
        self.purpose = purpose
        self.consent_artefact_id = consent_artefact_id
        self.encryption_key_id = encryption_key_id
        self.sealed = sealed
        self.expected_gain = expected_gain
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class StatisticSum(Record):
    """Sums of one statistic over the notes of a range.

    Attributes:
        name: Which statistic: oov_share, confidence, note_tokens and so on.
        count: Denominator: how many values were summed.
        sum: Sum of the values.
        sum_of_squares: Sum of the squared values.
    """

    SCHEMA_NAME: ClassVar[str] = "StatisticSum"

    name: str
    count: float
    sum: float
    sum_of_squares: float

    def __new__(
        cls,
        *,
        name: str,
        count: float,
        sum: float,
        sum_of_squares: float,
    ) -> Self:
        self: Any = _new(twins.StatisticSum)
        self.name = name
        self.count = count
        self.sum = sum
        self.sum_of_squares = sum_of_squares
        self.__class__ = cls
        return self


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class StatisticsObserved(Record):
    """Sums over at most 25 notes of one segment and one range of offsets.

    Never texts.

    Attributes:
        segment: Segment key: all, city=X, specialty=Y, or city=X|specialty=Y. Key of the topic.
        model: The model that tagged the notes.
        note_partition: Partition of notes.accepted.v1 that the range belongs to.
        first_offset: First offset of the range.
        last_offset: Last offset of the range, included.
        observed_at: Record time: the latest written_at or accepted_at of the range, UTC.
        n: Notes of this segment in the range, 1 to 25.
        statistics: The sums by name, one per statistic: how records said it before `sums` was there. Empty
            where `sums` is not.
        sums: Three numbers for each statistic: how many notes have a value, the sum of the values, the sum of
            their squares. The statistics in this order: tokens, disease_entities, treatment_entities,
            confidence, oov_share, unknown_char_share, disease_token_share, negated_share (of entities, status
            NEGATED), uncertain_share (POSSIBLE or HYPOTHETICAL). A new statistic comes last; a reader leaves
            out what it does not know.
    """

    SCHEMA_NAME: ClassVar[str] = "StatisticsObserved"

    segment: str
    model: ModelRef
    note_partition: int
    first_offset: int
    last_offset: int
    observed_at: int
    n: int
    statistics: tuple[StatisticSum, ...]
    sums: tuple[float, ...] = ()

    def __new__(
        cls,
        *,
        segment: str,
        model: ModelRef,
        note_partition: int,
        first_offset: int,
        last_offset: int,
        observed_at: int,
        n: int,
        statistics: tuple[StatisticSum, ...],
        sums: tuple[float, ...] = (),
    ) -> Self:
        self: Any = _new(twins.StatisticsObserved)
        self.segment = segment
        self.model = model
        self.note_partition = note_partition
        self.first_offset = first_offset
        self.last_offset = last_offset
        self.observed_at = observed_at
        self.n = n
        self.statistics = statistics
        self.sums = sums
        self.__class__ = cls
        return self


class DeliveryKind(StrEnum):
    """What became of the note. UNKNOWN stands for an outcome that this reader does not know yet."""

    UNKNOWN = "UNKNOWN"
    EXTRACTED = "EXTRACTED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class WebhookDelivery(Record):
    """The outcome of a note as it is sent to the system that sent the note, where that could not be delivered.

    A replayed one is delivered again, under the same delivery_id.

    Attributes:
        delivery_id: The webhook-id that the receiver sees, equal at every try: the event_id of what was
            extracted, or a UUIDv5 of the place of the dead letter.
        source: System that sent the note and is told: 1 to 40 of a-z, 0-9 and hyphen.
        note_id: Identity of the note within its source; empty where the refused note has none.
        revision: The revision that was read; 0 where a refused note has none.
        kind: EXTRACTED: its entities. REFUSED: the reason.
        body: The JSON that is sent, byte for byte. It holds words of the note.
        occurred_at: When the outcome was written, UTC.
        encryption_key_id: Key under which text fields are encrypted. Null while they are in clear.
        sealed: The record's texts, encrypted under encryption_key_id. Null while they are in clear; text fields
            are empty where it is set.
    """

    SCHEMA_NAME: ClassVar[str] = "WebhookDelivery"

    delivery_id: str
    source: str
    note_id: str
    revision: int
    kind: DeliveryKind
    body: str
    occurred_at: int
    encryption_key_id: str | None = None
    sealed: bytes | None = None

    def __new__(
        cls,
        *,
        delivery_id: str,
        source: str,
        note_id: str,
        revision: int,
        kind: DeliveryKind,
        body: str,
        occurred_at: int,
        encryption_key_id: str | None = None,
        sealed: bytes | None = None,
    ) -> Self:
        self: Any = _new(twins.WebhookDelivery)
        self.delivery_id = delivery_id
        self.source = source
        self.note_id = note_id
        self.revision = revision
        self.kind = kind
        self.body = body
        self.occurred_at = occurred_at
        self.encryption_key_id = encryption_key_id
        self.sealed = sealed
        self.__class__ = cls
        return self
