"""Predictions on notes that the predicting model was not trained on, and the calibration read off them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.calibration import curve_of, expected_calibration_error, reliability_curve
from clinical_ner.notes import Label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.tagger import TaggedNote, Tagger

_MIN_NOTES_PER_FOLD = 10
_MIN_ENTITIES = 30


def fold_numbers(notes: Sequence[AnnotatedNote], folds: int, seed: int) -> list[int]:
    """Return each note's fold; notes of one group share it."""
    rng = random.Random(seed)
    groups = sorted({note.group or f"#{index}" for index, note in enumerate(notes)})
    rng.shuffle(groups)
    fold_of = {group: place % folds for place, group in enumerate(groups)}
    return [fold_of[note.group or f"#{index}"] for index, note in enumerate(notes)]


def held_out(
    notes: Sequence[AnnotatedNote],
    folds: int,
    seed: int,
    fit: Callable[[Sequence[AnnotatedNote]], Tagger],
    progress: Callable[[str, int, int], None] | None = None,
) -> list[TaggedNote]:
    """Return each note as tagged by a model that saw none of its fold; empty where there are too few notes."""
    if folds < 2 or len(notes) < folds * _MIN_NOTES_PER_FOLD:
        return []
    numbers = fold_numbers(notes, folds, seed)
    tagged: dict[int, TaggedNote] = {}
    for fold in range(folds):
        if progress is not None:
            progress("calibrate", fold, folds)
        rest = [note for note, number in zip(notes, numbers, strict=True) if number != fold]
        mine = [index for index, number in enumerate(numbers) if number == fold]
        if not mine or not any(note.spans for note in rest):
            return []
        tagged |= dict(zip(mine, fit(rest).tag([notes[index].text for index in mine]), strict=True))
    return [tagged[index] for index in range(len(notes))]


def calibrate(notes: Sequence[AnnotatedNote], predictions: Sequence[TaggedNote]) -> dict[str, Any]:
    """Fit a curve per label and one for notes on held-out predictions; report their error by a second split.

    The reported errors come from curves fitted on one half of the notes and applied to the other, so that they are
    not flattered by the fit.
    """
    samples = {name: _samples(notes, predictions, label) for name, label in _names().items()}
    result: dict[str, Any] = {"curves": {}, "ece_raw": {}, "ece": {}, "reliability": {}, "samples": {}}
    for name, (raw, right, fold) in samples.items():
        if len(raw) < _MIN_ENTITIES or right.all() or not right.any():
            continue
        crossed = _crossed(raw, right, fold)
        result["curves"][name] = curve_of(raw, right)
        result["samples"][name] = len(raw)
        result["ece_raw"][name] = expected_calibration_error(raw, right)
        result["ece"][name] = expected_calibration_error(crossed, right)
        result["reliability"][name] = reliability_curve(crossed, right)
    return result


def _names() -> dict[str, Label | None]:
    return {**{str(label): label for label in Label}, "note": None}


def _samples(
    notes: Sequence[AnnotatedNote], predictions: Sequence[TaggedNote], label: Label | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Raw confidence, whether it was right, and the half its note is in: of entities of a label, or of whole notes."""
    rows = []
    for index, (note, tagged) in enumerate(zip(notes, predictions, strict=True)):
        gold = {(span.label, span.start, span.end) for span in note.spans}
        if label is None:
            found = {(entity.label, entity.start, entity.end) for entity in tagged.entities}
            rows.append((tagged.confidence, found == gold, index % 2))
        else:
            rows += [
                (entity.confidence, (entity.label, entity.start, entity.end) in gold, index % 2)
                for entity in tagged.entities
                if entity.label == label
            ]
    raw, right, half = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(raw, float), np.array(right, bool), np.array(half, np.int64)


def _crossed(raw: NDArray[np.float64], right: NDArray[np.bool_], half: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each half calibrated by the other half's curve."""
    crossed = raw.copy()
    for mine in (half == 0, half == 1):
        if right[~mine].any() and mine.any():
            curve = curve_of(raw[~mine], right[~mine])
            crossed[mine] = np.interp(raw[mine], curve["raw"], curve["calibrated"])
    return crossed
