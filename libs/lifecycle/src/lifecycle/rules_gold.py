"""Notes with what they say of their entities, by which rules are judged before they may serve."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from clinical_ner.notes import Label, Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class GoldNote:
    """A text, its entities, and what is right to say of each.

    Attributes:
        assertions: (status, time, experiencer) of each span; None: not judged here.
        relations: (type, place of the treatment, place of the disease); what is not listed is none. None: not judged here.
        prescriptions: Attributes by name of each span; one that is not listed must be empty. None: not judged here.
    """

    text: str
    spans: tuple[Span, ...]
    assertions: tuple[tuple[str, str, str], ...] | None = None
    relations: frozenset[tuple[str, int, int]] | None = None
    prescriptions: tuple[Mapping[str, str], ...] | None = None


def shipped_gold() -> list[GoldNote]:
    """The notes that come with this program."""
    lines = (files("lifecycle") / "data" / "rules_gold.jsonl").read_text(encoding="utf-8").splitlines()
    return [_note(json.loads(line)) for line in lines]


def _note(row: Mapping[str, Any]) -> GoldNote:
    assertions: Sequence[Sequence[str]] | None = row.get("assertions")
    relations: Sequence[Sequence[Any]] | None = row.get("relations")
    prescriptions: Sequence[Mapping[str, str]] | None = row.get("prescriptions")
    return GoldNote(
        str(row["text"]),
        tuple(Span(int(start), int(end), Label(label)) for start, end, label in row["spans"]),
        None if assertions is None else tuple((status, time, whose) for status, time, whose in assertions),
        None if relations is None else frozenset((str(kind), int(t), int(d)) for kind, t, d in relations),
        None if prescriptions is None else tuple(prescriptions),
    )
