"""New words are told only when many people used them, and never one that may be a name."""

from __future__ import annotations

from contracts.records import ModelRef, NoteAccepted
from extractor.domain.new_words import NewWords

MODEL = ModelRef(name="m", version="1", serial=3)


def note(number: int, **more) -> NoteAccepted:
    names = ("source", "note_id", "prescription_ref", "patient_ref", "doctor_ref", "city", "specialty", "text")
    given = {**dict.fromkeys(names, f"synthetic-{number}"), "language": "en", "origin": "LIVE", "pseudonym_key_id": "k"}
    given |= {"revision": 1, "written_at": 1, "accepted_at": 1, **more}
    return NoteAccepted.from_dict({name: given[name] for name in NoteAccepted.__dataclass_fields__ if name in given})


class Tagger:
    def unknown_words(self, text: str) -> list[str]:
        return [word for word in text.split() if word not in ("fever", "since")]


def told(notes, segment="city=Pune", model=MODEL):
    words = NewWords(lambda _note, _serial: segment)
    segments = [words.observe(one, Tagger(), model) for one in notes]
    return words, [one for record in words.told([found for found in segments if found]) for one in record.words]


def written(count: int, text: str, doctors: int = 4):
    return [note(n, text=text, patient_ref=f"p{n}", doctor_ref=f"d{n % doctors}") for n in range(count)]


def test_a_word_of_many_is_told_once():
    words, found = told(written(6, "fever zolvimab since"))
    assert [(one.word, one.notes, one.patients, one.doctors) for one in found] == [("zolvimab", 6, 6, 4)]
    assert words.told(["city=Pune"]) == []


def test_a_word_of_few_patients_or_doctors_is_kept():
    assert told(written(4, "zolvimab"))[1] == []
    assert told(written(9, "zolvimab", doctors=2))[1] == []
    assert told([note(n, text="zolvimab", patient_ref="p", doctor_ref=f"d{n}") for n in range(9)])[1] == []


def test_names_and_numbers_are_never_told():
    assert (
        told([*written(9, "sharma h1n1 12345 ab"), note(99, text="Sharma", patient_ref="x", doctor_ref="y")])[1] == []
    )


def test_without_drift_nothing_is_counted():
    assert told(written(9, "zolvimab"), segment=None)[1] == []
