"""The model that everybody has before there are labels: trained on the shipped synthetic corpus, kept in the cache."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpus.support import SHIPPED_NOTES, SHIPPED_SEED, shipped_names
from embedded_stack.cache import default_cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clinical_ner.notes import AnnotatedNote
    from model_registry.version import Version

HELD_OUT_NOTES = 600
PACKAGES = ("clinical_ner", "corpus", "lifecycle")
MODEL_SUFFIXES = {".py", ".txt", ".json", ".yaml", ".so", ".toml", ".tsv"}


@dataclass(frozen=True, slots=True)
class FirstModel:
    """A folder as `TrainedModel.save` writes it, and what the model scored on notes with names it never saw."""

    folder: Path
    scores: dict[str, Any]


def first_model(say: Callable[[str], None] = lambda _: None) -> FirstModel:
    """Return the shipped model, trained now if this version of the code and the corpus has none in the cache yet."""
    folder = default_cache_dir() / "first-model" / _fingerprint()
    scores = folder / "scores.json"
    if not scores.exists():
        _train_into(folder, say)
    return FirstModel(folder, json.loads(scores.read_text(encoding="utf-8")))


def first_model_folder() -> Path:
    """Return the folder of the shipped model: what `rxtract_tagger.Tagger.open()` opens in a checkout."""
    return first_model().folder


def register_first_model(tracking_uri: str, model: FirstModel) -> Version:
    """Log the shipped model to MLflow with its data set and scores, register it, and make it the champion."""
    from clinical_ner.tracking import dataset_record, log_and_register
    from model_registry.version import CHAMPION

    training = dataset_record(training_notes(), "shipped-corpus", "training", "corpus.generate")
    return log_and_register(
        model.folder,
        tracking_uri=tracking_uri,
        alias=CHAMPION,
        run_name="first model",
        datasets=[training],
        scores=model.scores,
        tags={"gate": "first"},
        trigger="first",
        params={"corpus_seed": SHIPPED_SEED, "corpus_notes": SHIPPED_NOTES},
    )


def has_champion(tracking_uri: str, name: str) -> bool:
    """Return whether MLflow knows a champion of that name."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        MlflowClient(tracking_uri).get_model_version_by_alias(name, "champion")
    except MlflowException:
        return False
    return True


def _train_into(folder: Path, say: Callable[[str], None]) -> None:
    from clinical_ner.config import TrainingConfig
    from clinical_ner.evaluate import score
    from clinical_ner.sklearn_crfsuite_check import need_same_labels
    from clinical_ner.tagger import Tagger
    from clinical_ner.train import train
    from corpus.generator import generate
    from lifecycle.leakage import remembering

    say(f"training on {SHIPPED_NOTES:,} synthetic notes (once; kept in the cache)")
    work = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    config = TrainingConfig(averaged_fits=1)  # a newcomer waits for it, and the corpus is large enough
    notes = training_notes()
    model = remembering(train(notes, config, SHIPPED_SEED, support=shipped_names()), notes)
    model.save(work)
    say("scoring on names that it never saw")
    held_out = generate(SHIPPED_SEED + 1, HELD_OUT_NOTES, vocabulary="heldout")
    scores = score(held_out, Tagger.open(work / "tables.npz").tag([note.text for note in held_out]))
    need_same_labels(work, held_out)
    (work / "scores.json").write_text(json.dumps(scores, indent=2), encoding="utf-8")
    try:
        work.rename(folder)
    except OSError:  # another process was first; its model is the same
        shutil.rmtree(work, ignore_errors=True)


def training_notes() -> list[AnnotatedNote]:
    """Return the notes that the shipped model is trained on."""
    from corpus.generator import generate

    return generate(SHIPPED_SEED, SHIPPED_NOTES, vocabulary="train")


def _fingerprint() -> str:
    """Return a digest of all code and data that the model follows from, so that a change never meets an old model."""
    found = hashlib.sha256(f"{SHIPPED_SEED} {SHIPPED_NOTES} {HELD_OUT_NOTES}".encode())
    for package in PACKAGES:
        root = Path(str(importlib.resources.files(package)))
        for path in _sources(root):
            found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def _sources(root: Path) -> Iterator[Path]:
    return iter(sorted(path for path in root.rglob("*") if path.suffix in MODEL_SUFFIXES))
