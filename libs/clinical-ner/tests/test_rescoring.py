"""The rescorer: exact candidates, columns that say what they say, trees as in scikit-learn, the best choice."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from clinical_ner.artifact import load
from clinical_ner.config import TrainingConfig
from clinical_ner.decoder import Decoder
from clinical_ner.heldout import crossed_rescorers
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.rescoring import (
    LEAST_PROBABILITY,
    PROBABILITY,
    best_f1,
    best_threshold,
    fitted,
    judged_by,
    untrained,
    with_some,
)
from clinical_ner.schemes import mention_labels
from clinical_ner.support import NO_SUPPORT, Support
from clinical_ner.tagger import Tagger
from clinical_ner.tokens import token_arrays, tokenise
from clinical_ner.train import train

NAMES = {Label.DISEASE: ["typhoid fever", "asthma"], Label.TREATMENT: ["iron supplement"]}


@pytest.fixture(scope="module")
def tables(model):
    return replace(load(model.tables), rescorer=untrained({}))


def brute_force(tables, text):
    """Each span's probability as a ratio of sums over all labellings."""
    arrays = token_arrays(text)
    labels = list(tables.metadata["crf_labels"])
    scores = decoder_scores(tables, arrays)
    transitions = tables.weights.transitions
    total, found = 0.0, {}
    for path in itertools.product(range(len(labels)), repeat=len(arrays.starts)):
        weight = np.exp(
            sum(scores[at, label] for at, label in enumerate(path))
            + sum(transitions[left, right] for left, right in itertools.pairwise(path))
        )
        total += weight
        for span in spans_of([labels[place] for place in path], tables.metadata["scheme"]):
            found[span] = found.get(span, 0.0) + weight
    return {span: weight / total for span, weight in found.items()}


def decoder_scores(tables, arrays):
    """Scores of each token and label, summed from the attribute strings: slow, and by another way than the decoder's."""
    from clinical_ner.features import FeatureExtractor

    extractor = FeatureExtractor(tables.extractor)
    weights, n_labels = tables.weights, len(tables.metadata["crf_labels"])
    rows = extractor.attributes(arrays.points, arrays.starts, arrays.ends)
    scores = np.zeros((len(rows), n_labels))
    for at, attributes in enumerate(rows):
        keys, slots = extractor.keys(attributes)
        for key, slot in zip(keys, slots, strict=True):
            if slot >= 0:
                place = np.searchsorted(weights.feature_keys, key)
                if place < len(weights.feature_keys) and weights.feature_keys[place] == key:
                    for entry in range(weights.feature_starts[place], weights.feature_starts[place + 1]):
                        cell = int(weights.feature_cells[entry])
                        if cell // n_labels == slot:
                            scores[at, cell % n_labels] += weights.feature_weights[entry]
            else:
                place = np.searchsorted(weights.pair_keys, key)
                if place < len(weights.pair_keys) and weights.pair_keys[place] == key:
                    member = -1 - slot
                    scores[at] += weights.pair_rows[place, member * n_labels : (member + 1) * n_labels]
    return scores


def spans_of(labels, scheme):
    """Spans that a labelling of the scheme writes exactly so, none for what it would not write."""
    for first in range(len(labels)):
        for last in range(first, len(labels)):
            for label in Label:
                mine = mention_labels(scheme, label, last - first + 1)
                if labels[first : last + 1] == mine and not grows(labels, first, last, label):
                    yield label, first, last


def grows(labels, first, last, label):
    """In the scheme inside-last: whether an unfinished mention of the class stands right before."""
    return first > 0 and labels[first - 1] == f"{label}.in"


def test_candidates_have_the_probability_that_all_labellings_give_them(tables):
    decoder = Decoder(tables)
    for text in ("K/c/o typhoid fever on", "iron supplements for asthma", "migraine", "dengue and HTN noted"):
        arrays = token_arrays(text)
        expected = brute_force(tables, text)
        found = decoder.candidates([text])
        starts, ends = arrays.starts.tolist(), arrays.ends.tolist()
        seen = {}
        for (_, kind, start, end), columns in zip(found.spans.tolist(), found.columns, strict=True):
            label = Label.DISEASE if kind == 1 else Label.TREATMENT
            seen[label, starts.index(start), ends.index(end)] = float(columns[PROBABILITY])
        likely = {span: p for span, p in expected.items() if p >= LEAST_PROBABILITY}
        assert set(seen) == set(likely)
        assert seen == pytest.approx(likely, abs=1e-6)


def rows_of(count, seed):
    rng = np.random.default_rng(seed)
    width = 41
    columns = rng.random((count, width)).astype(np.float32)
    right = columns[:, 0] + columns[:, 5] * columns[:, 9] + rng.normal(0, 0.2, count) > 0.8
    return columns, right


def test_the_trees_say_what_scikit_learn_says():
    from sklearn.ensemble import HistGradientBoostingClassifier

    columns, right = rows_of(800, 0)
    mine = judged_by(fitted(untrained({}), columns, right, 3), columns)
    theirs = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        l2_regularization=5.0,
        max_features=0.5,
        early_stopping=False,
        random_state=3,
    ).fit(columns, right)
    assert np.abs(mine - theirs.predict_proba(columns)[:, 1]).max() < 1e-9


def test_native_code_says_what_the_trees_say(model, composed):
    tables = load(model.tables)
    assert tables.rescorer is not None
    notes = composed(120, seed=5)
    bare = Decoder(replace(tables, rescorer=untrained(NAMES))).candidates([note.text for note in notes])
    right = np.array([place % 3 > 0 for place in range(len(bare.spans))])
    grown = fitted(untrained(NAMES), bare.columns, right, 1)
    tagger = Tagger(replace(tables, rescorer=grown, metadata={**tables.metadata, "calibration": {"curves": {}}}))
    expected = {
        tuple(span): p for span, p in zip(bare.spans.tolist(), judged_by(grown, bare.columns).tolist(), strict=True)
    }
    count = 0
    for number, note in enumerate(tagger.tag([note.text for note in notes])):
        for entity in note.entities:
            key = (number, 1 if entity.label is Label.DISEASE else 2, entity.start, entity.end)
            assert entity.confidence == pytest.approx(expected[key], abs=1e-9)
            count += 1
    assert count > 50


def test_the_choice_is_the_best_set_without_overlaps(model, composed):
    """Against all subsets, with probabilities that random trees give."""
    tables, rng = load(model.tables), random.Random(3)
    texts = ["typhoid fever asthma dengue on iron supplements dialysis", *[n.text for n in composed(40, seed=8)]]
    bare = Decoder(replace(tables, rescorer=replace(untrained({}), numbers=np.array([0.0, 0.35, 1e-4]))))
    columns, _ = rows_of(400, 2)
    grown = fitted(untrained({}), columns, np.array([rng.random() < 0.5 for _ in range(400)]), 1)
    grown = replace(grown, numbers=np.array([0.3, 0.4, 1e-4]))
    found = bare.candidates(texts)
    sure = judged_by(grown, found.columns)
    tagger = Tagger(replace(tables, rescorer=grown, metadata={**tables.metadata, "calibration": {"curves": {}}}))
    checked = 0
    for number, note in enumerate(tagger.tag(texts)):
        mine = [
            (start, end, p)
            for (which, _, start, end), p in zip(found.spans.tolist(), sure.tolist(), strict=True)
            if which == number and p > 0.4
        ]
        if not 1 < len(mine) <= 12:
            continue
        best = max(
            sum(p - 0.4 for _, _, p in subset)
            for size in range(len(mine) + 1)
            for subset in itertools.combinations(mine, size)
            if all(a[1] <= b[0] for a, b in itertools.pairwise(sorted(subset)))
        )
        assert sum(entity.confidence - 0.4 for entity in note.entities) == pytest.approx(best)
        checked += 1
    assert checked > 10


def column(decoder, text, start, end, number):
    found = decoder.candidates([text])
    for (_, _, first, last), columns in zip(found.spans.tolist(), found.columns, strict=True):
        if (first, last) == (start, end):
            return float(columns[number])
    raise AssertionError("no such candidate")


def test_lexicon_columns_know_names_their_ends_and_their_plurals(model):
    decoder = Decoder(
        replace(load(model.tables), rescorer=replace(untrained(NAMES), numbers=np.array([0.0, 0.35, 1e-7])))
    )
    name, last, first, other = 33, 34, 35, 36
    text = "K/c/o typhoid fever on iron supplements"
    at = text.index("typhoid")
    whole = (at, at + len("typhoid fever"))
    kinds = [column(decoder, text, *whole, number) for number in (name, last, first)]
    assert sorted([*kinds, column(decoder, text, *whole, other)]) in ([0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0])
    empty = Decoder(replace(load(model.tables), rescorer=replace(untrained({}), numbers=np.array([0.0, 0.35, 1e-7]))))
    assert [column(empty, text, *whole, number) for number in (name, last, first, other)] == [0.0] * 4
    plural = text.index("iron")
    looked_up = [column(decoder, text, plural, len(text), number) for number in (name, other)]
    assert sum(looked_up) == 1.0


def test_half_of_the_best_f1_is_the_threshold():
    rng = np.random.default_rng(5)
    sure = rng.random(20_000)
    right = rng.random(20_000) < sure
    gold = int(right.sum())

    def f1(threshold):
        chosen = sure > threshold
        return 2 * (chosen & right).sum() / (chosen.sum() + gold)

    threshold = best_threshold(best_f1(sure, right, gold))
    assert f1(threshold) >= max(f1(other) for other in np.linspace(0.1, 0.6, 26)) - 0.002


def test_too_few_candidates_grow_no_trees_and_many_do(composed):
    notes = composed(40)
    few = train(notes, TrainingConfig(passes=12, calibration_folds=2))
    assert len(load(few.tables).rescorer.columns) == 0
    assert sum(len(found.entities) for found in few.tagger().tag([note.text for note in notes])) > 20
    assert crossed_rescorers([], [], NO_SUPPORT, 0).crossed == ()


def test_hidden_names_are_those_of_the_seed_and_the_model_for_serving_looks_up_all(composed):
    names = {Label.DISEASE: [f"disease {n}" for n in range(400)], Label.TREATMENT: ["iron"] * 40}
    shown = with_some(names, 0.5, 3)
    assert shown == with_some(names, 0.5, 3) != with_some(names, 0.5, 4)
    assert 150 < len(shown[Label.DISEASE]) < 250
    assert with_some(names, 0.0, 3) == names
    few = train(composed(40), TrainingConfig(passes=12, calibration_folds=2), support=Support(names=names, hidden=0.5))
    assert load(few.tables).rescorer.name_keys.tolist() == untrained(names).name_keys.tolist()


@pytest.mark.slow
def test_enough_candidates_grow_trees_whose_confidence_is_calibrated():
    from corpus.generator import generate

    trained = train(generate(5, 500, style="abstract"), TrainingConfig(passes=8, calibration_folds=2))
    assert len(load(trained.tables).rescorer.columns) == 60
    assert max(trained.metadata["calibration"]["ece"].values()) < 0.1
    assert all(
        0 < entity.confidence < 1 for note in trained.tagger().tag(["Asthma and gout."]) for entity in note.entities
    )


def test_a_model_can_be_without_one(composed):
    trained = train(composed(60), TrainingConfig(passes=8, calibration_folds=0, rescore=False))
    assert load(trained.tables).rescorer is None
    with pytest.raises(ValueError, match="no rescorer"):
        trained.tagger().decoder.candidates(["fever"])


def test_no_candidate_is_outside_its_text_and_odd_texts_are_harmless(tables):
    odd = ["", " ", "\x00", "\ud800", "x" * 60_000, "fever " * 3_000, "( ) ( )", "a-b-c " * 40, "😀 HTN 😀"]
    found = Decoder(tables).candidates(odd)
    for note, kind, start, end in found.spans.tolist():
        assert 0 <= start < end <= len(odd[note])
        assert kind in (1, 2)
    assert np.isfinite(found.columns).all()
    assert len(tokenise("fever " * 3_000)) == 3_000


def test_annotated_spans_are_right_and_others_are_not(tables):
    from clinical_ner.rescoring import rightness

    text = "K/c/o typhoid fever on dialysis"
    at = text.index("typhoid")
    note = AnnotatedNote(text, (Span(at, at + len("typhoid fever"), Label.DISEASE),))
    found = Decoder(tables).candidates([text])
    right = rightness(found, [note])
    named = {(s[2], s[3]) for s, ok in zip(found.spans.tolist(), right.tolist(), strict=True) if ok}
    assert named == {(at, at + len("typhoid fever"))}


@pytest.mark.slow
def test_notes_of_one_label_get_the_scheme_with_the_better_held_out_f1(composed):
    notes = [AnnotatedNote(n.text, tuple(s for s in n.spans if s.label is Label.DISEASE)) for n in composed(90)]
    config = TrainingConfig(passes=3, calibration_folds=2)
    compared, fixed = (train(notes, replace(config, compare_schemes=each)) for each in (True, False))
    assert fixed.metadata["scheme"] == "inside-last"
    assert compared.metadata["scheme"] in {"inside-last", "bilou"}
    assert compared.metadata["config"]["scheme"] == compared.metadata["scheme"]
    assert len(compared.metadata["crf_labels"]) == (5 if compared.metadata["scheme"] == "bilou" else 3)
    assert compared.tagger().tag([note.text for note in notes[:10]])
