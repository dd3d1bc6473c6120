"""Takes what became of notes to the one source that it reads for. A batch is done when each of its outcomes is taken or given up.

What fails is tried again with the same batch (`runtime.stream.worker` pauses between), only what is not taken yet. So a process that dies
delivers some again, under the same ids, and loses none.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from contracts.identity import note_key
from contracts.reasons import Reason
from contracts.records import EntitiesExtracted, WebhookDelivery
from contracts.topics import DLQ_SUFFIX
from contracts.wire import WireError
from runtime.errors import Recoverable
from runtime.kafka.deadletter import RESULT, SOURCE, dead_letter, header
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics
from runtime.stream.attempts import Attempts

from notifier.domain.endpoints import Endpoint
from notifier.domain.messages import Message, Place, of_event, of_letter, of_replay
from notifier.domain.verdicts import Answer, Patience, Result
from notifier.metrics import WEBHOOK_GIVEN_UP, WEBHOOK_SECONDS, WEBHOOK_TRIES, WEBHOOK_UNREADABLE, WEBHOOK_WAITING

STAGE = "notifier"
_log = get_logger(__name__)


class Courier:
    """The handler of one source's lane.

    Args:
        source: Whose notes.
        endpoint: Which of them are told.
        post: Tries each message once; None where it did not.
        read_event: From bytes to an entity event; raises WireError, or RegistryUnavailable to be waited out.
        read_delivery: The same of a delivery that is replayed.
        write: From a delivery to bytes.
        topics: Full names of the topics of entity events and of deliveries.
        patience: When an outcome is given up.
        attempts: Knows what killed earlier owners of a partition.
        clock_s: UTC seconds.
    """

    def __init__(
        self,
        source: str,
        endpoint: Endpoint,
        post: Callable[[Sequence[Message]], Sequence[Answer | None]],
        *,
        read_event: Callable[[bytes | None], EntitiesExtracted],
        read_delivery: Callable[[bytes | None], WebhookDelivery],
        write: Callable[[WebhookDelivery], bytes],
        topics: tuple[str, str],
        patience: Patience,
        attempts: Attempts,
        metrics: Metrics,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._key = f"{source}|".encode()
        self._endpoint = endpoint
        self._post = post
        self._read_event = read_event
        self._read_delivery = read_delivery
        self._write = write
        self._events, self._deliveries = topics
        self._patience = patience
        self._attempts = attempts
        self._clock_s = clock_s
        self._tries = metrics.counter(WEBHOOK_TRIES)
        self._given_up = metrics.counter(WEBHOOK_GIVEN_UP).labels(source)
        self._waiting = metrics.gauge(WEBHOOK_WAITING).labels(source)
        self._seconds = metrics.histogram(WEBHOOK_SECONDS)
        self._unreadable = metrics.counter(WEBHOOK_UNREADABLE).labels(source)
        self._ended: dict[Place, OutputRecord | None] = {}
        self._failures: Counter[Place] = Counter()
        self._not_before_s = 0.0
        self._is_gone = False

    def __call__(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """Deliver what these records say to our source; the dead letters of what was given up.

        Raises:
            Recoverable: Some of it is not taken yet.
            RegistryUnavailable: Nothing of it could be read.
        """
        places = {(record.topic, record.partition, record.offset) for record in records}
        self._ended = {place: letter for place, letter in self._ended.items() if place in places}
        self._failures = Counter({place: times for place, times in self._failures.items() if place in places})
        letters = [self._killer(record) for record in records if self._is_killer(record) and self._is_ours(record)]
        messages = [one for record in records if not self._is_killer(record) and (one := self._message(record))]
        waiting = [one for one in messages if one.place not in self._ended]
        if waiting:
            self._try(waiting)
        left = [one for one in messages if one.place not in self._ended]
        self._waiting.set(self._age_s(left))
        if left:
            raise Recoverable(f"{len(left)} outcomes wait for the receiver of {self._source}")
        given_up = [letter for one in messages if (letter := self._ended[one.place]) is not None]
        self._given_up.inc(
            len(given_up)
        )  # only now: while others wait they are no dead letters yet, and a fresh process tries them again
        return [*letters, *given_up]

    # -- what is told

    def _message(self, record: InputRecord) -> Message | None:
        """What a record says to our source; None: nothing."""
        try:
            message = self._read(record)
        except WireError as error:
            self._unreadable.inc()
            _log.error("a record cannot be told", topic=record.topic, reason=error.reason.value)
            return None
        endpoint = self._endpoint
        if message is None or (
            message.origin is not None and endpoint.origins and message.origin not in endpoint.origins
        ):
            return None
        return message

    def _read(self, record: InputRecord) -> Message | None:
        if record.topic == self._deliveries:  # somebody wants it told now, however old it is
            if not (record.key or b"").startswith(self._key):
                return None
            return of_replay(self._read_delivery(record.value), record)
        if record.timestamp_ms < self._endpoint.since_ms:
            return None
        if record.topic.endswith(DLQ_SUFFIX):
            # A key may be anybody's: only the header says whose note it was.
            return of_letter(record, self._source) if header(record.headers, SOURCE) == self._key[:-1] else None
        return of_event(self._read_event(record.value), record) if (record.key or b"").startswith(self._key) else None

    # -- telling

    def _try(self, waiting: Sequence[Message]) -> None:
        if self._is_gone or self._clock_s() < self._not_before_s:
            return  # the receiver asked for it; a 410 counts until the endpoint is written anew
        for message, answer in zip(waiting, self._post(waiting), strict=True):
            if answer is not None:
                self._judge(message, answer)

    def _judge(self, message: Message, answer: Answer) -> None:
        self._tries.labels(self._source, answer.result.value).inc()
        if answer.result is Result.DELIVERED:
            self._patience.taken()
            self._ended[message.place] = None
            self._seconds.observe(max(0.0, self._age_s([message])))
            return
        _log.warning("not delivered", source=self._source, result=answer.result.value, answer=answer.words)
        if answer.retry_after_s:
            self._not_before_s = self._clock_s() + answer.retry_after_s
        if answer.result is not Result.FAILED:
            self._is_gone = self._is_gone or answer.result is Result.GONE
            return
        self._failures[message.place] += 1
        failures = self._failures[message.place]
        if self._patience.gives_up(failures):
            self._ended[message.place] = self._letter(message, failures, answer.words)

    def _letter(self, message: Message, failures: int, words: str) -> OutputRecord:
        delivery = message.delivery
        key = note_key(delivery.source, delivery.note_id).encode()
        record = InputRecord(self._deliveries, -1, -1, delivery.occurred_at, key, self._write(delivery), ())
        letter = dead_letter(record, Reason.UNDELIVERED, STAGE, failures, source=delivery.source, origin=message.origin)
        return letter._replace(headers=(*letter.headers, (RESULT, words.encode())))

    # -- what kills

    def _is_killer(self, record: InputRecord) -> bool:
        return self._attempts.condemns and self._attempts.why_dead(record) is not None

    def _is_ours(self, record: InputRecord) -> bool:
        return (record.key or b"").startswith(self._key) or header(record.headers, SOURCE) == self._key[:-1]

    def _killer(self, record: InputRecord) -> OutputRecord:
        """It is never looked at again, so nobody knows what it would have said: its place is in the letter."""
        told = InputRecord(self._deliveries, record.partition, record.offset, record.timestamp_ms, record.key, None, ())
        letter = dead_letter(told, Reason.KILLED_PROCESS, STAGE, self._attempts.tries, source=self._source)
        return letter._replace(headers=(*letter.headers, (RESULT, record.topic.encode())))

    def _age_s(self, messages: Sequence[Message]) -> float:
        oldest_ms = min((one.delivery.occurred_at for one in messages), default=None)
        return 0.0 if oldest_ms is None else self._clock_s() - oldest_ms / 1000
