"""Scores predictions against annotations: exact spans, tokens, strings seen in training or not.

An entity is right when its label, start and end all are. Never judge by the token-weighted F1 that counts O: predicting
nothing at all reaches 0.80 on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.dataset_description import remarks
from clinical_ner.datasets import given_tokens
from clinical_ner.mentions import mention_digest
from clinical_ner.notes import Label
from clinical_ner.predictions import Prediction, as_prediction
from clinical_ner.reliability import reliability

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.predictions import Mention
    from clinical_ner.tagger import TaggedNote

LABELS = tuple(Label)
OUTSIDE = "O"
Key = tuple[str, int, int]


@dataclass(slots=True)
class Counts:
    """Right (tp), predicted and gold entities or tokens."""

    right: int = 0
    predicted: int = 0
    gold: int = 0

    def scores(self) -> dict[str, float | int]:
        """Return precision, recall, f1 (0.0 where undefined) and support (the gold count)."""
        precision = self.right / self.predicted if self.predicted else 0.0
        recall = self.right / self.gold if self.gold else 0.0
        total = self.predicted + self.gold
        return {
            "precision": precision,
            "recall": recall,
            "f1": 2 * self.right / total if total else 0.0,
            "support": self.gold,
        }


def score(
    notes: Sequence[AnnotatedNote],
    predicted: Sequence[Prediction | TaggedNote],
    training_mentions: Iterable[int] | NDArray[np.uint64] | None = None,
) -> dict[str, Any]:
    """Return all scores of `predicted` on the annotated `notes`, in the same order.

    Args:
        notes: The gold annotations.
        predicted: One prediction a note (`clinical_ner.predictions.predict`, or what `Tagger.tag` returned).
        training_mentions: Hashes of the mention strings seen in training (`mentions.mention_digests`); without them
            "seen" and "unseen" are None.

    Returns:
        `exact_span` (micro and per label), `token` (per label and `weighted_f1_with_o`, on the given tokens), `seen` and
        `unseen` (exact spans by whether the string was annotated in training: gold strings for recall, predicted ones
        for precision), `pairs` (where annotated), `calibration` (where confidences are known), `notes`, `remarks`.

    Raises:
        ValueError: The two do not have the same length.
    """
    if len(notes) != len(predicted):
        raise ValueError(f"{len(notes)} notes but {len(predicted)} predictions: give one prediction a note")
    found = [as_prediction(item) for item in predicted]
    result: dict[str, Any] = {"exact_span": _exact_span(notes, found), "token": _token(notes, found)}
    known = None if training_mentions is None else {int(digest) for digest in training_mentions}
    result["seen"] = _by_string(notes, found, known, seen=True)
    result["unseen"] = _by_string(notes, found, known, seen=False)
    if any(note.pairs for note in notes):
        result["pairs"] = _pairs(notes, found)
    if all(prediction.confidences is not None for prediction in found):
        result["calibration"] = reliability(*confidences(notes, found))
    result["notes"] = len(notes)
    result["remarks"] = remarks(notes)
    return result


def span_keys(mentions: Iterable[Mention]) -> set[Key]:
    """Return the (label, start, end) of each mention."""
    return {(str(mention.label), mention.start, mention.end) for mention in mentions}


def confidences(
    notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the confidence of every predicted entity, and whether it is exactly right; shapes (entities,)."""
    values: list[float] = []
    right: list[bool] = []
    for note, prediction in zip(notes, predicted, strict=True):
        keys = span_keys(note.spans)
        for mention, confidence in zip(prediction.mentions, prediction.confidences or (), strict=True):
            values.append(confidence)
            right.append((str(mention.label), mention.start, mention.end) in keys)
    return np.array(values, dtype=np.float64), np.array(right, dtype=np.bool_)


def _exact_span(notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction]) -> dict[str, Any]:
    pairs = [
        (span_keys(note.spans), span_keys(prediction.mentions))
        for note, prediction in zip(notes, predicted, strict=True)
    ]
    result: dict[str, Any] = {"micro": _count(pairs).scores()}
    for label in LABELS:
        result[str(label)] = _count((_only(left, label), _only(right, label)) for left, right in pairs).scores()
    return result


def _count(pairs: Iterable[tuple[set[Key], set[Key]]]) -> Counts:
    counts = Counts()
    for left, right in pairs:
        counts.right += len(left & right)
        counts.gold += len(left)
        counts.predicted += len(right)
    return counts


def _only(keys: set[Key], label: Label) -> set[Key]:
    return {key for key in keys if key[0] == label}


def _by_string(
    notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction], known: set[int] | None, *, seen: bool
) -> dict[str, Any] | None:
    if known is None:
        return None
    pairs = []
    for note, prediction in zip(notes, predicted, strict=True):
        chosen = [
            {key for key in span_keys(mentions) if (mention_digest(note.text[key[1] : key[2]]) in known) is seen}
            for mentions in (note.spans, prediction.mentions)
        ]
        pairs.append((chosen[0], chosen[1]))
    result: dict[str, Any] = _count(pairs).scores()
    for label in LABELS:
        result[str(label)] = _count((_only(left, label), _only(right, label)) for left, right in pairs).scores()
    return result


def _token(notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction]) -> dict[str, Any]:
    classes = {name: Counts() for name in (*map(str, LABELS), OUTSIDE)}
    for note, prediction in zip(notes, predicted, strict=True):
        tokens = given_tokens(note)
        for left, right in zip(
            token_labels(tokens, note.spans), token_labels(tokens, prediction.mentions), strict=True
        ):
            classes[left].gold += 1
            classes[right].predicted += 1
            classes[left].right += left == right
    result: dict[str, Any] = {str(label): classes[str(label)].scores() for label in LABELS}
    total = sum(counts.gold for counts in classes.values())
    weighted = sum(counts.scores()["f1"] * counts.gold for counts in classes.values())
    result["weighted_f1_with_o"] = weighted / total if total else 0.0
    return result


def token_labels(tokens: Sequence[tuple[int, int]], mentions: Sequence[Mention]) -> list[str]:
    """Return the label of each token: that of the mention covering most of it, "O" where none touches it."""
    labels = [OUTSIDE] * len(tokens)
    covered = [0] * len(tokens)
    for mention in mentions:
        for index, (start, end) in enumerate(tokens):
            overlap = min(end, mention.end) - max(start, mention.start)
            if overlap > covered[index]:
                labels[index], covered[index] = str(mention.label), overlap
    return labels


def _pairs(notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction]) -> dict[str, float | int]:
    counts = Counts()
    for note, prediction in zip(notes, predicted, strict=True):
        left = _pair_keys(note.spans, note.pairs)
        right = _pair_keys(prediction.mentions, prediction.pairs)
        counts.right += len(left & right)
        counts.gold += len(left)
        counts.predicted += len(right)
    return counts.scores()


def _pair_keys(mentions: Sequence[Mention], pairs: Iterable[tuple[int, int]]) -> set[tuple[int, int, int, int]]:
    return {
        (mentions[left].start, mentions[left].end, mentions[right].start, mentions[right].end) for left, right in pairs
    }
