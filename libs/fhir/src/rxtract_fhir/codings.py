"""Which codes a document may carry: the code systems that its profile allows, and one code of a system for one thing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rxtract_fhir.notes import Note

SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
UCUM = "http://unitsofmeasure.org"
LONGEST_DISPLAY = 500


class Guide(StrEnum):
    """The version of India's implementation guide (NRCeS) whose rules about code systems a document keeps.

    2.0.1 allows SNOMED CT alone. 6.5.0 allows ICD-10 beside it in Condition.
    """

    OLD = "2.0.1"
    NOW = "6.5.0"


class Code(NamedTuple):
    """A code of a system, and its name in that system; `display` may be empty."""

    system: str
    code: str
    display: str = ""


class Codes(NamedTuple):
    """The codes of a note's mentions by entity id, and the version of the tables that gave them."""

    of: Mapping[str, tuple[Code, ...]]
    version: str = ""


NO_CODES = Codes({})


class _Coding(Protocol):
    @property
    def system(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def display(self) -> str: ...


class _Coded(Protocol):
    @property
    def codings(self) -> Sequence[_Coding]: ...


class Coder(Protocol):
    """What `terminology.Coder` offers."""

    @property
    def version(self) -> str:
        """The versions of its tables."""
        ...

    def code(self, text: str, label: str | None = None, /) -> _Coded | None:
        """Return the codes of a mention, or None where none is sure enough."""
        ...


def coded(note: Note, coder: Coder) -> Codes:
    """Return the codes of all mentions of a note that have one."""
    found = {one.entity_id: coder.code(one.words, one.label) for one in note.entities}
    return Codes(
        {
            entity_id: tuple(Code(one.system, one.code, one.display) for one in answer.codings)
            for entity_id, answer in found.items()
            if answer is not None
        },
        coder.version,
    )


def given_codes(entities: Iterable[Mapping[str, Any]]) -> Codes:
    """Return the codes that entities came with, as lists `codes` of {system, code, display, version}; none where there are none."""
    given = {one["entity_id"]: one["codes"] for one in entities if one.get("codes")}
    versions = sorted({str(code["version"]) for codes in given.values() for code in codes if code.get("version")})
    of = {
        entity_id: tuple(Code(one["system"], one["code"], one.get("display") or "") for one in codes)
        for entity_id, codes in given.items()
    }
    return Codes(of, ",".join(versions))


def by_thing(codes: Iterable[Code], allowed: frozenset[str] | None) -> list[list[dict[str, Any]]]:
    """Return codings for each thing that a mention names; all of one thing mean the same, as a CodeableConcept wants.

    Two codes of one system are two things ("DM, HTN"; the substances of a combination). Their order pairs them over systems
    only where every system has as many. `allowed` None: any system.
    """
    of_system: dict[str, list[dict[str, Any]]] = {}
    for one in codes:
        if allowed is None or one.system in allowed:
            of_system.setdefault(one.system, []).append(coding(one))
    if not of_system:
        return []
    most = max(map(len, of_system.values()))
    columns = [column for column in of_system.values() if len(column) == most]
    return [list(row) for row in zip(*columns, strict=True)]


def coding(one: Code) -> dict[str, Any]:
    """Return a FHIR Coding."""
    found = {"system": one.system, "code": one.code}
    if one.display:
        found["display"] = one.display[:LONGEST_DISPLAY]
    return found
