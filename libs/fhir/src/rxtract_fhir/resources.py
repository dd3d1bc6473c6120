"""The resources of a document as plain dicts, made anew for each one: whoever gets them may change them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from rxtract_fhir.codings import by_thing
from rxtract_fhir.dosage import dosage
from rxtract_fhir.identity import Identities, stable_id
from rxtract_fhir.notes import words_of, written
from rxtract_fhir.profiles import ABDM, PROFILED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rxtract_fhir.codings import Code, Codes, Guide
    from rxtract_fhir.kinds import Kind
    from rxtract_fhir.notes import Entity, Note
    from rxtract_fhir.profiles import Profile

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
WITHHELD = "Withheld"
Resource = dict[str, Any]


class Context(NamedTuple):
    """What all resources of one document share."""

    note: Note
    profile: Profile
    guide: Guide
    codes: Codes
    patient: str
    practitioner: str
    encounter: str
    device: str
    written_at: str
    made_at: str
    ids: Identities

    @classmethod
    def of(cls, note: Note, profile: Profile, guide: Guide, codes: Codes) -> Context:
        """Compute the ids. A patient has one id in all notes; the model, rules and tables have one in all documents."""
        patient = ("pseudonym", note.patient_ref) if note.patient_ref else ("of note", note.source, note.note_id)
        return cls(
            note,
            profile,
            guide,
            codes,
            stable_id("patient", *patient),
            stable_id("practitioner", note.source, note.note_id),
            stable_id("encounter", note.source, note.note_id),
            stable_id("device", *note.model, codes.version),
            written(note.written_at),
            written(note.made_at),
            Identities(note.identity, profile.name, guide.value, codes.version),
        )


class Stated(NamedTuple):
    """An entity, or one thing of several that it names, on its way into a document."""

    entity: Entity
    kind: Kind
    id: str
    codings: list[dict[str, Any]]

    @property
    def line(self) -> str:
        """What a reader is shown."""
        remark = self.kind.remark
        return f"{self.entity.words} ({remark})" if remark else self.entity.words


def stated(context: Context, entity: Entity, kind: Kind, codes: Sequence[Code]) -> list[Stated]:
    """Return an entity as what it names: usually one thing, but "DM, HTN" in one mention are two conditions."""
    things = by_thing(codes, context.profile.systems(kind.resource, context.guide)) if codes else []
    if len(things) < 2 or kind.resource != "Condition":
        codings = things[0] if len(things) == 1 else []
        return [Stated(entity, kind, context.ids.of(kind.resource, entity.entity_id), codings)]
    return [
        Stated(entity, kind, context.ids.of(kind.resource, entity.entity_id, str(number)), codings)
        for number, codings in enumerate(things)
    ]


def reference(resource_id: str) -> dict[str, Any]:
    """Return a reference to an entry of the same Bundle."""
    return {"reference": "urn:uuid:" + resource_id}


def narrative(inner: str) -> dict[str, Any]:
    """Return a generated narrative; `inner` is XHTML."""
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'}


def concept(system: str, code: str) -> dict[str, Any]:
    """Return a CodeableConcept of one of HL7's own systems."""
    return {"coding": [{"system": TERMINOLOGY + system, "code": code}]}


def head(context: Context, resource: str, resource_id: str, line: str) -> Resource:
    """Return what every resource begins with."""
    text = narrative(line if line.isalnum() else escape(line, quote=False))
    if context.profile.record and resource in PROFILED:
        return {"resourceType": resource, "id": resource_id, "meta": {"profile": [ABDM + resource]}, "text": text}
    return {"resourceType": resource, "id": resource_id, "text": text}


def clinical(context: Context, one: Stated, reasons: Sequence[str], reactions: Sequence[str]) -> Resource:
    """Return the resource of a statement.

    Args:
        context: Of the document.
        one: The statement.
        reasons: Ids of the Conditions for which a treatment is given, or was.
        reactions: What an allergy showed itself by, in words.
    """
    found = head(context, one.kind.resource, one.id, one.line)
    _FILL[one.kind.resource](context, one, found, reactions if one.kind.resource == "AllergyIntolerance" else reasons)
    return found


def _code(one: Stated) -> dict[str, Any]:
    return {"coding": one.codings, "text": one.entity.words} if one.codings else {"text": one.entity.words}


def _condition(context: Context, one: Stated, found: Resource, _reasons: Sequence[str]) -> None:
    if one.kind.status:
        found["clinicalStatus"] = concept("condition-clinical", one.kind.status)
    found["verificationStatus"] = concept("condition-ver-status", one.kind.verification)
    found["code"] = _code(one)
    found["subject"] = reference(context.patient)
    found["recordedDate"] = context.written_at


def _medication_request(context: Context, one: Stated, found: Resource, reasons: Sequence[str]) -> None:
    found["status"] = one.kind.status
    found["intent"] = one.kind.verification
    _medication(context, one, found)
    found["subject"] = reference(context.patient)
    found["authoredOn"] = context.written_at
    found["requester"] = reference(context.practitioner)
    _because(found, reasons)
    found["dosageInstruction"] = [dosage(one.entity.directions, snomed=bool(context.profile.record))]


def _medication_statement(context: Context, one: Stated, found: Resource, reasons: Sequence[str]) -> None:
    found["status"] = one.kind.status
    if one.kind.status == "not-taken":
        found["statusReason"] = [{"text": one.kind.remark}]
    _medication(context, one, found)
    found["subject"] = reference(context.patient)
    found["dateAsserted"] = context.written_at
    _because(found, reasons)
    if one.entity.directions is not None and one.kind.status != "not-taken":
        found["dosage"] = [dosage(one.entity.directions, snomed=bool(context.profile.record))]


def _medication(context: Context, one: Stated, found: Resource) -> None:
    """A combination whose substances have codes is a contained Medication: codings of one concept would all mean the same."""
    said = {"text": medicine(one.entity)}
    substances = () if context.profile.record else by_thing(context.codes.of.get(one.entity.entity_id, ()), None)
    if len(substances) < 2:
        found["medicationCodeableConcept"] = {"coding": one.codings, **said} if one.codings else said
        return
    ingredients = [{"itemCodeableConcept": {"coding": codings}} for codings in substances]
    medication: Resource = {"resourceType": "Medication", "id": "medication", "code": said}
    if one.entity.directions is not None and one.entity.directions.form:
        medication["form"] = {"text": one.entity.directions.form}
    # What is contained stands before the elements of the resource itself.
    found["contained"] = [medication | {"ingredient": ingredients}]
    found["medicationReference"] = {"reference": "#medication"}


def medicine(entity: Entity) -> str:
    """Return a drug with its strength and form, where the mention does not hold them already.

    >>> from rxtract_fhir.notes import Directions, Entity
    >>> medicine(Entity("e1", "TREATMENT", "Dolo", "PRESENT", "CURRENT", "PATIENT", Directions("tablet", "650 mg")))
    'Dolo 650 mg tablet'
    """
    if entity.directions is None:
        return entity.words
    squeezed = entity.words.lower().replace(" ", "")
    more = [entity.directions.strength, entity.directions.form]
    return " ".join([entity.words, *(one for one in more if one and one.lower().replace(" ", "") not in squeezed)])


def _because(found: Resource, reasons: Sequence[str]) -> None:
    if reasons:
        found["reasonReference"] = [reference(one) for one in reasons]


def _procedure(context: Context, one: Stated, found: Resource, reasons: Sequence[str]) -> None:
    found["status"] = one.kind.status
    if one.kind.status == "not-done":
        found["statusReason"] = {"text": one.kind.remark}
    found["code"] = _code(one)
    found["subject"] = reference(context.patient)
    _because(found, reasons)


def _service_request(context: Context, one: Stated, found: Resource, reasons: Sequence[str]) -> None:
    found["status"] = one.kind.status
    found["intent"] = one.kind.verification
    found["code"] = _code(one)
    found["subject"] = reference(context.patient)
    found["authoredOn"] = context.written_at
    found["requester"] = reference(context.practitioner)
    _because(found, reasons)


def _allergy(context: Context, one: Stated, found: Resource, reactions: Sequence[str]) -> None:
    found["clinicalStatus"] = concept("allergyintolerance-clinical", one.kind.status)
    found["verificationStatus"] = concept("allergyintolerance-verification", one.kind.verification)
    found["code"] = _code(one)
    found["patient"] = reference(context.patient)
    found["recordedDate"] = context.written_at
    if reactions:
        found["reaction"] = [{"manifestation": [{"text": words} for words in reactions]}]


def _family(context: Context, one: Stated, found: Resource, _reasons: Sequence[str]) -> None:
    found["status"] = one.kind.status
    found["patient"] = reference(context.patient)
    found["date"] = context.written_at
    found["relationship"] = _relative()
    found["condition"] = [{"code": _code(one)}]


def _relative() -> dict[str, Any]:
    """Whose it is the record does not say: only its note does."""
    kind = {"system": TERMINOLOGY + "v3-RoleCode", "code": "FAMMEMB", "display": "family member"}
    return {"coding": [kind], "text": "family member"}


_FILL: Mapping[str, Callable[[Context, Stated, Resource, Sequence[str]], None]] = {
    "Condition": _condition,
    "MedicationRequest": _medication_request,
    "MedicationStatement": _medication_statement,
    "Procedure": _procedure,
    "ServiceRequest": _service_request,
    "AllergyIntolerance": _allergy,
    "FamilyMemberHistory": _family,
}


def patient(context: Context) -> Resource:
    """Return the patient, by pseudonym: the platform knows whose it is and puts the person back."""
    found = head(context, "Patient", context.patient, "Patient, by pseudonym")
    ref = context.note.patient_ref
    system, value = ("urn:rxtract:patient", ref) if ref else (note_system(context.note), note_name(context.note))
    found["identifier"] = [{"type": _type("MR", "Medical record number"), "system": system, "value": value}]
    found["name"] = [{"text": WITHHELD}]
    return found


def practitioner(context: Context) -> Resource:
    """Return who wrote the note: known here by the note alone."""
    found = head(context, "Practitioner", context.practitioner, "The author of the note")
    note = context.note
    kind = _type("MD", "Medical License number")
    found["identifier"] = [{"type": kind, "system": "urn:rxtract:author-of-note:" + note.source, "value": note_name(note)}]  # fmt: skip
    found["name"] = [{"text": WITHHELD}]
    return found


def _type(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": TERMINOLOGY + "v2-0203", "code": code, "display": display}]}


def encounter(context: Context) -> Resource:
    """Return the visit at which the note was written."""
    found = head(context, "Encounter", context.encounter, "The visit at which the note was written")
    found["status"] = "unknown"
    found["class"] = {"system": TERMINOLOGY + "v3-ActCode", "code": "AMB", "display": "ambulatory"}
    found["subject"] = reference(context.patient)
    found["period"] = {"start": context.written_at}
    return found


def device(context: Context) -> Resource:
    """Return the machine: its model, its rules and its tables of codes, by version."""
    model = context.note.model
    found = head(context, "Device", context.device, f"Rxtract: a machine read the note ({model.name})")
    found["deviceName"] = [{"name": "Rxtract", "type": "model-name"}]
    versions = (("model", f"{model.name} {model.version}"), ("rules", model.rules_version), ("codes", context.codes.version))  # fmt: skip
    found["version"] = [{"type": {"text": name}, "value": value} for name, value in versions if value]
    return found


def provenance(context: Context, targets: Iterable[str]) -> Resource:
    """Return by what and from what the resources were made."""
    found = head(
        context, "Provenance", context.ids.of("provenance"), "Made by a machine from a note, not yet confirmed"
    )
    found["target"] = [reference(one) for one in targets]
    found["recorded"] = context.made_at
    found["activity"] = concept("v3-DataOperation", "CREATE")
    who = {"type": concept("provenance-participant-type", "assembler"), "who": reference(context.device)}
    found["agent"] = [who]
    note = context.note
    source = {"system": note_system(note), "value": f"{note_name(note)}/{note.revision}"}
    found["entity"] = [{"role": "source", "what": {"identifier": source}}]
    return found


def note_system(note: Note) -> str:
    """Return the system in which the note's id is one."""
    return "urn:rxtract:note:" + note.source


def note_name(note: Note) -> str:
    """Return the note's id as FHIR can hold it."""
    return words_of(note.note_id) or "-"
