"""Waiting at the start for what is not there yet: alive, not ready, one line for each new reason."""

import threading
from collections.abc import Callable
from typing import TypeVar

from contracts.registry import RegistryUnavailable, SchemaNotFound

from runtime.service.health import Liveness, Readiness
from runtime.service.logs import get_logger

CONTRACT_READ = "schemas"
"""The readiness condition that our schemas were found in the registry."""
CONTRACT_RETRY_S = 1.0

T = TypeVar("T")
_log = get_logger(__name__)


def until_made(
    make: Callable[[], T],
    condition: str,
    retry_s: float,
    *,
    stop: threading.Event,
    liveness: Liveness,
    readiness: Readiness,
    waits_for: tuple[type[Exception], ...] = (RegistryUnavailable, SchemaNotFound),
) -> T | None:
    """Try until it works; None: we were stopped.

    Args:
        make: Raises one of `waits_for` while something is not there.
        condition: The readiness condition that it meets.
        retry_s: Between two tries.
        stop: Ends the waiting.
        liveness: Ticked at each try.
        readiness: Told the reason.
        waits_for: What is waited out; anything else is raised.
    """
    logged = ""
    while not stop.is_set():
        liveness.tick()
        try:
            made = make()
        except waits_for as error:
            why = str(error)
            if why != logged:
                _log.warning("not ready", condition=condition, why=why)
            logged = why
            readiness.miss(condition, why)
        else:
            readiness.meet(condition)
            return made
        stop.wait(retry_s)
    return None
