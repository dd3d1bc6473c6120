"""`rxtract up`: the whole stack, until Ctrl-C."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from embedded_stack.errors import StackError
from embedded_stack.progress import Checklist, PlainLines, Stopwatch
from rich.console import Console

from rxtract.addresses import remember_stack
from rxtract.bringup import Revivals, bring_up, links
from rxtract.errors import UserError
from rxtract.signals import INTERRUPTED, end_as_by_ctrl_c

if TYPE_CHECKING:
    from rxtract.bringup import Running

LOOK_EVERY_S = 0.5
NEXT = (
    "simulate --notes 500",
    "tap entities.extracted.v1 --from-start --limit 5",
    'sql "SELECT text, label, count(*) AS times FROM facts GROUP BY ALL ORDER BY times DESC LIMIT 5"',
)
"""What a newcomer does next: notes in, entities out, a question to them."""


def up(
    data: Annotated[Path, typer.Option(help="The stack's folder; it also holds stack.json and the logs.")] = Path(
        ".rxtract"
    ),
    ephemeral: Annotated[bool, typer.Option(help="Keep nothing; what an earlier stack kept is not touched.")] = False,
    extractors: Annotated[int, typer.Option(min=1, max=12, help="How many extractors.")] = 1,
    port_base: Annotated[
        int | None,
        typer.Option(help="First of ten ports to take; else those of the last time in this folder, or free ones."),
    ] = None,
) -> None:
    """Start Kafka, the schema registry, Redis, MLflow and the services; run until Ctrl-C, then end all of it."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    clock = Stopwatch()
    end_as_by_ctrl_c()
    running: Running | None = None
    try:
        with contextlib.ExitStack() as ending:
            checklist = ending.enter_context(contextlib.ExitStack())
            progress = checklist.enter_context(Checklist(console)) if console.is_terminal else PlainLines()
            running = ending.enter_context(
                bring_up(
                    data,
                    ephemeral=ephemeral,
                    progress=progress,
                    extractors=extractors,
                    close_loop=True,
                    port_base=port_base,
                )
            )
            checklist.close()
            remember_stack(running.data_dir / "stack.json")
            _tell(running, clock.seconds)
            _watch(running, console)
    except KeyboardInterrupt:
        console.print(f"stopped{'' if running else ' before everything was up'}")
        if running is None:
            raise typer.Exit(INTERRUPTED) from None
    except StackError as error:
        raise UserError(str(error)) from None


def typed_as(program: str) -> str:
    """Return how this program is started from this folder: by its name where the shell finds that, else by its path."""
    path, found = Path(program), shutil.which("rxtract")
    if path.name != "rxtract" or (found and Path(found).samefile(path)):
        return "rxtract"
    with contextlib.suppress(ValueError):
        near = path.absolute().relative_to(Path.cwd())
        return str(near) if len(near.parts) > 1 else f"./{near}"
    return str(path.absolute())


def _tell(running: Running, seconds: float) -> None:
    memory = sum(running.stack.rss_bytes().values()) + sum(one.rss_bytes() for one in running.services.values())
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"up after {seconds:.0f} s, {memory / 1e9:.1f} GB of memory in all")
    for name, link in links(running):
        console.print(f"  {name:<18} {link}", markup=False)
    console.print(
        f"  {'all, with tokens':<18} {running.data_dir / 'stack.json'} (metrics of each service, too)", markup=False
    )
    console.print("Next, in another terminal:")
    program = typed_as(sys.argv[0])
    for command in NEXT:
        console.print(f"  {program} {command}", markup=False)
    console.print("Ctrl-C stops everything")
    sys.stdout.flush()


def _watch(running: Running, console: Console) -> None:
    """Stay until Ctrl-C. A server or service that ends by itself is started again, and shown; one that ends too often ends everything."""
    revivals = Revivals()
    while True:
        running.revive(
            revivals, lambda line: console.print(f"{datetime.now().astimezone():%H:%M:%S} {line}", markup=False)
        )
        time.sleep(LOOK_EVERY_S)
