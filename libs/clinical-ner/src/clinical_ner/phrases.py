"""The tables of phrases that decide what a note says of its entities: read, checked, and made ready for native code.

Four files in `data/meaning`, reviewed like code. A line in brackets says what the phrases below it do; phrases stand one
or more a line, separated by `|`. `#` stands for any number, `@` for a year; case does not count. What follows a `;` in
the first column is a comment.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_ner.tokens import tokenise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Reader = Callable[[str], int]

CODE_VERSION = 3
"""Rises with each change of the native rules that changes an answer: it is part of `rules_version`."""

FORMS = [
    "tablet",
    "capsule",
    "syrup",
    "suspension",
    "injection",
    "drops",
    "cream",
    "ointment",
    "gel",
    "lotion",
    "inhaler",
    "nebuliser",
    "rotacap",
    "spray",
    "sachet",
    "powder",
    "patch",
    "suppository",
    "pessary",
    "solution",
    "gargle",
    "mouthwash",
    "shampoo",
    "soap",
    "granules",
    "infusion",
    "lozenge",
    "paste",
    "elixir",
    "respule",
]
ROUTES = [
    "oral",
    "intravenous",
    "intramuscular",
    "subcutaneous",
    "inhalation",
    "nasal",
    "ophthalmic",
    "otic",
    "topical",
    "sublingual",
    "rectal",
    "vaginal",
]
UNITS = ("h", "d", "wk", "mo")
WHENS = ("AC", "PC", "HS")

_ROLES = [
    "negated",
    "possible",
    "hypothetical",
    "allergy",
    "refused",
    "present",
    "historical",
    "planned",
    "current",
    "family",
    "other",
    "neutral",
    "end",
    "heading",
    "joins",
    "abbreviation",
    "conjunction",
]
_LINKS = [
    "for",
    "on",
    "because",
    "cause",
    "prevent",
    "avoid",
    "stopped",
    "fail",
    "improve",
    "break",
    "lets-assert",
    "vaccine",
    "with",
    "reaction",
    "split",
    "effect",
    "persists",
    "complaint",
    "background",
    "lasts",
    "respectively",
]
_PARTS = [
    "form",
    "strength-unit",
    "dose-unit",
    "frequency",
    "every",
    "hourly",
    "times",
    "time-unit",
    "daypart",
    "when",
    "as-needed",
    "route",
    "number",
    "second-phase",
    "stop",
    "skip",
    "lead",
    "for",
    "goes-on",
    "once",
]
_INDICATED = ["disease", "treatment"]
_SIDES = {"ahead": 1, "back": 2}
_OF = {"disease": 1, "treatment": 2, "any": 3}
_BACK = 16
_MARKS = {"mark": 1, "slash-list": 2, "comma-list": 4, "direct": 8, "begins": 16, "closes": 32, "taken-now": 64}
_PLACES = {"treatment-disease": 1, "disease-treatment": 2, "between": 3, "leads": 4, "trails": 8}
_DAYPARTS = {"morning": 1, "noon": 2, "evening": 4, "night": 8}
_MAX_PHRASE_CHARS = 60
_MAX_PIECES = 12  # MAX_PHRASE in native/meaning.c
_SECTION = re.compile(r"\[([a-z-]+)((?: [a-z-]+(?:=[^\s\]]+)?)*)\]")


class TableInvalid(ValueError):
    """A table of phrases that cannot be used; the message names file, line and what is wrong."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase and what it does: `row` is layer, kind and four values, as native/meaning.h reads them."""

    text: str
    row: tuple[int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Tables:
    """All phrases, and the version that names them."""

    phrases: tuple[Phrase, ...]
    version: str


def _one_of(names: Sequence[str], first: int = 1) -> Reader:
    places = {name: place for place, name in enumerate(names, first)}
    return places.__getitem__


def _scopes(value: str) -> int:
    """Bits of the roles whose scope a phrase ends, looking ahead (0 to 10) and back (16 to 26)."""
    roles = _ROLES[: _ROLES.index("neutral")]
    if value == "all":
        return sum(1 << role | 1 << role + _BACK for role in range(len(roles)))
    bits = 0
    for name in value.split(","):
        role = roles.index(name.removesuffix("-back"))
        bits |= 1 << (role + _BACK if name.endswith("-back") else role)
    return bits


def _hundredths(value: str) -> int:
    return round(float(value) * 100)


def _condition(name: str) -> int:
    """A number that stands for a condition's name; only equality counts."""
    return zlib.crc32(name.encode()) >> 1


# What a section may say: for each name, which of the four values it sets and how its value is read. A name without a
# reader is a flag; flags of one place add up.
_Setting = tuple[int, "Reader | int"]
_UNIT: _Setting = (2, _one_of(UNITS))
_CUE: Mapping[str, _Setting] = {
    **{name: (0, value) for name, value in _SIDES.items()},
    "reach": (1, int),
    "of": (2, _OF.__getitem__),
    **{name: (3, value) for name, value in _MARKS.items()},
}
_LINK: Mapping[str, _Setting] = {name: (0, value) for name, value in _PLACES.items()}
_SPECIAL: Mapping[tuple[int, str], Mapping[str, _Setting]] = {
    (0, "end"): {"of": (3, _scopes)},
    (0, "heading"): {"gives": (3, _one_of([*_ROLES[:11], "none"], 0)), "of": (2, _OF.__getitem__), "bare": (1, 1)},
    (0, "neutral"): {},
    (0, "joins"): {},
    (0, "abbreviation"): {},
    (0, "conjunction"): {},
    (2, "form"): {"is": (0, _one_of(FORMS)), "route": (1, _one_of(ROUTES))},
    (2, "dose-unit"): {"form": (0, _one_of(FORMS)), "route": (1, _one_of(ROUTES))},
    (2, "frequency"): {"times": (0, int), "period": (1, int), "unit": _UNIT, "weak": (3, 1)},
    (2, "hourly"): {"unit": _UNIT},
    (2, "times"): {"period": (1, int), "unit": _UNIT},
    (2, "time-unit"): {"unit": _UNIT},
    (2, "daypart"): {"part": (0, _DAYPARTS.__getitem__), "when": (1, _one_of(WHENS))},
    (2, "when"): {"is": (1, _one_of(WHENS))},
    (2, "route"): {"is": (1, _one_of(ROUTES))},
    (2, "number"): {"value": (0, _hundredths)},
}
_LAYERS: tuple[tuple[str, Sequence[str], Mapping[str, _Setting]], ...] = (
    ("assertion.txt", _ROLES, _CUE),
    ("relations.txt", _LINKS, _LINK),
    ("prescriptions.txt", _PARTS, {}),
    ("indications.txt", _INDICATED, {"for": (2, _condition)}),
)
_NEEDED = {"reach", "is", "value", "times", "gives", "for"}
_FOLDER = Path(__file__).with_name("data") / "meaning"


TABLE_NAMES = tuple(name for name, _, _ in _LAYERS)
"""The files of a set of tables."""
OPTIONAL_TABLES = frozenset({"indications.txt"})
"""Files that a set may lack: sets that were released before there was such a table are read as they always were."""


def read_tables(folder: Path = _FOLDER) -> Tables:
    """Read the tables of a folder; TableInvalid with file and line if one cannot be used."""
    return parse_tables(read_files(folder))


def read_files(folder: Path = _FOLDER) -> dict[str, bytes]:
    """Read the files of a folder by their names, unchecked; TableInvalid if one that is needed is not there."""
    contents = {}
    for name in TABLE_NAMES:
        try:
            contents[name] = (folder / name).read_bytes()
        except FileNotFoundError as error:
            if name not in OPTIONAL_TABLES:
                raise TableInvalid(f"{folder / name}: cannot be read: {error.strerror}") from None
        except OSError as error:
            raise TableInvalid(f"{folder / name}: cannot be read: {error.strerror}") from None
    return contents


def parse_tables(contents: Mapping[str, bytes]) -> Tables:
    """Read a set of tables by their names; TableInvalid with file and line if one cannot be used."""
    digest = hashlib.sha256(f"code {CODE_VERSION}\n".encode())
    phrases: list[Phrase] = []
    for layer, (name, kinds, usual) in enumerate(_LAYERS):
        if name in OPTIONAL_TABLES and name not in contents:
            continue
        content = contents[name]
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise TableInvalid(f"{name}, line {line}: a byte that is no UTF-8 text: save the file as UTF-8") from None
        digest.update(content)
        phrases += _read_table(_Place(name, layer, kinds, usual), text)
    return Tables(tuple(phrases), digest.hexdigest()[:12])


@cache
def shipped_tables() -> Tables:
    """The tables of this package."""
    return read_tables()


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    layer: int
    kinds: Sequence[str]
    usual: Mapping[str, _Setting]


def _read_table(place: _Place, text: str) -> list[Phrase]:
    phrases: list[Phrase] = []
    seen: dict[tuple[str, tuple[int, ...]], int] = {}
    row: tuple[int, int, int, int, int, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(";"):
            continue
        where = f"{place.name}, line {number}"
        if line.startswith("["):
            row = _section(place, line.strip(), where)
            continue
        if row is None:
            raise TableInvalid(f"{where}: a phrase stands before the first [section]: say what it does")
        for phrase in map(_plain, line.split("|")):
            _check(phrase, where)
            # The same phrase may do another thing, look another way, or be of another label; but not the same twice.
            sense = row[:3] + (row[4:] if place.kinds[row[1]] == "end" else row[4:5])
            if (phrase, sense) in seen:
                raise TableInvalid(
                    f"{where}: the phrase {phrase!r} stands in line {seen[phrase, sense]} already: remove one"
                )
            seen[phrase, sense] = number
            phrases.append(Phrase(phrase, row))
    if not phrases:
        raise TableInvalid(f"{place.name}: holds no phrase")
    return phrases


def _plain(phrase: str) -> str:
    return " ".join(phrase.split()).lower()


def _check(phrase: str, where: str) -> None:
    if not phrase:
        raise TableInvalid(f"{where}: an empty phrase: remove the stray '|'")
    if len(phrase) > _MAX_PHRASE_CHARS:
        raise TableInvalid(f"{where}: the phrase {phrase!r} is longer than {_MAX_PHRASE_CHARS} characters")
    if len(tokenise(phrase)) > _MAX_PIECES:
        raise TableInvalid(f"{where}: the phrase {phrase!r} has more than {_MAX_PIECES} words and signs")
    if re.search(r"[0-9]", phrase):
        raise TableInvalid(f"{where}: the phrase {phrase!r} holds a number: write # for any number, @ for a year")


def _section(place: _Place, line: str, where: str) -> tuple[int, int, int, int, int, int]:
    parsed = _SECTION.fullmatch(line)
    if not parsed:
        raise TableInvalid(f"{where}: {line!r} is no section: write [kind name=value ...]")
    kind = parsed[1]
    if kind not in place.kinds:
        raise TableInvalid(f"{where}: unknown kind {kind!r}: one of {', '.join(place.kinds)}")
    allowed = _SPECIAL.get((place.layer, kind), place.usual)
    values = [0, 0, 0, 0]
    given = set()
    for word in parsed[2].split():
        name, _, value = word.partition("=")
        if name not in allowed:
            raise TableInvalid(f"{where}: [{kind}] knows no {name!r}: one of {', '.join(allowed) or 'nothing'}")
        at, reader = allowed[name]
        try:
            values[at] |= reader if isinstance(reader, int) else reader(value)
        except (KeyError, ValueError):
            raise TableInvalid(f"{where}: [{kind}] {name} cannot be {value!r}") from None
        given.add(name)
    for name in sorted(_NEEDED & allowed.keys() - given):
        raise TableInvalid(f"{where}: [{kind}] needs {name}=")
    if allowed is _CUE and not given & _SIDES.keys():
        raise TableInvalid(f"{where}: [{kind}] needs ahead or back")
    if allowed is _LINK and not given:
        raise TableInvalid(f"{where}: [{kind}] needs a place: {', '.join(_PLACES)}")
    if "of" in allowed and "of" not in given and kind != "end":
        values[2] = _OF["any"]
    return (place.layer, place.kinds.index(kind), values[0], values[1], values[2], values[3])
