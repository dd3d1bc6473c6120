"""Waiting for what is away: the same records are tried again until they pass or the process is asked to stop."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from contracts.registry import RegistryUnavailable, SubjectMissing

from runtime.errors import Recoverable, Stopped
from runtime.kafka.records import Handler, InputRecord, OutputRecord
from runtime.service.health import Readiness
from runtime.service.logs import get_logger

SUBJECT = "subject"
"""The readiness condition that the registry has the subject of what we read. Not named at the start: it is missed when it has not."""

_SLICE_S = 0.5


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between tries: exponential, bounded, and scattered by up to a quarter so that replicas do not march in step."""

    first_s: float = 0.2
    factor: float = 2.0
    max_s: float = 5.0

    def pauses_s(self) -> Iterator[float]:
        """The pauses, without end."""
        pause = self.first_s
        while True:
            yield pause * random.uniform(0.75, 1.0)
            pause = min(pause * self.factor, self.max_s)


def nothing() -> None:
    """Do nothing; the default for callbacks."""


def ignored(_: str) -> None:
    """Do nothing with a cause; the default for callbacks."""


def cause_of(error: Exception) -> str:
    """Why something is tried again, as ``rxtract_retries_total`` calls it."""
    return "subject" if isinstance(error, SubjectMissing) else "recoverable"


def retrying(
    handler: Handler,
    stop: threading.Event,
    *,
    backoff: Backoff | None = None,
    on_wait: Callable[[], None] = nothing,
    on_retry: Callable[[str], object] = ignored,
    readiness: Readiness | None = None,
) -> Handler:
    """Wrap a handler so that a `Recoverable` fault is waited out, without a limit: records wait in Kafka, which is what it is for.

    Args:
        handler: What may raise `Recoverable` (or the registry's own word for it).
        stop: Ends the waiting; the records are then left uncommitted.
        backoff: Pauses between tries.
        on_wait: Called at least twice a second while waiting, to show that we are alive.
        on_retry: Called before each further try with its cause: recoverable, or subject.
        readiness: Told of a subject that the registry has lost, and of its return.

    Raises:
        Stopped: From the wrapped handler, when asked to stop while waiting.
    """
    log = get_logger(__name__)

    def handle(records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        waits_for_subject = False
        for pause_s in (backoff or Backoff()).pauses_s():
            try:
                outputs = handler(records)
            except (Recoverable, RegistryUnavailable) as error:
                log.warning("waiting", error=type(error).__name__, message=str(error), pause_s=round(pause_s, 2))
                waits_for_subject = waits_for_subject or isinstance(error, SubjectMissing)
                cause = cause_of(error)
                if waits_for_subject and readiness is not None:
                    readiness.miss(SUBJECT, str(error))
            else:
                if waits_for_subject and readiness is not None:
                    readiness.meet(SUBJECT)
                return outputs
            wait(stop, pause_s, on_wait)
            on_retry(cause)
        raise AssertionError("pauses never end")

    return handle


def wait(stop: threading.Event, pause_s: float, on_wait: Callable[[], None] = nothing) -> None:
    """Pause, in slices.

    Raises:
        Stopped: The process was asked to stop meanwhile.
    """
    left_s = pause_s
    while left_s > 0:
        on_wait()
        slice_s = min(left_s, _SLICE_S)
        if stop.wait(slice_s):
            raise Stopped("asked to stop while waiting")
        left_s -= slice_s
