"""A stream of chance that gives the same draws on every machine and Python version.

Only `random.Random.random` is documented to stay the same between versions, so everything is derived from it.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Item = TypeVar("Item")


class Chance:
    """Draws that depend on the given parts alone: each note has its own stream, whatever was drawn before it."""

    def __init__(self, *parts: int | str) -> None:
        digest = blake2b("\x1f".join(map(str, parts)).encode("utf-8"), digest_size=8).digest()
        self._random = Random(int.from_bytes(digest, "little"))

    def share(self) -> float:
        """Return a number from 0 up to, not including, 1."""
        return self._random.random()

    def below(self, limit: int) -> int:
        """Return a whole number from 0 up to, not including, `limit`."""
        return int(self._random.random() * limit)

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of `items`, each equally likely."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[tuple[Item, float]]) -> Item:
        """Return one of the (item, weight) pairs by weight."""
        left = self.share() * sum(weight for _, weight in items)
        for item, weight in items:
            left -= weight
            if left < 0:
                return item
        return items[-1][0]
