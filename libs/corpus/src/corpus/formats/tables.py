"""Tables (CSV, Excel): a token a row as on Kaggle, a sentence a row, a span a row, or a text with its spans in a cell."""

from __future__ import annotations

import ast
import csv
import itertools
import json
from typing import TYPE_CHECKING, Any

from corpus.formats.found import FoundNote, FoundSpan, InvalidRecord
from corpus.formats.records import Records, text_of
from corpus.formats.token_records import note_of_tokens
from corpus.loaders_text import DatasetError, bad_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from corpus.formats.report import Report
    from corpus.formats.source import Source
    from corpus.formats.vocabulary import Vocabulary

_MAX_CELL = 1 << 27
_SENTENCES = (
    "sentence #",
    "sentence_id",
    "sentence id",
    "sentence_idx",
    "sentence_no",
    "sent_id",
    "sentence#",
    "sentence",
    "doc_id",
    "document",
    "id",
)
_WORDS = ("word", "token", "words", "tokens")
_TAGS = ("tag", "label", "labels", "ner", "ner_tag", "ner_tags", "tags", "entity", "bio", "iob")
_TEXTS = ("text", "note", "sentence", "tokens", "words", "content")
_SPANS = ("label", "labels", "spans", "entities", "annotations")
Row = tuple[int, dict[str, str]]


def read_table(source: Source, report: Report, vocabulary: Vocabulary) -> Iterator[FoundNote]:
    """Yield the notes of a table, of whichever of the kinds its header and first row show."""
    rows = _excel(source, report) if source.path.suffix.lower() in {".xlsx", ".xlsm"} else _csv(source, report)
    first = next((row for row in rows if any(row[1].values())), None)
    if first is None:
        report.problem(source.path, 0, "no row in it: write a header and at least one row", "empty")
        return
    yield from _reader(source, report, vocabulary, first[1])(itertools.chain([first], rows))


class _Table:
    def __init__(self, source: Source, report: Report, vocabulary: Vocabulary, columns: Mapping[str, str]) -> None:
        self.path, self.report, self.vocabulary, self.columns = source.path, report, vocabulary, columns

    def words(self, rows: Iterator[Row]) -> Iterator[FoundNote]:
        """A token a row; a sentence begins where its column is filled with another value, or after an empty row."""
        run: list[tuple[int, str, str]] = []
        sentence = ""
        for line, row in rows:
            named = row.get(self.columns["sentence"], "") if "sentence" in self.columns else ""
            empty = not any(row.values())
            if run and (empty or (named and named != sentence)):
                yield from self._sentence(run, sentence)
                run = []
            sentence = named or sentence
            if not empty:
                run.append((line, row.get(self.columns["word"], ""), row.get(self.columns["tag"], "")))
        yield from self._sentence(run, sentence)

    def _sentence(self, run: Sequence[tuple[int, str, str]], name: str) -> Iterator[FoundNote]:
        faults = [line for line, word, tag in run if not word or not tag]
        for line in faults:
            self.report.problem(
                self.path, line, "a row without a word or without a label: fill it or remove it", "hole"
            )
        if run and not faults:
            lines = [line for line, _, _ in run]
            yield from self._kept(
                lines[0], lambda: self._tagged(lines, [w for _, w, _ in run], [t for _, _, t in run], name)
            )

    def _tagged(self, lines: Sequence[int], words: Sequence[str], tags: Sequence[str], name: str) -> FoundNote:
        note = note_of_tokens(self.path, lines[0], words, tags, self.vocabulary)
        note.note_id, note.named = name, False
        at = {start: line for (start, _), line in zip(note.tokens, lines, strict=False)}
        for span in note.spans:
            span.line = at.get(span.start, lines[0])
        return note

    def sentences(self, rows: Iterator[Row]) -> Iterator[FoundNote]:
        """A sentence a row, with as many tags as words."""
        for line, row in rows:
            if any(row.values()):
                words, tags = _list(row.get(self.columns["text"], "")), _list(row.get(self.columns["tag"], ""))
                yield from self._kept(
                    line, lambda words=words, tags=tags, line=line: self._tagged([line], words, tags, "")
                )

    def cells(self, rows: Iterator[Row]) -> Iterator[FoundNote]:
        """A text a row, its spans in a cell."""
        records = Records(self.path, self.report)
        for line, row in rows:
            if any(row.values()):
                yield from self._kept(line, lambda row=row, line=line: records.plain(self._record(row), line))

    def _record(self, row: Mapping[str, str]) -> dict[str, Any]:
        cell = row.get(self.columns["spans"], "") or "[]"
        record: dict[str, Any] = {"text": row.get(self.columns["text"], ""), "spans": _value(cell)}
        return {
            **record,
            **({"id": row["id"]} if row.get("id") else {}),
            **({"annotator": row["annotator"]} if row.get("annotator") else {}),
        }

    def spans(self, rows: Iterator[Row]) -> Iterator[FoundNote]:
        """A span a row; rows of one text that follow each other are one note."""
        keys = [self.columns["text"], *([self.columns["sentence"]] if "sentence" in self.columns else [])]
        for _, run in itertools.groupby(
            (row for row in rows if any(row[1].values())), lambda row: [row[1].get(key) for key in keys]
        ):
            group = list(run)
            yield from self._kept(group[0][0], lambda group=group: self._spans(group))

    def _spans(self, rows: Sequence[Row]) -> FoundNote:
        text = text_of({"text": rows[0][1].get(self.columns["text"], "")})
        found = []
        for line, row in rows:
            places = [row.get(self.columns[name], "") for name in ("start", "end")]
            if not any(places):
                continue
            if not all(place.isdecimal() for place in places):
                raise InvalidRecord("start and end must be whole numbers", "no whole numbers", line)
            found.append(FoundSpan(int(places[0]), int(places[1]), row.get(self.columns["tag"], ""), line=line))
        return FoundNote(self.path, rows[0][0], text, found)

    def _kept(self, line: int, make: Any) -> Iterator[FoundNote]:
        try:
            yield make()
        except InvalidRecord as error:
            self.report.problem(self.path, error.line or line, str(error), error.kind)


def _reader(source: Source, report: Report, vocabulary: Vocabulary, row: Mapping[str, str]) -> Any:
    names = list(row)
    word, tag, text = _first(names, _WORDS), _first(names, _TAGS), _first(names, _TEXTS)
    columns = {
        "word": word,
        "tag": tag,
        "text": text,
        "sentence": _first([n for n in names if n not in {text, word}], _SENTENCES),
    }
    columns |= {"start": _first(names, ("start", "start_offset", "begin")), "end": _first(names, ("end", "end_offset"))}
    columns["spans"] = next((name for name in _SPANS if row.get(name, "").startswith("[")), None)
    known = {name: column for name, column in columns.items() if column is not None}
    table = _Table(source, report, vocabulary, known)
    if {"text", "start", "end", "tag"} <= set(known):
        return table.spans
    if {"text", "spans"} <= set(known) and _looks_like_spans(row[known["spans"]]):
        return table.cells
    if {"text", "tag"} <= set(known) and len(_list(row[known["text"]])) > 1:
        return table.sentences
    if {"word", "tag"} <= set(known):
        if "sentence" not in known:
            report.say(f"{source.path.name}: no column says where sentences end: rows without a word divide them")
        return table.words
    shown = ", ".join(names)[:80]
    raise DatasetError(
        f"{source.path}:1: no columns for words and labels ({shown}): call them word and tag (with sentence_id), or text and label"
    )


def _looks_like_spans(cell: str) -> bool:
    value = _value(cell)
    return isinstance(value, list) and (not value or isinstance(value[0], dict | list | tuple))


def _first(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


def _list(cell: str) -> list[str]:
    """Return the words of a cell: a list in Python's or JSON's form, or words divided by blanks (or commas alone)."""
    if cell.startswith("[") and cell.endswith("]") and isinstance(value := _value(cell), list):
        return [str(item) for item in value]
    return cell.split()


def _value(cell: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError:
        pass
    try:
        value = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return cell
    return [list(item) if isinstance(item, tuple) else item for item in value] if isinstance(value, list) else value


def _csv(source: Source, report: Report) -> Iterator[Row]:
    csv.field_size_limit(_MAX_CELL)
    codec = source.codec()
    if codec.startswith("utf-16"):
        report.say(f"{source.path.name}: is UTF-16, converted")
    with source.path.open(encoding=codec, errors="surrogateescape", newline="") as file:
        head = file.read(1 << 14)
        file.seek(0)
        table = csv.reader(file, delimiter=_separator(head))
        names: list[str] = []
        try:
            for cells in table:
                if not names:
                    names = [cell.strip().removeprefix("\ufeff").casefold() for cell in cells]
                    continue
                yield table.line_num, _row(source, report, names, cells, table.line_num)
        except csv.Error as error:
            report.problem(source.path, table.line_num, f"not CSV: {error}", "csv")


def _row(source: Source, report: Report, names: Sequence[str], cells: Sequence[str], line: int) -> dict[str, str]:
    if len(cells) > len(names):
        report.problem(
            source.path,
            line,
            f"{len(cells) - len(names)} cells more than the header: quote texts that hold commas",
            "cells",
        )
    for cell in cells:
        if not cell.isascii() and any("\udc80" <= character <= "\udcff" for character in cell):
            raw = cell.encode("utf-8", "surrogateescape")
            report.problem(
                source.path, line, bad_bytes(raw[next(i for i, b in enumerate(raw) if b > 127) :][:1]), "encoding"
            )
            break
    return {
        name: cell.strip() if name not in {"text", "note", "content"} else cell
        for name, cell in zip(names, cells, strict=False)
        if name
    }


def _separator(head: str) -> str:
    first = head.split("\n", 1)[0]
    return max(",;\t|", key=first.count)


def _excel(source: Source, report: Report) -> Iterator[Row]:
    try:
        import openpyxl
    except ImportError:
        raise DatasetError(
            f"{source.path}: Excel is read with openpyxl, which is not installed: save it as CSV (UTF-8)"
        ) from None
    import zipfile

    try:
        book = openpyxl.load_workbook(source.path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise DatasetError(
            f"{source.path}: no Excel file ({type(error).__name__}): save it anew, or as CSV (UTF-8)"
        ) from None
    with source.path.open("rb"):
        if len(book.sheetnames) > 1:
            report.say(f"{source.path.name}: the first of {len(book.sheetnames)} sheets is read ({book.sheetnames[0]})")
        names: list[str] = []
        for line, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), 1):
            if not names:
                names = ["" if cell is None else str(cell).strip().casefold() for cell in cells]
                continue
            yield (
                line,
                {name: _cell(source, report, cell, line) for name, cell in zip(names, cells, strict=False) if name},
            )
        book.close()


def _cell(source: Source, report: Report, cell: Any, line: int) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        report.problem(
            source.path,
            line,
            f"Excel turned a cell into a {type(cell).__name__}: make the column text and write it again",
            "excel",
        )
        return str(cell)
    return str(int(cell)) if float(cell).is_integer() else str(cell)
