"""Lists what a model got wrong in a note, by kind, so that a person can read it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from clinical_ner.evaluate import judged, span_keys
from clinical_ner.partial import annotated_for, labels_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.predictions import Mention, Prediction

_CONTEXT_CHARS = 40


class Kind(StrEnum):
    """How an entity was wrong."""

    MISSED = "missed"
    SPURIOUS = "spurious"
    BOUNDARY = "boundary"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Error:
    """One wrong entity: the annotated one, or for a spurious one the predicted.

    `found` is what the model said in its place, as "LABEL text"; empty when it said nothing.
    """

    index: int
    note_id: str
    kind: Kind
    label: str
    start: int
    end: int
    text: str
    found: str
    context: str


def errors(notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction]) -> list[Error]:
    """Return all errors in the order of the notes; of labels that are annotated alone."""
    labels = labels_of(notes)
    return [
        error
        for index, (note, prediction) in enumerate(zip(notes, predicted, strict=True))
        for error in _of_note(index, note, judged(note, prediction, labels))
    ]


def _of_note(index: int, note: AnnotatedNote, prediction: Prediction) -> list[Error]:
    right = span_keys(note.spans) & span_keys(prediction.mentions)
    result = []
    for span in note.spans:
        if _key(span) not in right and annotated_for(note, span.label):
            rivals = [mention for mention in prediction.mentions if _overlap(span, mention)]
            same = [mention for mention in rivals if mention.label == span.label]
            kind = Kind.BOUNDARY if same else Kind.LABEL if rivals else Kind.MISSED
            found = "; ".join(f"{rival.label} {note.text[rival.start : rival.end]}" for rival in same or rivals)
            result.append(_error(index, note, span, kind, found))
    result += [
        _error(index, note, mention, Kind.SPURIOUS, "")
        for mention in prediction.mentions
        if not any(_overlap(mention, span) for span in note.spans)
    ]
    return sorted(result, key=lambda error: error.start)


def _error(index: int, note: AnnotatedNote, mention: Mention, kind: Kind, found: str) -> Error:
    start, end = mention.start, mention.end
    before = note.text[max(0, start - _CONTEXT_CHARS) : start]
    after = note.text[end : end + _CONTEXT_CHARS]
    text = note.text[start:end]
    return Error(index, note.note_id, kind, str(mention.label), start, end, text, found, f"{before}[{text}]{after}")


def _key(mention: Mention) -> tuple[str, int, int]:
    return (str(mention.label), mention.start, mention.end)


def _overlap(left: Mention, right: Mention) -> bool:
    return left.start < right.end and right.start < left.end
