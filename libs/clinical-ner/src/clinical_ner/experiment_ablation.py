"""Feature ablation: what each part of the configuration is worth, by leaving it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clinical_ner.datasets import digest
from clinical_ner.experiment import NAMES, cross_validate, mean_sd
from clinical_ner.experiment_faults import ExperimentRefused

if TYPE_CHECKING:
    from clinical_ner.config import TrainingConfig
    from clinical_ner.experiment import CrossValidation, Progress
    from clinical_ner.notes import AnnotatedNote

Change = Callable[["TrainingConfig"], "TrainingConfig"]


def parts(config: TrainingConfig) -> dict[str, Change]:
    """Return what can be left out of `config`: name -> the change that leaves it out."""
    families: dict[str, tuple[str, ...]] = {
        "words": ("lower",),
        "prefixes": tuple(name for name in config.groups if name.startswith("prefix")),
        "suffixes": tuple(name for name in config.groups if name.startswith("suffix")),
        "shapes": tuple(name for name in config.groups if "shape" in name or name == "pattern"),
    }
    grouped = {"bias", *(name for family in families.values() for name in family)}
    families |= {name: (name,) for name in config.groups if name not in grouped}
    found: dict[str, Change] = {
        name: _without(groups) for name, groups in families.items() if any(group in config.groups for group in groups)
    }
    if config.window:
        found["neighbours"] = _alone
    if config.conjunctions:
        found["conjunctions"] = lambda given: replace(given, conjunctions=())
    if config.swap_copies:
        found["mention swap"] = lambda given: replace(given, swap_copies=0)
    if config.label_bias:
        found["label bias"] = lambda given: replace(given, label_bias={})
    return found


def ablation(
    notes: Sequence[AnnotatedNote],
    config: TrainingConfig,
    count: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
    only: Sequence[str] = (),
) -> dict[str, Any]:
    """Return for each part the exact-span F1 lost without it: mean and spread of the paired differences of the folds.

    Raises:
        ExperimentRefused: `only` names a part that the configuration does not have.
    """
    changes = parts(config)
    unknown = sorted(set(only) - set(changes))
    if unknown:
        raise ExperimentRefused(f"{unknown[0]!r} is no part of this configuration: choose from {', '.join(changes)}")
    chosen = {name: change for name, change in changes.items() if not only or name in only}
    total = count * (len(chosen) + 1)
    whole = cross_validate(notes, config, count, seed, _shifted(progress, 0, total, "whole"))
    rows: list[dict[str, Any]] = []
    for number, (name, change) in enumerate(chosen.items(), 1):
        tell = _shifted(progress, number * count, total, f"without {name}")
        less = cross_validate(notes, change(config), count, seed, tell)
        rows.append({"without": name, "exact_span_f1": _figures(less), "loss": _loss(whole, less)})
    rows.sort(key=lambda row: -row["loss"]["micro"]["mean"])
    return {
        "dataset_digest": digest(notes),
        "folds": count,
        "whole": _figures(whole),
        "rows": rows,
        "config": config.to_dict(),
    }


def _without(groups: Sequence[str]) -> Change:
    def change(config: TrainingConfig) -> TrainingConfig:
        kept = {name: offsets for name, offsets in config.groups.items() if name not in groups}
        return replace(config, groups=kept)

    return change


def _alone(config: TrainingConfig) -> TrainingConfig:
    own = {name: tuple(offset for offset in offsets if offset == 0) for name, offsets in config.groups.items()}
    return replace(config, groups={name: offsets for name, offsets in own.items() if offsets}, conjunctions=())


def _figures(found: CrossValidation) -> dict[str, Any]:
    return {name: mean_sd(_f1(found, name)) for name in NAMES}


def _loss(whole: CrossValidation, less: CrossValidation) -> dict[str, Any]:
    return {name: mean_sd([a - b for a, b in zip(_f1(whole, name), _f1(less, name), strict=True)]) for name in NAMES}


def _f1(found: CrossValidation, name: str) -> list[float]:
    return [float(scores["exact_span"][name]["f1"] or 0.0) for scores in found.scores]


def _shifted(progress: Progress | None, before: int, total: int, what: str) -> Progress | None:
    if progress is None:
        return None

    def tell(done: int, _: int, stage: str) -> None:
        progress(before + done, total, f"{what}, {stage}")

    return tell
