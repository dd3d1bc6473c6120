"""General medical names that training may use beside the annotated notes: written by hand, never taken from a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - a dataclass keeps its annotations resolvable
from dataclasses import dataclass, field

from clinical_ner.notes import Label  # noqa: TC001 - as above


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known before a note is seen.

    Attributes:
        names: Names per label; half of the names that mention swap puts in come from here.
        word_classes: Lower-cased word to class names, beside the built-in lists.
    """

    names: Mapping[Label, Sequence[str]] = field(default_factory=dict)
    word_classes: Mapping[str, Sequence[str]] = field(default_factory=dict)


NOTHING = Knowledge()
