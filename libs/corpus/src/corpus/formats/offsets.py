"""How a file counts: which unit, from which number, and whether the end is inside, read off the spans themselves.

Two witnesses decide. Where a file repeats the words of its spans, the way of counting must give exactly these words. Where it
does not, spans begin and end at words: a way of counting that cuts words, where another cuts none, is not the file's.
"""

from __future__ import annotations

import itertools
import unicodedata
from array import array
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from corpus.formats.found import FoundNote, FoundSpan

_SAMPLE = 20_000
_MAX_LINES = 200_000
CERTAIN = 3
"""So many spans that only one way of counting fits are no chance."""
_MANY = 0.2
# Scripts that put no blank between words, and Hangul, whose particles cling to the word.
_NO_BLANKS = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF),
    (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF),
)  # fmt: skip


class Unit(StrEnum):
    """What one step of an offset is."""

    CODEPOINTS = "codepoints"
    UTF16 = "utf16"
    BYTES = "bytes"
    LF = "lf"
    CRLF = "crlf"


_UNIT_WORDS = {
    Unit.CODEPOINTS: "code points",
    Unit.UTF16: "UTF-16 units",
    Unit.BYTES: "bytes of UTF-8",
    Unit.LF: "a line end of two characters as one",
    Unit.CRLF: "a line end of one character as two",
}


@dataclass(frozen=True, slots=True)
class Counting:
    """A way of counting offsets; the default is ours: code points, from 0, the end excluded."""

    unit: Unit = Unit.CODEPOINTS
    inclusive: bool = False
    first: int = 0

    def __str__(self) -> str:
        """Return it in words, as `bytes of UTF-8, the end included`."""
        parts = [f"in {_UNIT_WORDS[self.unit]}"] if self.unit is not Unit.CODEPOINTS else []
        parts += ["the end included"] if self.inclusive else []
        parts += [f"from {self.first}"] if self.first > 0 else [f"{-self.first} too small"] if self.first else []
        return ", ".join(parts) or "in code points from 0, the end excluded"

    @property
    def option(self) -> str:
        """Return what `--offsets` calls it."""
        parts = [str(self.unit), "inclusive" if self.inclusive else "", f"from{self.first}" if self.first else ""]
        return ",".join(part for part in parts if part)

    def places(self, text: str, start: int, end: int) -> tuple[int, int] | None:
        """Return (start, end) in code points, the end excluded; None where they are no places of the text."""
        left, right = start - self.first, end - self.first + self.inclusive
        table = _table(text, self.unit)
        if table is None:
            found: tuple[int | None, int | None] = (left, right)
        else:
            found = (_code_point(table, left), _code_point(table, right))
        if found[0] is None or found[1] is None or not 0 <= found[0] < found[1] <= len(text):
            return None
        return found[0], found[1]


OURS = Counting()
_ALL = [
    Counting(unit, inclusive, first) for unit, inclusive, first in itertools.product(Unit, (False, True), (0, 1, -1))
]


def parse_counting(given: str) -> Counting | None:
    """Read `utf16,inclusive,from1`; None for `auto`.

    Raises:
        ValueError: A word is unknown.
    """
    words = [word.strip() for word in given.split(",") if word.strip()]
    if words in ([], ["auto"]):
        return None
    unit, inclusive, first = Unit.CODEPOINTS, False, 0
    for word in words:
        if word in set(Unit):
            unit = Unit(word)
        elif word in {"inclusive", "exclusive"}:
            inclusive = word == "inclusive"
        elif word in {"from0", "from1", "from-1"}:
            first = int(word.removeprefix("from"))
        else:
            raise ValueError(
                f"{word!r} is no way of counting: give auto, or codepoints, utf16, bytes, lf or crlf, and inclusive, from1"
            )
    return Counting(unit, inclusive, first)


@lru_cache(maxsize=8)
def _table(text: str, unit: Unit) -> NDArray[np.int64] | None:
    """Return where each code point, and the end, stands in a unit, shape (code points + 1,); None where that is the same."""
    if not _differs(text, unit):
        return None
    table = np.zeros(len(text) + 1, np.int64)
    np.cumsum(_widths(text, unit), out=table[1:])
    return table


def _code_point(table: NDArray[np.int64], position: int) -> int | None:
    """Return the code point that begins at a position; of two that do, the one that is not empty; None if none does."""
    place = int(np.searchsorted(table, position, "right")) - 1
    return place if place >= 0 and table[place] == position else None


def _differs(text: str, unit: Unit) -> bool:
    if unit is Unit.CODEPOINTS or (unit in {Unit.UTF16, Unit.BYTES} and text.isascii()):
        return False
    if unit is Unit.UTF16:
        return max(text, default="") > "\uffff"
    if unit is Unit.LF:
        return "\r\n" in text
    return unit is Unit.BYTES or ("\n" in text and "\r" not in text)


def _widths(text: str, unit: Unit) -> NDArray[np.int64]:
    """Return how many units each code point takes, shape (code points,)."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    if unit is Unit.UTF16:
        wide = (points > 0xFFFF).astype(np.int64)
    elif unit is Unit.BYTES:
        wide = np.searchsorted([0x7F, 0x7FF, 0xFFFF], points)
    elif unit is Unit.LF:
        wide = -((points == ord("\r")) & (np.append(points[1:], 0) == ord("\n"))).astype(np.int64)
    else:
        wide = (points == ord("\n")).astype(np.int64)
    return 1 + wide


def units_of(text: str) -> list[Unit]:
    """Return the units that count this text differently, ours first."""
    return [unit for unit in Unit if unit is Unit.CODEPOINTS or _differs(text, unit)]


def cuts(text: str, place: int) -> bool:
    """Return whether a word goes on across this place. A digit beside a letter (500mg) is no word that goes on."""
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if before.isdigit() != after.isdigit() and not _mark(after):
        return False
    return _in_word(before) and _in_word(after)


def _mark(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character).startswith("M")


def _in_word(character: str) -> bool:
    if character.isascii():
        return character.isalnum()
    if any(low <= ord(character) <= high for low, high in _NO_BLANKS):
        return False
    return character.isalnum() or _mark(character)


def same_words(found: str, given: str) -> bool:
    """Return whether two strings are the same but for case and blanks: tools write line ends as blanks, some write small letters."""
    return found == given or " ".join(found.split()).casefold() == " ".join(given.split()).casefold()


def fits(text: str, place: tuple[int, int] | None, given: str | None) -> bool:
    """Return whether a place holds the given words or, without any, begins and ends at words."""
    if place is None:
        return False
    start, end = place
    if given is not None:
        found = text[start:end]
        return same_words(found, given) and (found == found.strip() or given != given.strip())
    return not (text[start].isspace() or text[end - 1].isspace() or cuts(text, start) or cuts(text, end))


@dataclass(slots=True)
class Evidence:
    """How the spans of a file fit each way of counting."""

    spans: int = 0
    texted: int = 0
    bad: int = 0
    sampled: int = 0
    sampled_bad: int = 0
    wrong: Counter[Counting] = field(default_factory=Counter)
    paths: dict[Counting, int] = field(default_factory=dict)
    places: dict[Path, array[int]] = field(default_factory=dict)

    def add(self, note: FoundNote, span: FoundSpan) -> bool:
        """Take in a span; return whether ours fits it."""
        ours = OURS.places(note.text, span.start, span.end)
        good = fits(note.text, _trimmed(note.text, ours), span.text)
        self.spans += 1
        self.texted += span.text is not None
        self.bad += not good
        if self.sampled < _SAMPLE or (not good and self.sampled_bad < _SAMPLE):
            self.sampled += 1
            self.sampled_bad += not good
            self._sample(note.text, span)
        return good

    def cut(self, path: Path, line: int) -> None:
        """Remember where a span stands that ours does not fit."""
        lines = self.places.setdefault(path, array("Q"))
        if len(lines) < _MAX_LINES:
            lines.append(line)

    def cut_places(self) -> Iterator[tuple[Path, int]]:
        """Yield where such spans stand."""
        yield from ((path, line) for path, lines in self.places.items() for line in lines)

    def _sample(self, text: str, span: FoundSpan) -> None:
        known: dict[tuple[int, int] | None, bool] = {}
        units = set(units_of(text))
        for each in _ALL:
            plain = each.unit not in units
            place = Counting(Unit.CODEPOINTS if plain else each.unit, each.inclusive, each.first).places(
                text, span.start, span.end
            )
            if place not in known:
                known[place] = fits(text, place, span.text)
            self.wrong[each] += not known[place]
            self.paths[each] = hash((self.paths.get(each, 0), place))

    def better(self) -> list[Counting]:
        """Return the ways of counting that fit every span, those nearest to ours first; empty if ours does."""
        if not self.bad or not self.sampled_bad:
            return []
        return [each for each in _ALL if not self.wrong[each]]

    def agree(self, ways: Sequence[Counting]) -> bool:
        """Return whether several ways of counting mean the same places."""
        return len({self.paths[each] for each in ways}) <= 1

    def nearly(self) -> Counting | None:
        """Return the way of counting that fits nearly all of many spans, where ours misses most."""
        if self.sampled < 10 or self.sampled_bad < self.sampled / 2:
            return None
        best = min(_ALL, key=lambda each: self.wrong[each])
        return best if self.wrong[best] <= self.sampled * 0.05 else None

    @property
    def many_bad(self) -> bool:
        """Whether so many spans do not fit ours that it is no slip of an annotator."""
        return self.bad >= CERTAIN and self.bad > self.spans * _MANY


def _trimmed(text: str, place: tuple[int, int] | None) -> tuple[int, int] | None:
    if place is None:
        return None
    start, end = place
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


trimmed = _trimmed
