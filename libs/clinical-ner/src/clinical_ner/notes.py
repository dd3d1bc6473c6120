"""Notes and their annotations: the plain data that corpus, training, tagging and evaluation share."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a dataclass keeps its annotations resolvable
from dataclasses import dataclass, field
from enum import StrEnum


class Label(StrEnum):
    """What a span of a note names."""

    DISEASE = "DISEASE"
    TREATMENT = "TREATMENT"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A labelled stretch of a note's text; `start` and `end` count Unicode code points, `end` is exclusive."""

    start: int
    end: int
    label: Label


@dataclass(frozen=True, slots=True)
class AnnotatedNote:
    """A text with the truth about it.

    `pairs` holds (treatment span, disease span) as indices into `spans`: this treatment is for that disease.
    Notes with the same non-empty `group` belong to one document and must not be split apart.
    `people` are the pseudonyms of the patient and of the doctor of a real note; None: anybody may read the text.
    """

    text: str
    spans: tuple[Span, ...]
    pairs: tuple[tuple[int, int], ...] = ()
    note_id: str = ""
    group: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    people: tuple[str, str] | None = None
