"""What is found in a text: kinds, spans, and how spans are cut against each other."""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Kind(StrEnum):
    """What identifies a person; the order decides which kind a stretch has that two would claim."""

    URL = "URL"
    EMAIL = "EMAIL"
    ABHA = "ABHA"
    AADHAAR = "AADHAAR"
    PAN = "PAN"
    HOSPITAL_ID = "HOSPITAL_ID"
    POLICY = "POLICY"
    VEHICLE = "VEHICLE"
    PHONE = "PHONE"
    DATE = "DATE"
    AGE = "AGE"
    NUMBER = "NUMBER"
    ADDRESS = "ADDRESS"
    NAME = "NAME"


class Span(NamedTuple):
    """A stretch of a text; `start` and `end` count Unicode code points, `end` is exclusive."""

    start: int
    end: int
    kind: Kind


_ORDER = {kind: place for place, kind in enumerate(Kind)}
_EDGES = " \t\r\n\x0b\x0c\xa0,;:-\u2013\u2014/|\\"


def apart(text: str, spans: Iterable[Span], kept: Sequence[tuple[int, int]] = ()) -> list[Span]:
    """Return the spans without overlaps, in order: an earlier kind keeps a stretch, a later one what is left of its own.

    Args:
        text: Where they lie.
        spans: In any order, overlapping or not.
        kept: Stretches (start, end) that no span may touch, such as the entities of a labelled note.
    """
    taken = sorted((start, end) for start, end in kept if start < end)
    found: list[Span] = []
    for kind in sorted({span.kind for span in spans}, key=_ORDER.__getitem__):
        new = [piece for span in _joined(spans, kind) for piece in _pieces(text, span, taken)]
        found += new
        taken = sorted([*taken, *((span.start, span.end) for span in new)])
    return sorted(found)


def _joined(spans: Iterable[Span], kind: Kind) -> list[Span]:
    """The spans of one kind, those that overlap as one."""
    joined: list[Span] = []
    for span in sorted(span for span in spans if span.kind is kind):
        if joined and span.start < joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end), kind)
        else:
            joined.append(span)
    return joined


def _pieces(text: str, span: Span, taken: Sequence[tuple[int, int]]) -> list[Span]:
    """What is left of a span beside what is taken (sorted), without white space and commas at its edges."""
    pieces, start = [], span.start
    first = max(0, bisect_left(taken, (span.start, 0)) - 1)
    for begin, end in taken[first:]:
        if begin >= span.end:
            break
        if end > start:
            pieces.append((start, min(begin, span.end)))
            start = end
    pieces.append((start, span.end))
    return [piece for begin, end in pieces if (piece := _trimmed(text, begin, end, span.kind))]


def _trimmed(text: str, start: int, end: int, kind: Kind) -> Span | None:
    while start < end and text[start] in _EDGES:
        start += 1
    while end > start and text[end - 1] in _EDGES:
        end -= 1
    return Span(start, end, kind) if start < end else None
