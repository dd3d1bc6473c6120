"""The learning curve: what more labels would bring."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from clinical_ner.datasets import digest, folds
from clinical_ner.experiment import NAMES, fit_and_predict, mean_sd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.config import TrainingConfig
    from clinical_ner.experiment import Progress
    from clinical_ner.notes import AnnotatedNote

SHARES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


def learning_curve(
    notes: Sequence[AnnotatedNote],
    config: TrainingConfig,
    count: int = 3,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return exact-span F1 (mean and spread over folds) for growing shares of the training part of each fold.

    A smaller share is a subset of every larger one, so that the curve shows size and not the luck of the draw.
    """
    splits = folds(notes, count, seed)
    rows: dict[float, list[tuple[int, dict[str, float]]]] = {share: [] for share in shares}
    total = len(splits) * len(shares)
    for number, (rest, held_out) in enumerate(splits):
        order = list(rest)
        random.Random(seed + number).shuffle(order)
        test = [notes[index] for index in held_out]
        for step, share in enumerate(shares, 1):
            part = [notes[index] for index in order[: max(1, round(share * len(order)))]]
            found = fit_and_predict(part, test, config, seed)
            rows[share].append((len(part), {name: found.f1(name) for name in NAMES}))
            if progress is not None:
                progress(number * len(shares) + step, total, f"{len(part):,} notes: F1 {found.f1():.3f}")
    points = [_point(share, found) for share, found in rows.items()]
    return {"dataset_digest": digest(notes), "folds": count, "points": points, "config": config.to_dict()}


def _point(share: float, found: Sequence[tuple[int, dict[str, float]]]) -> dict[str, Any]:
    return {
        "share": share,
        "notes": round(sum(size for size, _ in found) / len(found)),
        "exact_span_f1": {name: mean_sd([figures[name] for _, figures in found]) for name in NAMES},
    }
