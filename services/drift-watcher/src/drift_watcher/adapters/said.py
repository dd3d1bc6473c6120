"""What drift-watchers have published already, read back from the topics themselves: a kill between an alarm and its state repeats none."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition
from contracts.records import DriftDetected, ModelCommand
from contracts.wire import WireError
from runtime.errors import Recoverable

_TIMEOUT_S = 10.0
_BATCH = 1_000
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Said:
    """Identities of published records.

    Attributes:
        events: Episode and level; RECOVERED, CRITICAL and WARNING come once each in an episode.
        commands: Their ids.
    """

    events: frozenset[tuple[str, str]] = frozenset()
    commands: frozenset[str] = frozenset()

    def has_event(self, event: DriftDetected) -> bool:
        """Whether an event is out."""
        return (event.episode_id, event.level.value) in self.events

    def has_command(self, command: ModelCommand) -> bool:
        """Whether a command is out."""
        return command.command_id in self.commands


class PublishedRecords:
    """Reads both topics whole: alarms are few.

    Args:
        config: librdkafka's settings of a client.
        detected: Full name of the events' topic.
        commands: Full name of the commands' topic.
        decode_event: Raises `WireError`.
        decode_command: Raises `WireError`.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        detected: str,
        commands: str,
        decode_event: Callable[[bytes | None], DriftDetected],
        decode_command: Callable[[bytes | None], ModelCommand],
    ) -> None:
        self._config = {**config, "group.id": "unused", "enable.auto.commit": False}
        self._detected = detected
        self._commands = commands
        self._decode_event = decode_event
        self._decode_command = decode_command

    def __call__(self) -> Said:
        """What is out now.

        Raises:
            Recoverable: The broker gave no answer.
        """
        consumer = Consumer(self._config)
        try:
            events = [_decoded(self._decode_event, value) for value in _values(consumer, self._detected)]
            commands = [_decoded(self._decode_command, value) for value in _values(consumer, self._commands)]
        except KafkaException as error:
            raise Recoverable(f"what was published cannot be read: {error.args[0].name()}") from None
        finally:
            consumer.close()
        return Said(
            frozenset((one.episode_id, one.level.value) for one in events if one is not None),
            frozenset(one.command_id for one in commands if one is not None),
        )


def _decoded(decode: Callable[[bytes | None], _R], value: bytes | None) -> _R | None:
    try:
        return decode(value)
    except WireError:
        return None


def _values(consumer: Consumer, topic: str) -> Iterator[bytes | None]:
    for number in consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions:
        low, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_TIMEOUT_S)
        if end > low:
            yield from _read(consumer, TopicPartition(topic, number, low), end)


def _read(consumer: Consumer, begin: TopicPartition, end: int) -> Iterator[bytes | None]:
    consumer.assign([begin])
    silent = 0
    while consumer.position([begin])[0].offset < end:
        messages = consumer.consume(_BATCH, timeout=1.0)
        silent = 0 if messages else silent + 1
        if silent > _TIMEOUT_S:
            raise Recoverable("what was published cannot be read: the broker sends nothing")
        for message in messages:
            if (error := message.error()) is not None:
                raise KafkaException(error)
            if (message.offset() or 0) < end:
                yield message.value()
    consumer.unassign()
