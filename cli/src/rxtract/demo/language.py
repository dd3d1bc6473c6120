"""The language that changes in one city, with the truth: notes that may be labelled, and notes kept to measure by.

The two halves share no new name: what the model gets right on the kept half it was never shown, neither in a label nor in the
corpus that it was first trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinical_ner.notes import AnnotatedNote, Label, Span
from corpus.simulation import Part, Shift, ShiftKind, SyntheticNote, novel_names, simulate

from rxtract.first_model import training_notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rxtract.highlight import Marked

KINDS = (ShiftKind.NEW_DISEASES, ShiftKind.NEW_DRUGS, ShiftKind.NEW_STYLE)
SHARE = 0.9
MIN_WORD_CHARS = 4


@dataclass(frozen=True, slots=True)
class NameScore:
    """Exact-span scores on some names alone."""

    right: int
    predicted: int
    gold: int

    @property
    def f1(self) -> float:
        """Their F1; 0 where nothing is known."""
        total = self.predicted + self.gold
        return 2 * self.right / total if total else 0.0


def new_language(seed: int, city: str, n: int, part: Part) -> list[SyntheticNote]:
    """Return notes of the city in which all three shifts happened, names from one half; the kinds in turn."""
    streams = [_of_city(seed + number, city, kind, part) for number, kind in enumerate(KINDS)]
    turns = (next(streams[number % len(streams)]) for number in range(n))
    return list(turns)


def _of_city(seed: int, city: str, kind: ShiftKind, part: Part) -> Iterator[SyntheticNote]:
    shift = Shift(kind, city=city, share=SHARE, part=part)
    return (note for note in simulate(seed, shift=shift) if note.city == city)


def words_of(part: Part) -> frozenset[str]:
    """Return the new words of one half, in lower case: those that neither the other half nor the training corpus has."""
    other = Part.KEPT if part is Part.LABELLED else Part.LABELLED
    corpus = " ".join(note.text.lower() for note in training_notes())
    return frozenset(word for word in _words(part) - _words(other) if word not in corpus)


def _words(part: Part) -> frozenset[str]:
    names = [name for kind in KINDS for name in novel_names(kind, part)]
    return frozenset(word for name in names for word in name.lower().split() if len(word) >= MIN_WORD_CHARS)


def mentions_any(text: str, words: frozenset[str]) -> bool:
    """Return whether one of the words stands in a text."""
    lowered = text.lower()
    return any(word in lowered for word in words)


def score_names(
    truths: Mapping[str, AnnotatedNote], found: Mapping[str, Sequence[Marked]], words: frozenset[str]
) -> NameScore:
    """Score only mentions with one of the words: true ones, and predicted ones that have such a word or meet a true one.

    A note without a prediction counts as one in which nothing was found.
    """
    right = predicted = gold = 0
    for note, truth in truths.items():
        true = {span for span in truth.spans if mentions_any(truth.text[span.start : span.end], words)}
        found_spans = {Span(one.start, one.end, Label(str(one.label))) for one in found.get(note, ())}
        counted = {
            span
            for span in found_spans
            if mentions_any(truth.text[span.start : span.end], words) or any(_meet(span, one) for one in true)
        }
        right += len(true & counted)
        predicted += len(counted)
        gold += len(true)
    return NameScore(right, predicted, gold)


def _meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end
