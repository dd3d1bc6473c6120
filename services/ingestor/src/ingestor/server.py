"""Both doors in one process: Kafka in a thread, HTTP in the main one. If one ends, so does the other."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from runtime.errors import SettingsError
from runtime.health import write_port
from runtime.logs import get_logger
from runtime.loop import ConsumerLoop
from runtime.process import on_stop_signal

from ingestor import bootstrap
from ingestor.bootstrap import HTTP, Shared
from ingestor.settings import IngestorSettings

_GRACE_S = 10
_log = get_logger(__name__)


def serve(settings: IngestorSettings) -> None:
    """Run until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: The key, the tokens or a port is not usable.
        Exception: Whatever stopped the Kafka door.
    """
    shared = bootstrap.share(settings)
    on_stop_signal(shared.stop.set)
    listening = listen(settings)
    with bootstrap.health_server(shared) as health:
        _log.info("started", health_port=health.port, http_port=listening.getsockname()[1], clients=len(shared.tokens))
        registry = bootstrap.make_registry(settings)
        write = bootstrap.accepted_writer(shared, registry)
        door = KafkaDoor(bootstrap.kafka_door(shared, registry, write), shared)
        door.start()
        shared.readiness.meet(HTTP)
        HttpServer(bootstrap.http_door(shared, write), shared).run([listening])
        shared.stop.set()
        door.finish()
    _log.info("stopped")


class KafkaDoor:
    """The consumer loop in its own thread. Its end, whatever the reason, stops the process."""

    def __init__(self, loop: ConsumerLoop, shared: Shared) -> None:
        self._loop = loop
        self._shared = shared
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="kafka-door")

    def start(self) -> None:
        """Begin to consume."""
        self._thread.start()

    def finish(self) -> None:
        """Wait for the end, and raise what ended it."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._loop.run()
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
                limit_concurrency=2_000,
                h11_max_incomplete_event_size=65_536,
            )
        )
        self._stop = shared.stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to us."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; true ends the server."""
        return await super().on_tick(counter) or self._stop.is_set()


def listen(settings: IngestorSettings) -> socket.socket:
    """Take the HTTP door's port before anything else is started.

    Raises:
        SettingsError: The port is taken or not ours to take.
    """
    try:
        listening = socket.create_server((settings.http_host, settings.http_port), backlog=1024)
    except OSError as error:
        raise SettingsError(
            f"RXTRACT_HTTP_PORT {settings.http_port} cannot be used on {settings.http_host} ({error.strerror}): "
            "choose another, or 0 for any free one"
        ) from None
    if settings.http_port_file is not None:
        write_port(settings.http_port_file, listening.getsockname()[1])
    return listening
