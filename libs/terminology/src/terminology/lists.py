"""The lists written by us: abbreviations, brands, and the names of the corpus with their codes.

A line is `form|form = target`, with `~` for `=` where it is likely only, and after a colon words of the sentence that it
counts beside. A target is a code, several joined by " + ", or "-": a form that gives no code by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from terminology.errors import TerminologyRefused
from terminology.words import surface

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_CODE = "-"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list: ways to write one thing, and what it is."""

    forms: tuple[str, ...]
    targets: tuple[str, ...]
    sure: bool = True
    cues: frozenset[str] = frozenset()


def read_list(name: str) -> Iterator[Line]:
    """Yield the lines of `data/<name>.txt` in their order; the brands are the corpus's, whose notes are written with them.

    Raises:
        TerminologyRefused: a line that cannot be read, by its number.
    """
    text = (files("corpus" if name == "brands" else "terminology") / "data" / f"{name}.txt").read_text(encoding="utf-8")
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line and not line.startswith(("#", "[")):
            try:
                yield parse(line)
            except ValueError as error:
                raise TerminologyRefused(f"{name}.txt, line {number}: {error}") from None


def parse(line: str) -> Line:
    """Return the parts of one line.

    Raises:
        ValueError: neither " = " nor " ~ " stands in it, or a side is empty.
    """
    at, sign = min((line.find(sign), sign) for sign in (" = ", " ~ ") if sign in line) if _is_signed(line) else (-1, "")
    if at < 0:
        raise ValueError("write form|form = target")
    left, target = line[:at], line[at + len(sign) :]
    forms, _, cues = left.partition(" : ")
    found = tuple(form.strip() for form in forms.split("|") if form.strip())
    if not found or not target.strip():
        raise ValueError("a side is empty")
    return Line(found, tuple(target.strip().split(" + ")), sign == " = ", frozenset(surface(cues).split()))


def _is_signed(line: str) -> bool:
    return " = " in line or " ~ " in line
