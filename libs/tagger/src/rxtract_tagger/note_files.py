"""Notes of a file, for commands that others script against and for Python: one row in, one row out, in order.

A row that cannot be used becomes a `BadRow` in its place; only a file that cannot be opened at all stops.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clinical_ner.notes import Span, label_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_FIELD_CHARS = 2**27
_MAX_TEXT_CHARS = 2**22
_SHOWN_CHARS = 40
RowId = str | int


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A note; `spans` are the entities that came with it, None if they are to be found. `record` is the whole row."""

    row_id: RowId
    text: str
    spans: tuple[Span, ...] | None = None
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, and why, without what it holds."""

    row_id: RowId
    error: str

    def as_json(self) -> str:
        """Return the row that is written in its place."""
        return json.dumps({"id": self.row_id, "error": self.error}, ensure_ascii=True)


Row = NoteRow | BadRow


class NotesUnreadable(ValueError):
    """A file or folder of notes that cannot be read at all; one line that says what to do."""


class _RowError(ValueError):
    pass


def read_notes(path: Path) -> Iterator[Row]:
    """Read JSON lines `{id, text}`, a CSV with a column `text`, a TXT of one note a line, or a folder of `.txt` files.

    Raises:
        NotesUnreadable: There is no such file or folder, or nothing in it, or of a kind that is not known.
    """
    if path.is_dir():
        files = sorted(path.glob("*.txt"))
        if not files:
            raise NotesUnreadable(f"{path} holds no .txt file: give a folder of .txt files, or a file")
        return (_whole_file(file) for file in files)
    readers = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv_rows, ".txt": _text_lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise NotesUnreadable(
            f"{path}: the kind of this file is unknown: give .jsonl, .csv or .txt, or a folder of .txt files"
        )
    return reader(_content(path), path)


def read_json_lines(path: Path) -> Iterator[Row]:
    """Read JSON lines whatever the file is called."""
    return _json_lines(_content(path), path)


def batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Cut rows into lists of at most `size`."""
    rows = iter(rows)
    while batch := list(itertools.islice(rows, size)):
        yield batch


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise NotesUnreadable(f"{path} cannot be read: {error.strerror}") from None


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _RowError(f"not UTF-8 from byte {error.start + 1} on: save the file as UTF-8") from None


def _checked(text: object, name: str = "text") -> str:
    if not isinstance(text, str):
        raise _RowError(f'"{name}" is missing or no string')
    if len(text) > _MAX_TEXT_CHARS:
        raise _RowError(f'"{name}" is longer than {_MAX_TEXT_CHARS:,} characters: cut it into notes')
    if _SURROGATE.search(text):
        raise _RowError(f'"{name}" holds half a character (a lone surrogate): repair its encoding')
    return text


def _whole_file(path: Path) -> Row:
    try:
        return NoteRow(path.name, _checked(_decoded(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))))
    except OSError as error:
        return BadRow(path.name, f"cannot be read: {error.strerror}")
    except _RowError as error:
        return BadRow(path.name, str(error))


def _lines(content: bytes) -> list[bytes]:
    lines = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    return lines[:-1] if lines and not lines[-1] else lines


def _text_lines(content: bytes, path: Path) -> Iterator[Row]:
    del path
    for number, line in enumerate(_lines(content), 1):
        try:
            yield NoteRow(number, _checked(_decoded(line)))
        except _RowError as error:
            yield BadRow(number, str(error))


def _json_lines(content: bytes, path: Path) -> Iterator[Row]:
    del path
    for number, line in enumerate(_lines(content), 1):
        if not line.strip():
            continue
        row_id: RowId = number
        try:
            record = _object(_decoded(line))
            row_id = _row_id(record, number)
            text = _checked(record.get("text"))
            yield NoteRow(row_id, text, _spans(record, text), record)
        except _RowError as error:
            yield BadRow(row_id, str(error))


def _object(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise _RowError("not JSON: write one complete JSON object a line") from None
    if not isinstance(record, dict):
        raise _RowError("not a JSON object: write one JSON object a line")
    return record


def _row_id(record: Mapping[str, Any], number: int) -> RowId:
    given = record.get("id")
    if given is None:
        return number
    if (
        not isinstance(given, str | int)
        or isinstance(given, bool)
        or (isinstance(given, str) and _SURROGATE.search(given))
    ):
        raise _RowError('"id" must be a string or a whole number')
    return given


def _spans(record: Mapping[str, Any], text: str) -> tuple[Span, ...] | None:
    given = record.get("spans")
    if given is None:
        return None
    if not isinstance(given, list):
        raise _RowError('"spans" must be a list')
    return tuple(_span(item, text) for item in given)


def _span(item: object, text: str) -> Span:
    if not isinstance(item, dict):
        raise _RowError('a span must be {"start": 0, "end": 4, "label": "DISEASE"}')
    start, end, name = item.get("start"), item.get("end"), item.get("label")
    if type(start) is not int or type(end) is not int:
        raise _RowError('"start" and "end" of a span must be whole numbers (code points)')
    if not 0 <= start <= end <= len(text):
        raise _RowError(f"the span {start}-{end} is not inside the text of {len(text)} characters")
    label = label_named(name) if isinstance(name, str) else None
    if label is None:
        raise _RowError("a span has an unknown label: known are DISEASE and TREATMENT")
    return Span(start, end, label)


def _csv_rows(content: bytes, path: Path) -> Iterator[Row]:
    csv.field_size_limit(_MAX_FIELD_CHARS)
    # Bytes that are no UTF-8 become surrogates, which condemn their row alone.
    table = csv.reader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline=""))
    try:
        header = [name.strip().lower() for name in next(table, [])]
    except csv.Error as error:
        raise NotesUnreadable(f"{path}: the header is no CSV: {error}") from None
    if "text" not in header:
        shown = ", ".join(header)[:_SHOWN_CHARS]
        raise NotesUnreadable(f'{path}: no column "text" in the header ({shown}): name the column of the notes "text"')
    return _csv_body(table, header)


def _csv_body(table: Iterator[list[str]], header: list[str]) -> Iterator[Row]:
    number = 0
    while True:
        number += 1
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(number, f"not CSV: {error}")
            continue
        if not cells:
            number -= 1  # an empty line is no row
            continue
        yield _csv_row(number, dict(zip(header, cells, strict=False)), len(cells) - len(header))


def _csv_row(number: int, record: dict[str, str], surplus: int) -> Row:
    row_id: RowId = number
    try:
        row_id = _checked(record["id"], "id") if record.get("id") else number
        if surplus > 0:
            return BadRow(row_id, f"{surplus} cells more than the header: quote texts that hold commas")
        return NoteRow(row_id, _checked(record.get("text")))
    except _RowError as error:
        return BadRow(row_id, str(error))
