"""Word classes that come with the program: lists of general medical words, as data for the features."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def built_in_classes() -> dict[str, tuple[str, ...]]:
    """Return lower-cased word -> names of its classes, from data/word_classes.txt ("class: word word ...")."""
    table: dict[str, tuple[str, ...]] = {}
    lines = files("clinical_ner").joinpath("data/word_classes.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        name, _, words = line.partition(":")
        for word in words.split():
            table[word] = (*table.get(word, ()), name.strip())
    return table
