"""Placeholders and surrogates: consistent, from a key, nobody's; labels keep their words."""

import pytest
from clinical_ner.notes import AnnotatedNote, Label
from clinical_ner.notes import Span as Labelled
from deid import Surrogates, deidentified, find, replace
from deid.spans import Kind

KEY, OTHER = b"k" * 32, b"o" * 32


def with_surrogates(text, key=KEY, scope=""):
    return replace(text, find(text), Surrogates(key, scope)).text


def test_kinds_stand_in_brackets():
    text = "Name: Ramesh Kumar, 9876543210"
    assert replace(text, find(text)).text == "Name: [NAME], [PHONE]"


def test_a_name_has_one_surrogate_in_a_note_and_under_a_key():
    text = "Mr. Ramesh Kumar came. RAMESH KUMAR is better. Ramesh agreed."
    first = with_surrogates(text).removeprefix("Mr. ").split(" came. ")[0]
    assert with_surrogates(text) == f"Mr. {first} came. {first.upper()} is better. {first.split()[0]} agreed."
    assert with_surrogates(text) == with_surrogates(text)
    assert with_surrogates(text) != with_surrogates(text, OTHER)
    assert with_surrogates(text, scope="a") != with_surrogates(text, scope="b")


def test_dates_of_a_patient_keep_their_distance():
    new = with_surrogates("Admitted 01/03/2024, discharged 11/03/2024", scope="patient")
    days = [
        int(word.split("/")[0]) + 31 * int(word.split("/")[1]) for word in new.replace(",", "").split() if "/" in word
    ]
    assert len(days) == 2
    assert "01/03/2024" not in new
    assert days[0] != days[1]


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (Kind.AADHAAR, "2345 6789 0124"),
        (Kind.ABHA, "91-1234-5678-9012"),
        (Kind.PHONE, "+91 98765-43210"),
        (Kind.HOSPITAL_ID, "MMC/2004/05"),
        (Kind.PAN, "ABCPE1234F"),
    ],
)
def test_numbers_keep_their_form_and_are_nobodys(kind, written):
    made = Surrogates(KEY).of(kind, written)
    assert made != written
    assert [c.isdigit() for c in made] == [c.isdigit() for c in written]
    digits = "".join(filter(str.isdigit, made))
    if kind is Kind.AADHAAR:
        assert digits[0] == "1"  # none that is issued begins so
    if kind is Kind.PHONE:
        assert digits[2] == "5"
    if kind is Kind.PAN:
        assert made[3] == "X"


def test_a_key_must_be_long():
    with pytest.raises(ValueError, match="16 bytes"):
        Surrogates(b"short")


def test_labels_keep_their_words_and_are_never_cut():
    text = "Name: Ramesh Kumar, k/c/o Parkinson's disease since 12/03/2020, on Tab Syndopa. Dr. Hodgkin Rao"
    words = ("Parkinson's disease", "Syndopa", "Hodgkin")
    spans = tuple(Labelled(text.index(word), text.index(word) + len(word), Label.DISEASE) for word in words)
    (note,), (found,) = deidentified([AnnotatedNote(text, spans, group="p", meta={"token_offsets": "0:5"})], KEY)
    assert [note.text[span.start : span.end] for span in note.spans] == list(words)
    assert "Ramesh" not in note.text
    assert "12/03/2020" not in note.text
    assert note.text.endswith("Dr. Hodgkin " + note.text.split()[-1])
    assert "token_offsets" not in note.meta  # they were the original's
    assert found


def test_notes_of_a_patient_share_their_surrogates():
    notes = [AnnotatedNote("Mr. Ramesh came", (), group=group) for group in ("a", "a", "b")]
    first, second, third = (note.text for note in deidentified(notes, KEY)[0])
    assert first == second != third


def test_spans_out_of_order_are_refused():
    text = "Ramesh 9876543210"
    with pytest.raises(ValueError, match="in order"):
        replace(text, list(reversed(find("Mr. Ramesh Kumar 9876543210"))))
