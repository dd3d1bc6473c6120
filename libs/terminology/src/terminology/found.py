"""What a look-up found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from terminology.table import Coding, NameRow, Table


@dataclass(frozen=True, slots=True)
class Found:
    """Codings with their score and the way they were found; no codings: the form is known and gives no code by itself."""

    codings: tuple[Coding, ...]
    score: float
    how: str

    def weaker(self, factor: float, how: str = "") -> Found:
        """Return the same with a lower score."""
        return replace(self, score=self.score * factor, how=how or self.how)


def of_row(table: Table, row: NameRow) -> Found:
    """Return what a row of names stands for."""
    return Found(tuple(table.coding(concept) for concept in row.concepts), row.score, row.how)
