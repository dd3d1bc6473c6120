"""A broker in memory, for tests: topics, a group's commits, and the faults that a real one shows.

`MemoryConsumer` and `MemoryProducer` have the calls of the real clients that `runtime.stream.loop` and `runtime.kafka.delivery` use. One
suite runs over these and the real broker (``tests/integration/test_runtime_loop.py``).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

Report = Callable[[KafkaError | None, Message | None], None]


@dataclass(frozen=True, slots=True)
class MemoryMessage:
    """A record with the calls of the client's message, which only the client can make."""

    at: tuple[str, int, int]
    its_key: bytes | None
    its_value: bytes | None
    its_headers: Sequence[tuple[str, bytes | None]] | None = None
    its_error: KafkaError | None = None

    def __len__(self) -> int:
        """How long its value is."""
        return len(self.its_value or b"")

    def topic(self) -> str:
        """Its topic."""
        return self.at[0]

    def partition(self) -> int:
        """Its partition."""
        return self.at[1]

    def offset(self) -> int:
        """Its place in the partition."""
        return self.at[2]

    def timestamp(self) -> tuple[int, int]:
        """Kind and milliseconds: the same for all."""
        return 1, 0

    def key(self) -> bytes | None:
        """Its key."""
        return self.its_key

    def value(self) -> bytes | None:
        """Its value; None for a tombstone."""
        return self.its_value

    def headers(self) -> Sequence[tuple[str, bytes | None]] | None:
        """Its headers, None without any."""
        return self.its_headers

    def error(self) -> KafkaError | None:
        """What the client says instead of a record."""
        return self.its_error


class MemoryBroker:
    """Topics with partitions, the offsets committed on them, and switches for faults.

    Attributes:
        delivery_faults: For a topic, error codes that the next produced records meet, in order.
        holding: While true, records are neither stored nor reported: the broker is frozen.
        queue_limit: Records that a producer may have without a report; beyond it `BufferError`.
        lows: The first offset that retention has left of a partition; 0 where nothing stands.
    """

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = partitions
        self.logs: dict[tuple[str, int], list[Message]] = defaultdict(list)
        self.committed: dict[tuple[str, int], int] = {}
        self.metadata: dict[tuple[str, int], str] = {}
        self.delivery_faults: dict[str, list[int]] = defaultdict(list)
        self.holding = False
        self.queue_limit = 100_000
        self.lows: dict[tuple[str, int], int] = {}

    def append(self, topic: str, value: bytes | None, key: bytes | None = None, **more: Any) -> Message:
        """Store one record; the partition follows from the key's length, which is enough for tests."""
        number = len(key or b"") % self.partitions
        log = self.logs[topic, number]
        message = MemoryMessage((topic, number, len(log)), key, value, more.get("headers") or None, more.get("error"))
        log.append(cast("Message", message))
        return log[-1]

    def messages(self, topic: str) -> list[Message]:
        """All records of a topic, partition by partition."""
        return [message for (name, _), log in sorted(self.logs.items()) if name == topic for message in log]

    def values(self, topic: str) -> list[bytes | None]:
        """Their values."""
        return [message.value() for message in self.messages(topic)]


class MemoryProducer:
    """Stores at once, reports when polled."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._waiting: list[tuple[str, bytes | None, bytes | None, dict[str, Any], Report | None]] = []

    def produce(self, topic: str, value: bytes | None = None, key: bytes | None = None, **more: Any) -> None:
        """Queue one record."""
        if len(self._waiting) >= self._broker.queue_limit:
            raise BufferError
        self._waiting.append((topic, value, key, more, more.pop("on_delivery", None)))

    def poll(self, timeout: float = -1) -> int:
        """Store and report what is queued, unless the broker is frozen."""
        del timeout
        if self._broker.holding:
            return 0
        waiting, self._waiting = self._waiting, []
        for topic, value, key, more, report in waiting:
            faults = self._broker.delivery_faults[topic]
            error = KafkaError(faults.pop(0)) if faults else None
            message = None if error is not None else self._broker.append(topic, value, key, **more)
            if report is not None:
                report(error, message)
        return len(waiting)

    def flush(self, timeout: float = -1) -> int:
        """Poll; returns how many records are still queued."""
        self.poll(timeout)
        return len(self._waiting)


class MemoryConsumer:
    """The only member of its group; it gets every partition of the topics at its first poll."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._positions: dict[tuple[str, int], int] = {}
        self._paused: set[tuple[str, int]] = set()
        self._given_up: set[tuple[str, int]] = set()
        self._subscription: tuple[list[str], dict[str, Callable[..., None]]] | None = None
        self._callbacks: dict[str, Callable[..., None]] = {}
        self.commits: list[dict[tuple[str, int], int]] = []
        self.commit_faults: list[int] = []
        self.errors: list[KafkaError] = []
        self.closed = False
        self.pauses = 0

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        """Remember the topics until the next poll."""
        self._subscription = (topics, callbacks)

    def poll(self, timeout: float = -1) -> Message | None:
        """The next message, or None."""
        messages = self.consume(1, timeout)
        return messages[0] if messages else None

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """The next messages."""
        del timeout
        self._join()
        if self.errors:
            return [cast("Message", MemoryMessage(("", 0, 0), None, None, its_error=self.errors.pop(0)))]
        taken: list[Message] = []
        for partition, position in self._positions.items():
            if partition in self._given_up:
                continue
            if not self._broker.lows.get(partition, 0) <= position <= len(self._broker.logs[partition]):
                self._given_up.add(partition)  # until it is assigned anew, as the real client does
                lost = KafkaError(KafkaError._AUTO_OFFSET_RESET)  # noqa: SLF001
                return [cast("Message", MemoryMessage((*partition, position), None, None, its_error=lost))]
            if partition not in self._paused:
                new = self._broker.logs[partition][position : position + num_messages - len(taken)]
                self._positions[partition] = position + len(new)
                taken += new
        return taken

    def committed(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        """What the group committed, with its metadata; -1001 where it did not."""
        del timeout
        keys = [(one.topic, one.partition) for one in partitions]
        broker = self._broker
        return [TopicPartition(*key, broker.committed.get(key, -1001), broker.metadata.get(key, "")) for key in keys]

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        """Store positions."""
        del asynchronous
        if self.commit_faults:
            raise KafkaException(KafkaError(self.commit_faults.pop(0)))
        self.commits.append({(offset.topic, offset.partition): offset.offset for offset in offsets})
        self._broker.committed.update(self.commits[-1])
        self._broker.metadata.update({(one.topic, one.partition): one.metadata or "" for one in offsets})

    def assignment(self) -> list[TopicPartition]:
        """All that is assigned."""
        return [TopicPartition(topic, number) for topic, number in self._positions]

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Read exactly these."""
        self._positions = {(one.topic, one.partition): one.offset for one in partitions}
        self._given_up.clear()

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Read these too."""
        self._positions |= {(one.topic, one.partition): one.offset for one in partitions}

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        """Read these no more."""
        for one in partitions:
            self._positions.pop((one.topic, one.partition), None)
            self._given_up.discard((one.topic, one.partition))

    def seek(self, partition: TopicPartition) -> None:
        """Read on from there."""
        if (partition.topic, partition.partition) not in self._positions.keys() - self._given_up:
            raise KafkaException(KafkaError(KafkaError._STATE))  # noqa: SLF001
        self._positions[partition.topic, partition.partition] = partition.offset

    def pause(self, partitions: list[TopicPartition]) -> None:
        """Deliver nothing from these until they are resumed."""
        self.pauses += 1
        self._paused |= {(partition.topic, partition.partition) for partition in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Deliver from them again."""
        self._paused -= {(partition.topic, partition.partition) for partition in partitions}

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = -1, *, cached: bool = False
    ) -> tuple[int, int]:
        """First and next offset."""
        del cached, timeout
        place = partition.topic, partition.partition
        return self._broker.lows.get(place, 0), len(self._broker.logs[place])

    def take_away(self, *, asked: bool) -> None:
        """Lose all partitions, as in a rebalance (asked) or after a silence too long (not asked)."""
        callback = self._callbacks["on_revoke" if asked else "on_lost"]
        callback(self, self.assignment())
        self._positions.clear()

    def close(self) -> None:
        """Leave."""
        if self._positions and self._callbacks:
            self.take_away(asked=True)
        self.closed = True

    def _join(self) -> None:
        if self._subscription is None:
            return
        (topics, self._callbacks), self._subscription = self._subscription, None
        partitions: Sequence[tuple[str, int]] = [
            (topic, number) for topic in topics for number in range(self._broker.partitions)
        ]
        self._callbacks["on_assign"](self, [TopicPartition(*partition) for partition in partitions])
