"""The one validator of all doors: which notes are valid. Shape (types, unknown fields) is judged by Avro or JSON before."""

import re
import unicodedata
from dataclasses import dataclass

from contracts.identity import is_source
from contracts.reasons import Reason
from contracts.records import NoteSubmitted

MILLIS_2000 = 946_684_800_000
"""2000-01-01T00:00:00Z. No platform note is older; a time before it is a wrong unit (seconds) or a broken clock."""

DAY_MS = 86_400_000
MAX_REVISION = 2**31 - 1

# Control characters but tab, line feed and carriage return; and lone surrogates, which no encoder can write.
_FORBIDDEN_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_FORBIDDEN_IN_NAME = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
TOKEN = re.compile(r"\w+|[^\w\s]")
_NAMES = ("note_id", "prescription_id", "patient_ref", "doctor_ref", "city", "specialty", "language")
_OPTIONAL_NAMES = ("purpose", "consent_artefact_id")
_MADE_UNREADABLE = ("pseudonym_key_id", "encryption_key_id", "sealed")


@dataclass(frozen=True, slots=True)
class NoteLimits:
    """The limits.

    Attributes:
        max_note_chars: Most code points a text may have.
        max_note_tokens: Most words and signs a text may have.
        max_name_chars: Most code points an identity, reference, city or the like may have.
        max_ahead_ms: How far a time may lie in the future, for clocks that go wrong.
        earliest_ms: Before this a time is impossible.
    """

    max_note_chars: int = 1_048_576
    max_note_tokens: int = 99_999
    max_name_chars: int = 256
    max_ahead_ms: int = DAY_MS
    earliest_ms: int = MILLIS_2000


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a note: the field and why, never its value."""

    field: str
    reason: Reason


def violations(note: NoteSubmitted, rules: NoteLimits, now_ms: int) -> list[Violation]:
    """All that is wrong with a note; the text's faults come first. Empty when the note is legal."""
    if _is_plainly_legal(note, rules, now_ms):
        return []
    reasons = [
        ("text", text_fault(note.text, rules)),
        ("written_at", _time_fault(note.written_at, rules, now_ms)),
        ("source", None if is_source(note.source) else Reason.INVALID_SOURCE),
        ("revision", None if 1 <= note.revision <= MAX_REVISION else Reason.OUT_OF_RANGE),
    ]
    reasons += _name_faults(note, rules)
    return [Violation(name, reason) for name, reason in reasons if reason is not None]


def text_fault(text: str, rules: NoteLimits) -> Reason | None:
    """What is wrong with a text; None: nothing."""
    if not text or text.isspace():
        return Reason.EMPTY_TEXT
    if len(text) > rules.max_note_chars:
        return Reason.TEXT_TOO_LONG
    # Printable text has no forbidden character, and asking for that is quicker than the search.
    if not text.isprintable() and _FORBIDDEN_IN_TEXT.search(text) is not None:
        return Reason.ILLEGAL_CHARACTERS
    if _has_more_tokens(text, rules.max_note_tokens):
        return Reason.TOO_MANY_TOKENS
    return None


def _is_plainly_legal(note: NoteSubmitted, rules: NoteLimits, now_ms: int) -> bool:
    """Pass nearly every note quickly; a note that does not pass here is looked at rule by rule."""
    return (
        text_fault(note.text, rules) is None
        and rules.earliest_ms <= note.written_at <= now_ms + rules.max_ahead_ms
        and 1 <= note.revision <= MAX_REVISION
        and is_source(note.source)
        and _names_are_plainly_legal(note, rules)
    )


def _names_are_plainly_legal(note: NoteSubmitted, rules: NoteLimits) -> bool:
    names = (
        note.note_id,
        note.prescription_id,
        note.patient_ref,
        note.doctor_ref,
        note.city,
        note.specialty,
        note.language,
        note.purpose or "-",
        note.consent_artefact_id or "-",
    )
    together = "".join(names)
    return (
        all(names)
        and together.isprintable()
        and len(together) <= rules.max_name_chars
        and not any(map(str.isspace, names))
        and note.pseudonym_key_id is None
        and note.encryption_key_id is None
        and note.sealed is None
    )


def _name_faults(note: NoteSubmitted, rules: NoteLimits) -> list[tuple[str, Reason | None]]:
    faults = [(name, name_fault(getattr(note, name), rules)) for name in _NAMES]
    for name in _OPTIONAL_NAMES:
        value = getattr(note, name)
        faults.append((name, name_fault(value, rules) if value else None))  # empty: as if left out
    # We could not read a text encrypted elsewhere, and a reference must not be made a pseudonym twice.
    return faults + [
        (name, None if getattr(note, name) is None else Reason.INVALID_RECORD) for name in _MADE_UNREADABLE
    ]


def _has_more_tokens(text: str, limit: int) -> bool:
    if len(text) <= limit:
        return False  # a token has at least one character, so ordinary notes are never counted
    return sum(1 for _ in TOKEN.finditer(text)) > limit


def _time_fault(written_at: int, rules: NoteLimits, now_ms: int) -> Reason | None:
    return None if rules.earliest_ms <= written_at <= now_ms + rules.max_ahead_ms else Reason.IMPOSSIBLE_TIME


def name_fault(value: str, rules: NoteLimits) -> Reason | None:
    """What is wrong with an identity, a reference or the like; None: nothing."""
    if not value or value.isspace():
        return Reason.MISSING_FIELD
    if len(value) > rules.max_name_chars:
        return Reason.OUT_OF_RANGE
    return None if _FORBIDDEN_IN_NAME.search(value) is None else Reason.ILLEGAL_CHARACTERS


def normalise(text: str) -> str:
    """The text in Unicode normal form C, so that equal words have equal code points."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)
