"""`rxtract omop`: mentions with their codes as rows of OMOP's NOTE_NLP."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rxtract.addresses import records_folder
from rxtract.errors import UserError
from rxtract.sealed import count_sealed, opener, say_sealed, told
from rxtract.tables import write_csv

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def omop(
    to: Annotated[Path, typer.Argument(help="The CSV to write; it must not exist. It holds health data.")],
    records: Annotated[
        list[Path] | None, typer.Option("--records", help="A folder of records. May be repeated.")
    ] = None,
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
) -> None:
    """Write every mention as a row of NOTE_NLP (OMOP CDM 5.4), its codes in term_modifiers, and beside it FILE.notes.csv with the notes' numbers.

    Nothing is hidden here, unlike in the ready questions of `rxtract sql`: whoever gets the file must be allowed to see single notes.
    """
    import duckdb
    from outcomes.omop import COLUMNS, note_number, omop_rows
    from outcomes.questions import NoRecordsAtRest, open_records
    from outcomes.records_at_rest import DamagedManifest

    folders = records or [records_folder(stack)]
    try:
        opens = opener(stack)
        with open_records(*folders, opens=opens) as connection, told(opens):
            sealed = 0 if opens else count_sealed(connection)
            rows = _write(to, COLUMNS, omop_rows(connection))
            notes = connection.execute("SELECT source, note_id FROM notes ORDER BY ALL").fetchall()
            numbered = ((note_number(*note), *note) for note in notes)
            _write(to.with_suffix(".notes.csv"), ("note_id", "source", "source_note_id"), numbered)
    except (NoRecordsAtRest, DamagedManifest) as error:
        raise UserError(str(error)) from None
    except FileExistsError as error:
        raise UserError(f"{error.filename} exists: give a new file") from None
    except (OSError, duckdb.Error) as error:
        raise UserError(f"{to} cannot be written, or the records read: {str(error).splitlines()[0]}") from None
    say_sealed(sealed)
    print(f"{rows:,} mentions of {len(notes):,} notes: {to}")


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a CSV that only we may read; returns how many rows."""
    path.touch(mode=0o600, exist_ok=False)
    counter = itertools.count()
    try:
        with path.open("w", encoding="utf-8", newline="") as out:
            write_csv(columns, (row for row in rows if next(counter) >= 0), out)
    except BaseException:
        path.unlink()  # half of it looks like all of it
        raise
    return next(counter)
