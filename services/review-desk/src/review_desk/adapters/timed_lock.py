"""A lock with a timeout, so that those who wait cannot exhaust the thread pool, which serves the page as well."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import Recoverable

LOCK_TIMEOUT_S = 1.0
"""A request waits so long behind others: a broker that is silent for seconds would hold all threads."""


@contextmanager
def held(lock: threading.Lock, lock_timeout_s: float, too_long: str) -> Iterator[None]:
    """Hold a lock.

    Raises:
        Recoverable: It was not free in time; with the message `too_long`.
    """
    if not lock.acquire(timeout=lock_timeout_s):
        raise Recoverable(too_long)
    try:
        yield
    finally:
        lock.release()
