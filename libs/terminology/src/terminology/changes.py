"""What changed between two versions of a table, in the words of those who code by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from terminology.table import Coding, Table


@dataclass(frozen=True, slots=True)
class Change:
    """One line: what happened ("added", "withdrawn", "renamed", "recoded") to a code or a form, and how it reads now."""

    kind: str
    what: str
    now: str

    def __str__(self) -> str:
        return f"{self.kind:<9} {self.what}" + (f" -> {self.now}" if self.now else "")


def changes(old: Table, new: Table) -> Iterator[Change]:
    """Yield withdrawn codes first, then added and renamed ones, then forms that stand for other codes."""
    before, after = _codings(old), _codings(new)
    for key in sorted(before.keys() - after.keys()):
        replaced = new.withdrawn.get(key[1], "")
        yield Change("withdrawn", _written(before[key]), f"use {replaced}" if replaced else "")
    for key in sorted(after.keys() - before.keys()):
        yield Change("added", _written(after[key]), "")
    for key in sorted(before.keys() & after.keys()):
        if before[key].display != after[key].display:
            yield Change("renamed", _written(before[key]), after[key].display)
    yield from _recoded(old, new)


def _recoded(old: Table, new: Table) -> Iterator[Change]:
    for key in sorted(old.names.keys() & new.names.keys()):
        before, after = _codes(old, key), _codes(new, key)
        if before != after:
            yield Change("recoded", f'"{key}" {before}', after)


def _codes(table: Table, key: str) -> str:
    rows = [" + ".join(table.coding(place).code for place in row.concepts) or "no code" for row in table.name_rows(key)]
    return ", ".join(dict.fromkeys(rows))


def _codings(table: Table) -> dict[tuple[str, str], Coding]:
    found = (table.coding(place) for place in range(len(table.concepts)))
    return {(coding.system, coding.code): coding for coding in found}


def _written(coding: Coding) -> str:
    return f"{coding.code} {coding.display}".strip()
