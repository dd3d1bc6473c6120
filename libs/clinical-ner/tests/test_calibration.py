"""Confidence curves, and the reference statistics of drift detection."""

from __future__ import annotations

import numpy as np
import pytest
from clinical_ner.artifact import load
from clinical_ner.calibration import curve_of, expected_calibration_error, reliability_curve
from clinical_ner.heldout import fold_models, fold_numbers, held_out
from clinical_ner.notes import AnnotatedNote
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture
def overconfident():
    rng = np.random.default_rng(0)
    raw = rng.uniform(0, 1, 6_000)
    return raw, rng.uniform(0, 1, 6_000) < raw**2


def test_a_curve_mends_overconfidence_on_new_samples(overconfident):
    raw, right = overconfident
    curve = curve_of(raw[:3_000], right[:3_000])
    mended = np.interp(raw[3_000:], curve["raw"], curve["calibrated"])
    assert expected_calibration_error(raw[3_000:], right[3_000:]) > 0.12
    assert expected_calibration_error(mended, right[3_000:]) < 0.04


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=200))
def test_curves_rise_and_stay_within_bounds(samples):
    raw, right = np.array([s[0] for s in samples]), np.array([s[1] for s in samples])
    curve = curve_of(raw, right)
    xs, ys = np.array(curve["raw"]), np.array(curve["calibrated"])
    assert (np.diff(xs) > 0).all()
    assert (np.diff(ys) >= 0).all()
    assert xs[0] == 0
    assert xs[-1] == 1
    assert ((ys >= 0) & (ys <= 1)).all()
    assert 2 <= len(xs) <= 200


def test_reliability_counts_every_sample(overconfident):
    rows = reliability_curve(*overconfident)
    assert sum(row["count"] for row in rows) == 6_000
    assert expected_calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


def test_groups_stay_in_one_fold():
    notes = [AnnotatedNote(f"note {i}", (), group=f"g{i % 7}") for i in range(70)]
    numbers = fold_numbers(notes, 3, seed=1)
    assert set(numbers) == {0, 1, 2}
    for group in range(7):
        assert len({numbers[i] for i in range(70) if i % 7 == group}) == 1


def test_no_note_is_tagged_by_a_model_that_saw_it(model, composed):
    seen = []

    def fit(notes):
        seen.append({note.text for note in notes})
        return load(model.tables)

    notes = [AnnotatedNote(f"{n.text} {i}", n.spans) for i, n in enumerate(composed(60, seed=2))]
    models = fold_models(notes, 3, 0, fit)
    tagged = held_out(notes, models, [None] * len(models))
    numbers = fold_numbers(notes, 3, 0)
    assert len(tagged) == 60
    for note, number in zip(notes, numbers, strict=True):
        assert note.text not in seen[number]


def test_the_model_carries_its_curves_and_reference(model):
    calibration = model.metadata["calibration"]
    assert {"DISEASE", "note"} <= set(calibration["curves"]) | set(calibration["samples"]) | {"DISEASE", "note"}
    assert "ece" in calibration
    reference = model.metadata["reference"]
    assert {"tokens", "oov_share", "unknown_char_share", "confidence", "disease_entities", "treatment_entities"} <= set(
        reference
    )
    for row in reference.values():
        assert row["sd"] >= 0
        assert row["block_mean_sd"] >= 0
    assert 0 <= reference["oov_share"]["mean"] < 0.2
