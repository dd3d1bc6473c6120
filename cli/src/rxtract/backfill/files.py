"""Files of notes as rows of plain data: JSON lines, CSV, Parquet."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts.plain import RecordError
from contracts.reasons import Reason
from contracts.records import NoteSubmitted, Origin

from rxtract.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".parquet": "parquet"}
INTEGER_FIELDS = ("revision", "written_at")
_CHUNK_BYTES = 1 << 20
_MAX_CSV_FIELD_CHARS = 16_777_216


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: its number from 1 (in JSON lines the line's), and what it holds; None when it cannot even be read."""

    number: int
    values: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class NoteFile:
    """A file of notes.

    Attributes:
        digest: SHA-256 of its bytes: the same file under another name is the same.
        rows: How many rows it has, more or less for CSV (texts may hold line ends); for the progress bar.
    """

    path: Path
    format: str
    digest: str
    rows: int


def open_file(path: Path) -> NoteFile:
    """Look at a file: its format by its name, its digest and about how many rows it has.

    Raises:
        UserError: it is not there, or of no known format.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path.name}: the name must end in {', '.join(FORMATS)}")
    digest, line_ends = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                line_ends += chunk.count(b"\n")
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror})") from None
    rows = _parquet(path).metadata.num_rows if kind == "parquet" else line_ends - (kind == "csv")
    return NoteFile(path, kind, digest.hexdigest(), rows)


def read_rows(file: NoteFile) -> Iterator[Row]:
    """Read a file row by row; memory does not grow with the file.

    Raises:
        UserError: columns are missing or unknown, or the file is damaged.
    """
    readers = {"jsonl": _read_json_lines, "csv": _read_csv, "parquet": _read_parquet}
    yield from readers[file.format](file.path)


def to_note(row: Row, origin: Origin, source: str | None) -> NoteSubmitted:
    """Make a note of a row. A revision that is absent is 1; a time may be milliseconds or ISO 8601 with a zone.

    Args:
        row: Of the file.
        origin: Of every note, whatever the row says.
        source: Of a note whose row names none; None: the row must.

    Raises:
        RecordError: the row is no note; names the field and the reason.
    """
    if row.values is None:
        raise RecordError("", Reason.UNDECODABLE)
    given = {name: value for name, value in row.values.items() if value is not None}
    usual = {"revision": 1} if source is None else {"revision": 1, "source": source}
    given = usual | given | {"origin": origin.value}
    if "written_at" in given:
        given["written_at"] = _milliseconds(given["written_at"])
    return NoteSubmitted.from_dict(given)


def _milliseconds(value: object) -> object:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise RecordError("written_at", Reason.WRONG_TYPE) from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise RecordError("written_at", Reason.WRONG_TYPE)  # without a zone it is a guess
        return int(value.astimezone(UTC).timestamp() * 1000)
    return value


def _read_json_lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield Row(number, _parse_line(line))


def _parse_line(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _read_csv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(_MAX_CSV_FIELD_CHARS)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_columns(path, reader.fieldnames or ())
            for number, row in enumerate(reader, start=1):
                yield Row(number, None if None in row else {name: _from_csv(name, text) for name, text in row.items()})
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(
            f"{path.name} is damaged CSV ({type(error).__name__}): it must be UTF-8 with one header line"
        ) from None


def _from_csv(name: str, text: str | None) -> object:
    if not text:
        return "" if text is not None and name == "text" else None
    return int(text) if name in INTEGER_FIELDS and text.lstrip("-").isdecimal() and len(text) < 20 else text


def _read_parquet(path: Path) -> Iterator[Row]:
    parquet = _parquet(path)
    _check_columns(path, parquet.schema_arrow.names)
    number = 0
    for batch in parquet.iter_batches(batch_size=1000):
        for values in batch.to_pylist():
            number += 1
            yield Row(number, values)


def _parquet(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path.name} is no readable Parquet file ({type(error).__name__})") from None


def _check_columns(path: Path, columns: Iterable[str]) -> None:
    """A whole file with a misspelt column is one mistake, not a million rejected rows."""
    known = {field.name for field in fields(NoteSubmitted)}
    needed = {field.name for field in fields(NoteSubmitted) if field.default is MISSING} - {"revision", "source"}
    found = set(columns)
    if unknown := sorted(found - known):
        raise UserError(
            f"{path.name} has columns that a note does not have: {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )
    if missing := sorted(needed - found):
        raise UserError(f"{path.name} misses columns: {', '.join(missing)}")
