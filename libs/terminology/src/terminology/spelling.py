"""Misspelt words: the one known word within a bounded distance, by rapidfuzz; two candidates are no answer."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from terminology.words import stem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from terminology.table import Table

_SHORTEST = 5
_LONG = 8
_BITS = [1 << (code & 63) for code in range(128)]
_REMEMBERED = 1 << 15

_respelt: WeakKeyDictionary[Table, dict[str, str]] = WeakKeyDictionary()
"""Words that were looked for before: comparing one with all known words is what a misspelling costs."""
_pools: WeakKeyDictionary[Table, dict[str, Pool]] = WeakKeyDictionary()


def bound(word: str) -> int:
    """Return how many letters of a word may be wrong (a swap of neighbours counts one)."""
    return 0 if len(word) < _SHORTEST else 1 if len(word) < _LONG else 2


class Pool:
    """What a misspelt word may have been, by first letters.

    Only entries of a length and of letters that the bound allows are compared with a word: a few of thousands.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for entry in entries:
            if len(entry) >= _SHORTEST:  # of an abbreviation a longer word is no misspelling: "nasha" is not NASH
                found[entry[0]].append(entry)
        self._by_first = {first: _Group(group) for first, group in found.items()}

    def near(self, word: str, most: int) -> list[str]:
        """Return the entries with the first letter of `word` among which are all that are within `most` letters."""
        group = self._by_first.get(word[:1])
        return group.near(word, most) if group is not None and most else []


class _Group:
    """Entries of one first letter, the shorter ones first, each with the set of its letters as bits."""

    def __init__(self, entries: list[str]) -> None:
        self._entries = sorted(entries, key=len)
        self._lengths = [len(entry) for entry in self._entries]
        self._letters: NDArray[np.uint64] = np.array([_letters(entry) for entry in self._entries], dtype=np.uint64)

    def near(self, word: str, most: int) -> list[str]:
        start = bisect_left(self._lengths, len(word) - most)
        end = bisect_left(self._lengths, len(word) + most + 1)
        other = np.bitwise_count(self._letters[start:end] ^ np.uint64(_letters(word)))
        return [self._entries[start + at] for at in (other <= 2 * most).nonzero()[0].tolist()]


def _letters(word: str) -> int:
    """Return the letters of a word as 64 bits: one wrong letter changes two of them at most."""
    return reduce(or_, map(_BITS.__getitem__, word.encode() if word.isascii() else [ord(one) & 63 for one in word]), 0)


def nearest(word: str, pool: Pool) -> tuple[str, int] | None:
    """Return the only entry of `pool` that is nearest to `word`, and its distance; None without one."""
    most = bound(word)
    near = pool.near(word, most)
    found = process.extract(word, near, scorer=OSA.distance, limit=2, score_cutoff=most) if near else []
    if not found or (len(found) > 1 and found[0][1] == found[1][1]):
        return None
    return found[0][0], int(found[0][1])


def respelt(table: Table, key: str) -> str:
    """Return `key` with each unknown word replaced by the known one that it is a misspelling of."""
    return " ".join(word if stem(word) in table.words else _known(table, word) for word in key.split())


def _known(table: Table, word: str) -> str:
    if len(word) < _SHORTEST:
        return word
    known = _respelt.setdefault(table, {})
    if word not in known:
        if len(known) >= _REMEMBERED:
            known.clear()
        found = nearest(word, pool_of(table, "words"))
        known[word] = found[0] if found else word
    return known[word]


def pool_of(table: Table, kind: str) -> Pool:
    """Return the known words ("words") or forms of drugs ("drugs") of a table by their first letters; made at first use."""
    pools = _pools.setdefault(table, {})
    if kind not in pools:
        pools[kind] = Pool(table.spellings() if kind == "words" else _drug_forms(table))
    return pools[kind]


def _drug_forms(table: Table) -> Iterable[str]:
    return (key for key, lines in table.names.items() if "\tTREATMENT" in lines)
