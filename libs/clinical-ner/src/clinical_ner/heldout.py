"""Predictions on notes that the predicting model was not trained on, and the calibration read off them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.calibration import curve_of, expected_calibration_error, reliability_curve
from clinical_ner.decoder import Decoder
from clinical_ner.notes import Label
from clinical_ner.rescoring import (
    PROBABILITY,
    best_f1,
    best_threshold,
    fitted,
    is_enough,
    judged_by,
    rightness,
    untrained,
    with_some,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.rescoring import RescorerTables
    from clinical_ner.support import Support
    from clinical_ner.tables import ModelTables
    from clinical_ner.tagger import TaggedNote

_MIN_NOTES_PER_FOLD = 10
_MIN_ENTITIES = 30


def fold_numbers(notes: Sequence[AnnotatedNote], folds: int, seed: int) -> list[int]:
    """Return each note's fold; notes of one group share it."""
    rng = random.Random(seed)
    groups = sorted({note.group or f"#{index}" for index, note in enumerate(notes)})
    rng.shuffle(groups)
    fold_of = {group: place % folds for place, group in enumerate(groups)}
    return [fold_of[note.group or f"#{index}"] for index, note in enumerate(notes)]


@dataclass(frozen=True, slots=True)
class FoldModel:
    """A model, and the places of the notes of its fold, none of which it was trained on."""

    tables: ModelTables
    notes: tuple[int, ...]


def fold_models(
    notes: Sequence[AnnotatedNote],
    folds: int,
    seed: int,
    fit: Callable[[Sequence[AnnotatedNote]], ModelTables],
    progress: Callable[[str, int, int], None] | None = None,
) -> list[FoldModel]:
    """Train a model for each fold on the other folds; empty where there are too few notes."""
    if folds < 2 or len(notes) < folds * _MIN_NOTES_PER_FOLD:
        return []
    numbers = fold_numbers(notes, folds, seed)
    models: list[FoldModel] = []
    for fold in range(folds):
        if progress is not None:
            progress("calibrate", fold, folds)
        rest = [note for note, number in zip(notes, numbers, strict=True) if number != fold]
        mine = tuple(index for index, number in enumerate(numbers) if number == fold)
        if not mine or not any(note.spans for note in rest):
            return []
        models.append(FoldModel(fit(rest), mine))
    return models


def held_out(
    notes: Sequence[AnnotatedNote], models: Sequence[FoldModel], rescorers: Sequence[RescorerTables | None]
) -> list[TaggedNote]:
    """Return each note as tagged by the model of its fold with the rescorer of its fold; empty without models."""
    from clinical_ner.tagger import Tagger

    tagged: dict[int, TaggedNote] = {}
    for model, rescorer in zip(models, rescorers, strict=True):
        tagger = Tagger(replace(model.tables, rescorer=rescorer))
        tagged |= dict(zip(model.notes, tagger.tag([notes[index].text for index in model.notes]), strict=True))
    return [tagged[index] for index in range(len(notes))] if tagged else []


@dataclass(frozen=True, slots=True)
class Rescorers:
    """A rescorer of all folds, for each fold one that has not seen it, and the F1 that the latter reach (0: no folds)."""

    whole: RescorerTables
    crossed: tuple[RescorerTables, ...] = ()
    f1: float = 0.0


def crossed_rescorers(
    notes: Sequence[AnnotatedNote], models: Sequence[FoldModel], support: Support, seed: int
) -> Rescorers:
    """Learn rescorers from the candidates of the folds; few candidates grow no trees, but still give the threshold.

    Those of the folds look up the names that were shown in training, the one for all folds every name.
    """
    every = untrained(support.names)
    bare = untrained(with_some(support.names, support.hidden, seed)) if support.hidden else every
    if not models:
        return Rescorers(every)
    rows = [_rows(notes, model, bare) for model in models]
    columns, right = (np.concatenate(part) for part in zip(*rows, strict=True))
    fold = np.repeat(np.arange(len(rows)), [len(row[1]) for row in rows])
    gold = sum(len(set(note.spans)) for note in notes)
    if not is_enough(right):
        f1 = best_f1(columns[:, PROBABILITY].astype(float), right, gold)
        threshold = best_threshold(f1)
        return Rescorers(every.choosing_above(threshold), (bare.choosing_above(threshold),) * len(models), f1)
    crossed = [fitted(bare, columns[fold != number], right[fold != number], seed) for number in range(len(rows))]
    judged = [judged_by(each, columns[fold == number]) for number, each in enumerate(crossed)]
    f1 = best_f1(np.concatenate(judged), right, gold)
    threshold = best_threshold(f1)
    whole = fitted(every, columns, right, seed).choosing_above(threshold)
    return Rescorers(whole, tuple(each.choosing_above(threshold) for each in crossed), f1)


def _rows(
    notes: Sequence[AnnotatedNote], model: FoldModel, bare: RescorerTables
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    mine = [notes[index] for index in model.notes]
    candidates = Decoder(replace(model.tables, rescorer=bare)).candidates([note.text for note in mine])
    return candidates.columns, rightness(candidates, mine)


def calibrate(notes: Sequence[AnnotatedNote], predictions: Sequence[TaggedNote]) -> dict[str, Any]:
    """Fit a curve per label and one for notes on held-out predictions; report their error by a second split.

    The reported errors come from curves fitted on one half of the notes and applied to the other, so that they are
    not flattered by the fit.
    """
    samples = samples_of(notes, predictions)
    result: dict[str, Any] = {"curves": {}, "ece_raw": {}, "ece": {}, "reliability": {}, "samples": {}}
    for name, (raw, right, place) in samples.items():
        if len(raw) < _MIN_ENTITIES or right.all() or not right.any():
            continue
        crossed = _crossed(raw, right, place % 2)
        result["curves"][name] = curve_of(raw, right)
        result["samples"][name] = len(raw)
        result["ece_raw"][name] = expected_calibration_error(raw, right)
        result["ece"][name] = expected_calibration_error(crossed, right)
        result["reliability"][name] = reliability_curve(crossed, right)
    return result


Samples = tuple["NDArray[np.float64]", "NDArray[np.bool_]", "NDArray[np.int64]"]


def samples_of(notes: Sequence[AnnotatedNote], predictions: Sequence[TaggedNote]) -> dict[str, Samples]:
    """By label, and for "note": confidences, whether each was right, and the place of its note; each of shape (samples,)."""
    return {name: _samples(notes, predictions, label) for name, label in _names().items()}


def _names() -> dict[str, Label | None]:
    return {**{str(label): label for label in Label}, "note": None}


def _samples(notes: Sequence[AnnotatedNote], predictions: Sequence[TaggedNote], label: Label | None) -> Samples:
    """Of entities of a label, or of whole notes."""
    rows = []
    for index, (note, tagged) in enumerate(zip(notes, predictions, strict=True)):
        gold = {(span.label, span.start, span.end) for span in note.spans}
        if label is None:
            found = {(entity.label, entity.start, entity.end) for entity in tagged.entities}
            rows.append((tagged.confidence, found == gold, index))
        else:
            rows += [
                (entity.confidence, (entity.label, entity.start, entity.end) in gold, index)
                for entity in tagged.entities
                if entity.label == label
            ]
    raw, right, places = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(raw, float), np.array(right, bool), np.array(places, np.int64)


def _crossed(raw: NDArray[np.float64], right: NDArray[np.bool_], half: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each half calibrated by the other half's curve."""
    crossed = raw.copy()
    for mine in (half == 0, half == 1):
        if right[~mine].any() and mine.any():
            curve = curve_of(raw[~mine], right[~mine])
            crossed[mine] = np.interp(raw[mine], curve["raw"], curve["calibrated"])
    return crossed
