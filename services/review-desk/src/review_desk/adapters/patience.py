"""One at a time, for a while: whoever waits keeps a thread, and the page needs threads as well."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import Recoverable

PATIENCE_S = 1.0
"""How long one waits behind others: a broker that is silent for seconds would have all threads."""


@contextmanager
def in_turn(lock: threading.Lock, patience_s: float, too_long: str) -> Iterator[None]:
    """Hold a lock.

    Raises:
        Recoverable: The turn did not come; with the words of `too_long`.
    """
    if not lock.acquire(timeout=patience_s):
        raise Recoverable(too_long)
    try:
        yield
    finally:
        lock.release()
