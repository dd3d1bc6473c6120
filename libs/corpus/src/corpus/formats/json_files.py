"""JSON of any of the tools: lines, a list, or an object around a list; each record is read by what it holds."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from corpus.formats.bioc import note_of_document
from corpus.formats.canonical import add_ours
from corpus.formats.found import FoundNote, InvalidRecord
from corpus.formats.parquet import names_in
from corpus.formats.records import Records, span_key
from corpus.formats.source import Elements, Source, json_values, parsed
from corpus.formats.token_records import TAG_KEYS, TokenRecords
from corpus.loaders_text import bad_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from corpus.formats.report import Report
    from corpus.formats.vocabulary import Vocabulary

_AROUND = re.compile(r'"(documents|examples|data|rows|annotations)"\s*:\s*\[\s*(\[|\{|null|"|\])')
_MAX_HEAD = 1 << 22
OURS = "Rxtract JSON lines"


class JsonReader:
    """Reads a JSON file; `kinds` counts what was recognised."""

    def __init__(self, source: Source, report: Report, vocabulary: Vocabulary) -> None:
        self.source, self.report = source, report
        self.kinds: Counter[str] = Counter()
        self._records = Records(source.path, report)
        self._tokens = TokenRecords(source.path, vocabulary, names_beside(source))

    def __iter__(self) -> Iterator[FoundNote]:
        """Yield the notes; records that cannot be used are noted as faults."""
        for line, value in values(self.source, self.report):
            yield from self.notes(value, line)

    def notes(self, value: Any, line: int) -> Iterator[FoundNote]:
        """Yield the notes of one record."""
        try:
            kind, found = self._read(value, line)
        except InvalidRecord as error:
            self.report.problem(self.source.path, error.line or line, str(error), error.kind)
            return
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self.report.problem(self.source.path, line, f"a record of an unknown form ({type(error).__name__})", "form")
            return
        self.kinds[kind] += 1
        yield from found

    def named_tags(self, names: list[str]) -> None:
        """Take the names of numbered tags that a file describes."""
        self._tokens.names = names or self._tokens.names

    def _read(self, value: Any, line: int) -> tuple[str, list[FoundNote]]:
        kind = kind_of(value)
        if kind == "spaCy training pairs":
            return kind, [self._records.spacy_pair(value, line)]
        if kind == "BioC JSON":
            return kind, note_of_document(self.source.path, self.report, value, line)
        if kind == "spaCy 2 training JSON":
            return kind, self._tokens.paragraphs(value, line)
        readers = {
            "Label Studio JSON": self._records.label_studio,
            "Label Studio JSON_MIN": self._records.label_studio_min,
            "Prodigy": self._prodigy,
            "LightTag": self._records.light_tag,
            "GLiNER": self._tokens.gliner,
            "SpERT": self._tokens.spert,
            "Hugging Face tokens and tags": self._tokens.tagged,
        }
        note = readers.get(kind, self._plain)(value, line)
        return kind, [] if note is None else [note]

    def _plain(self, record: Mapping[str, Any], line: int) -> FoundNote:
        record = self._records.without_groups(record, line)
        note = self._records.plain(record, line)
        key, _ = span_key(record)
        own = {**record, "tokens": record.get("tokens") if _places(record.get("tokens")) else None}
        add_ours(note, own, record[key] if key and isinstance(record[key], list) else [])
        return note

    def _prodigy(self, record: Mapping[str, Any], line: int) -> FoundNote | None:
        note = self._records.prodigy(record, line)
        if note is not None:
            add_ours(note, {"tokens": record.get("tokens")}, [])
        return note


def kind_of(value: Any) -> str:  # noqa: PLR0911 - one return a tool
    """Return which tool's record this is.

    Raises:
        InvalidRecord: It is none that is known.
    """
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict | list):
            return "spaCy training pairs"
        raise InvalidRecord('not a JSON object: write {"text": ..., "spans": [...]}', "no object")
    if not isinstance(value, dict):
        raise InvalidRecord('not a JSON object: write {"text": ..., "spans": [...]}', "no object")
    keys = set(value)
    if isinstance(value.get("data"), dict) and keys & {"annotations", "completions", "predictions"}:
        return "Label Studio JSON"
    if "passages" in keys:
        return "BioC JSON"
    if "paragraphs" in keys:
        return "spaCy 2 training JSON"
    if keys & {"_input_hash", "_task_hash", "answer"}:
        return "Prodigy"
    if "tokenized_text" in keys:
        return "GLiNER"
    return _kind_by_text(value, keys)


def _kind_by_text(value: Mapping[str, Any], keys: set[str]) -> str:  # noqa: PLR0911 - one return a tool
    words = value.get("tokens") or value.get("words")
    worded = isinstance(words, list) and bool(words) and all(isinstance(word, str) for word in words)
    if worded and any(
        isinstance(value.get(key), list) and value[key] and not isinstance(value[key][0], dict | list)
        for key in TAG_KEYS
    ):
        return "Hugging Face tokens and tags"
    if worded and isinstance(value.get("entities"), list):
        return "SpERT"
    if "content" in keys and "annotations" in keys:
        return "LightTag"
    if keys & {"annotation_id", "lead_time"} or any(_regions(item) for item in value.values()):
        return "Label Studio JSON_MIN"
    if "ents" in keys and not isinstance(value.get("spans"), list):
        return "spaCy documents as JSON"
    if {"annotation_approver", "Comments"} & keys or _doccano(value):
        return "doccano"
    if "sentences" in keys and "ner" in keys:
        raise InvalidRecord(
            "DyGIE's documents are not read: convert them to SpERT or to JSON lines with text and spans", "dygie"
        )
    return OURS if "spans" in keys else "text with spans"


def _doccano(value: Mapping[str, Any]) -> bool:
    for key in ("entities", "annotations", "label", "labels"):
        items = value.get(key)
        if isinstance(items, list) and items and isinstance(items[0], dict):
            return "start_offset" in items[0]
        if key in {"label", "labels"} and isinstance(items, list) and "id" in value:
            return True
    return False


def _regions(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "labels" in value[0]


def _places(tokens: Any) -> bool:
    return isinstance(tokens, list) and bool(tokens) and not isinstance(tokens[0], str)


def values(source: Source, report: Report) -> Iterator[tuple[int, Any]]:
    """Yield (line, record) of a file of JSON, whatever stands around the records."""
    first = _first_line(source)
    if not first.startswith(("[", "{")):
        yield from _lines(source, report)
        return
    whole = _whole(first)
    if isinstance(whole, list) and whole and isinstance(whole[0], str):
        yield from _lines(source, report)
    elif first.startswith("["):
        yield from json_values(source, report)
    elif around := _AROUND.search(_head(source)) if _is_around(source, whole) else None:
        yield from _columns_or_rows(source, report, around[1])
    elif isinstance(whole, dict) or not first.strip("{ \t").strip():
        yield from _lines(source, report) if isinstance(whole, dict) else _objects(source, report)
    else:
        yield from _lines(source, report)


def _is_around(source: Source, whole: Any) -> bool:
    """Return whether the file is one object around a list of records, and no record itself."""
    if isinstance(whole, dict):
        return (
            "text" not in whole
            and any(
                isinstance(whole.get(key), list) and not isinstance(whole.get("data"), dict)
                for key in ("documents", "examples", "data", "rows", "annotations")
            )
            and "content" not in whole
            and "passages" not in whole
        )
    found = _AROUND.search(_head(source))
    if found is None:
        return False
    before = _head(source)[: found.start()]
    return (
        '"text"' not in before and '"data"' not in before and (found[1] != "annotations" or found[2] in {"[", "null"})
    )


def _columns_or_rows(source: Source, report: Report, key: str) -> Iterator[tuple[int, Any]]:
    for line, value in json_values(source, report, key):
        if value is None:
            report.remark(source.path, line, "records without annotation, left out")
            continue
        yield line, value["row"] if isinstance(value, dict) and set(value) >= {"row", "row_idx"} else value


def _lines(source: Source, report: Report) -> Iterator[tuple[int, Any]]:
    for number, line in source.lines(report):
        if line.strip(" \t"):
            try:
                yield number, parsed(line)
            except InvalidRecord as error:
                report.problem(source.path, number, str(error), error.kind)


def _objects(source: Source, report: Report) -> Iterator[tuple[int, Any]]:
    """Yield objects that stand one after another over several lines."""
    with source.open() as file:
        elements = Elements(file, source.codec())
        try:
            yield from elements.following()
        except InvalidRecord as error:
            report.problem(source.path, error.line, str(error), error.kind)
        except UnicodeDecodeError as error:
            report.problem(source.path, 0, bad_bytes(error.object[error.start : error.start + 2]), "encoding")


def _head(source: Source) -> str:
    return source.head().decode(source.codec(), "replace")


def _first_line(source: Source) -> str:
    with source.open() as file:
        head = file.read(_MAX_HEAD).decode(source.codec(), "replace").removeprefix("\ufeff").lstrip()
    return head.split("\n", 1)[0].strip()


def _whole(line: str) -> Any:
    try:
        return parsed(line)
    except InvalidRecord:
        return None


def names_beside(source: Source) -> list[str]:
    """Return the names of numbered tags that `dataset_info.json` beside a file gives, as the Hugging Face hub writes it."""
    beside = source.path.parent / "dataset_info.json"
    if not beside.is_file() or beside == source.path:
        return []
    try:
        return names_in(parsed(beside.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return []
