"""The three kinds of documents, and what each of them asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rxtract_fhir.codings import ICD10, SNOMED, Guide
from rxtract_fhir.errors import FhirRefused
from rxtract_fhir.kinds import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

ABDM = "https://nrces.in/ndhm/fhir/r4/StructureDefinition/"
"""What the addresses of ABDM's profiles begin with."""

LOINC = "http://loinc.org"
PROFILED = frozenset(
    [
        "Patient",
        "Practitioner",
        "Encounter",
        "Condition",
        "MedicationRequest",
        "MedicationStatement",
        "Procedure",
        "ServiceRequest",
        "AllergyIntolerance",
        "FamilyMemberHistory",
    ]
)
"""Resources for which ABDM has a profile of the same name."""

_SNOMED_ALONE = frozenset((SNOMED,))
_ICD_TOO = frozenset((SNOMED, ICD10))


@dataclass(frozen=True, slots=True)
class Heading:
    """A section's title and its code."""

    title: str
    system: str
    code: str
    display: str = ""

    def concept(self) -> dict[str, Any]:
        """Return the code as a CodeableConcept."""
        coding = {"system": self.system, "code": self.code}
        if self.display:
            coding["display"] = self.display
        return {"coding": [coding]}


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of document.

    Attributes:
        name: As the command line and the HTTP door call it.
        record: Name of ABDM's profile of the Composition; empty for plain R4.
        kind: Title and code of the document.
        sections: In the order of the document. What has no section is not in it.
    """

    name: str
    record: str
    kind: Heading
    sections: Mapping[Section, Heading]

    def systems(self, resource: str, guide: Guide) -> frozenset[str] | None:
        """Return which code systems a resource's code may be of; None: any."""
        if not self.record:
            return None
        return _ICD_TOO if resource == "Condition" and guide is Guide.NOW else _SNOMED_ALONE


def _abdm(title: str, code: str, display: str) -> Heading:
    return Heading(title, SNOMED, code, display)


_PRESCRIPTION = _abdm("Prescription record", "440545006", "Prescription record")

PROFILES: Mapping[str, Profile] = {
    one.name: one
    for one in (
        Profile(
            "op-consult",
            "OPConsultRecord",
            _abdm("Consultation Report", "371530004", "Clinical consultation report"),
            {
                Section.PROBLEMS: _abdm("Chief complaints", "422843007", "Chief complaint section"),
                Section.ALLERGIES: _abdm("Allergies", "722446000", "Allergy record"),
                Section.HISTORY: _abdm("Medical history", "371529009", "History and physical report"),
                Section.FAMILY: _abdm("Family history", "422432008", "Family history section"),
                Section.ORDERS: _abdm("Investigation advice", "721963009", "Order document"),
                Section.MEDICATIONS: _abdm("Medications", "721912009", "Medication summary document"),
                Section.PROCEDURES: _abdm("Procedures", "371525003", "Clinical procedure report"),
            },
        ),
        Profile("prescription", "PrescriptionRecord", _PRESCRIPTION, {Section.MEDICATIONS: _PRESCRIPTION}),
        Profile(
            "r4",
            "",
            Heading("Consultation note", LOINC, "11488-4"),
            {
                Section.PROBLEMS: Heading("Problems", LOINC, "11450-4"),
                Section.ALLERGIES: Heading("Allergies", LOINC, "48765-2"),
                Section.HISTORY: Heading("Past history", LOINC, "11348-0"),
                Section.FAMILY: Heading("Family history", LOINC, "10157-6"),
                Section.ORDERS: Heading("Planned procedures", LOINC, "18776-5"),
                Section.MEDICATIONS: Heading("Medications", LOINC, "10160-0"),
                Section.PROCEDURES: Heading("Procedures", LOINC, "47519-4"),
            },
        ),
    )
}


def profile_named(name: str) -> Profile:
    """Return a profile.

    Raises:
        FhirRefused: There is none of this name.
    """
    found = PROFILES.get(name)
    if found is None:
        raise FhirRefused(f"unknown profile {name[:40]!r}: give one of {', '.join(PROFILES)}")
    return found


def guide_named(name: str) -> Guide:
    """Return the rules of a version of ABDM's guide: the newest known one that is not newer, so "6.5" and "7" are 6.5.0.

    Raises:
        FhirRefused: It is no version.
    """
    major = name.strip().split(".")[0]
    if not (major.isascii() and major.isdigit()):
        raise FhirRefused(f"{name[:40]!r} is no version of ABDM's guide: known are {', '.join(Guide)}")
    return Guide.OLD if int(major) < 6 else Guide.NOW
