"""`rxtract send`: history from a file."""

from __future__ import annotations

import hashlib
import json
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from contracts.identity import SOURCE_SYNTAX, is_source
from contracts.records import Origin
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rxtract.addresses import read_addresses
from rxtract.backfill.doors import HttpDoor, KafkaDoor
from rxtract.backfill.files import open_file
from rxtract.backfill.run import send_file
from rxtract.backfill.state import Rejects, StateFile, rejects_path
from rxtract.errors import UserError
from rxtract.signals import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from rxtract.addresses import StackAddresses
    from rxtract.backfill.doors import Door
    from rxtract.backfill.files import NoteFile
    from rxtract.backfill.state import Progress as Sent

PLAIN_INTERVAL_S = 2.0
BATCH_ROWS = {"http": 100, "kafka": 2_000}


class DoorName(StrEnum):
    """The two doors of the ingestor."""

    HTTP = "http"
    KAFKA = "kafka"


def send(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Notes as .jsonl, .csv or .parquet.")],
    door: Annotated[
        DoorName, typer.Option(help="By HTTP each refused note is answered; by Kafka it is faster.")
    ] = DoorName.HTTP,
    origin: Annotated[
        Origin, typer.Option(help="Recorded on every note, whatever the file says. Only LIVE moves live figures.")
    ] = Origin.BACKFILL,
    source: Annotated[
        str | None,
        typer.Option(help="The system that notes come from whose row names none; else that of the stack or token."),
    ] = None,
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, max=10_000, help="Notes sent at once.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Begin anew, even when the file was sent before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Send the notes of FILE. A stopped send continues where it stopped; sending a note twice is harmless.

    Columns are the fields of a submitted note. A note is known by its source and id. By HTTP the token fixes the source: a note that names
    another is refused. `source` and `revision` (1) may be absent; `written_at` is UTC milliseconds or ISO 8601 with a zone.
    Rows that are refused are written to FILE.rejected.jsonl with their reasons; the exit code is then 1.
    """
    console = Console(stderr=as_json)
    addresses = read_addresses(stack)
    source = source_of(source, door, addresses)
    file = open_file(path)
    state = StateFile(file, target_of(addresses, door, origin, source))
    if again:
        state.path.unlink(missing_ok=True)
    before = state.load()
    rejects = Rejects(rejects_path(file), before.rejects_bytes)
    if before.finished:
        _finish(console, file, before, rejects, seconds=0.0, already=True, door=door, origin=origin, as_json=as_json)
        return
    if state.was_sent_elsewhere:
        console.print(
            "this file was sent to another stack, door or origin before; it is sent here from its beginning",
            soft_wrap=True,
        )
    if before.rows_done:
        console.print(f"going on after row {before.rows_done:,}")
    opened = _open(door, addresses)
    started_s = time.monotonic()
    try:
        with _Display(console, file, before) as show:
            rows = batch or BATCH_ROWS[door]
            done = send_file(
                file,
                opened,
                state,
                rejects,
                origin,
                source=source,
                batch_rows=min(rows, 500) if door is DoorName.HTTP else rows,
                on_progress=show,
            )
    except KeyboardInterrupt:
        console.print(f"stopped after row {state.load().rows_done:,}; run the same command again to go on")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        opened.close()
    _finish(
        console,
        file,
        done,
        rejects,
        seconds=time.monotonic() - started_s,
        already=False,
        door=door,
        origin=origin,
        as_json=as_json,
        before=before,
    )


def source_of(given: str | None, door: DoorName, addresses: StackAddresses) -> str | None:
    """Return the source of notes that name none.

    "" leaves it to the HTTP door, whose token says it; None: nobody knows.

    Raises:
        UserError: what was given names no source.
    """
    if given is not None and not is_source(given):
        raise UserError(f"--source: {given!r} names no source: it is {SOURCE_SYNTAX}")
    return given or addresses.ingest_source or ("" if door is DoorName.HTTP else None)


def target_of(addresses: StackAddresses, door: DoorName, origin: Origin, source: str | None) -> str:
    """Return what tells this send from one of the same file to another place or as something else."""
    where = addresses.stack_id or (addresses.ingest_url if door is DoorName.HTTP else addresses.bootstrap_servers)
    state_key = "|".join((where, addresses.topic_prefix, door, origin, source or ""))
    return hashlib.sha256(state_key.encode()).hexdigest()[:16]


def _open(door: DoorName, addresses: StackAddresses) -> Door:
    if door is DoorName.HTTP:
        return HttpDoor(addresses.need("ingest_url", "ingest_token"))
    return KafkaDoor(addresses.need("bootstrap_servers", "schema_registry_url"))


class _Display:
    """Shows progress: a bar on a terminal, a plain line now and then elsewhere."""

    def __init__(self, console: Console, file: NoteFile, before: Sent) -> None:
        self._console = console
        self._rows = max(file.rows, before.rows_done)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        )
        self._task = self._bar.add_task(file.path.name, total=self._rows, completed=before.rows_done)
        self._printed_at_s = time.monotonic()

    def __enter__(self) -> Callable[[Sent], None]:
        if self._console.is_terminal:
            self._bar.start()
            return lambda sent: self._bar.update(
                self._task, completed=sent.rows_done, total=max(self._rows, sent.rows_done)
            )
        return self._print

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def _print(self, sent: Sent) -> None:
        if time.monotonic() - self._printed_at_s >= PLAIN_INTERVAL_S:
            self._printed_at_s = time.monotonic()
            self._console.print(
                f"{sent.rows_done:,} of about {self._rows:,} rows, {sent.rejected:,} rejected", highlight=False
            )


def _finish(
    console: Console,
    file: NoteFile,
    sent: Sent,
    rejects: Rejects,
    *,
    seconds: float,
    already: bool,
    door: DoorName,
    origin: Origin,
    as_json: bool,
    before: Sent | None = None,
) -> None:
    rows_now = sent.rows_done - (before.rows_done if before else 0)
    rate = round(rows_now / seconds) if seconds else 0
    if as_json:
        result = {"file": str(file.path), "sent": sent.sent, "rejected": sent.rejected, "already_sent": already}
        result |= {"seconds": round(seconds, 3), "rows_per_s": rate}
        result |= {"rejects": str(rejects.path) if sent.rejected else None}
        print(json.dumps(result))
    elif already:
        console.print(f"{file.path.name} was sent before: {sent.sent:,} notes; --again sends it anew", highlight=False)
    else:
        console.print(f"{sent.sent:,} notes sent; {rows_now:,} rows in {seconds:.1f} s ({rate:,}/s)", highlight=False)
        if door is DoorName.KAFKA:
            console.print(
                "what the ingestor refuses of them is in its dead letters: `rxtract dlq list`", highlight=False
            )
    if not as_json and origin is Origin.BACKFILL and sent.sent:
        console.print(
            "as BACKFILL: they get entities and rows at rest; the control page's live figures, drift and the review desk "
            "leave them out (--origin LIVE counts them)",
            highlight=False,
            soft_wrap=True,
        )
    if sent.rejected:
        if not as_json:
            console.print(
                f"{sent.rejected:,} rejected, with reasons in {rejects.path}", highlight=False, soft_wrap=True
            )
            if rejects.first:
                console.print(f"the first: {rejects.first}", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(1)
