"""Diseases: abbreviations with their context, words in any order, likeness by the weight of shared words, misspellings."""

from __future__ import annotations

import math
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from terminology import spelling
from terminology.found import Found, of_row
from terminology.words import bag_of, parts, surface, without_lead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from terminology.table import BagRow, Table

LEAST_LIKENESS = 0.55
"""Shared weight of words (Dice) below which two names are not compared further."""

_SIDES = frozenset(["right", "left", "rt", "lt", "r", "l", "bilateral", "b", "bl", "both"])
_QUALIFIERS = _SIDES | frozenset(
    [
        "eye",
        "eyes",
        "ear",
        "ears",
        "re",
        "le",
        "be",
        "grade",
        "gr",
        "stage",
        "st",
        "class",
        "type",
        "i",
        "ii",
        "iii",
        "iv",
        "v",
        "a",
        "b",
        "c",
        "1",
        "2",
        "3",
        "4",
        "5",
        "mild",
        "moderate",
        "mod",
        "severe",
        "sev",
        "early",
        "late",
        "old",
        "new",
        "known",
        "recent",
        "acute",
        "active",
        "relapse",
        "relapsed",
        "relapsing",
        "recurrent",
        "resistant",
        "dependent",
        "evaluation",
        "maintenance",
        "planned",
        "awaiting",
        "controlled",
        "uncontrolled",
        "poorly",
        "well",
        "on",
        "rx",
        "tt",
        "treatment",
        "treated",
        "insulin",
        "oha",
        "mhd",
        "hd",
        "art",
        "att",
        "dialysis",
        "phototherapy",
        "year",
        "years",
        "yr",
        "yrs",
        "month",
        "months",
        "week",
        "weeks",
        "day",
        "days",
        "since",
        "for",
        "x",
        "in",
        "of",
        "the",
        "upper",
        "lower",
        "limb",
        "leg",
        "side",
        "patient",
        "case",
        "status",
        "nos",
        "neurotoxic",
        "diagnosed",
        "newly",
        "multiple",
        "single",
        "large",
        "small",
        "solitary",
        "symptomatic",
        "thrombolysed",
        "thrombolyzed",
        "lysed",
        "exacerbation",
        "flare",
    ]
)
"""Words that leave the category as it is."""
_PLACES = frozenset(
    [
        "knee",
        "hip",
        "shoulder",
        "elbow",
        "wrist",
        "hand",
        "finger",
        "fingers",
        "thumb",
        "foot",
        "toe",
        "toes",
        "heel",
        "ankle",
        "leg",
        "legs",
        "arm",
        "forearm",
        "thigh",
        "neck",
        "back",
        "scalp",
        "face",
        "chest",
        "lid",
        "eyelid",
        "cheek",
        "lip",
        "nose",
        "voice",
        "testis",
        "femur",
        "tibia",
        "humerus",
        "radius",
        "distal",
        "proximal",
        "abdomen",
        "breast",
        "body",
        "trunk",
        "axilla",
        "groin",
        "medial",
        "lateral",
    ]
)
"""Words that do so beside a name that is one thing wherever it is: not beside "cancer", "pain" or "wound"."""
_BY_PLACE = ("C80", "D48", "D36", "D21", "T14", "R52", "R22", "M25", "M79", "L98", "K46", "R60", "S")
_ANTENATAL = ("Z33", "Z34")
"""Being pregnant is not why a mention with a second name is coded."""
_SEGMENTS_COST = 0.93
_WAYS = frozenset(
    [
        "pregnancy",
        "newborn",
        "congenital",
        "injury",
        "sequela",
        "history",
        "screening",
        "poisoning",
        "burn",
        "newborns",
        "postprocedural",
        "obstetric",
        "non",
        "without",
        "benign",
        "cancer",
        "drug",
        "traumatic",
        "puerperal",
        "toxic",
        "tuberculosis",
        "acute",
        "chronic",
        "secondary",
    ]
)
"""Words that change the chapter: a name with one that the mention lacks, or the other way round, is another thing."""
_WAY_COST = 0.12
_RIVAL = 0.06
_LEAST_RIVAL = LEAST_LIKENESS - _RIVAL - 0.01
"""What is less like than this changes no answer: it can neither be one nor be a rival of one."""
_LEAST_SHARE = 0.99 * _LEAST_RIVAL / (2 - _LEAST_RIVAL)
"""Of a mention's weight: a name that shares less is less like than that, since it weighs what it shares or more."""
_COMMON_POSTINGS = 4000
_LONGEST_BAG = 24
_COMPARED = 20
_TELLING = 7
"""Letters of a word that is a name by itself: "psoriasis", "bronchiectasis"."""
_MOST_WORTH = 0.95
_OURS = frozenset({"list", "abbreviation"})
_USUAL = 0.92
"""The score of a usual name; names that are less sure themselves pass that on."""
_PARTS_COST = 0.96
_HISTOLOGY = frozenset(
    [
        "squamous",
        "small",
        "large",
        "clear",
        "transitional",
        "cell",
        "invasive",
        "infiltrating",
        "ductal",
        "lobular",
        "papillary",
        "mucinous",
        "differentiated",
        "undifferentiated",
        "poorly",
        "moderately",
        "well",
    ]
)
"""What a cancer looks like under the microscope: ICD-10 asks where it is."""
_NO_SITE = "C80"
_TYPO_COST = 0.95
_SURE_OF_SPELLING = 0.76
_LONGEST_FORM = 6


def exact(table: Table, key: str, label: str, around: frozenset[str]) -> Found | None:
    """Return what a form stands for in this label and context; a Found without codings where it gives no code."""
    if key not in table.names:  # most keys that are tried are none
        return None
    rows = [row for row in table.name_rows(key) if not label or row.label in ("", label)]
    beside = [row for row in rows if row.cues & around]
    if beside:
        return of_row(table, max(beside, key=lambda row: len(row.cues & around)))
    plain = [row for row in rows if not row.cues]
    return of_row(table, max(plain, key=lambda row: row.score)) if plain else None


def look_up(table: Table, text: str, around: frozenset[str]) -> Found | None:
    """Return the disease that a mention names, by its words; None when nothing is like it."""
    cleaned = without_lead(text)
    key = surface(cleaned)
    whole = _by_words(table, key, around)
    if whole is not None:
        return whole
    pieces = parts(cleaned)
    found = _of_parts(table, pieces, around) if len(pieces) > 1 else None
    found = found or _by_segments(table, key, around) or _by_likeness(table, key)
    return (
        found
        if found is not None and found.score >= _SURE_OF_SPELLING
        else _better(found, _respelt(table, key, around))
    )


def _better(found: Found | None, other: Found | None) -> Found | None:
    return other if found is None or (other is not None and other.score > found.score) else found


def _respelt(table: Table, key: str, around: frozenset[str]) -> Found | None:
    """Return what the mention names once its unknown words are replaced by those that they are misspellings of."""
    respelt = spelling.respelt(table, key)
    if respelt == key:
        return None
    found = _by_words(table, respelt, around) or _by_segments(table, respelt, around) or _by_likeness(table, respelt)
    return found.weaker(_TYPO_COST, "typo") if found is not None and found.codings else None


def _of_parts(table: Table, pieces: Sequence[str], around: frozenset[str]) -> Found | None:
    """Return the codes of the pieces; the first piece is the main one and must have one."""
    found = [_piece(table, piece, around) for piece in pieces]
    first = found[0]
    if first is None or not first.codings or first.score < LEAST_LIKENESS:
        return None
    others = [other for other in found[1:] if other is not None and other.codings and other.score >= 0.8]
    return _together([first, *others], first.score * _PARTS_COST)


def _piece(table: Table, piece: str, around: frozenset[str]) -> Found | None:
    key = surface(without_lead(piece))
    found = _by_words(table, key, around)
    return found or _by_segments(table, key, around) or _by_likeness(table, key)


def _together(found: Sequence[Found], score: float) -> Found:
    """Return the codings of several names, the main one first."""
    main = next((one for one in found if not one.codings[0].code.startswith(_ANTENATAL)), found[0])
    codings = dict.fromkeys([*main.codings, *(coding for one in found for coding in one.codings)])
    return Found(tuple(codings), score, main.how)


def _by_segments(table: Table, key: str, around: frozenset[str]) -> Found | None:
    """Return the codes of the names that stand side by side in `key`, if they and qualifiers cover all of it."""
    words, found, places, at = key.split(), [], False, 0
    while at < len(words):
        length, one = _longest(table, words[at : at + _LONGEST_FORM], around)
        if one is not None:
            found.append(one)
        elif words[at] in _PLACES:
            places = True
        elif words[at] not in _QUALIFIERS:
            return None
        at += length
    if not found or (places and found[0].codings[0].code.startswith(_BY_PLACE)):
        return None
    return _together(found, min(one.score for one in found) * _SEGMENTS_COST)


def _longest(table: Table, words: Sequence[str], around: frozenset[str]) -> tuple[int, Found | None]:
    for length in range(len(words), 0, -1):
        form = " ".join(words[:length])
        if len(form) > 1 and not (length == 1 and form in _QUALIFIERS):
            found = exact(table, form, "DISEASE", around)
            if found is not None and found.codings:
                return length, found
    return 1, None


def _by_words(table: Table, key: str, around: frozenset[str]) -> Found | None:
    if not key:
        return None
    found = exact(table, key, "DISEASE", around)
    if found is not None:
        return found
    words = key.split()
    kept = " ".join(word for word in words if word not in _SIDES)
    if kept and kept != key:
        found = exact(table, kept, "DISEASE", around)
        if found is not None and found.codings:
            return found.weaker(0.99)
    bag = bag_of(key)
    place = table.bags.get(" ".join(bag))
    if place is None:
        return _by_site(table, bag)
    row = table.bag_row(place)
    return Found((table.coding(row.concept),), row.score, row.how)


def _by_site(table: Table, bag: tuple[str, ...]) -> Found | None:
    """Return a cancer by its site alone: "squamous cell cancer of the tongue" is a cancer of the tongue."""
    site = tuple(word for word in bag if word not in _HISTOLOGY)
    if len(site) == len(bag) or len(site) < 2 or "cancer" not in site:
        return None
    place = table.bags.get(" ".join(site))
    if place is None:
        return None
    row = table.bag_row(place)
    return Found((table.coding(row.concept),), row.score * 0.95, "words")


def _by_likeness(table: Table, key: str) -> Found | None:
    """Return the name that shares most weight of words; its score is what such a likeness was worth when measured."""
    words = bag_of(key) if key else ()
    if not words or len(words) > _LONGEST_BAG:
        return None
    known = [place for word in words if (place := table.words.get(word)) is not None]
    if not known:
        return None
    weights = list(map(table.word_weights.item, known))
    most = sum(weights)
    total = most + _unknown_weight(table, words)
    if 2 * most / (total + most) < _LEAST_RIVAL:  # also a name of all the known words and no other would be too unlike
        return None
    postings = [(table.posting_at(place), weight) for place, weight in zip(known, weights, strict=True)]
    places = _candidates(postings, most, _LEAST_SHARE * total)
    shared = _shared(postings, places)
    likeness = 2 * shared / (total + table.bag_weights[places])
    if not likeness.size or likeness.max() < LEAST_LIKENESS:
        return None
    near = (likeness >= _LEAST_RIVAL).nonzero()[0]
    order = near[(-likeness[near]).argsort(kind="stable")[:_COMPARED]]
    return _best(table, words, list(zip(likeness[order].tolist(), places[order].tolist(), strict=True)))


def _shared(postings: Sequence[tuple[NDArray[np.int32], float]], places: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the weight of words that each bag of `places` shares with the mention."""
    shared = np.zeros(len(places))
    for found, weight in postings:
        if len(found) > len(places):  # the shorter is looked for in the longer: both are sorted
            at = found.searchsorted(places)
            at[at == len(found)] = 0
            shared[found[at] == places] += weight
        else:
            at = places.searchsorted(found)
            at[at == len(places)] = 0
            shared[at[places[at] == found]] += weight
    return shared


def _unknown_weight(table: Table, words: tuple[str, ...]) -> float:
    rarest = math.log(len(table.bag_rows))
    return sum(1.0 if word.isdigit() else rarest for word in words if word not in table.words)


def _candidates(postings: Sequence[tuple[NDArray[np.int32], float]], most: float, least: float) -> NDArray[np.int32]:
    """Return the places, in order, of the bags that share one of the rarest words and may share a weight of `least`.

    `most` is the weight of all known words: a bag without the words that are looked for shares what is left of it.
    """
    ordered = sorted(postings, key=lambda one: len(one[0]))
    rare = [one for one in ordered[:3] if len(one[0]) <= _COMMON_POSTINGS] or ordered[:1]
    left = most - sum(weight for _, weight in rare)
    while len(rare) > 1 and left + rare[-1][1] < least:
        left += rare.pop()[1]
    if len(rare) == 1:
        return rare[0][0]
    places = np.concatenate([found for found, _ in rare])
    places.sort()
    return places[np.concatenate(([True], places[1:] != places[:-1]))]


_rate_and_length = itemgetter(0, 1)


def _best(table: Table, words: tuple[str, ...], rated: list[tuple[float, int]]) -> Found | None:
    ways = _WAYS.intersection(words)
    bags = [(rate, place, table.bag_words(place)) for rate, place in rated]
    costed = [(rate - _WAY_COST * len(ways ^ _WAYS.intersection(bag)), -len(bag), place) for rate, place, bag in bags]
    top, _, best = max(costed, key=_rate_and_length)
    if top < LEAST_LIKENESS:
        return None
    row = table.bag_row(best)
    coding = table.coding(row.concept)
    if coding.code.startswith(_NO_SITE) and not set(words).issubset(row.words):
        return None  # what else is written is its site
    has_rival = any(
        top - rate < _RIVAL and table.category(table.bag_row(place).concept) != coding.code[:3]
        for rate, _, place in costed
    )
    worth = _worth(top, has_rival=has_rival) + _of_ours(frozenset(words), row)
    return Found((coding,), min(_MOST_WORTH, worth) * row.score / _USUAL, "words")


def _of_ours(words: frozenset[str], row: BagRow) -> float:
    """Return what is known beyond likeness of a name from our own lists, which are written for notes.

    Two of its words or more, all of them in the mention: it is meant. A word of it missing, or a number too many (a
    subtype, "cataract 18"): often another thing.
    """
    if row.how not in _OURS:
        return 0.0
    if not words.issuperset(row.words):
        return -0.1
    if len(row.words) > 1:
        return 0.12
    if any(word.isdigit() for word in words):
        return -0.2
    return 0.24 if len(words) == 2 and len(row.words[0]) >= _TELLING else 0.0


def _worth(likeness: float, *, has_rival: bool) -> float:
    """Return the score of a likeness: fitted to the share of right categories on labels that no list was written from."""
    base = 0.48 + 0.48 * (likeness - LEAST_LIKENESS) / (1 - LEAST_LIKENESS)
    return min(_MOST_WORTH, base + (-0.08 if has_rival else 0.05))
