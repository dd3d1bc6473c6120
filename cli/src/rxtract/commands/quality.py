"""`rxtract quality`: live quality from people's words, and what the model expects of itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from rxtract.addresses import read_addresses
from rxtract.annotations import Json
from rxtract.errors import UserError

TIMEOUT_S = 10.0


def quality(
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
    json_: Json = False,
) -> None:
    """Print precision, recall and F1 with its 95 % interval, by model version and by city, from the audit sample alone."""
    url = read_addresses(stack).need("score_url").score_url
    found = _ask(f"{url}/api/quality")
    if json_:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    console = Console(highlight=False)
    window = found["window"]
    console.print(f"notes of {window['first_day']} to {window['last_day']}, audit sample only")
    if not found["quality"]:
        console.print("no note yet")
        return
    console.print(_table(found["quality"]))


def _ask(url: str) -> dict[str, Any]:
    try:
        answer = httpx.get(url, timeout=TIMEOUT_S)
    except httpx.HTTPError:
        raise UserError(
            f"the scorekeeper at {url} does not answer: is the stack up? `rxtract doctor` says what answers"
        ) from None
    if answer.status_code != httpx.codes.OK:
        raise UserError(f"the scorekeeper answers {answer.status_code}: it is still reading the topics, or in trouble")
    return dict(answer.json())


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("what", overflow="fold")
    table.add_column("label", no_wrap=True)
    for name in ("audited", "precision", "recall", "F1", "95 % interval", "expected"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        what = f"version {row['version']}" if row["version"] else row["city"] or "all notes"
        if not row["labels"]:
            table.add_row(what, "", "0", "-", "-", "-", "none yet", _share(row["estimated_f1"]))
        for one in sorted(row["labels"], key=lambda one: one["label"] != "ALL"):
            whole = one["label"] == "ALL"
            interval = f"{_share(one['f1_low'])}-{_share(one['f1_high'])}"
            scores = [_share(one[name]) for name in ("precision", "recall", "f1")]
            audited = f"{row['audited_notes']:,}" if whole else ""
            expected = _share(row["estimated_f1"]) if whole else ""
            table.add_row(what if whole else "", one["label"], audited, *scores, interval, expected)
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
