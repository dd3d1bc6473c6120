"""Figures on synthetic notes of other styles, with names that no list of ours holds; and on the corpus' own notes."""

import importlib.util
from pathlib import Path

import pytest
from corpus.generator import Style, generate
from corpus.lexicon import Vocabulary
from deid import find_all, word_lists

spec = importlib.util.spec_from_file_location("deid_heldout", Path(__file__).with_name("heldout.py"))
heldout = importlib.util.module_from_spec(spec)
import sys  # noqa: E402

sys.modules["deid_heldout"] = heldout
spec.loader.exec_module(heldout)

NOTES = 800


@pytest.fixture(scope="module")
def scored():
    made = heldout.notes(11, NOTES)
    return heldout.score(made, find_all([note.text for note in made]))


def test_no_name_of_them_is_in_our_lists():
    known = {name.lower() for kind in word_lists.names() for name in kind}
    assert not known & {name.lower() for name in (*heldout.MEN, *heldout.WOMEN, *heldout.FAMILIES)}


@pytest.mark.parametrize(
    ("kind", "least"),
    [("phone", 0.999), ("date", 0.999), ("id", 0.999), ("age", 0.999), ("name", 0.90), ("address", 0.90)],
)
def test_recall(scored, kind, least):
    recall, _, missed, _ = scored
    assert recall[kind] >= least, [miss for miss in missed if miss[0] == kind][:10]


def test_clinical_text_is_not_lost(scored):
    _, lost, _, examples = scored
    assert lost <= 0.02, examples[:20]


@pytest.mark.parametrize("style", [Style.PRESCRIPTION, Style.ABSTRACT])
def test_entities_of_the_corpus_stay_whole(style):
    """Found without knowing the labels: names of diseases and drugs that the tagger never saw are no names of people."""
    notes = generate(77, 600, style, Vocabulary.HELDOUT)
    found = find_all([note.text for note in notes])
    cut = [
        (note.text[span.start : span.end], note.text[hit.start : hit.end])
        for note, hits in zip(notes, found, strict=True)
        for span in note.spans
        for hit in hits
        if hit.start < span.end and span.start < hit.end
    ]
    assert len(cut) <= 0.005 * sum(len(note.spans) for note in notes), cut
