"""A bounded rate, kept by waiting before what is to be written is given away."""

import threading
import time
from collections.abc import Callable


class Pace:
    """Lets so many records a second pass.

    Args:
        records_per_s: How many, 1 or more.
        stop: Ends a wait at once.
        clock: Monotonic seconds.
        wait: Waits so many seconds, or until asked to stop.
    """

    def __init__(
        self,
        records_per_s: int,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._seconds_each = 1 / records_per_s
        self._clock = clock
        self._wait = wait or stop.wait
        self._free_at_s = clock()

    def __call__(self, records: int) -> None:
        """Wait until the records before are paid for; time that passed unused is not saved up."""
        now_s = self._clock()
        if self._free_at_s > now_s:
            self._wait(self._free_at_s - now_s)
        self._free_at_s = max(self._free_at_s, now_s) + records * self._seconds_each
