"""`rxtract reextract`: kept history through the new model."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from rxtract.addresses import read_addresses
from rxtract.annotations import Json
from rxtract.errors import UserError
from rxtract.mlflow_server import Stack, TrackingUri, need_mlflow
from rxtract.models.versions import Versions
from rxtract.reextract import Plan, Reextraction, Sent
from rxtract.signals import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAIN_INTERVAL_S = 2.0
LOOK_EVERY_S = 5.0


def reextract(
    since: Annotated[str, typer.Option(help="Notes accepted since then: ISO 8601, or UTC milliseconds.")],
    model: Annotated[
        str | None, typer.Option(help="Only while this version is champion; ends when another one comes.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, help="Notes a second at most.")] = 500.0,
    max_lag: Annotated[
        int, typer.Option(min=0, help="Hold back while more notes than this wait for the extractors.")
    ] = 500,
    again: Annotated[bool, typer.Option("--again", help="Begin anew, even when an earlier run went further.")] = False,
    name: Annotated[str, typer.Option("--name", help="The registered model.")] = "rxtract-ner",
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Send kept notes (7 days) through the champion again, with origin REEXTRACT, behind the live notes.

    They count in no live figure. A run that was stopped goes on where it was when the same --since is given.
    """
    since_ms = moment(since)
    check = _champion_check(model, name, tracking_uri, stack)
    check()
    plan = Plan(since_ms, rate, max_lag, again)
    prefix = os.environ.get("RXTRACT_GROUP_PREFIX", "")
    run = Reextraction(read_addresses(stack), plan, group_prefix=prefix, check=check)
    console = Console(stderr=json_, highlight=False, soft_wrap=True)
    try:
        sent = run.run(_Lines(console))
    except KeyboardInterrupt:
        console.print("stopped; run the same command again to go on")
        raise typer.Exit(INTERRUPTED) from None
    if json_:
        print(json.dumps({**asdict(sent), "held_s": round(sent.held_s, 1)}))
        return
    console.print(_line(sent))
    console.print("their entities come with the new model's version and serial: the highest serial counts")


def moment(given: str) -> int:
    """Return UTC milliseconds of a number or an ISO time; a time without a zone is UTC.

    Raises:
        UserError: it is neither.
    """
    if given.isdigit():
        return int(given)
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise UserError(
            f"{given!r} is no time: write one like 2026-01-31T09:00:00+05:30, or UTC milliseconds"
        ) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _champion_check(model: str | None, name: str, tracking_uri: str, stack: Path | None) -> Callable[[], None]:
    """Return what raises when the named version does not serve; it asks MLflow now and then only."""
    if model is None:
        return lambda: None
    versions = Versions(need_mlflow(tracking_uri, stack), name)
    versions.need(model)
    asked_s = -LOOK_EVERY_S

    def check() -> None:
        nonlocal asked_s
        if time.monotonic() - asked_s < LOOK_EVERY_S:
            return
        asked_s = time.monotonic()
        champion = versions.champion()
        if champion != model:
            raise UserError(
                f"version {model} does not serve, the champion is {champion or 'nobody'}: "
                f"`rxtract model promote {model}` first"
            )

    return check


class _Lines:
    """A plain line every two seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed_s = time.monotonic()

    def __call__(self, sent: Sent) -> None:
        if time.monotonic() - self._printed_s >= PLAIN_INTERVAL_S:
            self._printed_s = time.monotonic()
            self._console.print(_line(sent))


def _line(sent: Sent) -> str:
    parts = [f"{sent.read:,} of {sent.total:,} kept records read, {sent.sent:,} notes sent again"]
    if sent.copies:
        parts.append(f"{sent.copies:,} copies of earlier runs left out")
    if sent.unreadable:
        parts.append(f"{sent.unreadable:,} unreadable")
    if sent.held_s >= 1:
        parts.append(f"held back {sent.held_s:.0f} s for live notes")
    return ", ".join(parts)
