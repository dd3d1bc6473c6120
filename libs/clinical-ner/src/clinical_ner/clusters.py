"""Clusters of words, induced from text without labels: words that stand in like contexts share a number.

Two kinds, which err differently: exchange clusters of a class bigram model (native/exchange.c), and k-means over the
singular vectors of what stands within two words. As features they tell a model of a word that its labels do not hold.
"""

from __future__ import annotations

import ctypes
import gzip
import zlib
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clinical_ner.native import Neighbours, library, word_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

EXCHANGE_CLASSES = (64, 256)
VECTOR_CLASSES = (100, 400, 1500)
MAX_CLUSTERINGS = 8
MAX_TOKENS = 12_000_000
"""Of more text the first tokens are read: what they take in memory and time is bounded by it."""
_LEAST_COUNT, _LEAST_SENTENCES = 3, 200
_LONGEST_WORD = 48
_ROUNDS = 6
_CONTEXTS, _DIMENSIONS, _SPARE, _POWERS, _MEANS_ROUNDS = 4_000, 100, 10, 2, 8
_DIGITS = str.maketrans("123456789", "000000000")
_EDGE, _RARE = 0, -1


class UnlabelledTextError(ValueError):
    """Text that no clusters can be induced from; the message says what to do."""


@dataclass(frozen=True, slots=True)
class WordClusters:
    """Which clusters words are in.

    Attributes:
        keys: Sorted keys of words in lower case, digits as 0; shape (words,).
        numbers: Cluster of each word in each clustering, from 1; shape (words, clusterings).
        sentences: How many they were induced from.
    """

    keys: NDArray[np.uint64]
    numbers: NDArray[np.uint16]
    sentences: int = 0


NO_CLUSTERS = WordClusters(np.zeros(0, np.uint64), np.zeros((0, 0), np.uint16))


def read_sentences(path: Path) -> Iterator[list[str]]:
    """Yield the tokens of each line of a text file, plain or gzip.

    Raises:
        UnlabelledTextError: The file cannot be read, is damaged, or is no UTF-8 text.
    """
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                if tokens := line.split():
                    yield tokens
    except OSError as error:
        raise UnlabelledTextError(
            f"{path}: cannot be read ({error.strerror or 'no gzip file'}): check the path"
        ) from None
    except (EOFError, zlib.error):
        raise UnlabelledTextError(f"{path}: the gzip file is damaged or cut short: fetch it again") from None
    except UnicodeDecodeError:
        raise UnlabelledTextError(
            f"{path}: not UTF-8 text: give a sentence a line, tokens separated by blanks"
        ) from None


def induce(
    sentences: Iterable[Sequence[str]],
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    may_stand: Callable[[str], bool] | None = None,
) -> WordClusters:
    """Cluster the words of sentences; the same sentences and seed give the same clusters.

    Args:
        sentences: Tokens of each.
        seed: Of the vectors and of the first means.
        progress: Told (stage, done, total).
        may_stand: Which lower-cased words may be looked up in the result; None for all, as of public text. Words that
            may not are no contexts either.

    Raises:
        UnlabelledTextError: There are too few sentences.
    """
    text = _Text(sentences, may_stand)
    steps = len(EXCHANGE_CLASSES) + len(VECTOR_CLASSES)
    columns: list[NDArray[np.int32]] = []
    for number, classes in enumerate(EXCHANGE_CLASSES):
        _tell(progress, number, steps)
        columns.append(_exchanged(text, classes))
    _tell(progress, len(columns), steps)
    vectors = _vectors(text, seed)
    for classes in VECTOR_CLASSES:
        columns.append(_means(vectors, text.counts, classes, seed) + 1)
        _tell(progress, len(columns), steps)
    keys = np.array([word_key(word) for word in text.words[1:]], np.uint64)
    order = np.argsort(keys, kind="stable")
    numbers = np.stack(columns, 1)[1:][order].astype(np.uint16)
    kept = np.append(True, np.diff(keys[order]) > 0) & (keys[order] > 0)
    return WordClusters(keys[order][kept], numbers[kept], text.sentences)


def _tell(progress: Callable[[str, int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress("cluster", done, total)


# --- the text ---------------------------------------------------------------------------------------------------------


class _Text:
    """Sentences as word numbers, each after an edge; -1 for words too rare to know."""

    def __init__(self, sentences: Iterable[Sequence[str]], may_stand: Callable[[str], bool] | None) -> None:
        number_of: dict[str, int] = {"": _EDGE}
        flat = array("i")
        count = 0
        for sentence in sentences:
            flat.append(_EDGE)
            words = normalised(sentence, joined=count % 2 == 1)
            flat.extend([number_of.setdefault(word, len(number_of)) for word in words])
            count += 1
            if len(flat) > MAX_TOKENS:
                break
        if count < _LEAST_SENTENCES:
            raise UnlabelledTextError(
                f"{count} sentences are too few to induce word clusters from: give {_LEAST_SENTENCES} at least, one a line "
                "(100,000 are worth it)"
            )
        flat.append(_EDGE)
        found = np.frombuffer(flat, np.int32)
        counts = np.bincount(found, minlength=len(number_of))
        kept = sorted(
            (-times, word)
            for (word, number), times in zip(number_of.items(), counts.tolist(), strict=True)
            if number
            and times >= _LEAST_COUNT
            and len(word) <= _LONGEST_WORD
            and (may_stand is None or may_stand(word))
        )
        self.sentences = count
        self.words = ["", *(word for _, word in kept)]
        rank = np.full(len(number_of), _RARE, np.int32)
        rank[[number_of[word] for word in self.words]] = np.arange(len(self.words))
        self.tokens = rank[found]
        self.counts = np.bincount(self.tokens[self.tokens >= 0], minlength=len(self.words)).astype(np.int64)


def normalised(tokens: Sequence[str], *, joined: bool) -> list[str]:
    """Lower-case the tokens, digits as 0; where `joined`, put words together that a hyphen of its own parts.

    Public corpora part "beta-blocker" into three tokens, clinical notes do not: each half of the text is read in one way.
    """
    plain = f" {' '.join(tokens)} ".lower().translate(_DIGITS).replace(" ' s ", " 's ").split()
    if not joined or "-" not in plain:
        return plain
    out: list[str] = []
    rest = iter(range(len(plain)))
    for at in rest:
        word = plain[at]
        if word == "-" and out and at + 1 < len(plain) and out[-1][-1].isalnum() and plain[at + 1][0].isalnum():
            out[-1] += f"-{plain[at + 1]}"
            next(rest)
        else:
            out.append(word)
    return out


# --- exchange ---------------------------------------------------------------------------------------------------------


def _exchanged(text: _Text, classes: int) -> NDArray[np.int32]:
    size = len(text.words)
    found = np.zeros(size, np.int32)
    found[1:] = 1 + np.arange(size - 1) % (classes - 1)
    left, right = text.tokens[:-1].astype(np.int64), text.tokens[1:].astype(np.int64)
    known = (left >= 0) & (right >= 0)
    pairs, counts = np.unique(left[known] * size + right[known], return_counts=True)
    rows = [_rows(pairs // size, pairs % size, counts, size), _rows(pairs % size, pairs // size, counts, size)]
    (starts, after, times), (left_starts, before, left_times) = rows
    arrays = (starts, left_starts, text.counts, after, times, before, left_times)
    neighbours = Neighbours(*(array.ctypes.data for array in arrays))
    moved = library().cn_exchange(ctypes.addressof(neighbours), size, classes, found.ctypes.data, _ROUNDS)
    if moved < 0:
        raise MemoryError("no memory to cluster words")
    return found


def _rows(
    words: NDArray[np.int64], others: NDArray[np.int64], counts: NDArray[np.int64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    order = np.lexsort((others, words))
    starts = np.zeros(size + 1, np.int64)
    np.cumsum(np.bincount(words, minlength=size), out=starts[1:])
    return starts, others[order].astype(np.int32), counts[order].astype(np.int32)


# --- vectors ----------------------------------------------------------------------------------------------------------


def _vectors(text: _Text, seed: int) -> NDArray[np.float32]:
    """Words as unit vectors: the singular vectors of positive pointwise mutual information; shape (words, dimensions)."""
    from scipy import sparse

    blocks = [_contexts(text, distance) for distance in (-2, -1, 1, 2)]
    found = sparse.hstack(blocks).tocoo()
    rows = np.asarray(found.sum(1)).ravel() + 1e-9
    columns = np.asarray(found.sum(0)).ravel() ** 0.75
    columns = columns / columns.sum() + 1e-12
    information = np.log(found.data / rows[found.row] / columns[found.col])
    kept = information > 0
    matrix = sparse.csr_matrix(
        (information[kept].astype(np.float32), (found.row[kept], found.col[kept])), shape=found.shape
    )
    basis = np.random.default_rng(seed).standard_normal((matrix.shape[1], _DIMENSIONS + _SPARE)).astype(np.float32)
    product = matrix @ basis
    transposed = matrix.T.tocsr()
    for _ in range(_POWERS):
        product = matrix @ np.linalg.qr(transposed @ np.linalg.qr(product)[0])[0]
    left, strengths, _ = np.linalg.svd(product, full_matrices=False)
    vectors = (left * np.sqrt(strengths))[:, :_DIMENSIONS]
    unit: NDArray[np.float32] = (vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9)).astype(np.float32)
    return unit


def _contexts(text: _Text, distance: int) -> object:
    """How often each frequent word, or the edge, stands at a distance of each word, within the sentence."""
    from scipy import sparse

    size, gap = len(text.words), abs(distance)
    sentence = np.cumsum(text.tokens == _EDGE)
    word = text.tokens[: len(text.tokens) - gap] if distance > 0 else text.tokens[gap:]
    other = text.tokens[gap:] if distance > 0 else text.tokens[: len(text.tokens) - gap]
    same = sentence[: len(text.tokens) - gap] == sentence[gap:]
    kept = (word > 0) & (other >= 0) & (other < min(_CONTEXTS, size)) & (same | (other == _EDGE))
    ones = np.ones(int(kept.sum()), np.float32)
    return sparse.coo_matrix((ones, (word[kept], other[kept])), shape=(size, min(_CONTEXTS, size))).tocsr()


def _means(vectors: NDArray[np.float32], counts: NDArray[np.int64], classes: int, seed: int) -> NDArray[np.int32]:
    """Spherical k-means, words weighted by the logarithm of their frequency; returns each word's class from 0."""
    from scipy import sparse

    size = len(vectors)
    classes = min(classes, size - 1)
    chosen = np.random.default_rng(seed).choice(min(size - 1, 8 * classes), classes, replace=False)
    means = vectors[1 + chosen]
    weights = np.log1p(counts).astype(np.float32)
    found = np.zeros(size, np.int32)
    for _ in range(_MEANS_ROUNDS):
        parts = (vectors[at : at + 4096] @ means.T for at in range(0, size, 4096))
        found = np.concatenate([part.argmax(1) for part in parts]).astype(np.int32)
        members = sparse.csr_matrix((weights, (found, np.arange(size))), shape=(classes, size))
        means = members @ vectors
        means /= np.linalg.norm(means, axis=1, keepdims=True) + 1e-9
    return found
