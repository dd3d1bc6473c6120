"""Notes and their annotations: the plain data that corpus, training, tagging and evaluation share."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a dataclass keeps its annotations resolvable
from dataclasses import dataclass, field
from enum import StrEnum


class Label(StrEnum):
    """What a span of a note names."""

    DISEASE = "DISEASE"
    TREATMENT = "TREATMENT"


_NAMES = {
    "d": Label.DISEASE,
    "dis": Label.DISEASE,
    "disease": Label.DISEASE,
    "t": Label.TREATMENT,
    "treat": Label.TREATMENT,
    "treatment": Label.TREATMENT,
}


def label_named(name: str) -> Label | None:
    """Return the label of a name in any case (`D`, `Disease`, `TREATMENT`), or None."""
    return _NAMES.get(name.casefold())


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A labelled stretch of a note's text; `start` and `end` count Unicode code points, `end` is exclusive."""

    start: int
    end: int
    label: Label


@dataclass(frozen=True, slots=True)
class SpanMeaning:
    """The truth about what a note says of one span, in the names of `clinical_ner.meaning`; None: not annotated.

    `negated` is for data that knows no other status. `prescription` holds the attributes that are written, {} if none.
    """

    status: str | None = None
    time: str | None = None
    experiencer: str | None = None
    negated: bool | None = None
    prescription: Mapping[str, str | int | bool] | None = None


NOT_ANNOTATED = SpanMeaning()


@dataclass(frozen=True, slots=True)
class AnnotatedNote:
    """A text with the truth about it.

    `pairs` holds (treatment span, disease span) as indices into `spans`: this treatment is given now for that disease.
    `relations` holds (type, treatment span, disease span) of every type; None: not annotated.
    `meanings` holds one `SpanMeaning` a span, or nothing at all.
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
    relations: tuple[tuple[str, int, int], ...] | None = None
    meanings: tuple[SpanMeaning, ...] = ()

    def __post_init__(self) -> None:
        if self.meanings and len(self.meanings) != len(self.spans):
            raise ValueError(f"{len(self.spans)} spans but {len(self.meanings)} meanings: give one a span, or none")
