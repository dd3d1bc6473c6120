"""Kafka as the ledger reads it: three clients without a group, positions of our own, ends and commits asked of the broker.

This is a second reading of what the judged services read, on purpose without their code. Submitted notes, accepted notes and effects have
a client each, so that each can be read on while the others wait. Records are taken by ``poll``: ``consume(n)`` moves the client's own
position too far at a partition's end.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec
from runtime.errors import Recoverable
from runtime.kafka.commits import GroupCommits
from runtime.kafka.consumer_errors import ConsumerErrors

from ledger.adapters.book import Partition
from ledger.domain.records import Record

CLIENT: Mapping[str, Any] = {
    "group.id": "rxtract-ledger-unused",  # only because librdkafka wants one
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # a position that the broker does not have is reported, and we decide
    "enable.partition.eof": True,  # only so it is seen that nothing but markers stands behind the last record
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    "queued.max.messages.kbytes": 16_384,
    "fetch.message.max.bytes": 131_072,  # as on the wire: what others send may be a thousand times as large decompressed
    "fetch.min.bytes": 262_144,  # few large answers, each within the wait: a note may be known a moment later
    "fetch.wait.max.ms": 200,
    "fetch.queue.backoff.ms": 20,
    "socket.keepalive.enable": True,
    "reconnect.backoff.max.ms": 2_000,
}
"""What its consumers are made with."""
_ANSWER_S = 10.0
_LEADERS_MS = 5_000  # so long a leader that died is asked in vain; the client's own 15 minutes are an outage
_MISPLACED = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION})  # noqa: SLF001
_OF_A_PARTITION = _MISPLACED | {KafkaError._PARTITION_EOF}  # noqa: SLF001


class Read(NamedTuple):
    """What one reading gave.

    Attributes:
        records: In order within each partition.
        reached: The next offset of each partition that was read of.
        misplaced: Partitions whose position the broker does not have.
    """

    records: list[Record]
    reached: dict[Partition, int]
    misplaced: set[Partition]


class Log(Protocol):
    """What the ledger needs of Kafka; a test's fake has the same. Every method but `close` may raise Recoverable."""

    def cluster(self) -> str:
        """Kafka's id of the cluster."""

    def ends(self, topics: Collection[str]) -> dict[Partition, int]:
        """Every partition that the topics have now, with the offset behind the last record that can be read."""

    def lows(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """The first offset that is there."""

    def committed(self, group: str, topic: str) -> dict[Partition, int]:
        """Where a group is; only partitions where it ever committed."""

    def begin(self, positions: Mapping[Partition, int]) -> None:
        """Read these too, or read them on from elsewhere."""

    def read(self, topics: Sequence[str], limit: int, wait_s: float) -> Read:
        """Take what has come, for at most so long and so many a client."""

    def close(self) -> None:
        """Read no more."""


class KafkaLog:
    """The real one.

    Args:
        config: Address, identity and security.
        groups: The topics of each client.
        errors: Takes what the consumers are told in place of records.
        on_skip: Told of each record that a client left out.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        groups: Sequence[Sequence[str]],
        errors: ConsumerErrors,
        on_skip: Callable[[Partition], None] = lambda _: None,
    ) -> None:
        self._admin = AdminClient({**config, "metadata.max.age.ms": _LEADERS_MS})
        self._commits = GroupCommits(config)
        self._errors = errors
        made = [_Client(Consumer({**CLIENT, **config, "error_cb": errors.heard}), errors, on_skip) for _ in groups]
        self._clients = {topic: client for client, topics in zip(made, groups, strict=True) for topic in topics}

    def cluster(self) -> str:
        """See Log."""
        try:
            return str(self._admin.list_topics(timeout=_ANSWER_S).cluster_id)
        except KafkaException as error:
            raise _away(error) from None

    def ends(self, topics: Collection[str]) -> dict[Partition, int]:
        """See Log."""
        return self._offsets(self._partitions(topics), OffsetSpec.latest())

    def lows(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """See Log."""
        return self._offsets(partitions, OffsetSpec.earliest())

    def committed(self, group: str, topic: str) -> dict[Partition, int]:
        """See Log."""
        places = self._partitions([topic])
        try:
            return self._commits.of(group, places, _ANSWER_S)
        except KafkaException as error:
            raise _away(error) from None

    def begin(self, positions: Mapping[Partition, int]) -> None:
        """See Log."""
        try:
            for client in set(self._clients.values()):
                client.begin({one: at for one, at in positions.items() if self._clients[one[0]] is client})
        except KafkaException as error:
            raise _away(error) from None

    def read(self, topics: Sequence[str], limit: int, wait_s: float) -> Read:
        """See Log."""
        self._errors.check()
        found = Read([], {}, set())
        for client in dict.fromkeys(self._clients[topic] for topic in topics):
            read = client.read(limit, 0.0 if found.records else wait_s)
            found = Read(found.records + read.records, found.reached | read.reached, found.misplaced | read.misplaced)
        return found

    def close(self) -> None:
        """See Log."""
        self._commits.close()
        for client in set(self._clients.values()):
            client.close()

    def _partitions(self, topics: Collection[str]) -> list[Partition]:
        found: list[Partition] = []
        for topic in topics:
            try:
                known = self._admin.list_topics(topic, timeout=_ANSWER_S).topics[topic]
            except KafkaException as error:
                raise _away(error) from None
            if known.error is not None:
                raise Recoverable(f"{topic}: {known.error.name()}; `rxtract topics apply` makes it")
            found += [(topic, number) for number in sorted(known.partitions)]
        return found

    def _offsets(self, partitions: Collection[Partition], spec: OffsetSpec) -> dict[Partition, int]:
        if not partitions:
            return {}
        asked = {TopicPartition(*one): spec for one in partitions}
        try:
            answers = self._admin.list_offsets(
                asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_ANSWER_S
            )
            return {(one.topic, one.partition): answer.result(_ANSWER_S).offset for one, answer in answers.items()}
        except (KafkaException, TimeoutError) as error:
            raise _away(error) from None


class _Client:
    """One consumer, and where it is in each partition. A hole in the offsets is believed when two readings saw it."""

    def __init__(self, consumer: Consumer, errors: ConsumerErrors, on_skip: Callable[[Partition], None]) -> None:
        self._consumer = consumer
        self._errors = errors
        self._on_skip = on_skip
        self._next: dict[Partition, int] = {}
        self._names: dict[str, dict[int, Partition]] = {}
        self._follows_runs = False
        self._holes: dict[Partition, tuple[int, int]] = {}
        self._misplaced: set[Partition] = set()

    def begin(self, positions: Mapping[Partition, int]) -> None:
        known = [one for one in positions if one in self._next]
        if known:
            self._consumer.incremental_unassign([TopicPartition(*one) for one in known])
        if positions:
            self._next.update(positions)
            for place in positions:
                self._names.setdefault(place[0], {})[place[1]] = place
            self._follows_runs = len(self._names) == 1  # else each record's topic must be asked for
            self._misplaced.difference_update(positions)
            self._consumer.incremental_assign([TopicPartition(*one, at) for one, at in positions.items()])

    def read(self, limit: int, wait_s: float) -> Read:
        records: list[Record] = []
        reached: dict[Partition, int] = {}
        poll, new, add = self._consumer.poll, tuple.__new__, records.append
        until_s = time.monotonic() + wait_s
        place, expected = ("", -1), -1  # of the record before, and the offset that goes on where it stands
        while len(records) < limit:
            message = poll(0.0)
            if message is None:  # `or` would not do: a message without a value is as long as nothing, and so false
                message = poll(max(0.0, until_s - time.monotonic()))
            if message is None:
                break
            partition, offset, error = message.partition(), message.offset(), message.error()
            if offset != expected or partition != place[1] or error is not None:
                self._reach(reached, place, expected)
                expected = -1
                if error is not None and error.code() not in _OF_A_PARTITION:
                    self._errors.saw(error, message.topic() or "")
                    break
                place = self._names[message.topic()][partition]
                if error is not None:
                    self._place_told(reached, place, offset, error)
                    continue
                if not self._goes_on(place, offset):
                    continue
            if self._follows_runs and not self._holes:
                expected = offset + 1
            else:
                self._reach(reached, place, offset + 1)
            headers = message.headers()
            fields = place[0], partition, offset, message.timestamp()[1], message.value(), tuple(headers or ())
            add(new(Record, fields))
        self._reach(reached, place, expected)
        misplaced, self._misplaced = self._misplaced, set()
        return Read(records, reached, misplaced)

    def _reach(self, reached: dict[Partition, int], place: Partition, following: int) -> None:
        if following >= 0:
            reached[place] = self._next[place] = following

    def _place_told(self, reached: dict[Partition, int], place: Partition, offset: int, error: KafkaError) -> None:
        """The client says that a partition ends here, or that its position is not there."""
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is how the client names its own codes
            self._errors.fine(place[0])
            if self._goes_on(place, offset):
                self._reach(reached, place, max(offset, self._next[place]))
        else:
            self._misplaced.add(place)

    def close(self) -> None:
        self._consumer.close()

    def _goes_on(self, place: Partition, offset: int) -> bool:
        """Whether this offset may follow: what was handed over is not again, and a hole is looked at twice."""
        here = self._next[place]
        hole = self._holes.get(place)
        if offset <= here:
            if hole is not None and hole[0] <= offset < hole[1]:
                self._holes.pop(place)
                self._on_skip(place)
            return offset == here
        if hole is not None and hole[0] == here and offset <= hole[1]:
            if offset < hole[1]:  # the first reading left something out
                self._on_skip(place)
            self._holes.pop(place)
            return True
        self._holes[place] = (here, offset)
        with contextlib.suppress(KafkaException):  # it does not fetch there now: the next record asks again
            self._consumer.seek(TopicPartition(*place, here))
        return False


def _away(error: KafkaException | TimeoutError) -> Recoverable:
    """A leader that is just moving: the client may go on asking beyond the time that it was given, and the future ends first."""
    why = error.args[0].name() if isinstance(error, KafkaException) else f"no answer within {_ANSWER_S:.0f} s"
    return Recoverable(f"Kafka cannot be asked: {why}")
