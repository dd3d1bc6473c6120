"""The door of data sets: notes of annotations without what identifies people, with all of their labels."""

from clinical_ner.notes import AnnotatedNote, Label, Span
from contracts.records import Sample
from lifecycle.collection import Collection, LabelledNote
from lifecycle.identifiers import without_identifiers
from lifecycle.report import dataset_report
from lifecycle.roles import Role

KEY = b"r" * 32
TEXT = "Smt. Kamla Devi, 9876543210, k/c/o Parkinson's disease since 12/03/2020, on Syndopa. Kamla walks."


def collected(*texts, group="p1"):
    def one(number, text):
        words = (("Parkinson's disease", Label.DISEASE), ("Syndopa", Label.TREATMENT))
        spans = tuple(
            Span(text.index(word), text.index(word) + len(word), label) for word, label in words if word in text
        )
        note = AnnotatedNote(text, spans, pairs=((1, 0),) if len(spans) == 2 else (), note_id=f"n{number}", group=group)
        return LabelledNote(note, Role.TRAIN, Sample.AUDIT, "Pune", "neurology", number)

    return Collection(tuple(one(number, text) for number, text in enumerate(texts)), len(texts), {})


def test_labels_survive_and_identifiers_do_not():
    new = without_identifiers(collected(TEXT), KEY)
    note = new.notes[0].note
    assert [note.text[span.start : span.end] for span in note.spans] == ["Parkinson's disease", "Syndopa"]
    assert note.pairs == ((1, 0),)
    assert (note.note_id, note.group) == ("n0", "p1")
    for word in ("Kamla", "9876543210", "12/03/2020"):
        assert word not in note.text
    assert new.replaced == {"NAME": 2, "PHONE": 1, "DATE": 1}


def test_the_same_key_gives_the_same_data_set_and_another_does_not():
    notes = collected(TEXT)
    assert without_identifiers(notes, KEY) == without_identifiers(notes, KEY)
    assert without_identifiers(notes, KEY).notes != without_identifiers(notes, b"s" * 32).notes


def test_the_report_counts_them_and_holds_no_words():
    new = without_identifiers(collected(TEXT), KEY)
    assert new.report()["identifiers_replaced"] == {"DATE": 1, "NAME": 2, "PHONE": 1}
    page = dataset_report(new.report(), [])
    assert "Replaced, because it identifies people: 1 DATE, 2 NAME, 1 PHONE." in page
    assert "Kamla" not in page


def test_notes_without_identifiers_are_left_as_they_are():
    notes = collected("k/c/o Parkinson's disease on Syndopa, BP 120/80, 1-0-1 x 5/7")
    assert without_identifiers(notes, KEY).notes == notes.notes
