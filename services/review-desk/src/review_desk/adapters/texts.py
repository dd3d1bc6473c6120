"""Requests by their place on the topic: one seek, one record, a small cache. The only place texts are kept, in memory."""

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaException, TopicPartition
from contracts.records import ReviewRequested
from contracts.wire import WireError
from runtime.errors import Recoverable
from runtime.positioned import POSITION_CONFIG, PositionedConsumer

from review_desk.adapters.patience import PATIENCE_S, in_turn

READER_CONFIG: dict[str, Any] = {
    **POSITION_CONFIG,
    "group.id": "rxtract-desk-unused",  # librdkafka wants one; nothing is committed
    "queued.min.messages": 1,
    "fetch.queue.backoff.ms": 2,  # one message fills the queue, and the usual backoff is a second
    "queued.max.messages.kbytes": 4_096,
    "fetch.wait.max.ms": 20,
    "fetch.message.max.bytes": 65_536,
}

_BEGIN_S = 5.0


class Requests(Protocol):
    """Finds requests."""

    def read(self, partition: int, offset: int) -> ReviewRequested | None:
        """The request at this place; None when it has left the topic."""


class TopicRequests:
    """`Requests` on Kafka.

    Args:
        topic: Full name of the topic of review requests.
        decode: From bytes to a request.
        consumer: Made by the bootstrap with `READER_CONFIG`.
        keep: How many requests the cache holds.
        timeout_s: How long the broker may take.
        patience_s: How long one waits behind others for the one consumer.
    """

    def __init__(
        self,
        topic: str,
        decode: Callable[[bytes | None], ReviewRequested],
        consumer: Consumer,
        keep: int = 512,
        timeout_s: float = 5.0,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._topic = topic
        self._decode = decode
        self._consumer = consumer
        self._reading = PositionedConsumer(consumer, on_halt=lambda _: None)
        self._keep = keep
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._fetching = threading.Lock()
        self._caching = threading.Lock()
        self._cache: OrderedDict[tuple[int, int], ReviewRequested] = OrderedDict()
        self._begins: dict[int, tuple[float, int]] = {}

    def read(self, partition: int, offset: int) -> ReviewRequested | None:
        """See `Requests`.

        Raises:
            Recoverable: The broker did not answer in time.
        """
        place = (partition, offset)
        found = self._cached(place)
        if found is not None:
            return found
        behind = "the note waits behind others for the broker; try again in a moment"
        with in_turn(self._fetching, self._patience_s, behind):
            found = self._cached(place) or self._fetch(partition, offset)  # somebody before us may have fetched it
            if found is not None:
                self._keep_one(place, found)
            return found

    def _cached(self, place: tuple[int, int]) -> ReviewRequested | None:
        with self._caching:
            found = self._cache.get(place)
            if found is not None:
                self._cache.move_to_end(place)
            return found

    def _keep_one(self, place: tuple[int, int], found: ReviewRequested) -> None:
        with self._caching:
            self._cache[place] = found
            if len(self._cache) > self._keep:
                self._cache.popitem(last=False)

    def _fetch(self, partition: int, offset: int) -> ReviewRequested | None:
        if offset < self._begin(partition):
            return None
        place = (self._topic, partition)
        self._reading.begin({place: offset}, {place: offset})
        positions = self._reading.positions
        deadline = time.monotonic() + self._timeout_s
        while (left := deadline - time.monotonic()) > 0:
            for record in self._reading.fetch(1, left):
                if record.offset != offset:
                    return None  # deleted by age: the broker gave the next one, twice
                try:
                    return self._decode(record.value)
                except WireError:
                    return None
            if positions.get(place) != offset or place in positions.halted:
                return None  # nothing stands there any more
        raise Recoverable("the broker did not give the note in time")

    def _begin(self, partition: int) -> int:
        """The first offset that is still there, asked for now and then: a queue of thousands that left costs no fetch for each."""
        asked_at_s, begin = self._begins.get(partition, (-_BEGIN_S, 0))
        if time.monotonic() - asked_at_s >= _BEGIN_S:
            place = TopicPartition(self._topic, partition)
            with contextlib.suppress(KafkaException):  # the fetch will tell
                begin, _ = self._consumer.get_watermark_offsets(place, timeout=self._timeout_s)
                self._begins[partition] = (time.monotonic(), begin)
        return begin
