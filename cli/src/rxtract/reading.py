"""Read topics for people: decoded where that is possible, with the reason where it is not."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from contracts.registry import ConfluentRegistry, RegistryUnavailable
from contracts.topics import DLQ_SUFFIX, load_topics, prefixed
from runtime.errors import Recoverable
from runtime.kafka.positioned import POSITION_CONFIG
from runtime.kafka.reader import RecordReader
from sealing import opening_decoders

from rxtract.errors import UserError
from rxtract.kafka import client_config
from rxtract.sealed import patient_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runtime.kafka.positions import Partition
    from runtime.kafka.records import InputRecord
    from runtime.kafka.seen import Decoders, Seen

    from rxtract.addresses import StackAddresses


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


class TopicReader:
    """Reads the topics of one stack without a consumer group: looking changes nothing.

    Args:
        addresses: The stack.
        opens: Whether sealed texts are opened, where the keys are named; they are left sealed otherwise.
    """

    def __init__(self, addresses: StackAddresses, *, opens: bool = True) -> None:
        self._opens = opens
        self._addresses = addresses.need("bootstrap_servers", "schema_registry_url")

    @cached_property
    def _decoders(self) -> Decoders:
        keys = patient_keys(self._addresses) if self._opens else None
        registry = ConfluentRegistry(self._addresses.schema_registry_url)
        return opening_decoders(registry, self._addresses.topic_prefix, keys)

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
            stretches = self._stretches(consumer, topics)
            for topic in topics:
                if hidden := sum(one.end - one.readable for (name, _), one in stretches.items() if name == topic):
                    on_open(topic, hidden)
            begins = {place: _begin(one, from_end=from_end, last=last) for place, one in stretches.items()}
            ends = {place: one.readable for place, one in stretches.items() if begins[place] < one.readable}
            reader = RecordReader(consumer, topics, on_error=self._fail)
            reader.begin(begins if follow else {place: begins[place] for place in ends}, begins)
            for record in _following(reader, until) if follow else _up_to(reader, ends, until):
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
        try:
            return self._decoders.seen(message)
        except RegistryUnavailable:
            raise UserError(f"the schema registry at {self._addresses.schema_registry_url} does not answer") from None


def _following(reader: RecordReader, until: Callable[[], bool]) -> Iterator[InputRecord]:
    """What is there and what comes, of partitions too that come."""
    while not until():
        yield from reader.read()
        reader.grown()


def _up_to(reader: RecordReader, ends: dict[Partition, int], until: Callable[[], bool]) -> Iterator[InputRecord]:
    """What lies before these ends."""
    try:
        yield from reader.up_to(ends, SILENT_S, until)
    except Recoverable:
        raise UserError(f"no record came for {SILENT_S:.0f} s: `rxtract doctor` says what answers") from None


def _begin(stretch: Stretch, *, from_end: bool, last: int | None) -> int:
    if from_end:
        return stretch.readable
    return stretch.low if last is None else max(stretch.low, stretch.readable - last)


def _unreachable(addresses: StackAddresses) -> UserError:
    return UserError(f"no Kafka at {addresses.bootstrap_servers}: is the stack up? `rxtract doctor` says what answers")
