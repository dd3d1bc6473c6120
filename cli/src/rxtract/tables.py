"""Tables that can be copied: whole cells at any width, everything in a pipe, CSV for other programs."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rxtract.errors import UserError
from rxtract.highlight import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Csv = Annotated[bool, typer.Option("--csv", help="Comma-separated values on stdout, every row.")]
_GAP = 2
_IN_A_PIPE = 100_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def one_form(*, as_json: bool, as_csv: bool) -> None:
    """Raise `UserError` where two forms are asked for at once."""
    if as_json and as_csv:
        raise UserError("give --json or --csv, not both")


def write_csv(names: Sequence[str], rows: Iterable[Sequence[object]], out: TextIO | None = None) -> None:
    """Write rows for other programs. Text that a spreadsheet would run as a formula is kept from it by an apostrophe."""
    writer = csv.writer(out or sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_safe(cell) for cell in row] for row in rows)


def print_table(names: Sequence[str], rows: Sequence[Sequence[object]], console: Console | None = None) -> None:
    """Print columns where they fit, else each row as lines of a name and a value. No cell is cut or broken.

    Args:
        names: Of the columns.
        rows: Cells; None prints as nothing, numbers stand on the right.
        console: By default stdout; in a pipe it is as wide as the table.
    """
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = _IN_A_PIPE
    shown = [["" if cell is None else printable(str(cell)).replace("\n", "; ") for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(names, *shown, strict=True)]
    if sum(widths) + _GAP * (len(widths) - 1) <= console.width:
        console.print(_columns(names, rows, shown))
        return
    wide = max(map(cell_len, names))
    for number, row in enumerate(shown):
        if number:
            console.print()
        for name, cell in zip(names, row, strict=True):
            console.print(Text.assemble((f"{name:<{wide}}  ", "bold"), cell), soft_wrap=True)


def _columns(names: Sequence[str], rows: Sequence[Sequence[object]], shown: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    for place, name in enumerate(names):
        numeric = bool(rows) and all(isinstance(row[place], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in shown:
        table.add_row(*map(Text, row))
    return table


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
