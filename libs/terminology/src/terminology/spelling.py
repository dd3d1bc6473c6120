"""Misspelt words: the one known word within a bounded distance, by rapidfuzz; two candidates are no answer."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from rapidfuzz import process
from rapidfuzz.distance import OSA

from terminology.words import stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from terminology.table import Table

_SHORTEST = 5
_LONG = 8
_REMEMBERED = 1 << 15

_respelt: WeakKeyDictionary[Table, dict[str, str]] = WeakKeyDictionary()
"""Words that were looked for before: comparing one with all known words is what a misspelling costs."""
_pools: WeakKeyDictionary[Table, dict[str, Mapping[str, list[str]]]] = WeakKeyDictionary()


def bound(word: str) -> int:
    """Return how many letters of a word may be wrong (a swap of neighbours counts one)."""
    return 0 if len(word) < _SHORTEST else 1 if len(word) < _LONG else 2


def nearest(word: str, pool: Mapping[str, list[str]]) -> tuple[str, int] | None:
    """Return the only entry of `pool` (by first letter) that is nearest to `word`, and its distance; None without one."""
    most = bound(word)
    near = pool.get(word[:1], [])
    found = process.extract(word, near, scorer=OSA.distance, limit=2, score_cutoff=most) if most else []
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


def pool_of(table: Table, kind: str) -> Mapping[str, list[str]]:
    """Return the known words ("words") or forms of drugs ("drugs") of a table by their first letters; made at first use."""
    pools = _pools.setdefault(table, {})
    if kind not in pools:
        pools[kind] = _by_first(table.spellings() if kind == "words" else _drug_forms(table))
    return pools[kind]


def _drug_forms(table: Table) -> Iterable[str]:
    return (key for key, lines in table.names.items() if "\tTREATMENT" in lines)


def _by_first(entries: Iterable[str]) -> Mapping[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if (
            len(entry) >= _SHORTEST
        ):  # of an abbreviation of four letters a longer word is no misspelling: "nasha" is not NASH
            found[entry[0]].append(entry)
    return dict(found)
