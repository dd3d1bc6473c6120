"""Both doors in one process: Kafka in a thread, HTTP in the main one. If one ends, so does the other."""

from collections.abc import Callable

from contracts.records import NoteAccepted
from runtime.errors import Recoverable
from runtime.http_server import HttpServer, OtherThread, door_limits, listen
from runtime.logs import get_logger
from runtime.process import on_stop_signal

from ingestor import bootstrap
from ingestor.bootstrap import Shared
from ingestor.settings import IngestorSettings

_log = get_logger(__name__)


def serve(settings: IngestorSettings) -> None:
    """Run until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: The key, the tokens or a port is not usable.
        Exception: Whatever stopped the Kafka door.
    """
    shared = bootstrap.share(settings)
    limits = door_limits(settings, shared.metrics)
    on_stop_signal(shared.stop.set)
    listening = listen(
        settings.http_host, settings.http_port, "RXTRACT_HTTP_PORT", settings.http_port_file, backlog=1024
    )
    with bootstrap.health_server(shared) as health:
        _log.info("started", health_port=health.port, http_port=listening.getsockname()[1], clients=len(shared.tokens))
        write = WriterToCome()
        door = OtherThread("kafka-door", lambda: kafka_door(shared, write), shared.stop)
        door.start()
        HttpServer(
            bootstrap.http_door(shared, write),
            shared.stop,
            shared.http_liveness,
            shared.readiness,
            **limits,
            limit_concurrency=2_000,
            h11_max_incomplete_event_size=65_536,
        ).run([listening])
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


def kafka_door(shared: Shared, write: WriterToCome) -> None:
    """The Kafka door, once the registry is there; runs until stopped."""
    registry = bootstrap.make_registry(shared.settings)
    writer = bootstrap.accepted_writer(shared, registry)
    write.come(writer)
    bootstrap.kafka_door(shared, registry, writer).run()
