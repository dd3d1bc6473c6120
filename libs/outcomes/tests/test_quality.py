import numpy as np
import pytest
from outcomes.quality import LABELS, AuditedNote, Counts, expected, measure, ratio


@pytest.mark.parametrize("rates", [{1.0: 50}, {1.0: 150}, {0.01: 10, 0.2: 100}, {0.01: 5, 0.2: 20}])
@pytest.mark.slow
def test_intervals_cover_the_truth_in_a_thousand_simulated_weeks(rates):
    """Each rate of the audit with the notes that it finds, more or fewer."""
    chance = np.random.default_rng(7)
    covered = dict.fromkeys(("f1", "precision", "recall"), 0)
    right_share = 4 / 4.6  # mean of the beta below; mentions and skill are independent, so the truths follow
    truth = {
        "f1": 2 * right_share / (2 * right_share + (1 - right_share) * 1.6),
        "precision": right_share / (right_share + (1 - right_share) * 0.6),
        "recall": right_share,
    }
    for _ in range(1000):
        found_by = {rate: chance.binomial(round(notes / rate), rate) for rate, notes in rates.items()}
        weights = np.concatenate([np.full(found, 1 / rate) for rate, found in found_by.items()])
        notes = len(weights)
        skill = chance.beta(4, 0.6, notes)  # notes differ in how hard they are
        mentions = 1 + chance.poisson(2, notes)
        right, wrong = chance.binomial(mentions, skill), chance.binomial(mentions, (1 - skill) * 0.6)
        (found,) = [row for row in measure(audit_of(mentions, right, wrong, weights)) if row.label == "ALL"]
        for name, true in truth.items():
            covered[name] += getattr(found, f"{name}_low") <= true <= getattr(found, f"{name}_high")
    assert min(covered.values()) >= 930, covered


def audit_of(mentions, right, wrong, weights=None):
    weights = np.ones(len(mentions)) if weights is None else weights
    return [
        AuditedNote("", "", "", 0, weight, True, dict.fromkeys(LABELS, Counts(int(r), int(w), int(m - r))))
        for m, r, w, weight in zip(mentions, right, wrong, weights, strict=True)
    ]


def test_weights_count_as_so_many_notes():
    assert ratio([1, 0], [1, 1], [3, 1]).value == pytest.approx(0.75)


def test_all_right_is_not_certainty_and_nothing_is_no_knowledge():
    assert 0.5 < ratio([2] * 10, [2] * 10, [1] * 10).low < 0.95
    assert ratio([], [], []) == ratio([0], [0], [1])


def test_expected_counts_by_hand():
    found = expected(0.9 * 0.8, [0.9, 0.8])
    assert (found.right, found.wrong, found.missed) == pytest.approx((1.7, 0.3, 0.0))
    assert expected(0.36, [0.9, 0.8]).missed == pytest.approx(np.log(2))
