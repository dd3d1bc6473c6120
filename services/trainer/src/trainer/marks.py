"""Which order killed earlier trainers: told by a mark beside the committed offset of the commands, as in `runtime.stream.attempts`.

A training that takes the whole process with it (no memory, a crash in native code) would be taken up again by every trainer that follows. So
the order in hand is marked before it is begun, and an order that so many trainers died with is ended as failed; the others go on.
"""

import secrets
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition
from contracts.records import ModelCommand
from runtime.kafka.positioned import Committed
from runtime.kafka.positions import Partition
from runtime.kafka.records import InputRecord
from runtime.service.logs import get_logger
from runtime.service.metrics import DIED_IN_HAND, Metrics
from runtime.stream.attempts import Mark

_log = get_logger(__name__)


class OrderMarks:
    """The order in hand, and how often trainers died with it.

    Args:
        consumer: In the trainers' group.
        tries: So many trainers may die with an order before it is ended as failed.
        metrics: Deaths are counted.
    """

    def __init__(self, consumer: Consumer, tries: int, metrics: Metrics) -> None:
        self.tries = tries
        self._consumer = consumer
        self._died = metrics.counter(DIED_IN_HAND)
        self._owner = secrets.token_hex(4)
        self._places: dict[str, tuple[Partition, int]] = {}
        self._next: dict[Partition, int] = {}
        self._marks: dict[Partition, Mark] = {}

    def came(self, found: Mapping[Partition, Committed], folded_to: Mapping[Partition, int]) -> None:
        """The commands are ours now.

        Args:
            found: What the last owner left beside its offsets.
            folded_to: The offset behind what was folded of each partition.
        """
        self._next = dict(folded_to)
        self._marks = {}
        for partition, left in found.items():
            mark = Mark.parse(left.metadata)
            died = mark.running and mark.owner != self._owner
            self._marks[partition] = Mark(mark.deaths + died, first=mark.first, last=mark.first, owner=self._owner)
            if died:
                self._died.inc()
                _log.error("a trainer died with an order in hand", offset=mark.first, deaths=mark.deaths + 1)

    def stands(self, command: ModelCommand, record: InputRecord) -> None:
        """Where an order was read first."""
        partition = (record.topic, record.partition)
        self._places.setdefault(command.command_id, (partition, record.offset))
        self._next[partition] = max(record.offset + 1, self._next.get(partition, 0))

    def killed_too_often(self, command: ModelCommand) -> bool:
        """Whether trainers enough died with an order."""
        partition, offset = self._places.get(command.command_id, (None, -1))
        mark = None if partition is None else self._marks.get(partition)
        return mark is not None and mark.first == offset and mark.deaths >= self.tries

    def begin(self, command: ModelCommand) -> None:
        """An order is about to be carried out: written before it is.

        Raises:
            KafkaException: The broker did not take it.
        """
        partition, offset = self._places.get(command.command_id, (None, -1))
        if partition is None:
            return  # our own, not read yet
        mark = self._marks.get(partition, Mark())
        deaths = mark.deaths if mark.first == offset else 0
        self._marks[partition] = Mark(deaths, running=True, first=offset, last=offset, owner=self._owner)
        self._commit(partition)

    def over(self) -> None:
        """Nothing is in hand any more, and nobody died of it."""
        for partition, mark in self._marks.items():
            if mark.running:
                self._marks[partition] = Mark(owner=self._owner)
                try:
                    self._commit(partition)
                except KafkaException as error:  # the next owner counts a death too many
                    _log.warning("the mark of an order stays", code=error.args[0].name())

    def offset(self, record: InputRecord) -> TopicPartition:
        """What to commit behind a record that was taken in."""
        partition = (record.topic, record.partition)
        return TopicPartition(*partition, record.offset + 1, self._marks.get(partition, Mark()).text())

    def _commit(self, partition: Partition) -> None:
        place = TopicPartition(*partition, self._next.get(partition, 0), self._marks[partition].text())
        self._consumer.commit(offsets=[place], asynchronous=False)
