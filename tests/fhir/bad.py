"""A good Bundle, and the ways in which one is wrong: our check and HAPI's must reject each of them."""

from typing import NamedTuple

from rxtract_fhir import Code, Codes, document
from rxtract_fhir.notes import Directions

from tests.fhir.kinds import drug, entity, note


class Wrong(NamedTuple):
    """How to spoil a good Bundle, what our check then says, and whether base R4 says so too (else ABDM's profiles do)."""

    spoil: object
    words: str
    in_r4: bool = True


def good():
    """An OPConsultRecord with a condition and a drug."""
    way = Directions("tablet", "500 mg", "1 tablet", 2, 1, "d", "PC", None, 10, "d", "oral")
    said = note(entity(1), drug(2, directions=way), relations=[("TREATS", "e2", "e1")])
    given = Codes({"e1": (Code("http://snomed.info/sct", "44054006", "Type 2 diabetes mellitus"),)}, "t1")
    return document(said, "op-consult", given)


def of(bundle, name):
    return next(one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == name)


def _swap(bundle, name, **values):
    of(bundle, name).update(values)


def _repeat(bundle):
    return of(bundle, "MedicationRequest")["dosageInstruction"][0]["timing"]["repeat"]


BAD = {
    "bad status": Wrong(lambda b: _swap(b, "MedicationRequest", status="foo"), "bad status"),
    "bad verification": Wrong(lambda b: of(b, "Condition")["verificationStatus"]["coding"][0].update(code="maybe"), "bad status"),
    "bad Composition status": Wrong(lambda b: _swap(b, "Composition", status="done"), "bad status"),
    "dangling reference": Wrong(lambda b: b["entry"].pop(1), "dangling reference"),
    "dangling contained": Wrong(lambda b: of(b, "MedicationRequest")["subject"].update(reference="#p"), "dangling reference"),
    "no Composition": Wrong(lambda b: b["entry"].pop(0), "no Composition"),
    "Composition not first": Wrong(lambda b: b["entry"].append(b["entry"].pop(0)), "no Composition"),
    "unknown periodUnit": Wrong(lambda b: _repeat(b).update(periodUnit="fortnight"), "unknown periodUnit"),
    "no periodUnit": Wrong(lambda b: _repeat(b).pop("periodUnit"), "period and periodUnit"),
    "wrong code system": Wrong(lambda b: of(b, "Condition")["code"]["coding"][0].update(system="http://hl7.org/fhir/sid/icd-10-cm"), "wrong code system", in_r4=False),
    "wrong status system": Wrong(lambda b: of(b, "Condition")["clinicalStatus"]["coding"][0].update(system="http://example.org/status"), "wrong code system"),
    "missing requester": Wrong(lambda b: of(b, "MedicationRequest").pop("requester"), "missing requester", in_r4=False),
    "missing dosage": Wrong(lambda b: of(b, "MedicationRequest").pop("dosageInstruction"), "missing dosageInstruction", in_r4=False),
    "missing subject": Wrong(lambda b: of(b, "MedicationRequest").pop("subject"), "missing subject"),
    "missing medication": Wrong(lambda b: of(b, "MedicationRequest").pop("medicationCodeableConcept"), "missing medicationCodeableConcept"),
    "bad date": Wrong(lambda b: _swap(b, "MedicationRequest", authoredOn="2026-13-45"), "bad date"),
    "no such day": Wrong(lambda b: _swap(b, "Condition", recordedDate="2026-02-30"), "bad date"),
    "bad timestamp": Wrong(lambda b: b.update(timestamp="2026-11-30"), "bad date"),
    "duplicate fullUrl": Wrong(lambda b: b["entry"][5].update(fullUrl=b["entry"][6]["fullUrl"]), "duplicate fullUrl"),
    "empty entry": Wrong(lambda b: b["entry"].insert(5, {}), "empty entry"),
    "empty section entry": Wrong(lambda b: of(b, "Composition")["section"][0].update(entry=[]), "empty entry"),
    "no entry": Wrong(lambda b: b["entry"].clear(), "has no entry"),
}  # fmt: skip
