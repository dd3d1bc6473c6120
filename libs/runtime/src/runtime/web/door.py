"""The shell of a service with a door: HTTP in the main thread, its other work in one beside it. If one ends, so does the other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from runtime.service.health import AllAlive, Liveness
from runtime.service.run import Shell
from runtime.service.settings import HttpSettings
from runtime.service.threads import OtherThread
from runtime.web.server import HttpServer, door_limits, listen

Settings = TypeVar("Settings", bound=HttpSettings)


class Address(NamedTuple):
    """Where a door is, and how many may come.

    Attributes:
        host: Address.
        port: 0 takes any free one.
        variable: Environment variable that named the port, for the error.
        port_file: Where the actual port is written.
        backlog: Connections that may wait to be accepted.
        most: Connections that may be open, and requests that may be answered at once.
    """

    host: str
    port: int
    variable: str
    port_file: Path | None
    backlog: int
    most: int


@dataclass(slots=True, kw_only=True)
class DoorShell(Shell[Settings]):
    """What a process with a door has.

    Attributes:
        http_liveness: Ticked by the door.
    """

    http_liveness: Liveness = field(default_factory=Liveness)

    def alive(self) -> AllAlive:
        """Both threads."""
        return AllAlive(self.liveness, self.http_liveness)

    def serve(
        self, address: Address, beside: tuple[str, Callable[[], None]], app: Callable[[], Any], **server: Any
    ) -> None:
        """Run until asked to stop, then finish what was begun.

        Args:
            address: Where the door is.
            beside: Name and work of the other thread.
            app: Makes the ASGI application, once the health port answers.
            server: More of uvicorn's settings.

        Raises:
            SettingsError: The certificate or the port is not usable.
            Exception: Whatever ended the other thread, or only a fresh process mends.
        """
        limits = door_limits(self.settings, self.metrics)
        listening = listen(address.host, address.port, address.variable, address.port_file, backlog=address.backlog)
        with self.running(http_port=listening.getsockname()[1]):
            thread = OtherThread(*beside, self.stop)
            thread.start()
            limits |= {"limit_concurrency": address.most, **server}
            HttpServer(app(), self.stop, self.http_liveness, self.readiness, **limits).run([listening])
            self.stop.set()
            thread.finish()
