"""Annotated notes as token sequences with one label a token: what training reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clinical_ner.schemes import OUTSIDE, mention_labels
from clinical_ner.tokens import token_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from clinical_ner.notes import AnnotatedNote, Span


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """One sentence: the note's code points, its tokens' offsets (shape (tokens,)) and their labels."""

    points: NDArray[np.uint32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    labels: list[str]


def token_sequences(note: AnnotatedNote, scheme: str) -> Iterator[TokenSequence]:
    """Cut a note into sentences as serving does, but never inside a mention.

    A span that begins or ends within a token is widened to it; of overlapping spans the first counts.
    """
    arrays = token_arrays(note.text)
    labels = [OUTSIDE] * len(arrays.starts)
    begins = arrays.begins.astype(bool)
    for span in sorted(note.spans):
        first, after = _tokens_of(span, arrays.starts, arrays.ends)
        if first < after and all(label == OUTSIDE for label in labels[first:after]):
            labels[first:after] = mention_labels(scheme, span.label, after - first)
            begins[first + 1 : after] = False
    firsts = np.flatnonzero(begins).tolist()
    for first, after in zip(firsts, [*firsts[1:], len(labels)][: len(firsts)], strict=True):
        yield TokenSequence(arrays.points, arrays.starts[first:after], arrays.ends[first:after], labels[first:after])


def all_sequences(notes: Sequence[AnnotatedNote], scheme: str) -> list[TokenSequence]:
    """Return the sentences of all notes in order."""
    return [sequence for note in notes for sequence in token_sequences(note, scheme)]


def _tokens_of(span: Span, starts: NDArray[np.int32], ends: NDArray[np.int32]) -> tuple[int, int]:
    """First token that ends after the span's start, and the first that starts at or after its end."""
    return int(np.searchsorted(ends, span.start, "right")), int(np.searchsorted(starts, span.end, "left"))
