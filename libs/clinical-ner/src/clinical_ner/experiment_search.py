"""Searches configurations by cross-validation on the training data only, with Optuna; resumable.

The study lives in a folder (`study.db`), so an interrupted search goes on where it stopped. The value of the best trial
is an optimistic estimate, since it was chosen for being the greatest; judge the winner on notes that no trial has seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState

from clinical_ner.config import TrainingConfig
from clinical_ner.datasets import digest, folds
from clinical_ner.experiment import NAMES, fit_and_predict, mean_sd
from clinical_ner.experiment_faults import ExperimentRefused
from clinical_ner.schemes import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from optuna.trial import FrozenTrial, Trial

    from clinical_ner.experiment import Progress
    from clinical_ner.experiment_log import ExperimentLog
    from clinical_ner.notes import AnnotatedNote

STUDY = "rxtract"
BEST_CONFIG = "best_config.json"
_WARM_TRIALS = 5  # before these no trial is pruned


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How to search. `trials` counts the finished ones of earlier runs too; `timeout_s` 0 is no limit."""

    folder: Path
    trials: int = 20
    folds: int = 3
    timeout_s: float = 0.0
    seed: int = 0


def search(
    notes: Sequence[AnnotatedNote],
    settings: SearchSettings,
    base: TrainingConfig,
    log: ExperimentLog,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Search from `base` (always the first trial) and return the report; write the best configuration after each trial.

    Raises:
        ExperimentRefused: The folder's study was made on other notes or with other folds.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    study = _study(notes, settings)
    _recover(study, base)
    objective = _Objective(notes, settings, base, log, progress, study)
    left = settings.trials - len(_finished(study))
    if left > 0:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study.optimize(objective, n_trials=left, timeout=settings.timeout_s or None, callbacks=[objective.finished])
    return summary(study, settings, base)


def summary(study: optuna.Study, settings: SearchSettings, base: TrainingConfig) -> dict[str, Any]:
    """Return all finished trials, best first, and where the best configuration stands."""
    done = sorted(_complete(study), key=lambda trial: -(trial.value or 0.0))
    return {
        "trials": len(_finished(study)),
        "pruned": sum(trial.state is TrialState.PRUNED for trial in study.trials),
        "folds": settings.folds,
        "study": str(settings.folder / "study.db"),
        "best_config": str(settings.folder / BEST_CONFIG),
        "baseline": next((_row(trial) for trial in done if trial.number == 0), None),
        "best": _row(done[0]) if done else None,
        "all": [_row(trial) for trial in done],
        "values": [trial.value for trial in _complete(study)],
        "config": configuration(done[0].params, base).to_dict() if done else None,
        "note": "the best value is optimistic: it was chosen for being the greatest; score the model on unseen notes",
    }


def suggest(trial: Trial) -> dict[str, Any]:
    """Draw one point of the space that is searched."""
    return {
        "c2": trial.suggest_float("c2", 0.05, 3.0, log=True),
        "feature_dropout": trial.suggest_float("feature_dropout", 0.0, 0.4),
        "outside_bias": trial.suggest_float("outside_bias", -1.5, 0.5),
        "swap_copies": trial.suggest_int("swap_copies", 0, 2),
        "scheme": trial.suggest_categorical("scheme", sorted(SCHEMES)),
        "min_frequency": trial.suggest_int("min_frequency", 1, 3),
        "window": trial.suggest_int("window", 1, 3),
        "grams4": trial.suggest_categorical("grams4", [True, False]),
        "conjunctions": trial.suggest_categorical("conjunctions", [True, False]),
    }


def point_of(config: TrainingConfig) -> dict[str, Any]:
    """Return the point of the space that stands for `config`: the first trial."""
    return {
        "c2": min(max(config.c2, 0.05), 3.0),
        "feature_dropout": min(config.feature_dropout, 0.4),
        "outside_bias": min(max(float(config.label_bias.get("O", 0.0)), -1.5), 0.5),
        "swap_copies": min(config.swap_copies, 2),
        "scheme": config.scheme,
        "min_frequency": min(max(int(config.min_frequency), 1), 3),
        "window": min(max(config.window, 1), 3),
        "grams4": "grams4" in config.groups,
        "conjunctions": bool(config.conjunctions),
    }


def configuration(point: Mapping[str, Any], base: TrainingConfig) -> TrainingConfig:
    """Return `base` changed to a point of the space: the farthest-seeing groups are given the point's window."""
    groups = {
        name: tuple(range(-point["window"], point["window"] + 1)) if _farthest(offsets, base) else offsets
        for name, offsets in base.groups.items()
        if name != "grams4"
    }
    if point["grams4"]:
        groups["grams4"] = base.groups.get("grams4", (0,))
    default, bias = TrainingConfig().conjunctions, point["outside_bias"]
    return replace(
        base,
        feature_dropout=point["feature_dropout"],
        c2=point["c2"],
        label_bias={**base.label_bias, **({"O": bias} if bias or "O" in base.label_bias else {})},
        swap_copies=point["swap_copies"],
        scheme=point["scheme"],
        min_frequency=float(point["min_frequency"]),
        groups=groups,
        conjunctions=(base.conjunctions or default) if point["conjunctions"] else (),
    )


def _farthest(offsets: Sequence[int], base: TrainingConfig) -> bool:
    widest = max((max(map(abs, found)) for found in base.groups.values()), default=0)
    return widest > 0 and max(map(abs, offsets)) == widest


class _Objective:
    """Cross-validates one trial, fold by fold, and stops early where a fold says that it leads nowhere."""

    def __init__(
        self,
        notes: Sequence[AnnotatedNote],
        settings: SearchSettings,
        base: TrainingConfig,
        log: ExperimentLog,
        progress: Progress | None,
        study: optuna.Study,
    ) -> None:
        self._notes = notes
        self._settings = settings
        self._base = base
        self._log = log
        self._progress = progress
        self._study = study
        self._splits = folds(notes, settings.folds, settings.seed)

    def __call__(self, trial: Trial) -> float:
        config = replace(configuration(suggest(trial), self._base), calibration_folds=0)
        found: dict[str, list[float]] = {name: [] for name in NAMES}
        for step, (rest, held_out) in enumerate(self._splits):
            train_notes, test_notes = ([self._notes[i] for i in part] for part in (rest, held_out))
            fit = fit_and_predict(train_notes, test_notes, config, self._settings.seed)
            for name in NAMES:
                found[name].append(fit.f1(name))
            value = mean_sd(found["micro"])["mean"]
            self._tell(trial, step + 1, value)
            trial.report(value, step)
            if step + 1 < len(self._splits) and trial.should_prune():
                raise optuna.TrialPruned
        trial.set_user_attr("f1", {name: mean_sd(values) for name, values in found.items()})
        return mean_sd(found["micro"])["mean"]

    def finished(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Log the trial, and write the best configuration so far."""
        metrics = {f"f1/{name}": figures["mean"] for name, figures in trial.user_attrs.get("f1", {}).items()}
        if trial.state is TrialState.PRUNED and trial.intermediate_values:
            metrics = {"f1/micro_so_far": trial.intermediate_values[max(trial.intermediate_values)]}
        self._log.child(f"trial {trial.number}", trial.params, metrics, {"state": trial.state.name})
        done = _complete(study)
        if done:
            best = configuration(max(done, key=lambda one: one.value or 0.0).params, self._base)
            text = json.dumps(best.to_dict(), indent=1, sort_keys=True) + "\n"
            (self._settings.folder / BEST_CONFIG).write_text(text, encoding="utf-8")

    def _tell(self, trial: Trial, step: int, value: float) -> None:
        if self._progress is None:
            return
        count = len(self._splits)
        best = max((one.value or 0.0 for one in _complete(self._study)), default=0.0)
        progress_line = f"trial {trial.number} fold {step}/{count}: F1 {value:.3f} (best {best:.3f})"
        self._progress(len(_finished(self._study)) * count + step, self._settings.trials * count, progress_line)


def _study(notes: Sequence[AnnotatedNote], settings: SearchSettings) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=STUDY,
        storage=f"sqlite:///{settings.folder / 'study.db'}",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_WARM_TRIALS),
    )
    # A resumed sampler must not draw again what the first run drew.
    study.sampler = optuna.samplers.TPESampler(seed=settings.seed + len(study.trials), n_startup_trials=_WARM_TRIALS)
    made_on = {"dataset_digest": digest(notes), "folds": settings.folds, "seed": settings.seed}
    if not study.user_attrs:
        for name, value in made_on.items():
            study.set_user_attr(name, value)
    for name, value in made_on.items():
        if study.user_attrs.get(name) != value:
            raise ExperimentRefused(
                f"{settings.folder}: the study there was made with another {name.replace('_', ' ')}: "
                "give another folder, or the same data, folds and seed"
            )
    return study


def _recover(study: optuna.Study, base: TrainingConfig) -> None:
    """Queue the base as the first trial, and what was running when an earlier search was killed."""
    if not study.trials:
        study.enqueue_trial(point_of(base))
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])


def _complete(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])


def _row(trial: FrozenTrial) -> dict[str, Any]:
    return {"trial": trial.number, "f1": trial.user_attrs.get("f1", {}), "params": trial.params}
