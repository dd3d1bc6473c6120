"""Notes annotated for one label alone: found, said, and never counted as notes without the other."""

from __future__ import annotations

import tracemalloc
from hashlib import sha256

from clinical_ner.dataset_description import Tally, describe
from clinical_ner.datasets import digest, note_digest
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.partial import labels_of, lacking, lacking_remarks, whole

D, T = Label.DISEASE, Label.TREATMENT
SPANS = (Span(6, 12, D), Span(16, 20, T))


def notes(count, spans, **meta):
    return [AnnotatedNote(f"Known asthma on iron {n}.", spans, note_id=f"n{n}", meta=meta) for n in range(count)]


def test_labels_that_were_not_looked_for_are_not_annotated():
    assert labels_of(notes(2, SPANS)) == (D, T)
    assert labels_of(notes(2, SPANS[:1])) == (D,)
    assert labels_of(notes(2, SPANS, annotates="DISEASE")) == (D,)
    assert labels_of(notes(2, ())) == ()


def test_whole_notes_are_those_in_which_every_label_was_looked_for():
    mixed = [*notes(3, SPANS), *notes(2, SPANS[:1], annotates="DISEASE")]
    assert whole(mixed) == mixed[:3]
    assert whole(mixed[3:]) == mixed[3:], "where nobody looked for the other label, none is missing"


def test_notes_that_hold_names_marked_elsewhere_are_suspected():
    mixed = [*notes(10, SPANS), *notes(20, SPANS[:1])]
    assert lacking(mixed) == {T: list(range(10, 30))}
    (sentence,) = lacking_remarks(mixed)
    assert sentence.startswith("20 of 30 notes mark no TREATMENT but hold names that others mark as TREATMENT (n0, n1,")
    assert sentence in describe(mixed)["remarks"]


def test_few_of_them_or_notes_without_such_names_are_not():
    assert lacking([*notes(30, SPANS), *notes(4, SPANS[:1])]) == {}
    others = [AnnotatedNote(f"Known asthma, stable {n}.", SPANS[:1]) for n in range(20)]
    assert lacking([*notes(10, SPANS), *others]) == {}
    assert lacking([*notes(10, SPANS), *notes(20, SPANS[:1], annotates="DISEASE")]) == {}, (
        "what is known is not suspected"
    )


def test_a_tally_gives_the_version_that_the_whole_set_has():
    mixed = [*notes(3, SPANS), *notes(2, SPANS[:1], annotates="DISEASE")]
    tally = Tally()
    for note in mixed:
        tally.add(note)
    assert tally.digest() == digest(mixed)
    assert tally.mentions == {D: 5, T: 3}
    assert any("2 of 5 notes are annotated for DISEASE alone" in remark for remark in tally.remarks())


def test_the_version_of_a_large_set_needs_a_hundred_bytes_a_note():
    """A file of 1 GB holds millions of notes: with each digest as an object it took a gigabyte to say which version it is."""
    tracemalloc.start()
    found = digest(AnnotatedNote(f"Known asthma, stable {n}.", SPANS[:1]) for n in range(20_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 64
    assert peak < 20_000 * 100, peak / 20_000


def test_the_version_is_that_of_the_sorted_digests_of_the_notes():
    """So it was defined when the first versions were logged; their names stay."""
    mixed = [
        *notes(3, SPANS),
        *notes(4, SPANS[:1]),
        *(AnnotatedNote(f"Known asthma, {n}.", SPANS[:1]) for n in range(2_100)),
    ]
    assert digest(mixed) == sha256("\n".join(sorted(map(note_digest, mixed))).encode()).hexdigest()
