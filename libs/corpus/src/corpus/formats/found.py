"""What a file says before it is judged: notes, spans and relations as they stand there, each with its place."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a dataclass keeps its annotations resolvable
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - as above
from typing import Any

from clinical_ner.notes import NOT_ANNOTATED, SpanMeaning


class InvalidRecord(ValueError):
    """A record that cannot be used. `kind` is the same for all records with the same fault, and groups their lines."""

    def __init__(self, detail: str, kind: str = "", line: int = 0) -> None:
        super().__init__(detail)
        self.kind = kind or detail
        self.line = line


@dataclass(slots=True)
class FoundSpan:
    """A labelled stretch; offsets in the file's own way of counting. `text` is what the file says stands there."""

    start: int
    end: int
    label: str
    text: str | None = None
    ident: str = ""
    meaning: SpanMeaning = NOT_ANNOTATED
    line: int = 0


@dataclass(slots=True)
class FoundRelation:
    """A relation between two spans, by their `ident`."""

    kind: str
    head: str
    tail: str


@dataclass(slots=True)
class FoundNote:
    """A note as found.

    Attributes:
        path: The file, and `line` the line (or row, or task) of it.
        text: The text; for tokens, joined by blanks.
        spans: As they stand there.
        relations: None where the format or the record has no place for them.
        named: Whether `note_id` stood in the file.
        tokens: (start, end) of given tokens.
        exact: Whether offsets were computed here from tokens, so that nothing about counting is in question.
        annotator: Who annotated, where that is known.
        extra: What only our own lines hold: `pairs` and `relations` by place, in the order of `spans`.
        labels_path: The file of the labels where it is another one.
    """

    path: Path
    line: int
    text: str
    spans: list[FoundSpan]
    relations: list[FoundRelation] | None = None
    note_id: str = ""
    named: bool = False
    group: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    tokens: list[tuple[int, int]] = field(default_factory=list)
    exact: bool = False
    annotator: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    labels_path: Path | None = None
