"""Dead letters looked at and sent again. Reads without a group: looking changes nothing."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaException
from contracts.registry import Registry, RegistryUnavailable
from contracts.topics import dlq_of, load_topics
from runtime.errors import DeliveryFailed, ProducerBroken, Recoverable, Rejected
from runtime.kafka import letters as way_back
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.reader import RecordReader, open_client
from runtime.kafka.records import OutputRecord
from runtime.kafka.seen import Decoders, Seen
from runtime.service.settings import ServiceSettings

_SILENT_S, _SENT_S, _WAIT_S = 10.0, 10.0, 10.0
_LETTER_BYTES = 1 << 20


class Letters:
    """The dead letters of a cluster, one asker at a time.

    Args:
        settings: Where Kafka is and how topics are called.
        registry: Knows the schemas.
        decoders: What a letter is read with.
        errors: Counts what is told in place of records.
        make_consumer: Makes a client that is told nothing but addresses.
        make_producer: Makes a producer.
        seal: Seals the texts of what goes back.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        registry: Registry,
        decoders: Decoders | None = None,
        errors: ConsumerErrors | None = None,
        make_consumer: Callable[[], Consumer] | None = None,
        make_producer: Callable[[], DeliveryProducer] | None = None,
        *,
        seal: way_back.Seal = lambda record: record,
    ) -> None:
        config = settings.kafka_client_config()
        self._settings = settings
        self._registry = registry
        self._decoders = decoders or Decoders(registry, settings.topic_prefix)
        self._make_consumer = make_consumer or (
            lambda: open_client({**config, "fetch.message.max.bytes": _LETTER_BYTES}, errors)
        )
        self._make_producer = make_producer or (lambda: DeliveryProducer(config))
        self._errors = errors
        self._seal = seal
        self._lock = threading.Lock()

    def topics(self) -> list[str]:
        """Contract topics that have dead letters."""
        return [topic.name for topic in load_topics().values() if topic.dlq]

    def newest(self, topics: Sequence[str], most: int) -> list[dict[str, Any]]:
        """The newest letters of each of these contract topics without what is in them (`runtime.kafka.letters.summary`).

        Raises:
            Recoverable: Kafka does not answer, or another asker takes too long.
        """
        names = [self._settings.topic(dlq_of(topic)) for topic in topics]
        with self._reading(names) as reader:
            found = reader.extents()
            begins = {place: max(low, end - most) for place, (low, end) in found.items() if low < end}
            reader.begin(dict(begins), {place: found[place].low for place in begins})
            ends = {place: found[place].end for place in begins}
            return [way_back.summary(Seen(*one, None, "")) for one in reader.up_to(ends, _SILENT_S)]

    def one(self, topic: str, partition: int, offset: int) -> Seen | None:
        """One letter of a contract topic, decoded; None: there is none at that place.

        Raises:
            Recoverable: Kafka or the registry does not answer.
        """
        name = self._settings.topic(dlq_of(topic))
        place = (name, partition)
        with self._reading([name]) as reader:
            extent = reader.extents().get(place)
            if extent is None or not extent.low <= offset < extent.end:
                return None
            reader.begin({place: offset}, {place: extent.low})
            found = next((one for one in reader.up_to({place: offset + 1}, _SILENT_S)), None)
        if found is None or found.offset != offset:
            return None
        try:
            return self._decoders.seen(found)
        except RegistryUnavailable:
            raise Recoverable("the schema registry does not answer") from None

    def again(self, letter: Seen, fields: dict[str, Any] | None) -> OutputRecord:
        """What goes back of a letter: as it was, or with these fields.

        Raises:
            LetterError: It cannot be.
            Recoverable: The registry or the key store does not answer.
        """
        try:
            if fields is not None:
                return way_back.mended(letter, fields, self._encode)
            way_back.check_bytes(letter)
            records, done = way_back.to_send([letter], self._encode)
        except RegistryUnavailable:
            raise Recoverable("the schema registry does not answer") from None
        if done.exhausted:
            raise way_back.LetterError(f"it was tried {way_back.MAX_ATTEMPTS} times or more: mend it")
        if not records:
            raise way_back.LetterError("it is no whole record: mend it")
        return records[0]

    def send(self, record: OutputRecord) -> None:
        """Send it, and wait for the broker's word.

        Raises:
            Recoverable: It was not taken.
        """
        producer = self._make_producer()
        try:
            producer.send([record]).wait(_SENT_S)
        except (DeliveryFailed, Rejected, ProducerBroken) as error:
            raise Recoverable(f"Kafka did not take it: {error}") from None
        finally:
            producer.close(0)

    def _encode(self, topic: str, fields: dict[str, Any]) -> bytes:
        return way_back.encode(self._registry, self._settings.topic_prefix, topic, fields, seal=self._seal)

    @contextmanager
    def _reading(self, names: Sequence[str]) -> Iterator[RecordReader]:
        if not self._lock.acquire(timeout=_WAIT_S):
            raise Recoverable("somebody else is looking at dead letters: try again in a moment")
        try:
            with RecordReader(self._make_consumer(), names, self._errors) as reader:
                yield reader
        except KafkaException as error:
            raise Recoverable(f"Kafka cannot be asked: {error.args[0].name()}") from None
        finally:
            self._lock.release()
