"""The paired bootstrap: is one model better than another on the same notes, or was it luck?

The unpaired 95 % interval on a thousand sentences is three points wide each way; the paired one sees half a point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clinical_ner.evaluate import LABELS, judged, span_keys
from clinical_ner.partial import annotated_for, labels_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.predictions import Prediction

RESAMPLES = 2_000
MICRO = "micro"
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """F1 of two models on the same notes and the difference second minus first, all with 95 % intervals.

    `better` is the share of resamples in which the second is strictly better.
    """

    first: Interval
    second: Interval
    difference: Interval
    better: float


def span_counts(notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction]) -> NDArray[np.float64]:
    """Return right, predicted and gold exact spans; shape (notes, labels, 3), labels in the order of `Label`.

    All are zero for a label that the set does not annotate, or a note was not annotated for.
    """
    counts = np.zeros((len(notes), len(LABELS), 3))
    place = {str(label): index for index, label in enumerate(LABELS)}
    labels = labels_of(notes)
    for row, (note, prediction) in enumerate(zip(notes, predicted, strict=True)):
        left = span_keys(span for span in note.spans if annotated_for(note, span.label))
        right = span_keys(judged(note, prediction, labels).mentions)
        for column, keys in enumerate((left & right, right, left)):
            for key in keys:
                counts[row, place[key[0]], column] += 1
    return counts


def paired_differences(
    notes: Sequence[AnnotatedNote],
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Difference]:
    """Return the difference in exact-span F1 for "micro" and each label that the notes annotate.

    Documents are drawn, not notes: notes of one `group` are drawn together, since they are alike.
    """
    counts = np.stack([span_counts(notes, first), span_counts(notes, second)], axis=1)
    counts = _summed(counts, [note.group or f"\0{index}" for index, note in enumerate(notes)])
    counts = np.concatenate([counts.sum(axis=2, keepdims=True), counts], axis=2)
    observed = _f1(counts.sum(axis=0))
    drawn = _f1(_resampled(counts, seed, resamples))
    known = {MICRO, *map(str, labels_of(notes))} if labels_of(notes) else set()
    names = [(column, name) for column, name in enumerate((MICRO, *map(str, LABELS))) if name in known]
    return {name: _difference(observed[:, column], drawn[:, :, column]) for column, name in names}


def f1_intervals(
    notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction], seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Interval]:
    """Return exact-span F1 with its 95 % interval for "micro" and each label that the notes annotate."""
    found = paired_differences(notes, predicted, predicted, seed, resamples)
    return {name: difference.first for name, difference in found.items()}


def _summed(counts: NDArray[np.float64], groups: Sequence[str]) -> NDArray[np.float64]:
    """Add up the notes of each group; (notes, ...) becomes (groups, ...)."""
    _, place = np.unique(np.array(groups), return_inverse=True)
    result = np.zeros((int(place.max(initial=-1)) + 1, *counts.shape[1:]))
    np.add.at(result, place, counts)
    return result


def _resampled(counts: NDArray[np.float64], seed: int, resamples: int) -> NDArray[np.float64]:
    """Return the summed counts of each resample; shape (resamples, models, labels, 3)."""
    random = np.random.default_rng(seed)
    flat = counts.reshape(len(counts), -1)
    even = np.full(len(counts), 1 / max(len(counts), 1))
    parts = []
    for start in range(0, resamples, _CHUNK):
        weights = random.multinomial(len(counts), even, size=min(_CHUNK, resamples - start))
        parts.append(weights @ flat)
    return np.concatenate(parts).reshape(-1, *counts.shape[1:])


def _f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    total = counts[..., 1] + counts[..., 2]
    return np.divide(2 * counts[..., 0], total, out=np.zeros_like(total), where=total > 0)


def _difference(observed: NDArray[np.float64], drawn: NDArray[np.float64]) -> Difference:
    gain = drawn[:, 1] - drawn[:, 0]
    return Difference(
        first=_interval(observed[0], drawn[:, 0]),
        second=_interval(observed[1], drawn[:, 1]),
        difference=_interval(observed[1] - observed[0], gain),
        better=float((gain > 0).mean()),
    )


def _interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(value), float(low), float(high))
