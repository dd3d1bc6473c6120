"""Tokens and sentences of a text, with offsets in code points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clinical_ner.native import code_points, library

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Token(NamedTuple):
    """A token; `text` is the note's text from `start` to `end` (exclusive), in code points."""

    text: str
    start: int
    end: int


class Sentence(NamedTuple):
    """A sentence from its first token's start to its last token's end."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TokenArrays:
    """The tokens of one text as arrays of shape (tokens,); `begins` is 1 where a sentence begins."""

    points: NDArray[np.uint32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    begins: NDArray[np.uint8]


def token_arrays(text: str) -> TokenArrays:
    """Split a text into tokens: every character that is no white space is in exactly one token."""
    points = code_points(text)
    room = len(points) + 1
    starts, ends = np.empty(room, np.int32), np.empty(room, np.int32)
    begins = np.empty(room, np.uint8)
    count = library().cn_tokenise(
        points.ctypes.data, len(points), starts.ctypes.data, ends.ctypes.data, begins.ctypes.data
    )
    if count < 0:
        raise ValueError("the text is too long to be tokenised")
    return TokenArrays(points, starts[:count], ends[:count], begins[:count])


def tokenise(text: str) -> list[Token]:
    """Return the tokens of a text in order."""
    arrays = token_arrays(text)
    spans = zip(arrays.starts.tolist(), arrays.ends.tolist(), strict=True)
    return [Token(text[start:end], start, end) for start, end in spans]


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of a text in order; each holds at least one token."""
    arrays = token_arrays(text)
    firsts = np.flatnonzero(arrays.begins).tolist()
    bounds = zip(firsts, [*firsts[1:], len(arrays.starts)][: len(firsts)], strict=True)
    spans = [(int(arrays.starts[first]), int(arrays.ends[after - 1])) for first, after in bounds]
    return [Sentence(text[start:end], start, end) for start, end in spans]
