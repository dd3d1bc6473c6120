"""Code systems: their identifiers as FHIR writes them, and what a code of each looks like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from terminology.errors import TerminologyRefused

ICD10 = "http://hl7.org/fhir/sid/icd-10"
UNII = "http://fdasis.nlm.nih.gov"


@dataclass(frozen=True, slots=True)
class System:
    """A code system: its short name for the command line, its identifier, the shape of a code, and an example."""

    name: str
    uri: str
    shape: re.Pattern[str]
    example: str
    checked: bool = False

    def accepts(self, code: str) -> bool:
        """Return whether `code` can be one of this system; SNOMED CT's check digit is verified."""
        return bool(self.shape.fullmatch(code)) and (not self.checked or verhoeff(code))


SYSTEMS = (
    System("icd-10", ICD10, re.compile(r"[A-Z]\d\d(\.\d{1,2})?"), "E11.9"),
    System("unii", UNII, re.compile(r"[0-9A-Z]{10}"), "9100L32L2N"),
    System("snomed", "http://snomed.info/sct", re.compile(r"[1-9]\d{5,17}"), "73211009", checked=True),
    System("rxnorm", "http://www.nlm.nih.gov/research/umls/rxnorm", re.compile(r"[1-9]\d{0,7}"), "6809"),
    System("atc", "http://www.whocc.no/atc", re.compile(r"[A-Z](\d\d([A-Z]([A-Z](\d\d)?)?)?)?"), "A10BA02"),
    # NRCeS' Common Drug Codes for India are identifiers of SNOMED CT's Indian drug extension.
    System("nrces", "http://snomed.info/sct", re.compile(r"[1-9]\d{5,17}"), "73211009", checked=True),
    System(
        "icd-10-cm", "http://hl7.org/fhir/sid/icd-10-cm", re.compile(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?"), "E11.65"
    ),
    System("icd-11", "http://id.who.int/icd/release/11/mms", re.compile(r"[0-9A-Z]{2,6}(\.[0-9A-Z]{1,3})?"), "5A11"),
)
_OWN = re.compile(r"(?:https?://|urn:)[^\s<>\"]{3,200}")
_OWN_CODE = re.compile(r"[^\s<>|\"]{1,64}")


def system_of(name: str) -> System:
    """Return the system of a short name or an identifier; an identifier of a customer's own begins with https:// or urn:.

    Raises:
        TerminologyRefused: for anything else.
    """
    for system in SYSTEMS:
        if name.lower() == system.name or name == system.uri:
            return system
    if _OWN.fullmatch(name):
        return System(name, name, _OWN_CODE, "A-1")
    known = [system.name for system in SYSTEMS]
    near = get_close_matches(name.lower(), known, 1, 0.6)
    meant = f"did you mean {near[0]}? Known" if near else "known"
    raise TerminologyRefused(
        f"unknown code system {name!r}: {meant} are {', '.join(known)}; a system of your own is named by its https:// or urn: identifier"
    )


_TIMES = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_MOVED = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def verhoeff(digits: str) -> bool:
    """Return whether the last of `digits` is their check digit, as every SNOMED CT identifier ends."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_TIMES[check][int(_MOVED[place % 8][int(digit)])])
    return check == 0
