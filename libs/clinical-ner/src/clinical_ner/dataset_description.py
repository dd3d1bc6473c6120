"""Describes a data set: counts, lengths, vocabulary of mentions, and what one should know before training on it."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.datasets import Version, digest, given_tokens
from clinical_ner.guideline import versions_of
from clinical_ner.mentions import mention_key
from clinical_ner.notes import Label
from clinical_ner.partial import lacking_remarks

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
        "guidelines": versions_of(notes),
        "remarks": remarks(notes),
    }


@dataclass(slots=True)
class Tally:
    """What is counted of a data set, a note at a time: 32 bytes a note, and 8 for one that names its document."""

    notes: int = 0
    characters: int = 0
    tokens: int = 0
    longest: int = 0
    pairs: int = 0
    mentions: Counter[Label] = field(default_factory=Counter)
    partial: Counter[str] = field(default_factory=Counter)
    _groups: array[int] = field(default_factory=lambda: array("q"))
    _version: Version = field(default_factory=Version)

    def add(self, note: AnnotatedNote, *, version: bool = True) -> None:
        """Count a note; `version` counts it for the digest too."""
        tokens = len(given_tokens(note))
        self.notes += 1
        self.characters += len(note.text)
        self.tokens += tokens
        self.longest = max(self.longest, tokens)
        self.pairs += len(note.pairs)
        self.mentions.update(span.label for span in note.spans)
        if "annotates" in note.meta:
            self.partial[note.meta["annotates"]] += 1
        if version:
            self._version.add(note)
            if note.group:
                self._groups.append(hash(note.group))

    @property
    def groups(self) -> int:
        """Return the number of documents that notes name."""
        return len(np.unique(np.frombuffer(self._groups, np.int64)))

    def digest(self) -> str:
        """Return the version of the data set, as `datasets.digest` does."""
        return self._version.digest()

    def remarks(self) -> list[str]:
        """Return what limits a model trained on, or scores measured on, these notes; empty when nothing does."""
        found = []
        if self.notes < FEW_NOTES:
            found.append(f"only {counted(self.notes, 'note')}: scores on so few say little, and a model learns little")
        for label in Label:
            if not self.mentions[label]:
                found.append(f"no {label} is annotated: from these notes it can be neither learnt nor scored")
            elif self.mentions[label] < FEW_MENTIONS:
                found.append(
                    f"only {counted(self.mentions[label], f'{label} mention')}: scores of {label} are uncertain"
                )
        for annotates, count in self.partial.items():
            found.append(
                f"{count:,} of {self.notes:,} notes are annotated for {annotates} alone: for the other they are unknown"
            )
        if self.longest > LONG_NOTE_TOKENS:
            found.append(f"the longest note has {self.longest:,} tokens: are blank lines between sentences missing?")
        return found


def remarks(notes: Sequence[AnnotatedNote]) -> list[str]:
    """Return what limits a model trained on, or scores measured on, these notes; empty when nothing does."""
    tally = Tally()
    for note in notes:
        tally.add(note, version=False)
    return [*tally.remarks(), *lacking_remarks(notes)]


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


def counted(number: int, what: str) -> str:
    """Return `1 note`, `2,000 notes`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
