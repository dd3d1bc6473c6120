"""Postal addresses: what stands behind a label, around a PIN code or a house number, and what the tagger finds."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from deid import word_lists
from deid.spans import Kind, Span
from deid.vocabulary import ordinary_words
from deid.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deid.tagger import Guess

SURE = 0.7
"""The tagger's probability from which an address counts."""
_REACH = 160
_PIN = re.compile(
    r"(?<![\w.,/])[0-9]\d{2}[ \xa0]?\d{3}(?![\w]|[.,/]\d|\s{0,2}(?:iu|mg|cells|lakhs?|cumm|copies|per|/|units?|mm|x)\b|\s{0,2}[/%])",
    re.IGNORECASE,
)
_PIN_CUE = re.compile(r"(?:pin|pincode|zip|postal)(?:[ -]?code)?[\s.:-]{0,4}$", re.IGNORECASE)
_CUE = re.compile(
    r"(?<!\w)(?:(?:(?:permanent|present|local|residential|home|postal|current|correspondence|office|mailing|full|perm|patient'?s?)[ .]?)?(?:address|addr|add)[ \t]{0,3}(?::-?|-|\u2013|=|\bis\b)"
    r"|resident of|residing (?:at|in)|resides (?:at|in)|residence[ \t]?(?::|-|at)|lives (?:at|in)|living (?:at|in)|domiciled at|stays (?:at|in)|staying at|hails from|native of|inhabitant of"
    r"|home visit (?:at|to)|r/o(?=[\s:.-]{1,3}(?:h\.?\s?no|\d|#|flat|plot|house|ward|near|vill|vpo|[a-z]-\d)))[\s:.-]{0,4}",
    re.IGNORECASE,
)
_RESIDENT = re.compile(r"(?<!\w)r/o[\s:.-]{1,3}", re.IGNORECASE)
_HEAD = re.compile(
    r"(?<![\w/])(?:h\.?\s?no|house no|flat(?: no)?|plot no|d\.?\s?no|door no|shop no|qtr\.?(?: no)?|quarter no|ward no|survey no|khasra no|no\.?(?=\s?\d{1,4}(?:/\d{1,4})?,)|vpo|vill(?:age)?(?=[\s.:-]{1,2}[^\W\d_])|at[/ ]po)\b[\s.:#-]{0,3}(?=[\w#])",
    re.IGNORECASE,
)
# What must stand in a text before a slower pattern is worth trying.
_CUES = (
    "add",
    "resid",
    "residen",
    "lives",
    "living",
    "domicil",
    "stay",
    "hails",
    "native",
    "inhabitant",
    "home visit",
    "r/o",
)
_HEADS = (
    "no. ",
    "no ",
    "no.",
    "h.no",
    "h. no",
    "h no",
    "hno",
    "house no",
    "flat",
    "plot no",
    "d.no",
    "d. no",
    "d no",
    "door no",
    "shop no",
    "qtr",
    "quarter no",
    "ward no",
    "survey no",
    "khasra",
    "vpo",
    "vill",
    "at/po",
    "at po",
)
_SIX_DIGITS = re.compile(r"\d{3}[ \xa0]?\d{3}")
_PART = re.compile(r"[^\W_]+(?:[./'\u2019&-][^\W_]+)*|#")
_BETWEEN = re.compile(r"[ \t\xa0]{0,4}(?:[,;:.()/\u2013\u2014-]{0,3}[ \t\xa0]{0,4})(?:\r?\n[ \t]{0,8})?")
_STOPS = words(
    "phone ph mob mobile tel contact age sex date dob uhid mrn ip op reg ref referred name dr consultant email "
    "e-mail occupation presented presents came c/o k/c/o h/o with complaining complains who his her wife husband "
    "and is was has had for farmer admitted seen aadhaar aadhar pan diagnosis visit pt patient rx tab inj mr mrs "
    "ms s/o d/o w/o no. since history known diagnosed male female m f yrs years yr married hindu muslim income "
    "education call send deliver bp hr spo2 on"
)
_SHORT = words(
    "no of the st dt po ps dist distt teh tal via co op so rd nr opp sec ph blk apt bldg and & near new old east "
    "west north south upper lower main"
)


@cache
def _places() -> frozenset[str]:
    return frozenset(place.lower() for place in word_lists.places())


def find_addresses(text: str, guesses: Sequence[Guess]) -> list[Span]:
    """Return the addresses in a text; `guesses` are the tagger's."""
    found = [Span(guess.start, guess.end, Kind.ADDRESS) for guess in guesses if _is_address(text, guess)]
    lowered = text.lower()
    if any(cue in lowered for cue in _CUES):
        found += _behind_labels(text)
    if _SIX_DIGITS.search(text):
        found += _at_pins(text)
    if any(head in lowered for head in _HEADS):
        found += _at_heads(text)
    return _bridged(text, found)


def _at_heads(text: str) -> Iterator[Span]:
    for match in _HEAD.finditer(text):
        end = _right(text, match.end())
        if end > match.end() and (not match[0].lower().startswith("no") or _names_a_place(text[match.end() : end])):
            yield Span(match.start(), end, Kind.ADDRESS)


def _names_a_place(written: str) -> bool:
    return any(word in _places() or word in word_lists.street_words() for word in _PART.findall(written.lower()))


def _is_address(text: str, guess: Guess) -> bool:
    if guess.is_name or guess.probability < SURE:
        return False
    words = _PART.findall(text[guess.start : guess.end].lower())
    return any(
        word.strip(".") in word_lists.street_words() or word in _places() or any(c.isdigit() for c in word)
        for word in words
    ) or (guess.probability > 0.9 and all(word not in ordinary_words() for word in words))


def _behind_labels(text: str) -> Iterator[Span]:
    for match in _CUE.finditer(text):
        end = _right(text, match.end(), free=":" in match[0] or "dd" in match[0].lower())
        if end > match.end():
            yield Span(match.end(), end, Kind.ADDRESS)
    for match in _RESIDENT.finditer(text):  # "r/o" is also "rule out": only a place makes it "resident of"
        word = _PART.match(text, match.end())
        end = _right(text, match.end())
        if word and _names_a_place(text[match.end() : end]):
            yield Span(match.end(), end, Kind.ADDRESS)


def _at_pins(text: str) -> Iterator[Span]:
    for match in _PIN.finditer(text):
        start = _left(text, match.start())
        before = _PART.findall(text[start : match.start()].lower())
        cued = _PIN_CUE.search(text, max(0, match.start() - 20), match.start())
        if cued or any(word in _places() or word.strip(".") in word_lists.street_words() for word in before):
            yield Span(start, match.end(), Kind.ADDRESS)


def _fits(word: str, *, free: bool) -> bool:
    lowered = word.lower().strip(".")
    if lowered in _STOPS:
        return False
    if any(character.isdigit() for character in word) or word == "#":
        return True
    if lowered in word_lists.street_words() or lowered in _places() or lowered in _SHORT:
        return True
    return (word[0].isupper() or free) and lowered not in ordinary_words()


def _right(text: str, start: int, *, free: bool = False) -> int:
    """Return where an address that begins at `start` ends."""
    end = place = start
    limit = start + _REACH
    while place < limit and (word := _PART.match(text, place)) and _fits(word[0], free=free):
        end = word.end()
        gap = _BETWEEN.match(text, end)
        place = gap.end() if gap else end
        if place == end or _ends(text, end, place):
            break
    return end


def _ends(text: str, end: int, place: int) -> bool:
    """Whether what stands between two words ends an address: a new line behind a full one, a full stop behind no short form."""
    between = text[end:place]
    if "\n" in between:
        ahead = text[place : place + 40].split("\n", maxsplit=1)[0]
        return ":" in ahead or not (between.lstrip().startswith(",") or re.search(r"\d{6}|\d{3} \d{3}", ahead))
    word = re.search(r"[^\W_]+$", text[max(0, end - 12) : end])
    return between.startswith(". ") and not (
        word and (word[0].lower() in _SHORT or word[0].lower() in word_lists.street_words())
    )


def _left(text: str, end: int) -> int:
    """Return where an address begins that is known to reach to `end`."""
    window = max(0, end - _REACH)
    words = list(_PART.finditer(text, window, end))
    start = end
    for word in reversed(words):
        between = text[word.end() : start]
        if not _BETWEEN.fullmatch(between) or (":" in between and start != end) or not _fits(word[0], free=False):
            break
        if ". " in between and word[0].lower() not in _SHORT and word[0].lower() not in word_lists.street_words():
            break
        start = word.start()
    return start


def _bridged(text: str, spans: list[Span]) -> list[Span]:
    """Join spans between which only commas, dashes and a line end stand."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and (span.start <= joined[-1].end or _BETWEEN.fullmatch(text, joined[-1].end, span.start)):
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end), Kind.ADDRESS)
        else:
            joined.append(span)
    return joined
