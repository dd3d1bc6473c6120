"""Confidence curves: from the CRF's probability of a span to how often such spans are right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KNOTS = 20
_PRIOR = 2.0
_BINS = 10
_SLOPE = 0.005
"""So much of the raw confidence stays, so that two notes of one bin keep their order in a queue."""


def curve_of(raw: NDArray[np.float64], right: NDArray[np.bool_]) -> dict[str, list[float]]:
    """Fit a rising, piecewise linear curve: isotonic over equally filled bins, drawn to the average by a small prior.

    Args:
        raw: Confidences before calibration; shape (samples,).
        right: Whether each was right.

    Returns:
        Knots "raw" (strictly rising, from 0 to 1) and "calibrated" (rising).
    """
    order = np.argsort(raw, kind="stable")
    bins = [part for part in np.array_split(order, min(_KNOTS, max(1, len(raw) // 15))) if len(part)]
    average = float(right.mean())
    means = np.array([float(raw[part].mean()) for part in bins])
    rates = np.array([(float(right[part].sum()) + _PRIOR * average) / (len(part) + _PRIOR) for part in bins])
    rising = _isotonic(rates, np.array([float(len(part)) for part in bins]))
    knots: dict[float, float] = {}
    for mean, rate in zip(means.tolist(), rising.tolist(), strict=True):
        knots[min(max(mean, 1e-6), 1 - 1e-6)] = rate
    first, last = rising[0], rising[-1]
    xs = [0.0, *knots, 1.0]
    ys = [float(first) * 0.5, *knots.values(), float(last)]
    ys = [(1 - _SLOPE) * y + _SLOPE * x for x, y in zip(xs, ys, strict=True)]
    return {"raw": [round(x, 9) for x in xs], "calibrated": [round(min(max(y, 0.0), 1.0), 9) for y in ys]}


def _isotonic(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pool adjacent violators: the non-falling sequence nearest to `values`."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (low, low_weight, low_count), (high, high_weight, high_count) = blocks[-2:]
            total = low_weight + high_weight
            blocks[-2:] = [((low * low_weight + high * high_weight) / total, total, low_count + high_count)]
    return np.concatenate([np.full(count, value) for value, _, count in blocks])


def expected_calibration_error(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Mean distance between confidence and accuracy over ten equally wide bins, weighted by their size."""
    rows = reliability_curve(confidences, right)
    return float(sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in rows) / max(1, len(right)))


def reliability_curve(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Per bin of width 0.1 that is not empty: count, mean confidence, share that was right."""
    places = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    rows = []
    for place in range(_BINS):
        mine = places == place
        if mine.any():
            confidence, accuracy = float(confidences[mine].mean()), float(right[mine].mean())
            rows.append({"count": int(mine.sum()), "confidence": round(confidence, 6), "accuracy": round(accuracy, 6)})
    return rows
