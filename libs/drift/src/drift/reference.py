"""What the notes that a model was trained on look like: the zero and the unit of every statistic."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

NOTES_PER_MEAN = 25

_FLOORS = {
    "tokens": 0.5,
    "disease_entities": 0.05,
    "treatment_entities": 0.05,
    "confidence": 0.002,
    "negated_share": 0.02,
    "uncertain_share": 0.02,
}
_SHARE_FLOOR = 0.004
"""Least unit: a statistic that never varied in training (no unknown character at all) must not alarm at the first one."""


class Reference(NamedTuple):
    """Of one statistic: mean, and sd of means of 25 notes."""

    mean: float
    sd: float

    def scaled(self, value: float) -> float:
        """How many sds a mean of 25 notes lies from the reference."""
        return (value - self.mean) / self.sd

    def unscaled(self, z: float) -> float:
        """Back to the statistic's own unit."""
        return self.mean + z * self.sd


References = Mapping[str, Reference]


def references_of(metadata: Mapping[str, Any]) -> dict[str, Reference]:
    """Read the reference statistics in a model's metadata; empty when it carries none.

    The unit is never below what independent notes would give (sd of notes / 5), since sds of few blocks are unsure.
    """
    rows = metadata.get("reference")
    if not isinstance(rows, Mapping):
        return {}
    found = {name: _reference(name, row) for name, row in sorted(rows.items()) if isinstance(row, Mapping)}
    return {name: reference for name, reference in found.items() if reference is not None}


def _reference(name: str, row: Mapping[str, Any]) -> Reference | None:
    try:
        mean, sd, block_sd = float(row["mean"]), float(row["sd"]), float(row["block_mean_sd"])
    except (KeyError, TypeError, ValueError):
        return None
    if not all(map(math.isfinite, (mean, sd, block_sd))):
        return None
    return Reference(mean, max(block_sd, sd / math.sqrt(NOTES_PER_MEAN), _FLOORS.get(name, _SHARE_FLOOR)))
