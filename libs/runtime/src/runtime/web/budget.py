"""How much a client may ask for: bytes that are in hand at once, and a rate over time. Each belongs to one thread."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class OverBudget(Exception):
    """The client must come again later.

    Attributes:
        limit: Which limit it met: a name for metrics.
        retry_after_s: Seconds after which it may pass.
        is_theirs: Whether the client itself used it up; else all together did.
    """

    def __init__(self, limit: str, retry_after_s: int, *, is_theirs: bool) -> None:
        super().__init__(limit)
        self.limit = limit
        self.retry_after_s = retry_after_s
        self.is_theirs = is_theirs


class Held:
    """Bytes of one request."""

    def __init__(self, budget: "ByteBudget", client: str) -> None:
        self._budget = budget
        self._client = client
        self.size = 0

    def reach(self, size: int) -> None:
        """Hold so many bytes in all.

        Raises:
            OverBudget: There are not enough.
        """
        if size > self.size:
            self._budget.add(self._client, size - self.size)
            self.size = size


class ByteBudget:
    """Bytes of bodies that may be in hand at once, from the first of a body to the last of its answer.

    Args:
        total: Of all clients.
        each: Of one.
        retry_after_s: What a client is told.
    """

    LIMIT = "bytes_in_flight"

    def __init__(self, total: int, each: int, retry_after_s: int = 1) -> None:
        self._total = total
        self._each = each
        self._retry_after_s = retry_after_s
        self._held: dict[str, int] = {}

    @contextmanager
    def hold(self, client: str) -> Iterator[Held]:
        """Hold bytes for as long as the context lasts."""
        held = Held(self, client)
        try:
            yield held
        finally:
            left = self._held.get(client, 0) - held.size
            if left > 0:
                self._held[client] = left
            else:
                self._held.pop(client, None)

    def add(self, client: str, size: int) -> None:
        """Called by `Held`."""
        mine = self._held.get(client, 0) + size
        if mine > self._each:
            raise OverBudget(self.LIMIT, self._retry_after_s, is_theirs=True)
        if sum(self._held.values()) + size > self._total:
            raise OverBudget(self.LIMIT, self._retry_after_s, is_theirs=False)
        self._held[client] = mine

    @property
    def held(self) -> int:
        """Bytes in hand now."""
        return sum(self._held.values())


class Rates:
    """A rate for each client, with some seconds of it at once.

    Who is not over it is let in whatever it then asks for, and pays afterwards: no request is too large for ever.

    Args:
        limit: A name for metrics.
        per_s: What a client may use in a second.
        burst_s: Seconds' worth that may be used at once.
        clock: Monotonic seconds.
    """

    def __init__(
        self, limit: str, per_s: float, burst_s: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._per_s = per_s
        self._burst_s = burst_s
        self._clock = clock
        self._paid_until_s: dict[str, float] = {}

    def check(self, client: str) -> None:
        """Let a client in.

        Raises:
            OverBudget: It used more than its rate.
        """
        over_s = self._paid_until_s.get(client, 0.0) - self._clock() - self._burst_s
        if over_s > 0:
            raise OverBudget(self._limit, int(over_s) + 1, is_theirs=True)

    def use(self, client: str, amount: float) -> None:
        """Take what a client has asked for."""
        now_s = self._clock()
        self._paid_until_s[client] = max(self._paid_until_s.get(client, now_s), now_s) + amount / self._per_s
