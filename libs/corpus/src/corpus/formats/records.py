"""JSON objects with a text and spans in it, under whatever names the tools have for them: ours, doccano, Prodigy, spaCy, Label Studio, LightTag."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clinical_ner.notes import NOT_ANNOTATED

from corpus.formats.found import FoundNote, FoundRelation, FoundSpan, InvalidRecord
from corpus.loaders_text import check_text

if TYPE_CHECKING:
    from pathlib import Path

    from corpus.formats.report import Report

Record = Mapping[str, Any]
SPAN_KEYS = ("spans", "entities", "label", "labels", "ents", "annotations")
_STARTS = ("start", "start_offset", "begin")
_ENDS = ("end", "end_offset", "stop")
_LABELS = ("label", "labels", "tag_name", "type", "entity_group", "entity", "tag")
_NO_SPANS = 'no "spans": write "spans": [] for a note without entities'


def text_of(record: Record) -> str:
    """Return the text of a record.

    Raises:
        InvalidRecord: There is none, it is empty, or no text.
    """
    key = next((key for key in ("text", "content", "data") if isinstance(record.get(key), str)), "text")
    text = record.get(key)
    if not isinstance(text, str):
        raise InvalidRecord('"text" is missing or no string: write {"text": ..., "spans": [...]}', "text missing")
    if not text.strip():
        raise InvalidRecord('"text" is empty: remove the line', "text empty")
    check_text(text)
    return text


def name_of(record: Record, *keys: str) -> str:
    """Return the first of these keys that is there, as a string ("" if none is).

    Raises:
        InvalidRecord: It is no string and no number.
    """
    for key in keys:
        value = record.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is not None:
            if not isinstance(value, str):
                raise InvalidRecord(f'"{key}" must be a string', f"{key} no string")
            check_text(value)
            return value
    return ""


def span_key(record: Record) -> tuple[str | None, list[str]]:
    """Return the key that holds the spans, and others that were empty beside it.

    Raises:
        InvalidRecord: Two keys hold different spans.
    """
    given = [key for key in SPAN_KEYS if key in record]
    filled = [key for key in given if record[key]]
    if len(filled) > 1 and any(_content(record[key]) != _content(record[filled[0]]) for key in filled[1:]):
        names = " and ".join(f'"{key}"' for key in filled)
        raise InvalidRecord(f"{names} hold different spans: keep the one that is meant", "two keys")
    chosen = filled[0] if filled else given[0] if given else None
    return chosen, [key for key in given if key != chosen]


def _content(spans: Any) -> Any:
    if not isinstance(spans, list):
        return spans
    try:
        return sorted((span.start, span.end, span.label) for item in spans for span in spans_of(item, ""))
    except InvalidRecord:
        return spans


def spans_of(item: object, text: str) -> Iterator[FoundSpan]:
    """Yield the span of an item (one for each of its labels).

    Raises:
        InvalidRecord: It is none.
    """
    del text
    if isinstance(item, list) and len(item) == 3:
        start, end, label = item
        yield _span(start, end, label, {})
        return
    if not isinstance(item, dict):
        raise InvalidRecord('a span must be {"start": 0, "end": 4, "label": "DISEASE"} or [0, 4, "DISEASE"]', "no span")
    start, end, label = (next((item[key] for key in keys if key in item), None) for keys in (_STARTS, _ENDS, _LABELS))
    for one in label if isinstance(label, list) and label else [label]:
        yield _span(start, end, one, item)


def _span(start: object, end: object, label: object, item: Record) -> FoundSpan:
    if type(start) is not int or type(end) is not int:
        raise InvalidRecord('"start" and "end" of a span must be whole numbers (code points)', "no whole numbers")
    if isinstance(label, bool) or not isinstance(label, str | int):
        raise InvalidRecord(f"unknown label {str(label)[:20]!r}: a label must be a name", "label no name")
    given = item.get("text", item.get("value") if "tag_name" in item else None)
    ident = item.get("id", item.get("tagged_token_id", ""))
    return FoundSpan(start, end, str(label), given if isinstance(given, str) else None, str(ident))


class Records:
    """Turns one kind of record after another into notes; `path` and `report` say where and what happened."""

    def __init__(self, path: Path, report: Report) -> None:
        self.path = path
        self.report = report

    def plain(self, record: Record, line: int) -> FoundNote:
        """Read a record whose spans stand under one of the usual keys.

        Raises:
            InvalidRecord: It is none.
        """
        text = text_of(record)
        key, empty = span_key(record)
        if key is None:
            raise InvalidRecord(_NO_SPANS, "no spans")
        if empty and record[key]:
            self.report.remark(
                self.path, line, f'two keys for spans: the filled "{key}" was taken, "{empty[0]}" is empty or the same'
            )
        given = record[key]
        if isinstance(given, str) and given.startswith("["):
            given = json.loads(given)
        if not isinstance(given, list):
            raise InvalidRecord(f'"{key}" must be a list of spans', "no list")
        if given and all(isinstance(item, str) for item in given) and key in {"label", "labels"}:
            raise InvalidRecord(
                f'"{key}" holds labels of the whole text, not of words: export spans (sequence labelling)',
                "no span labels",
            )
        spans = [span for item in given for span in spans_of(item, text)]
        return FoundNote(
            self.path,
            line,
            text,
            spans,
            relations=self.relations(record, spans),
            note_id=name_of(record, "note_id", "id"),
            named="note_id" in record or "id" in record,
            group=name_of(record, "group"),
            meta=_strings(record.get("meta")),
            annotator=str(
                record.get("annotator") or record.get("annotation_approver") or record.get("_annotator_id") or ""
            ),
        )

    def without_groups(self, record: Record, line: int) -> Record:
        """Return a document of spaCy with one list of spans: `Doc.to_json` writes entities as "ents", groups of spans as "spans".

        Raises:
            InvalidRecord: There are no entities, and more than one group of spans.
        """
        groups = record.get("spans")
        if not isinstance(groups, dict) or not isinstance(record.get("ents", []), list):
            return record
        if not all(isinstance(spans, list) for spans in groups.values()):
            return record  # one span, or no span at all: whoever reads it next says so
        filled = [name for name, spans in groups.items() if spans]
        if len(filled) > 1 and not record.get("ents"):
            names = ", ".join(f'"{name}"' for name in filled)[:60]
            raise InvalidRecord(f"several groups of spans and no entities ({names}): keep one", "span groups")
        rest = {key: value for key, value in record.items() if key not in {"spans", "ents"}}
        if record.get("ents"):
            if any(_content(groups[name]) != _content(record["ents"]) for name in filled):
                self.report.remark(self.path, line, 'groups of spans beside the entities ("ents"), not read')
            return {**rest, "ents": record["ents"]}
        if filled:
            self.report.remark(self.path, line, f'spans of the group "{filled[0][:40]}", taken: there are no entities')
        return {**rest, "spans": groups[filled[0]] if filled else []}

    def relations(self, record: Record, spans: list[FoundSpan]) -> list[FoundRelation] | None:
        """Read relations that name spans by their ids (doccano) or by places in the list of tokens (Prodigy)."""
        given = record.get("relations")
        if not isinstance(given, list):
            return None
        found = []
        for one in given:
            if not isinstance(one, dict):
                raise InvalidRecord('"relations" must hold objects', "no relation")
            ends = (one.get("from_id", _end(one, "head", spans)), one.get("to_id", _end(one, "child", spans)))
            found.append(FoundRelation(str(one.get("type") or one.get("label") or ""), str(ends[0]), str(ends[1])))
        return found

    def prodigy(self, record: Record, line: int) -> FoundNote | None:
        """Read an answered example; what was rejected or ignored is no annotation."""
        answer = record.get("answer", "accept")
        if answer != "accept":
            self.report.remark(self.path, line, f'examples answered "{answer}", left out')
            return None
        if record.get("_view_id") == "ner":
            self.report.remark(
                self.path, line, "binary answers, left out (they judge one span; the rest of the text is unknown)"
            )
            return None
        note = self.plain({"spans": [], **record, "meta": None}, line)
        for index, span in enumerate(note.spans):
            span.ident = f"{span.start}:{span.end}" if not span.ident else span.ident
            note.spans[index] = span
        note.note_id = str(record.get("_task_hash") or note.note_id)
        note.named = True
        note.annotator = str(record.get("_annotator_id") or record.get("_session_id") or "")
        return note

    def spacy_pair(self, record: list[Any], line: int) -> FoundNote:
        """Read `[text, {"entities": [[0, 6, "DISEASE"]]}]`, spaCy's training form."""
        text, annotations = record[0], record[1]
        entities = annotations.get("entities") if isinstance(annotations, dict) else annotations
        return self.plain({"text": text, "entities": entities or []}, line)

    def label_studio(self, record: Record, line: int) -> FoundNote | None:
        """Read a task of Label Studio; several annotations of one task must agree, unless one is marked as the truth."""
        done = [each for each in record.get("annotations") or record.get("completions") or () if isinstance(each, dict)]
        for each in done:
            if each.get("was_cancelled"):
                self.report.remark(self.path, line, "skipped annotations of a task, left out")
        done = [each for each in done if not each.get("was_cancelled")]
        if not done:
            self.report.remark(self.path, line, "tasks without an annotation, left out (predictions are no annotation)")
            return None
        truth = [each for each in done if each.get("ground_truth")] or done
        text = self._task_text(record, truth)
        notes = [self._annotation(text, record, each, line) for each in truth]
        if any(_key(note) != _key(notes[0]) for note in notes[1:]):
            raise InvalidRecord(
                f"{len(notes)} annotations of one task contradict each other: keep one, or mark it as ground truth",
                "contradiction",
            )
        return notes[0]

    def _task_text(self, record: Record, done: Sequence[Record]) -> str:
        data = record.get("data")
        if isinstance(data, str):
            return text_of({"text": data})
        fields = {key: value for key, value in (data or {}).items() if isinstance(value, str)}
        if "text" in fields:
            return text_of(fields)
        named = {
            str(item.get("to_name")) for each in done for item in each.get("result") or () if isinstance(item, dict)
        }
        fitting = [key for key in fields if key in named] or list(fields)
        if len(fitting) != 1:
            raise InvalidRecord(
                f'which field of "data" is the text ({", ".join(sorted(fields))[:60]})? Call it "text"', "no text field"
            )
        return text_of({"text": fields[fitting[0]]})

    def _annotation(self, text: str, record: Record, annotation: Record, line: int) -> FoundNote:
        spans: dict[str, list[FoundSpan]] = {}
        said: dict[str, dict[str, str]] = {}
        relations = []
        for number, item in enumerate(annotation.get("result") or ()):
            kind, ident = item.get("type"), str(item.get("id") or f"#{number}")
            value = item.get("value") or {}
            if kind == "labels" or "labels" in value:
                spans[ident] = [
                    _with_id(span, ident) for span in spans_of({**value, "label": value.get("labels")}, text)
                ]
            elif kind == "relation":
                relations.append(
                    FoundRelation(
                        str((item.get("labels") or [""])[0]), str(item.get("from_id")), str(item.get("to_id"))
                    )
                )
            elif kind == "choices" and "start" in value:
                said.setdefault(ident, {})[str(item.get("from_name"))] = str((value.get("choices") or [""])[0])
            elif kind == "hypertextlabels" or "hypertextlabels" in value:
                raise InvalidRecord(
                    "annotations of HTML (HyperTextLabels) are not read: annotate plain text", "hypertext"
                )
            else:
                self.report.remark(self.path, line, f'results of type "{kind}", left out')
        for ident, words in said.items():
            apply_words(self.report, self.path, line, spans.get(ident, []), words)
        data = record.get("data") if isinstance(record.get("data"), dict) else {}
        ident = name_of(data or {}, "note_id") or name_of(record, "id")
        flat = [span for group in spans.values() for span in group]
        return FoundNote(
            self.path, line, text, flat, relations or None, ident, named=bool(ident), group=name_of(data or {}, "group"),
            meta=_strings(record.get("meta")),
        )  # fmt: skip

    def label_studio_min(self, record: Record, line: int) -> FoundNote:
        """Read a line of Label Studio's JSON_MIN: regions stand under the name of the control, whatever it is."""
        keys = [key for key, value in record.items() if _regions(value)]
        if len(keys) > 1:
            raise InvalidRecord(f"several lists of labels ({', '.join(keys)[:60]}): keep one", "two keys")
        regions = record[keys[0]] if keys else []
        regions = json.loads(regions) if isinstance(regions, str) else regions
        note = self.plain({"text": record.get("text"), "spans": regions, "id": record.get("id")}, line)
        note.annotator = str(record.get("annotator") or "")
        return note

    def light_tag(self, record: Record, line: int) -> FoundNote:
        """Read an example of LightTag."""
        return self.plain(
            {"text": record.get("content"), "annotations": record.get("annotations") or [], "id": record.get("id")},
            line,
        )


def apply_words(report: Report, path: Path, line: int, spans: Iterable[FoundSpan], words: Mapping[str, str]) -> None:
    """Give spans what attributes say of them; those that mean nothing here are named."""
    from corpus.formats.vocabulary import meaning_of

    meaning, unread = meaning_of(words)
    for name in unread:
        report.remark(path, line, f'attributes "{name[:40]}", not read')
    if meaning != NOT_ANNOTATED:
        for span in spans:
            span.meaning = meaning


def _with_id(span: FoundSpan, ident: str) -> FoundSpan:
    span.ident = ident
    return span


def _key(note: FoundNote) -> list[tuple[int, int, str]]:
    return sorted({(span.start, span.end, span.label) for span in note.spans})


def _end(one: Record, name: str, spans: list[FoundSpan]) -> str:
    span = one.get(f"{name}_span")
    if isinstance(span, dict):
        return f"{span.get('start')}:{span.get('end')}"
    place = one.get("tail" if name == "child" and "tail" in one else name)
    if type(place) is int and 0 <= place < len(spans):
        spans[place].ident = spans[place].ident or f"#{place}"
        return spans[place].ident
    return str(place)


def _regions(value: Any) -> bool:
    if isinstance(value, str) and value.startswith("[{") and '"labels"' in value:
        return True
    return isinstance(value, list) and any(
        isinstance(item, dict) and ("labels" in item or "start" in item) for item in value
    )


def _strings(meta: Any) -> dict[str, str]:
    if meta is None:
        return {}
    if not isinstance(meta, dict):
        raise InvalidRecord('"meta" must be an object of strings', "meta")
    if not all(isinstance(value, str | int | float | None) for value in meta.values()):
        raise InvalidRecord('"meta" must be an object of strings', "meta")
    return {key: str(value) for key, value in meta.items() if value is not None}
