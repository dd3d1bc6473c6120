"""Errors that a real broker gives too seldom to wait for, from librdkafka's mock cluster: what is sent is sent, what is there is read once."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from extractor_rig import patiently, until
from mock_cluster import FETCH, METADATA, OFFSET_FETCH, PRODUCE, MockCluster
from runtime.errors import DeliveryFailed
from runtime.kafka.commits import GroupCommits
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.positioned import POSITION_CONFIG, PositionedConsumer
from runtime.kafka.records import OutputRecord

pytestmark = pytest.mark.timeout(120)

TOPIC, PARTITIONS = "notes", 4
PRODUCE_ERRORS = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.LEADER_NOT_AVAILABLE,
)
FETCH_ERRORS = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.UNKNOWN_LEADER_EPOCH,
)


@pytest.fixture
def cluster():
    with MockCluster() as made:
        made.create(TOPIC, PARTITIONS)
        yield made


def send(cluster: MockCluster, first: int, count: int) -> DeliveryProducer:
    producer = DeliveryProducer({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
    values = [str(number).encode() for number in range(first, first + count)]
    delivery = producer.send([OutputRecord(TOPIC, value, value) for value in values])
    until(lambda: producer.poll(0.05) or delivery.settled, 60, "all to be reported")
    delivery.wait(1)
    return producer


def read(cluster: MockCluster, count: int) -> list[int]:
    own = {"bootstrap.servers": cluster.bootstrap, "group.id": "g", "log_level": 0}
    consumer = Consumer({**POSITION_CONFIG, **own})
    reading = PositionedConsumer(consumer)
    reading.begin({(TOPIC, number): 0 for number in range(PARTITIONS)})
    found: list[int] = []
    deadline_s = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline_s:
        found += [int(record.value or b"") for record in reading.fetch(100, 0.1)]
    reading.close()
    return found


def test_injected_errors_lose_and_repeat_nothing(cluster: MockCluster) -> None:
    cluster.answer(PRODUCE, *PRODUCE_ERRORS)
    cluster.answer(METADATA, KafkaError.LEADER_NOT_AVAILABLE)
    send(cluster, 0, 200)
    cluster.answer(FETCH, *FETCH_ERRORS)
    assert sorted(read(cluster, 200)) == list(range(200))


def test_a_broker_that_goes_and_comes_costs_nothing(cluster: MockCluster) -> None:
    send(cluster, 0, 50)
    cluster.down(2)
    cluster.answer(PRODUCE, KafkaError.NOT_LEADER_FOR_PARTITION)
    cluster.up(2)
    send(cluster, 50, 50)
    assert sorted(read(cluster, 100)) == list(range(100))


def test_what_is_refused_for_good_is_told_of_every_record(cluster: MockCluster) -> None:
    cluster.answer(PRODUCE, *[KafkaError.INVALID_PRODUCER_EPOCH] * 4)
    with pytest.raises(DeliveryFailed, match=r"20 of 20 records: INVALID_PRODUCER_EPOCH"):
        send(cluster, 0, 20)


@pytest.mark.parametrize("error", [KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS])
def test_where_a_group_is_can_be_asked_while_its_coordinator_moves(cluster: MockCluster, error: int) -> None:
    """AdminClient.list_consumer_group_offsets would end this process here."""
    member = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "judged", "log_level": 0})
    member.commit(offsets=[TopicPartition(TOPIC, 1, 7)], asynchronous=False)
    member.close()
    cluster.answer(OFFSET_FETCH, error, error)
    commits = GroupCommits({"bootstrap.servers": cluster.bootstrap})
    places = [(TOPIC, number) for number in range(PARTITIONS)]
    assert patiently(lambda: commits.of("judged", places, 30)) == {(TOPIC, 1): 7}
    assert commits.of("a group that is not there", places, 30) == {}
    commits.close()
