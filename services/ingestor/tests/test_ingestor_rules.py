"""The validator of both doors: what passes, and that everything else is refused with the right reason."""

import dataclasses
import unicodedata
from typing import Any

import pytest
from contracts.reasons import Reason
from contracts.records import NoteSubmitted, Origin
from contracts.rules import DAY_MS, MILLIS_2000, NoteLimits, violations
from hypothesis import given
from hypothesis import strategies as st
from ingestor.domain.acceptance import Acceptance, NoteRefused
from runtime.service.pseudonyms import Pseudonyms

NOW_MS = 1_790_000_000_000
NOTE = NoteSubmitted(
    source="clinic-app",
    note_id="N1",
    revision=1,
    prescription_id="RX1",
    patient_ref="P1",
    doctor_ref="D1",
    city="Pune",
    specialty="general medicine",
    written_at=NOW_MS,
    text="c/o fever x 3 days",
)
ACCEPTANCE = Acceptance(NoteLimits(), Pseudonyms(b"k" * 32))


def faults_of(**changes: Any) -> list[tuple[str, Reason]]:
    note = dataclasses.replace(NOTE, **changes)
    return [(fault.field, fault.reason) for fault in violations(note, NoteLimits(), NOW_MS)]


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "fever\tfor\r\n3 days\n",
        "\ufeffstarts with a byte order mark",
        "बुखार तीन दिन से",
        "حمى لمدة ثلاثة أيام",
        "e\u0301 combining, \U0001f637 emoji, \U0001f468\u200d\u2695\ufe0f joined",
        "x" * 1_048_576,
        "a " * 99_999,
    ],
)
def test_legal_texts(text: str) -> None:
    assert faults_of(text=text) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.EMPTY_TEXT),
        (" \t\r\n\u3000", Reason.EMPTY_TEXT),
        ("x" * 1_048_577, Reason.TEXT_TOO_LONG),
        ("a " * 100_000, Reason.TOO_MANY_TOKENS),
        ("," * 100_000, Reason.TOO_MANY_TOKENS),
        ("fever\x00", Reason.ILLEGAL_CHARACTERS),
        ("fever\x0b", Reason.ILLEGAL_CHARACTERS),
        ("fever\x1b[31m", Reason.ILLEGAL_CHARACTERS),
        ("fever\x7f", Reason.ILLEGAL_CHARACTERS),
        ("fever\x85", Reason.ILLEGAL_CHARACTERS),
        ("fever\ud800", Reason.ILLEGAL_CHARACTERS),
    ],
)
def test_illegal_texts(text: str, reason: Reason) -> None:
    assert faults_of(text=text) == [("text", reason)]


@pytest.mark.parametrize("written_at", [MILLIS_2000, NOW_MS, NOW_MS + DAY_MS])
def test_possible_times(written_at: int) -> None:
    assert faults_of(written_at=written_at) == []


@pytest.mark.parametrize("written_at", [MILLIS_2000 - 1, 0, -1, NOW_MS // 1000, NOW_MS + DAY_MS + 1, 2**62])
def test_impossible_times(written_at: int) -> None:
    assert faults_of(written_at=written_at) == [("written_at", Reason.IMPOSSIBLE_TIME)]


@pytest.mark.parametrize(("revision", "legal"), [(1, True), (2**31 - 1, True), (0, False), (-1, False), (2**31, False)])
def test_revisions(revision: int, *, legal: bool) -> None:
    assert faults_of(revision=revision) == ([] if legal else [("revision", Reason.OUT_OF_RANGE)])


@pytest.mark.parametrize(
    "field",
    [
        "note_id",
        "prescription_id",
        "patient_ref",
        "doctor_ref",
        "city",
        "specialty",
        "language",
        "purpose",
        "consent_artefact_id",
    ],
)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", Reason.MISSING_FIELD),
        ("  ", Reason.MISSING_FIELD),
        ("x" * 257, Reason.OUT_OF_RANGE),
        ("two\nlines", Reason.ILLEGAL_CHARACTERS),
        ("nul\x00", Reason.ILLEGAL_CHARACTERS),
        ("lone\ud800", Reason.ILLEGAL_CHARACTERS),
    ],
)
def test_names(field: str, value: str, reason: Reason) -> None:
    as_if_left_out = value == "" and field in {"purpose", "consent_artefact_id"}
    assert faults_of(**{field: value}) == ([] if as_if_left_out else [(field, reason)])


def test_long_names_that_are_each_short_enough_are_legal() -> None:
    assert faults_of(note_id="n" * 256, patient_ref="p" * 256, city="x\u200dy") == []


@pytest.mark.parametrize(
    ("field", "value"), [("pseudonym_key_id", "k1"), ("encryption_key_id", "k1"), ("sealed", b"\x01"), ("sealed", b"")]
)
def test_what_was_made_unreadable_elsewhere_is_refused(field: str, value: object) -> None:
    assert faults_of(**{field: value}) == [(field, Reason.INVALID_RECORD)]


@pytest.mark.parametrize("source", ["a", "clinic-app", "0", "-", "s" * 40])
def test_valid_sources(source: str) -> None:
    assert faults_of(source=source) == []


@pytest.mark.parametrize(
    "source",
    ["", " ", "s" * 41, "Clinic", "clinic_app", "rx|7", "two words", "line\n", "\u0661", "cl\u00ednica", "\ud800"],
)
def test_invalid_sources(source: str) -> None:
    assert faults_of(source=source) == [("source", Reason.INVALID_SOURCE)]


def test_all_faults_are_told() -> None:
    assert faults_of(text="", revision=0, city="") == [
        ("text", Reason.EMPTY_TEXT),
        ("revision", Reason.OUT_OF_RANGE),
        ("city", Reason.MISSING_FIELD),
    ]


def test_an_accepted_note_has_pseudonyms_and_keeps_the_rest() -> None:
    note = dataclasses.replace(NOTE, origin=Origin.BACKFILL, purpose="care", consent_artefact_id="C1", language="hi")
    accepted = ACCEPTANCE.accept(note, now_ms=NOW_MS)
    assert (accepted.note_id, accepted.revision, accepted.written_at) == ("N1", 1, NOW_MS)
    assert (accepted.origin, accepted.purpose, accepted.consent_artefact_id) == (Origin.BACKFILL, "care", "C1")
    assert (accepted.source, accepted.accepted_at, accepted.language) == ("clinic-app", NOW_MS, "hi")
    assert accepted.pseudonym_key_id == ACCEPTANCE.pseudonyms.key_id
    references = {accepted.prescription_ref, accepted.patient_ref, accepted.doctor_ref}
    assert len(references) == 3
    assert all(len(reference) == 32 and int(reference, 16) for reference in references)
    assert not {"RX1", "P1", "D1"} & references


def test_text_is_normalised() -> None:
    accepted = ACCEPTANCE.accept(dataclasses.replace(NOTE, text="Me\u0301nie\u0300re"), now_ms=NOW_MS)
    assert accepted.text == "M\u00e9ni\u00e8re"


def test_a_refusal_carries_no_value() -> None:
    with pytest.raises(NoteRefused) as refused:
        ACCEPTANCE.accept(dataclasses.replace(NOTE, text="secret\x00"), now_ms=NOW_MS)
    assert "secret" not in str(refused.value)


@given(st.text())
def test_any_text_is_judged_and_what_is_accepted_can_be_written(text: str) -> None:
    try:
        accepted = ACCEPTANCE.accept(dataclasses.replace(NOTE, text=text), now_ms=NOW_MS)
    except NoteRefused:
        return
    assert accepted.text.encode("utf-8").decode("utf-8") == unicodedata.normalize("NFC", text)
