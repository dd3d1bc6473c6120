"""Finds notes that occur twice, within a data set or in two splits of it, exactly or nearly."""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinical_ner.datasets import text_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.notes import AnnotatedNote

SHINGLE_WORDS = 3
NEAR = 0.6  # one word changed in a sentence of seventeen gives 0.67
_COMMON_SHINGLE = 40  # a shingle in more notes than this proposes no candidates: the work stays linear
_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two notes, by index, with their likeness: 1.0 is the same text but for case and spaces, else Jaccard of shingles."""

    first: int
    second: int
    likeness: float
    same_spans: bool

    @property
    def exact(self) -> bool:
        """Whether the texts are the same but for case and spaces."""
        return self.likeness == 1.0


def duplicates(notes: Sequence[AnnotatedNote], near: float = NEAR) -> list[Duplicate]:
    """Return the pairs of duplicated notes, exact ones first, longest text first; every later copy is paired with the first of its kind."""
    return _found(notes, notes, near, within=True)


def leakage(train: Sequence[AnnotatedNote], test: Sequence[AnnotatedNote], near: float = NEAR) -> list[Duplicate]:
    """Return for each note of `test` (second) its closest duplicate in `train` (first), where it has one."""
    return _found(train, test, near, within=False)


def _found(
    left: Sequence[AnnotatedNote], right: Sequence[AnnotatedNote], near: float, *, within: bool
) -> list[Duplicate]:
    first_of: dict[str, int] = {}
    for index, note in enumerate(left):
        first_of.setdefault(text_key(note.text), index)
    shingles = [_shingles(note.text) for note in left]
    right_shingles = shingles if within else [_shingles(note.text) for note in right]
    index_of: dict[int, list[int]] = defaultdict(list)
    for index, found in enumerate(shingles):
        for shingle in found:
            index_of[shingle].append(index)
    result = []
    for second, note in enumerate(right):
        exact = first_of.get(text_key(note.text))
        if exact is not None and not (within and exact == second):
            result.append(Duplicate(exact, second, 1.0, left[exact].spans == note.spans))
            continue
        limit = second if within else len(left)
        best = _closest(right_shingles[second], shingles, index_of, limit)
        if best is not None and best[1] >= near:
            result.append(Duplicate(best[0], second, min(best[1], 0.999), left[best[0]].spans == note.spans))
    return sorted(result, key=lambda pair: (-pair.likeness, -len(right[pair.second].text), pair.second))


def _closest(
    shingles: frozenset[int], others: Sequence[frozenset[int]], index_of: dict[int, list[int]], limit: int
) -> tuple[int, float] | None:
    shared: Counter[int] = Counter()
    for shingle in shingles:
        holders = index_of.get(shingle, [])
        if len(holders) <= _COMMON_SHINGLE:
            shared.update(index for index in holders if index < limit)
    scored = [
        (index, len(shingles & others[index]) / len(shingles | others[index])) for index, _ in shared.most_common(5)
    ]
    return max(scored, key=lambda pair: pair[1], default=None)


def _shingles(text: str) -> frozenset[int]:
    """Return hashes of the word triples of a text, digits made equal; none for a text of under five words."""
    words = [_DIGIT.sub("0", word) for word in _WORD.findall(text.casefold())]
    if len(words) < SHINGLE_WORDS + 2:
        return frozenset()
    return frozenset(
        zlib.crc32(" ".join(words[start : start + SHINGLE_WORDS]).encode())
        for start in range(len(words) - SHINGLE_WORDS + 1)
    )
