"""A check of documents that needs no server and no Java: what is most often wrong, one line for each.

It knows the resources that Rxtract writes, and of ABDM's profiles what they ask beyond R4. It is no replacement for HL7's
own validator, which the tests hold every kind of document against; it says at once what would come back from there.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from rxtract_fhir.codings import Guide
from rxtract_fhir.profiles import ABDM, PROFILES
from rxtract_fhir.resources import TERMINOLOGY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DEEPEST = 40


class Problem(NamedTuple):
    """What is wrong, and where, as a path into the Bundle; never a value of it."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class _Shape:
    """What one resource type asks for.

    Attributes:
        needs: Elements that must be there; of a choice such as medication[x] one of the names joined by `|`.
        codes: Elements with a code of a fixed list.
        concepts: Elements with a code of one of HL7's systems, that must be there with that system.
        dates: Elements with a date, or a date and time.
        coded: The element that says what it is about, whose code systems ABDM restricts, as a path.
        abdm: Elements that ABDM asks for beside those.
    """

    needs: tuple[str, ...] = ()
    codes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    concepts: Mapping[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    dates: tuple[str, ...] = ()
    coded: str = ""
    abdm: tuple[str, ...] = ()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_REQUEST = _words("draft active on-hold revoked completed entered-in-error unknown")
_INTENT = _words(
    "proposal plan directive order original-order reflex-order filler-order instance-order option"
)  # fmt: skip
_EVENT = _words("preparation in-progress not-done on-hold stopped completed entered-in-error unknown")
_SHAPES: Mapping[str, _Shape] = {
    "Composition": _Shape(
        ("status", "type", "date", "author", "title"),
        {"status": _words("preliminary final amended entered-in-error")},
        dates=("date",),
        abdm=("subject", "section"),
    ),
    "Patient": _Shape(abdm=("identifier",)),
    "Practitioner": _Shape(abdm=("identifier",)),
    "Encounter": _Shape(
        ("status", "class"),
        {"status": _words("planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown")},
        dates=("period.start", "period.end"),
    ),
    "Device": _Shape(),
    "Condition": _Shape(
        ("subject",),
        concepts={
            "clinicalStatus": (
                "condition-clinical",
                _words("active recurrence relapse inactive remission resolved"),
            ),
            "verificationStatus": (
                "condition-ver-status",
                _words("unconfirmed provisional differential confirmed refuted entered-in-error"),
            ),
        },
        dates=("recordedDate", "onsetDateTime", "abatementDateTime"),
        coded="code",
        abdm=("code",),
    ),
    "MedicationRequest": _Shape(
        ("status", "intent", "subject", "medicationCodeableConcept|medicationReference"),
        {
            "status": _words("active on-hold cancelled completed entered-in-error stopped draft unknown"),
            "intent": _INTENT - {"directive"},
        },
        dates=("authoredOn",),
        coded="medicationCodeableConcept",
        abdm=("requester", "authoredOn", "dosageInstruction"),
    ),
    "MedicationStatement": _Shape(
        ("status", "subject", "medicationCodeableConcept|medicationReference"),
        {"status": _words("active completed entered-in-error intended stopped on-hold unknown not-taken")},
        dates=("dateAsserted", "effectiveDateTime"),
        coded="medicationCodeableConcept",
    ),
    "Procedure": _Shape(
        ("status", "subject"), {"status": _EVENT}, dates=("performedDateTime",), coded="code", abdm=("code",)
    ),
    "ServiceRequest": _Shape(
        ("status", "intent", "subject"),
        {"status": _REQUEST, "intent": _INTENT},
        dates=("authoredOn",),
        coded="code",
        abdm=("requester",),
    ),
    "AllergyIntolerance": _Shape(
        ("patient",),
        concepts={
            "clinicalStatus": ("allergyintolerance-clinical", _words("active inactive resolved")),
            "verificationStatus": (
                "allergyintolerance-verification",
                _words("unconfirmed confirmed refuted entered-in-error"),
            ),
        },
        dates=("recordedDate", "lastOccurrence"),
        coded="code",
        abdm=("code",),
    ),
    "FamilyMemberHistory": _Shape(
        ("status", "patient", "relationship"),
        {"status": _words("partial completed entered-in-error health-unknown")},
        dates=("date",),
        coded="condition.code",
        abdm=("condition",),
    ),
    "Provenance": _Shape(("target", "recorded", "agent"), dates=("recorded",)),
    "Medication": _Shape(
        codes={"status": _words("active inactive entered-in-error")},
    ),
}
_PERIOD_UNITS = _words("s min h d wk mo a")
_BUNDLES = _words("document message transaction transaction-response batch batch-response history searchset collection")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?")


def check(bundle: object, guide: Guide = Guide.NOW) -> list[Problem]:
    """Return what is wrong with a Bundle; nothing: all that is looked at is right.

    `guide`: which version of ABDM's guide the code systems must keep, in a document that says it follows one of its profiles.
    """
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        return [Problem("Bundle", "no Bundle: resourceType must be Bundle")]
    return [*_frame(bundle), *_contents(bundle, guide)]


def _contents(bundle: dict[str, Any], guide: Guide) -> Iterator[Problem]:
    yield from _empties(bundle, "Bundle", _DEEPEST)
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return
    abdm = _follows_abdm(bundle)
    addresses = {str(one.get("fullUrl")) for one in entries if isinstance(one, dict)}
    for number, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        place = f"Bundle.entry[{number}].resource"
        if not isinstance(resource, dict):
            yield Problem(f"Bundle.entry[{number}]", "empty entry: it holds no resource")
            continue
        yield from _resource(resource, place, guide if abdm else None)
        yield from _references(resource, place, addresses)


def _follows_abdm(bundle: Mapping[str, Any]) -> bool:
    first = bundle["entry"][0] if bundle["entry"] else None
    held = first.get("resource") if isinstance(first, dict) else None
    return any(name.startswith(ABDM) for one in (bundle, held) for name in _claimed(one))


def _claimed(resource: object) -> list[str]:
    """Return the profiles that a resource says it follows."""
    meta = resource.get("meta") if isinstance(resource, dict) else None
    return [one for one in _list(meta.get("profile")) if isinstance(one, str)] if isinstance(meta, dict) else []


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _frame(bundle: Mapping[str, Any]) -> Iterator[Problem]:
    """Check the Bundle itself, and that a document begins with its Composition."""
    if not _one_of(bundle.get("type"), _BUNDLES):
        yield Problem("Bundle.type", "unknown type of Bundle")
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not entries:
        yield Problem("Bundle.entry", "the Bundle has no entry")
        return
    urls = Counter(str(one["fullUrl"]) for one in entries if isinstance(one, dict) and one.get("fullUrl"))
    for number, entry in enumerate(entries):
        url = entry.get("fullUrl") if isinstance(entry, dict) else None
        if not isinstance(url, str):
            yield Problem(f"Bundle.entry[{number}].fullUrl", "the entry has no fullUrl")
        elif urls[url] > 1:
            yield Problem(f"Bundle.entry[{number}].fullUrl", "duplicate fullUrl: another entry has the same")
    if bundle.get("type") == "document":
        yield from _document(bundle, entries[0])


def _document(bundle: Mapping[str, Any], first: object) -> Iterator[Problem]:
    held = first.get("resource") if isinstance(first, dict) else None
    if not isinstance(held, dict) or held.get("resourceType") != "Composition":
        yield Problem("Bundle.entry[0]", "no Composition: a document begins with one")
    for name in ("identifier", "timestamp"):
        if name not in bundle:
            yield Problem(f"Bundle.{name}", "a document needs it")
    if "timestamp" in bundle and (not _is_date(bundle["timestamp"]) or "T" not in bundle["timestamp"]):
        yield Problem("Bundle.timestamp", "bad date: an instant such as 2026-11-30T04:00:00.000Z is needed")


def _resource(resource: dict[str, Any], place: str, guide: Guide | None) -> Iterator[Problem]:
    name = resource.get("resourceType")
    shape = _SHAPES.get(name) if isinstance(name, str) else None
    if shape is None:
        yield Problem(place, "not one of the resource types that Rxtract writes: " + ", ".join(_SHAPES))
        return
    for needed in (*shape.needs, *(shape.abdm if guide else ())):
        if not any(one in resource for one in needed.split("|")):
            yield Problem(f"{place}.{needed}", f"missing {needed.split('|')[0]}: {name} needs it")
    yield from _values(resource, shape, place)
    yield from _units(resource, place)
    if guide:
        yield from _systems(resource, shape, place, guide)
        yield from _section_entries(resource, place)
    for number, one in enumerate(_list(resource.get("contained"))):
        if isinstance(one, dict):
            yield from _resource(one, f"{place}.contained[{number}]", guide)


def _values(resource: Mapping[str, Any], shape: _Shape, place: str) -> Iterator[Problem]:
    for name, known in shape.codes.items():
        if name in resource and not _one_of(resource[name], known):
            yield Problem(f"{place}.{name}", f"bad {name}: known are {', '.join(sorted(known))}")
    for name, (system, known) in shape.concepts.items():
        for one in _codings(resource.get(name)):
            if one.get("system") != TERMINOLOGY + system:
                yield Problem(f"{place}.{name}", f"wrong code system: {TERMINOLOGY}{system} is needed")
            elif not _one_of(one.get("code"), known):
                yield Problem(f"{place}.{name}", f"bad status: known are {', '.join(sorted(known))}")
    for path in shape.dates:
        for value in _at(resource, path):
            if not _is_date(value):
                yield Problem(f"{place}.{path}", "bad date: write 2026-11-30T09:30:00+05:30, or less of it")


def _one_of(value: object, known: frozenset[str]) -> bool:
    return isinstance(value, str) and value in known


def _units(resource: Mapping[str, Any], place: str) -> Iterator[Problem]:
    for path, value in _walk(resource, place):
        if path.endswith((".periodUnit", ".durationUnit")) and not _one_of(value, _PERIOD_UNITS):
            yield Problem(path, f"unknown {path.rpartition('.')[2]}: known are {', '.join(sorted(_PERIOD_UNITS))}")
        elif path.endswith(".repeat") and isinstance(value, dict) and ("period" in value) != ("periodUnit" in value):
            yield Problem(path, "period and periodUnit go together")


def _systems(resource: Mapping[str, Any], shape: _Shape, place: str, guide: Guide) -> Iterator[Problem]:
    if not shape.coded:
        return
    allowed = PROFILES["op-consult"].systems(resource["resourceType"], guide) or frozenset()
    for concept in _at(resource, shape.coded):
        if not all(_one_of(one.get("system"), allowed) for one in _codings(concept)):
            known = ", ".join(sorted(allowed))
            yield Problem(f"{place}.{shape.coded}", f"wrong code system: ABDM's profile allows {known}")


def _section_entries(resource: Mapping[str, Any], place: str) -> Iterator[Problem]:
    """Check what ABDM's profile of this Composition asks of its sections."""
    if resource.get("resourceType") != "Composition":
        return
    if not any(one == ABDM + "PrescriptionRecord" for one in _claimed(resource)):
        return
    (heading,) = PROFILES["prescription"].sections.values()
    for number, section in enumerate(_list(resource.get("section"))):
        codes = _codings(section.get("code") if isinstance(section, dict) else None)
        if all(one.get("code") != heading.code for one in codes):
            yield Problem(f"{place}.section[{number}]", "a PrescriptionRecord has the one section Prescription record")


def _references(resource: Mapping[str, Any], place: str, addresses: set[str]) -> Iterator[Problem]:
    own = {f"#{one.get('id')}" for one in _list(resource.get("contained")) if isinstance(one, dict)}
    for path, value in _walk(resource, place):
        if path.endswith(".reference") and not (isinstance(value, str) and (value in addresses or value in own)):
            yield Problem(path, "dangling reference: no entry of the Bundle has this fullUrl")


def _empties(value: object, place: str, depth: int) -> Iterator[Problem]:
    """FHIR knows no empty object, list or string; what is not there is left out."""
    if not depth:
        yield Problem(place, "nested too deep")
        return
    if value is None or value in ({}, [], ""):
        yield Problem(place, "empty entry or element: leave it out")
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _empties(one, f"{place}.{str(name)[:60]}", depth - 1)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _empties(one, f"{place}[{number}]", depth - 1)


def _walk(value: object, place: str, depth: int = _DEEPEST) -> Iterator[tuple[str, object]]:
    if not depth:
        return
    if isinstance(value, dict):
        for name, one in value.items():
            path = f"{place}.{name}"
            yield path, one
            yield from _walk(one, path, depth - 1)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _walk(one, f"{place}[{number}]", depth - 1)


def _at(value: object, path: str) -> list[Any]:
    """Return what stands at a path, through lists."""
    found: list[Any] = [value]
    for name in path.split("."):
        flat = [one for each in found for one in (each if isinstance(each, list) else [each])]
        found = [one[name] for one in flat if isinstance(one, dict) and name in one]
    return found


def _codings(concept: object) -> list[Mapping[str, Any]]:
    held = concept.get("coding") if isinstance(concept, dict) else None
    return [one for one in _list(held) if isinstance(one, dict)]


def _is_date(value: object) -> bool:
    """Tell whether a value is a year, a month, a day, or a moment with its zone, in the calendar."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        if "T" in value:
            datetime.fromisoformat(value)
        else:
            year, month, day = [*map(int, value.split("-")), 1, 1][:3]
            date(year, month, day)
    except ValueError:
        return False
    return True
