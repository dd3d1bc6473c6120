"""Texts are read by their place, and what has left the topic is known without a fetch for each."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from review_desk.adapters.texts import TopicRequests
from runtime.errors import Recoverable
from runtime.kafka.consumer_errors import ConsumerErrors, ErrorKind
from runtime.service.health import Readiness
from runtime.service.metrics import CONSUMER_ERRORS, Metrics

ERRORS = ConsumerErrors(Metrics(), Readiness())


class Message:
    def __init__(self, offset: int) -> None:
        self._offset = offset

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 0

    def key(self) -> None:
        return None

    def headers(self) -> None:
        return None

    def value(self) -> bytes:
        return b"text"


class Given(bytes):
    """Stands for a decoded request in clear."""

    sealed = None


def as_it_is(value: bytes | None) -> Any:
    return Given(value or b"")


class Consumer:
    """Holds the offsets from 100 on."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.fetched: list[int] = []
        self.asked = 0

    def get_watermark_offsets(self, _place: TopicPartition, timeout: float) -> tuple[int, int]:
        self.asked += 1
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return 100, 200

    def assign(self, places: list[TopicPartition]) -> None:
        self.fetched += [place.offset for place in places]

    def resume(self, places: list[TopicPartition]) -> None:
        pass

    def poll(self, timeout: float) -> Message | None:
        return None if self.away else Message(self.fetched[-1])


def requests(consumer: Consumer) -> TopicRequests:
    made: Any = consumer
    return TopicRequests("t", as_it_is, made, ERRORS, timeout_s=0.05)  # type: ignore[arg-type,return-value]


def test_a_backlog_that_left_the_topic_costs_one_question() -> None:
    consumer = Consumer()
    reader = requests(consumer)
    assert [reader.read(0, offset) for offset in range(100)] == [None] * 100
    assert consumer.fetched == []
    assert consumer.asked == 1


def test_what_is_there_is_fetched_once() -> None:
    consumer = Consumer()
    reader = requests(consumer)
    assert reader.read(0, 100) == reader.read(0, 100) == b"text"
    assert consumer.fetched == [100]


class Skipping(Consumer):
    """Gives the next record instead of the one that was asked for, so often."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.sought = 0

    def seek(self, _place: TopicPartition) -> None:
        self.sought += 1

    def poll(self, timeout: float) -> Message | None:
        self.times -= 1
        return Message(self.fetched[-1] + (self.times >= 0))


def test_a_text_is_gone_only_when_the_broker_gave_the_next_one_twice() -> None:
    once, twice = Skipping(1), Skipping(2)
    assert requests(once).read(0, 100) == b"text"
    assert requests(twice).read(0, 100) is None
    assert (once.sought, twice.sought) == (1, 1)


def test_a_broker_that_is_away_is_not_taken_for_a_text_that_is_gone() -> None:
    with pytest.raises(Recoverable):
        requests(Consumer(away=True)).read(0, 5)


class SlowConsumer(Consumer):
    """Gives nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_for_one = threading.Event()
        self.let_go = threading.Event()

    def poll(self, timeout: float) -> Message | None:
        self.asked_for_one.set()
        assert self.let_go.wait(20)
        return Message(self.fetched[-1])


def test_nobody_waits_long_behind_a_text_that_does_not_come() -> None:
    consumer = SlowConsumer()
    reader = TopicRequests("t", as_it_is, consumer, ERRORS, timeout_s=20, lock_timeout_s=0.05)  # type: ignore[arg-type,return-value]
    with ThreadPoolExecutor(1) as pool:
        consumer.let_go.set()
        assert reader.read(0, 100) == b"text"
        consumer.let_go.clear()
        consumer.asked_for_one.clear()
        slow = pool.submit(reader.read, 0, 101)
        assert consumer.asked_for_one.wait(20)
        assert reader.read(0, 100) == b"text"  # what is known needs no broker
        with pytest.raises(Recoverable, match="behind others"):
            reader.read(0, 102)
        consumer.let_go.set()
        assert slow.result(20) == b"text"


class LargeConsumer(Consumer):
    """Every record is as large as one may be."""

    def poll(self, timeout: float) -> Message:
        message = Message(self.fetched[-1])
        message.value = lambda: bytes(100_000)  # type: ignore[method-assign]
        return message


def test_the_cache_is_bounded_by_bytes_and_forgets_what_was_read_longest_ago() -> None:
    consumer = LargeConsumer()
    reader = TopicRequests("t", as_it_is, consumer, ERRORS, keep_bytes=1_000_000)  # type: ignore[arg-type,return-value]
    for offset in range(100, 140):
        reader.read(0, offset)
        assert reader.cached_bytes <= 1_000_000
        reader.read(0, 100)
    assert reader.cached_bytes > 800_000
    fetched = len(consumer.fetched)
    reader.read(0, 139)
    assert len(consumer.fetched) == fetched
    reader.read(0, 101)
    assert len(consumer.fetched) == fetched + 1


def test_a_record_larger_than_the_cache_is_read_and_not_kept() -> None:
    reader = TopicRequests("t", as_it_is, LargeConsumer(), ERRORS, keep_bytes=50_000)  # type: ignore[arg-type,return-value]
    assert reader.read(0, 100) == bytes(100_000)
    assert reader.cached_bytes == 0


def test_what_is_kept_is_the_record_alone() -> None:
    """A request that was decoded takes many times what its record does: nobody would know how much."""
    decoded: list[bytes | None] = []

    def decode(value: bytes | None) -> Any:
        decoded.append(value)
        return as_it_is(value)

    consumer = Consumer()
    reader = TopicRequests("t", decode, consumer, ERRORS)  # type: ignore[arg-type]
    reader.read(0, 100)
    reader.read(0, 100)
    assert decoded == [b"text", b"text"]
    assert consumer.fetched == [100]


class Refusing(Consumer):
    """Says that it may not read, in place of a record."""

    def poll(self, timeout: float) -> Any:
        refused = Message(0)
        refused.error = lambda: KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)  # type: ignore[assignment,method-assign,return-value]
        return refused


def test_what_the_client_says_in_place_of_a_text_is_counted_and_a_lost_right_is_not_ready() -> None:
    metrics, readiness = Metrics(), Readiness()
    errors = ConsumerErrors(metrics, readiness)
    away: Any = Consumer(away=True)
    with pytest.raises(Recoverable):
        TopicRequests("t", as_it_is, away, errors, timeout_s=0.05).read(0, 5)  # type: ignore[arg-type,return-value]
    assert not readiness.missing
    refusing: Any = Refusing()
    with pytest.raises(Recoverable):
        TopicRequests("t", as_it_is, refusing, errors, timeout_s=0.05).read(0, 100)  # type: ignore[arg-type,return-value]
    counted = metrics.counter(CONSUMER_ERRORS)
    assert counted.labels(ErrorKind.AWAY.value)._value.get() == 1
    assert counted.labels(ErrorKind.FORBIDDEN.value)._value.get() > 0
    assert len(readiness.missing) == 1


def test_a_text_that_is_sealed_still_is_gone() -> None:
    class Erased(bytes):
        sealed = b"sealed"

    made: Any = Consumer()
    assert TopicRequests("t", lambda value: Erased(value or b""), made, ERRORS).read(0, 100) is None  # type: ignore[arg-type,return-value]
