"""`rxtract sql`: ask the records at rest, by SQL or by a ready question."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from rxtract.addresses import records_folder
from rxtract.annotations import Json
from rxtract.errors import UserError
from rxtract.sealed import count_sealed, opener, say_sealed, told
from rxtract.tables import Csv, one_form, print_table, write_csv

if TYPE_CHECKING:
    import duckdb

MOST_ROWS = 100


def sql(
    question: Annotated[
        str,
        typer.Argument(
            help="One SELECT over the tables notes, entities, facts, relations, pairs, codes and coded_facts, or a ready question: "
            "diseases-by-city-and-week, treatments-per-disease, rising-mentions (these count what the patient has or is "
            "given now), diseases-by-status, treatments-by-status, relations-by-type; by code diseases-by-code, substances-by-code, "
            "mentions-without-code, rising-categories."
        ),
    ],
    records: Annotated[
        list[Path] | None,
        typer.Option(
            "--records",
            help="A folder of records: the scorekeeper's, of `rxtract batch`, of a Spark job. May be repeated.",
        ),
    ] = None,
    least_patients: Annotated[
        int, typer.Option(min=1, help="Patients (pseudonyms) on which a row of a ready question must rest to be shown.")
    ] = 5,
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Query the structured records with DuckDB. One row per note (source and note_id): its newest revision by its newest model and rules. Read only.

    `facts` are the rows of `entities` with status PRESENT, time CURRENT, experiencer PATIENT; not judged is UNKNOWN.
    """
    one_form(as_json=json_, as_csv=csv_)
    import duckdb
    from outcomes.questions import READY_BY_NAME, NoRecordsAtRest, NoSelect, open_records, select
    from outcomes.records_at_rest import DamagedManifest

    folders = records or [records_folder(stack)]
    ready = READY_BY_NAME.get(question)
    try:
        opens = opener(stack)
        with open_records(*folders, opens=opens) as connection, told(opens):
            asked = connection.execute(ready.sql, {"k": least_patients}) if ready else select(connection, question)
            names, rows = _answer(asked)
            sealed = 0 if opens else count_sealed(connection)
    except (NoRecordsAtRest, DamagedManifest, NoSelect) as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(
            f"{' or '.join(map(str, folders))} cannot be read ({error.strerror}): look at who may read it and its manifest.json"
        ) from None
    except duckdb.Error as error:
        raise UserError(
            f"{error}".splitlines()[0]
            + "; the tables are notes, entities, facts, relations, pairs, codes and coded_facts"
        ) from None
    say_sealed(sealed)
    if json_:
        _print_json(names, rows)
    elif csv_:
        write_csv(names, rows)
    else:
        print_table(names, rows[:MOST_ROWS])
        _say_more(ready is not None, len(rows), least_patients)


def _answer(asked: duckdb.DuckDBPyConnection) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names of the columns and the rows."""
    return [column[0] for column in asked.description or ()], asked.fetchall()


def _print_json(names: list[str], rows: list[tuple[Any, ...]]) -> None:
    found = [dict(zip(names, row, strict=True)) for row in rows]
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2, default=_plain) + "\n")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _say_more(ready: bool, rows: int, least_patients: int) -> None:
    """Say why nothing, or not everything, was printed."""
    more = Console(stderr=True, highlight=False)
    if rows > MOST_ROWS:
        more.print(f"{rows - MOST_ROWS:,} more rows: --csv or --json prints all", style="dim")
    if ready and not rows:
        more.print(f"no rows: none rests on {least_patients} patients yet; --least-patients N lowers that", style="dim")
