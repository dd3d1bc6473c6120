"""Drugs: brands and generic names to the FDA's UNII of each substance in them, whatever form and strength stand around."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from terminology import spelling
from terminology.diseases import exact
from terminology.found import Found
from terminology.systems import UNII
from terminology.table import Coding
from terminology.words import plain, surface

if TYPE_CHECKING:
    from collections.abc import Iterator

    from terminology.table import Table

_FORMS = frozenset(
    [
        "tab",
        "tabs",
        "tablet",
        "tablets",
        "cap",
        "caps",
        "capsule",
        "capsules",
        "inj",
        "injection",
        "syp",
        "syr",
        "syrup",
        "susp",
        "suspension",
        "oint",
        "ointment",
        "cream",
        "gel",
        "lotion",
        "drop",
        "drops",
        "eye",
        "ear",
        "nasal",
        "spray",
        "neb",
        "nebulisation",
        "nebulization",
        "nebuliser",
        "inhaler",
        "mdi",
        "rotacap",
        "rotacaps",
        "respule",
        "respules",
        "sachet",
        "powder",
        "infusion",
        "iv",
        "im",
        "sc",
        "sl",
        "oral",
        "po",
        "solution",
        "dpi",
        "transcaps",
        "patch",
        "soap",
        "shampoo",
        "mouthwash",
        "suppository",
        "penfill",
        "flexpen",
        "vial",
        "amp",
        "ampoule",
        "supplementation",
        "supplement",
        "stat",
        "kid",
        "pfs",
    ]
)
_LEADS = frozenset({"t", "c", "i"})
"""T., C. and I. before a name: tablet, capsule, injection."""
_ORDERS = frozenset(
    [
        "od",
        "bd",
        "tds",
        "tid",
        "qid",
        "hs",
        "sos",
        "prn",
        "stat",
        "qds",
        "bid",
        "daily",
        "weekly",
        "once",
        "twice",
        "thrice",
        "ac",
        "pc",
        "before",
        "after",
        "food",
        "x",
        "days",
        "day",
    ]
)
_UNITS = frozenset(
    ["mg", "mcg", "g", "gm", "ml", "iu", "u", "units", "unit", "k", "lac", "lakh", "percent", "meq", "ug"]
)
_STRENGTH = re.compile(r"\d+(?:mg|mcg|g|gm|ml|iu|u|k|meq|ug)?")
_NEUTRAL = frozenset(
    [
        "sr",
        "xr",
        "er",
        "xl",
        "cr",
        "pr",
        "mr",
        "od",
        "dt",
        "md",
        "ds",
        "duo",
        "la",
        "retard",
        "ir",
        "ec",
        "tr",
        "forte",
        "ls500",
        "advance",
        "active",
        "new",
    ]
)
"""Suffixes that change how a drug is released or its strength, not what is in it."""
_SALTS = frozenset(
    [
        "hydrochloride",
        "hcl",
        "sodium",
        "potassium",
        "maleate",
        "besylate",
        "besilate",
        "succinate",
        "tartrate",
        "mesylate",
        "sulphate",
        "sulfate",
        "phosphate",
        "fumarate",
        "citrate",
        "acetate",
        "trihydrate",
        "dihydrate",
        "monohydrate",
        "bromide",
        "hydrobromide",
        "calcium",
        "magnesium",
        "medoxomil",
        "axetil",
        "proxetil",
        "base",
    ]
)
_JOIN = re.compile(r"\s*(?:[+&/,]|-|\bplus\b|\band\b|\bwith\b)\s*")
_GLUED = re.compile(r"(?<=[a-z])(?=\d)")
_SUBSTANCE = 0.93
_SALT_COST = 0.95
_TYPO_SCORES = {1: 0.86, 2: 0.8}
_SHORT_TYPO = 0.74
_SHORTEST_TYPO = 6


def is_order(text: str) -> bool:
    """Return whether a mention is written like an order of a drug: a form before it or a strength behind it."""
    words = surface(text).split()
    return any(word in _UNITS or (_STRENGTH.fullmatch(word) and not word.isdigit()) for word in words[1:]) or (
        len(words) > 1 and (words[0] in _FORMS or words[0] in _LEADS)
    )


def look_up(table: Table, text: str, around: frozenset[str], *, typos: bool = True) -> Found | None:
    """Return the substances of a drug; None when a part of it is not known."""
    keys = list(dict.fromkeys(_keys(_GLUED.sub(" ", surface(text)))))
    for key in keys:
        found = _known(table, key, around)
        if found is not None:
            return found
    joined = _of_parts(table, plain(text), around)
    if joined is not None or not typos:
        return joined
    return next((found for key in keys if (found := _misspelt(table, key)) is not None), None)


def _keys(key: str) -> Iterator[str]:
    """Yield what may be the name in `key`, from all of it to the least: without form, strength, and neutral suffix."""
    yield key
    words = key.split()
    bare = [word for word in words if word not in _FORMS]
    yield " ".join(bare)
    if len(bare) > 1 and bare[0] in _LEADS:
        bare = bare[1:]
        yield " ".join(bare)
    named = _without_dose(bare)
    yield " ".join(named)
    yield " ".join(word for word in named if word not in _NEUTRAL)


def _without_dose(words: list[str]) -> list[str]:
    kept = [word for word in words if not _STRENGTH.fullmatch(word) and word not in _UNITS]
    while kept and kept[-1] in _ORDERS and len(kept) > 1:
        kept.pop()
    return kept


def _known(table: Table, key: str, around: frozenset[str]) -> Found | None:
    if len(key) < 2:
        return None
    found = exact(table, key, "TREATMENT", around)
    if found is not None and found.codings:
        return found
    return _substance(table, key) or _without_salt(table, key, around)


def _substance(table: Table, key: str) -> Found | None:
    if len(key) < 4 or key in table.words:
        return None
    found = table.substance(key)
    return Found((Coding(UNII, *found),), _SUBSTANCE, "substance") if found else None


def _without_salt(table: Table, key: str, around: frozenset[str]) -> Found | None:
    words = key.split()
    base = " ".join(word for word in words if word not in _SALTS)
    if not base or base == key:
        return None
    found = exact(table, base, "TREATMENT", around) or _substance(table, base)
    return found.weaker(_SALT_COST) if found is not None and found.codings else None


def _of_parts(table: Table, text: str, around: frozenset[str]) -> Found | None:
    """Return all substances of a combination; one that is not known leaves the whole without an answer."""
    pieces = [surface(piece) for piece in _JOIN.split(text)]
    pieces = [piece for piece in pieces if piece and _without_dose(piece.split())]
    if len(pieces) < 2:
        return None
    found = [_first_known(table, piece, around) for piece in pieces]
    if any(one is None for one in found):
        return None
    answered = [one for one in found if one is not None]
    codings = tuple(dict.fromkeys(coding for one in answered for coding in one.codings))
    return Found(codings, min(one.score for one in answered) * 0.98, "combination")


def _first_known(table: Table, piece: str, around: frozenset[str]) -> Found | None:
    return next(
        (found for key in _keys(_GLUED.sub(" ", piece)) if (found := _known(table, key, around)) is not None), None
    )


def _misspelt(table: Table, key: str) -> Found | None:
    if len(key) < _SHORTEST_TYPO:
        return None
    near = spelling.nearest(key, spelling.pool_of(table, "drugs"))
    if near is None:
        return None
    found = exact(table, near[0], "TREATMENT", frozenset())
    if found is None:
        return None
    if near[1] > 1 and found.how != "list":
        return None  # brands are short and alike: two wrong letters may be another one
    score = _TYPO_SCORES[near[1]] if len(key) > _SHORTEST_TYPO + 1 else _SHORT_TYPO
    return Found(found.codings, min(score, found.score), "typo")
