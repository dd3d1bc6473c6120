"""What the supervisor needs to know about a server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedded_stack.children import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from embedded_stack.cache import Cache


@dataclass(frozen=True)
class Site:
    """Where a stack lives.

    Args:
        data_dir: The folder of the servers' data.
        logs_dir: The folder of their logs.
        cache: The folder of downloads that all stacks share.
        ephemeral: Nothing has to survive the end of the stack.
        ports: The port of each component, by name.
        report: Tells the person at the screen what a component is busy with (component, words).
    """

    data_dir: Path
    logs_dir: Path
    cache: Cache
    ephemeral: bool
    ports: Mapping[str, int] = field(default_factory=dict)
    report: Callable[[str, str], None] = lambda _component, _words: None

    def report_download(self, component: str, done_bytes: int, total_bytes: int) -> None:
        """Tell how far a download is."""
        self.report(component, f"downloading, {done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB (only this once)")

    def folder(self, name: str) -> Path:
        """A folder of this stack for a component; it exists afterwards."""
        path = self.data_dir / name
        path.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run: its arguments, what is added to its environment, and its working folder."""

    argv: list[str]
    env: dict[str, str]
    cwd: Path


class Component(ABC):
    """One server of the stack."""

    name: str
    title: str
    needs: tuple[str, ...] = ()
    port_names: tuple[str, ...] = ()
    start_timeout_s = 120.0

    def __init__(self, site: Site) -> None:
        self.site = site
        self.child: ChildProcess | None = None

    @abstractmethod
    def prepare(self) -> Program:
        """Bring files into place and say what to run. Called before every start; repeating it changes nothing."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers a real request now. Never raises because of a server that is not up yet."""

    def when_ready(self) -> None:  # noqa: B027 - most have nothing to do
        """Called once after a start, when it is ready and nobody uses it yet."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where clients find it."""

    def port(self, name: str | None = None) -> int:
        """The port this stack gave it."""
        return self.site.ports[name or self.name]

    def make_child(self) -> ChildProcess:
        """Its child process, not yet started."""
        program = self.prepare()
        return ChildProcess(self.title, program.argv, self.site.logs_dir / f"{self.name}.log", program.env, program.cwd)
