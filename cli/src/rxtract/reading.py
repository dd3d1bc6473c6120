"""Read topics for people: decoded where that is possible, with the reason where it is not."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition
from contracts import records
from contracts.registry import ConfluentRegistry, RegistryUnavailable
from contracts.topics import DLQ_SUFFIX, load_topics, prefixed
from contracts.wire import Deserializer, WireError

from rxtract.errors import UserError
from rxtract.kafka import client_config
from rxtract.partitioning import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from contracts.record import Record

    from rxtract.addresses import StackAddresses


WAIT_S = 0.2
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """One record of a topic. `record` is None and `problem` a reason code where the value cannot be decoded."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    record: Any
    problem: str

    def header(self, name: str) -> str:
        """Return the last header of that name as text, or an empty string."""
        found = [value for key, value in self.headers if key == name]
        return (found[-1] or b"").decode(errors="replace") if found else ""

    def json(self) -> dict[str, Any] | None:
        """Return the fields of a note that came by HTTP and was refused; None for anything else."""
        if self.header("content-type") != "application/json":
            return None
        try:
            fields = json.loads(self.value or b"")
        except ValueError:
            return None
        return fields if isinstance(fields, dict) else None


def record_type(topic: str) -> type[Record] | None:
    """Return the class of a topic's records by the topic's plain name; None for a topic that is not ours."""
    known = load_topics().get(topic)
    return getattr(records, known.record) if known and known.record else None


class TopicReader:
    """Reads the topics of one stack without a consumer group: looking changes nothing."""

    def __init__(self, addresses: StackAddresses) -> None:
        self._addresses = addresses.need("bootstrap_servers", "schema_registry_url")
        self._decoders: dict[str, Deserializer[Any] | None] = {}

    @cached_property
    def _registry(self) -> ConfluentRegistry:
        return ConfluentRegistry(self._addresses.schema_registry_url)

    def names(self) -> list[str]:
        """Return the topics of this stack that exist, in order."""
        consumer = self._consumer()
        try:
            found = consumer.list_topics(timeout=10).topics
        except KafkaException:
            raise _unreachable(self._addresses) from None
        finally:
            consumer.close()
        known = load_topics()
        ours = {prefixed(self._addresses.topic_prefix, name) for name in known}
        return sorted(name for name in found if name.removesuffix(DLQ_SUFFIX) in ours)

    def read(
        self,
        topics: Sequence[str],
        *,
        key: bytes | None = None,
        wanted: Callable[[bytes | None], bool] = lambda _: True,
        follow: bool = False,
        from_end: bool = False,
        last: int | None = None,
        until: Callable[[], bool] = lambda: False,
    ) -> Iterator[Seen]:
        """Yield the records of `topics` (full names), partition by partition as they come.

        With `key` only that key's partition is read; records with other keys than the `wanted` ones are passed over. Without `follow` the reading ends at the offsets that were last when
        it began; `last` starts that many records before the end of each partition. It also ends when `until` says so.
        """
        consumer = self._consumer()
        try:
            ends = self._assign(consumer, topics, key=key, from_end=from_end, last=last)
            open_ends = {at: end for at, (start, end) in ends.items() if start < end}
            while (follow or open_ends) and not until():
                for message in self._some(consumer):
                    if message.error():
                        raise UserError(f"cannot read {message.topic()}: {message.error().str()}")
                    at = (message.topic(), message.partition())
                    if key in {None, message.key()} and wanted(message.key()):
                        yield self._seen(message)
                    if at in open_ends and message.offset() + 1 >= open_ends[at]:
                        del open_ends[at]
        finally:
            consumer.close()

    @staticmethod
    def _some(consumer: Consumer) -> list[Any]:
        """Return what has come: the first record as soon as it is there, then what lies ready behind it."""
        first = consumer.poll(WAIT_S)
        return [] if first is None else [first, *consumer.consume(AT_ONCE, timeout=0)]

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                **client_config(self._addresses, "rxtract-look"),
                "group.id": f"rxtract-look-{time.time_ns()}",
                "enable.auto.commit": False,
                "allow.auto.create.topics": False,
                "fetch.max.bytes": 8 * 1024 * 1024,
                "log_level": 0,
            }
        )

    def _assign(
        self, consumer: Consumer, topics: Sequence[str], *, key: bytes | None, from_end: bool, last: int | None
    ) -> dict[tuple[str, int], tuple[int, int]]:
        try:
            known = consumer.list_topics(timeout=10).topics
        except KafkaException:
            raise _unreachable(self._addresses) from None
        ends: dict[tuple[str, int], tuple[int, int]] = {}
        start_at: list[TopicPartition] = []
        for topic in topics:
            if topic not in known:
                raise UserError(
                    f"no topic {topic}: `rxtract topics list` names them, `rxtract topics apply` makes them"
                )
            count = len(known[topic].partitions)
            for partition in range(count) if key is None else [partition_of(key, count)]:
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
                start = high if from_end else low if last is None else max(low, high - last)
                ends[topic, partition] = (start, high)
                mark = OFFSET_END if from_end else OFFSET_BEGINNING if start == low else start
                start_at.append(TopicPartition(topic, partition, mark))
        consumer.assign(start_at)
        return ends

    def _seen(self, message: Any) -> Seen:
        record, problem = self._decode(message.topic(), message.value())
        return Seen(
            message.topic(),
            message.partition(),
            message.offset(),
            message.timestamp()[1],
            message.key(),
            message.value(),
            tuple(message.headers() or ()),
            record,
            problem,
        )

    def _decode(self, topic: str, value: bytes | None) -> tuple[Any, str]:
        decoder = self._decoder(topic.removesuffix(DLQ_SUFFIX))
        if decoder is None:
            return None, "NO_RECORD_TYPE"
        try:
            return decoder(value), ""
        except WireError as error:
            return None, str(error.reason)
        except RegistryUnavailable:
            raise UserError(f"the schema registry at {self._addresses.schema_registry_url} does not answer") from None

    def _decoder(self, topic: str) -> Deserializer[Any] | None:
        if topic not in self._decoders:
            record = record_type(topic.removeprefix(self._addresses.topic_prefix))
            self._decoders[topic] = Deserializer.for_topic(record, self._registry, topic) if record else None
        return self._decoders[topic]


def _unreachable(addresses: StackAddresses) -> UserError:
    return UserError(f"no Kafka at {addresses.bootstrap_servers}: is the stack up? `rxtract doctor` says what answers")
