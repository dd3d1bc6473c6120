"""Notes with what they say of their entities, by which rules are judged before they may serve."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from clinical_ner.notes import Label, Span
from corpus.generator import Style, generate
from corpus.lexicon import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clinical_ner.notes import AnnotatedNote

CORPUS_SEED = 21
CORPUS_NOTES = 600
"""The corpus' own gold, of words that no training note holds; as the models' gate has it."""


@dataclass(frozen=True, slots=True)
class GoldNote:
    """A text, its entities, and what is right to say of each.

    Attributes:
        assertions: (status, time, experiencer) of each span; None, of all or of one: not judged here.
        relations: (type, place of the treatment, place of the disease); what is not listed is none. None: not judged here.
        prescriptions: Attributes by name of each span; one that is not listed must be empty. None, of all or of one: not judged here.
    """

    text: str
    spans: tuple[Span, ...]
    assertions: tuple[tuple[str, str, str] | None, ...] | None = None
    relations: frozenset[tuple[str, int, int]] | None = None
    prescriptions: tuple[Mapping[str, str] | None, ...] | None = None


@cache
def shipped_gold() -> tuple[GoldNote, ...]:
    """The notes that come with this program: lines as doctors write them, and notes of the corpus that say what each name means."""
    corpus = generate(CORPUS_SEED, CORPUS_NOTES, Style.FACTS, Vocabulary.HELDOUT)
    return (*_lines(), *map(of_corpus, corpus))


def of_corpus(note: AnnotatedNote) -> GoldNote:
    """An annotated note as gold of what it says."""
    assertions = tuple(
        (one.status, one.time, one.experiencer) if one.status and one.time and one.experiencer else None
        for one in note.meanings
    )
    return GoldNote(
        note.text,
        note.spans,
        assertions,
        None if note.relations is None else frozenset(note.relations),
        tuple(None if one.prescription is None else in_words(one.prescription) for one in note.meanings),
    )


def in_words(prescription: Mapping[str, Any]) -> dict[str, str]:
    """What is written of a prescription, by name, as words."""
    return {
        name: str(value).lower() if value is True else str(value)
        for name, value in prescription.items()
        if value is not None
    }


def _lines() -> list[GoldNote]:
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
