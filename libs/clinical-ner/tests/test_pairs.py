"""Pairs are the relations of type TREATS: what a person would pair, and what is too much is bounded."""

from __future__ import annotations

import pytest
from clinical_ner.meaning import RelationType


@pytest.mark.parametrize(
    ("text", "paired"),
    [
        ("K/c/o typhoid fever on dialysis BD.", True),
        ("K/c/o typhoid fever on Tab. Metformin 500mg BD.", True),
        ("dialysis given for typhoid fever.", True),
        ("K/c/o typhoid fever Rx dialysis BD.", False),
        ("K/c/o typhoid fever\nTab. Metformin 500mg BD.", False),
        ("K/c/o typhoid fever. Started dialysis BD.", False),
    ],
)
def test_the_words_of_a_note_decide(model, text, paired):
    (note,) = model.tagger().tag([text])
    labels = [str(entity.label) for entity in note.entities]
    assert sorted(labels) == ["DISEASE", "TREATMENT"]
    treatment, disease = labels.index("TREATMENT"), labels.index("DISEASE")
    assert note.pairs == (((treatment, disease),) if paired else ())
    assert [relation.type for relation in note.relations] == [RelationType.TREATS] * paired


def test_a_note_full_of_pairs_is_bounded(model):
    text = "K/c/o HTN on dialysis BD. " * 6_000
    (note,) = model.tagger().tag([text])
    assert len(note.pairs) == 4_096
    assert all(note.entities[t].label != note.entities[d].label for t, d in note.pairs)
