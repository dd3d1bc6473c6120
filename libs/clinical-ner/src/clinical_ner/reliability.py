"""Whether a confidence of 0.8 is right eight times in ten: reliability bins and expected calibration error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 10


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS) -> dict[str, Any]:
    """Return the expected calibration error and its bins of equal width.

    Args:
        confidence: Shape (entities,), each in 0 to 1.
        right: Shape (entities,), whether the entity was right.
        bins: How many.

    Returns:
        `ece` (mean over entities of |accuracy - confidence| of their bin; 0.0 without entities), `entities`, and `bins`:
        `low`, `high`, `entities`, `confidence`, `accuracy` (means; None in an empty bin).
    """
    place = np.clip((confidence * bins).astype(int), 0, bins - 1)
    rows: list[dict[str, Any]] = []
    error = 0.0
    for index in range(bins):
        chosen = place == index
        count = int(chosen.sum())
        row: dict[str, Any] = {"low": index / bins, "high": (index + 1) / bins, "entities": count}
        row["confidence"] = float(confidence[chosen].mean()) if count else None
        row["accuracy"] = float(right[chosen].mean()) if count else None
        if count:
            error += count * abs(row["confidence"] - row["accuracy"])
        rows.append(row)
    return {"ece": error / len(confidence) if len(confidence) else 0.0, "entities": len(confidence), "bins": rows}
