"""The shell of every service: settings or one clear line, logs, signals, health, an end in good order and an exit code that means something.

A service's ``__main__`` calls `run_service`; its ``bootstrap`` makes a `Shell` of its own that adds what only it has, and runs within
`Shell.running`. A service with a door takes `runtime.web.door.DoorShell` in its place.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Generic, TypeVar

from contracts.registry import OldNamespace, RegistryUnavailable, SchemaNotFound

from runtime.errors import RxtractError, SettingsError, Stopped
from runtime.service import logs
from runtime.service.core_dumps import forbid_core_dumps
from runtime.service.health import AllAlive, HealthServer, Liveness, Page, Readiness
from runtime.service.kafka_login import check_login
from runtime.service.known_variables import refuse_misspelt
from runtime.service.metrics import Metrics
from runtime.service.settings import ServiceSettings, own_variables
from runtime.service.waiting import CONTRACT_RETRY_S, until_made

OK = 0
CRASHED = 1
NOT_STARTED = 2

PROCESS = "process"
"""The readiness condition that nothing has happened that only a fresh process mends. Not named at the start."""

Settings = TypeVar("Settings", bound=ServiceSettings)
T = TypeVar("T")


class Downfall:
    """A fault, met while a request was answered, that only a fresh process mends.

    Not ready at once; the server stops as it is asked to; then the main thread raises it, and that is the process's last line.

    Args:
        stop: Set by the first fault.
        readiness: Told of it.
    """

    def __init__(self, stop: threading.Event, readiness: Readiness) -> None:
        self._stop = stop
        self._readiness = readiness
        self._error: RxtractError | None = None

    def __call__(self, error: RxtractError) -> None:
        """Let the process end of this; from any thread, as often as it is met."""
        if self._error is None:
            self._error = error
            self._readiness.miss(PROCESS, str(error))
            self._stop.set()

    def check(self) -> None:
        """Raise what was met, once all else has ended."""
        if self._error is not None:
            raise self._error


@dataclass(slots=True, kw_only=True)
class Shell(Generic[Settings]):
    """What every process has and shows; a service adds what only it has.

    Attributes:
        settings: Parsed environment.
        metrics: Built.
        readiness: What must be met before it is ready.
        liveness: Ticked by its work.
        stop: Set at SIGTERM, at SIGINT, or when a part of it has ended.
        downfall: Takes what only a fresh process mends.
    """

    settings: Settings
    metrics: Metrics
    readiness: Readiness
    liveness: Liveness = field(default_factory=Liveness)
    stop: threading.Event = field(default_factory=threading.Event)
    downfall: Downfall = field(init=False)

    def __post_init__(self) -> None:
        """Make what follows from the rest."""
        self.downfall = Downfall(self.stop, self.readiness)

    def info(self) -> Mapping[str, Any]:
        """What `/info` says beside the service's name."""
        return {}

    def alive(self) -> Liveness | AllAlive:
        """What `/live` asks."""
        return self.liveness

    def parts(self) -> Mapping[str, frozenset[str]]:
        """Readiness of parts: the conditions behind `/ready/NAME`."""
        return {}

    def pages(self) -> Mapping[str, Page]:
        """More that the health port answers."""
        return {}

    def health_server(self) -> HealthServer:
        """The server of /live, /ready, /metrics and /info."""
        return HealthServer.of(
            self.settings,
            liveness=self.alive(),
            readiness=self.readiness,
            metrics=self.metrics,
            info=lambda: {"service": self.settings.service, **self.info()},
            parts=self.parts(),
            pages=self.pages(),
        )

    @contextmanager
    def running(self, **said: Any) -> Iterator[None]:
        """Listen to signals and answer on the health port for as long as the work within lasts; then raise what it ends of.

        Args:
            said: More for the line that says that it started.
        """
        on_stop_signal(self.stop.set)
        log = logs.get_logger(self.settings.service)
        with self.health_server() as health:
            log.info("started", health_port=health.port, **said)
            yield
            self.downfall.check()
        log.info("stopped")

    def until(
        self,
        make: Callable[[], T],
        condition: str,
        retry_s: float = CONTRACT_RETRY_S,
        waits_for: tuple[type[Exception], ...] = (RegistryUnavailable, SchemaNotFound),
    ) -> T | None:
        """Try until it works; None: we were stopped. See `runtime.service.waiting.until_made`."""
        return until_made(
            make,
            condition,
            retry_s,
            stop=self.stop,
            liveness=self.liveness,
            readiness=self.readiness,
            waits_for=waits_for,
        )


def run_service(settings_type: type[Settings], serve: Callable[[Settings], None] | str) -> int:
    """Forbid core dumps, load settings, set up logging, see that a secured broker lets us in, serve until done.

    Args:
        settings_type: The service's own settings; its ``service`` attribute is the name in logs.
        serve: Runs until it is stopped. Raises `SettingsError` when it must not start (a missing key file, for example). Or the name of
            a module that has it: its libraries are imported only then, so that a wrong setting is told without waiting for them.

    Returns:
        0 after an orderly end, 1 after a crash, 2 when the settings or a cluster of the old contract do not allow a start (one line for each on stderr).
    """
    forbid_core_dumps()
    try:
        unknown = refuse_misspelt(own_variables(settings_type))
        settings = settings_type.load()
        logs.configure(settings.service, settings.log_level)
        for one in unknown:  # as an error: whoever wrote it believes that it acts
            logs.get_logger(__name__).error("unknown variable", name=one.name, did_you_mean=one.meant or None)
        check_login(settings.kafka_client_config())
        run = import_module(serve).serve if isinstance(serve, str) else serve
        run(settings)
    except Stopped:
        return OK  # asked to stop while it waited for something at the start
    except (SettingsError, OldNamespace) as error:
        sys.stderr.write(f"{settings_type.service}: {error}\n")
        return NOT_STARTED
    except RxtractError as error:
        logs.get_logger(__name__).critical("stopped", error=type(error).__name__, message=str(error))
        return CRASHED
    except Exception:  # noqa: BLE001 - the last line of defence: logged without its message, exit code 1
        logs.get_logger(__name__).critical("crashed", exc_info=True)
        return CRASHED
    return OK


def on_stop_signal(stop: Callable[[], None]) -> None:
    """Call ``stop`` at SIGTERM or SIGINT. Main thread only."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())
