"""`rxtract fhir`: FHIR R4 documents of a file of notes, and a check of such documents."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from contracts.identity import SOURCE_SYNTAX, is_source
from contracts.plain import RecordError
from contracts.records import EntitiesExtracted
from rxtract_fhir import (
    NO_CODES,
    FhirRefused,
    Found,
    Model,
    Note,
    as_bytes,
    check,
    coded,
    document,
    guide_named,
    of_event,
    of_found,
    profile_named,
)
from rxtract_fhir.codings import Guide
from rxtract_fhir.notes import moment
from rxtract_fhir.profiles import Profile
from rxtract_tagger.note_files import BadRow, NoteRow
from terminology import Coder, TerminologyRefused

from rxtract.errors import UserError
from rxtract.note_files import read_notes

JSON_LINES = (".jsonl", ".ndjson")
UNKNOWN_MODEL = Model("rxtract-ner", "unknown", "")
"""Of rows that say nothing of what found their entities."""


class Wanted(NamedTuple):
    """What kind of documents."""

    profile: Profile
    guide: Guide
    refuted: bool
    coder: Coder | None

    def of(self, note: Note) -> bytes:
        """Return a note's document as a line."""
        codes = NO_CODES if self.coder is None else coded(note, self.coder)
        return as_bytes(document(note, self.profile, codes, guide=self.guide, refuted=self.refuted))


def fhir(
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help="Notes as for `rxtract extract --file`, or the rows that `extract --json` or `tap` gave.",
        ),
    ] = None,
    profile: Annotated[str, typer.Option(help="op-consult or prescription (ABDM's records), or r4.")] = "op-consult",
    guide: Annotated[
        str, typer.Option(help="Version of ABDM's guide whose code systems count: 2.0.1 or 6.5.0.")
    ] = "6.5.0",
    refuted: Annotated[
        bool, typer.Option("--refuted", help="State also what a note denies, as refuted, not taken or not done.")
    ] = False,
    codes: Annotated[
        bool, typer.Option("--codes/--no-codes", help="With the codes of this environment's tables.")
    ] = True,
    source: Annotated[str, typer.Option(help="The system that the notes come from.")] = "file",
    written_at: Annotated[
        str | None,
        typer.Option(
            help="When notes were written that do not say it, such as 2026-11-30T09:30:00+05:30; else the file's time."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="As for `rxtract extract`.")] = None,
    checked: Annotated[
        Path | None,
        typer.Option("--check", help="Instead: check the Bundles of this file, one a line, or one JSON file."),
    ] = None,
    _as_json: Annotated[bool, typer.Option("--json", help="JSON lines, which come out anyway.")] = False,
) -> None:
    """Write a FHIR R4 document Bundle for each note, one a line, in order. Preliminary: for a person to confirm.

    A row that cannot be used gives {id, error}, and the exit code is then 1. The same file gives the same bytes each time.
    """
    if (file is None) == (checked is None):
        raise UserError("give --file NOTES to make documents, or --check BUNDLES to check some, one of the two")
    try:
        version = guide_named(guide)
        if checked is not None:
            _check(checked, version)
            return
        wanted = Wanted(profile_named(profile), version, refuted, _coder(codes=codes))
        found = _found(Path(str(file)), source, written_at)
    except FhirRefused as error:
        raise UserError(str(error).replace('"written_at"', "--written-at")) from None
    _write(_notes(Path(str(file)), found, model), wanted)


def _coder(*, codes: bool) -> Coder | None:
    try:
        return Coder.open() if codes else None
    except TerminologyRefused as error:
        raise UserError(f"{error}; or leave codes out with --no-codes") from None


def _found(file: Path, source: str, written_at: str | None) -> Found:
    if not is_source(source):
        raise UserError(f"--source {source[:40]!r} is no source: {SOURCE_SYNTAX}")
    try:
        when = moment(written_at) if written_at else int(file.stat().st_mtime) * 1000
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
    return Found(source, when, UNKNOWN_MODEL)


def _write(notes: Iterable[Note | BadRow], wanted: Wanted) -> None:
    refused = False
    for note in notes:
        if isinstance(note, BadRow):
            line = note.as_json().encode()
            refused = True
        else:
            line, bad = _line(note, wanted)
            refused = refused or bad
        sys.stdout.buffer.write(line + b"\n")
    sys.stdout.flush()
    if refused:
        raise typer.Exit(1)


def _line(note: Note, wanted: Wanted) -> tuple[bytes, bool]:
    try:
        return wanted.of(note), False
    except FhirRefused as error:
        return BadRow(note.note_id, str(error)).as_json().encode(), True


def _notes(file: Path, found: Found, model: str | None) -> Iterator[Note | BadRow]:
    """Yield the notes of a file: read by the model, or as they were found before."""
    if file.suffix.lower() in JSON_LINES and _is_extracted(file):
        yield from (_extracted(number, line, found) for number, line in _lines(file))
    else:
        yield from _read_by_a_model(file, found, model)


def _read_by_a_model(file: Path, found: Found, model: str | None) -> Iterator[Note | BadRow]:
    from rxtract_tagger.tagger import Tagger

    from rxtract.commands.extract import opened_model

    rows = read_notes(file)
    tagger = Tagger(opened_model(model))
    name = tagger.identity
    found = found._replace(model=Model(name.name, name.version, name.rules_version))
    given: deque[NoteRow] = deque()
    for row in tagger.stream(_kept(rows, given)):
        if isinstance(row, BadRow):
            yield row
        else:
            yield _of_row(row.to_dict() | _circumstances(given.popleft().record), row.id, found)


def _kept(rows: Iterable[NoteRow | BadRow], given: deque[NoteRow]) -> Iterator[NoteRow | BadRow]:
    for row in rows:
        if isinstance(row, NoteRow):
            given.append(row)
        yield row


def _circumstances(record: Any) -> dict[str, Any]:
    """Return what a row of notes says beside its text."""
    return {name: record[name] for name in ("written_at", "patient_ref") if record.get(name)}


def _of_row(row: dict[str, Any], row_id: str | int, found: Found) -> Note | BadRow:
    try:
        return of_found(row, str(row_id), found)
    except FhirRefused as error:
        return BadRow(row_id, str(error))


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, line.removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None


def _is_extracted(file: Path) -> bool:
    """Tell whether the first row that is one holds entities instead of a text."""
    for _, line in _lines(file):
        row = _object(line)
        if row is not None:
            return "text" not in row and ("entities" in row or "value" in row)
    return False


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _extracted(number: int, line: bytes, found: Found) -> Note | BadRow:
    """Return the note of a row of `rxtract extract --json`, of a record as JSON, or of `rxtract tap --json`."""
    row = _object(line)
    if row is None:
        return BadRow(number, "not a JSON object: write one JSON object a line")
    row = row["value"] if isinstance(row.get("value"), dict) else row
    if "event_id" in row:
        return _of_record(number, row)
    row_id = row.get("id", number)
    if not isinstance(row_id, str | int) or isinstance(row_id, bool):
        return BadRow(number, '"id" must be a string or a whole number')
    if "error" in row and "entities" not in row:
        return BadRow(row_id, "`rxtract extract` refused this row")
    return _of_row(row, row_id, found)


def _of_record(number: int, row: dict[str, Any]) -> Note | BadRow:
    try:
        return of_event(EntitiesExtracted.from_dict(row))
    except (RecordError, FhirRefused) as error:
        return BadRow(number, str(error))


def _check(file: Path, guide: Guide) -> None:
    bad = False
    for number, bundle in _bundles(file):
        found = [str(one) for one in check(bundle, guide)]
        name = bundle.get("id") if isinstance(bundle, dict) else None
        bad = bad or bool(found)
        row = {"id": name if isinstance(name, str) else number, "problems": found}
        sys.stdout.write(json.dumps(row, ensure_ascii=True) + "\n")
    sys.stdout.flush()
    if bad:
        raise typer.Exit(1)


def _bundles(file: Path) -> Iterator[tuple[int, Any]]:
    if file.suffix.lower() in JSON_LINES:
        yield from ((number, _object(line)) for number, line in _lines(file))
        return
    yield 1, _object(b"".join(line for _, line in _lines(file)))
