"""Describes a data set: counts, lengths, vocabulary of mentions, and what one should know before training on it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.datasets import digest, given_tokens
from clinical_ner.mentions import mention_key
from clinical_ner.notes import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clinical_ner.notes import AnnotatedNote

FEW_NOTES = 100
FEW_MENTIONS = 50
LONG_NOTE_TOKENS = 2_000


def describe(notes: Sequence[AnnotatedNote], top: int = 10) -> dict[str, Any]:
    """Return counts per label, lengths in tokens, the most frequent mentions, and remarks in plain words."""
    tokens = [len(given_tokens(note)) for note in notes]
    return {
        "digest": digest(notes),
        "notes": len(notes),
        "notes_without_entity": sum(not note.spans for note in notes),
        "groups": len({note.group for note in notes if note.group}),
        "tokens": sum(tokens),
        "tokens_per_note": _quantiles(tokens),
        "characters": sum(len(note.text) for note in notes),
        "pairs": sum(len(note.pairs) for note in notes),
        "labels": {str(label): _label(notes, label, top) for label in Label},
        "remarks": remarks(notes),
    }


def remarks(notes: Sequence[AnnotatedNote]) -> list[str]:
    """Return what limits a model trained on, or scores measured on, these notes; empty when nothing does."""
    mentions = Counter(span.label for note in notes for span in note.spans)
    found = []
    if len(notes) < FEW_NOTES:
        found.append(f"only {len(notes)} notes: scores on so few say little, and a model learns little")
    for label in Label:
        if not mentions[label]:
            found.append(f"no {label} is annotated: from these notes it can be neither learnt nor scored")
        elif mentions[label] < FEW_MENTIONS:
            found.append(f"only {mentions[label]} {label} mentions: scores of {label} are uncertain")
    longest = max((len(given_tokens(note)) for note in notes), default=0)
    if longest > LONG_NOTE_TOKENS:
        found.append(f"the longest note has {longest:,} tokens: are blank lines between sentences missing?")
    return found


def trained_on_these(notes: Sequence[AnnotatedNote], metadata: Mapping[str, Any]) -> list[str]:
    """Return the remark that scores are worth nothing, when a model's training data are exactly these notes."""
    if metadata.get("dataset", {}).get("digest") != digest(notes):
        return []
    return ["the model was trained on exactly these notes: its scores say nothing about others"]


def _label(notes: Sequence[AnnotatedNote], label: Label, top: int) -> dict[str, Any]:
    strings: Counter[str] = Counter()
    lengths: list[int] = []
    inside = 0
    for note in notes:
        spans = [span for span in note.spans if span.label is label]
        if not spans:
            continue
        tokens = given_tokens(note)
        for span in spans:
            strings[mention_key(note.text[span.start : span.end])] += 1
            covered = sum(start < span.end and end > span.start for start, end in tokens)
            lengths.append(covered)
            inside += covered
    return {
        "mentions": sum(strings.values()),
        "distinct": len(strings),
        "once": sum(count == 1 for count in strings.values()),
        "tokens": inside,
        "tokens_per_mention": _quantiles(lengths),
        "most_frequent": [{"text": text, "mentions": count} for text, count in strings.most_common(top)],
    }


def _quantiles(values: Sequence[int]) -> dict[str, float]:
    if not values:
        return {"mean": 0.0, "p50": 0.0, "p95": 0.0, "max": 0.0}
    numbers = np.asarray(values, dtype=np.float64)
    return {
        "mean": round(float(numbers.mean()), 2),
        "p50": float(np.quantile(numbers, 0.5)),
        "p95": float(np.quantile(numbers, 0.95)),
        "max": float(numbers.max()),
    }
