"""The paired bootstrap sees what is there, and nothing where nothing is."""

from __future__ import annotations

import numpy as np
import pytest
from clinical_ner.bootstrap import f1_intervals, paired_differences
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.predictions import Prediction

D, T = Label.DISEASE, Label.TREATMENT
SPANS = (Span(0, 5, D), Span(7, 18, T))


def notes(count, group=""):
    return [AnnotatedNote("fever, paracetamol", SPANS, group=group) for _ in range(count)]


def right_with(share, count, seed):
    random = np.random.default_rng(seed)
    return [Prediction(tuple(span for span in SPANS if random.uniform() < share)) for _ in range(count)]


def test_the_same_predictions_differ_by_nothing():
    predicted = right_with(0.7, 200, 1)
    found = paired_differences(notes(200), predicted, predicted)["micro"].difference
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_a_real_gain_is_found_and_its_interval_holds_it():
    found = paired_differences(notes(600), right_with(0.6, 600, 1), right_with(0.8, 600, 2))
    for name in ("micro", "DISEASE", "TREATMENT"):
        gain = found[name].difference
        assert 0 < gain.low < gain.value < gain.high
        assert found[name].better > 0.99


def test_pairing_is_narrower_than_the_difference_of_two_intervals():
    first = right_with(0.7, 400, 3)
    second = [Prediction(SPANS) if index % 20 == 0 else one for index, one in enumerate(first)]
    found = paired_differences(notes(400), first, second)["micro"]
    paired = found.difference.high - found.difference.low
    unpaired = found.first.high - found.first.low
    assert paired < unpaired / 2


@pytest.mark.slow
def test_coverage_of_the_interval_is_about_what_it_says():
    truth = 2 * 0.7 / 1.7
    hits = 0
    for seed in range(120):
        interval = f1_intervals(notes(150), right_with(0.7, 150, seed), resamples=300)["micro"]
        hits += interval.low <= truth <= interval.high
    assert 0.88 <= hits / 120 <= 0.99


def test_the_same_seed_gives_the_same_interval():
    first, second = right_with(0.6, 50, 1), right_with(0.7, 50, 2)
    assert paired_differences(notes(50), first, second, seed=4) == paired_differences(notes(50), first, second, seed=4)
    assert paired_differences(notes(50), first, second, seed=4) != paired_differences(notes(50), first, second, seed=5)


def test_notes_of_one_document_are_drawn_together():
    first = right_with(0.6, 60, 1)
    lone = f1_intervals(notes(60), first)["micro"]
    together = f1_intervals(notes(60, group="one"), first)["micro"]
    assert lone.low < lone.high
    assert together.low == together.high == pytest.approx(together.value)


def test_nothing_annotated_judges_nothing_without_a_warning(recwarn):
    empty = [AnnotatedNote("fine", ())]
    assert f1_intervals(empty, [Prediction(SPANS)]) == {}
    assert not recwarn.list


def test_a_label_that_is_not_annotated_moves_no_interval():
    one = [AnnotatedNote("fever, paracetamol", SPANS[:1]) for _ in range(40)]
    both, disease = [Prediction(SPANS)] * 40, [Prediction(SPANS[:1])] * 40
    assert paired_differences(one, both, disease) == paired_differences(one, disease, disease)
    assert set(paired_differences(one, both, disease)) == {"micro", "DISEASE"}
