"""Notes annotated for one label alone: what they do not mark of the other is unknown, not absent.

A note says so itself (`annotates` in its meta), or it is suspected: it marks one label, and holds names that other notes of the set
mark as the other label, without marking any.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from clinical_ner.mentions import mention_key
from clinical_ner.notes import Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.notes import AnnotatedNote

ANNOTATES = "annotates"
_MIN_NOTES = 5
_MAX_WORDS = 4
_SHOWN = 5


def annotated_for(note: AnnotatedNote, label: Label) -> bool:
    """Return whether a label was looked for in a note."""
    given = note.meta.get(ANNOTATES)
    return given is None or str(label) in given.split(",")


def labels_of(notes: Sequence[AnnotatedNote]) -> tuple[Label, ...]:
    """Return the labels that a set annotates: those with a mention in a note where they were looked for."""
    found = {span.label for note in notes for span in note.spans if annotated_for(note, span.label)}
    return tuple(label for label in Label if label in found)


def whole(notes: Sequence[AnnotatedNote]) -> list[AnnotatedNote]:
    """Return the notes in which every label that the set annotates was looked for."""
    labels = labels_of(notes)
    return [note for note in notes if all(annotated_for(note, label) for label in labels)]


def lacking(notes: Sequence[AnnotatedNote]) -> dict[Label, list[int]]:
    """Return for each label the places of notes that hold names marked elsewhere, mark none, and mark the other label.

    A label counts only where at least as many of its known names stand unmarked in such notes as half of those that are marked.
    """
    return {label: found for label in labels_of(notes) if (found := _lacking(notes, label))}


def _lacking(notes: Sequence[AnnotatedNote], label: Label) -> list[int]:
    marked = Counter(
        mention_key(note.text[span.start : span.end]) for note in notes for span in note.spans if span.label is label
    )
    names = {name for name in marked if len(name.split()) <= _MAX_WORDS and len(name) > 2}
    found, unmarked = [], 0
    for place, note in enumerate(notes):
        if note.spans and all(span.label is not label for span in note.spans) and annotated_for(note, label):
            count = _known(note.text, names)
            unmarked += count
            if count:
                found.append(place)
    return found if len(found) >= _MIN_NOTES and unmarked * 2 >= marked.total() else []


def _known(text: str, names: set[str]) -> int:
    words = [word.strip(",.;:()") for word in mention_key(text).split()]
    return sum(
        " ".join(words[start:end]) in names
        for start in range(len(words))
        for end in range(start + 1, min(start + _MAX_WORDS, len(words)) + 1)
    )


def lacking_remarks(notes: Sequence[AnnotatedNote]) -> list[str]:
    """Return a sentence for each label that some notes seem not to be annotated for."""
    sentences = []
    for label, places in lacking(notes).items():
        shown = ", ".join(notes[place].note_id or f"note {place + 1}" for place in places[:_SHOWN])
        more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
        sentences.append(
            f"{len(places):,} of {len(notes):,} notes mark no {label} but hold names that others mark as {label} ({shown}{more}): "
            f"were they annotated for it? If not, keep them in a file of their own and read that by --annotates"
        )
    return sentences
