"""`rxtract reconcile`: every note that was submitted, held against its effect."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from rxtract.addresses import read_addresses
from rxtract.annotations import Json
from rxtract.errors import UserError
from rxtract.moments import moment

TIMEOUT_S = 30.0
NAMES_ELSEWHERE = (
    "lost notes are named only to who asks on the ledger's own machine: kubectl port-forward, or "
    "docker compose exec ledger python -m ledger.account"
)


def reconcile(
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
    since: Annotated[
        str, typer.Option(help="Only notes submitted since then: ISO 8601, or UTC milliseconds (13 digits).")
    ] = "",
    json_: Json = False,
) -> None:
    """Account for all submitted notes, from the ledger: submitted = effects + dead letters + open + lost.

    It answers as of its last commit, a few seconds ago. A time is rounded down to its minute.
    """
    url = read_addresses(stack).need("ledger_url").ledger_url
    found = ask(url, {"since": str(moment(since))} if since else {})
    if found["lost"] and not found["named"]:
        print(f"rxtract: {NAMES_ELSEWHERE}", file=sys.stderr)
    if json_:
        del found["named"]
        sys.stdout.write(json.dumps(found) + "\n")
        return
    console = Console(highlight=False)
    for line in lines(found):
        console.print(line)


def ask(url: str, query: dict[str, str]) -> dict[str, Any]:
    """Return the ledger's account.

    Raises:
        UserError: It does not answer, or has none yet.
    """
    try:
        answer = httpx.get(f"{url.rstrip('/')}/account", params=query, timeout=TIMEOUT_S)
        found = dict(answer.json())
    except (httpx.HTTPError, ValueError):
        raise UserError(
            f"the ledger at {url} does not answer: is the stack up? RXTRACT_LEDGER_URL names its health port"
        ) from None
    if answer.status_code != httpx.codes.OK:
        raise UserError(f"the ledger answers {answer.status_code}: {found.get('error', '')}")
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """Return what a person reads."""
    answered = f"{found['effects']:,} with entities + {found['dead_letters']:,} dead letters"
    lines = [f"{found['submitted']:,} submitted = {answered} + {found['open']:,} open + {found['lost']:,} lost"]
    if found["open"]:
        lines.append(f"the oldest open note has waited for {found['oldest_open_seconds']:,.0f} s")
    lines += [f"lost: {one['source']} {one['note_id']} revision {one['revision']}" for one in found["lost_notes"]]
    if not found["lost"]:
        lines.append("every note is accounted for")
    return lines
