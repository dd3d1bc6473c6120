"""Train the tagger of names and addresses anew: `python -m deid.training FILE`, on synthetic notes alone.

The file that ships is `data/names.npz`; `deid.tagger` opens it only with the digest that stands there.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from clinical_ner.artifact import dump
from clinical_ner.config import Conjunction, TrainingConfig
from clinical_ner.crf import fit_averaged
from clinical_ner.features import FeatureExtractor, extractor_tables
from clinical_ner.native import FEATURES_VERSION
from clinical_ner.tables import ModelTables, weight_tables

from deid import word_lists
from deid.practice import practice

SEED, NOTES = 4, 16_000
SMALLEST_WEIGHT = 0.05
"""Weights below it are left out: the file is a fraction as large and finds the same."""


def configuration() -> TrainingConfig:
    """How names look (pieces of words, case, lists) and where they stand (two words to each side)."""
    wide, near, here = (-2, -1, 0, 1, 2), (-1, 0, 1), (0,)
    return TrainingConfig(
        groups={
            "bias": here, "lower": wide, "prefix2": here, "prefix3": here, "suffix2": here, "suffix3": here,
            "suffix4": here, "short_shape": wide, "pattern": near, "classes": wide, "morphology": near, "edge": near,
        },
        conjunctions=tuple(Conjunction("kind", left, "kind", left + 1) for left in (-1, 0)),
        scheme="bilou", swap_copies=0, averaged_fits=1, bag_value=0.0, calibration_folds=0, min_frequency=3.0,
        label_bias={"O": -0.8}, c2=0.5, max_iterations=80,
    )  # fmt: skip


def word_classes(without: frozenset[str] = frozenset()) -> dict[str, list[str]]:
    """Lower-case word to its classes: given, family, place, street."""
    found: dict[str, list[str]] = {}
    names = word_lists.names()
    lists = {
        "given": (*names.male, *names.female),
        "family": names.family,
        "place": word_lists.places(),
        "street": tuple(word_lists.street_words()),
    }
    for label, words in lists.items():
        for word in dict.fromkeys(words):
            if word not in without:
                found.setdefault(word.lower(), []).append(label)
    return found


def train(seed: int = SEED, notes: int = NOTES) -> bytes:
    """Return the file of a tagger trained on synthetic notes; the same seed gives the same."""
    config = configuration()
    made, unlisted = practice(seed, notes)
    weights = fit_averaged(made, FeatureExtractor(extractor_tables(config, word_classes(unlisted))), config, seed)
    kept = np.where(np.abs(weights.state_weights) < SMALLEST_WEIGHT, 0.0, weights.state_weights)
    full = FeatureExtractor(extractor_tables(config, word_classes()))
    metadata = {
        "format": "rxtract-crf", "format_version": 1, "features_version": FEATURES_VERSION, "scheme": config.scheme,
        "config": config.to_dict(), "cache_words": config.cache_words, "calibration": {"curves": {}},
        "crf_labels": weights.labels, "window": config.window, "seed": seed, "notes": notes,
    }  # fmt: skip
    nothing = np.array([], np.uint64)
    tables = weight_tables(replace(weights, state_weights=kept), full, config.bag_value)
    return dump(ModelTables(metadata, full.tables, tables, nothing, np.array([], np.uint32), nothing))


if __name__ == "__main__":
    content = train()
    Path(sys.argv[1]).write_bytes(content)
    print(hashlib.sha256(content).hexdigest(), f"{len(content):,} bytes")  # noqa: T201 - this is a command
