"""Both doors in one process: Kafka in a thread, HTTP in the main one. A fault of the Kafka door does not close the HTTP door.

A loop that failed is as good as new when it is made anew: client, positions and marks come from Kafka. So it begins again after a pause,
without end, and readiness, a counter and an alert say so; /ready/http is for whoever only sends by HTTP. What only a fresh process mends
(a crash in C, a broken producer of the HTTP door) ends both.
"""

import time
from collections.abc import Callable

from contracts.records import NoteAccepted
from runtime.errors import Recoverable, SettingsError, Stopped
from runtime.http_server import HttpServer, OtherThread, door_limits, listen
from runtime.logs import get_logger, safe_message
from runtime.loop import ASSIGNMENT
from runtime.process import on_stop_signal
from runtime.retry import Backoff, wait

from ingestor import bootstrap
from ingestor.bootstrap import Shared
from ingestor.metrics import DOOR_FAULTS
from ingestor.settings import IngestorSettings

_STEADY_S = 60.0
_PAUSES = Backoff(first_s=1.0, max_s=30.0)
_log = get_logger(__name__)


def serve(settings: IngestorSettings) -> None:
    """Run until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: The key, the tokens or a port is not usable.
        ProducerBroken: The HTTP door can never write to Kafka again.
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
        shared.downfall.check()
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
    """The Kafka door, once the registry is there; runs until stopped, and begins again after a fault.

    Raises:
        Stopped: Asked to stop while it waited.
    """
    registry = bootstrap.make_registry(shared.settings)
    writer = bootstrap.accepted_writer(shared, registry)
    write.come(writer)
    errors = bootstrap.consumer_errors(shared)
    pauses = _PAUSES.pauses_s()
    while not shared.stop.is_set():
        began_s = time.monotonic()
        try:
            bootstrap.kafka_door(shared, registry, writer, errors=errors).run()
        except (Stopped, SettingsError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no fault of the HTTP door
            if time.monotonic() - began_s > _STEADY_S:
                pauses = _PAUSES.pauses_s()
            pause_s = next(pauses)
            _tell(shared, error, pause_s)
            errors.begin_again()
            wait(shared.stop, pause_s, shared.liveness.tick)


def _tell(shared: Shared, error: Exception, pause_s: float) -> None:
    name = type(error).__name__
    shared.metrics.counter(DOOR_FAULTS).inc()
    shared.readiness.miss(ASSIGNMENT, f"the Kafka door failed ({name}) and begins again")
    _log.error(
        "the Kafka door failed", error=name, message=safe_message(error), pause_s=round(pause_s, 1), exc_info=error
    )
