"""`rxtract quality`: live quality from people's words, and what the model expects of itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from outcomes.quality import NOTHING_SAID
from rich.console import Console
from rich.table import Table

from rxtract.addresses import read_addresses
from rxtract.annotations import Json
from rxtract.score_api import ask


def quality(
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
    json_: Json = False,
) -> None:
    """Print precision, recall and F1 with 95 % intervals, by model version, by city and by both, from the audit sample alone."""
    url = read_addresses(stack).need("score_url").score_url
    found = ask(f"{url}/api/quality")
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


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("what", overflow="fold")
    table.add_column("label", no_wrap=True)
    for name in ("audited", "precision", "recall", "F1", "expected"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        what = _what(row["version"], row["city"])
        if not row["labels"]:
            table.add_row(what, "", "0", "-", "-", "none yet", _share(row["estimated_f1"]))
        for one in sorted(row["labels"], key=lambda one: one["label"] != "ALL"):
            whole = one["label"] == "ALL"
            scores = [_ranged(one, name) for name in ("precision", "recall", "f1")]
            audited = f"{row['audited_notes']:,}" if whole else ""
            expected = _share(row["estimated_f1"]) if whole else ""
            table.add_row(what if whole else "", one["label"], audited, *scores, expected)
    return table


def _what(version: str, city: str) -> str:
    parts = [f"version {version}" if version else "", city]
    return "\nin ".join(part for part in parts if part) or "all notes"


def _ranged(label: dict[str, Any], name: str) -> str:
    """A value, and under it its interval; from an older scorekeeper precision and recall come without.

    One note alone, or none with such a mention, leaves nothing to say.
    """
    low, high = label.get(f"{name}_low"), label.get(f"{name}_high")
    if (low, high) == NOTHING_SAID:
        return "-"
    ends = "" if low is None or high is None else f"\n{_share(low)}-{_share(high)}"
    return f"{_share(label[name])}{ends}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
