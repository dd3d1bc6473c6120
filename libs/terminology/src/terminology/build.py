"""The base table: our lists over the names of ICD-10-CM projected to ICD-10, and the FDA's names of substances."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminology.errors import TerminologyRefused
from terminology.lists import NO_CODE, read_list
from terminology.projection import ICD10_CODE, Projection, read
from terminology.sources import IcdName, Substance, fetch, icd_names, substances, wheel_pins
from terminology.systems import ICD10, UNII
from terminology.table import BagRow, Coding, Draft, NameRow, write_newer
from terminology.words import bag_of, surface

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from terminology.lists import Line

BASE = "base"
VERSION = "2"
"""Rises when the lists or the way a table is built change its codes."""

DISEASE = "DISEASE"
TREATMENT = "TREATMENT"

_SURE = {"abbreviation": (0.97, 0.84), "brand": (0.95, 0.8), "list": (0.96, 0.84)}
"""How sure a line of ours is: marked = and ~."""
_TITLE, _INCLUDED = 0.95, 0.93
_RANKS = {"abbreviation": 3, "list": 2, "title": 1, "included": 0}
_BAG_DISCOUNT = 0.02
_LONGEST_NAME = 12
"""Words: nobody writes a longer name in a note."""
_SHORTEST_BAG = 4
"""Letters of a bag of one word: shorter ones are abbreviations, which only their exact form may name."""


@dataclass(slots=True)
class _Builder:
    """Concepts by their code while a draft grows."""

    draft: Draft
    titles: Mapping[str, str]
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    bags: dict[tuple[str, ...], list[tuple[int, int, BagRow]]] = field(default_factory=dict)

    def concept(self, system: str, code: str, display: str) -> int:
        """Return the place of a concept, which is added when it is new."""
        place = self.places.get((system, code))
        if place is None:
            place = self.places[system, code] = len(self.draft.concepts)
            self.draft.concepts.append(Coding(system, code, display))
        return place

    def disease(self, code: str) -> int:
        """Return the place of a code of ICD-10."""
        if not ICD10_CODE.fullmatch(code):
            raise TerminologyRefused(f"{code!r} is not a code of ICD-10")
        return self.concept(ICD10, code, self.titles.get(code) or self.titles.get(code[:3], ""))

    def add_bag(self, text: str, place: int, score: float, how: str) -> None:
        """Add the words of a name; which concept they mean is settled when all names are in."""
        words = bag_of(text)
        if len(words) > 1 or (words and len(words[0]) >= _SHORTEST_BAG and not words[0].isdigit()):
            row = BagRow(words, place, score - _BAG_DISCOUNT, how)
            self.bags.setdefault(words, []).append((_RANKS[how], -len(text), row))


def build(path: Path, sources: Path | None = None) -> dict[str, Any]:
    """Build the base table at `path` and return its meta data.

    `sources` is a folder that the wheels were installed into; None installs them into a folder that is removed again.

    Raises:
        TerminologyRefused: the wheels cannot be had, or a line of a list names an unknown substance or no code.
    """
    if sources is not None:
        return write_newer(draft_of(sources), path)
    with tempfile.TemporaryDirectory(prefix="rxtract-terminology-") as folder:
        fetch(Path(folder))
        return write_newer(draft_of(Path(folder)), path)


def draft_of(folder: Path) -> Draft:
    """Return the base table's content, from the wheels in `folder` and our lists."""
    projection, known, icd = read(), substances(folder), list(icd_names(folder))
    builder = _Builder(Draft(BASE, VERSION, _sources()), _titles(icd, projection))
    names: dict[str, list[NameRow]] = {}
    _add_icd(builder, names, icd, projection)
    _add_corpus_diseases(builder, names)
    _add_lines(builder, names, read_list("abbreviations"))
    _add_treatments(builder, names, known)
    builder.draft.names = [row for key in sorted(names) for row in sorted(names[key], key=_cued_first)]
    builder.draft.bags = _settled(builder)
    builder.draft.substances = {key: (one.unii, one.display) for key, one in known.items()}
    return builder.draft


def _cued_first(row: NameRow) -> tuple[bool, str, tuple[int, ...]]:
    return not row.cues, row.label, row.concepts


def _sources() -> list[dict[str, str]]:
    ours = {"name": "own lists", "version": VERSION, "licence": "Apache-2.0"}
    wheels = [
        {"name": name, "version": version, "sha256": digest, "licence": "MIT"} for name, version, digest in wheel_pins()
    ]
    return [ours, *wheels]


def _titles(icd: list[IcdName], projection: Projection) -> dict[str, str]:
    """Return a title for each code of ICD-10 that one of ICD-10-CM projects to; our own words where they stand in a list."""
    found: dict[str, str] = {}
    for name in icd:
        code = projection.project(name.code)
        if code and name.is_title and (name.code == code or code not in found):
            found[code] = found.get(code, name.text) if name.code != code else name.text
    for line in read_list("displays"):
        found[line.targets[0]] = line.forms[0]
    return found


def _add_icd(builder: _Builder, names: dict[str, list[NameRow]], icd: list[IcdName], projection: Projection) -> None:
    seen: dict[str, tuple[bool, str]] = {}
    for name in icd:
        code = projection.project(name.code)
        if not code or len(name.text.split()) > _LONGEST_NAME:
            continue
        place, key = builder.disease(code), surface(name.text)
        how, score = ("title", _TITLE) if name.is_title else ("included", _INCLUDED)
        builder.add_bag(key, place, score, how)
        if key not in seen or (name.is_title, -len(code)) > (seen[key][0], -len(seen[key][1])):
            seen[key] = (name.is_title, code)
            names[key] = [NameRow(key, (place,), score, how, DISEASE)]


def _add_corpus_diseases(builder: _Builder, names: dict[str, list[NameRow]]) -> None:
    from corpus import lexicon

    for name in lexicon.diseases():
        if not name.codes:
            continue
        place, score = builder.disease(name.codes[0]), _SURE["list"][not name.sure]
        for form in name.forms:
            key = surface(form)
            names[key] = [NameRow(key, (place,), score, "list", DISEASE)]
            builder.add_bag(key, place, score, "list")


def _add_lines(builder: _Builder, names: dict[str, list[NameRow]], lines: Iterable[Line]) -> None:
    ours: dict[str, list[NameRow]] = {}
    for line in lines:
        places = () if line.targets[0] == NO_CODE else tuple(builder.disease(code) for code in line.targets)
        score = _SURE["abbreviation"][not line.sure]
        for form in line.forms:
            key = surface(form)
            row = NameRow(key, places, score, "abbreviation", DISEASE if places else "", line.cues)
            # A later line without cues replaces an earlier one: the more special follows the more general.
            ours[key] = [old for old in ours.get(key, ()) if line.cues or old.cues] + [row]
            if places and not line.cues:
                builder.add_bag(key, places[0], score, "abbreviation")
    for key, rows in ours.items():
        if any(not row.cues for row in rows):
            names[key] = rows
        elif " " in key:  # words written out keep what they mean everywhere else
            names[key] = [*rows, *names.get(key, ())]
        else:
            names[key] = [*rows, NameRow(key, (), 0.0, "abbreviation")]


def _settled(builder: _Builder) -> list[BagRow]:
    """Return one row for each bag: the best rank counts; two categories of one rank are no answer."""
    found = []
    for words in sorted(builder.bags):
        rows = sorted(builder.bags[words], key=lambda one: (-one[0], -one[1], one[2].concept))
        best = [row for rank, _, row in rows if rank == rows[0][0]]
        categories = {builder.draft.concepts[row.concept].code[:3] for row in best}
        if len(categories) == 1:
            found.append(_unspecific(builder, best))
        elif rows[0][1] != rows[1][1]:
            found.append(BagRow(words, best[0].concept, best[0].score - 0.1, best[0].how))
    return found


def _unspecific(builder: _Builder, rows: list[BagRow]) -> BagRow:
    """Return the row whose code says least beyond the words: the category itself, or the unspecified subdivision."""

    def rank(row: BagRow) -> tuple[bool, bool, int]:
        code = builder.draft.concepts[row.concept].code
        return not code.endswith(".9"), len(code) != 3, row.concept

    return min(rows, key=rank) if len(rows) > 1 else rows[0]


def _add_treatments(builder: _Builder, names: dict[str, list[NameRow]], known: Mapping[str, Substance]) -> None:
    from corpus import lexicon

    displays = {one.unii: one.display for one in known.values()}
    for name in lexicon.treatments():
        if name.codes:
            places = tuple(builder.concept(UNII, code, displays.get(code, name.text.upper())) for code in name.codes)
            for form in name.forms:
                _add_drug(names, surface(form), places, _SURE["list"][not name.sure], "list")
    for line in read_list("brands"):
        found = [_known(known, substance) for substance in line.targets]
        places = tuple(builder.concept(UNII, one.unii, one.display) for one in found)
        for form in line.forms:
            _add_drug(names, surface(form), places, _SURE["brand"][not line.sure], "brand")


def _known(known: Mapping[str, Substance], name: str) -> Substance:
    try:
        return known[surface(name)]
    except KeyError:
        raise TerminologyRefused(f"brands.txt names {name!r}, which the FDA's list does not have") from None


def _add_drug(names: dict[str, list[NameRow]], key: str, places: tuple[int, ...], score: float, how: str) -> None:
    others = [row for row in names.get(key, ()) if row.label != TREATMENT]
    names[key] = [*others, NameRow(key, places, score, how, TREATMENT)]
