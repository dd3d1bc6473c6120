"""Decoding speed, text to entities, against the usual ways, in one run on one core.

Ways: a notebook's (dict features, sklearn_crfsuite predict and predict_marginals), python-crfsuite's Tagger on the same
rich features as ours (attribute dicts cached per word, the best setting we know), ours, ours by columns as a stream uses it
(text as UTF-8 bytes, no object for a note), and ours without its rescorer, which is the CRF's best labelling alone. All begin
with the text and end with spans and their probabilities. Times are CPU seconds of this process, the best of several rounds in which the
ways take turns, so that a busy machine slows all alike.
"""

from __future__ import annotations

import json
import platform
import random
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.tagger import Tagger
    from clinical_ner.train import TrainedModel

SEED = 7
TRAINING_NOTES = 2_600
BATCH_NOTES = 500
ROUNDS = 20
UNSEEN_SHARE = 0.05


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure all ways on all texts; rows of way, texts, tokens_per_s, notes_per_s, ratio_to_sklearn_crfsuite."""
    from clinical_ner.artifact import load
    from clinical_ner.tagger import Tagger
    from clinical_ner.train import train

    notes = training_notes()
    model = train(notes, seed=SEED)
    ways: dict[str, Callable[[Sequence[str]], object]] = {
        "sklearn_crfsuite": NotebookWay(notes),
        "python-crfsuite, same features": SameFeaturesWay(model),
        "rxtract": batches(model.tagger().tag),
        "rxtract columns": batches(column_way(model.tagger())),
        "rxtract, without the rescorer": batches(Tagger(replace(load(model.tables), rescorer=None)).tag),
    }
    rows = []
    words = " ".join(note.text for note in corpus_notes(SEED + 1, 4_500)).split()
    for name, size, share in (
        ("25 tokens", 25, 0.0),
        ("150 tokens", 150, 0.0),
        ("25 tokens, 5 % unseen", 25, UNSEEN_SHARE),
    ):
        rows += measure(ways, name, partial(cut_texts, words, size, share), rounds)
    return {"machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}", "rows": rows}


def corpus_notes(seed: int, count: int) -> list[AnnotatedNote]:
    """Notes of the shipped corpus, of the style nearest to real ones in how many entities they hold (2 in 25 tokens)."""
    from corpus.generator import generate

    return list(generate(seed, count, style="abstract"))


def training_notes() -> list[AnnotatedNote]:
    """The notes that all ways are trained on."""
    return corpus_notes(SEED, TRAINING_NOTES)


def cut_texts(words: Sequence[str], size: int, unseen: float, turn: int) -> list[str]:
    """Texts of `size` words; a share of the words replaced by new random ones, others at every turn."""
    rng = random.Random(f"{SEED} {size} {unseen} {turn}")
    changed = [new_word(rng) if rng.random() < unseen else word for word in words] if unseen else list(words)
    texts = [" ".join(changed[at : at + size]) for at in range(0, len(changed) - size, size)]
    return texts[: 12_800 // size * 4]


def new_word(rng: random.Random) -> str:
    """A word that nobody has seen."""
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(5, 12)))


def measure(
    ways: dict[str, Callable[[Sequence[str]], object]], name: str, texts_of: Callable[[int], list[str]], rounds: int
) -> list[dict[str, Any]]:
    """Best rate of each way over the rounds; slow ways see fewer texts, for about as long.

    Before it is timed a way reads other texts, as it would in a stream: what is measured are warm caches, and words that
    are unseen stay so.
    """
    best: dict[str, float] = {}
    tokens = 0.0
    for turn in range(rounds):
        texts, others = texts_of(turn), texts_of(turn + rounds)
        tokens = sum(len(text.split()) for text in texts) / len(texts)
        for way, tag in ways.items():
            count = len(texts) if way.startswith("rxtract") else max(12, len(texts) // 32)
            tag(others[:count])
            began = time.process_time()
            tag(texts[:count])
            best[way] = max(best.get(way, 0.0), count / (time.process_time() - began))
    return [
        {
            "way": way,
            "texts": name,
            "tokens_per_s": round(rate * tokens),
            "notes_per_s": round(rate),
            "ratio_to_sklearn_crfsuite": round(rate / best["sklearn_crfsuite"], 2),
        }
        for way, rate in best.items()
    ]


def batches(tag: Callable[[Sequence[str]], object]) -> Callable[[Sequence[str]], object]:
    """Our way: batches as a consumer makes them."""

    def run_batches(texts: Sequence[str]) -> None:
        for at in range(0, len(texts), BATCH_NOTES):
            tag(texts[at : at + BATCH_NOTES])

    return run_batches


def column_way(tagger: Tagger) -> Callable[[Sequence[str]], object]:
    """Texts as they lie in records, one column of UTF-8, to columns of entities."""
    from contracts.columns import Column, code_points

    def tag(texts: Sequence[str]) -> object:
        encoded = [text.encode() for text in texts]
        lengths = np.array([len(text) for text in encoded], np.int64)
        data = np.frombuffer(b"".join([*encoded, b"\0" * 8]), np.uint8)
        found = tagger.tag_columns(*code_points(Column(np.cumsum(lengths) - lengths, lengths), data))
        found.prescriptions()
        return found

    return tag


def spans_of(labels: Sequence[str], marginals: Sequence[float]) -> list[tuple[str, int, int, float]]:
    """Runs of one class as spans, with the lowest marginal of their tokens: what a notebook would do."""
    spans: list[tuple[str, int, int, float]] = []
    first = 0
    for at in range(1, len(labels) + 1):
        if at == len(labels) or labels[at][0] != labels[first][0]:
            if labels[first] != "O":
                spans.append((labels[first], first, at, min(marginals[first:at])))
            first = at
    return spans


class NotebookWay:
    """What published notebooks do: dict features of a word and its neighbours, predict, then predict_marginals."""

    def __init__(self, notes: Sequence[AnnotatedNote]) -> None:
        import sklearn_crfsuite
        from clinical_ner.sequences import all_sequences

        sequences = all_sequences(notes, "inside")
        self.crf = sklearn_crfsuite.CRF(algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=40)
        words = [
            ["".join(map(chr, each.points[s:e])) for s, e in zip(each.starts.tolist(), each.ends.tolist(), strict=True)]
            for each in sequences
        ]
        self.crf.fit([self.features(each) for each in words], [each.labels for each in sequences])

    def __call__(self, texts: Sequence[str]) -> object:
        """Tag texts; batches of the same size as ours."""
        found = []
        for at in range(0, len(texts), BATCH_NOTES):
            features = [self.features(text.split()) for text in texts[at : at + BATCH_NOTES]]
            labels, marginals = self.crf.predict(features), self.crf.predict_marginals(features)
            for mine, theirs in zip(labels, marginals, strict=True):
                found.append(spans_of(mine, [row[label] for row, label in zip(theirs, mine, strict=True)]))
        return found

    def features(self, words: Sequence[str]) -> list[dict[str, Any]]:
        """Features of every word of a text."""
        return [self.word_features(words, at) for at in range(len(words))]

    @staticmethod
    def word_features(words: Sequence[str], at: int) -> dict[str, Any]:
        """The dict of sklearn-crfsuite's own tutorial, without parts of speech."""
        word = words[at]
        features: dict[str, Any] = {
            "bias": 1.0,
            "word.lower()": word.lower(),
            "word[-3:]": word[-3:],
            "word[-2:]": word[-2:],
            "word.isupper()": word.isupper(),
            "word.istitle()": word.istitle(),
            "word.isdigit()": word.isdigit(),
        }
        for offset, name in ((-1, "-1"), (1, "+1")):
            if 0 <= at + offset < len(words):
                near = words[at + offset]
                features[f"{name}:word.lower()"] = near.lower()
                features[f"{name}:word.istitle()"] = near.istitle()
                features[f"{name}:word.isupper()"] = near.isupper()
            else:
                features["BOS" if offset < 0 else "EOS"] = True
        return features


class SameFeaturesWay:
    """python-crfsuite's Tagger on our model file and our features, as dicts cached per word and per pair of words."""

    def __init__(self, model: TrainedModel) -> None:
        import pycrfsuite
        from clinical_ner.config import TrainingConfig
        from clinical_ner.features import FeatureExtractor, extractor_tables

        self.config = TrainingConfig.from_dict(model.metadata["config"])
        self.extractor = FeatureExtractor(extractor_tables(self.config))
        self.model = model.crfsuite
        self.tagger = pycrfsuite.Tagger()
        self.tagger.open_inmemory(self.model)
        self.words: dict[str, tuple[list[dict[str, float]], str]] = {}
        self.pairs: dict[tuple[str, str], tuple[dict[str, float], dict[str, float]]] = {}

    def __call__(self, texts: Sequence[str]) -> object:
        """Tag texts one by one, as this Tagger works."""
        from pycrfsuite import ItemSequence

        found = []
        for text in texts:
            self.tagger.set(ItemSequence(self.items(text.split())))
            labels = self.tagger.tag()
            marginals = [self.tagger.marginal(label, at) for at, label in enumerate(labels)]
            found.append(spans_of(labels, marginals))
        return found

    def items(self, words: Sequence[str]) -> list[dict[str, float]]:
        """Attributes of every word, joined from the caches."""
        window, count = self.config.window, len(words)
        known = [self.word(word) for word in words]
        bag = dict.fromkeys((bag for _, bag in known), self.config.bag_value)
        items: list[dict[str, float]] = []
        for at in range(count):
            item = dict(bag)
            for offset in range(-window, window + 1):
                place = at + offset
                if 0 <= place < count:
                    item |= known[place][0][offset + window]
                elif offset in self.config.groups.get("edge", ()):
                    item[f"{offset} {'BOS' if place < 0 else 'EOS'}"] = 1.0
            item |= self.pair(words[at - 1] if at else "", words[at])[1]
            item |= self.pair(words[at], words[at + 1] if at + 1 < count else "")[0]
            items.append(item)
        return items

    def attributes(self, words: Sequence[str]) -> list[list[str]]:
        """Attribute strings of given words."""
        import numpy as np
        from clinical_ner.native import code_points

        ends = np.cumsum([len(word) for word in words], dtype=np.int32)
        starts = ends - np.array([len(word) for word in words], np.int32)
        return self.extractor.attributes(code_points("".join(words)), starts, ends)

    def word(self, word: str) -> tuple[list[dict[str, float]], str]:
        """A word's attributes at each offset, and its bag attribute."""
        if word not in self.words:
            window = self.config.window
            found = self.attributes([*["#"] * window, word, *["#"] * window])
            rows = [
                {a: 1.0 for a in found[window - offset] if a.startswith(f"{offset} ")}
                for offset in range(-window, window + 1)
            ]
            bag = next((a for a in self.attributes([word])[0] if a[0] == "~"), "")
            self.words[word] = (rows, bag)
        return self.words[word]

    def pair(self, left: str, right: str) -> tuple[dict[str, float], dict[str, float]]:
        """Conjunctions of two neighbours as the left and as the right one sees them; "" is the edge."""
        if (left, right) not in self.pairs:
            found = self.attributes([word for word in (left, right) if word])
            seen_right = {f"&{i}" for i, pair in enumerate(self.config.conjunctions) if pair.left_offset == -1}
            sides: list[dict[str, float]] = []
            for token, wanted in ((found[0] if left else [], False), (found[-1] if right else [], True)):
                mine = [a for a in token if a[0] == "&" and (a.split(" ", 1)[0] in seen_right) is wanted]
                sides.append(dict.fromkeys(mine, 1.0))
            self.pairs[left, right] = (sides[0], sides[1])
        return self.pairs[left, right]


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
