"""JSON lines as Rxtract writes them: one note a line with its spans. `corpus.loaders` reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clinical_ner.notes import NOT_ANNOTATED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clinical_ner.notes import AnnotatedNote, SpanMeaning

_MEANING_KEYS = ("status", "time", "experiencer", "negated", "prescription")


def dump_jsonl(notes: Iterable[AnnotatedNote]) -> Iterator[str]:
    """Yield each note as one line of canonical JSON (sorted keys, no blanks), without the line end."""
    for note in notes:
        yield json.dumps(_plain(note), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _plain(note: AnnotatedNote) -> dict[str, Any]:
    meta = dict(note.meta)
    tokens = meta.pop("token_offsets", "")
    annotates = meta.pop("annotates", "")
    record: dict[str, Any] = {
        "text": note.text,
        "spans": [
            {"start": span.start, "end": span.end, "label": str(span.label), **_plain_meaning(meaning)}
            for span, meaning in zip(note.spans, note.meanings or (NOT_ANNOTATED,) * len(note.spans), strict=True)
        ],
    }
    if tokens:
        record["tokens"] = [[int(edge) for edge in pair.split(":")] for pair in tokens.split(",")]
    if note.pairs:
        record["pairs"] = [list(pair) for pair in note.pairs]
    if note.relations is not None:
        record["relations"] = [
            {"type": kind, "treatment": treatment, "disease": disease} for kind, treatment, disease in note.relations
        ]
    if annotates:
        record["annotates"] = annotates.split(",")
    if note.note_id:
        record["note_id"] = note.note_id
    if note.group:
        record["group"] = note.group
    if meta:
        record["meta"] = meta
    return record


def _plain_meaning(meaning: SpanMeaning) -> dict[str, Any]:
    values = {name: getattr(meaning, name) for name in _MEANING_KEYS}
    return {
        name: dict(value) if name == "prescription" else value for name, value in values.items() if value is not None
    }
