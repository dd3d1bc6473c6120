"""Names of people: what stands behind a title or a label, what the tagger finds, and the same name later in the note."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from deid import word_lists
from deid.spans import Kind, Span
from deid.vocabulary import (
    COMMON_WORDS,
    EPONYM_HEADS,
    EPONYMS,
    NO_NAME_ENDS,
    NO_NAME_STARTS,
    SMALL_WORDS,
    SPECIES,
    clinical_words,
    ordinary_words,
)
from deid.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from deid.tagger import Guess

SURE = 0.3
"""The tagger's probability from which a name counts."""
STRANGE = 0.6
"""The same of a name whose words are written small or partly those of medicine."""
_MAX_WORDS = 5
_WORD = re.compile(r"[^\W\d_]{1,40}(?:['\u2019-][^\W\d_]{1,40}){0,3}")
_TITLES = words(
    "mr mrs ms miss mx messrs smt shrimati shri shree sri sh kumari kum km master mast dr drs doctor prof "
    "professor sardar late sis"
)
_RELATIONS = frozenset("bsdwfmh")
"""The first letters of B/o, S/o, D/o, W/o, F/o, M/o, H/o; what follows must look like a name."""
_OF_WHOM = words("baby wife son daughter husband mother father care")
_LABELS = words(
    "name names patient pt pat father mother husband wife spouse son daughter brother sister guardian relative "
    "attendant attender attendee informant consultant doctor physician surgeon assistant anaesthetist "
    "anesthetist anaesthesiologist anaesthesia nurse witness nominee donor recipient client child baby caregiver "
    "carer kin contact ref referred referring by charge resident rmo author cc attn to from re regarding signed "
    "intern dietician physiotherapist technician counsellor interpreter radiologist pathologist incharge "
    "in-charge father's mother's husband's patient's doctor's spouse's wife's pt's sender cousin"
)
_ROLE_NOUNS = words(
    "dietitian dietician physiotherapist nurse sister surgeon anaesthetist anesthetist counsellor pharmacist "
    "technician husband wife son daughter mother father brother uncle aunt cousin nephew niece grandson "
    "granddaughter grandfather grandmother neighbour neighbor friend colleague employer daughter-in-law "
    "son-in-law mother-in-law father-in-law brother-in-law sister-in-law caretaker attendant lady gentleman "
    "constable pedestrian donor informant witness attender"
)
"""Behind these a word with a capital is a name, if no list of words has it."""
_CUES = _TITLES | _RELATIONS | _OF_WHOM | _ROLE_NOUNS | _LABELS
_NEXT_CAPITAL = re.compile(r"[ \xa0]{1,2}(?=[^\W\d_a-z][^\W\d_A-Z])")
_NO_LABEL_ALONE = words("contact to from by patient baby child mother father re")
"""Behind these a name must begin with a capital."""
_LABEL_END = re.compile(
    r"[ \t]{0,4}(?:\([^)\n]{1,12}\)[ \t]?)?(?::-?|=|[ \t]-|\u2013|[ \t]is\b)[ \t\xa0]{0,6}(?=[^\W\d_])"
)
_TITLE_END = re.compile(r"\.?[:]?[ \t\xa0]{1,4}(?=[^\W\d_])|\.(?=[^\W\d_a-z])")
_OF_END = re.compile(r" of[ \t]{1,2}(?=[^\W\d_a-z])")
_RELATION_END = re.compile(r"/[oO0][.:]{0,2}[ \t\xa0]{0,4}(?=[^\W\d_])")
_CUE_FORMS = (
    (_TITLES, _TITLE_END, True),
    (_LABELS, _LABEL_END, False),
    (_RELATIONS, _RELATION_END, True),
    (_ROLE_NOUNS, _NEXT_CAPITAL, False),
    (_OF_WHOM, _OF_END, True),
)
_NAME_GAP = re.compile(r"\.?[ \xa0]{0,3}")
_BLANKS = re.compile(r"[ \xa0]{0,3}")
_INITIALS_BEFORE = re.compile(r"(?<![\w./])(?:[^\W\d_a-z]\.? ?){1,4}$|(?<![\w./])(?:[a-z]\. ?){1,3}$")
_INITIALS_AFTER = re.compile(
    r"\.?(?:[ \xa0][^\W\d_a-z](?![\w'\u2019/+-])\.?){1,3}(?!=)|[ \xa0](?:[b-z]\. ?|[bdegjlmnpqtuvyz](?![\w'\u2019/+-])){1,2}"
)
_FAMILY_AFTER = re.compile(r"[ \xa0]([^\W\d_a-z][^\W\d_]{2,30}(?:['\u2019-][^\W\d_]{2,30})?)(?!\w)")
_ROLES = words(
    "husband wife father mother son daughter brother sister uncle aunt kin in-law law dr mr mrs ms smt shri sri "
    "nurse doctor prof patient pt name by of and with to from for the guardian attendant neighbour friend "
    "grandfather grandmother s/o d/o w/o c/o abha aadhaar aadhar pan uhid mrn mother-in-law father-in-law "
    "daughter-in-law son-in-law brother-in-law sister-in-law cousin nephew niece son's wife's ref master"
)
_INITIALED = re.compile(
    r"(?<![\w.'\u2019-])(?:[^\W\d_a-z]\. ?){1,3}([^\W\d_a-z][^\W\d_]{3,30})(?![\w-])(?: ([^\W\d_a-z][^\W\d_]{2,30})(?![\w-]))?"
)
_FAMILY_FIRST = re.compile(
    r"^[ \t]{0,4}([^\W\d_a-z][^\W\d_]{2,30}),[ ]?([^\W\d_a-z][^\W\d_]{2,30})(?=[ \t]{1,4}(?:MRN|UHID|DOB|Age|\(?\d{1,3}\b|[MF]\b)|[ \t]{0,4}\n)",
    re.MULTILINE,
)
_SMALL_NEXT = re.compile(r"\s{1,3}[a-z]")
_CITED = re.compile(r"\s{0,2}(?:,\s?)?(?:et\.? ?al|\((?:19|20)\d\d\)|and co-?workers|and colleagues)", re.IGNORECASE)
_AFTER_OWNER = re.compile(r"(?:['\u2019 ]{0,2}s?)?[ -]{1,2}([^\W\d_]+)")
_INSTITUTION = re.compile(
    r"[ ,]{1,2}(?:[^\W\d_]{1,20} ){0,2}(?:hospitals?|clinic|nursing|medical|institute|foundation|laborator(?:y|ies)|labs?|diagnostics?|pharmacy|medicals|healthcare|trust|university|college)\b",
    re.IGNORECASE,
)


class _Token(NamedTuple):
    start: int
    end: int
    word: str
    lowered: str


def find_names(text: str, guesses: Sequence[Guess]) -> list[Span]:
    """Return the names in a text; `guesses` are the tagger's."""
    tokens = [_Token(*match.span(), match[0], match[0].lower()) for match in _WORD.finditer(text)]
    found = [
        *_behind_cues(text, tokens),
        *_listed(text, tokens),
        *_guessed(text, guesses),
        *_initialed(text),
        *_family_first(text),
    ]
    found = [_with_initials(text, span) for span in found]
    return [*found, *_again(text, tokens, found)]


@cache
def known() -> frozenset[str]:
    """Return all names of the lists in lower case."""
    return frozenset(name.lower() for kind in word_lists.names() for name in kind)


@cache
def _no_names() -> frozenset[str]:
    return ordinary_words() | clinical_words() | EPONYMS | _ROLES


# --- behind a title or a label ---


def _behind_cues(text: str, tokens: Sequence[_Token]) -> Iterator[Span]:
    for token in tokens:
        if token.lowered not in _CUES:
            continue
        begin = _name_begins(text, token)
        if begin is None:
            continue
        start, titled = begin
        end = _run(text, start, titled=titled)
        if end > start and _is_likely(text, start, end, cued=True):
            yield Span(start, end, Kind.NAME)


def _name_begins(text: str, token: _Token) -> tuple[int, bool] | None:
    """Return where the name behind a cue would begin, and whether the cue is a title; None where there is no cue."""
    for cues, ending, titled in _CUE_FORMS:
        if token.lowered in cues and (match := ending.match(text, token.end)):
            if cues is _LABELS and token.lowered in _NO_LABEL_ALONE and text[match.end()].islower():
                return None
            return match.end(), titled and token.lowered != "h"
    return None


def _run(text: str, start: int, *, titled: bool) -> int:
    """Return where a name that begins at `start` ends."""
    end, place, words, capital = start, start, 0, text[start : start + 1].isupper()
    while words < _MAX_WORDS and (match := _WORD.match(text, place)):
        if not _continues(match[0], capital=capital, first=words == 0, titled=titled):
            break
        end, words = match.end(), words + 1
        gap = (_NAME_GAP if len(match[0]) < 5 else _BLANKS).match(text, end)
        place = gap.end() if gap else end
        if place == end:
            break
        if len(match[0]) < 3 and text[end] == ".":
            end += 1
    return end


def _continues(word: str, *, capital: bool, first: bool, titled: bool) -> bool:
    lowered = word.lower()
    if lowered in _TITLES and first:
        return False  # a cue of its own
    if lowered in known():
        return not (capital and word.islower())
    if capital:
        upper = word[0].isupper()
        return (
            upper
            and lowered not in ordinary_words()
            and (titled or not _is_no_name(word))
            and (lowered not in clinical_words() or (first and titled))
        )
    return (len(word) > 2 or (first and titled and len(word) == 1)) and not _is_no_name(word) and (titled or first)


# --- by the tagger and the lists ---


def _guessed(text: str, guesses: Sequence[Guess]) -> Iterator[Span]:
    for guess in guesses:
        if guess.is_name and guess.probability >= SURE:
            start, end = _without_words(text, guess)
            if start < end and _is_likely(text, start, end) and _looks_like_one(text[start:end], guess.probability):
                yield Span(start, end, Kind.NAME)


def _without_words(text: str, guess: Guess) -> tuple[int, int]:
    """Return a guess without the words at its edges that are no names: "Husband", "Dr.", "may benefit"."""
    words = list(_WORD.finditer(text, guess.start, guess.end))
    last = words[-1] if words else None
    while words and _is_no_name(words[0][0]):
        words.pop(0)
    while words and _is_no_name(words[-1][0]):
        words.pop()
    if not words:
        return guess.start, guess.start
    end = guess.end if words[-1] is last else words[-1].end()
    return words[0].start(), _without_last_letter(text, words[0].start(), end)


def _is_no_name(word: str) -> bool:
    lowered = word.lower()
    if word == lowered and (lowered in SMALL_WORDS or lowered in COMMON_WORDS):
        return True
    if lowered in known():
        return False
    parts = lowered.split("-")
    return any(part in _no_names() for part in parts) or (
        (len(lowered) > 5 and lowered.endswith(NO_NAME_ENDS))
        or (len(lowered) > 7 and lowered.startswith(NO_NAME_STARTS))
    )


def _looks_like_one(written: str, probability: float) -> bool:
    """Whether a guess of the tagger alone is more than an abbreviation: "MCV", "nyt"."""
    words = _WORD.findall(written)
    if any(word.lower() in known() and not _is_no_name(word) for word in words):
        return True
    if any(map(_is_no_name, words)) and probability < STRANGE:
        return False
    if all(word.islower() for word in words):
        return probability >= STRANGE and max(map(len, words)) > 4
    return max(map(len, words)) > (4 if written.isupper() else 2)


def _initialed(text: str) -> Iterator[Span]:
    """Yield initials with the word behind them: "K.S. Ramesh"; not "S. Typhi", not "A. Results" at the begin of a line."""
    for match in _INITIALED.finditer(text):
        word = match[1].lower()
        listed = match.start() == 0 or text[match.start() - 1] == "\n"
        if word in _no_names() or word in SPECIES or (listed and word not in known() and match[0][0] in "ABCDE"):
            continue
        end = match.end() if match[2] and match[2].lower() not in _no_names() else match.end(1)
        if _is_likely(text, match.start(), end):
            yield Span(match.start(), end, Kind.NAME)


def _family_first(text: str) -> Iterator[Span]:
    """Yield "Nair, Meera" where it begins a line and an age, a number or nothing follows."""
    if "," not in text:
        return
    for match in _FAMILY_FIRST.finditer(text):
        if not _is_no_name(match[1]) and not _is_no_name(match[2]):
            yield Span(match.start(1), match.end(2), Kind.NAME)


def _without_last_letter(text: str, start: int, end: int) -> int:
    """Return the end of a name without an "I" or "A" that begins the next sentence."""
    if text[end - 2 : end] in {" I", " A"} and end - start > 2 and _SMALL_NEXT.match(text, end):
        return start + len(text[start : end - 1].rstrip())
    return end


def _is_likely(text: str, start: int, end: int, *, cued: bool = False) -> bool:
    """Whether a stretch is no eponym, no author of a paper, no institution and no word of medicine."""
    written = _WORD.findall(text[start:end])
    words = [word.lower() for word in written]
    if not words or (sum(map(len, words)) < 2 and not cued):
        return False
    if _CITED.match(text, end) or _INSTITUTION.match(text, end):
        return False
    after = _AFTER_OWNER.match(text, end)
    heads = bool(after and after[1].lower() in EPONYM_HEADS)
    if cued:
        return not (heads and words[-1] in EPONYMS and len(words) == 1)
    if (heads and (words[-1] in EPONYMS or words[-1] not in known())) or _is_eponym(words):
        return False
    if not any(word in known() for word in words):
        return _has_case_of_names(text, start, end, written) and not all(_is_vocabulary(word) for word in words)
    return not all(_is_vocabulary(word) for word in words) or all(word in known() for word in words)


def _is_vocabulary(word: str) -> bool:
    return word in _no_names() or len(word) < 2


def _is_eponym(words: Sequence[str]) -> bool:
    """Whether one of the words is who described something, and no other may be a name."""
    return any(_bare(word) in EPONYMS for word in words) and all(
        _bare(word) in EPONYMS or _is_vocabulary(word) for word in words
    )


def _bare(word: str) -> str:
    return word.split("'", maxsplit=1)[0].split("\u2019", maxsplit=1)[0]


def _has_case_of_names(text: str, start: int, end: int, written: Sequence[str]) -> bool:
    """Whether all words begin with a capital, or the whole line has none: "Withania somnifera" is no name."""
    if all(word[0].isupper() for word in written if len(word) > 1):
        return any(len(word) > 1 for word in written)
    first, last = max(text.rfind("\n", 0, start) + 1, start - 120), text.find("\n", end)
    line = text[first : last if 0 <= last < end + 120 else end + 120]
    return line == line.lower()


def _with_initials(text: str, span: Span) -> Span:
    """Return a name with the initials beside it, and the word behind those: "K. S. Ramesh", "Meena R. Nair"."""
    start, end, kind = span
    if before := _INITIALS_BEFORE.search(text[max(0, start - 12) : start]):
        start -= len(before[0])
    if after := _INITIALS_AFTER.match(text, end):
        end = _without_last_letter(text, start, after.end())
        family = _FAMILY_AFTER.match(text, end)
        if family and family[1].lower() not in _no_names() and not _INSTITUTION.match(text, family.end()):
            end = family.end()
    return Span(start, end, kind)


def _listed(text: str, tokens: Sequence[_Token]) -> Iterator[Span]:
    """Yield two or more neighbours that are all in the lists and begin with a capital."""
    run: list[_Token] = []
    for token in tokens:
        fits = (
            token.word[0].isupper()
            and len(token.word) > 2
            and token.lowered in known()
            and token.lowered not in EPONYMS
        )
        if fits and (not run or text[run[-1].end : token.start] in {" ", "  "}):
            run.append(token)
            continue
        if len(run) > 1:
            yield from _run_of(text, run)
        run = [token] if fits else []
    yield from _run_of(text, run)


def _run_of(text: str, run: Sequence[_Token]) -> Iterator[Span]:
    if 2 <= len(run) <= _MAX_WORDS and _is_likely(text, run[0].start, run[-1].end):
        yield Span(run[0].start, run[-1].end, Kind.NAME)


def _again(text: str, tokens: Sequence[_Token], found: Iterable[Span]) -> Iterator[Span]:
    """Yield the words of names that were found where they stand again with a capital."""
    words = {
        word.lower()
        for span in found
        for word in _WORD.findall(text[span.start : span.end])
        if len(word) > 3 and word.lower() not in _no_names()
    }
    if not words:
        return
    for token in tokens:
        if not token.word[0].isupper():
            continue
        bare = (
            token.word[:-2] if token.lowered.endswith(("'s", "\u2019s")) and token.lowered not in words else token.word
        )
        if bare.lower() in words and _is_likely(text, token.start, token.start + len(bare)):
            yield Span(token.start, token.start + len(bare), Kind.NAME)
