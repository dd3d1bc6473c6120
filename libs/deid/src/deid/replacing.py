"""Texts and labelled notes with what identifies people replaced."""

from __future__ import annotations

from dataclasses import replace as changed
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from deid.finder import find_all
from deid.offsets import OffsetMap
from deid.surrogates import Surrogates, tag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clinical_ner.notes import AnnotatedNote

    from deid.spans import Kind, Span


class Style(StrEnum):
    """What stands in place of an identifier: its kind in brackets, or another one of the same form."""

    TAG = "tag"
    SURROGATE = "surrogate"


class Replaced(NamedTuple):
    """A text after replacing, and the way from offsets of the original to its own."""

    text: str
    offsets: OffsetMap


def replace(text: str, spans: Sequence[Span], surrogates: Surrogates | None = None) -> Replaced:
    """Return the text with each span replaced: by its kind in brackets, or by a surrogate where some are given.

    Args:
        text: The original.
        spans: In order and without overlaps, as `find` returns them; ValueError otherwise.
        surrogates: What makes the words that stand there then.
    """
    made: Callable[[Kind, str], str] = surrogates.of if surrogates is not None else lambda kind, _: tag(kind)
    pieces, edits, end = [], [], 0
    for span in spans:
        if not end <= span.start <= span.end <= len(text):
            raise ValueError("spans must be in order, without overlaps, and inside the text")
        words = made(span.kind, text[span.start : span.end])
        pieces += [text[end : span.start], words]
        edits.append((span.start, span.end, len(words)))
        end = span.end
    return Replaced("".join([*pieces, text[end:]]), OffsetMap(edits))


def deidentified(notes: Sequence[AnnotatedNote], key: bytes) -> tuple[list[AnnotatedNote], list[list[Span]]]:
    """Return labelled notes with surrogates, and what was found in each.

    Every entity keeps its words: where an identifier reaches into one, only what lies outside is replaced. Notes of one
    `group` (a patient) share their surrogates and the shift of their dates.
    """
    kept = [[(span.start, span.end) for span in note.spans] for note in notes]
    found = find_all([note.text for note in notes], kept)
    makers: dict[str, Surrogates] = {}
    made = []
    for number, (note, spans) in enumerate(zip(notes, found, strict=True)):
        scope = note.group or note.note_id or f"\0{number}"
        surrogates = makers.get(scope) or makers.setdefault(scope, Surrogates(key, scope))
        made.append(_with(note, replace(note.text, spans, surrogates)) if spans else note)
    return made, found


def _with(note: AnnotatedNote, replaced: Replaced) -> AnnotatedNote:
    spans = []
    for span in note.spans:
        start, end = replaced.offsets.to_new(span.start, span.end)
        spans.append(changed(span, start=start, end=end))
    meta = {name: value for name, value in note.meta.items() if name != "token_offsets"}  # they are the original's
    return changed(note, text=replaced.text, spans=tuple(spans), meta=meta)
