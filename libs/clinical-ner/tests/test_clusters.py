"""Word clusters: words of like contexts share a number, the same in training and serving, and odd files are refused."""

from __future__ import annotations

import gzip
import random

import numpy as np
import pytest
from clinical_ner import clusters
from clinical_ner.artifact import load
from clinical_ner.clusters import UnlabelledTextError, WordClusters, induce, normalised, read_sentences
from clinical_ner.config import TrainingConfig
from clinical_ner.features import FeatureExtractor, extractor_tables
from clinical_ner.native import code_points, word_key
from clinical_ner.support import Support
from clinical_ner.train import train

ANIMALS = ("lion", "tiger", "zebra", "camel", "otter", "horse", "mouse", "goose")
COLOURS = ("red", "green", "blue", "white", "black", "brown", "pink", "grey")


def sentences(count=1_500, seed=0):
    rng = random.Random(seed)
    for _ in range(count):
        yield f"the {rng.choice(ANIMALS)} runs over a {rng.choice(COLOURS)} field with {rng.randint(1, 99)} others .".split()


@pytest.fixture(scope="module")
def found():
    return induce(sentences(), seed=1)


def numbers_of(found, word):
    place = np.searchsorted(found.keys, np.uint64(word_key(word)))
    assert found.keys[place] == word_key(word)
    return found.numbers[place].tolist()


def test_words_of_like_contexts_share_a_cluster(found, monkeypatch):
    monkeypatch.setattr(clusters, "EXCHANGE_CLASSES", (8,))
    monkeypatch.setattr(clusters, "VECTOR_CLASSES", (8,))
    few = induce(sentences(), seed=1)
    animals = {numbers_of(few, word)[0] for word in ANIMALS}
    colours = {numbers_of(few, word)[0] for word in COLOURS}
    assert len(animals) == len(colours) == 1
    assert animals != colours
    assert few.numbers.min() >= 1
    assert found.numbers.shape[1] == 5


def test_the_same_text_and_seed_give_the_same_clusters(found):
    again = induce(sentences(), seed=1)
    assert np.array_equal(found.keys, again.keys)
    assert np.array_equal(found.numbers, again.numbers)
    assert found.sentences == 1_500


def test_only_words_that_may_stand_are_in_the_result():
    kept = induce(sentences(), may_stand=lambda word: word != "zebra")
    assert np.uint64(word_key("zebra")) not in kept.keys
    assert np.uint64(word_key("tiger")) in kept.keys


def test_hyphens_are_read_in_both_ways():
    tokens = "Given beta - blocker 25 mg - and Parkinson ' s".split()
    assert normalised(tokens, joined=False) == "given beta - blocker 00 mg - and parkinson 's".split()
    assert normalised(tokens, joined=True) == "given beta-blocker 00 mg-and parkinson 's".split()


@pytest.mark.parametrize("count", [0, 5])
def test_too_few_sentences_are_refused_in_one_line(count):
    with pytest.raises(UnlabelledTextError, match="too few") as refusal:
        induce(sentences(count))
    assert "\n" not in str(refusal.value)


def test_files_are_read_plain_or_packed_and_damage_is_told(tmp_path):
    text = "One line\n\n  two  words \n"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("a.txt", "a.txt.gz"):
        assert list(read_sentences(tmp_path / name)) == [["One", "line"], ["two", "words"]]
    (tmp_path / "cut.gz").write_bytes(gzip.compress(text.encode() * 500)[:-9])
    (tmp_path / "plain.gz").write_text(text, encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    for name in ("cut.gz", "plain.gz", "latin.txt", "missing.txt"):
        with pytest.raises(UnlabelledTextError) as refusal:
            list(read_sentences(tmp_path / name))
        assert "\n" not in str(refusal.value)
        assert name in str(refusal.value)


def features(found, word):
    extractor = FeatureExtractor(
        extractor_tables(TrainingConfig(groups={"clusters": (0,)}, conjunctions=()), None, found)
    )
    points = code_points(word)
    ends = np.array([len(word)], np.int32)
    return [name for name in extractor.attributes(points, np.zeros(1, np.int32), ends)[0] if name.startswith("0 x")]


def test_a_word_is_known_by_its_digits_its_singular_and_its_last_part():
    keys = sorted([word_key("mg00"), word_key("blocker")])
    rows = {word_key("mg00"): [7, 0], word_key("blocker"): [3, 12]}
    found = WordClusters(np.array(keys, np.uint64), np.array([rows[key] for key in keys], np.uint16))
    assert features(found, "Mg25") == ["0 x0=7"]  # 0: in no cluster of the second clustering
    assert features(found, "BLOCKERS") == ["0 x0=3", "0 x1=12"]
    assert features(found, "beta-blocker") == ["0 x0=-3", "0 x1=-12"]
    assert features(found, "unknown") == []


def test_they_travel_in_the_model_and_change_what_it_learns(composed, found):
    notes, config = composed(60), TrainingConfig(passes=5, calibration_folds=0)
    bare = train(notes, config, seed=1)
    words = {note for each in notes for note in each.text.lower().split()}
    keys = np.array(sorted(word_key(word) for word in words), np.uint64)
    numbers = np.stack([1 + keys % np.uint64(5)], 1).astype(np.uint16)
    helped = train(notes, config, seed=1, support=Support(clusters=WordClusters(keys, numbers)))
    assert helped.sha256 != bare.sha256
    assert np.array_equal(load(helped.tables).extractor.clusters.numbers, numbers)
    assert b"x0=" in helped.crfsuite
    assert helped.tagger().tag([note.text for note in notes[:5]])


def test_of_more_text_than_fits_the_first_tokens_are_read(monkeypatch):
    monkeypatch.setattr(clusters, "MAX_TOKENS", 3_000)
    bounded = induce(sentences())
    assert 200 <= bounded.sentences < 300
