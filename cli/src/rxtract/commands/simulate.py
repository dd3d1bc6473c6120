"""`rxtract simulate`: synthetic notes to any running stack, with a shift of the language on request."""

from __future__ import annotations

import time
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from corpus import CityShareError, Shift, ShiftKind
from corpus import simulate as notes_of
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from rxtract.addresses import read_addresses
from rxtract.backfill.doors import HttpDoor, KafkaDoor
from rxtract.commands.send import DoorName, source_of
from rxtract.errors import UserError
from rxtract.platform_notes import as_submitted
from rxtract.signals import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contracts.records import NoteSubmitted

    from rxtract.addresses import StackAddresses
    from rxtract.backfill.doors import Door

PLAIN_INTERVAL_S = 2.0
_MOST_AT_ONCE = 100
_SEND_EVERY_S = 0.5


class DriftName(StrEnum):
    """What may change in the language; all: the three together."""

    NEW_DISEASES = "new_diseases"
    NEW_DRUGS = "new_drugs"
    NEW_STYLE = "new_style"
    ALL = "all"


def simulate(
    drift: Annotated[
        str, typer.Option(help="Shifts of the language: new_diseases, new_drugs, new_style, joined by commas, or all.")
    ] = "",
    city: Annotated[str, typer.Option(help="Only in this city; everywhere when left out.")] = "",
    share: Annotated[
        float, typer.Option(min=0, max=1, help="Part of the mentions (notes, for a style) that is new.")
    ] = 0.6,
    after: Annotated[int, typer.Option(min=0, help="Notes before the shift begins.")] = 0,
    city_share: Annotated[
        float | None, typer.Option(help="Simulator only: part of all notes that is of --city, to see its shift sooner.")
    ] = None,
    notes: Annotated[int, typer.Option(min=1, help="Notes to send.")] = 1_000,
    rate: Annotated[float, typer.Option(min=0, help="Notes a second; 0: as fast as the door takes them.")] = 50.0,
    seed: Annotated[
        int | None, typer.Option(help="Of the notes; by the clock when left out, so that ids are new.")
    ] = None,
    door: Annotated[DoorName, typer.Option(help="By HTTP or as Kafka events.")] = DoorName.HTTP,
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
) -> None:
    """Send synthetic notes, marked as such, to a running stack. They count as live notes."""
    console = Console(highlight=False, soft_wrap=True)
    if city_share is not None and not city:
        raise UserError("--city-share needs --city: say which city's part it is")
    shifts = [Shift(kind, after=after, city=city or None, share=share) for kind in kinds(drift)]
    stream = notes_of(
        int(time.time()) if seed is None else seed,
        notes,
        shift=shifts,
        city_share=(city, city_share) if city_share is not None else None,
    )
    addresses = read_addresses(stack)
    opened = _open(door, addresses)
    try:
        sent, refused = _send_all(
            (as_submitted(one, source_of(None, door, addresses)) for one in stream), opened, rate, notes, console
        )
    except CityShareError as error:
        raise UserError(f"--city and --city-share: {error}") from None
    except KeyboardInterrupt:
        console.print("stopped; what was sent stays sent")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        opened.close()
    console.print(f"{sent:,} synthetic notes sent, {refused:,} refused")
    if refused:
        raise typer.Exit(1)


def kinds(drift: str) -> list[ShiftKind]:
    """Return the shifts that a comma-separated list names.

    Raises:
        UserError: One is not known.
    """
    try:
        named = [DriftName(word.strip()) for word in drift.split(",") if word.strip()]
    except ValueError:
        raise UserError(
            f"--drift: {drift} is not known: write {', '.join(DriftName)}, several joined by commas"
        ) from None
    return list(ShiftKind) if DriftName.ALL in named else [ShiftKind(name.value) for name in dict.fromkeys(named)]


def _open(door: DoorName, addresses: StackAddresses) -> Door:
    if door is DoorName.HTTP:
        return HttpDoor(addresses.need("ingest_url", "ingest_token"))
    return KafkaDoor(addresses.need("bootstrap_servers", "schema_registry_url"))


def _send_all(
    submitted: Iterator[NoteSubmitted], door: Door, rate: float, total: int, console: Console
) -> tuple[int, int]:
    """Send in batches that keep the rate; gives how many were sent and refused."""
    size = min(_MOST_AT_ONCE, max(1, int(rate * _SEND_EVERY_S))) if rate else _MOST_AT_ONCE
    began_s, offered, refused = time.monotonic(), 0, 0
    with _Display(console, total) as show:
        while batch := list(islice(submitted, size)):
            if rate:
                time.sleep(max(0.0, began_s + offered / rate - time.monotonic()))
            refused += len(door.send(batch))
            offered += len(batch)
            show(offered)
    return offered - refused, refused


class _Display:
    """Shows progress: a bar on a terminal, a plain line now and then elsewhere."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._bar = Progress(TextColumn("synthetic notes"), BarColumn(), MofNCompleteColumn(), console=console)
        self._task = self._bar.add_task("", total=total)
        self._printed_at_s = time.monotonic()

    def __enter__(self) -> Callable[[int], None]:
        if self._console.is_terminal:
            self._bar.start()
            return lambda offered: self._bar.update(self._task, completed=offered)
        return self._print

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def _print(self, offered: int) -> None:
        if time.monotonic() - self._printed_at_s >= PLAIN_INTERVAL_S:
            self._printed_at_s = time.monotonic()
            self._console.print(f"{offered:,} of {self._total:,} notes")
