"""The segments that a drift run is about: one story of drift shows in several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.segments import ALL_NOTES

if TYPE_CHECKING:
    from collections.abc import Iterable


def leading(segments: Iterable[str]) -> tuple[str, ...]:
    """Return the segments whose labels a drift run waits for, and on which it must be better.

    A shift in one city shows in all notes too, only thinner: the labels of all others say nothing about it. So all notes
    together lead only where nothing narrower moved.

    >>> leading(["all", "city=Pune", "city=Pune"])
    ('city=Pune',)
    >>> leading(["all"])
    ('all',)
    """
    named = tuple(dict.fromkeys(segments))
    return tuple(segment for segment in named if segment != ALL_NOTES) or named
