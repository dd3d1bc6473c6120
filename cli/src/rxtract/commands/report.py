"""`rxtract report`: the numbers of a week as a document to hand on."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from rxtract.addresses import read_addresses
from rxtract.errors import UserError
from rxtract.score_api import ask

FORMS = (".pdf", ".csv")


def report(
    out: Annotated[Path | None, typer.Argument(help="FILE.pdf or FILE.csv; rxtract-report-DAY.pdf if absent.")] = None,
    week: Annotated[
        bool, typer.Option("--week/--today", help="Today and the seven days before, or today alone.")
    ] = True,
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
) -> None:
    """Write every KPI with its target, the days, and what to do where a target is missed, as PDF or CSV."""
    if out is not None and out.suffix not in FORMS:
        raise UserError(f"{out}: give a name that ends in .pdf or .csv")
    url = read_addresses(stack).need("score_url").score_url
    found = ask(f"{url}/api/kpis?window={'week' if week else 'today'}")
    out = out or Path(f"rxtract-report-{found['window']['last_day']}.pdf")
    try:
        if out.suffix == ".csv":
            _write_csv(out, found)
        else:
            from rxtract.report_pdf import write_pdf

            write_pdf(out, found)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}): name another file") from None
    Console(highlight=False).print(f"written: {out}", soft_wrap=True)


def _write_csv(out: Path, found: dict[str, Any]) -> None:
    """One row for each KPI; the days stand in columns of their own."""
    days = sorted({day for kpi in found["kpis"].values() for day in kpi["days"]})
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "title", "value", "unit", "target", "better", "met", *days, "what_to_do"])
        for name, kpi in found["kpis"].items():
            values = [kpi[field] for field in ("title", "value", "unit", "target", "better", "met")]
            writer.writerow([name, *values, *(kpi["days"].get(day) for day in days), kpi["remedy"]])
