"""Everything that identifies a person in a text, as spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.addresses import find_addresses
from deid.dates import find_dates
from deid.names import find_names
from deid.numbers import find_numbers
from deid.spans import Span, apart
from deid.tagger import guesses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.tagger import Guess

    Stretch = tuple[int, int]

BATCH = 256


def find(text: str, kept: Sequence[Stretch] = ()) -> list[Span]:
    """Return what identifies a person in `text`, in order and without overlaps; offsets in code points.

    Args:
        text: Any string.
        kept: Stretches that no span may touch: the entities of a labelled note.
    """
    return find_all([text], [kept])[0]


def find_all(texts: Sequence[str], kept: Sequence[Sequence[Stretch]] | None = None) -> list[list[Span]]:
    """Return the spans of each text; a batch costs less than one text at a time."""
    found = []
    for first in range(0, len(texts), BATCH):
        batch = texts[first : first + BATCH]
        for place, (text, guessed) in enumerate(zip(batch, guesses(batch), strict=True), first):
            found.append(_spans(text, guessed, kept[place] if kept else ()))
    return found


def _spans(text: str, guessed: list[Guess], kept: Sequence[Stretch]) -> list[Span]:
    spans = [*find_numbers(text), *find_dates(text), *find_addresses(text, guessed), *find_names(text, guessed)]
    return apart(text, spans, kept)
