"""The native decoder against CRFsuite itself, on random models and random texts."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pycrfsuite
import pytest
from clinical_ner import crfsuite_file
from clinical_ner.config import Conjunction, TrainingConfig
from clinical_ner.crf import valued
from clinical_ner.crfsuite_file import read_weights
from clinical_ner.decoder import Decoder
from clinical_ner.features import FeatureExtractor, extractor_tables
from clinical_ner.native import GROUPS
from clinical_ner.schemes import all_labels
from clinical_ner.tables import ModelTables, weight_tables
from clinical_ner.tokens import token_arrays
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

WORDS = (
    "fever Fever FEVER typhoid T2DM k/c/o 500mg 1-0-1 2/7 b.d. hepatitis-B non-small-cell carcinoma metformin the of "
    "with , . ( ) 's 12.5 naïve Über ß µg डायबिटीज 糖尿病 😀 \x00 \ud800 ﬁbrosis ΑΣΘΜΑ a-b-c x"
).split(" ")
EMPTY = np.zeros(0, np.uint64)


class Everything(set[str]):
    """Keeps every attribute."""

    def __contains__(self, item: object) -> bool:
        return True


def random_config(rng: random.Random, scheme: str) -> TrainingConfig:
    window = rng.randint(0, 4)
    free = [name for name in GROUPS if name not in {"bias", "bag"}]
    chosen = rng.sample(free, rng.randint(1, len(free)))
    offsets = range(-window, window + 1)
    groups = {name: tuple(sorted(rng.sample(offsets, rng.randint(1, len(offsets))))) for name in chosen}
    values = [name for name in GROUPS if name not in {"bag", "edge", "clusters"}]
    pairs = tuple(
        Conjunction(rng.choice(values), rng.choice(offsets), rng.choice(values), rng.choice(offsets))
        for _ in range(rng.randint(0, 6))
    )
    return TrainingConfig(
        groups={"bias": (0,), **groups}, conjunctions=pairs, scheme=scheme, bag_value=rng.choice([0.0, 0.3, 1.0])
    )


def random_text(rng: random.Random) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 30)))


def attributes(extractor: FeatureExtractor, config: TrainingConfig, text: str) -> list[dict[str, float]]:
    arrays = token_arrays(text)
    return valued(extractor.attributes(arrays.points, arrays.starts, arrays.ends), Everything(), config.bag_value)


def random_weights(model: bytes, seed: int) -> bytes:
    """The same features with random weights."""
    features, *_ = crfsuite_file._features(model)
    changed = features.copy()
    changed["weight"] = np.random.default_rng(seed).normal(0, 0.7, len(features))
    start = crfsuite_file._HEADER.unpack_from(model)[7] + 12
    return model[:start] + changed.tobytes() + model[start + changed.nbytes :]


def random_model(seed: int, scheme: str, folder: Path) -> tuple[TrainingConfig, FeatureExtractor, bytes]:
    rng = random.Random(seed)
    config = random_config(rng, scheme)
    extractor = FeatureExtractor(extractor_tables(config, {"typhoid": ["dis", "fever"], "metformin": ["drug"]}))
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params(
        {"max_iterations": 3, "feature.possible_transitions": True, "feature.possible_states": rng.random() < 0.5}
    )
    labels = sorted(all_labels(scheme))
    rng.shuffle(labels)
    trainer.append([{"0 b": 1.0}] * len(labels), labels)
    for _ in range(12):
        items = attributes(extractor, config, random_text(rng))
        if items:
            trainer.append(items, [rng.choice(labels) for _ in items])
    path = folder / "model.crfsuite"
    trainer.train(str(path))
    return config, extractor, random_weights(path.read_bytes(), seed)


def decoder_of(config: TrainingConfig, extractor: FeatureExtractor, model: bytes) -> tuple[Decoder, list[str]]:
    weights = read_weights(model)
    metadata = {"crf_labels": weights.labels, "scheme": config.scheme, "cache_words": 4_000}
    tables = ModelTables(
        metadata,
        extractor.tables,
        weight_tables(weights, extractor, config.bag_value),
        EMPTY,
        EMPTY[:0].astype(np.uint32),
        EMPTY,
    )
    return Decoder(tables), weights.labels


def assert_same(text: str, config: TrainingConfig, extractor: FeatureExtractor, model: bytes) -> None:
    decoder, names = decoder_of(config, extractor, model)
    arrays = token_arrays(text)
    items = attributes(extractor, config, text)
    tagger = pycrfsuite.Tagger()
    tagger.open_inmemory(model)
    expected = tagger.tag(items)
    labels, marginals = decoder.marginals(arrays.points, arrays.starts, arrays.ends)
    assert labels == expected
    theirs = np.array([[tagger.marginal(name, at) for name in names] for at in range(len(items))])
    assert theirs.shape == marginals.shape or not items
    assert not items or np.abs(theirs - marginals).max() < 1e-9


@pytest.mark.parametrize(("scheme", "count"), [("inside", 3), ("inside-last", 5), ("bio", 5), ("bilou", 9)])
@settings(max_examples=30, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32 - 1), text=st.one_of(st.text(max_size=120), st.just(None)))
@pytest.mark.slow
def test_labels_and_marginals_are_crfsuites_own(scheme, count, seed, text, tmp_path_factory):
    config, extractor, model = random_model(seed, scheme, tmp_path_factory.mktemp("model"))
    assert len(read_weights(model).labels) == count
    assert_same(random_text(random.Random(seed + 1)) if text is None else text, config, extractor, model)


def test_a_wrong_weight_is_noticed(tmp_path):
    config, extractor, model = random_model(1, "inside", tmp_path)
    other = random_weights(model, 2)
    arrays = token_arrays("fever of typhoid")
    mine = decoder_of(config, extractor, model)[0].marginals(arrays.points, arrays.starts, arrays.ends)[1]
    changed = decoder_of(config, extractor, other)[0].marginals(arrays.points, arrays.starts, arrays.ends)[1]
    assert np.abs(mine - changed).max() > 1e-6


def test_weights_are_read_with_full_precision(tmp_path):
    _, _, model = random_model(3, "inside", tmp_path)
    (tmp_path / "again.crfsuite").write_bytes(model)
    tagger = pycrfsuite.Tagger()
    tagger.open(str(tmp_path / "again.crfsuite"))
    printed = tagger.info().state_features
    weights = read_weights(model)
    for attribute, label, weight in zip(
        weights.state_attributes, weights.state_labels, weights.state_weights, strict=True
    ):
        name = (weights.attributes[attribute], weights.labels[label])
        assert printed[name] == pytest.approx(weight, abs=1e-6)
    assert len(printed) == len(weights.state_weights)
