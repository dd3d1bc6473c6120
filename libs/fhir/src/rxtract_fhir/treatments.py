"""Whether a treatment is a drug or something done: the contract names both TREATMENT, FHIR has a resource for each."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rxtract_fhir.notes import Directions

DRUG_SYSTEMS = frozenset(
    ("http://fdasis.nlm.nih.gov", "http://www.nlm.nih.gov/research/umls/rxnorm", "http://www.whocc.no/atc")
)
"""Whose codes name substances and drugs alone: UNII, RxNorm, ATC."""

_WORD = re.compile(r"[^\W\d_]+(?:&[^\W\d_]+)?")
_CARRIERS = frozenset(("therapy", "replacement", "support", "treatment"))
_REMEMBERED = 1 << 14


def is_drug(words: str, directions: Directions | None, systems: Iterable[str]) -> bool:
    """Tell whether a treatment is a drug: by how it is taken, by the systems of its codes, else by its words.

    >>> is_drug("Pan-D", None, ()), is_drug("laparoscopic cholecystectomy", None, ())
    (True, False)
    """
    if directions is not None and _is_taken(directions):
        return True
    return not DRUG_SYSTEMS.isdisjoint(systems) or not is_done(words)


def _is_taken(directions: Directions) -> bool:
    """A number of times and a duration alone are said of physiotherapy too."""
    return bool(directions.form or directions.strength or directions.dose or directions.route or directions.when)


@lru_cache(maxsize=_REMEMBERED)
def is_done(words: str) -> bool:
    """Tell whether one of the words is of something done to the patient, such as surgery, rest or counselling."""
    known, found = _known(), _WORD.findall(words.lower())
    if found and found[-1] in _CARRIERS and any(map(known.makes_a_drug, found)):
        return False
    return any(map(known.is_done, found))


class _Known(NamedTuple):
    """The words of `data/procedures.txt`."""

    words: frozenset[str]
    endings: tuple[str, ...]
    drugs: frozenset[str]
    beginnings: tuple[str, ...]

    def is_done(self, word: str) -> bool:
        return word in self.words or word.endswith(self.endings)

    def makes_a_drug(self, word: str) -> bool:
        return word in self.drugs or word.startswith(self.beginnings)


@lru_cache(maxsize=1)
def _known() -> _Known:
    lines = (files("rxtract_fhir") / "data" / "procedures.txt").read_text(encoding="utf-8").splitlines()
    words = [line for line in lines if line and not line.startswith(("#", "["))]
    drugs = [word[1:] for word in words if word.startswith("+")]
    return _Known(
        frozenset(word for word in words if not word.startswith(("-", "+"))),
        tuple(word[1:] for word in words if word.startswith("-")),
        frozenset(word for word in drugs if not word.endswith("-")),
        tuple(word[:-1] for word in drugs if word.endswith("-")),
    )
