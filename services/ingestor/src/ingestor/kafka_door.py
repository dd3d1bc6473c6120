"""The Kafka door's life. A fault of it does not close the HTTP door.

A loop that failed is as good as new when it is made anew: client, positions and marks come from Kafka. So it begins again after a pause,
without end, and readiness, a counter and an alert say so; /ready/http is for whoever only sends by HTTP. What only a fresh process mends
(a crash in C, a broken producer of the HTTP door) ends both.
"""

import time
from collections.abc import Callable

from contracts.records import NoteAccepted
from runtime.errors import Recoverable, SettingsError, Stopped
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.service.logs import get_logger, safe_message
from runtime.service.run import Shell
from runtime.stream.loop import ConsumerLoop
from runtime.stream.retry import Backoff, wait
from runtime.stream.state import ASSIGNED

from ingestor.metrics import DOOR_FAULTS
from ingestor.settings import IngestorSettings

_STEADY_S = 60.0
_PAUSES = Backoff(first_s=1.0, max_s=30.0)
_log = get_logger(__name__)


class LateWriter:
    """The writer of accepted notes, also for the time before the registry was there: HTTP answers 503 until then."""

    def __init__(self) -> None:
        self._write: Callable[[NoteAccepted], bytes] | None = None

    def set(self, write: Callable[[NoteAccepted], bytes]) -> None:
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


def keep_open(shell: Shell[IngestorSettings], make: Callable[[], ConsumerLoop], errors: ConsumerErrors) -> None:
    """Run the loop until stopped; it begins again after a fault.

    Args:
        shell: Of the process.
        make: Makes a loop.
        errors: What its consumers are told in place of records.

    Raises:
        Stopped: Asked to stop while it waited.
    """
    pauses = _PAUSES.pauses_s()
    while not shell.stop.is_set():
        began_s = time.monotonic()
        try:
            make().run()
        except (Stopped, SettingsError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no fault of the HTTP door
            if time.monotonic() - began_s > _STEADY_S:
                pauses = _PAUSES.pauses_s()
            pause_s = next(pauses)
            _report(shell, error, pause_s)
            wait(shell.stop, pause_s, shell.liveness.tick)
            errors.begin_again()  # behind the pause: it may be longer than an error may last


def _report(shell: Shell[IngestorSettings], error: Exception, pause_s: float) -> None:
    name = type(error).__name__
    shell.metrics.counter(DOOR_FAULTS).inc()
    shell.readiness.miss(ASSIGNED, f"the Kafka door failed ({name}) and begins again")
    _log.error(
        "the Kafka door failed", error=name, message=safe_message(error), pause_s=round(pause_s, 1), exc_info=error
    )
