"""The reader whose positions are ours, over a client in memory that reports ends, gives up, and stands elsewhere than it was told."""

from collections.abc import Iterator
from typing import Any, cast
from unittest.mock import Mock

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from runtime.errors import Recoverable
from runtime.kafka.positioned import PositionedConsumer
from runtime.kafka.positions import Jump, Partition
from runtime.kafka.records import InputRecord
from runtime.service.memory import MemoryBroker, MemoryConsumer, MemoryMessage

P = ("t", 0)
EOF = KafkaError(KafkaError._PARTITION_EOF)


class Client(MemoryConsumer):
    """Reports the end of a partition once whenever it comes there; markers may stand behind the last record.

    Attributes:
        markers: How many offsets behind the last record no record stands for.
        wrong: How far beyond the end its next report is.
    """

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.markers = self.wrong = 0
        self.told: set[Partition] = set()
        self.sought: list[int] = []

    def poll(self, timeout: float = -1) -> Message | None:
        message = super().poll(timeout)
        if message is not None:
            self.told.discard((message.topic() or "", message.partition() or 0))
            return message
        at_end = {one for one, position in self._positions.items() if position >= len(self._broker.logs[one])}
        for partition in at_end - self.told - self._given_up:
            self.told.add(partition)
            end = len(self._broker.logs[partition]) + self.markers + self.wrong
            self.wrong = 0
            return cast("Message", MemoryMessage((*partition, end), None, None, its_error=EOF))
        return None

    def seek(self, partition: TopicPartition) -> None:
        super().seek(partition)
        self.told.discard((partition.topic, partition.partition))
        self.sought.append(partition.offset)


class Moving(Client):
    """Says that a partition goes, as a rebalance does from within a poll, once its end was told."""

    reading: PositionedConsumer

    def poll(self, timeout: float = -1) -> Message | None:
        if P in self.told:
            self.reading.forget([P])
        return super().poll(timeout)


class Endless(list[KafkaError]):
    """Errors of which there is one more for as long as a test asks."""

    left = 50

    def pop(self, _index: Any = -1) -> KafkaError:
        assert self.left, "whoever reads never turned"
        self.left -= 1
        return self[0]


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker()
    for number in range(5):
        broker.append("t", b"%d" % number)
    return broker


@pytest.fixture
def client(broker: MemoryBroker) -> Client:
    return Client(broker)


@pytest.fixture
def jumps() -> list[tuple[Jump, int]]:
    return []


@pytest.fixture
def reading(client: Client, jumps: list) -> PositionedConsumer:
    reading = PositionedConsumer(client, lambda jump, _partition, width: jumps.append((jump, width)))
    reading.begin({P: None})
    return reading


def values(reading: PositionedConsumer) -> list[bytes]:
    return [record.value or b"" for _ in range(4) for record in reading.fetch(3, 0)]


def test_all_is_read_and_the_end_is_known(reading, jumps):
    assert not reading.at_end(P)
    assert reading.waiting(P, 2) == 3
    assert values(reading) == [b"0", b"1", b"2", b"3", b"4"]
    assert reading.at_end(P)
    assert (reading.waiting(P, 5), reading.waiting(P, 2)) == (0, 3)
    assert jumps == []


def test_markers_behind_the_last_record_are_no_lag_once_they_were_seen_twice(reading, client, jumps):
    client.markers = 2
    values(reading)
    assert reading.positions.get(P) == 7
    assert reading.waiting(P, 7) == 0
    assert client.sought == [5]
    assert jumps == []


def test_an_end_behind_a_hole_is_no_word_about_what_lies_between(client, broker, jumps):
    """The hole is read again, and the report of the end came from before that."""
    reading = PositionedConsumer(client, lambda jump, _partition, width: jumps.append((jump, width)))
    kept = broker.logs[P]
    holed = [one for one in kept if one.offset() not in (1, 3)]
    consume = client.consume

    def consume_holed(num_messages: int = 1, timeout: float = -1) -> list[Message]:
        found = consume(num_messages, timeout)
        while found and found[0] not in holed:
            found = consume(num_messages, timeout)
        return found

    client.consume = consume_holed
    reading.begin({P: None})
    assert [record.offset for _ in range(6) for record in reading.fetch(10, 0)] == [0, 2, 4]
    assert jumps == []
    assert client.sought == [1]


def test_an_end_that_is_reported_too_far_skips_nothing(reading, client, broker, jumps):
    client.wrong = 1
    values(reading)
    assert reading.positions.get(P) == 5
    broker.append("t", b"5")
    assert values(reading) == [b"5"]
    assert jumps == []


def test_reading_resumes_where_we_are_and_not_where_the_client_stands(reading, client, broker, jumps):
    values(reading)
    paused = reading.pause()
    client._positions[P] = 6  # librdkafka 2.10.1
    broker.append("t", b"5")
    broker.append("t", b"6")
    reading.resume(paused)
    assert values(reading) == [b"5", b"6"]
    assert jumps == []


def test_what_was_taken_from_us_while_it_was_paused_is_not_resumed(reading, client):
    paused = reading.pause()
    reading.leave(P)
    reading.resume(paused)
    assert values(reading) == []


def test_what_went_while_it_was_paused_is_read_when_it_comes_back(reading, client):
    """The client keeps a partition paused though it goes and comes: so a whole door stood still after a broker died, alive and ready."""
    reading.pause()
    reading.leave(P)
    reading.add({P: 3})
    assert values(reading) == [b"3", b"4"]


def test_what_was_paused_is_read_when_all_is_begun_anew(reading, client):
    reading.pause()
    reading.begin({P: 3})
    assert values(reading) == [b"3", b"4"]


def test_a_place_that_expired_is_gone_on_from_the_earliest(reading, client, broker, jumps):
    broker.lows[P] = 3
    assert values(reading) == [b"3", b"4"]
    assert jumps == [(Jump.EXPIRED, 3)]


def test_a_broker_that_does_not_say_what_it_has_is_asked_again(reading, client, broker, monkeypatch):
    broker.lows[P] = 3
    answers = [KafkaException(KafkaError(KafkaError._TRANSPORT)), (3, 5)]

    def ends(*_: Any, **__: Any) -> tuple[int, int]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(client, "get_watermark_offsets", ends)
    assert values(reading) == [b"3", b"4"]


def test_a_log_that_was_cut_off_is_said_and_never_read(broker, jumps):
    halted: list[Partition] = []
    reading = PositionedConsumer(
        Client(broker), lambda jump, _p, width: jumps.append((jump, width)), None, halted.append
    )
    reading.begin({P: 9})
    assert values(reading) == []
    for _ in range(20):
        broker.append("t", b"other")
    assert values(reading) == []
    assert halted == [P]
    assert jumps == [(Jump.TRUNCATED, 0)]
    reading.resume(reading.pause())
    assert values(reading) == []


def test_whoever_does_not_care_for_it_is_stopped_by_a_log_that_was_cut_off(reading):
    reading.begin({P: 9})
    with pytest.raises(Recoverable, match="cut off"):
        values(reading)


def test_a_report_about_another_place_than_ours_stops_nothing(reading, client, jumps):
    lost = KafkaError(KafkaError._AUTO_OFFSET_RESET)
    reading.fetch(2, 0)
    client._positions[P] = 700  # it reports that, and gives the partition up
    assert values(reading) == [b"2", b"3", b"4"]
    assert lost.code() == KafkaError._AUTO_OFFSET_RESET
    assert jumps == []


def test_a_client_that_gives_errors_without_end_does_not_keep_whoever_reads(client):
    heard: list[tuple[KafkaError, str]] = []
    reading = PositionedConsumer(client, on_error=lambda *told: heard.append(told))
    reading.begin({P: None})
    client.errors = Endless([KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)])
    for turn in range(1, 4):
        assert reading.fetch(3, 0) == []
        assert len(heard) == turn
    client.errors = []
    assert values(reading) == [b"0", b"1", b"2", b"3", b"4"]


def test_an_error_among_records_loses_none_of_them(reading, client):
    answers = [client.poll(), MemoryMessage(("", 0, 0), None, None, its_error=KafkaError(KafkaError._TRANSPORT))]
    real = client.poll
    client.poll = lambda timeout=-1: answers.pop(0) if answers else real(timeout)
    assert [record.value for record in reading.fetch(3, 0)] == [b"0"]
    assert values(reading) == [b"1", b"2", b"3", b"4"]


def test_a_partition_that_is_added_begins_at_its_beginning_and_the_others_go_on(reading, broker):
    values(reading)
    broker.partitions = 2
    broker.append("t", b"new", b"k")
    reading.add({("t", 1): None})
    broker.append("t", b"5", b"")
    assert sorted(values(reading)) == [b"5", b"new"]


def test_what_the_client_must_not_read_is_read_by_ourselves_and_then_it_goes_on() -> None:
    broker, place = MemoryBroker(), ("in", 0)
    for number in range(6):
        broker.append("in", b"%d" % number)
    consumer = MemoryConsumer(broker)
    asked: list[tuple[int, int]] = []

    def read_own(partition: Partition, offset: int, until: int) -> Iterator[list[InputRecord]]:
        asked.append((offset, until))
        if len(asked) == 2:
            raise Recoverable("the broker is away")
        for at in range(offset, until, 2):
            yield [InputRecord(*partition, one, 0, None, b"own") for one in range(at, min(at + 2, until))]
            if len(asked) == 1:
                raise Recoverable("the broker goes away")

    reading = PositionedConsumer(consumer, read_own=read_own)
    reading.take_on({place: None})
    reading.go_on([place], {place: 4})
    assert consumer._paused == {place}
    reading.resume(reading.pause())
    assert consumer._paused == {place}
    rows = [reading.fetch(10, 0) for _ in range(6)]
    found = [(record.offset, record.value) for row in rows for record in row]
    assert found == [*((offset, b"own") for offset in range(4)), (4, b"4"), (5, b"5")]
    assert asked == [(0, 4), (2, 4), (2, 4)]
    assert consumer._paused == set()


def test_what_the_client_cannot_decompress_is_read_by_ourselves() -> None:
    broker, place = MemoryBroker(), ("in", 0)
    for _ in range(5):
        broker.append("in", b"v")
    consumer, errors = MemoryConsumer(broker), []
    reading = PositionedConsumer(
        consumer,
        on_error=lambda error, _: errors.append(error.code()),
        read_own=lambda partition, at, until: iter(
            [[InputRecord(*partition, one, 0, None, b"own") for one in range(at, until)]]
        ),
        behind_unread=lambda _, at: at + 3,
    )
    reading.add({place: None})
    bad = KafkaError(KafkaError._BAD_COMPRESSION)
    consumer.poll = Mock(side_effect=[MemoryMessage((*place, 0), None, None, its_error=bad), None, None])
    assert reading.fetch(10, 0) == []
    assert errors == [KafkaError._BAD_COMPRESSION]
    del consumer.poll
    rows = [reading.fetch(10, 0) for _ in range(3)]
    assert [(record.offset, record.value) for row in rows for record in row] == [
        (0, b"own"),
        (1, b"own"),
        (2, b"own"),
        (3, b"v"),
        (4, b"v"),
    ]


def test_what_came_before_an_end_goes_too_when_its_partition_does_within_the_same_fetch(broker: MemoryBroker) -> None:
    """It was handed over, though nobody may work on it any more: the process ended of that, or did it once more."""
    client = Moving(broker)
    client.reading = PositionedConsumer(client)
    client.reading.begin({P: None})
    assert client.reading.fetch(100, 0) == []
    assert client.reading.positions.get(P) is None
