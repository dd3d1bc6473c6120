"""The lexicon: names of diseases and treatments with their variants, and the words that names are built from.

All of it is plain data under `data/`, written from general medical knowledge. A fixed keyed hash puts about a tenth
of the names aside (`Vocabulary.HELDOUT`), so that a model can be scored on names that its corpus never contained.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from importlib.resources import files

from corpus.spelling import american, singular

_SPLIT_KEY = b"rxtract corpus held-out 1"
_HELDOUT_PER_MILLE = 100
_WORD = re.compile(r"[^\W_]+")
_LONGEST_NAME_WORDS = 8
_SHORTEST_BRAND = 3
_VOWEL = re.compile("[aeiouy]")


class Vocabulary(StrEnum):
    """Which names may be drawn."""

    TRAIN = "train"
    HELDOUT = "heldout"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Name:
    """A disease or treatment: its usual name, its section of the lexicon, its other spellings and short forms.

    `codes` are of ICD-10 for a disease, of UNII for a drug (one for each substance in it); empty where nobody coded it.
    `sure` is False where the category is right but the subdivision, or the sense of the name, may be another.
    """

    text: str
    section: str
    variants: tuple[str, ...] = ()
    group: str = ""
    codes: tuple[str, ...] = ()
    sure: bool = True

    @property
    def forms(self) -> tuple[str, ...]:
        """All ways to write it, the usual one first."""
        return (self.text, *self.variants)


def diseases(vocabulary: Vocabulary | str = Vocabulary.ALL) -> tuple[Name, ...]:
    """Return the diseases, conditions and complications of one side of the split."""
    return _of_side("diseases", Vocabulary(vocabulary))


def treatments(vocabulary: Vocabulary | str = Vocabulary.ALL) -> tuple[Name, ...]:
    """Return the drugs, procedures, programmes and other therapies of one side of the split."""
    return _of_side("treatments", Vocabulary(vocabulary))


def brands(vocabulary: Vocabulary | str = Vocabulary.ALL) -> tuple[Name, ...]:
    """Return Indian brands of drugs beside those that `treatments` has, a name each, as they are written in notes ("Pan D").

    Apart from the treatments: the terminology knows the substances in them, by the same list.
    """
    wanted = Vocabulary(vocabulary)
    return tuple(name for name in _read_brands() if wanted is Vocabulary.ALL or side(name.text) is wanted)


def sections(kind: str) -> tuple[str, ...]:
    """Return the section names of "diseases" or "treatments", in file order."""
    return tuple(dict.fromkeys(name.section for name in _read_names(kind)))


def side(text: str) -> Vocabulary:
    """Return the side of the split that a mention belongs to, from the mention alone.

    The longest lexicon name inside it decides; a mention without one is decided by its own hash. Composed names
    ("recurrent malignant ascites") therefore never carry a held-out name into training.
    """
    words = _key(text).split()
    known = _sides()
    for length in range(min(len(words), _LONGEST_NAME_WORDS), 0, -1):
        for start in range(len(words) - length + 1):
            found = known.get(" ".join(words[start : start + length]))
            if found is not None:
                return found
    return _hashed_side(" ".join(words))


def word_classes() -> dict[str, tuple[str, ...]]:
    """Return the building blocks of names (sites, stages, histologies, routes, stems ...) by class."""
    from corpus.grammar import read_rules

    return {name: tuple(line for _, line in lines) for name, lines in read_rules(("words",)).items()}


def _key(text: str) -> str:
    return " ".join(singular(word) for word in _WORD.findall(american(text.casefold())))


def _hashed_side(key: str) -> Vocabulary:
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=_SPLIT_KEY).digest()
    heldout = int.from_bytes(digest, "little") % 1000 < _HELDOUT_PER_MILLE
    return Vocabulary.HELDOUT if heldout else Vocabulary.TRAIN


@lru_cache(maxsize=1)
def _sides() -> dict[str, Vocabulary]:
    known = {_key(name): Vocabulary.TRAIN for name in _everyday()}
    for kind in ("diseases", "treatments"):
        for name in _read_names(kind):
            decided = known.get(_key(name.text), _hashed_side(_key(name.text)))
            for form in name.forms:
                known.setdefault(_key(form), decided)
    return known


def _everyday() -> list[str]:
    """Return the names that are never put aside, since everybody writes them every day."""
    text = (files("corpus") / "data" / "everyday.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@lru_cache(maxsize=8)
def _of_side(kind: str, vocabulary: Vocabulary) -> tuple[Name, ...]:
    names = _read_names(kind)
    if vocabulary is Vocabulary.ALL:
        return names
    kept = (
        replace(name, variants=tuple(form for form in name.variants if side(form) is vocabulary))
        for name in names
        if side(name.text) is vocabulary
    )
    return tuple(kept)


@lru_cache(maxsize=2)
def _read_names(kind: str) -> tuple[Name, ...]:
    text = (files("corpus") / "data" / f"{kind}.txt").read_text(encoding="utf-8")
    section = group = ""
    names = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section, _, group = line.strip("[]").partition("; ")
            continue
        names.append(_read_name(line, section, group))
    return tuple(names)


@lru_cache(maxsize=1)
def _read_brands() -> tuple[Name, ...]:
    known = {
        form.casefold() for kind in ("diseases", "treatments") for name in _read_names(kind) for form in name.forms
    }
    text = (files("corpus") / "data" / "brands.txt").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith(("#", "[")))
    forms = (form for line in lines for form in re.split(" [=~] ", line)[0].split("|"))
    found = dict.fromkeys(form for form in forms if len(form) >= _SHORTEST_BRAND and form not in known)
    return tuple(Name(_as_brand(form), "brands", group="brands") for form in found)


def _as_brand(form: str) -> str:
    return " ".join(
        word.upper() if len(word) < _SHORTEST_BRAND or not _VOWEL.search(word) else word.capitalize()
        for word in form.split()
    )


def _read_name(line: str, section: str, group: str) -> Name:
    """Return the name of a line "name|variant = CODE + CODE", or with "~" where the code is likely only."""
    sure = " ~ " not in line
    forms, _, codes = line.partition(" = " if sure else " ~ ")
    first, *variants = forms.split("|")
    return Name(first, section, tuple(variants), group, tuple(code for code in codes.split(" + ") if code), sure)
