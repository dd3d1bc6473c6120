"""The native decoder against CRFsuite itself, on random models and random texts."""

from __future__ import annotations

import itertools
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
from clinical_ner.native import GROUPS, library
from clinical_ner.schemes import all_labels, role
from clinical_ner.tables import ModelTables, weight_tables
from clinical_ner.tokens import token_arrays
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

WORDS = (
    "fever Fever FEVER typhoid T2DM k/c/o 500mg 1-0-1 2/7 b.d. hepatitis-B non-small-cell carcinoma metformin the of "
    "with , . ( ) 's 12.5 naïve Über ß µg डायबिटीज 糖尿病 😀 \x00 \ud800 ﬁbrosis ΑΣΘΜΑ a-b-c x"
).split(" ")
EMPTY = np.zeros(0, np.uint64)
CLASS, BEGINS, ENDS = 3, 4, 8  # of a role


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


def decoder_of(
    config: TrainingConfig, extractor: FeatureExtractor, model: bytes, cache_words: int = 4_000
) -> tuple[Decoder, list[str]]:
    weights = read_weights(model)
    metadata = {"crf_labels": weights.labels, "scheme": config.scheme, "cache_words": cache_words}
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


@pytest.fixture(params=[True, False], ids=["as the processor can", "without AVX2"])
def instructions(request):
    """Code for AVX2, where there is such a processor, and without."""
    library().cn_use_avx2(request.param)
    yield
    library().cn_use_avx2(1)


def spans_of(labels: list[str], scheme: str) -> list[tuple[int, int, int]]:
    """Class, first and last token of each span: a label goes on unless it begins one, or the one before ended it."""
    spans: list[tuple[int, int, int]] = []
    before = 0
    for at, label in enumerate(labels):
        now = role(scheme, label)
        if now & CLASS and now & CLASS == before & CLASS and not now & BEGINS and not before & ENDS:
            spans[-1] = (*spans[-1][:2], at)
        elif now & CLASS:
            spans.append((now & CLASS, at, at))
        before = now
    return spans


def crfsuites_notes(
    texts: list[str], config: TrainingConfig, extractor: FeatureExtractor, model: bytes
) -> tuple[list[tuple[int, ...]], list[tuple[float, float]]]:
    """(note, class, first, last) of all spans; the mean marginal and the labelling's probability of each note."""
    tagger = pycrfsuite.Tagger()
    tagger.open_inmemory(model)
    found: list[tuple[int, ...]] = []
    scores = []
    for note, text in enumerate(texts):
        arrays = token_arrays(text)
        firsts = [*np.flatnonzero(arrays.begins).tolist(), len(arrays.starts)]
        marginals, probability = [], 1.0
        for first, end in itertools.pairwise(firsts):
            rows = extractor.attributes(arrays.points, arrays.starts[first:end], arrays.ends[first:end])
            labels = tagger.tag(valued(rows, Everything(), config.bag_value))
            marginals += [tagger.marginal(label, at) for at, label in enumerate(labels)]
            probability *= tagger.probability(labels)
            found += [
                (note, kind, first + left, first + right) for kind, left, right in spans_of(labels, config.scheme)
            ]
        scores.append((float(np.mean(marginals)) if marginals else 1.0, probability))
    return found, scores


@pytest.mark.parametrize("scheme", ["inside", "inside-last", "bio", "bilou"])
@pytest.mark.parametrize("seed", range(3))
def test_notes_that_are_decoded_side_by_side_are_crfsuites_own(scheme, seed, instructions, tmp_path):
    config, extractor, model = random_model(seed, scheme, tmp_path)
    rng = random.Random(seed)
    texts = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(0, 40))) for _ in range(60)]
    decoder, _ = decoder_of(config, extractor, model)
    found = decoder.decode(texts)
    expected, scores = crfsuites_notes(texts, config, extractor, model)
    assert expected
    assert [tuple(row) for row in found.entities[:, [0, 1, 5, 6]].tolist()] == expected
    assert np.abs(found.note_scores - np.array(scores)).max() < 1e-9


def test_a_note_is_decoded_alike_alone_and_among_others(instructions, tmp_path):
    """Bit for bit: also where the cache of words is full amid a note, and where a sentence is as long as one may be."""
    config, extractor, model = random_model(5, "inside-last", tmp_path)
    rng = random.Random(5)
    new = ["".join(rng.choice("abcdefgh") for _ in range(9)) for _ in range(9_000)]
    texts = [" ".join(rng.choice(WORDS) for _ in range(size)) for size in (0, 1, 3, 3_000, 30, 1, 900, 0)]
    texts += [" ".join(new[:4_500]), "", "fever. typhoid", " ".join(new[4_500:]), *texts]
    together = decoder_of(config, extractor, model, cache_words=2_000)[0].decode(texts)
    decoder, _ = decoder_of(config, extractor, model)
    alone = [decoder.decode([text]) for text in texts]
    assert together.entities[:, 1:].tolist() == np.concatenate([each.entities[:, 1:] for each in alone]).tolist()
    assert together.confidences.tolist() == np.concatenate([each.confidences for each in alone]).tolist()
    assert together.counts.tolist() == np.concatenate([each.counts for each in alone]).tolist()
    assert together.note_scores.tolist() == np.concatenate([each.note_scores for each in alone]).tolist()
    assert len(together.entities) > 1_000


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
