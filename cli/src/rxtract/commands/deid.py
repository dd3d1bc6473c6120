"""`rxtract deid`: notes of a file with what identifies people replaced, without any server."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from deid import Style, Surrogates, find_all, replace
from rxtract_tagger.note_files import BadRow, NoteRow, batches

from rxtract.errors import UserError
from rxtract.note_files import read_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid import Span

BATCH_NOTES = 256


def deid(
    text: Annotated[str | None, typer.Argument(help="A clinical note; - reads it from standard input.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", help="Notes instead of TEXT: .jsonl {id, text}, .csv with text, .txt, or a folder of .txt."
        ),
    ] = None,
    style: Annotated[Style, typer.Option(help="What stands there then: [NAME], or another name.")] = Style.TAG,
    key_file: Annotated[
        Path | None,
        typer.Option(help="Key of the surrogates, 32 bytes or more: with it a name has the same one in every run."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a note: {id, text, spans}; offsets are the original's.")
    ] = False,
) -> None:
    """Replace names, numbers, dates and addresses that identify people. What is left may still tell who it is.

    One row in, one row out, in order. A row that cannot be used gives {id, error}, and the exit code is then 1. Entities
    that came as `spans` of a row are never cut; `entities` has them with their offsets in the new text.
    """
    key = _key(key_file, style)
    if file is not None and text is None:
        _replace_file(file, key, style, as_json=as_json)
        return
    if text is None or file is not None:
        raise UserError("give either TEXT (or -) or --file FILE")
    note = _from_stdin() if text == "-" else text
    _write(_as_object(NoteRow("1", note), find_all([note])[0], key, style), as_json=as_json)


def _key(path: Path | None, style: Style) -> bytes:
    """The key of the surrogates; without a file one for this run alone, kept nowhere."""
    if path is None:
        return secrets.token_bytes(32)
    if style is Style.TAG:
        raise UserError("--key-file is the key of surrogates: give --style surrogate with it")
    from runtime.errors import SettingsError
    from runtime.service.secret_files import read_key

    try:
        return read_key(path, "--key-file")
    except SettingsError as error:
        raise UserError(str(error)) from None


def _from_stdin() -> str:
    try:
        return sys.stdin.buffer.read().removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"standard input is not UTF-8 from byte {error.start + 1} on") from None


def _replace_file(path: Path, key: bytes, style: Style, *, as_json: bool) -> None:
    refused = 0
    for batch in batches(read_notes(path), BATCH_NOTES):
        notes = [row for row in batch if isinstance(row, NoteRow)]
        kept = [[(span.start, span.end) for span in note.spans or ()] for note in notes]
        found = iter(find_all([note.text for note in notes], kept))
        for row in batch:
            if isinstance(row, BadRow):
                refused += 1
                _write_bad(row, as_json=as_json)
            else:
                _write(_as_object(row, next(found), key, style), as_json=as_json)
    sys.stdout.flush()
    if refused:
        raise typer.Exit(1)


def _as_object(row: NoteRow, spans: Sequence[Span], key: bytes, style: Style) -> dict[str, Any]:
    """The row that is written; its `patient`, if it names one, keeps names and dates of a patient's notes together."""
    scope = str(row.record.get("patient", ""))
    made = replace(row.text, spans, Surrogates(key, scope) if style is Style.SURROGATE else None)
    found: dict[str, Any] = {
        "id": row.row_id,
        "text": made.text,
        "spans": [{"start": span.start, "end": span.end, "kind": str(span.kind)} for span in spans],
    }
    if row.spans is not None:
        ends = [(made.offsets.to_new(span.start, span.end), span.label) for span in row.spans]
        found["entities"] = [{"start": start, "end": end, "label": str(label)} for (start, end), label in ends]
    return found


def _write(found: dict[str, Any], *, as_json: bool) -> None:
    sys.stdout.write((json.dumps(found, ensure_ascii=False) if as_json else found["text"]) + "\n")


def _write_bad(row: BadRow, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(row.as_json() + "\n")
    else:
        print(f"{row.row_id}: {row.error}", file=sys.stderr)
