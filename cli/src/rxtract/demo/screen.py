"""What the demo shows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rxtract.highlight import bracketed, highlight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rxtract.highlight import Marked

PLAIN_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Figures:
    """One row of the live table."""

    sent: int
    structured: int
    entities: int
    p50_ms: float
    p95_ms: float
    lag: int
    dead: int
    version: str

    def line(self) -> str:
        """Return the figures as one plain line."""
        return (
            f"notes in {self.sent:,} | structured {self.structured:,} | entities {self.entities:,} | "
            f"note to entity p50 {self.p50_ms:.0f} ms, p95 {self.p95_ms:.0f} ms | lag {self.lag:,} | "
            f"dead letters {self.dead} | model v{self.version or '-'}"
        )


class Screen:
    """Prints the story; on a terminal in colour, otherwise in plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._printed_s = 0.0

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        if self.console.is_terminal:
            self.console.print(Rule(Text(title, "bold"), align="left"))
        else:
            self.console.print(f"== {title}", markup=False)

    def say(self, words: str | Text) -> None:
        """Print a line."""
        self.console.print(words, markup=False)

    def good(self, words: str) -> None:
        """Print a step that really happened."""
        self.console.print(Text.assemble(("✓ ", "bold green"), words))

    def missed(self, words: str) -> None:
        """Print what happened, and not as it should have."""
        self.console.print(Text.assemble(("! ", "bold yellow"), words))

    def note(self, title: str, text: str, entities: Sequence[Marked]) -> None:
        """Show one note with its entities: in colour on a terminal, in brackets elsewhere."""
        if self.console.is_terminal:
            shown = highlight(text, entities)
            self.console.print(Panel(shown, title=Text(title, "dim"), title_align="left", border_style="dim"))
        else:
            self.console.print(f"[{title}] {bracketed(text, entities)}", markup=False)

    @contextmanager
    def live(self, figures: Callable[[], Figures]) -> Iterator[Callable[[], None]]:
        """Yield what refreshes the table; without a terminal it prints a line every two seconds."""
        if not self.console.is_terminal:
            yield lambda: self._plain(figures)
            self.say(figures().line())
            return
        with Live(_table(figures()), console=self.console, refresh_per_second=8) as live:
            yield lambda: live.update(_table(figures()))
            live.update(_table(figures()))

    def _plain(self, figures: Callable[[], Figures]) -> None:
        now = time.monotonic()
        if now - self._printed_s >= PLAIN_EVERY_S:
            self._printed_s = now
            self.say(figures().line())


def _table(figures: Figures) -> Group:
    table = Table.grid(padding=(0, 3))
    rows = [
        ("notes in", f"{figures.sent:,}"),
        ("structured", f"{figures.structured:,}"),
        ("entities out", f"{figures.entities:,}"),
        ("note to entity", f"p50 {figures.p50_ms:.0f} ms   p95 {figures.p95_ms:.0f} ms"),
        ("lag", f"{figures.lag:,}"),
        ("dead letters", str(figures.dead)),
        ("model", f"version {figures.version or '-'}"),
    ]
    for name, value in rows:
        table.add_row(Text(name, "dim"), Text(value, "bold"))
    return Group(table)
