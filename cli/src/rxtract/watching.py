"""Watches topics from outside, as a downstream consumer would: its own reader, on a thread of its own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from contracts.topics import prefixed

from rxtract.reading import TopicReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime.kafka.seen import Seen

    from rxtract.addresses import StackAddresses

SLICE_S = 0.1
S = TypeVar("S")
T = TypeVar("T")


class Watch(Generic[S]):
    """Reads topics from their start while its block runs, and keeps what was seen.

    Args:
        addresses: Of the stack.
        topics: Plain names, dead-letter topics too.
        seen: What was seen so far; only `take` changes it.
        take: Counts one record.
        name: Of the thread.
    """

    def __init__(
        self, addresses: StackAddresses, topics: Sequence[str], seen: S, take: Callable[[Seen], None], name: str
    ) -> None:
        self._addresses = addresses
        self._topics = topics
        self._seen = seen
        self._take = take
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def look(self, question: Callable[[S], T]) -> T:
        """Return the answer to a question about what was seen so far.

        Raises:
            BaseException: what ended the reading, if something did.
        """
        if self._error is not None:
            raise self._error
        with self._lock:
            return question(self._seen)

    def wait(
        self, question: Callable[[S], bool], timeout_s: float, meanwhile: Callable[[], None] = lambda: None
    ) -> bool:
        """Ask again until the answer is yes or the time is over; `meanwhile` runs between two looks."""
        deadline = time.monotonic() + timeout_s
        while not self.look(question):
            if time.monotonic() > deadline:
                return False
            meanwhile()
            self._stop.wait(SLICE_S)
        return True

    def _run(self) -> None:
        names = [prefixed(self._addresses.topic_prefix, topic) for topic in self._topics]
        try:
            for seen in TopicReader(self._addresses).read(names, follow=True, until=self._stop.is_set):
                with self._lock:
                    self._take(seen)
        except BaseException as error:  # noqa: BLE001 - handed to whoever looks next
            self._error = error
