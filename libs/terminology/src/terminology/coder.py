"""From a mention to its code: exact forms first, then words in any order, then likeness within a bound, else no code.

A wrong code costs more than none, so each way has a score that was measured (docs/terminology.md), and what stays below
the threshold is not answered.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from terminology import diseases, drugs
from terminology.errors import TerminologyRefused
from terminology.table import SUFFIX, Coding, Table, read
from terminology.words import surface

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from terminology.found import Found

T = TypeVar("T")

THRESHOLD = 0.76
"""Below it there is no answer: set by measurement, see docs/terminology.md."""

BASE_FILE = "base" + SUFFIX
_REMEMBERED = 1 << 16
_LONGEST_REMEMBERED = 100
_LONGEST_CONTEXT = 20_000
_NO_CUES: frozenset[str] = frozenset()
_DISEASE, _TREATMENT = "DISEASE", "TREATMENT"


class Way(NamedTuple):
    """How one coding was found: the version of the table that knows it, its score, and the way."""

    version: str
    score: float
    how: str


@dataclass(frozen=True, slots=True)
class Coded:
    """A mention's code: system, code and display of the first (or only) coding, all codings, and how they were found.

    A combination has a coding for each of its substances; a mention of two diseases one for each; a mention that an
    imported table knows too has that table's coding last. `version` names the table that answered.
    """

    code: str
    system: str
    display: str
    score: float
    how: str
    version: str
    codings: tuple[Coding, ...]
    ways: tuple[Way, ...] = ()
    """One for each coding, in their order."""

    def as_row(self) -> dict[str, Any]:
        """Return the fields of a JSON row; `codes` stands in it only when there is more than one coding."""
        row: dict[str, Any] = {
            "code": self.code,
            "system": self.system,
            "score": round(self.score, 3),
            "display": self.display,
            "how": self.how,
        }
        if len(self.codings) > 1:
            row["codes"] = [{"code": c.code, "system": c.system, "display": c.display} for c in self.codings]
        return row


def store() -> Path:
    """Return the folder of this environment's tables."""
    return Path(sys.prefix) / "share" / "rxtract" / "terminology"


@dataclass(slots=True)
class Coder:
    """Looks mentions up in tables: the base table, and a customer's own beside it. Safe to share between threads."""

    tables: Sequence[Table]
    threshold: float = THRESHOLD
    _memory: dict[tuple[str, str], Coded | None] = field(default_factory=dict, repr=False)
    _plain: dict[tuple[str, str], Coded | None] = field(default_factory=dict, repr=False)
    """What a name without cues stands for, by what the table says of it: many names say the same."""
    _cues: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict, repr=False)
    _ambiguous: dict[tuple[str, str, frozenset[str]], Coded | None] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, path: Path | None = None, threshold: float = THRESHOLD) -> Coder:
        """Open one table, or all tables of a folder: by default those of this environment, the base table first.

        Raises:
            TerminologyRefused: there is no base table, or a table cannot be used.
        """
        place = path or store()
        if place.is_file():
            return cls((read(place),), threshold)
        base = read(place / BASE_FILE)
        others = [read(file) for file in sorted(place.glob("*" + SUFFIX)) if file.name != BASE_FILE]
        return cls(sorted([base, *others], key=lambda table: not table.preferred), threshold)

    @property
    def version(self) -> str:
        """The versions of all tables: what coded records are traced by."""
        return ",".join(table.version for table in self.tables)

    @property
    def serial(self) -> int:
        """The newest table's serial: codes of the coder with the higher one count."""
        return max(table.serial for table in self.tables)

    def code(self, text: str, label: str | None = None, context: str | None = None) -> Coded | None:
        """Return the code of a mention, or None when there is none that is sure enough.

        `label` is DISEASE or TREATMENT where it is known. `context` is the sentence around an ambiguous mention.
        """
        if context is not None and (cues := self._cues_of(text, label)):
            return self._beside(text, label, cues.intersection(surface_words(context)))
        return self._plainly(text, label)

    def code_note(self, mentions: Sequence[tuple[str, str | None]]) -> list[Coded | None]:
        """Return the codes of all mentions of a note, as (text, label): the others are the context of an ambiguous one."""
        found = []
        for place, (text, label) in enumerate(mentions):
            cues = self._cues_of(text, label)
            if not cues:
                found.append(self._plainly(text, label))
                continue
            others = (other for at, (other, _) in enumerate(mentions) if at != place)
            around = {word for other in others for word in surface(other).split()}
            found.append(self._beside(text, label, cues & around))
        return found

    def _cues_of(self, text: str, label: str | None) -> frozenset[str]:
        """Return the words that a look-up of this mention would have liked to see beside it: of most mentions none."""
        key = (text, label or "")
        if (known := self._cues.get(key)) is not None:
            return known
        if self._says_all(text, label):
            found = _NO_CUES
        else:
            watched = _Watched()
            plain = self._look_up(text, label, watched)
            found = frozenset(watched.asked) or _NO_CUES
            self._keep(self._memory, key, plain)
        self._keep(self._cues, key, found)
        return found

    def _keep(self, memory: dict[tuple[str, str], T], key: tuple[str, str], what: T) -> None:
        if len(memory) >= _REMEMBERED:
            memory.clear()
        if len(key[0]) <= _LONGEST_REMEMBERED:
            memory[key] = what

    def _beside(self, text: str, label: str | None, cues: frozenset[str]) -> Coded | None:
        """Return what a mention is with these cues beside it; nothing but they decide, so the answer can be kept."""
        if not cues:
            return self._plainly(text, label)
        key = (text, label or "", cues)
        if key not in self._ambiguous:
            if len(self._ambiguous) >= _REMEMBERED:
                self._ambiguous.clear()
            self._ambiguous[key] = self._look_up(text, label, cues)
        return self._ambiguous[key]

    def _plainly(self, text: str, label: str | None) -> Coded | None:
        key = (text, label or "")
        try:
            return self._memory[key]
        except KeyError:
            found = self._first_time(text, label)
            self._keep(self._memory, key, found)
            return found

    def _says_all(self, text: str, label: str | None) -> str | None:
        """Return what the only table says of a form that has one meaning, of this label, without cues; None otherwise."""
        row = self.tables[0].names.get(surface(text)) if len(self.tables) == 1 else None
        if row is None or "\n" in row or not row.endswith(f"\t{label}\t" if label else "\t"):
            return None
        return row

    def _first_time(self, text: str, label: str | None) -> Coded | None:
        row = self._says_all(text, label)
        if row is None:
            return self._look_up(text, label, frozenset())
        key = (row, label or "")
        if key not in self._plain:
            self._plain[key] = self._look_up(text, label, frozenset())
        return self._plain[key]

    def _look_up(self, text: str, label: str | None, around: frozenset[str]) -> Coded | None:
        answers = [
            (table, found) for table in self.tables if (found := look_up(table, text, label, around)) is not None
        ]
        answers = [(table, found) for table, found in answers if found.score >= self.threshold and found.codings]
        return _merged(answers) if answers else None


class _Watched(frozenset[str]):
    """No words around a mention, which notes the cues that were looked for among them."""

    asked: set[str]

    def __new__(cls, own: Iterable[str] = ()) -> Self:
        made = super().__new__(cls, own)
        made.asked = set()
        return made

    def __rand__(self, cues: object) -> frozenset[str]:  # asked before the left side's own, since this is a subclass
        assert isinstance(cues, frozenset)  # noqa: S101
        self.asked |= cues
        return frozenset(cues.intersection(self))

    def union(self, *more: Iterable[Any]) -> _Watched:
        """Return one with more words that notes in the same place."""
        made = _Watched(frozenset(self).union(*more))
        made.asked = self.asked
        return made


def surface_words(context: str) -> list[str]:
    """Return the words of a sentence around a mention."""
    found = []
    for start in range(0, min(len(context), _LONGEST_CONTEXT), 200):
        found += surface(context[start : start + 200]).split()
    return found


def _merged(answers: Iterable[tuple[Table, Found]]) -> Coded:
    (first, best), *others = answers
    seen = {coding.system for coding in best.codings}
    more = [(table, found, one) for table, found in others for one in found.codings if one.system not in seen]
    all_ = [*((first, best, one) for one in best.codings), *more]
    ways = tuple(Way(table.version, found.score, found.how) for table, found, _ in all_)
    coding = best.codings[0]
    codings = tuple(one for _, _, one in all_)
    return Coded(coding.code, coding.system, coding.display, best.score, best.how, first.version, codings, ways)


def look_up(table: Table, text: str, label: str | None, around: frozenset[str]) -> Found | None:
    """Return what one table knows of a mention, whatever its score."""
    if label not in (None, "", _DISEASE, _TREATMENT):
        raise TerminologyRefused(f"unknown label {label!r}: give DISEASE, TREATMENT or none")
    key = surface(text)
    exact = diseases.exact(table, key, label or "", around)
    if exact is not None:
        return exact
    around = around.union(key.split())  # "MS, relapsing": the mention itself is context of its pieces
    if label == _TREATMENT:
        return drugs.look_up(table, text, around)
    if label == _DISEASE:
        return diseases.look_up(table, text, around)
    return _either(table, text, around)


def _either(table: Table, text: str, around: frozenset[str]) -> Found | None:
    """Return the better answer of both kinds; what is written like an order of a drug is one."""
    drug = drugs.look_up(table, text, around, typos=False)
    if drug is not None and (drugs.is_order(text) or drug.how in {"brand", "list"}):
        return drug
    disease = diseases.look_up(table, text, around)
    if disease is None or disease.score < THRESHOLD:
        drug = drugs.look_up(table, text, around)
    found = [one for one in (disease, drug) if one is not None]
    return max(found, key=lambda one: one.score, default=None)
