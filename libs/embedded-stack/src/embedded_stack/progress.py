"""What a person sees while servers start: a live checklist on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

WAITING, BUSY, READY, FAILED = "waiting", "busy", "ready", "failed"


class Progress(Protocol):
    """Told about every step of every component. Called from several threads."""

    def __call__(self, title: str, state: str, words: str) -> None:
        """`title` is now in `state` (waiting, busy, ready, failed); `words` say more, or are empty."""
        ...


def silent(title: str, state: str, words: str) -> None:
    """Progress that nobody sees."""


class PlainLines:
    """One line a change, for logs and pipes."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._last: dict[str, str] = {}

    def __call__(self, title: str, state: str, words: str) -> None:
        """Print a line when the state changes."""
        if self._last.get(title) == state and state != FAILED:
            return
        self._last[title] = state
        if state != WAITING:
            self._console.print(
                f"{title}: {state if state != BUSY else 'starting'}{f' ({words})' if words else ''}", markup=False
            )


class Checklist:
    """A table that redraws itself while the `with` block runs."""

    _MARKS = {WAITING: "[dim]·[/]", BUSY: "[yellow]…[/]", READY: "[green]✓[/]", FAILED: "[red]✗[/]"}  # noqa: RUF012

    def __init__(self, console: Console | None = None) -> None:
        self._rows: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()
        self._live = Live(console=console or Console(stderr=True), get_renderable=self._table, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def __call__(self, title: str, state: str, words: str) -> None:
        """Note the new state; the screen follows by itself."""
        with self._lock:
            self._rows[title] = (state, words)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        with self._lock:
            for title, (state, words) in self._rows.items():
                table.add_row(self._MARKS[state], title, Text(words, style="dim"))
        return table


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began
