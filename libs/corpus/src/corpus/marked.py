"""Text with marks around mentions, and how it is tidied and read into an annotated note.

The marks are private-use characters, which no lexicon line contains, so that every rewriting of the text carries
the spans along.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clinical_ner.notes import AnnotatedNote, Label, Span

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPEN = {"D": 0xF0000, "T": 0x100000}
_CLOSE = "\ue000"
_MARK = "[\ue000\U000f0000-\U0010ffff]"
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
_APART_AFTER = re.compile(rf"([(),;:?!\"%])({_MARK}*)(?=[^\s])")


def wrap(text: str, label: str, key: int) -> str:
    """Mark `text` as a mention of `label` ("D" or "T") that belongs to pair `key` (0: to none)."""
    if key > _LARGEST_KEY:
        raise ValueError(f"pair key {key} is over {_LARGEST_KEY}: one note holds too many lines")
    return f"{chr(_OPEN[label] + key)}{MARKS.sub('', text).strip()}{_CLOSE}"


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


def read(text: str, *, note_id: str = "", meta: Mapping[str, str] | None = None) -> AnnotatedNote:
    """Take the marks out and return the note with its spans and treatment-disease pairs."""
    plain: list[str] = []
    spans: list[Span] = []
    keys: list[int] = []
    start, code = 0, 0
    for letter in text:
        if ord(letter) >= _OPEN["D"]:
            start, code = len(plain), ord(letter)
        elif letter == _CLOSE:
            treatment = code >= _OPEN["T"]
            spans.append(Span(start, len(plain), Label.TREATMENT if treatment else Label.DISEASE))
            keys.append(code & 0xFFFF)
        else:
            plain.append(letter)
    return AnnotatedNote("".join(plain), tuple(spans), _pairs(spans, keys), note_id=note_id, meta=meta or {})


def _pairs(spans: list[Span], keys: list[int]) -> tuple[tuple[int, int], ...]:
    return tuple(
        (treatment, disease)
        for treatment, one in enumerate(spans)
        if one.label is Label.TREATMENT and keys[treatment]
        for disease, other in enumerate(spans)
        if other.label is Label.DISEASE and keys[disease] == keys[treatment]
    )
