"""The annotation guideline that comes with this program: one text for the review desk, the shipped corpus and the model card.

A version is `MAJOR.MINOR`. MAJOR is ours and rises with every change of the text; MINOR counts the edits that a lead makes of it at a desk.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clinical_ner.notes import AnnotatedNote

SHIPPED_VERSION = "1.0"
META_KEY = "guideline"
"""Where an annotated note says by which version it was annotated."""

_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})")


@dataclass(frozen=True, slots=True)
class Guideline:
    """A version of the text. Its lines are those of `data/guideline/guideline.md`."""

    version: str
    text: str


@cache
def shipped() -> Guideline:
    """Return the text that comes with this program."""
    text = files("clinical_ner").joinpath("data/guideline/guideline.md").read_text(encoding="utf-8")
    return Guideline(SHIPPED_VERSION, text)


def order_of(version: str) -> tuple[int, int]:
    """Return a version as numbers, to be compared.

    Raises:
        ValueError: It is none.

    >>> order_of("1.10") > order_of("1.9")
    True
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ValueError("a guideline's version is MAJOR.MINOR, for example 1.2")
    return int(found[1]), int(found[2])


def edited(version: str) -> str:
    """Return the version that an edit of this one gets.

    >>> edited("1.9")
    '1.10'
    """
    major, minor = order_of(version)
    return f"{major}.{minor + 1}"


def versions_of(notes: Iterable[AnnotatedNote]) -> dict[str, int]:
    """Return how many notes were annotated by each version; those that name none are not counted."""
    counts = Counter(note.meta[META_KEY] for note in notes if META_KEY in note.meta)
    return dict(sorted(counts.items()))
