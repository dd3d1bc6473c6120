"""Training over word tables against CRFsuite's own training, and its gradient against differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pycrfsuite
import pytest
from clinical_ner.config import Conjunction, TrainingConfig
from clinical_ner.crf import fit, fit_by_crfsuite, frequent, valued
from clinical_ner.crfsuite_file import read_weights, write_model
from clinical_ner.features import FeatureExtractor, extractor_tables
from clinical_ner.sequences import all_sequences
from clinical_ner.table_trainer import TableTrainer
from clinical_ner.tokens import token_arrays
from clinical_ner.train import train

CONFIGS = {
    "default": TrainingConfig(algorithm="lbfgs"),
    "observed only": TrainingConfig(
        algorithm="lbfgs", all_states=False, all_transitions=False, min_frequency=1.0, bag_value=0.0
    ),
    "far and odd": TrainingConfig(
        algorithm="lbfgs",
        groups={"bias": (0,), "word": (-4, 3), "classes": (1,), "grams3": (0, 2)},
        conjunctions=(Conjunction("lower", 2, "kind", -1), Conjunction("classes", 0, "suffix1", 0)),
        scheme="bilou",
        bag_value=1.5,
        min_frequency=3.0,
    ),
}


def made(composed, name, count=50):
    config = CONFIGS[name]
    extractor = FeatureExtractor(extractor_tables(config))
    return config, extractor, all_sequences(composed(count), config.scheme)


def dense(weights):
    table = np.zeros((len(weights.attributes), len(weights.labels)))
    table[weights.state_attributes, weights.state_labels] = weights.state_weights
    return {
        (attribute, label): table[a, y]
        for a, attribute in enumerate(weights.attributes)
        for y, label in enumerate(weights.labels)
    }


def flat(trainer, weights):
    """CRFsuite's weights in the trainer's order."""
    table = dense(weights)
    states = [table.get((attribute, label), 0.0) for attribute in trainer.attributes() for label in trainer.labels]
    order = [weights.labels.index(label) for label in trainer.labels]
    return np.append(states, weights.transitions[np.ix_(order, order)])


def items_of(text, extractor, config, known):
    arrays = token_arrays(text)
    return valued(extractor.attributes(arrays.points, arrays.starts, arrays.ends), known, config.bag_value)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_gradient_is_the_slope_of_the_loss(composed, name):
    config, extractor, sequences = made(composed, name)
    trainer = TableTrainer(sequences, extractor, config)
    rng = np.random.default_rng(0)
    observed = trainer.loss(np.zeros(trainer.n_weights))[1] != 0
    weights = rng.normal(0, 0.3, trainer.n_weights) * observed
    gradient = trainer.loss(weights)[1]
    places = np.flatnonzero(observed)
    for place in [*rng.choice(places, 30), *places[-10:]]:
        step = np.zeros(trainer.n_weights)
        step[place] = 1e-5
        slope = (trainer.loss(weights + step)[0] - trainer.loss(weights - step)[0]) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-4, rel=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_attributes_are_those_that_crfsuite_would_be_given(composed, name):
    config, extractor, sequences = made(composed, name)
    strings = [extractor.attributes(each.points, each.starts, each.ends) for each in sequences]
    assert set(TableTrainer(sequences, extractor, config).attributes()) == frequent(strings, config.min_frequency)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_finds_crfsuites_optimum(composed, name):
    config, extractor, sequences = made(composed, name)
    trainer = TableTrainer(sequences, extractor, config)
    mine = trainer.run(400)
    theirs = read_weights(fit_by_crfsuite(sequences, extractor, config))
    found, known = dense(trainer.weights()), dense(theirs)
    assert trainer.labels == sorted(theirs.labels)
    difference = max(abs(found[key] - value) for key, value in known.items())
    assert difference < 0.02
    assert mine > 0


@pytest.mark.parametrize("name", CONFIGS)
def test_its_loss_is_as_low_as_crfsuites_and_it_labels_alike(composed, name):
    config, extractor, sequences = made(composed, name)
    trainer = TableTrainer(sequences, extractor, config)
    mine = trainer.run(400)
    theirs = read_weights(fit_by_crfsuite(sequences, extractor, replace(config, max_iterations=400)))
    assert mine == pytest.approx(trainer.loss(flat(trainer, theirs))[0], rel=1e-4)
    files = (write_model(trainer.weights()), write_model(theirs))  # the taggers read them in place
    ours, known = pycrfsuite.Tagger(), pycrfsuite.Tagger()
    ours.open_inmemory(files[0])
    known.open_inmemory(files[1])
    for note in composed(60, seed=5):
        items = items_of(note.text, extractor, config, set(theirs.attributes))
        assert ours.tag(items) == known.tag(items)


def test_the_saved_file_and_the_saved_tables_say_the_same(composed):
    """CRFsuite's own tagger on model.crfsuite: the labels and marginals of the decoder on tables.npz."""
    config = TrainingConfig(calibration_folds=0)
    model = train(composed(120), config, seed=2)
    extractor = FeatureExtractor(extractor_tables(config))
    weights = read_weights(model.crfsuite)
    theirs, decoder = pycrfsuite.Tagger(), model.tagger().decoder
    theirs.open_inmemory(model.crfsuite)
    for note in composed(60, seed=7):
        arrays = token_arrays(note.text)
        items = items_of(note.text, extractor, config, set(weights.attributes))
        labels, marginals = decoder.marginals(arrays.points, arrays.starts, arrays.ends)
        assert labels == theirs.tag(items)
        known = [[theirs.marginal(name, at) for name in weights.labels] for at in range(len(items))]
        assert np.abs(np.array(known) - marginals).max() < 1e-9


def test_what_would_lead_outside_the_text_is_refused(composed):
    config, extractor, sequences = made(composed, "default", 5)
    first = sequences[0]
    for wrong in (
        replace(first, ends=first.ends + np.int32(10_000)),
        replace(first, starts=first.starts - np.int32(1)),
        replace(first, labels=first.labels[:-1]),
        replace(first, starts=first.starts.astype(np.int64)),
    ):
        with pytest.raises(ValueError, match="a sequence"):
            TableTrainer([wrong], extractor, config)
    with pytest.raises(ValueError, match="doubles side by side"):
        TableTrainer(sequences, extractor, config).loss(np.zeros(3))


def test_a_file_without_room_for_a_weight_is_refused(composed, monkeypatch):
    config, extractor, sequences = made(composed, "default", 10)
    trainer = TableTrainer(sequences, extractor, config)
    trainer.run(2)
    import sklearn_crfsuite

    fitted = sklearn_crfsuite.CRF.fit
    monkeypatch.setattr(
        sklearn_crfsuite.CRF, "fit", lambda self, items, labels: fitted(self, [items[0][1:]], [labels[0][1:]])
    )
    with pytest.raises(ValueError, match="left weights out"):
        write_model(trainer.weights())


def test_crfsuite_gives_the_same_loss_for_the_same_weights(composed):
    """CRFsuite's own probabilities of the gold labels, from a file with our weights, add up to our loss."""
    config, extractor, sequences = made(composed, "default", 20)
    trainer = TableTrainer(sequences, extractor, config)
    loss = trainer.run(10)
    weights = trainer.weights()
    model = write_model(weights)
    tagger = pycrfsuite.Tagger()
    tagger.open_inmemory(model)
    total = config.c2 * (np.square(weights.state_weights).sum() + np.square(weights.transitions).sum())
    for each in sequences:
        items = valued(
            extractor.attributes(each.points, each.starts, each.ends), set(weights.attributes), config.bag_value
        )
        tagger.set(items)
        total -= np.log(tagger.probability(each.labels))
    assert loss == pytest.approx(total, rel=1e-9)


def test_the_written_file_holds_the_weights_exactly(composed):
    config, extractor, sequences = made(composed, "default")
    trainer = TableTrainer(sequences, extractor, config)
    trainer.run(5)
    weights = trainer.weights()
    again = read_weights(write_model(weights))
    assert dense(again) == dense(weights)
    order = [again.labels.index(label) for label in weights.labels]
    assert (again.transitions[np.ix_(order, order)] == weights.transitions).all()


def test_an_l1_penalty_goes_to_crfsuite(composed):
    config = TrainingConfig(algorithm="lbfgs", swap_copies=1, c1=0.5, max_iterations=20)
    extractor = FeatureExtractor(extractor_tables(config))
    sparse = fit(composed(40), extractor, config, 0)
    full = fit(composed(40), extractor, replace(config, c1=0.0), 0)
    assert (sparse.state_weights != 0).sum() < 0.3 * (full.state_weights != 0).sum()
