"""Faults and repairs of a data set with all their lines, in memory that does not grow with the file."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from corpus.loaders_text import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_KINDS = 200
_MAX_LINES = 200_000
_MAX_SHOWN_CHARS = 1_500
_MAX_FILES_SHOWN = 20


@dataclass(slots=True)
class Group:
    """One kind of fault or repair, and where it was met."""

    detail: str
    count: int = 0
    places: dict[Path, array[int]] = field(default_factory=dict)

    def add(self, path: Path, line: int) -> None:
        """Count one more, at this line (0: the whole file)."""
        self.count += 1
        lines = self.places.setdefault(path, array("Q"))
        if len(lines) < _MAX_LINES:
            lines.append(line)

    def where(self, *, full: bool) -> str:
        """Return `a.jsonl:2, 5-9; b.jsonl:1`."""
        shown = [f"{path if full else path.name}{_lines(lines)}" for path, lines in self.places.items()]
        rest = f"; and {len(shown) - _MAX_FILES_SHOWN} more files" if len(shown) > _MAX_FILES_SHOWN else ""
        return "; ".join(shown[:_MAX_FILES_SHOWN]) + rest


class Report:
    """What was found wrong (`problem`) and what was repaired, left out or is to be known (`remark`)."""

    def __init__(self) -> None:
        self._problems: dict[str, Group] = {}
        self._remarks: dict[str, Group] = {}
        self._said: list[str] = []
        self.advice: list[str] = []
        self.faults = 0

    def problem(self, path: Path, line: int, detail: str, kind: str = "") -> None:
        """Note something that refuses the data set. Faults of one `kind` are shown by the first one's detail."""
        self.faults += 1
        _group(self._problems, kind or detail, detail).add(path, line)

    def remark(self, path: Path, line: int, what: str) -> None:
        """Note something that was repaired or left out, as "rejected examples, left out"."""
        _group(self._remarks, what, what).add(path, line)

    def say(self, sentence: str) -> None:
        """Note a sentence about the whole."""
        if sentence not in self._said:
            self._said.append(sentence)

    @property
    def broken(self) -> bool:
        """Whether anything refuses the data set."""
        return bool(self.faults)

    @property
    def said(self) -> list[str]:
        """Return the sentences about the whole."""
        return list(self._said)

    def take(self, other: Report) -> None:
        """Add all that another report holds."""
        self.faults += other.faults
        for mine, theirs in ((self._problems, other._problems), (self._remarks, other._remarks)):
            for kind, group in theirs.items():
                into = _group(mine, kind, group.detail)
                for path, lines in group.places.items():
                    into.places.setdefault(path, array("Q")).extend(lines[:_MAX_LINES])
                into.count += group.count
        for sentence in other._said:
            self.say(sentence)
        self.advice += [each for each in other.advice if each not in self.advice]

    def remarks(self) -> list[str]:
        """Return what there is to know, a sentence each, with all lines."""
        return [
            *self._said,
            *(f"{each.detail}: {each.count:,} ({each.where(full=False)})" for each in self._remarks.values()),
        ]

    def raise_problems(self) -> None:
        """Refuse the data set.

        Raises:
            DatasetError: One line for one fault, else a line for each kind of fault with all its lines.
        """
        groups = list(self._problems.values())
        if not groups:
            return
        advice = [f"  {each}" for each in self.advice]
        rows = [f"{each.where(full=True)}: {each.detail}" for each in groups]
        if len(groups) == 1 and not advice:
            more = f" ({groups[0].count:,} such)" if groups[0].count > 1 else ""
            raise DatasetError(rows[0] + more)
        if len(groups) == 1 and groups[0].count == 1:
            raise DatasetError(f"{rows[0]}; {self.advice[0]}")
        total = sum(each.count for each in groups)
        head = f"{total:,} faults, nothing was read:"
        raise DatasetError("\n".join([head, *(f"  {row}" for row in rows), *advice]))


def _group(groups: dict[str, Group], kind: str, detail: str) -> Group:
    if kind not in groups and len(groups) >= _MAX_KINDS:
        kind, detail = "other", "other faults of more than 200 kinds"
    return groups.setdefault(kind, Group(detail))


def _lines(lines: array[int]) -> str:
    numbers = sorted({line for line in lines if line})
    if not numbers:
        return ""
    parts = list(_ranges(numbers))
    text = ", ".join(parts)
    if len(text) > _MAX_SHOWN_CHARS:
        kept = text[:_MAX_SHOWN_CHARS].rpartition(", ")[0]
        text = f"{kept}, and {len(parts) - kept.count(', ') - 1:,} more places"
    return f":{text}"


def _ranges(numbers: list[int]) -> Iterator[str]:
    start = before = numbers[0]
    for number in [*numbers[1:], -1]:
        if number != before + 1:
            yield str(start) if start == before else f"{start}-{before}"
            start = number
        before = number
