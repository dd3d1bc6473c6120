"""`rxtract assertion`: what notes say of given entities, without a model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from clinical_ner.meaning import shipped_reader
from rich.console import Console
from rich.text import Text
from rxtract_tagger.note_files import BadRow, NoteRow, batches

from rxtract.facts import assertion_words
from rxtract.highlight import highlight, printable
from rxtract.note_files import read_json_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.meaning import Assertion

BATCH_NOTES = 256


def assertion(
    file: Annotated[Path, typer.Argument(help='JSON lines {"text", "spans": [{"start", "end", "label"}]}.')],
    as_json: Annotated[
        bool, typer.Option("--json", help="Each row again, with status, time and experiencer on each span.")
    ] = False,
) -> None:
    """Print status, time and experiencer of each given span.

    One row in, one row out, in order. A row that cannot be used gives {id, error}, and the exit code is then 1.
    """
    reader, console = shipped_reader(), Console(highlight=False, soft_wrap=True)
    refused = 0
    for batch in batches(read_json_lines(file), BATCH_NOTES):
        rows = [_with_spans(row) for row in batch]
        notes = [row for row in rows if isinstance(row, NoteRow)]
        judged = iter(reader.read([note.text for note in notes], [note.spans or () for note in notes]))
        for row in rows:
            if isinstance(row, BadRow):
                refused += 1
                _say_bad(row, as_json=as_json)
            elif as_json:
                found = _as_object(row, next(judged).assertions)
                sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
            else:
                _print(console, row, next(judged).assertions)
    sys.stdout.flush()
    if refused:
        raise typer.Exit(1)


def _with_spans(row: NoteRow | BadRow) -> NoteRow | BadRow:
    if isinstance(row, NoteRow) and row.spans is None:
        return BadRow(row.row_id, 'no "spans": write {"text": ..., "spans": [{"start", "end", "label"}]}')
    return row


def _say_bad(row: BadRow, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(row.as_json() + "\n")
    else:
        print(f"{row.row_id}: {row.error}", file=sys.stderr)


def _as_object(row: NoteRow, assertions: Sequence[Assertion]) -> dict[str, Any]:
    spans = [
        {**span, "status": str(found.status), "time": str(found.time), "experiencer": str(found.experiencer)}
        for span, found in zip(row.record["spans"], assertions, strict=True)
    ]
    return {**row.record, "spans": spans}


def _print(console: Console, row: NoteRow, assertions: Sequence[Assertion]) -> None:
    console.print(highlight(row.text, row.spans or ()))
    for span, found in zip(row.spans or (), assertions, strict=True):
        words = assertion_words(found, row.text) or "present"
        name = printable(row.text[span.start : span.end])
        console.print(Text.assemble((f"  {span.label:<9} ", "bold"), name, (f"  {printable(words)}", "yellow")))
