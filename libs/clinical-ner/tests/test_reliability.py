from __future__ import annotations

import numpy as np
import pytest
from clinical_ner.reliability import reliability


def test_by_hand():
    found = reliability(np.array([0.95, 0.85, 0.05, 1.0]), np.array([True, False, False, True]))
    assert found["ece"] == pytest.approx((abs(0.975 - 1) * 2 + 0.85 + 0.05) / 4)
    assert [row["entities"] for row in found["bins"]] == [1, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    assert found["bins"][1]["accuracy"] is None


def test_honest_confidence_has_almost_no_error_and_boasting_has_much():
    random = np.random.default_rng(0)
    confidence = random.uniform(0, 1, 20_000)
    right = random.uniform(0, 1, 20_000) < confidence
    assert reliability(confidence, right)["ece"] < 0.02
    assert reliability(np.sqrt(confidence), right)["ece"] > 0.1


def test_no_entity_is_no_error():
    assert reliability(np.array([]), np.array([], dtype=bool))["ece"] == 0.0
