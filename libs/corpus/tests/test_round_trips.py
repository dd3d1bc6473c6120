"""What is exported comes back as it was, as far as the form has a place for it; for any text, by hypothesis."""

from __future__ import annotations

from dataclasses import replace

import pytest
from clinical_ner.datasets import digest, given_tokens
from clinical_ner.notes import AnnotatedNote, Label, Span, SpanMeaning
from corpus import generate
from corpus.formats.docbin import hash_string
from corpus.formats.msgpack import pack, unpack
from corpus.formats.offsets import Counting, Unit
from corpus.formats.writing import Target, write
from corpus.loaders import Options, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

D, T = Label.DISEASE, Label.TREATMENT
letters = st.characters(codec="utf-8", categories=("L", "Nd", "So"))
word = st.text(letters, min_size=1, max_size=7)
gap = st.sampled_from([" ", "  ", ", ", "\n", "\r\n", " - "])
parts = st.lists(st.tuples(word, gap, st.sampled_from([None, None, D, T])), min_size=1, max_size=10)
plain = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def annotated(draw):
    """A note whose spans are whole words, with relations and what it says of them."""
    text, spans = "", []
    for words, between, label in draw(parts):
        if label is not None:
            spans.append(Span(len(text), len(text) + len(words), label))
        text += words + between
    treatments = [place for place, span in enumerate(spans) if span.label is T]
    diseases = [place for place, span in enumerate(spans) if span.label is D]
    relations = ()
    if treatments and diseases:
        kind = draw(st.sampled_from(["TREATS", "CAUSES"]))
        relations = ((kind, draw(st.sampled_from(treatments)), draw(st.sampled_from(diseases))),)
    meanings = tuple(SpanMeaning(status=draw(st.sampled_from(["PRESENT", "NEGATED"]))) for _ in spans)
    pairs = tuple((treatment, disease) for kind, treatment, disease in relations if kind == "TREATS")
    name = draw(st.text(st.characters(codec="ascii", categories=("L", "Nd")), min_size=1, max_size=6))
    return AnnotatedNote(text, tuple(spans), pairs, name, relations=relations, meanings=meanings)


def back(folder, notes, target):
    """Write notes and read them again."""
    path = folder / {"jsonl": "a.jsonl", "conll": "a.conll", "spacy": "a.spacy", "label-studio": "a.json"}[target]
    write(notes, target, path)
    # The alphabets are mixed at random, so where words end proves nothing here.
    return list(read(path, options=Options(offsets="utf16" if target is Target.LABEL_STUDIO else "codepoints")).notes())


def unlike(notes):
    """Notes of different names, as a set has them."""
    return [replace(note, note_id=f"{place}{note.note_id}") for place, note in enumerate(notes)]


@plain
@given(st.lists(annotated(), min_size=1, max_size=3).map(unlike))
def test_json_lines(tmp_path_factory, notes):
    assert back(tmp_path_factory.mktemp("a"), notes, Target.JSONL) == notes


@plain
@given(st.lists(annotated(), min_size=1, max_size=3).map(unlike))
def test_label_studio(tmp_path_factory, notes):
    found = back(tmp_path_factory.mktemp("a"), notes, Target.LABEL_STUDIO)
    assert [replace(note, relations=note.relations or ()) for note in found] == notes


@plain
@given(st.lists(annotated(), min_size=1, max_size=3))
def test_spacy(tmp_path_factory, notes):
    found = back(tmp_path_factory.mktemp("a"), notes, Target.SPACY)
    assert [(note.text, note.spans) for note in found] == [(note.text, note.spans) for note in notes]


@plain
@given(st.lists(annotated(), min_size=1, max_size=3))
def test_conll(tmp_path_factory, notes):
    found = back(tmp_path_factory.mktemp("a"), notes, Target.CONLL)
    expected = [note for note in notes if given_tokens(note)]
    assert [[(str(span.label), squeezed(note, span)) for span in note.spans] for note in found] == [
        [(str(span.label), squeezed(note, span)) for span in note.spans] for note in expected
    ]


def squeezed(note, span):
    return "".join(note.text[span.start : span.end].split())


@pytest.mark.parametrize("target", [Target.JSONL, Target.SPACY, Target.LABEL_STUDIO])
def test_the_corpus_keeps_its_version_through_each_form(tmp_path, target):
    notes = [
        replace(note, pairs=(), relations=None) if target is Target.SPACY else note
        for note in generate(3, 40, style="facts")
    ]
    write(notes, target, tmp_path / {"spacy": "a.spacy"}.get(target, "a.json"))
    reading = read(tmp_path / {"spacy": "a.spacy"}.get(target, "a.json"))
    assert digest(reading.notes()) == digest(notes)
    assert not [remark for remark in reading.remarks if "in more than one way" not in remark]


def test_a_document_keeps_its_sentences_together_in_conll(tmp_path):
    notes = [
        AnnotatedNote(text, (), group=group) for text, group in (("fever now", "a"), ("mild cough", "a"), ("gout", "b"))
    ]
    found = back(tmp_path, notes, Target.CONLL)
    assert [note.group == found[0].group for note in found] == [True, True, False]


@plain
@given(st.text(letters, min_size=1), st.sampled_from(list(Unit)), st.booleans(), st.sampled_from([0, 1, -1]), st.data())
def test_a_way_of_counting_undoes_itself(text, unit, inclusive, first, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    width = {
        Unit.UTF16: lambda part: len(part.encode("utf-16-le")) // 2,
        Unit.BYTES: lambda part: len(part.encode()),
    }.get(unit, len)
    counted = width(text[:start]) + first, width(text[:end]) + first - inclusive
    if not inclusive:
        assert Counting(unit, inclusive, first).places(text, *counted) == (start, end)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=40) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@plain
@given(values)
def test_messagepack(value):
    assert unpack(pack(value)) == value


def test_hashes_are_those_of_spacy():
    """As spaCy 3.8 gives them: lengths below, at and above eight bytes, letters of several bytes, and words that it numbers."""
    assert hash_string("") == 0
    expected = {
        "coffee": 3197928453018144401,
        "DISEASE": 9255184837977538312,
        "12345678": 9871996032675327904,
        "मधुमेह रोग": 6675463268137861066,
        "ADV": 86,
        "IS_ALPHA": 1,
    }
    assert {text: hash_string(text) for text in expected} == expected
