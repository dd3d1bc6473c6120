"""Whose words a training learnt from: what the desk tells people of their own work."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from contracts.identity import note_key

from lifecycle.collection import problem_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clinical_ner.notes import AnnotatedNote
    from contracts.records import AnnotationValidated


def taught_by(annotations: Iterable[AnnotationValidated], training: Iterable[AnnotatedNote]) -> dict[str, int]:
    """Count the notes of a training set by the annotators whose last word says what the set says.

    Of a note on which two people agreed both are its teachers; who was overruled is not, nor is who flagged or skipped it.
    """
    taught = {note.note_id: (note.text, _places(note)) for note in training if note.note_id}
    last: dict[tuple[str, str], AnnotationValidated] = {}
    for word in annotations:
        note = note_key(word.source, word.note_id)
        key = (word.annotator, note)
        if note in taught and (key not in last or _rank(word) > _rank(last[key])):
            last[key] = word
    return dict(Counter(who for (who, note), word in last.items() if _said(word) == taught[note]))


def _rank(word: AnnotationValidated) -> tuple[int, int]:
    return word.revision, word.sequence


def _places(note: AnnotatedNote) -> frozenset[tuple[int, int, str]]:
    return frozenset((span.start, span.end, str(span.label)) for span in note.spans)


def _said(word: AnnotationValidated) -> tuple[str, frozenset[tuple[int, int, str]]] | None:
    if problem_of(word) is not None:
        return None
    return word.text, frozenset((entity.start, entity.end, str(entity.label)) for entity in word.entities)
