"""Whose annotations a training learnt from: what the desk shows people of their own work."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from annotations.verdicts import Verdict
from contracts.identity import note_key

from lifecycle.collection import problem_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from annotations.trust import Trust
    from clinical_ner.notes import AnnotatedNote
    from contracts.records import AnnotationValidated


def taught_by(
    annotations: Iterable[AnnotationValidated], training: Iterable[AnnotatedNote], trust: Trust
) -> dict[str, int]:
    """Count the notes of a training set by the annotators whose last annotation says the same.

    Of a note on which two people agreed both are its teachers; who was overruled is not, nor is who flagged or skipped it, nor
    whose labels are held or answered a hidden check.
    """
    taught = {note.note_id: (note.text, _places(note)) for note in training if note.note_id}
    last: dict[tuple[str, str], AnnotationValidated] = {}
    for annotation in annotations:
        note = note_key(annotation.source, annotation.note_id)
        key = (annotation.annotator, note)
        if (
            note in taught
            and Verdict.of(annotation).counts(trust)
            and (key not in last or _rank(annotation) > _rank(last[key]))
        ):
            last[key] = annotation
    return dict(Counter(who for (who, note), annotation in last.items() if _labels(annotation) == taught[note]))


def _rank(annotation: AnnotationValidated) -> tuple[int, int]:
    return annotation.revision, annotation.sequence


def _places(note: AnnotatedNote) -> frozenset[tuple[int, int, str]]:
    return frozenset((span.start, span.end, str(span.label)) for span in note.spans)


def _labels(annotation: AnnotationValidated) -> tuple[str, frozenset[tuple[int, int, str]]] | None:
    if problem_of(annotation) is not None:
        return None
    return annotation.text, frozenset((entity.start, entity.end, str(entity.label)) for entity in annotation.entities)
