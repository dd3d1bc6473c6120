"""Our own services as child processes: started with settings from the environment, ready when they say so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from embedded_stack import ports, probes
from embedded_stack.bytecode import bytecode_env
from embedded_stack.cache import default_cache_dir
from embedded_stack.children import ChildProcess, python_argv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

READY_TIMEOUT_S = 60.0


def no_proxy_env() -> dict[str, str]:
    """Environment that keeps clients from asking a proxy for servers on this machine."""
    kept = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = ",".join(dict.fromkeys([*filter(None, kept.split(",")), ports.LOOPBACK, "localhost"]))
    return {"no_proxy": hosts, "NO_PROXY": hosts}


class ServiceProcess:
    """One replica of a service: `python -m MODULE` with settings in its environment.

    It gets any free port for its health server and writes the port it took to a file that we read. Whoever
    starts it decides whether it is started again when it ends. It ends with us, however we end.

    Args:
        module: What to run, such as `ingestor`.
        folder: The stack's data folder; the log goes to `logs/NAME.log` in it.
        env: Settings (`RXTRACT_...`), added to our own environment.
        name: What to call this replica; the module's name if not given. Two replicas need two names.
        arguments: Arguments after the module.
        ready_path: The path of the readiness question on its health server.
    """

    def __init__(
        self,
        module: str,
        folder: Path,
        env: Mapping[str, str] | None = None,
        *,
        name: str = "",
        arguments: Sequence[str] = (),
        ready_path: str = "/ready",
    ) -> None:
        self.name = name or module
        self._ready_path = ready_path
        self._port_file = folder / "run" / f"{self.name}.port"
        settings = {
            "RXTRACT_HEALTH_HOST": ports.LOOPBACK,
            "RXTRACT_HEALTH_PORT": "0",
            "RXTRACT_HEALTH_PORT_FILE": str(self._port_file),
            **bytecode_env(default_cache_dir()),
            **no_proxy_env(),
            **(env or {}),
        }
        self._child = ChildProcess(
            self.name, python_argv(module, *arguments), folder / "logs" / f"{self.name}.log", settings
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self) -> None:
        """Start it (again) and return at once."""
        self._port_file.parent.mkdir(parents=True, exist_ok=True)
        self._port_file.unlink(missing_ok=True)
        self._child.start()

    def start_again(self, env: Mapping[str, str] | None = None) -> None:
        """Start it anew where it was: on the health port that it had, with more settings if given."""
        port = self.health_url.rpartition(":")[2]
        self._child.set_env({**({"RXTRACT_HEALTH_PORT": port} if port else {}), **(env or {})})
        self.start()

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> float:
        """Wait until it says that it is ready. Returns the seconds waited.

        Raises:
            StackError: it ended, or is not ready in time; one line with what its log says.
        """
        return self._child.wait_until(self.is_ready, timeout_s)

    def is_ready(self) -> bool:
        """Whether it says that it is ready now."""
        return bool(self.health_url) and probes.http_ok(self.health_url + self._ready_path)

    @property
    def health_url(self) -> str:
        """Base URL of its health server (/live, /ready, /metrics, /info); empty until it has one."""
        try:
            port = self._port_file.read_text(encoding="utf-8").strip()
        except OSError:
            return ""
        return f"http://{ports.LOOPBACK}:{port}" if port.isdigit() else ""

    @property
    def metrics_url(self) -> str:
        """Where Prometheus reads its metrics; empty until it has a health server."""
        return f"{self.health_url}/metrics" if self.health_url else ""

    @property
    def log_path(self) -> Path:
        """The file with its output."""
        return self._child.log_path

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's too. 0 before the start."""
        return self._child.pid

    def running(self) -> bool:
        """Whether it runs."""
        return self._child.running()

    def exit_code(self) -> int | None:
        """Its exit code (minus the signal that ended it), or None while it runs."""
        return self._child.exit_code()

    def why_ended(self) -> str:
        """One line on its end, with what its log says."""
        return self._child.why_ended()

    def end(self, grace_s: float = 15.0) -> None:
        """SIGTERM, and after `grace_s` kill -9. Does nothing when it does not run."""
        self._child.end(grace_s)

    def kill(self) -> None:
        """Kill -9, and wait for its end."""
        self._child.kill()

    def pause(self) -> None:
        """Freeze it (SIGSTOP)."""
        self._child.pause()

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._child.resume()

    def rss_bytes(self) -> int:
        """Resident memory of it and its descendants, in bytes."""
        return self._child.rss_bytes()


def end_services(services: Sequence[ServiceProcess], grace_s: float = 15.0) -> None:
    """End several at once: all are asked first, then waited for."""
    for service in services:
        service._child.ask_to_end()  # noqa: SLF001 - the same module's class
    for service in services:
        service.end(grace_s)
