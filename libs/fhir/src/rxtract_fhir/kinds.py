"""What becomes of an entity: which resource, by what the note says of it. What is not in the table below is left out.

A document that leaves something out is incomplete, one that states what nobody stated is wrong: what was not judged, what is
hypothetical and what is another person's is never a statement about the patient.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rxtract_fhir.notes import Entity


class Section(StrEnum):
    """Parts of a document."""

    PROBLEMS = "problems"
    ALLERGIES = "allergies"
    HISTORY = "history"
    FAMILY = "family"
    ORDERS = "orders"
    MEDICATIONS = "medications"
    PROCEDURES = "procedures"


class Kind(NamedTuple):
    """A resource, where it stands, its status and what the reader is told beside the mention.

    Attributes:
        status: Of Condition the clinical status, empty where it has none.
        verification: Of Condition; of a request its intent.
        remark: In words, empty for what is simply so.
    """

    resource: str
    section: Section
    status: str
    verification: str = ""
    remark: str = ""


_CONDITIONS = {
    ("PRESENT", "CURRENT"): Kind("Condition", Section.PROBLEMS, "active", "confirmed"),
    ("PRESENT", "HISTORICAL"): Kind("Condition", Section.HISTORY, "resolved", "confirmed", "in the past"),
    ("POSSIBLE", "CURRENT"): Kind("Condition", Section.PROBLEMS, "active", "unconfirmed", "unconfirmed"),
    ("POSSIBLE", "HISTORICAL"): Kind("Condition", Section.HISTORY, "resolved", "unconfirmed", "unconfirmed, in the past"),
}  # fmt: skip
_REFUTED = {
    ("NEGATED", "CURRENT"): Kind("Condition", Section.PROBLEMS, "", "refuted", "refuted: the patient does not have it"),
    ("NEGATED", "HISTORICAL"): Kind("Condition", Section.HISTORY, "", "refuted", "refuted: the patient did not have it"),
}  # fmt: skip
_DRUGS = {
    ("PRESENT", "CURRENT"): Kind("MedicationRequest", Section.MEDICATIONS, "active", "order"),
    ("PRESENT", "PLANNED"): Kind("MedicationRequest", Section.MEDICATIONS, "active", "plan", "planned"),
    ("PRESENT", "HISTORICAL"): Kind("MedicationStatement", Section.MEDICATIONS, "completed", remark="no longer taken"),
}
_DONE = {
    ("PRESENT", "CURRENT"): Kind("Procedure", Section.PROCEDURES, "in-progress"),
    ("PRESENT", "PLANNED"): Kind("ServiceRequest", Section.ORDERS, "active", "plan", "planned"),
    ("PRESENT", "HISTORICAL"): Kind("Procedure", Section.HISTORY, "completed", remark="in the past"),
}
_ALLERGY = Kind("AllergyIntolerance", Section.ALLERGIES, "active", "unconfirmed", "allergy")
_FAMILY = Kind("FamilyMemberHistory", Section.FAMILY, "partial", remark="in the family")
_DRUG_REFUSED = Kind("MedicationStatement", Section.MEDICATIONS, "not-taken", remark="refused")
_DONE_REFUSED = Kind("Procedure", Section.PROCEDURES, "not-done", remark="refused")
_DRUG_NEGATED = Kind("MedicationStatement", Section.MEDICATIONS, "not-taken", remark="not taken")
_DONE_NEGATED = Kind("Procedure", Section.PROCEDURES, "not-done", remark="not done")
_JUDGED = frozenset(("CURRENT", "HISTORICAL", "PLANNED"))


def kind_of(entity: Entity, *, drug: bool, refuted: bool) -> Kind | None:
    """Return what an entity becomes, None for nothing.

    `drug`: of a treatment, whether it is one. `refuted`: state also what the note denies, as refuted, not taken or not done.
    """
    if entity.time not in _JUDGED:
        return None
    if entity.label == "DISEASE":
        return _disease(entity, refuted=refuted)
    if entity.label != "TREATMENT" or entity.experiencer != "PATIENT":
        return None
    return _treatment(entity, drug=drug, refuted=refuted)


def _disease(entity: Entity, *, refuted: bool) -> Kind | None:
    said = entity.status, entity.time
    if entity.experiencer == "FAMILY":
        return _FAMILY if entity.status == "PRESENT" and entity.time != "PLANNED" else None
    if entity.experiencer != "PATIENT":
        return None
    return _CONDITIONS.get(said) or (_REFUTED.get(said) if refuted else None)


def _treatment(entity: Entity, *, drug: bool, refuted: bool) -> Kind | None:
    if entity.status == "ALLERGY":
        return _ALLERGY
    if entity.status == "REFUSED":
        return _DRUG_REFUSED if drug else _DONE_REFUSED
    if entity.status == "NEGATED" and refuted and entity.time != "PLANNED":
        return _DRUG_NEGATED if drug else _DONE_NEGATED
    return (_DRUGS if drug else _DONE).get((entity.status, entity.time))
