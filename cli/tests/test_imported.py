"""An imported set as annotations: each note once, with roles by document, and the same identities every time."""

from __future__ import annotations

from dataclasses import replace

from clinical_ner.notes import AnnotatedNote
from corpus import generate
from lifecycle.collection import collect
from rxtract.imported import words

DIGEST = "ab" * 32
KEY = b"k" * 32


def test_what_is_imported_is_what_the_trainer_collects():
    notes = [replace(note, group=f"d{number // 3}") for number, note in enumerate(generate(5, 90))]
    found = collect(words(notes, "set", DIGEST, 1), KEY)
    texts = {note.text: note for note in notes}
    assert len(found.notes) >= 85
    for item in found.notes:
        original = texts[item.note.text]
        assert {*item.note.spans} == {*original.spans}
        assert len(item.note.pairs) == len(original.pairs)
    roles = {}
    for item in found.notes:
        assert roles.setdefault(item.note.group, item.role) is item.role


def test_the_same_set_gives_the_same_identities_and_another_set_others():
    notes = [*generate(5, 5), AnnotatedNote("same text", ()), AnnotatedNote("same text", ())]
    first, again, other = (
        [word.annotation_id for word in words(notes, "set", digest, now)]
        for digest, now in ((DIGEST, 1), (DIGEST, 2), ("cd" * 32, 1))
    )
    assert first == again
    assert len(set(first)) == len(notes)
    assert not set(first) & set(other)
