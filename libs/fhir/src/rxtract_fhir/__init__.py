"""FHIR R4 documents of extracted notes: ABDM's OPConsultRecord and PrescriptionRecord, and plain R4.

    from rxtract_fhir import as_bytes, coded, document, of_event
    from terminology import Coder

    note = of_event(event)                                  # a record of entities.extracted.v1
    bundle = document(note, "op-consult", coded(note, Coder.open()))
    as_bytes(bundle)                                        # the same bytes each time

All of it is pure: no clock, no network, no text of the note beyond the mentions.
"""

from rxtract_fhir.bundles import as_bytes, document
from rxtract_fhir.checks import Problem, check
from rxtract_fhir.codings import NO_CODES, Code, Codes, Guide, coded, given_codes
from rxtract_fhir.errors import FhirRefused
from rxtract_fhir.notes import Found, Model, Note, of_event, of_found, of_row
from rxtract_fhir.profiles import PROFILES, guide_named, profile_named

__all__ = [
    "NO_CODES",
    "PROFILES",
    "Code",
    "Codes",
    "FhirRefused",
    "Found",
    "Guide",
    "Model",
    "Note",
    "Problem",
    "as_bytes",
    "check",
    "coded",
    "document",
    "given_codes",
    "guide_named",
    "of_event",
    "of_found",
    "of_row",
    "profile_named",
]
