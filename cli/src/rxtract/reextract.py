"""Sends kept notes through the present champion and rules once more, behind the live ones.

The notes are published again on the topic of accepted notes, with origin REEXTRACT, so that the very code that serves reads
them; nothing of the extractor is repeated here. Live notes come first: no more than `max_lag` notes are ever waiting when a
batch is added. A group for each time, champion and release of rules keeps the place, so that a run that was ended goes on,
and the next champion, or the next rules, read all of it again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition
from contracts.records import NoteAccepted, Origin
from contracts.registry import ConfluentRegistry
from contracts.topics import NOTES_ACCEPTED, prefixed
from contracts.wire import Deserializer, Serializer, WireError
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.positioned import POSITION_CONFIG, PositionedConsumer
from runtime.kafka.records import OutputRecord

from rxtract.errors import UserError
from rxtract.kafka import client_config
from rxtract.lag import LagProbe

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.kafka.positions import Partition
    from runtime.kafka.records import InputRecord

    from rxtract.addresses import StackAddresses

GROUP = "rxtract-reextract"
EXTRACTOR_GROUP = "rxtract-extractor"
BATCH = 100
TIMEOUT_S = 30.0
HOLD_S = 0.1
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send and how gently.

    Attributes:
        since_ms: Notes whose record is at least as new, UTC milliseconds.
        serial: Under which the champion serves that they are meant for: a run for another one begins anew.
        rules_serial: Under which the rules serve that they are meant for, likewise; 0: none were released.
        rate: Notes a second at most.
        max_lag: Notes that may be waiting for the extractors when more are added.
        again: Begin at `since_ms` even when an earlier run for this champion went further.
    """

    since_ms: int
    serial: int
    rate: float
    max_lag: int
    again: bool = False
    rules_serial: int = 0

    @property
    def meant_for(self) -> str:
        """Names what the notes are meant for, in the name of the group."""
        return f"{self.serial}-{self.rules_serial}" if self.rules_serial else str(self.serial)


@dataclass(slots=True)
class Sent:
    """How far it came: records read of those that there are, notes sent, and what was left out.

    Attributes:
        earlier: Records that an earlier run for this champion had read.
        copies: Notes that an earlier run had sent; they are not sent anew.
        held_s: Seconds in which live notes went first.
    """

    total: int = 0
    read: int = 0
    sent: int = 0
    earlier: int = 0
    copies: int = 0
    unreadable: int = 0
    held_s: float = 0.0


class Reextraction:
    """One run from the plan's time to where the topic ends now.

    Args:
        addresses: The stack.
        plan: What to send.
        group_prefix: Put before the names of the groups.
        check: Called before every batch; raises when the run shall end (another champion, for example).
    """

    def __init__(
        self,
        addresses: StackAddresses,
        plan: Plan,
        *,
        group_prefix: str = "",
        check: Callable[[], None] = lambda: None,
    ) -> None:
        addresses.need("bootstrap_servers", "schema_registry_url")
        self._plan = plan
        self._check = check
        self._topic = prefixed(addresses.topic_prefix, NOTES_ACCEPTED)
        registry = ConfluentRegistry(addresses.schema_registry_url)
        self._decode = Deserializer.for_topic(NoteAccepted, registry, self._topic)
        self._encode = Serializer.for_topic(NoteAccepted, registry, self._topic)
        config = client_config(addresses, GROUP)
        self._producer = DeliveryProducer(config)
        self._lag = LagProbe(config, group_prefix + EXTRACTOR_GROUP, self._topic)
        self._consumer = Consumer(
            {
                **POSITION_CONFIG,
                **config,
                "group.id": f"{group_prefix}{GROUP}-{plan.since_ms}-{plan.meant_for}",
                "log_level": 0,
            }
        )
        self._reading = PositionedConsumer(self._consumer, on_error=_fail)

    def run(self, on_progress: Callable[[Sent], None] = lambda _: None) -> Sent:
        """Send all of it and return the counts.

        Raises:
            UserError: Kafka does not answer, or `check` said so. A later run goes on from there.
        """
        sent = Sent()
        try:
            ends = self._assign(sent)
            began = time.monotonic()
            while ends:
                self._make_way(sent, on_progress)
                self._check()
                self._batch(ends, sent)
                on_progress(sent)
                time.sleep(max(0.0, began + sent.sent / self._plan.rate - time.monotonic()))
        except KafkaException as error:
            raise UserError(f"Kafka refused: {error.args[0].str()}; run the same command again to go on") from None
        finally:
            self._consumer.close()
            self._lag.close()
            self._producer.close(TIMEOUT_S)
        return sent

    def _assign(self, sent: Sent) -> dict[int, int]:
        """Take up each partition where an earlier run stopped, or at the time; return the ends of those with records."""
        known = self._consumer.list_topics(self._topic, timeout=10).topics[self._topic]
        if known.error is not None:
            raise UserError(f"no topic {self._topic}: `rxtract topics apply` makes it")
        places = [TopicPartition(self._topic, number, self._plan.since_ms) for number in known.partitions]
        starts = {place.partition: place.offset for place in self._consumer.offsets_for_times(places, timeout=10)}
        before = {} if self._plan.again else self._committed(places)
        ends: dict[int, int] = {}
        begins: dict[Partition, int] = {}
        for place in places:
            low, high = self._reading.ends_of((self._topic, place.partition))
            start = high if starts[place.partition] in (OFFSET_END, -1) else starts[place.partition]
            start = max(start, low)
            reached = min(high, max(start, before.get(place.partition, 0)))
            sent.earlier += reached - start
            start = reached
            if start < high:
                ends[place.partition] = high
                sent.total += high - start
                begins[self._topic, place.partition] = start
        self._reading.begin(begins, begins)
        return ends

    def _committed(self, places: list[TopicPartition]) -> dict[int, int]:
        asked = [TopicPartition(self._topic, place.partition) for place in places]
        return {place.partition: place.offset for place in self._consumer.committed(asked, timeout=10)}

    def _make_way(self, sent: Sent, on_progress: Callable[[Sent], None]) -> None:
        """Wait while more notes are waiting than may."""
        began = time.monotonic()
        while not 0 <= self._lag.lag() <= self._plan.max_lag:
            self._check()
            time.sleep(HOLD_S)
            on_progress(sent)
        sent.held_s += time.monotonic() - began

    def _batch(self, ends: dict[int, int], sent: Sent) -> None:
        """Read some records, send them on, and keep the place once the broker has them."""
        outputs: list[OutputRecord] = []
        places: dict[int, int] = {}
        for record in self._reading.fetch(BATCH, POLL_S):
            if record.offset >= ends.get(record.partition, 0):
                continue  # came after the run began: what we sent ourselves, or live and thus read by this champion
            places[record.partition] = record.offset + 1
            sent.read += 1
            output = self._again(record, sent)
            if output is not None:
                outputs.append(output)
        if outputs:
            self._producer.send(outputs).wait(TIMEOUT_S)
            sent.sent += len(outputs)
        if places:
            offsets = [TopicPartition(self._topic, partition, offset) for partition, offset in places.items()]
            self._consumer.commit(offsets=offsets, asynchronous=False)
        here = self._reading.positions.get
        for partition in [one for one, end in ends.items() if (here((self._topic, one)) or 0) >= end]:
            del ends[partition]
            self._reading.leave((self._topic, partition))

    def _again(self, record: InputRecord, sent: Sent) -> OutputRecord | None:
        try:
            note = self._decode(record.value)
        except WireError:
            sent.unreadable += 1  # the extractor dead-lettered it when it came
            return None
        if note.origin is Origin.REEXTRACT:
            sent.copies += 1
            return None
        return OutputRecord(self._topic, record.key, self._encode(replace(note, origin=Origin.REEXTRACT)))


def _fail(error: KafkaError, _topic: str) -> NoReturn:
    raise KafkaException(error)
