"""`rxtract demo`: the main job, start to end, on real servers."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from corpus import simulate
from embedded_stack.errors import StackError
from embedded_stack.progress import Checklist, PlainLines, Progress
from lifecycle.gate_config import demo_settings
from rich.console import Console

from rxtract.bringup import Running, bring_up
from rxtract.demo.act import DemoFailed
from rxtract.demo.act_two import ActTwo
from rxtract.demo.browser import find_browser
from rxtract.demo.control_act import ControlAct
from rxtract.demo.desk_act import DeskAct
from rxtract.demo.goals import figures
from rxtract.demo.screen import Screen
from rxtract.demo.story import ActOne
from rxtract.errors import UserError
from rxtract.platform_notes import as_submitted
from rxtract.signals import INTERRUPTED, end_as_by_ctrl_c

SEED = 7


def demo(
    notes: Annotated[int, typer.Option(min=200, help="How many synthetic notes.")] = 2_000,
    data: Annotated[Path | None, typer.Option(help="Keep the servers' data here; otherwise it is removed.")] = None,
    pictures: Annotated[Path, typer.Option(help="Folder for screenshots of the pages.")] = Path("artifacts"),
    acts: Annotated[
        int, typer.Option(min=1, max=2, help="1: notes in, entities out; 2: then the desk, and the loop closes.")
    ] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON on standard output.")] = False,
) -> None:
    """Start everything, send notes, follow them through the system, check every step, stop everything. Exit code 0 or 1."""
    end_as_by_ctrl_c()
    began = time.monotonic()
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    screen = Screen(console)
    with contextlib.ExitStack() as ending:
        folder = data or Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="rxtract-demo-")))
        try:
            screen.chapter("Real servers")
            checklist = ending.enter_context(contextlib.ExitStack())
            progress = checklist.enter_context(Checklist(console)) if console.is_terminal else PlainLines()
            running = ending.enter_context(_stack(folder, progress, ephemeral=data is None, acts=acts))
            checklist.close()
            up_s = time.monotonic() - began
            screen.good(f"all up after {up_s:.0f} s; {_memory(running.stack.rss_bytes())}")
            synthetic = list(islice(simulate(SEED), notes))
            summary = ActOne(
                running, screen, [as_submitted(note, running.addresses.ingest_source) for note in synthetic]
            ).play()
            truths = {note.truth.text: note.truth for note in synthetic}
            browser = find_browser(screen, pictures) if acts > 1 else None
            desk = DeskAct(running, screen, truths, browser).play() if browser else None
            loop = ActTwo(running, screen).play() if acts > 1 else None
            kpis = ControlAct(running, screen, browser).play(summary.notes, "control-page") if browser else None
        except DemoFailed as error:
            raise UserError(f"demo failed at: {error}") from None
        except StackError as error:
            raise UserError(f"demo failed at: servers: {error}") from None
        except KeyboardInterrupt:
            screen.say("stopped before its end; everything that was started is being ended")
            raise typer.Exit(INTERRUPTED) from None
        screen.chapter("Summary")
        screen.good(
            f"{summary.notes:,} notes in, {summary.structured:,} structured, {summary.entities:,} entities, "
            f"{summary.dead_letters} refused with a reason, {summary.mended} mended and replayed"
        )
        screen.good(
            f"note to entity p50 {summary.p50_ms:.0f} ms, p95 {summary.p95_ms:.0f} ms, model version {summary.model_version}"
        )
        if loop is not None:
            screen.good(
                f"drift critical after {loop.seconds_to_critical:.0f} s, a new model serving after "
                f"{loop.seconds_to_recovered:.0f} s; F1 on unseen new names {loop.f1_before:.2f} to {loop.f1_after:.2f}; "
                f"version {loop.refused_version} refused, back to version {loop.rolled_back_to}"
            )
    screen.good("everything stopped")
    times = figures(time.monotonic() - began, None if loop is None else loop.seconds_to_recovered)
    for one in times:
        (screen.good if one.held else screen.missed)(one.line())
    if as_json:
        sys.stdout.write(
            json.dumps(
                {
                    **asdict(summary),
                    "desk": desk and asdict(desk),
                    "loop": loop and asdict(loop),
                    "figures": [one.to_dict() for one in times],
                    "kpis": kpis,
                    "pictures": browser.pictures if browser else [],
                }
            )
            + "\n"
        )


def _stack(
    folder: Path, progress: Progress, *, ephemeral: bool, acts: int
) -> contextlib.AbstractContextManager[Running]:
    """The stack; the second act's gate and training are the documented ones of a demo."""
    trainer = {
        "RXTRACT_GATE": json.dumps(demo_settings().to_dict()),
        "RXTRACT_TRAINING": json.dumps({"passes": 12, "calibration_folds": 2}),  # half the time, a quarter point of F1
        "RXTRACT_RETRAIN_AFTER_ANNOTATIONS": "0",  # the story is about drift; by number it would train once more
    }
    desk = {"RXTRACT_DESK_WATCH": "false", "RXTRACT_DESK_CHECK_SHARE": "0"}  # the validators are simulated
    environment = {"trainer": trainer, "review-desk": desk}
    return bring_up(folder, ephemeral=ephemeral, progress=progress, close_loop=acts > 1, service_env=environment)


def _memory(rss_bytes: dict[str, int]) -> str:
    parts = ", ".join(f"{name} {value / 1e6:.0f}" for name, value in rss_bytes.items())
    return f"memory of the servers {sum(rss_bytes.values()) / 1e9:.1f} GB ({parts} MB)"
