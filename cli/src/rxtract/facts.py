"""What was found in a note, in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clinical_ner.meaning import Experiencer, Status, Time

if TYPE_CHECKING:
    from clinical_ner.meaning import Assertion, Prescription
    from contracts.records import Assertion as RecordAssertion

_EVERY = {"h": "hour", "d": "day", "wk": "week", "mo": "month"}


def unusual_words(assertion: Assertion | RecordAssertion) -> list[str]:
    """Return status, time and experiencer, of a model's assertion or a record's, where they are not present, current and the patient's."""
    values = (assertion.status, assertion.time, assertion.experiencer)
    usual = (Status.PRESENT, Time.CURRENT, Experiencer.PATIENT)
    return [str(value).lower() for value, plain in zip(values, usual, strict=True) if str(value) != str(plain)]


def assertion_words(assertion: Assertion, text: str) -> str:
    """Return what an assertion says beyond the patient's present fact, with the words that decided; may be empty."""
    words = unusual_words(assertion)
    if words and assertion.cue_start >= 0:
        words.append(f"by {text[assertion.cue_start : assertion.cue_end]!r}")
    return " ".join(words)


def prescription_words(prescription: Prescription) -> str:
    """Return a prescription as one readable phrase."""
    parts = [prescription.form, prescription.strength]
    parts += [f"dose {prescription.dose}"] if prescription.dose else []
    if prescription.frequency and prescription.period and prescription.period_unit:
        unit = _EVERY[prescription.period_unit]
        every = unit if prescription.period == 1 else f"{prescription.period} {unit}s"
        parts.append(f"{prescription.frequency} x per {every}")
    parts.append({"AC": "before food", "PC": "after food", "HS": "at bedtime"}.get(prescription.when or ""))
    parts.append("as needed" if prescription.as_needed else None)
    if prescription.duration and prescription.duration_unit:
        unit = _EVERY[prescription.duration_unit]
        parts.append(f"for {prescription.duration} {unit}{'s' if prescription.duration > 1 else ''}")
    parts.append(prescription.route)
    return ", ".join(part for part in parts if part)
