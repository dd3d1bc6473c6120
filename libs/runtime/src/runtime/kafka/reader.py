"""The one reader without a group: nothing is committed, and whoever reads remembers by itself how far it is.

What follows a topic (`runtime.kafka.follow`), reads what is kept (`runtime.kafka.history`), projects or counts stands on it. Positions are ours
(`runtime.kafka.positioned`), new partitions are found, and what the client says in place of records is counted.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from runtime.errors import Recoverable
from runtime.kafka.consumer_errors import ConsumerErrors, ErrorKind
from runtime.kafka.positioned import POSITION_CONFIG, PositionedConsumer
from runtime.kafka.positions import OnJump, Partition, unheard
from runtime.kafka.records import InputRecord

NO_GROUP = "rxtract-reader-unused"
"""librdkafka wants a group's name, and asks about it; nothing is ever committed in it."""

FETCH_AHEAD: Mapping[str, Any] = {
    "queued.max.messages.kbytes": 32_768,  # bounds what is fetched ahead
    "fetch.queue.backoff.ms": 20,  # the default of a second starves a fast reader whenever that bound is met
    "reconnect.backoff.max.ms": 2_000,
}
"""For a reader of large topics."""

GROWTH_S = 10.0
"""So often it is asked whether a topic has new partitions."""

_ANSWER_S = 10.0
_BATCH = 1_000
_WAIT_S = 0.2


class Extent(NamedTuple):
    """What a partition holds: its first offset, and the one behind the last that can be read."""

    low: int
    end: int


def open_client(
    config: Mapping[str, Any],
    errors: ConsumerErrors | None = None,
    make: Callable[[dict[str, Any]], Consumer] = Consumer,
) -> Consumer:
    """Make a client for a `RecordReader`.

    Args:
        config: librdkafka's settings of a client.
        errors: Hears of its connection.
        make: Makes it.
    """
    heard = {} if errors is None else {"error_cb": errors.heard}
    return make({**POSITION_CONFIG, **config, "group.id": NO_GROUP, **heard})


class RecordReader:
    """Reads topics by positions of its own.

    Args:
        client: Made by `open_client`; `close` closes it.
        topics: Full names.
        errors: Counts what is told in place of records; whoever owns it ends the process when it lasts.
        on_error: Hears of an error of the client and of which topic ("": of none). By default it is raised as `KafkaException`.
        on_jump: Hears of every jump of a position that nobody decided.
        on_halt: Hears that a partition stands still because its log was cut off. By default that is `Recoverable`.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        client: Consumer,
        topics: Collection[str],
        errors: ConsumerErrors | None = None,
        *,
        on_error: Callable[[KafkaError, str], object] | None = None,
        on_jump: OnJump = unheard,
        on_halt: Callable[[Partition], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._topics = topics
        self._errors = errors
        on_fine = None if errors is None else errors.fine
        self._reading = PositionedConsumer(client, on_jump, on_error or _raise, on_halt, on_fine=on_fine)
        self._clock = clock
        self._asked_at_s = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- asking

    def partitions(self) -> list[Partition]:
        """Ask which partitions the topics have now.

        Raises:
            Recoverable: A topic does not exist yet.
            KafkaException: The broker gave no answer.
        """
        self._asked_at_s = self._clock()
        found = self._client.list_topics(timeout=_ANSWER_S).topics
        missing = [topic for topic in self._topics if topic not in found]
        if self._errors is not None:
            for topic in missing:
                self._errors.lasts(ErrorKind.MISSING_TOPIC, topic)
        if missing:
            raise Recoverable(f"topics that do not exist yet: {', '.join(missing)}; run `rxtract topics apply`")
        if self._errors is not None:
            self._errors.exists(self._topics)
        return [(topic, number) for topic in self._topics for number in sorted(found[topic].partitions)]

    def extents(self, partitions: Iterable[Partition] | None = None) -> dict[Partition, Extent]:
        """Ask what these partitions hold, or all.

        Raises:
            Recoverable: A topic does not exist yet.
            KafkaException: The broker gave no answer.
        """
        asked = self.partitions() if partitions is None else partitions
        return {partition: Extent(*self._reading.ends_of(partition)) for partition in asked}

    def since(self, partitions: Iterable[Partition], since_ms: int) -> dict[Partition, int | None]:
        """Ask for the first offset that is not older; None: nothing is as young as that.

        Raises:
            KafkaException: The broker gave no answer.
        """
        wanted = [TopicPartition(*partition, since_ms) for partition in partitions]
        found = self._client.offsets_for_times(wanted, timeout=_ANSWER_S) if wanted else []
        return {(one.topic, one.partition): one.offset if one.offset >= 0 else None for one in found}

    def cluster(self) -> str:
        """Kafka's id of the cluster.

        Raises:
            KafkaException: The broker gave no answer.
        """
        return str(self._client.list_topics(timeout=_ANSWER_S).cluster_id)

    # -- reading

    def begin(self, known: Mapping[Partition, int | None], lows: Mapping[Partition, int] | None = None) -> None:
        """Read exactly these, each from where it was left off; None: from the earliest.

        Args:
            known: Where each was left off.
            lows: The earliest of each, from somebody who has just asked.

        Raises:
            KafkaException: The broker gave no answer; nothing has changed then.
        """
        self._reading.begin(known, lows)

    def read(self, limit: int = _BATCH, wait_s: float = _WAIT_S) -> list[InputRecord]:
        """What has come, perhaps nothing. It counts as taken.

        Raises:
            KafkaException: The client cannot go on.
        """
        return self._reading.fetch(limit, wait_s)

    def up_to(
        self, ends: Mapping[Partition, int], silent_s: float, until: Callable[[], bool] = lambda: False
    ) -> Iterator[InputRecord]:
        """What is begun, up to these ends, or until something is true.

        Raises:
            Recoverable: The broker has sent nothing for so long.
        """
        left, heard_at_s = set(ends), time.monotonic()
        while left and not until():
            found = self.read()
            for record in found:
                if record.offset < ends.get((record.topic, record.partition), 0):
                    yield record
            left = {one for one in left if not self.reached({one: ends[one]})}
            if found:
                heard_at_s = time.monotonic()
            elif time.monotonic() - heard_at_s > silent_s:
                raise Recoverable(f"the broker sends nothing for {silent_s:.0f} s")

    def grown(self) -> dict[Partition, Extent]:
        """Now and then: find partitions that came since, and read them too, from their beginning.

        Raises:
            KafkaException: The broker gave no answer about one of them.
        """
        if self._clock() - self._asked_at_s < GROWTH_S:
            return {}
        try:
            new = [partition for partition in self.partitions() if partition not in self._reading.positions.partitions]
        except (KafkaException, Recoverable):  # whoever reads will notice what is wrong
            return {}
        found = self.extents(new)
        if new:
            self._reading.add(dict.fromkeys(new))
        return found

    # -- how far we are

    def position(self, partition: Partition) -> int | None:
        """The offset that comes next; None: it is not read."""
        return self._reading.positions.get(partition)

    def is_halted(self, partition: Partition | None = None) -> bool:
        """Whether the log of a partition (None: of any) was cut off behind our position."""
        halted = self._reading.positions.halted
        return bool(halted) if partition is None else partition in halted

    def reached(self, ends: Mapping[Partition, int]) -> bool:
        """Whether all that lay before these ends was read."""
        return all((self.position(partition) or 0) >= end for partition, end in ends.items())

    def waiting(self) -> dict[Partition, int]:
        """Records that wait and can be read, as far as the client knows without asking."""
        places = self._reading.positions.partitions
        return {one: self._reading.waiting(one, self.position(one) or 0) or 0 for one in places}

    def close(self) -> None:
        """Read no more."""
        self._client.close()


def _raise(error: KafkaError, _topic: str) -> None:
    raise KafkaException(error)
