"""Averaged stochastic gradient descent: towards the same optimum as L-BFGS, and what it alone can do."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from clinical_ner.config import TrainingConfig
from clinical_ner.crf import fit
from clinical_ner.features import FeatureExtractor, extractor_tables
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.schemes import all_labels, allowed_transitions, mention_labels
from clinical_ner.sequences import all_sequences
from clinical_ner.support import Background, background_of, background_weight
from clinical_ner.table_trainer import TableTrainer, Turns

STILL = TrainingConfig(feature_dropout=0.0, swap_copies=0, passes=200, scheme="inside")


def descended(sequences, config, weights=None, variants=None, count=1):
    trainer = TableTrainer(sequences, FeatureExtractor(extractor_tables(config)), config)
    size = len(sequences)
    turns = Turns(
        np.ones(size, np.float32) if weights is None else weights,
        np.full(size, -1, np.int32) if variants is None else variants,
        count,
    )
    trainer.descend(config, 0, turns)
    return trainer


def flat(trainer):
    weights = trainer.weights()
    return np.concatenate([weights.state_weights, weights.transitions.ravel()])


def test_it_goes_to_the_optimum_of_lbfgs(composed):
    """In the scheme "inside" every transition is allowed, so that the two objectives are one."""
    sequences = all_sequences(composed(60), STILL.scheme)
    best = TableTrainer(sequences, FeatureExtractor(extractor_tables(STILL)), STILL)
    least = best.run(400)
    found = descended(sequences, STILL)
    start = best.loss(np.zeros(best.n_weights))[0]
    reached = best.loss(flat(found))[0]
    assert least <= reached < least + 0.02 * (start - least)


def test_a_sentence_of_weight_zero_teaches_nothing_and_one_of_two_counts_twice(composed):
    notes = composed(30)
    sequences = all_sequences(notes, STILL.scheme)
    few = replace(STILL, passes=20, min_frequency=1.0)
    light = np.ones(len(sequences), np.float32)
    light[:10] = 0
    first = flat(descended(sequences, few, weights=light))
    swapped = [replace(each, labels=["O"] * len(each.labels)) for each in sequences[:10]]
    other = descended([*swapped, *sequences[10:]], few, weights=light)
    assert np.array_equal(first, flat(other))
    assert not np.array_equal(first, flat(descended(sequences, few)))


def test_variants_take_turns(composed, monkeypatch):
    """With one pass only the first variant is seen: the labels of the second make no difference."""
    monkeypatch.setattr("clinical_ner.table_trainer._SHORT", 0)  # few sequences would be passed over several times
    sequences = all_sequences(composed(20), STILL.scheme)
    one = replace(STILL, passes=1, min_frequency=1.0)
    variants = np.array([0, 1] * (len(sequences) // 2 + 1), np.int32)[: len(sequences)]
    changed = [
        replace(each, labels=each.labels[::-1]) if turn else each
        for each, turn in zip(sequences, variants.tolist(), strict=True)
    ]
    first, second = (flat(descended(rows, one, variants=variants, count=2)) for rows in (sequences, changed))
    assert np.array_equal(first, second)
    two = replace(one, passes=2)
    first, second = (flat(descended(rows, two, variants=variants, count=2)) for rows in (sequences, changed))
    assert not np.array_equal(first, second)


def test_dropout_is_random_by_seed_alone(composed):
    notes = composed(40)
    config = replace(STILL, passes=5, feature_dropout=0.3)
    extractor = FeatureExtractor(extractor_tables(config))
    first, again, other = (fit(notes, extractor, config, seed).state_weights for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("scheme", ["inside", "inside-last", "bio", "bilou"])
def test_a_scheme_allows_what_it_writes_and_forbids_what_cuts_a_mention(scheme):
    labels = sorted(all_labels(scheme))
    allowed = allowed_transitions(scheme, labels)
    place = {label: number for number, label in enumerate(labels)}
    for count in (1, 2, 3, 4):
        for other in (1, 2):
            row = [
                "O",
                *mention_labels(scheme, Label.DISEASE, count),
                *mention_labels(scheme, Label.TREATMENT, other),
                "O",
            ]
            assert all(allowed[place[left], place[right]] for left, right in pairwise(row))
    if scheme != "inside":
        assert not allowed.all()
    if scheme == "bilou":
        assert not allowed[place["DISEASE.begin"], place["O"]]
        assert not allowed[place["O"], place["DISEASE.last"]]
        assert not allowed[place["DISEASE.begin"], place["TREATMENT.last"]]


def test_the_shipped_corpus_counts_less_as_labels_come():
    weights = [background_weight(count) for count in (0, 50, 100, 200, 500, 2_000, 100_000)]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == pytest.approx(1 / 3)
    assert weights[3] == pytest.approx(30 / 230)
    assert weights[-1] == pytest.approx(0.1)


def test_a_label_that_the_notes_lack_is_not_learnt_from_the_shipped_corpus():
    mine = [AnnotatedNote("Known asthma", (Span(6, 12, Label.DISEASE),))]
    shipped = [AnnotatedNote("gout on rest", (Span(0, 4, Label.DISEASE), Span(8, 12, Label.TREATMENT)))]
    found = background_of(mine, shipped)
    assert [span.label for span in found.notes[0].spans] == [Label.DISEASE]
    assert background_of(mine, ()) == Background()
