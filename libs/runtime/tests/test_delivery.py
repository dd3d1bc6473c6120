"""A batch is delivered when every one of its records was acknowledged, and not before."""

import asyncio
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from contracts.reasons import Reason
from runtime.errors import DeliveryFailed, ProducerBroken, Rejected
from runtime.kafka.deadletter import OFFSET, VALUE_BYTES, dead_letter, header
from runtime.kafka.delivery import PRODUCER_DEFAULTS, DeliveryProducer
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.memory import MemoryBroker, MemoryProducer

RECORDS = [OutputRecord("out", b"k", b"%d" % number) for number in range(10)]


def make(broker: MemoryBroker) -> DeliveryProducer:
    return DeliveryProducer({}, MemoryProducer(broker))


def test_wait_returns_when_all_are_acknowledged() -> None:
    broker = MemoryBroker()
    make(broker).send(RECORDS).wait(1)
    assert len(broker.values("out")) == 10


def test_an_empty_batch_is_delivered_at_once() -> None:
    producer = make(MemoryBroker())
    assert producer.send([]).settled
    assert producer.in_flight == 0


def test_one_failed_record_fails_the_batch() -> None:
    broker = MemoryBroker()
    broker.delivery_faults["out"] = [KafkaError._MSG_TIMED_OUT]
    with pytest.raises(DeliveryFailed, match="1 of 10 records: _MSG_TIMED_OUT") as failure:
        make(broker).send(RECORDS).wait(1)
    assert failure.value.retriable


@pytest.mark.parametrize("code", [KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG])
def test_what_can_never_succeed_is_not_retriable(code: int) -> None:
    broker = MemoryBroker()
    broker.delivery_faults["out"] = [code]
    with pytest.raises(DeliveryFailed) as failure:
        make(broker).send(RECORDS).wait(1)
    assert not failure.value.retriable


def test_a_fatal_error_breaks_the_producer_for_good() -> None:
    broker = MemoryBroker()
    broker.delivery_faults["out"] = [KafkaError._FATAL] * 20
    producer = DeliveryProducer({}, MemoryProducer(broker))
    for _ in range(2):
        with pytest.raises(ProducerBroken, match="_FATAL"):
            producer.send(RECORDS).wait(1)
    assert producer.broken is not None


class Strict(MemoryProducer):
    """Takes no value above 100 bytes: refuses it before it is queued, or lets the broker do that."""

    def __init__(self, broker: MemoryBroker, *, at_once: bool) -> None:
        super().__init__(broker)
        self._at_once = at_once

    def produce(self, topic: str, value: bytes | None = None, key: bytes | None = None, **more: Any) -> None:
        if len(value or b"") <= 100:
            super().produce(topic, value, key, **more)
        elif self._at_once:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        else:
            more["on_delivery"](KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), None)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_dead_letter_that_nobody_takes_goes_without_its_bytes(*, at_once: bool) -> None:
    broker = MemoryBroker()
    large = dead_letter(InputRecord("in", 3, 9, 0, b"k", b"x" * 101), Reason.TOO_LARGE, "tester")
    small = dead_letter(InputRecord("in", 3, 10, 0, b"k", b"x" * 100), Reason.TOO_LARGE, "tester")
    DeliveryProducer({}, Strict(broker, at_once=at_once)).send([large, small]).wait(1)
    assert broker.values("in.dlq") == [None, b"x" * 100]
    headers = tuple(broker.messages("in.dlq")[0].headers() or ())
    assert header(headers, VALUE_BYTES) == b"101"
    assert header(headers, OFFSET) == b"9"


@pytest.mark.parametrize("at_once", [True, False])
def test_any_other_record_that_is_too_large_is_a_failure(*, at_once: bool) -> None:
    producer = DeliveryProducer({}, Strict(MemoryBroker(), at_once=at_once))
    with pytest.raises(DeliveryFailed, match="MSG_SIZE_TOO_LARGE"):
        producer.send([OutputRecord("out", b"k", b"x" * 101)]).wait(1)


def test_a_silent_broker_is_a_failure_in_time() -> None:
    broker = MemoryBroker()
    broker.holding = True
    producer = make(broker)
    with pytest.raises(DeliveryFailed, match="10 of 10 records: _TIMED_OUT"):
        producer.send(RECORDS).wait(0.05)
    assert producer.in_flight == 1


def test_batches_are_counted_apart() -> None:
    broker = MemoryBroker()
    broker.holding = True
    producer = make(broker)
    first, second = producer.send(RECORDS), producer.send(RECORDS)
    broker.delivery_faults["out"] = [KafkaError._MSG_TIMED_OUT]
    broker.holding = False
    producer.poll()
    assert first.failure is not None
    assert second.settled
    assert second.failure is None


def test_a_full_queue_is_polled_until_there_is_room() -> None:
    broker = MemoryBroker()
    broker.queue_limit = 3
    make(broker).send(RECORDS).wait(1)
    assert len(broker.values("out")) == 10


def test_a_queue_that_stays_full_rejects() -> None:
    broker = MemoryBroker()
    broker.queue_limit, broker.holding = 3, True
    producer = make(broker)
    with pytest.raises(Rejected):
        producer.send(RECORDS, enqueue_timeout_s=0)
    assert producer.in_flight == 0


def test_a_record_refused_before_it_is_queued_counts_as_failed() -> None:
    class Refusing(MemoryProducer):
        def produce(self, topic: str, value: bytes | None = None, key: bytes | None = None, **more: Any) -> None:
            if value == b"3":
                raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
            super().produce(topic, value, key, **more)

    delivery = DeliveryProducer({}, Refusing(MemoryBroker())).send(RECORDS)
    with pytest.raises(DeliveryFailed, match="1 of 10 records: MSG_SIZE_TOO_LARGE"):
        delivery.wait(1)


def test_done_waits_on_the_event_loop_while_the_producer_is_pumped() -> None:
    broker = MemoryBroker()
    broker.holding = True

    async def scenario() -> int:
        producer = make(broker)
        first, second = producer.send(RECORDS), producer.send(RECORDS)
        waiting = asyncio.gather(first.done(2), second.done(2))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        broker.holding = False
        await waiting
        await producer.send(RECORDS).done(2)  # the pump starts anew
        return producer.in_flight

    assert asyncio.run(scenario()) == 0
    assert len(broker.values("out")) == 30


def test_done_gives_up_in_time_and_tells_failures() -> None:
    broker = MemoryBroker()

    async def scenario() -> None:
        producer = make(broker)
        broker.holding = True
        with pytest.raises(DeliveryFailed, match="_TIMED_OUT"):
            await producer.send(RECORDS).done(0.02)
        broker.delivery_faults["out"] = [KafkaError._MSG_TIMED_OUT] * 20
        broker.holding = False
        with pytest.raises(DeliveryFailed, match="_MSG_TIMED_OUT"):
            await producer.send(RECORDS).done(1)

    asyncio.run(scenario())


def test_the_defaults_lose_nothing_and_partition_as_java_does() -> None:
    assert PRODUCER_DEFAULTS["acks"] == "all"
    assert PRODUCER_DEFAULTS["enable.idempotence"] is True
    assert PRODUCER_DEFAULTS["partitioner"] == "murmur2_random"


def test_the_real_client_takes_the_defaults() -> None:
    producer = DeliveryProducer({"bootstrap.servers": "127.0.0.1:1", "delivery.timeout.ms": 1000})
    with pytest.raises(DeliveryFailed, match="10 of 10 records"):
        producer.send(RECORDS).wait(5)
    assert producer.close(0) == 0


def test_a_record_goes_to_the_partition_that_it_names() -> None:
    asked: list[object] = []

    class Producer:
        def produce(self, *_: object, on_delivery: object, **more: object) -> None:
            asked.append(more.get("partition"))

        def poll(self, timeout: float = 0) -> int:
            return 0

        def flush(self, timeout: float = 0) -> int:
            return 0

    producer = DeliveryProducer({}, Producer())
    producer.send([OutputRecord("out", b"k", b"v", partition=3), OutputRecord("out", b"k", b"v")])
    assert asked == [3, None]
