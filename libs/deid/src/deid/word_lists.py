"""The lists that come with the program: names of people, places, words of a postal address."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Names(NamedTuple):
    """Names of people by kind; a name may be of several kinds."""

    male: tuple[str, ...]
    female: tuple[str, ...]
    family: tuple[str, ...]


@cache
def names() -> Names:
    """Return the given and family names, each list in the order of its file."""
    lists = _lists("names.txt")
    return Names(lists["male"], lists["female"], lists["family"])


@cache
def places() -> tuple[str, ...]:
    """Return towns, districts and states of India."""
    return _lists("places.txt")["place"]


@cache
def street_words() -> frozenset[str]:
    """Return lower-case words that stand in a postal address."""
    return frozenset(_lists("places.txt")["street"])


def words(text: str, between: str = " ") -> frozenset[str]:
    """Return the words of a list in code: one string is easier to read, and to add to, than a list."""
    return frozenset(word_tuple(text, between))


def word_tuple(text: str, between: str = " ") -> tuple[str, ...]:
    """Return the words of a list in code, in order."""
    return tuple(text.split(between))


def _lists(file: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    head = ""
    for line in (files("deid") / "data" / file).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            head = line.strip("[]")
        elif line and not line.startswith("#"):
            found.setdefault(head, {}).update(dict.fromkeys(line.split()))
    return {name: tuple(words) for name, words in found.items()}
