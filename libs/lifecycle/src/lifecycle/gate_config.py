"""What a challenger must show, as data: the defaults are for production, `data/demo_gate.json` for the demo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.resources import files
from typing import Any

from clinical_ner.bootstrap import MICRO
from clinical_ner.notes import Label

from lifecycle.roles import Shares

AUTO, PERSON = "auto", "person"
_JUDGED = (*map(str, Label), MICRO)


class GateConfigError(ValueError):
    """Settings of the gate that cannot be used; the message names the field."""


def _floors() -> dict[str, float]:
    return {"DISEASE": 0.5, "TREATMENT": 0.5}


@dataclass(frozen=True, slots=True)
class GateConfig:
    """When a challenger may replace the champion.

    Attributes:
        margin: F1 that a label may lose: the lower 95 % bound of the paired difference must lie above minus this.
        resamples: Draws of the paired bootstrap.
        min_gold_mentions: Frozen gold needs as many mentions of each label, else the verdict is deferred.
        min_recent_notes: A drift run needs as many validated notes of its segment that training does not see.
        floors: Lowest F1 on frozen gold by label, champion or not.
        min_speed_ratio: Notes per second of the challenger over those of the champion.
        recent_share: Share of patients whose notes judge drift runs and train nothing.
        gold_share: Share of patients whose notes are frozen gold.
        approval: Who promotes what passed: "auto", or "person": then a version waits for `rxtract model approve`. The first model does not.
        annotation_weight: How often an annotated note is repeated beside the shipped corpus.
        seed: Of the bootstrap.
    """

    margin: float = 0.01
    resamples: int = 2_000
    min_gold_mentions: int = 100
    min_recent_notes: int = 30
    floors: Mapping[str, float] = field(default_factory=_floors)
    min_speed_ratio: float = 0.7
    recent_share: float = 0.15
    gold_share: float = 0.15
    annotation_weight: int = 3
    approval: str = AUTO
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what would make the gate meaningless; GateConfigError names the field."""
        _check_floors(self.floors)
        if not 0 < self.margin < 1 or not 0 < self.min_speed_ratio <= 1:
            raise GateConfigError("margin and min_speed_ratio: between 0 and 1")
        if self.approval not in {AUTO, PERSON}:
            raise GateConfigError(f'approval: "{AUTO}" or "{PERSON}"')
        if self.resamples < 100:
            raise GateConfigError("resamples: at least 100")
        if self.min_gold_mentions < 1 or self.min_recent_notes < 1 or self.annotation_weight < 1:
            raise GateConfigError("min_gold_mentions, min_recent_notes and annotation_weight: at least 1")
        if min(self.recent_share, self.gold_share) <= 0 or self.recent_share + self.gold_share >= 1:
            raise GateConfigError("recent_share and gold_share: above 0, together below 1")

    @property
    def shares(self) -> Shares:
        """How patients are divided."""
        return Shares(recent=self.recent_share, gold=self.gold_share)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**asdict(self), "floors": dict(self.floors)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GateConfig:
        """Read what `to_dict` wrote; missing fields take their defaults, unknown ones are refused by name."""
        if unknown := sorted(set(data) - {entry.name for entry in fields(cls)}):
            raise GateConfigError(f"{unknown[0]}: the gate has no such setting")
        try:
            return cls(**data)
        except TypeError as error:
            raise GateConfigError("the gate's settings have a field of the wrong type") from error


def _check_floors(floors: object) -> None:
    if not isinstance(floors, Mapping):
        raise GateConfigError("floors: an object of labels and their lowest F1")
    if unknown := sorted(set(floors) - set(_JUDGED)):
        raise GateConfigError(f"floors: nothing is judged of {unknown[0]}, only {', '.join(_JUDGED)}")
    if not all(isinstance(floor, int | float) and 0 <= floor <= 1 for floor in floors.values()):
        raise GateConfigError("floors: between 0 and 1")


def demo_settings() -> GateConfig:
    """Return the settings of the demo, where a few minutes of simulated validation must be enough to judge."""
    text = files("lifecycle").joinpath("data/demo_gate.json").read_text(encoding="utf-8")
    return GateConfig.from_dict(json.loads(text))
