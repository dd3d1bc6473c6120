"""Progress of long work on stderr: a bar for a person, a line a step for a log."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def steps(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a function that takes (steps done, steps in all, what was done)."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda done, total, stage: console.print(f"{title} {done}/{total}: {stage}", markup=False, soft_wrap=True)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(title, total=None)

        def report(done: int, total: int, stage: str) -> None:
            progress.update(task, completed=done, total=total, description=f"{title} {stage}")

        yield report
