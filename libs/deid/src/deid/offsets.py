"""From places in a text to places in the text with stretches of it replaced, and back."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class OffsetMap:
    """Edits of one text: each a stretch (start, end) of the original and the length of what stands there now.

    Offsets count code points. A span that touches no edit keeps its words; one that an edit touches grows to the whole
    of it, so that nothing is ever cut.
    """

    def __init__(self, edits: Sequence[tuple[int, int, int]]) -> None:
        """Args: edits as (start, end, new length), in order and without overlaps; ValueError otherwise."""
        self._old = [(start, end) for start, end, _ in edits]
        self._new: list[tuple[int, int]] = []
        moved = last = 0
        for start, end, length in edits:
            if not last <= start <= end or length < 0:
                raise ValueError("edits must be in order, without overlaps, and of a length of at least 0")
            self._new.append((start + moved, start + moved + length))
            moved += length - (end - start)
            last = end

    def to_new(self, start: int, end: int) -> tuple[int, int]:
        """Return where the span (start, end) of the original lies in the new text."""
        return _mapped(self._old, self._new, start, end)

    def to_original(self, start: int, end: int) -> tuple[int, int]:
        """Return where the span (start, end) of the new text lay in the original."""
        return _mapped(self._new, self._old, start, end)


def _mapped(
    source: Sequence[tuple[int, int]], target: Sequence[tuple[int, int]], start: int, end: int
) -> tuple[int, int]:
    first = _edge(source, target, start, is_end=False)
    return first, max(first, _edge(source, target, end, is_end=True))


def _edge(source: Sequence[tuple[int, int]], target: Sequence[tuple[int, int]], place: int, *, is_end: bool) -> int:
    """Map one edge: inside an edit it goes outwards, to the edge of what stands there now."""
    at = bisect_right(source, place - is_end, key=lambda edit: edit[0]) - 1
    if at < 0:
        return place
    finish = source[at][1]
    if place >= finish:
        return place - finish + target[at][1]
    return target[at][1] if is_end else target[at][0]
