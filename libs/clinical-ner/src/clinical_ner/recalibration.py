"""Recalibration: curves of confidence fitted anew on notes of another kind, such as a hospital's own audit.

The model itself stays: the same entities are found, with confidences that are right on notes like those of the audit. How
the curve is fitted depends on how many entities there are to learn from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.artifact import dump, load
from clinical_ner.calibration import curve_of, expected_calibration_error, reliability_curve
from clinical_ner.heldout import samples_of
from clinical_ner.kinds import kind_of_audit
from clinical_ner.notes import Label
from clinical_ner.tagger import Tagger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from clinical_ner.notes import AnnotatedNote

    Curve = dict[str, list[float]]
    Fit = Callable[[NDArray[np.float64], NDArray[np.bool_]], Curve]

LEAST_ENTITIES = 30
PLATT_FROM, ISOTONIC_FROM = 60, 400
"""Entities from which slope and offset, and from which a free rising curve, are learnt; with fewer the offset alone."""
_FOLDS = 5
_KNOTS = 41
_STEPS = 60
_RIDGE = 1.0
_EDGE = 1e-4
_SMALLEST = 1e-9
_MOST_ODDS = 30.0


class AuditTooSmall(ValueError):
    """Too few entities to recalibrate on; the message says how many are needed."""


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """A model with new curves.

    Attributes:
        tables: The model file.
        report: By label and for "note": `entities`, `method` ("kept" where there were too few), `ece_before` and `ece`, the
            latter by curves fitted on other notes than those that they are judged on.
    """

    tables: bytes
    report: Mapping[str, Mapping[str, Any]]

    @property
    def sha256(self) -> str:
        """The artifact's digest, which covers the curves."""
        return hashlib.sha256(self.tables).hexdigest()


def recalibrate(model: bytes, notes: Sequence[AnnotatedNote], name: str) -> Recalibrated:
    """Fit the curves of a model anew.

    Args:
        model: The model file.
        notes: Annotated in full, none of them trained on; a couple of hundred.
        name: What kind of notes they are, in words that people will read beside confidences.

    Raises:
        AuditTooSmall: No label has enough entities.
        ArtifactRefused: The model file is damaged.
    """
    tables = load(model)
    tagger = Tagger(tables)
    served = tagger.tag([note.text for note in notes])
    raw = Tagger(replace(tables, metadata=_without_curves(tables.metadata))).tag([note.text for note in notes])
    old = tables.metadata["calibration"]["curves"]
    before, samples = samples_of(notes, served), samples_of(notes, raw)
    annotated = _annotated(notes)
    curves = dict(old)
    report: dict[str, dict[str, Any]] = {}
    for what, (scores, right, place) in samples.items():
        if what not in annotated:
            report[what] = {"entities": 0, "method": "kept"}
            continue
        fit, method = _fit_of(len(scores))
        row: dict[str, Any] = {"entities": len(scores), "method": method}
        if len(scores):
            row["ece_before"] = expected_calibration_error(before[what][0], right)
        if fit is not None:
            crossed = _crossed(scores, right, place, fit)
            row |= {"ece": expected_calibration_error(crossed, right), "bins": reliability_curve(crossed, right)}
            curves[what] = fit(scores, right)
        report[what] = row
    if all(row["method"] == "kept" for what, row in report.items() if what != "note"):
        most = max((row["entities"] for what, row in report.items() if what != "note"), default=0)
        raise AuditTooSmall(
            f"{len(notes)} notes give at most {most} entities of a label to judge: at least {LEAST_ENTITIES} are needed, "
            "from about 100 notes"
        )
    calibration = {
        "curves": curves,
        "ece": {what: row["ece"] for what, row in report.items() if "ece" in row},
        "samples": {what: row["entities"] for what, row in report.items()},
        "methods": {what: row["method"] for what, row in report.items()},
        "kind": kind_of_audit(name, served).to_dict(),
    }
    made = dump(replace(tables, metadata={**tables.metadata, "calibration": calibration}))
    return Recalibrated(made, report)


def _annotated(notes: Sequence[AnnotatedNote]) -> set[str]:
    """The curves that an audit can judge: of the labels that it annotates, and of whole notes where it annotates all."""
    labels = {str(span.label) for note in notes for span in note.spans}
    return labels | ({"note"} if labels == set(map(str, Label)) else set())


def _without_curves(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {**metadata, "calibration": {"curves": {}}}


def _fit_of(count: int) -> tuple[Fit | None, str]:
    """How to fit so many samples; None where the old curve is kept."""
    if count < LEAST_ENTITIES:
        return None, "kept"
    if count < PLATT_FROM:
        return offset_curve, "offset"
    return (platt_curve, "platt") if count < ISOTONIC_FROM else (curve_of, "isotonic")


def offset_curve(raw: NDArray[np.float64], right: NDArray[np.bool_]) -> Curve:
    """Shift the log odds by one number."""
    return _logistic_curve(raw, right, slopes=False)


def platt_curve(raw: NDArray[np.float64], right: NDArray[np.bool_]) -> Curve:
    """Stretch and shift the log odds (Platt 1999), drawn towards the raw confidences by a small prior."""
    return _logistic_curve(raw, right, slopes=True)


def _logistic_curve(raw: NDArray[np.float64], right: NDArray[np.bool_], *, slopes: bool) -> Curve:
    slope, offset = _logistic(_log_odds(raw), right.astype(float), slopes=slopes)
    xs = np.concatenate([[0.0], np.linspace(0.01, 0.99, _KNOTS - 2), [1.0]])
    ys = _sigmoid(max(slope, 0.0) * _log_odds(xs) + offset)
    return {"raw": [round(x, 9) for x in xs.tolist()], "calibrated": [round(y, 9) for y in ys.tolist()]}


def _log_odds(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(raw, _EDGE, 1 - _EDGE)
    return np.log(bounded / (1 - bounded))


def _logistic(x: NDArray[np.float64], y: NDArray[np.float64], *, slopes: bool) -> tuple[float, float]:
    """Slope and offset by Newton's method with halved steps, with a ridge on their distance from 1 and 0."""
    columns, free = np.column_stack([x, np.ones_like(x)]), np.array([slopes, True])
    theta = prior = np.array([1.0, 0.0])
    loss = _loss(columns, y, theta - prior, theta)
    for _ in range(_STEPS):
        p = _sigmoid(columns @ theta)
        gradient = columns.T @ (p - y) + _RIDGE * (theta - prior)
        curvature = (columns * (p * (1 - p))[:, None]).T @ columns + _RIDGE * np.eye(2)
        step = np.zeros(2)
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
        while (found := _loss(columns, y, theta - step - prior, theta - step)) > loss and np.abs(
            step
        ).max() > _SMALLEST:
            step = step / 2
        if found > loss:
            break
        theta, loss = theta - step, found
    return float(theta[0]), float(theta[1])


def _loss(
    columns: NDArray[np.float64], y: NDArray[np.float64], drawn: NDArray[np.float64], theta: NDArray[np.float64]
) -> float:
    odds = columns @ theta
    return float((np.logaddexp(0, odds) - y * odds).sum() + _RIDGE / 2 * (drawn @ drawn))


def _sigmoid(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(odds, -_MOST_ODDS, _MOST_ODDS)))


def _crossed(
    raw: NDArray[np.float64], right: NDArray[np.bool_], place: NDArray[np.int64], fit: Fit
) -> NDArray[np.float64]:
    """Each fifth of the notes with confidences by a curve of the other four."""
    crossed = raw.copy()
    fold = place % _FOLDS
    for number in range(_FOLDS):
        mine = fold == number
        if mine.any() and not mine.all():
            curve = fit(raw[~mine], right[~mine])
            crossed[mine] = np.interp(raw[mine], curve["raw"], curve["calibrated"])
    return crossed
