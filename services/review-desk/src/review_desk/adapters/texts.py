"""Records by their place on a topic: one seek, one record, a small cache. The only place texts are kept, in memory."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from confluent_kafka import Consumer, KafkaException
from contracts.record import Record
from contracts.records import ReviewRequested
from contracts.wire import WireError
from runtime.errors import Recoverable
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.reader import RecordReader

from review_desk.adapters.timed_lock import LOCK_TIMEOUT_S, held

ONE_AT_A_TIME: dict[str, Any] = {
    "queued.min.messages": 1,
    "fetch.queue.backoff.ms": 2,  # one message fills the queue, and the usual backoff is a second
    "queued.max.messages.kbytes": 4_096,
    "fetch.wait.max.ms": 20,
    "fetch.message.max.bytes": 65_536,
}

KEEP_BYTES = 16 * 1024 * 1024
_ENTRY_BYTES = 512  # what an entry takes beside its record
_BEGIN_S = 5.0


R = TypeVar("R", bound=Record)


class Requests(Protocol):
    """Finds requests."""

    def read(self, partition: int, offset: int) -> ReviewRequested | None:
        """The request at this place; None when it has left the topic."""


class TopicRecords(Generic[R]):
    """`Requests` on Kafka, and the like of it for another topic.

    Args:
        topic: Full name of the topic.
        decode: From bytes to a record.
        consumer: Made by `runtime.kafka.reader.open_client` with `ONE_AT_A_TIME`.
        errors: Takes what it says in place of records; whoever owns it ends the process when it lasts.
        keep_bytes: How much the cache holds. It keeps records as they are on the topic: their size is known, that of
            objects is not.
        timeout_s: How long the broker may take.
        lock_timeout_s: Seconds that a request waits behind others for the one consumer.
    """

    def __init__(
        self,
        topic: str,
        decode: Callable[[bytes | None], R],
        consumer: Consumer,
        errors: ConsumerErrors,
        *,
        keep_bytes: int = KEEP_BYTES,
        timeout_s: float = 5.0,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
    ) -> None:
        self._topic = topic
        self._decode = decode
        self._errors = errors
        self._reading = RecordReader(consumer, [topic], errors, on_error=errors.saw, on_halt=lambda _: None)
        self._keep_bytes = keep_bytes
        self._timeout_s = timeout_s
        self._lock_timeout_s = lock_timeout_s
        self._fetching = threading.Lock()
        self._caching = threading.Lock()
        self._cache: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._cached_bytes = 0
        self._begins: dict[int, tuple[float, int]] = {}

    def read(self, partition: int, offset: int) -> R | None:
        """See `Requests`.

        Raises:
            Recoverable: The broker did not answer in time.
        """
        place = (partition, offset)
        value = self._cached(place)
        if value is None:
            behind = "the note waits behind others for the broker; try again in a moment"
            with held(self._fetching, self._lock_timeout_s, behind):
                value = self._cached(place)  # somebody before us may have fetched it
                if value is None:
                    value = self._fetch(partition, offset)
                    self._keep(place, value)
        if value is None:
            return None
        try:
            request = self._decode(value)
        except WireError:
            return None
        # Sealed still: the patient was erased, or nobody here may open it.
        return None if getattr(request, "sealed", None) is not None else request

    @property
    def cached_bytes(self) -> int:
        """What the cache takes now."""
        return self._cached_bytes

    def _cached(self, place: tuple[int, int]) -> bytes | None:
        with self._caching:
            value = self._cache.get(place)
            if value is not None:
                self._cache.move_to_end(place)
            return value

    def _keep(self, place: tuple[int, int], value: bytes | None) -> None:
        if value is None:
            return
        with self._caching:
            self._cache[place] = value
            self._cached_bytes += len(value) + _ENTRY_BYTES
            while self._cached_bytes > self._keep_bytes:
                _, gone = self._cache.popitem(last=False)
                self._cached_bytes -= len(gone) + _ENTRY_BYTES

    def _fetch(self, partition: int, offset: int) -> bytes | None:
        """The record at a place; None when there is none any more."""
        if offset < self._begin(partition):
            return None
        place = (self._topic, partition)
        self._reading.begin({place: offset}, {place: offset})
        deadline = time.monotonic() + self._timeout_s
        while (left := deadline - time.monotonic()) > 0:
            for record in self._reading.read(1, left):
                if record.offset != offset:
                    return None  # deleted by age: the broker gave the next one, twice
                return record.value
            if self._reading.position(place) != offset or self._reading.is_halted(place):
                return None  # nothing stands there any more
        raise Recoverable("the broker did not give the note in time")

    def _begin(self, partition: int) -> int:
        """The first offset that is still there, asked for now and then: a queue of thousands that left costs no fetch for each."""
        asked_at_s, begin = self._begins.get(partition, (-_BEGIN_S, 0))
        if time.monotonic() - asked_at_s >= _BEGIN_S:
            place = (self._topic, partition)
            try:
                begin = self._reading.extents([place])[place].low
                self._begins[partition] = (time.monotonic(), begin)
            except KafkaException as error:  # the fetch will tell
                self._errors.take(error.args[0].name(), self._topic)
        return begin


TopicRequests = TopicRecords[ReviewRequested]
