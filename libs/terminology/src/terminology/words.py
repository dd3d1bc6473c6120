"""The words of a mention: one spelling for many ways to write the same name.

A mention is read at three depths. `surface` undoes case, punctuation and spacing; it is what an exact look-up costs.
`bag` also undoes spelling, number, order, and words that choose no category ("unspecified", "disease"), by a small
table of synonyms of one word each. `parts` divides "IHD s/p PTCA" into what stands in it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files

LONGEST_MENTION = 200
"""Characters of a mention that are looked at; a name of a disease or a drug is never longer."""

_VOWELS = "".join(map(chr, (code for code in range(0x900, 0xE00) if unicodedata.category(chr(code)).startswith("M"))))
_TOKEN = re.compile(f"(?:[^\\W_]|[{_VOWELS}])+")
"""The vowels behind a consonant are letters in the scripts of India, not accents: without them two words would be one."""
_VIRAMA = 9
_JOINERS = "\u200c\u200d"
_SIMPLE = re.compile(r"[A-Za-z0-9 .,:;()/+-]*", re.ASCII)
"""What most mentions are written with: nothing of it needs more than lower case."""
_POSSESSIVE = re.compile("(?<=\\w\\w)['\u2019`]s\\b")
_MARKUP = re.compile(r"<[^<>]{0,80}>|&[a-z]{2,8};")
_LEAD = re.compile(
    r"^(?:\W*(?:k/?c/?o|h/?o|c/?o|s/?o|f/?[hu]/?[co]?|known\s+case\s+of|case\s+of|history\s+of|diagnosed\s+with|diagnosed\s+as"
    r"|suffering\s+from|old\s+case\s+of|treated\s+case\s+of|dx|imp|diagnosis)\b\W*)+"
)
_COURSE = re.compile(
    r"\b(?:x|since|for|from)\s+(?:last\s+)?\d+\s*(?:days?|d|weeks?|wks?|months?|mon|m|years?|yrs?|y)\b.*$"
    r"|\bsince\s+(?:19|20)\d\d\b"
)
_DIGIT = re.compile(r"\d")
_JOIN = re.compile(
    r"\s*(?:\bs/p\b|\bwith\b|\bw/|\bc/w\b|\bon\b|\band\b|\bdue to\b|\bd/t\b|\bpost\b|\bplus\b|\s[-\u2013]\s*|[+,;&/?])\s*"
)
_BRITISH = (
    ("oedem", "edem"),
    ("haem", "hem"),
    ("aemi", "emi"),
    ("naem", "nem"),
    ("oeso", "eso"),
    ("rrhoe", "rrhe"),
    ("pnoe", "pne"),
    ("tumour", "tumor"),
    ("paed", "ped"),
    ("foet", "fet"),
    ("caes", "ces"),
    ("faec", "fec"),
    ("caec", "cec"),
    ("oestr", "estr"),
    ("gynaec", "gynec"),
    ("coeli", "celi"),
    ("goitre", "goiter"),
    ("leuco", "leuko"),
    ("fibre", "fiber"),
    ("amoeb", "ameb"),
    ("sulph", "sulf"),
    ("isation", "ization"),
    ("ising", "izing"),
    ("ischaem", "ischem"),
    ("aesth", "esth"),
    ("praev", "prev"),
    ("manoeuv", "maneuv"),
    ("aetio", "etio"),
    ("mould", "mold"),
    ("colour", "color"),
    ("titre", "titer"),
    ("labour", "labor"),
    ("behaviour", "behavior"),
)


def plain(text: str) -> str:
    """Return `text` in lower case without markup and accents, shortened to `LONGEST_MENTION` characters."""
    text = text[:LONGEST_MENTION].strip()
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in apart if unicodedata.combining(c) in (0, _VIRAMA) and c not in _JOINERS)
    text = text.casefold()
    return _MARKUP.sub(" ", text) if "<" in text or "&" in text else text


def surface(text: str) -> str:
    """Return the words of `text`, one blank between them: "Koch's  chest" and "KOCHS-CHEST" are one."""
    if len(text) < LONGEST_MENTION and _SIMPLE.fullmatch(text):
        return " ".join(_TOKEN.findall(text.lower()))
    lowered = plain(text)
    if "'" in lowered or "\u2019" in lowered or "`" in lowered:
        lowered = _POSSESSIVE.sub("s", lowered)
    if lowered.startswith("#") or " #" in lowered:
        lowered = lowered.replace("#", " fracture ")
    return " ".join(_TOKEN.findall(lowered))


def without_lead(text: str) -> str:
    """Return `text` without what doctors write before or behind a name: "k/c/o", "x 5 days"."""
    cleaned = _LEAD.sub("", plain(text))
    return (_COURSE.sub("", cleaned) if _DIGIT.search(cleaned) else cleaned).strip(" -:.?")


def parts(text: str) -> list[str]:
    """Return the pieces of a mention that names more than one thing, in their order."""
    return [piece for piece in _JOIN.split(plain(text)) if len(piece) > 1]


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return a key that a word shares with its plural and its British spelling."""
    for british, american in _BRITISH:
        if british in word:
            word = word.replace(british, american)
    if len(word) <= 4 or word.endswith(("ss", "us")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ses", "sis", "xes")):
        return word[:-2]
    return word if word.endswith("is") else word.removesuffix("s")


def bag(text: str) -> tuple[str, ...]:
    """Return the words of `text` that choose a category: stems, synonyms replaced, fillers left out, sorted."""
    return bag_of(surface(text))


def bag_of(words: str) -> tuple[str, ...]:
    """Return the bag of a `surface`."""
    same, fillers = _tables()
    stems = list(map(stem, words.split()))
    if not _begins().isdisjoint(stems):
        line = f" {' '.join(stems)} "
        for phrase, other in _phrases():
            if phrase in line:
                line = line.replace(phrase, other)
        stems = line.split()
    found = {same.get(word, word) for word in stems}
    if " " in "".join(found):
        found = {word for entry in found for word in entry.split()}
    return tuple(sorted(found - fillers)) or tuple(sorted(found))


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, str], frozenset[str]]:
    same: dict[str, str] = {}
    fillers: set[str] = set()
    for section, line in _lines():
        if section == "fillers":
            fillers.update(stem(word) for word in line.split())
        elif section == "words":
            usual, _, others = line.partition("=")
            same.update({stem(other.strip()): " ".join(map(stem, usual.split())) for other in others.split("|")})
    return same, frozenset(fillers)


@lru_cache(maxsize=1)
def _phrases() -> tuple[tuple[str, str], ...]:
    found = []
    for section, line in _lines():
        if section != "phrases":
            continue
        usual, _, others = line.partition("=")
        target = f" {' '.join(map(stem, usual.split()))} "
        found += [(f" {' '.join(map(stem, other.split()))} ", target) for other in others.split("|")]
    return tuple(sorted(found, key=lambda pair: (-len(pair[0]), pair)))


@lru_cache(maxsize=1)
def _begins() -> frozenset[str]:
    """Return the words that phrases begin with: most names have none of them."""
    return frozenset(phrase.split()[0] for phrase, _ in _phrases())


@lru_cache(maxsize=1)
def _lines() -> tuple[tuple[str, str], ...]:
    found = []
    section = ""
    for raw in (files("terminology") / "data" / "words.txt").read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            found.append((section, line))
    return tuple(found)
