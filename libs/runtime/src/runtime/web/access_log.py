"""The access log: who was shown what of which note. It is a topic, so no log level silences it, and it is kept for a year.

What could not be logged is not shown: a record is acknowledged before its note leaves, within a bounded time.
"""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from contracts.records import AccessAction, AccessLogged, Seen
from contracts.registry import Registry, RegistryUnavailable, SchemaNotFound
from contracts.topics import ACCESS_LOGGED
from contracts.wire import Serializer, WireError

from runtime.errors import DeliveryFailed, ProducerBroken, Recoverable, Rejected
from runtime.kafka.delivery import DeliveryProducer, KafkaProducer
from runtime.kafka.records import OutputRecord
from runtime.service.clock import now_ms
from runtime.service.metrics import ACCESSES, Metrics
from runtime.service.pseudonyms import Pseudonyms
from runtime.service.settings import ServiceSettings
from runtime.web.people import Person

Publish = Callable[[Sequence[AccessLogged]], None]
_NOT_LOGGED = "nothing is shown that cannot be logged, and the access log does not answer; try again in a moment"

_NOT_TAKEN = (DeliveryFailed, ProducerBroken, Rejected, RegistryUnavailable, SchemaNotFound, WireError, TimeoutError)


class AccessLog:
    """Logs what is about to be shown.

    Args:
        service: Which one shows it.
        pseudonyms: Name notes so that only the holder of the key can lead back to them.
        publish: Returns when the records are acknowledged; raises Recoverable.
        clock: UTC milliseconds.
    """

    def __init__(
        self,
        service: str,
        pseudonyms: Pseudonyms,
        publish: Publish,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._service = service
        self._pseudonyms = pseudonyms
        self._publish = publish
        self._clock = clock

    def shown(self, person: Person, action: AccessAction, notes: Sequence[str], seen: Sequence[Seen]) -> None:
        """Log that a person is about to be shown notes.

        Args:
            person: By name, not by pseudonym: whoever reads this log asks who it was.
            action: On which occasion.
            notes: Each as the key of its topics names it.
            seen: What of them.

        Raises:
            Recoverable: It was not acknowledged in time: show nothing.
        """
        now = self._clock()
        self._publish(
            [
                AccessLogged(
                    access_id=str(uuid.uuid4()),
                    person=person.name,
                    role=person.role,
                    service=self._service,
                    action=action,
                    note_ref=self._pseudonyms.of("note", note),
                    seen=tuple(seen),
                    at=now,
                    pseudonym_key_id=self._pseudonyms.key_id,
                )
                for note in notes
            ]
        )


class TopicAccesses:
    """Publishes to the topic, one caller at a time: a producer belongs to one thread.

    Args:
        settings: Where Kafka is and what the topic is called.
        registry: Knows the schema; asked at the first access.
        timeout_s: How long a record may take, the wait behind others included.
        producer: The client to use instead of a new one (tests).
    """

    def __init__(
        self,
        settings: ServiceSettings,
        registry: Registry,
        timeout_s: float,
        metrics: Metrics,
        *,
        producer: KafkaProducer | None = None,
    ) -> None:
        self._topic = settings.topic(ACCESS_LOGGED)
        self._config: dict[str, Any] = {
            **settings.kafka_client_config(),
            "linger.ms": 0,
            "delivery.timeout.ms": int(timeout_s * 1000),
        }
        self._registry = registry
        self._timeout_s = timeout_s
        self._counter = metrics.counter(ACCESSES)
        self._given = producer
        self._delivery: DeliveryProducer | None = None
        self._write: Serializer[AccessLogged] | None = None
        self._lock = threading.Lock()

    def __call__(self, records: Sequence[AccessLogged]) -> None:
        """See `AccessLog`."""
        if not records:
            return
        try:
            self._publish(records)
        except _NOT_TAKEN as error:
            self._counter.labels("failed").inc(len(records))
            if isinstance(error, ProducerBroken):
                self._delivery = None  # the next access makes another
            raise Recoverable(_NOT_LOGGED) from None
        self._counter.labels("logged").inc(len(records))

    def _publish(self, records: Sequence[AccessLogged]) -> None:
        deadline = time.monotonic() + self._timeout_s
        if not self._lock.acquire(timeout=self._timeout_s):
            raise TimeoutError
        try:
            if self._write is None:
                self._write = Serializer.for_topic(AccessLogged, self._registry, self._topic)
            if self._delivery is None:
                self._delivery = DeliveryProducer(self._config, self._given)
            sent = [OutputRecord(self._topic, one.person.encode(), self._write(one)) for one in records]
            left_s = max(0.0, deadline - time.monotonic())
            self._delivery.send(sent, enqueue_timeout_s=left_s).wait(max(0.0, deadline - time.monotonic()))
        finally:
            self._lock.release()
