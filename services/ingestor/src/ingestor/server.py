"""Both doors in one process: Kafka in a thread, HTTP in the main one. If one ends, so does the other."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from contracts.records import NoteAccepted
from fastapi import FastAPI
from runtime.errors import Recoverable, SettingsError, Stopped
from runtime.health import write_port
from runtime.logs import get_logger
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
        write = WriterToCome()
        door = KafkaDoor(shared, write)
        door.start()
        HttpServer(bootstrap.http_door(shared, write), shared).run([listening])
        shared.stop.set()
        door.finish()
    _log.info("stopped")


class WriterToCome:
    """The writer of accepted notes, for the time before the registry was there: HTTP answers 503 until then."""

    def __init__(self) -> None:
        self._write: Callable[[NoteAccepted], bytes] | None = None

    def come(self, write: Callable[[NoteAccepted], bytes]) -> None:
        """Here it is."""
        self._write = write

    def __call__(self, note: NoteAccepted) -> bytes:
        """Write a note.

        Raises:
            Recoverable: Not there yet.
        """
        if self._write is None:
            raise Recoverable("the schema registry was not reached yet")
        return self._write(note)


class KafkaDoor:
    """The consumer loop in its own thread, once the registry is there. Its end, whatever the reason, stops the process."""

    def __init__(self, shared: Shared, write: WriterToCome) -> None:
        self._write = write
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
            registry = bootstrap.make_registry(self._shared.settings)
            write = bootstrap.accepted_writer(self._shared, registry)
            self._write.come(write)
            bootstrap.kafka_door(self._shared, registry, write).run()
        except Stopped:
            pass
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
