"""Keys of segments, as records name them: `all`, `city=Pune`, `specialty=cardiology`, `city=Pune|specialty=cardiology`."""

from collections.abc import Mapping
from functools import lru_cache

ALL_NOTES = "all"
"""The segment of every note."""


@lru_cache(maxsize=4_096)
def segments_of(city: str, specialty: str) -> tuple[str, str, str, str]:
    """The keys of the segments that a note belongs to, the widest first.

    >>> segments_of("Pune", "cardiology")
    ('all', 'city=Pune', 'specialty=cardiology', 'city=Pune|specialty=cardiology')
    """
    return ALL_NOTES, f"city={city}", f"specialty={specialty}", f"city={city}|specialty={specialty}"


def parts_of(segment: str) -> Mapping[str, str]:
    """What a key asks of a note, by name; nothing where it holds all notes.

    >>> parts_of("city=Pune|specialty=cardiology")
    {'city': 'Pune', 'specialty': 'cardiology'}
    >>> parts_of("all")
    {}
    """
    named = (part.partition("=") for part in segment.split("|") if part != ALL_NOTES)
    return {name: value for name, _, value in named}


def holds(segment: str, *, city: str, specialty: str) -> bool:
    """Whether a segment holds the notes of a city and a specialty.

    >>> holds("city=Pune", city="Pune", specialty="cardiology")
    True
    """
    mine = {"city": city, "specialty": specialty}
    return all(mine.get(name) == value for name, value in parts_of(segment).items())
