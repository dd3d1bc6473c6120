"""Cross-validation of one configuration: the estimate that everything else here is built from.

The configuration is fixed before a fold is looked at, so no choice sees the fold that judges it. Notes of one document,
and equal texts, are never on both sides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.bootstrap import MICRO
from clinical_ner.datasets import digest, folds
from clinical_ner.evaluate import LABELS, score
from clinical_ner.mentions import mention_digests
from clinical_ner.predictions import Prediction, predict
from clinical_ner.support import NO_SUPPORT
from clinical_ner.train import train

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clinical_ner.config import TrainingConfig
    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.support import Support

FOLDS = 5
NAMES = (MICRO, *map(str, LABELS))
FIGURES = ("precision", "recall", "f1")
Progress = Callable[[int, int, str], None]
"""Called with (fits done, fits in all, what was done)."""


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Scores of each fold, and every note's prediction by the model that had not seen it."""

    scores: Sequence[Mapping[str, Any]]
    predicted: Sequence[Prediction]
    train_seconds: Sequence[float]


def cross_validate(
    notes: Sequence[AnnotatedNote],
    config: TrainingConfig,
    count: int = FOLDS,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    support: Support = NO_SUPPORT,
) -> CrossValidation:
    """Train on all folds but one, score on that one, for each of `count` folds.

    Raises:
        TooFewNotesError: There are fewer independent notes than folds.
    """
    predicted: list[Prediction] = [Prediction(())] * len(notes)
    scores, seconds = [], []
    for number, (rest, held_out) in enumerate(folds(notes, count, seed), 1):
        found = fit_and_predict([notes[i] for i in rest], [notes[i] for i in held_out], config, seed, support=support)
        scores.append(found.scores)
        seconds.append(found.train_seconds)
        for index, prediction in zip(held_out, found.predicted, strict=True):
            predicted[index] = prediction
        if progress is not None:
            progress(number, count, f"fold {number}: F1 {found.f1():.3f}")
    return CrossValidation(scores, predicted, seconds)


@dataclass(frozen=True, slots=True)
class Fit:
    """One model trained and scored."""

    scores: Mapping[str, Any]
    predicted: Sequence[Prediction]
    train_seconds: float

    def f1(self, name: str = MICRO) -> float:
        """Return exact-span F1 of a label or of all; 0.0 for what the notes do not annotate."""
        return float(self.scores["exact_span"][name]["f1"] or 0.0)


def fit_and_predict(
    train_notes: Sequence[AnnotatedNote],
    test_notes: Sequence[AnnotatedNote],
    config: TrainingConfig,
    seed: int,
    *,
    support: Support = NO_SUPPORT,
) -> Fit:
    """Train on some notes, score on others."""
    started = time.perf_counter()
    tagger = train(train_notes, config=config, seed=seed, support=support).tagger()
    seconds = time.perf_counter() - started
    predicted = predict(tagger, test_notes)
    return Fit(score(test_notes, predicted, mention_digests(train_notes)), predicted, seconds)


def report(notes: Sequence[AnnotatedNote], config: TrainingConfig, found: CrossValidation) -> dict[str, Any]:
    """Return mean and spread over folds, and the calibration of all out-of-fold confidences together."""
    pooled = score(notes, found.predicted)
    return {
        "dataset_digest": digest(notes),
        "notes": len(notes),
        "folds": len(found.scores),
        "exact_span": {name: _spread([fold["exact_span"][name] for fold in found.scores]) for name in NAMES},
        "token": {
            **{name: _spread([fold["token"][name] for fold in found.scores]) for name in NAMES[1:]},
            "weighted_f1_with_o": mean_sd([fold["token"]["weighted_f1_with_o"] for fold in found.scores]),
        },
        "seen": _spread([fold["seen"] for fold in found.scores]),
        "unseen": _spread([fold["unseen"] for fold in found.scores]),
        "pooled": {name: pooled["exact_span"][name] for name in NAMES},
        **({"pairs": pooled["pairs"]} if "pairs" in pooled else {}),
        "calibration": pooled["calibration"],
        "train_seconds": mean_sd(found.train_seconds),
        "per_fold_f1": {name: [fold["exact_span"][name]["f1"] for fold in found.scores] for name in NAMES},
        "config": config.to_dict(),
        "remarks": pooled["remarks"],
    }


def mean_sd(values: Sequence[float | None]) -> dict[str, float]:
    """Return mean, sample standard deviation (0.0 of a single value), least and greatest; folds without a figure do not count."""
    numbers = np.asarray([value for value in values if value is not None] or [0.0], dtype=np.float64)
    deviation = float(numbers.std(ddof=1)) if len(numbers) > 1 else 0.0
    return {"mean": float(numbers.mean()), "sd": deviation, "min": float(numbers.min()), "max": float(numbers.max())}


def _spread(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    figures: dict[str, Any] = {figure: mean_sd([scores[figure] for scores in found]) for figure in FIGURES}
    figures["support"] = sum(scores["support"] for scores in found)
    return figures
