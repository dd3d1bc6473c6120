"""`rxtract code`: the codes of diseases and treatments, as doctors write them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from terminology import Coded, Coder, TerminologyRefused

from rxtract.errors import UserError
from rxtract.highlight import printable

LABELS = ("DISEASE", "TREATMENT")
LONGEST_LINE = 2 << 20
"""Bytes of a line that are read; of a mention 200 characters are looked at."""


def code(
    mention: Annotated[str | None, typer.Argument(help='What a note says, such as "T2DM" or "Pan-D".')] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A mention a line; - for standard input.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="DISEASE or TREATMENT; else found out.")] = None,
    context: Annotated[
        str | None, typer.Option("--context", help="The sentence around an ambiguous mention (MS, DM, PE).")
    ] = None,
    table: Annotated[Path | None, typer.Option("--table", help="One table only; else all of this environment.")] = None,
    least: Annotated[
        float | None,
        typer.Option("--least", min=0, max=1, help="Answer from this score on, instead of the measured one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a mention.")] = False,
) -> None:
    """Give mentions their codes: ICD-10 for a disease, UNII for each substance of a drug; none where that is not sure."""
    if (mention is None) == (file is None):
        raise UserError(
            'give a mention (rxtract code "T2DM") or a file of them (rxtract code --file F), one of the two'
        )
    if label is not None and label.upper() not in LABELS:
        raise UserError(f"unknown label {label!r}: give DISEASE or TREATMENT")
    try:
        coder = Coder.open(table) if least is None else Coder.open(table, least)
    except TerminologyRefused as error:
        raise UserError(str(error)) from None
    kind = label.upper() if label else None
    for text in [_printable(mention)] if mention is not None else _lines(file):
        found = coder.code(text, kind, context)
        sys.stdout.write((_as_json(text, found) if as_json else _as_line(text, found)) + "\n")


def _printable(text: str) -> str:
    """Return an argument of the command line without the bytes that were no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _lines(file: Path | None) -> Iterator[str]:
    try:
        with sys.stdin.buffer if str(file) == "-" else Path(str(file)).open("rb") as source:
            while raw := source.readline(LONGEST_LINE):
                yield raw.decode("utf-8", "replace").rstrip("\r\n").removeprefix("\ufeff")
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None


def _as_json(text: str, found: Coded | None) -> str:
    row = found.as_row() if found else {"code": None, "system": None, "score": None}
    return json.dumps({"text": text, **row}, ensure_ascii=False)


def _as_line(text: str, found: Coded | None) -> str:
    shown = printable(text[:80])
    if found is None:
        return f"{shown}: no code that is sure enough"
    codings = " + ".join(f"{one.code} {one.display}".strip() for one in found.codings)
    return f"{shown}: {codings}  ({found.how}, {found.score:.2f})"
