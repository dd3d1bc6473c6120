"""Scores predictions against annotations: exact spans, overlap, tokens, strings seen in training or not.

An entity is right when its label, start and end all are. A label that a set does not annotate, or a note was not annotated for, is in
no sum: what is predicted there is unknown, not wrong, and its figures are None. Never judge by the token-weighted F1 that counts O: predicting
nothing at all reaches 0.80 on it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.dataset_description import remarks
from clinical_ner.datasets import given_tokens
from clinical_ner.mentions import mention_digest
from clinical_ner.notes import AnnotatedNote, Label
from clinical_ner.partial import annotated_for, labels_of
from clinical_ner.predictions import Prediction, as_prediction
from clinical_ner.reliability import reliability

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from clinical_ner.predictions import Mention
    from clinical_ner.tagger import TaggedNote

LABELS = tuple(Label)
OUTSIDE = "O"
Key = tuple[str, int, int]


NO_SCORES: dict[str, Any] = {"precision": None, "recall": None, "f1": None, "support": 0}
"""Of a label that is not annotated."""
_NO_SOURCE = "(none)"


@dataclass(slots=True)
class Counts:
    """Right (tp), predicted and gold entities or tokens."""

    right: int = 0
    predicted: int = 0
    gold: int = 0

    def scores(self) -> dict[str, Any]:
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
        `annotated` (the labels that the notes annotate; the others have None for figures), `exact_span` and `overlap` (micro and
        per label; a mention overlaps when one of its label shares a character), `token` (per label and `weighted_f1_with_o`, on the
        given tokens), `seen` and `unseen` (exact spans by whether the string was annotated in training: gold strings for recall,
        predicted ones for precision), `predicted` (mentions by label, of labels that are not annotated too), `without_gold` (the same on
        notes without any annotation), `by` (exact and overlap scores by `source` and `specialty`, where notes have them), `pairs`
        (where annotated), `calibration` (where confidences are known), `notes`, `remarks`.

    Raises:
        ValueError: The two do not have the same length.
    """
    if len(notes) != len(predicted):
        raise ValueError(f"{len(notes)} notes but {len(predicted)} predictions: give one prediction a note")
    everything = [as_prediction(item) for item in predicted]
    labels = labels_of(notes)
    notes = [_known_gold(note, labels) for note in notes]
    found = [judged(note, prediction, labels) for note, prediction in zip(notes, everything, strict=True)]
    result: dict[str, Any] = {"annotated": [str(label) for label in labels]}
    result |= {"exact_span": _exact_span(notes, found, labels), "overlap": overlap(notes, found, labels)}
    result["token"] = _token(notes, found, labels)
    known = None if training_mentions is None else {int(digest) for digest in training_mentions}
    result["seen"] = _by_string(notes, found, known, labels, seen=True)
    result["unseen"] = _by_string(notes, found, known, labels, seen=False)
    result |= _predicted(notes, everything)
    result["by"] = _by(notes, found, labels)
    if any(note.pairs for note in notes):
        result["pairs"] = _pairs(notes, everything)
    if all(prediction.confidences is not None for prediction in found):
        result["calibration"] = reliability(*confidences(notes, found))
    result["notes"] = len(notes)
    result["remarks"] = remarks(notes)
    return result


def judged(note: AnnotatedNote, prediction: Prediction, labels: Sequence[Label]) -> Prediction:
    """Return the mentions of a prediction that a note can judge: of labels that are annotated, in it and in its set; without pairs."""
    places = [
        place
        for place, mention in enumerate(prediction.mentions)
        if mention.label in labels and annotated_for(note, mention.label)
    ]
    if len(places) == len(prediction.mentions):
        return prediction
    confident = prediction.confidences
    kept = None if confident is None else tuple(confident[place] for place in places)
    return Prediction(tuple(prediction.mentions[place] for place in places), kept)


def _known_gold(note: AnnotatedNote, labels: Sequence[Label]) -> AnnotatedNote:
    """Return a note without mentions of a label that it was not annotated for."""
    if all(span.label in labels and annotated_for(note, span.label) for span in note.spans):
        return note
    kept = tuple(span for span in note.spans if span.label in labels and annotated_for(note, span.label))
    return AnnotatedNote(note.text, kept, note_id=note.note_id, group=note.group, meta=note.meta)


def overlap(notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction], labels: Sequence[Label]) -> dict[str, Any]:
    """Return scores that take a mention for right when it shares a character with one of its label; micro and per label."""
    counts = {label: [0, 0, 0, 0] for label in Label}
    for note, prediction in zip(notes, predicted, strict=True):
        for label in labels:
            gold = [span for span in note.spans if span.label is label]
            mine = [mention for mention in prediction.mentions if mention.label == label]
            row = counts[label]
            row[0] += sum(any(_touch(mention, span) for span in gold) for mention in mine)
            row[1] += len(mine)
            row[2] += sum(any(_touch(mention, span) for mention in mine) for span in gold)
            row[3] += len(gold)
    total = [sum(row[column] for row in counts.values()) for column in range(4)]
    result = {"micro": _overlap_scores(total) if labels else dict(NO_SCORES)}
    return result | {
        str(label): _overlap_scores(counts[label]) if label in labels else dict(NO_SCORES) for label in LABELS
    }


def _overlap_scores(counts: Sequence[int]) -> dict[str, Any]:
    touched, predicted, reached, gold = counts
    precision = touched / predicted if predicted else 0.0
    recall = reached / gold if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1, "support": gold}


def _touch(left: Mention, right: Mention) -> bool:
    return left.start < right.end and right.start < left.end


def _predicted(notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction]) -> dict[str, Any]:
    bare = [prediction for note, prediction in zip(notes, predicted, strict=True) if not note.spans]
    return {
        "predicted": _mentions(predicted),
        "without_gold": {
            "notes": len(bare),
            "notes_with_predictions": sum(bool(one.mentions) for one in bare),
            "predicted": _mentions(bare),
        },
    }


def _mentions(predicted: Sequence[Prediction]) -> dict[str, int]:
    counts = Counter(str(mention.label) for prediction in predicted for mention in prediction.mentions)
    return {str(label): counts[str(label)] for label in LABELS}


def _by(notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction], labels: Sequence[Label]) -> dict[str, Any]:
    """Return scores by where notes come from and what they are about, as far as they say so."""
    result: dict[str, Any] = {}
    for name in ("source", "specialty"):
        values = [note.meta.get(name, _NO_SOURCE) for note in notes]
        if set(values) - {_NO_SOURCE}:
            result[name] = {
                value: _part(notes, predicted, labels, [one == value for one in values])
                for value in sorted(set(values))
            }
    return result


def _part(
    notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction], labels: Sequence[Label], mine: Sequence[bool]
) -> dict[str, Any]:
    some, found = list(compress(notes, mine)), list(compress(predicted, mine))
    here = [label for label in labels_of(some) if label in labels]
    found = [judged(note, prediction, here) for note, prediction in zip(some, found, strict=True)]
    return {"notes": len(some), "exact_span": _exact_span(some, found, here), "overlap": overlap(some, found, here)}


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


def _exact_span(
    notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction], labels: Sequence[Label]
) -> dict[str, Any]:
    pairs = [
        (span_keys(note.spans), span_keys(prediction.mentions))
        for note, prediction in zip(notes, predicted, strict=True)
    ]
    return {"micro": _count(pairs).scores() if labels else dict(NO_SCORES), **_by_label(pairs, labels)}


def _by_label(pairs: Sequence[tuple[set[Key], set[Key]]], labels: Sequence[Label]) -> dict[str, Any]:
    return {
        str(label): _count((_only(left, label), _only(right, label)) for left, right in pairs).scores()
        if label in labels
        else dict(NO_SCORES)
        for label in LABELS
    }


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
    notes: Sequence[AnnotatedNote],
    predicted: Sequence[Prediction],
    known: set[int] | None,
    labels: Sequence[Label],
    *,
    seen: bool,
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
    return {**(_count(pairs).scores() if labels else NO_SCORES), **_by_label(pairs, labels)}


def _token(notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction], labels: Sequence[Label]) -> dict[str, Any]:
    classes = {name: Counts() for name in (*map(str, LABELS), OUTSIDE)}
    for note, prediction in zip(notes, predicted, strict=True):
        tokens = given_tokens(note)
        for left, right in zip(
            token_labels(tokens, note.spans), token_labels(tokens, prediction.mentions), strict=True
        ):
            classes[left].gold += 1
            classes[right].predicted += 1
            classes[left].right += left == right
    result: dict[str, Any] = {
        str(label): classes[str(label)].scores() if label in labels else dict(NO_SCORES) for label in LABELS
    }
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
