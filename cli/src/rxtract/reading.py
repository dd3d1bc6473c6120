"""Read topics for people: decoded where that is possible, with the reason where it is not."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from contracts import records
from contracts.registry import ConfluentRegistry, RegistryUnavailable
from contracts.topics import DLQ_SUFFIX, load_topics, prefixed
from contracts.wire import Deserializer, WireError
from runtime.errors import Recoverable
from runtime.positioned import POSITION_CONFIG, Growth, PositionedConsumer

from rxtract.errors import UserError
from rxtract.kafka import client_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from contracts.record import Record
    from runtime.positions import Partition
    from runtime.records import InputRecord

    from rxtract.addresses import StackAddresses


WAIT_S = 0.2
AT_ONCE = 500
ANSWER_S = 10.0
SILENT_S = 30.0


class Stretch(NamedTuple):
    """What a partition holds.

    Attributes:
        low: The first offset.
        readable: The offset behind the last record that can be read.
        end: The end of the log: what lies between stands behind a transaction that is open.
    """

    low: int
    readable: int
    end: int


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
        wanted: Callable[[bytes | None], bool] = lambda _: True,
        follow: bool = False,
        from_end: bool = False,
        last: int | None = None,
        until: Callable[[], bool] = lambda: False,
        on_open: Callable[[str, int], None] = lambda _topic, _offsets: None,
    ) -> Iterator[Seen]:
        """Yield the records of `topics` (full names), partition by partition as they come.

        Only records whose key is `wanted` are given, of all partitions: a key's partition changes when a topic grows, and not
        all producers choose alike. Without `follow` the reading ends at the last
        records that could be read when it began; `last` starts that many records before the end of each partition. It also ends when `until` says so. `on_open` hears of topics
        with offsets behind an open transaction: nobody can read them before it ends.
        """
        consumer = self._consumer()
        try:
            growth = Growth(consumer, topics)
            stretches = self._stretches(consumer, topics)
            for topic in topics:
                if hidden := sum(one.end - one.readable for (name, _), one in stretches.items() if name == topic):
                    on_open(topic, hidden)
            begins = {place: _begin(one, from_end=from_end, last=last) for place, one in stretches.items()}
            ends = {place: one.readable for place, one in stretches.items() if begins[place] < one.readable}
            reading = PositionedConsumer(consumer, on_error=self._fail)
            reading.begin(begins if follow else {place: begins[place] for place in ends}, begins)
            for record in _following(reading, growth, until) if follow else _up_to(reading, ends, until):
                if wanted(record.key):
                    yield self._seen(record)
        except KafkaException as error:
            self._fail(error.args[0])
        except Recoverable as error:
            raise UserError(str(error)) from None
        finally:
            consumer.close()

    def _fail(self, error: KafkaError, _topic: str = "") -> NoReturn:
        raise UserError(f"Kafka at {self._addresses.bootstrap_servers} cannot be read: {error.str()}") from None

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                **POSITION_CONFIG,
                **client_config(self._addresses, "rxtract-look"),
                "group.id": f"rxtract-look-{time.time_ns()}",
                "fetch.max.bytes": 8 * 1024 * 1024,
                "log_level": 0,
            }
        )

    def _stretches(self, consumer: Consumer, topics: Sequence[str]) -> dict[Partition, Stretch]:
        """Ask what each partition holds."""
        try:
            known = consumer.list_topics(timeout=ANSWER_S).topics
        except KafkaException:
            raise _unreachable(self._addresses) from None
        for topic in topics:
            if topic not in known:
                raise UserError(
                    f"no topic {topic}: `rxtract topics list` names them, `rxtract topics apply` makes them"
                )
        places = [(topic, number) for topic in topics for number in known[topic].partitions]
        admin = AdminClient(client_config(self._addresses, "rxtract-look") | {"log_level": 0})

        def ask(spec: OffsetSpec, isolation: IsolationLevel) -> dict[Partition, int]:
            wanted = {TopicPartition(*place): spec for place in places}
            answers = admin.list_offsets(wanted, isolation_level=isolation, request_timeout=ANSWER_S) if wanted else {}
            return {(one.topic, one.partition): int(answer.result().offset) for one, answer in answers.items()}

        lows = ask(OffsetSpec.earliest(), IsolationLevel.READ_COMMITTED)
        readable = ask(OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
        ends = ask(OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
        return {place: Stretch(lows[place], readable[place], ends[place]) for place in places}

    def _seen(self, message: InputRecord) -> Seen:
        record, problem = self._decode(message.topic, message.value)
        return Seen(*message, record, problem)

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


def _following(reading: PositionedConsumer, growth: Growth, until: Callable[[], bool]) -> Iterator[InputRecord]:
    """What is there and what comes, of partitions too that come."""
    while not until():
        yield from reading.fetch(AT_ONCE, WAIT_S)
        if new := growth.new(reading.positions.partitions):
            reading.add(dict.fromkeys(new))


def _up_to(reading: PositionedConsumer, ends: dict[Partition, int], until: Callable[[], bool]) -> Iterator[InputRecord]:
    """What lies before these ends."""
    left, heard_at = set(ends), time.monotonic()
    while left and not until():
        found = reading.fetch(AT_ONCE, WAIT_S)
        for record in found:
            if record.offset < ends[record.topic, record.partition]:
                yield record
        left = {place for place in left if (reading.positions.get(place) or 0) < ends[place]}
        if found:
            heard_at = time.monotonic()
        elif time.monotonic() - heard_at > SILENT_S:
            raise UserError(f"no record came for {SILENT_S:.0f} s: `rxtract doctor` says what answers")


def _begin(stretch: Stretch, *, from_end: bool, last: int | None) -> int:
    if from_end:
        return stretch.readable
    return stretch.low if last is None else max(stretch.low, stretch.readable - last)


def _unreachable(addresses: StackAddresses) -> UserError:
    return UserError(f"no Kafka at {addresses.bootstrap_servers}: is the stack up? `rxtract doctor` says what answers")
