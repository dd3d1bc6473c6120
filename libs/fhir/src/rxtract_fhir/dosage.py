"""How a treatment is taken, as FHIR's Dosage. What the prescription does not say is not there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rxtract_fhir.codings import SNOMED, UCUM

if TYPE_CHECKING:
    from rxtract_fhir.notes import Directions

NOT_WRITTEN = "Not stated"

_NUMBER = r"\d{1,6}(?:\.\d{1,3})?"
_AMOUNT = re.compile(rf"({_NUMBER})(?:-({_NUMBER}))?(?: (\D[^\d]{{0,40}}))?")
_UCUM = {
    "mg": "mg",
    "g": "g",
    "gm": "g",
    "mcg": "ug",
    "ug": "ug",
    "µg": "ug",
    "ml": "mL",
    "iu": "[iU]",
}
_SPELT = {"mL": "mL", "[iU]": "IU", "ug": "ug"}
_COUNTED = frozenset(
    ("tablet", "capsule", "sachet", "suppository", "pessary", "lozenge", "patch", "rotacap", "respule")
)
"""Forms of which a bare number of a dose counts pieces."""

_EVERY = {"h": "hour", "d": "day", "wk": "week", "mo": "month"}
_WHENS = {"AC": "before food", "PC": "after food", "HS": "at bedtime"}
_ROUTES = {
    "oral": ("26643006", "Oral route"),
    "intravenous": ("47625008", "Intravenous route"),
    "intramuscular": ("78421000", "Intramuscular route"),
    "subcutaneous": ("34206005", "Subcutaneous route"),
    "inhalation": ("447694001", "Respiratory tract route"),
    "nasal": ("46713006", "Nasal route"),
    "ophthalmic": ("54485002", "Ophthalmic route"),
    "otic": ("10547007", "Otic route"),
    "topical": ("6064005", "Topical route"),
    "sublingual": ("37839007", "Sublingual route"),
    "rectal": ("37161004", "Rectal route"),
    "vaginal": ("16857009", "Vaginal route"),
}


def dosage(directions: Directions | None, *, snomed: bool) -> dict[str, Any]:
    """Return one FHIR Dosage; `snomed`: with the route's SNOMED CT code."""
    if directions is None:
        return {"text": NOT_WRITTEN}
    found: dict[str, Any] = {"text": sentence(directions) or NOT_WRITTEN}
    if repeat := _repeat(directions):
        found["timing"] = {"repeat": repeat}
    if directions.as_needed:
        found["asNeededBoolean"] = True
    if directions.route:
        found["route"] = _route(directions.route, snomed=snomed)
    if directions.dose and (amount := _amount(directions.dose, directions.form)):
        found["doseAndRate"] = [amount]
    return found


def sentence(directions: Directions) -> str:
    """Return the whole prescription in words.

    >>> from rxtract_fhir.notes import Directions
    >>> sentence(Directions(form="tablet", strength="500 mg", frequency=2, period=1, period_unit="d", when="PC"))
    'tablet, 500 mg, 2 times a day, after food'
    """
    of, duration = directions, directions.duration
    parts = [of.form, of.strength, f"dose {of.dose}" if of.dose else None, _often(of), _WHENS.get(of.when or "")]
    parts.append("as needed" if of.as_needed else None)
    if duration and of.duration_unit in _EVERY:
        parts.append(f"for {duration} {_EVERY[of.duration_unit]}{'s' if duration > 1 else ''}")
    parts.append(of.route)
    return ", ".join(part for part in parts if part)


def _often(of: Directions) -> str | None:
    if not (of.frequency and of.period and of.period_unit in _EVERY):
        return None
    times = {1: "once", 2: "2 times"}.get(of.frequency, f"{of.frequency} times")
    unit = _EVERY[of.period_unit]
    if of.period == 1:
        return f"{times} {'an' if unit == 'hour' else 'a'} {unit}"
    return f"{times} in {of.period} {unit}s"


def _repeat(of: Directions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if of.duration and of.duration_unit in _EVERY:
        unit = _EVERY[of.duration_unit]
        found["boundsDuration"] = {"value": of.duration, "unit": unit, "system": UCUM, "code": of.duration_unit}
    if of.frequency and of.period and of.period_unit in _EVERY:
        found["frequency"] = of.frequency
        found["period"] = of.period
        found["periodUnit"] = of.period_unit
    if of.when in _WHENS:
        found["when"] = [of.when]
    return found


def _route(name: str, *, snomed: bool) -> dict[str, Any]:
    known = _ROUTES.get(name) if snomed else None
    if known is None:
        return {"text": name}
    return {"coding": [{"system": SNOMED, "code": known[0], "display": known[1]}], "text": name}


def _amount(dose: str, form: str | None) -> dict[str, Any] | None:
    """Return the dose as a quantity or a range; None where it is written in another way, as the text still says it."""
    found = _AMOUNT.fullmatch(dose)
    if found is None:
        return None
    low, high, unit = found.groups()
    unit = unit or (form if form in _COUNTED else None)
    if high is None:
        return {"doseQuantity": _quantity(low, unit)}
    if float(low) >= float(high):
        return None
    return {"doseRange": {"low": _quantity(low, unit), "high": _quantity(high, unit)}}


def _quantity(number: str, unit: str | None) -> dict[str, Any]:
    value: float | int = float(number) if "." in number else int(number)
    if unit is None:
        return {"value": value}
    code = _UCUM.get(unit.rstrip("."))
    if code is None:
        return {"value": value, "unit": unit}
    return {"value": value, "unit": _SPELT.get(code, code), "system": UCUM, "code": code}
