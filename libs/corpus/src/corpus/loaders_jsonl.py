"""JSON lines: one note a line with its spans. This is also the canonical form that Rxtract writes."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from clinical_ner.meaning import Experiencer, Prescription, RelationType, Status, Time
from clinical_ner.notes import NOT_ANNOTATED, AnnotatedNote, Label, Span, SpanMeaning

from corpus.loaders_labels import label_named
from corpus.loaders_text import DatasetError, check_characters, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from enum import StrEnum
    from pathlib import Path

_SPAN_KEYS = ("spans", "entities", "label", "labels")
_ID_KEYS = ("note_id", "id")
_MEANING_WORDS = {"status": Status, "time": Time, "experiencer": Experiencer}
_MEANING_KEYS = (*_MEANING_WORDS, "negated", "prescription")
_NUMBERS = frozenset({"frequency", "period", "duration"})
_TYPE_WORDS = {int: "whole number", bool: "true or false", str: "string"}
_NEGATIONS = {"negated": True, "affirmed": False}


def load_jsonl(path: Path) -> list[AnnotatedNote]:
    """Read lines such as `{"text": "...", "spans": [{"start": 0, "end": 4, "label": "DISEASE"}]}`.

    Spans stand under `spans`, `entities`, `label` or `labels`, as objects or as `[start, end, label]`; offsets count code
    points. Optional: `note_id` (or `id`), `group` (its document), `tokens` (`[[start, end], ...]`), `pairs`
    (`[[treatment span, disease span], ...]`), `meta` (strings).

    What a note says of a span stands in it: `status`, `time`, `experiencer` in the words of `clinical_ner.meaning`, `negated`
    (true or false, where no more is known), `prescription` (an object of attributes, {} if none is written). `relations`
    (`[{"type": "TREATS", "treatment": 1, "disease": 0}, ...]`, places of spans) are all relations of the note, [] if there is
    none; `negation` ("Negated" or "Affirmed", as in the NegEx kit) holds for all spans. What is absent is not annotated.

    Raises:
        DatasetError: Not JSON, wrong types, spans outside the text or overlapping, unknown labels, statuses or types.
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


class _Line:
    """One line on its way to a note; it knows its place, for the error."""

    def __init__(self, path: Path, number: int, line: str) -> None:
        self._path = path
        self._number = number
        self._record = self._parsed(line)

    def note(self) -> AnnotatedNote:
        text = self._text()
        spans = self._spans(text)
        order = sorted(range(len(spans)), key=lambda index: spans[index].start)
        relations = self._relations(spans, order)
        meanings = self._meanings(order)
        return AnnotatedNote(
            text=text,
            spans=tuple(spans[index] for index in order),
            pairs=self._pairs(spans, order, relations),
            relations=relations,
            meanings=meanings,
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

    def _meanings(self, order: list[int]) -> tuple[SpanMeaning, ...]:
        key = next(key for key in _SPAN_KEYS if key in self._record)
        given = self._record[key]
        named = self._record.get("negation")
        if named is not None and str(named).lower() not in _NEGATIONS:
            raise self._refuse('"negation" must be "Negated" or "Affirmed"')
        negated = None if named is None else _NEGATIONS[str(named).lower()]
        found = tuple(self._meaning(given[index], negated=negated) for index in order)
        return found if any(each != NOT_ANNOTATED for each in found) else ()

    def _meaning(self, item: object, *, negated: bool | None) -> SpanMeaning:
        span = item if isinstance(item, dict) else {}
        words = {name: self._word(span.get(name), name, names) for name, names in _MEANING_WORDS.items()}
        own = span.get("negated")
        if own is not None and not isinstance(own, bool):
            raise self._refuse('"negated" of a span must be true or false')
        return SpanMeaning(
            **words, negated=negated if own is None else own, prescription=self._prescription(span.get("prescription"))
        )

    def _word(self, value: object, name: str, names: type[StrEnum]) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or value not in set(names):
            raise self._refuse(f"unknown {name} {str(value)[:20]!r}: known are {', '.join(names)}")
        return value

    def _prescription(self, given: object) -> dict[str, str | int | bool] | None:
        if given is None:
            return None
        if not isinstance(given, dict):
            raise self._refuse('"prescription" of a span must be an object of attributes')
        for name, value in given.items():
            if name not in Prescription._fields:
                raise self._refuse(f"unknown attribute {name[:20]!r}: known are {', '.join(Prescription._fields)}")
            wanted = int if name in _NUMBERS else bool if name == "as_needed" else str
            if value is not None and type(value) is not wanted:
                raise self._refuse(f'the attribute "{name}" must be a {_TYPE_WORDS[wanted]}')
        return {name: value for name, value in given.items() if value is not None}

    def _relations(self, spans: list[Span], order: list[int]) -> tuple[tuple[str, int, int], ...] | None:
        if self._record.get("relations") is None:
            return None
        place = {given: rank for rank, given in enumerate(order)}
        relations = []
        for one in self._list("relations"):
            if not isinstance(one, dict):
                raise self._refuse('"relations" must hold {"type": "TREATS", "treatment": 1, "disease": 0}')
            kind = self._word(one.get("type", ""), "type of a relation", RelationType)
            ends = self._ends([one.get("treatment"), one.get("disease")], spans, place, "relation")
            relations.append((str(kind), *ends))
        return tuple(relations)

    def _ends(self, pair: list[Any], spans: list[Span], place: dict[int, int], what: str) -> tuple[int, int]:
        treatment, disease = pair
        if not (
            type(treatment) is int
            and type(disease) is int
            and treatment in place
            and disease in place
            and spans[treatment].label is Label.TREATMENT
            and spans[disease].label is Label.DISEASE
        ):
            raise self._refuse(f"{what} {pair} does not name a treatment span and a disease span of this note")
        return place[treatment], place[disease]

    def _pairs(
        self, spans: list[Span], order: list[int], relations: tuple[tuple[str, int, int], ...] | None
    ) -> tuple[tuple[int, int], ...]:
        if "pairs" not in self._record and relations is not None:
            return tuple((treatment, disease) for kind, treatment, disease in relations if kind == "TREATS")
        place = {given: rank for rank, given in enumerate(order)}
        pairs = []
        for pair in self._list("pairs"):
            if not (isinstance(pair, list) and len(pair) == 2 and all(type(end) is int for end in pair)):
                raise self._refuse('"pairs" must hold [treatment span, disease span], counted from 0')
            pairs.append(self._ends(pair, spans, place, "pair"))
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
