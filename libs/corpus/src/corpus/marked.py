"""Text with marks around mentions, and how it is tidied and read into an annotated note.

The marks are private-use characters, which no lexicon line contains, so that every rewriting of the text carries
the spans along. What the text means of a span stands in the same way behind the mark that opens it: `;`-separated parts, one
of them letters, the others `name=value`. The letters: n negated, p possible, y hypothetical, a allergy, r refused, h over,
l planned, f family, o another person, "." present, current and the patient's, with every attribute that is written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clinical_ner.notes import NOT_ANNOTATED, AnnotatedNote, Label, Span, SpanMeaning

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPEN = {"D": 0xF0000, "T": 0x100000}
_CLOSE = "\ue000"
_FIRST_LETTER, _LAST_LETTER = 0xE100, 0xE1FF  # a letter of a meaning: 0xE100 and its code
_BESIDE = {False: "\ue001", True: "\ue002"}
_BESIDE_END = "\ue003"
ALL_ANNOTATED = "."
_MARK = "[\ue000-\ue1ff\U000f0000-\U0010ffff]"
MARKS = re.compile(_MARK)
_LARGEST_KEY = 0xFFFD
_SPACES = re.compile(r"[ \t]{2,}")
_BEFORE_STOP = re.compile(rf"[ \t]+((?:{_MARK})*[,.;:)%])")
_AFTER_BRACKET = re.compile(rf"(\((?:{_MARK})*)[ \t]+")
_ARTICLE = re.compile(rf"\b([Aa])(?= (?:{_MARK})*[aeioAEIO])")
_DOUBLE_STOP = re.compile(r"\.(?:\s*\.)+|,\s*(?=[.,;])")
_SENTENCE_START = re.compile(rf"((?:[.?!]|[A-Z]{{3}}:) )((?:{_MARK})*[a-z][^.]{{0,2}})")
_LONG_WORD = re.compile(r"(?<![\w-])[a-z]{4,}")
_APART = re.compile(rf"(?<=[^\s])({_MARK}*)([,;:()?!\"]|\.(?=\s|$|{_MARK}+$)|'s\b|(?<=\d)%)")
_SIGNS_APART = re.compile(rf"(?<=\w)({_MARK}*)(-|/|'|(?<=\d)\.(?=\d))({_MARK}*)(?=\w)")
_APART_AFTER = re.compile(rf"([(),;:?!\"%])({_MARK}*)(?=[^\s])")


_STATUSES = {"n": "NEGATED", "p": "POSSIBLE", "y": "HYPOTHETICAL", "a": "ALLERGY", "r": "REFUSED"}
_TIMES = {"h": "HISTORICAL", "l": "PLANNED"}
_PERSONS = {"f": "FAMILY", "o": "OTHER"}
_LETTERS = frozenset("npyarhlfo.")
_TYPES = {"r": "REFUSED", "l": "PLANNED", "h": "TREATED"}
_NUMBERS = frozenset({"frequency", "period", "duration"})
_BEHIND = re.compile(
    "([\U000f0000-\U0010ffff][\ue100-\ue1ff]*)([^\ue000]*\ue000[^\U000f0000-\U0010ffff\ue001\ue002]*)\ue001([\ue100-\ue1ff]+)\ue003"
)
_BEFORE = re.compile("\ue002([\ue100-\ue1ff]+)\ue003([^\U000f0000-\U0010ffff]*[\U000f0000-\U0010ffff])")


def _hidden(text: str) -> str:
    return "".join(chr(_FIRST_LETTER + ord(letter)) for letter in text)


def beside(values: str, *, ahead: bool) -> str:
    """Return what stands beside a mention (before it, if `ahead`) and says more of it."""
    return _BESIDE[ahead] + _hidden(f";{values};") + _BESIDE_END


def attach_meanings(text: str) -> str:
    """Move what stands beside mentions into them; ValueError where there is no mention to take it."""
    while True:
        moved = _BEFORE.sub(r"\2\1", _BEHIND.sub(r"\1\3\2", text))
        if moved == text:
            break
        text = moved
    if _BESIDE_END in text:
        raise ValueError("a line says something of a mention that it does not have")
    return text


def wrap(text: str, label: str, key: int, meaning: str = "") -> str:
    """Mark `text` as a mention of `label` ("D" or "T") that belongs to pair `key` (0: to none), and what it means."""
    if key > _LARGEST_KEY:
        raise ValueError(f"pair key {key} is over {_LARGEST_KEY}: one note holds too many lines")
    return f"{chr(_OPEN[label] + key)}{_hidden(meaning)}{MARKS.sub('', text).strip()}{_CLOSE}"


def tidy(text: str) -> str:
    """Put spaces, full stops and articles right, as a careful writer would."""
    text = _SPACES.sub(" ", text)
    text = _BEFORE_STOP.sub(r"\1", text)
    text = _AFTER_BRACKET.sub(r"\1", text)
    text = _DOUBLE_STOP.sub(lambda found: "." if found[0].startswith(".") else "", text)
    return _ARTICLE.sub(r"\1n", text).strip()


def capitalise(text: str) -> str:
    """Give the first letter its capital."""
    for at, letter in enumerate(text):
        if letter.isalpha():
            capital = letter.upper() if text[at + 1 : at + 2].islower() or text[at + 1 : at + 2] in " -" else letter
            return text[:at] + capital + text[at + 1 :]
        if not MARKS.match(letter) and letter not in "\"'(<":
            return text
    return text


def capitalise_sentences(text: str) -> str:
    """Begin every sentence with a capital."""
    return _SENTENCE_START.sub(lambda found: found[1] + capitalise(found[2]), capitalise(text))


def title_case(text: str) -> str:
    """Write long words with a capital, as some titles are printed."""
    return _LONG_WORD.sub(lambda found: found[0][0].upper() + found[0][1:], text)


def set_apart(text: str) -> str:
    """Write punctuation as words of its own, as pre-tokenised data sets do."""
    text = _APART.sub(r"\1 \2", text)
    return _SPACES.sub(" ", _APART_AFTER.sub(r"\1 \2", text)).strip()


def set_all_apart(text: str) -> str:
    """Write every sign as a word of its own, hyphens, slashes and decimal points too, as the tokens of some data sets are."""
    return set_apart(_SIGNS_APART.sub(r"\1 \2 \3", text))


def read(text: str, *, note_id: str = "", meta: Mapping[str, str] | None = None) -> AnnotatedNote:
    """Take the marks out and return the note with its spans, what it means of them, and their relations."""
    plain: list[str] = []
    spans: list[Span] = []
    keys: list[int] = []
    hidden: list[str] = []
    start, code, letters = 0, 0, ""
    for letter in text:
        if ord(letter) >= _OPEN["D"]:
            start, code, letters = len(plain), ord(letter), ""
        elif letter == _CLOSE:
            treatment = code >= _OPEN["T"]
            spans.append(Span(start, len(plain), Label.TREATMENT if treatment else Label.DISEASE))
            keys.append(code & 0xFFFF)
            hidden.append(letters)
        elif _FIRST_LETTER <= ord(letter) <= _LAST_LETTER:
            letters += chr(ord(letter) - _FIRST_LETTER)
        else:
            plain.append(letter)
    parts = [[part for part in each.split(";") if part] for each in hidden]
    meanings = tuple(_meaning(span, each) for span, each in zip(spans, parts, strict=True))
    relations = _relations(spans, keys, parts)
    return AnnotatedNote(
        "".join(plain),
        tuple(spans),
        tuple((treatment, disease) for kind, treatment, disease in relations if kind == "TREATS"),
        note_id=note_id,
        meta=meta or {},
        relations=relations,
        meanings=meanings if any(parts) else (),
    )


def _codes(parts: list[str]) -> str:
    return "".join(part for part in parts if _LETTERS.issuperset(part))


def _meaning(span: Span, parts: list[str]) -> SpanMeaning:
    codes, values = _codes(parts), _values(parts)
    if not codes:
        return NOT_ANNOTATED
    values.pop("relation", None)
    kinds = ((_STATUSES, "PRESENT"), (_TIMES, "CURRENT"), (_PERSONS, "PATIENT"))
    status, time, person = (next((names[c] for c in codes if c in names), usual) for names, usual in kinds)
    attributes = values if "." in codes and span.label is Label.TREATMENT else None
    return SpanMeaning(status, time, person, prescription=attributes)


def _values(parts: list[str]) -> dict[str, str | int | bool]:
    found: dict[str, str | int | bool] = {}
    for part in parts:
        if "=" not in part:
            continue
        for pair in part.split(","):
            name, _, value = pair.strip().partition("=")
            found[name] = int(value) if name in _NUMBERS else True if value == "true" else value
    return found


def _relations(spans: list[Span], keys: list[int], parts: list[list[str]]) -> tuple[tuple[str, int, int], ...]:
    return tuple(
        (_type(keys, parts, treatment), treatment, disease)
        for treatment, one in enumerate(spans)
        if one.label is Label.TREATMENT and keys[treatment]
        for disease, other in enumerate(spans)
        if other.label is Label.DISEASE and keys[disease] == keys[treatment]
    )


def _type(keys: list[int], parts: list[list[str]], treatment: int) -> str:
    """Return the type that the line names for the key, else the one that the treatment's own meaning gives."""
    for key, each in zip(keys, parts, strict=True):
        if key == keys[treatment] and (named := _values(each).get("relation")):
            return str(named)
    return next((_TYPES[c] for c in _codes(parts[treatment]) if c in _TYPES), "TREATS")
