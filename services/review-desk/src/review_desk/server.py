"""The page in the main thread, the follower in another. If one ends, so does the other."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from runtime.errors import SettingsError
from runtime.health import write_port
from runtime.logs import get_logger
from runtime.process import on_stop_signal

from review_desk import bootstrap
from review_desk.bootstrap import HTTP, Shared
from review_desk.follower import Follower
from review_desk.settings import ReviewDeskSettings

_GRACE_S = 10
_log = get_logger(__name__)


def serve(settings: ReviewDeskSettings) -> None:
    """Run until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: The key, the tokens or a port is not usable.
        Exception: Whatever stopped the follower.
    """
    shared = bootstrap.share(settings)
    on_stop_signal(shared.stop.set)
    listening = listen(settings)
    with bootstrap.health_server(shared) as health:
        _log.info("started", health_port=health.port, http_port=listening.getsockname()[1], people=len(shared.people))
        registry = bootstrap.make_registry(settings)
        thread = FollowerThread(shared, bootstrap.follower(shared, registry))
        thread.start()
        app = bootstrap.application(shared, bootstrap.requests(shared, registry), bootstrap.publisher(shared, registry))
        HttpServer(app, shared).run([listening])
        shared.stop.set()
        thread.finish()
    _log.info("stopped")


class FollowerThread:
    """The follower in its own thread. Its end, whatever the reason, stops the process."""

    def __init__(self, shared: Shared, follower: Follower) -> None:
        self._shared = shared
        self._follower = follower
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="follower")

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def finish(self) -> None:
        """Wait for the end, and raise what ended it."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._follower.run()
        except Exception as error:  # noqa: BLE001 - raised again by `finish`, in the main thread
            self._error = error
        finally:
            self._shared.stop.set()


class HttpServer(uvicorn.Server):
    """uvicorn, stopped by our own event instead of its signal handlers."""

    def __init__(self, app: FastAPI, shared: Shared) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_GRACE_S,
                limit_concurrency=500,
            )
        )
        self._shared = shared

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to us."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; true ends the server."""
        self._shared.http_liveness.tick()
        return await super().on_tick(counter) or self._shared.stop.is_set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._shared.readiness.meet(HTTP)


def listen(settings: ReviewDeskSettings) -> socket.socket:
    """Take the page's port before anything else is started.

    Raises:
        SettingsError: The port is taken or not ours to take.
    """
    try:
        listening = socket.create_server((settings.desk_host, settings.desk_port), backlog=256)
    except OSError as error:
        raise SettingsError(
            f"RXTRACT_DESK_PORT {settings.desk_port} cannot be used on {settings.desk_host} ({error.strerror}): "
            "choose another, or 0 for any free one"
        ) from None
    if settings.desk_port_file is not None:
        write_port(settings.desk_port_file, listening.getsockname()[1])
    return listening
