"""sklearn-crfsuite's own tagger must give our labels from the registered file; a file that is not the model's is found out."""

import pytest
from clinical_ner import crfsuite_file
from clinical_ner.notes import Label, Span
from clinical_ner.sklearn_crfsuite_check import (
    LabelsDiffer,
    PeerModel,
    _spans_of,
    compare_labels,
    need_same_labels,
    second_opinion,
)


@pytest.fixture(scope="module")
def notes(composed):
    return composed(60, seed=3)


@pytest.fixture
def folder(model, tmp_path):
    model.save(tmp_path)
    return tmp_path


def test_labels_are_those_of_sklearn_crfsuite(folder, notes):
    found = compare_labels(folder, notes)
    assert (found.tokens > 100, found.different) == (True, 0)
    need_same_labels(folder, notes)


def test_a_file_with_other_weights_is_found_and_not_registered(folder, notes):
    path = folder / "model.crfsuite"
    model = path.read_bytes()
    features, *_ = crfsuite_file._features(model)
    changed = features.copy()
    changed["weight"] = -changed["weight"]
    start = crfsuite_file._HEADER.unpack_from(model)[7] + 12
    path.write_bytes(model[:start] + changed.tobytes() + model[start + changed.nbytes :])
    assert compare_labels(folder, notes).different > 0
    with pytest.raises(LabelsDiffer, match="not registered"):
        need_same_labels(folder, notes)


def test_the_peer_learns_its_notes_and_its_scores_stand_beside(folder, notes):
    found = second_opinion(folder, notes, notes)
    assert found.peer is not None
    assert found.peer["exact_span"]["micro"]["f1"] > 0.9
    assert second_opinion(folder, notes).peer is None
    assert PeerModel(notes).predict([notes[0]])[0].mentions == tuple(notes[0].spans)


def test_spans_of_labels():
    labels = ["O", "DISEASE.begin", "DISEASE.in", "DISEASE.begin", "TREATMENT.in", "O", "TREATMENT.begin"]
    starts, ends = range(0, 70, 10), range(5, 75, 10)
    assert list(_spans_of(labels, starts, ends)) == [
        Span(10, 25, Label.DISEASE),
        Span(30, 35, Label.DISEASE),
        Span(40, 45, Label.TREATMENT),
        Span(60, 65, Label.TREATMENT),
    ]
