"""Training: same seed same bytes, one label, few sentences, bad notes, configurations as data."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from clinical_ner.config import FEATURE_GROUPS, ConfigError, Conjunction, TrainingConfig
from clinical_ner.crf import averaged, with_swaps
from clinical_ner.crfsuite_file import CrfWeights
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.sequences import token_sequences
from clinical_ner.swap import mention_pools, swapped
from clinical_ner.train import TrainingDataError, train

QUICK = TrainingConfig(passes=8, calibration_folds=0)


def test_same_seed_same_bytes(composed):
    notes = composed(60)
    first, second, other = (train(notes, QUICK, seed=seed) for seed in (3, 3, 4))
    assert first.crfsuite == second.crfsuite
    assert first.tables == second.tables
    assert first.sha256 != other.sha256


def test_one_label_alone_works(composed):
    notes = [AnnotatedNote(n.text, tuple(s for s in n.spans if s.label is Label.DISEASE)) for n in composed(80)]
    model = train(notes, QUICK)
    assert model.metadata["labels"] == ["DISEASE"]
    assert {e.label for note in model.tagger().tag([n.text for n in notes]) for e in note.entities} == {Label.DISEASE}


def test_ten_sentences_work(composed):
    model = train(composed(10), TrainingConfig(passes=8))
    assert model.metadata["calibration"]["curves"] == {}
    assert model.tagger().tag(["K/c/o HTN"])


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ([], "no notes"),
        ([AnnotatedNote("fever", ())] * 3, "no annotated entity in 3 notes"),
        ([AnnotatedNote("fever", (Span(0, 9, Label.DISEASE),))], "outside its text"),
        ([AnnotatedNote("fever", (Span(2, 2, Label.DISEASE),))], "outside its text"),
    ],
)
def test_notes_that_cannot_be_learned_from_are_refused(notes, message):
    with pytest.raises(TrainingDataError, match=message) as refusal:
        train(notes, QUICK)
    assert "\n" not in str(refusal.value)


def test_progress_is_told(composed):
    told = []
    config = TrainingConfig(passes=5, averaged_fits=3, calibration_folds=2)
    train(composed(40), config, progress=lambda *row: told.append(row))
    assert [row for row in told if row[0] == "calibrate"] == [("calibrate", 0, 2), ("calibrate", 1, 2)]
    assert ("fit", 15, 15) in told  # three fits of five passes


def test_swap_keeps_offsets_and_labels(composed):
    import random

    rng = random.Random(0)
    notes = composed(50)
    pools = mention_pools(notes, rng, {Label.DISEASE: ["kala azar", "plague"]})
    assert {"kala azar", "plague"} <= set(pools[Label.DISEASE])
    for note in notes:
        changed = swapped(note, pools, rng)
        assert [s.label for s in changed.spans] == [s.label for s in sorted(note.spans)]
        assert all(changed.text[s.start : s.end] in pools[s.label] for s in changed.spans)
    assert len(with_swaps(notes, 2, 0)) == 50 + 2 * sum(bool(n.spans) for n in notes)


def test_a_mention_is_never_cut_by_a_sentence_end():
    text = "Given vit. B. Complex daily. Review."
    note = AnnotatedNote(text, (Span(6, 21, Label.TREATMENT),))
    labels = [sequence.labels for sequence in token_sequences(note, "inside-last")]
    assert sum(label.startswith("TREATMENT") for row in labels for label in row) >= 4
    assert len([row for row in labels if any(label != "O" for label in row)]) == 1


def test_spans_within_a_token_are_widened_and_overlaps_dropped():
    note = AnnotatedNote("typhoid-fever now", (Span(0, 7, Label.DISEASE), Span(3, 13, Label.TREATMENT)))
    (sequence,) = token_sequences(note, "inside-last")
    assert sequence.labels == ["DISEASE.last", "O"]


def test_config_survives_json():
    config = TrainingConfig(
        conjunctions=(Conjunction("lower", -1, "kind", 1),), algorithm="lbfgs", c1=0.1, label_bias={"O": -1.0}
    )
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    "wrong",
    [
        {"scheme": "iobes"},
        {"groups": {"no_such": [0]}},
        {"groups": {"lower": [9]}},
        {"groups": {"bag": [0]}},
        {"groups": 5},
        {"conjunctions": [["lower", 0]]},
        {"conjunctions": [["lower", 0, "clusters", 1]]},
        {"c2": -1},
        {"max_iterations": 0},
        {"algorithm": "adam"},
        {"algorithm": "descent", "c1": 0.1},
        {"algorithm": "descent", "c2": 0.0},
        {"algorithm": "descent", "by_crfsuite": True},
        {"passes": 0},
        {"feature_dropout": 1.0},
        {"cache_words": 5},
        {"calibration_folds": 1},
        {"version": 9},
        {"surprise": 1},
    ],
)
def test_wrong_configurations_are_refused(wrong):
    with pytest.raises(ConfigError):
        TrainingConfig.from_dict(wrong)


def test_every_group_can_be_switched_off():
    config = TrainingConfig()
    for group in FEATURE_GROUPS:
        assert config.without(group) != config


def test_label_bias_moves_the_file_and_the_tables_alike(composed):
    notes = composed(60)
    few, many = (
        train(notes, TrainingConfig(passes=8, calibration_folds=0, label_bias={"O": bias})) for bias in (4.0, -4.0)
    )
    texts = [note.text for note in composed(40, seed=9)]
    count = [sum(len(n.entities) for n in model.tagger().tag(texts)) for model in (few, many)]
    assert count[0] < count[1]
    assert few.crfsuite != many.crfsuite


def test_averaged_weights_are_the_mean_over_all_attributes_and_labels():
    one = CrfWeights(["O", "DI"], ["a", "b"], np.ones((2, 2)), np.array([0, 1]), np.array([0, 1]), np.array([2.0, 4.0]))
    other = CrfWeights(
        ["DI", "O"], ["b", "c"], np.zeros((2, 2)), np.array([0, 1]), np.array([0, 1]), np.array([2.0, 6.0])
    )
    mean = averaged([one, other])
    found = {
        (mean.attributes[attribute], mean.labels[label]): weight
        for attribute, label, weight in zip(mean.state_attributes, mean.state_labels, mean.state_weights, strict=True)
    }
    assert found == {("a", "O"): 1.0, ("b", "DI"): 3.0, ("c", "O"): 3.0}
    assert mean.transitions.tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_averaging_changes_the_model_and_only_with_swaps(composed):
    notes = composed(80)
    one, three = (train(notes, replace(QUICK, averaged_fits=fits), seed=1).crfsuite for fits in (1, 3))
    assert one != three
    still = replace(QUICK, swap_copies=0)
    alike = {train(notes, replace(still, averaged_fits=fits), seed=1).crfsuite for fits in (1, 2)}
    assert len(alike) == 1
