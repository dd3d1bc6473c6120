"""JSON lines: one note a line with its spans. This is also the canonical form that Rxtract writes."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from clinical_ner.notes import AnnotatedNote, Label, Span

from corpus.loaders_labels import label_named
from corpus.loaders_text import DatasetError, check_characters, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SPAN_KEYS = ("spans", "entities", "label", "labels")
_ID_KEYS = ("note_id", "id")


def load_jsonl(path: Path) -> list[AnnotatedNote]:
    """Read lines such as `{"text": "...", "spans": [{"start": 0, "end": 4, "label": "DISEASE"}]}`.

    Spans stand under `spans`, `entities`, `label` or `labels`, as objects or as `[start, end, label]`; offsets count code
    points. Optional: `note_id` (or `id`), `group` (its document), `tokens` (`[[start, end], ...]`), `pairs`
    (`[[treatment span, disease span], ...]`), `meta` (strings).

    Raises:
        DatasetError: Not JSON, wrong types, spans outside the text or overlapping, unknown labels.
    """
    lines = read_lines(path)
    notes = [_Line(path, number, line).note() for number, line in enumerate(lines, 1) if line.strip(" \t")]
    if not notes:
        raise DatasetError(f"{path}: no note in it: write one JSON object a line")
    return notes


def dump_jsonl(notes: Iterable[AnnotatedNote]) -> Iterator[str]:
    """Yield each note as one line of canonical JSON (sorted keys, no blanks), without the line end."""
    for note in notes:
        yield json.dumps(_plain(note), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _plain(note: AnnotatedNote) -> dict[str, Any]:
    meta = dict(note.meta)
    tokens = meta.pop("token_offsets", "")
    record: dict[str, Any] = {
        "text": note.text,
        "spans": [{"start": span.start, "end": span.end, "label": str(span.label)} for span in note.spans],
    }
    if tokens:
        record["tokens"] = [[int(edge) for edge in pair.split(":")] for pair in tokens.split(",")]
    if note.pairs:
        record["pairs"] = [list(pair) for pair in note.pairs]
    if note.note_id:
        record["note_id"] = note.note_id
    if note.group:
        record["group"] = note.group
    if meta:
        record["meta"] = meta
    return record


class _Line:
    """One line on its way to a note; it knows its place, for the error."""

    def __init__(self, path: Path, number: int, line: str) -> None:
        self._path = path
        self._number = number
        self._record = self._parsed(line)

    def note(self) -> AnnotatedNote:
        text = self._text()
        spans = self._spans(text)
        return AnnotatedNote(
            text=text,
            spans=tuple(sorted(spans, key=lambda span: span.start)),
            pairs=self._pairs(spans),
            note_id=self._string(*_ID_KEYS) or f"{self._path.name}:{self._number}",
            group=self._string("group"),
            meta=self._meta(text),
        )

    def _refuse(self, what: str) -> DatasetError:
        return DatasetError(f"{self._path}:{self._number}: {what}")

    def _parsed(self, line: str) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "a number too long"
            raise self._refuse(f"not JSON ({reason}): write one complete JSON object a line") from None
        except RecursionError:
            raise self._refuse("nested too deeply: write one flat JSON object a line") from None
        if not isinstance(record, dict):
            raise self._refuse('not a JSON object: write {"text": ..., "spans": [...]}')
        return record

    def _text(self) -> str:
        text = self._record.get("text")
        if not isinstance(text, str):
            raise self._refuse('"text" is missing or no string: write {"text": ..., "spans": [...]}')
        if not text.strip():
            raise self._refuse('"text" is empty: remove the line')
        check_characters(text, self._path, self._number)
        return text

    def _string(self, *names: str) -> str:
        for name in names:
            value = self._record.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if value is not None:
                if not isinstance(value, str):
                    raise self._refuse(f'"{name}" must be a string')
                check_characters(value, self._path, self._number)
                return value
        return ""

    def _spans(self, text: str) -> list[Span]:
        key = next((key for key in _SPAN_KEYS if key in self._record), None)
        if key is None:
            raise self._refuse('no "spans": write "spans": [] for a note without entities')
        if not isinstance(self._record[key], list):
            raise self._refuse(f'"{key}" must be a list of spans')
        spans = [self._span(item, text) for item in self._record[key]]
        ordered = sorted(spans, key=lambda span: (span.start, span.end))
        for before, after in itertools.pairwise(ordered):
            if after.start < before.end:
                raise self._refuse(
                    f"spans [{before.start}, {before.end}) and [{after.start}, {after.end}) overlap: keep one of them"
                )
        return spans

    def _span(self, item: object, text: str) -> Span:
        if isinstance(item, dict):
            cells = [item.get("start"), item.get("end"), item.get("label")]
        elif isinstance(item, list) and len(item) == 3:
            cells = item
        else:
            raise self._refuse('a span must be {"start": 0, "end": 4, "label": "DISEASE"} or [0, 4, "DISEASE"]')
        start, end, name = cells
        if type(start) is not int or type(end) is not int:
            raise self._refuse('"start" and "end" of a span must be whole numbers (code points)')
        if not 0 <= start < end <= len(text):
            raise self._refuse(
                f"span [{start}, {end}) is not inside the text of {len(text)} characters: "
                "offsets count code points, from 0, the end excluded"
            )
        return Span(start, end, self._label(name))

    def _label(self, name: object) -> Label:
        label = label_named(name) if isinstance(name, str) else None
        if label is None:
            raise self._refuse(f"unknown label {str(name)[:20]!r}: known are DISEASE (D) and TREATMENT (T)")
        return label

    def _pairs(self, spans: list[Span]) -> tuple[tuple[int, int], ...]:
        order = sorted(range(len(spans)), key=lambda index: spans[index].start)
        place = {given: rank for rank, given in enumerate(order)}
        pairs = []
        for pair in self._list("pairs"):
            if not (isinstance(pair, list) and len(pair) == 2 and all(type(end) is int for end in pair)):
                raise self._refuse('"pairs" must hold [treatment span, disease span], counted from 0')
            treatment, disease = pair
            if not (
                treatment in place
                and disease in place
                and spans[treatment].label is Label.TREATMENT
                and spans[disease].label is Label.DISEASE
            ):
                raise self._refuse(f"pair {pair} does not name a treatment span and a disease span of this note")
            pairs.append((place[treatment], place[disease]))
        return tuple(pairs)

    def _meta(self, text: str) -> dict[str, str]:
        meta = self._record.get("meta") or {}
        if not isinstance(meta, dict) or not all(isinstance(value, str) for value in meta.values()):
            raise self._refuse('"meta" must be an object of strings')
        tokens = self._list("tokens")
        if tokens:
            meta = {**meta, "token_offsets": self._token_offsets(tokens, text)}
        return meta

    def _token_offsets(self, tokens: list[Any], text: str) -> str:
        position = 0
        for token in tokens:
            if not (isinstance(token, list) and len(token) == 2 and all(type(edge) is int for edge in token)):
                raise self._refuse('"tokens" must be a list of [start, end]')
            if not position <= token[0] < token[1] <= len(text):
                raise self._refuse(f"token {token} is outside the text or before its predecessor")
            position = token[1]
        return ",".join(f"{start}:{end}" for start, end in tokens)

    def _list(self, name: str) -> list[Any]:
        value = self._record.get(name) or []
        if not isinstance(value, list):
            raise self._refuse(f'"{name}" must be a list')
        return value
