"""Predictions in the one form that scoring takes: entities of notes, whoever made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.notes import AnnotatedNote, Label
    from clinical_ner.tagger import TaggedNote, Tagger

_BATCH_NOTES = 256


class Mention(Protocol):
    """A labelled range of code points: a gold span, an entity of a model, or anything like them."""

    @property
    def label(self) -> Label:
        """What it is."""

    @property
    def start(self) -> int:
        """Where it begins."""

    @property
    def end(self) -> int:
        """Where it ends, excluded."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was found in one note: entities, their confidences (None where unknown), treatment pairs by entity index."""

    mentions: tuple[Mention, ...]
    confidences: tuple[float, ...] | None = None
    pairs: tuple[tuple[int, int], ...] = ()


def predict(tagger: Tagger, notes: Sequence[AnnotatedNote]) -> list[Prediction]:
    """Tag the texts of `notes` in batches."""
    found: list[Prediction] = []
    for start in range(0, len(notes), _BATCH_NOTES):
        texts = [note.text for note in notes[start : start + _BATCH_NOTES]]
        found.extend(map(as_prediction, tagger.tag(texts)))
    return found


def as_prediction(found: Prediction | TaggedNote) -> Prediction:
    """Return a tagged note in the form of a prediction."""
    if isinstance(found, Prediction):
        return found
    confidences = tuple(entity.confidence for entity in found.entities)
    return Prediction(tuple(found.entities), confidences, tuple(found.pairs))


def gold(notes: Sequence[AnnotatedNote]) -> list[Prediction]:
    """Return the annotations themselves in the form of predictions: they score 1.0."""
    return [Prediction(tuple(note.spans), None, tuple(note.pairs)) for note in notes]
