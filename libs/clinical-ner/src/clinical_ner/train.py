"""Trains a model: fit the CRF, calibrate it on held-out notes, and gather what serving and drift detection need."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.artifact import CRFSUITE_FILE, CRFSUITE_SHA256, FORMAT, FORMAT_VERSION, dump
from clinical_ner.config import DESCENT, TrainingConfig
from clinical_ner.crf import fit, fit_averaged
from clinical_ner.crfsuite_file import write_model
from clinical_ner.datasets import digest
from clinical_ner.features import FeatureExtractor, extractor_tables
from clinical_ner.heldout import FoldModel, calibrate, crossed_rescorers, fold_models, held_out
from clinical_ner.kinds import kind_of_training
from clinical_ner.mentions import mention_digests
from clinical_ner.native import FEATURES_VERSION, word_key
from clinical_ner.reference import reference_statistics
from clinical_ner.standing import Standing
from clinical_ner.support import NO_BACKGROUND, NO_SUPPORT, background_of
from clinical_ner.tables import ModelTables, weight_tables
from clinical_ner.tagger import TABLES_FILE, Tagger
from clinical_ner.tokens import token_arrays, tokenise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clinical_ner.crfsuite_file import CrfWeights
    from clinical_ner.notes import AnnotatedNote, Label
    from clinical_ner.rescoring import RescorerTables
    from clinical_ner.support import Background, Support

    Progress = Callable[[str, int, int], None]

CANARY_TEXTS = (
    (
        "The patient was a 62-year-old man with squamous cell lung cancer, which was first successfully treated by a "
        "combination of radiation therapy and chemotherapy."
    ),
    "K/c/o T2DM, HTN on Tab. Metformin 500mg 1-0-1. C/o fever x 2/7.",
    "Started Inj. Ceftriaxone for typhoid fever; no h/o asthma.",
    "Review after 5 days.",
)
"""Sentences written here, no patient's: a service asks a freshly loaded model for what it said of them when trained."""


class TrainingDataError(ValueError):
    """Notes that no model can be trained on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where a model was saved; `sha256` is the digest of `tables`, the artifact's digest."""

    crfsuite: Path
    tables: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained model in memory: CRFsuite's own file, and the tables that services open."""

    crfsuite: bytes
    tables: bytes
    metadata: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """The artifact's digest."""
        return hashlib.sha256(self.tables).hexdigest()

    def tagger(self) -> Tagger:
        """Open the model."""
        return Tagger.open(self.tables)

    def save(self, directory: str | Path) -> ModelFiles:
        """Write both files; each appears whole or not at all."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        files = ModelFiles(folder / CRFSUITE_FILE, folder / TABLES_FILE, self.sha256)
        for path, content in ((files.crfsuite, self.crfsuite), (files.tables, self.tables)):
            unfinished = path.with_name(f"{path.name}.part")
            unfinished.write_bytes(content)
            unfinished.replace(path)
        return files


def train(
    notes: Sequence[AnnotatedNote],
    config: TrainingConfig | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    lexicon: Mapping[Label, Sequence[str]] | None = None,
    word_classes: Mapping[str, Sequence[str]] | None = None,
    support: Support = NO_SUPPORT,
) -> TrainedModel:
    """Train on annotated notes; the same notes, configuration and seed give the same bytes.

    Args:
        notes: With at least one annotated mention among them; one label alone is enough.
        config: How; None for the defaults.
        seed: Of mention swap and of the calibration folds.
        progress: Told (stage, done, total) as training goes on.
        lexicon: Names per label that mention swap may use besides those of the notes.
        word_classes: Lower-cased word to class names, for the feature group "classes".
        support: What helps beside the labels: a shipped corpus, names, clusters of words.

    Raises:
        TrainingDataError: The notes cannot be trained on.
    """
    config = config or TrainingConfig()
    _check_notes(notes)
    extractor = FeatureExtractor(extractor_tables(config, word_classes, support.clusters))
    background = background_of(notes, support.background) if config.algorithm == DESCENT else NO_BACKGROUND
    fold_model = _Fold(extractor, config, seed, lexicon, background)
    found = _best_folds(notes, fold_model, support, progress)
    config = found.config
    predictions = held_out(notes, found.models, found.crossed)
    weights = fit_averaged(notes, extractor, config, seed, lexicon, _reporter(progress, config), background)
    metadata = _metadata(notes, config, seed) | {"support": _support(support, background)}
    if predictions:
        metadata["calibration"] = calibrate(notes, predictions) | {"kind": kind_of_training(notes).to_dict()}
        metadata["reference"] = reference_statistics(notes, predictions)
    return finish([*notes, *background.notes], extractor, weights, metadata, found.rescorer)


def finish(
    notes: Sequence[AnnotatedNote],
    extractor: FeatureExtractor,
    weights: CrfWeights,
    metadata: dict[str, Any],
    rescorer: RescorerTables | None = None,
) -> TrainedModel:
    """Make the artifact of a fitted CRF, with what the model itself says of its canary notes."""
    crfsuite = write_model(weights)
    metadata = metadata | {CRFSUITE_SHA256: hashlib.sha256(crfsuite).hexdigest()}
    bare = replace(model_tables(notes, extractor, weights, metadata), rescorer=rescorer)
    tagger = Tagger(bare)
    expected = [
        {"text": text, "entities": [[entity.label, entity.start, entity.end] for entity in tagged.entities]}
        for text, tagged in zip(CANARY_TEXTS, tagger.tag(CANARY_TEXTS), strict=True)
    ]
    tables = dump(replace(bare, metadata={**bare.metadata, "canaries": expected}))
    return TrainedModel(crfsuite, tables, Tagger.open(tables).metadata)


def model_tables(
    notes: Sequence[AnnotatedNote], extractor: FeatureExtractor, weights: CrfWeights, metadata: Mapping[str, Any]
) -> ModelTables:
    """Arrange a fitted CRF and the vocabulary of its notes for serving."""
    standing = Standing(notes)
    used = {token.text.lower() for note in notes for token in tokenise(note.text)}
    words = {word_key(word) for word in used if standing.holds(word)}
    characters = {ord(character) for note in notes for character in set(note.text)}
    return ModelTables(
        {**metadata, "crf_labels": weights.labels, "window": extractor.tables.window},
        extractor.tables,
        weight_tables(weights, extractor, metadata["config"]["bag_value"]),
        np.array(sorted(words), np.uint64),
        np.array(sorted(characters), np.uint32),
        mention_digests(notes, standing),
    )


@dataclass(frozen=True, slots=True)
class _Fold:
    """Trains the model of one fold: no calibration, so that its confidences are the CRF's own."""

    extractor: FeatureExtractor
    config: TrainingConfig
    seed: int
    lexicon: Mapping[Label, Sequence[str]] | None
    background: Background

    def __call__(self, notes: Sequence[AnnotatedNote]) -> ModelTables:
        weights = fit(notes, self.extractor, self.config, self.seed, self.lexicon, background=self.background)
        read = [*notes, *self.background.notes]
        return model_tables(read, self.extractor, weights, _metadata(notes, self.config, self.seed))


@dataclass(frozen=True, slots=True)
class _Folds:
    """Models of the folds under one configuration, and their rescorers."""

    config: TrainingConfig
    models: Sequence[FoldModel]
    rescorer: RescorerTables | None
    crossed: Sequence[RescorerTables | None]
    f1: float = 0.0


def _best_folds(
    notes: Sequence[AnnotatedNote],
    fold: _Fold,
    support: Support,
    progress: Progress | None,
) -> _Folds:
    """Train the folds in each scheme that is worth comparing, and keep the better; notes of one label alone have two."""
    found = _folds(notes, fold, support, progress)
    one_label = len({span.label for note in notes for span in note.spans}) == 1
    if not (fold.config.compare_schemes and one_label and found.f1 and fold.config.scheme == "inside-last"):
        return found
    other = _folds(notes, replace(fold, config=replace(fold.config, scheme="bilou")), support, progress)
    return other if other.f1 > found.f1 else found


def _folds(
    notes: Sequence[AnnotatedNote],
    fold: _Fold,
    support: Support,
    progress: Progress | None,
) -> _Folds:
    models = fold_models(notes, fold.config.calibration_folds, fold.seed, fold, progress)
    if not fold.config.rescore:
        return _Folds(fold.config, models, None, [None] * len(models))
    rescorers = crossed_rescorers(notes, models, support, fold.seed)
    return _Folds(fold.config, models, rescorers.whole, rescorers.crossed, rescorers.f1)


def _support(support: Support, background: Background) -> dict[str, Any]:
    """What helped, for the record: counts alone."""
    return {
        "background_notes": len(background.notes),
        "background_weight": round(background.weight, 6),
        "names": sum(map(len, support.names.values())),
        "clustered_words": len(support.clusters.keys),
        "unlabelled_sentences": support.clusters.sentences,
    }


def _metadata(notes: Sequence[AnnotatedNote], config: TrainingConfig, seed: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "features_version": FEATURES_VERSION,
        "config": config.to_dict(),
        "scheme": config.scheme,
        "cache_words": config.cache_words,
        "seed": seed,
        "labels": sorted({str(span.label) for note in notes for span in note.spans}),
        "dataset": _dataset(notes),
        "calibration": {"curves": {}},
        "reference": {},
        "canaries": [],
    }


def _dataset(notes: Sequence[AnnotatedNote]) -> dict[str, Any]:
    mentions = Counter(str(span.label) for note in notes for span in note.spans)
    tokens = sum(len(token_arrays(note.text).starts) for note in notes)
    return {"digest": digest(notes), "notes": len(notes), "tokens": tokens, "mentions": dict(mentions)}


def _check_notes(notes: Sequence[AnnotatedNote]) -> None:
    if not notes:
        raise TrainingDataError("there are no notes to train on: give at least one annotated sentence")
    if not any(note.spans for note in notes):
        raise TrainingDataError(f"no annotated entity in {len(notes)} notes: check the labels file")
    for note in notes:
        if any(not 0 <= span.start < span.end <= len(note.text) for span in note.spans):
            raise TrainingDataError(f"note {note.note_id or '(without id)'} has a span outside its text")


def _reporter(progress: Progress | None, config: TrainingConfig) -> Callable[[int, int], None] | None:
    """Tell of all fits together: iterations done of those that there may be."""
    if progress is None:
        return None
    each = config.passes if config.algorithm == DESCENT else config.max_iterations
    fits = config.averaged_fits if config.swap_copies else 1
    return lambda number, done: progress("fit", number * each + done, fits * each)
