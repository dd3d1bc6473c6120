"""Where simulated notes are written: cities and specialties, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from corpus.sampler import Focus


@dataclass(frozen=True, slots=True)
class Specialty:
    """A specialty, how often it writes, and the lexicon sections its names come from."""

    name: str
    weight: float
    focus: Focus


@lru_cache(maxsize=1)
def cities() -> tuple[tuple[str, float], ...]:
    """Return the cities with their weights."""
    return tuple((name, float(weight)) for name, weight in _rows("cities"))


@lru_cache(maxsize=1)
def specialties() -> tuple[Specialty, ...]:
    """Return the specialties of the platform's doctors."""
    return tuple(
        Specialty(name, float(weight), Focus(tuple(diseases.split()), tuple(treatments.split())))
        for name, weight, diseases, treatments in _rows("specialties")
    )


def _rows(section: str) -> list[list[str]]:
    text = (files("corpus") / "data" / "world.txt").read_text(encoding="utf-8")
    found = ""
    rows = []
    for line in text.splitlines():
        if line.startswith("["):
            found = line.strip("[]")
        elif line and not line.startswith("#") and found == section:
            rows.append(line.split("|"))
    return rows
