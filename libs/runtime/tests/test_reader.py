"""The reader without a group: what it asks, how far it reads, and what it does about new partitions."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from runtime.errors import Recoverable
from runtime.kafka.reader import GROWTH_S, NO_GROUP, Extent, RecordReader, open_client
from runtime.service.memory import MemoryBroker, MemoryConsumer

A, B = ("t", 0), ("t", 1)


class Client(MemoryConsumer):
    """Knows topics, times and a cluster, and may be away."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.numbers = [0]
        self.away = False

    def list_topics(self, timeout: float) -> Any:
        del timeout
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(cluster_id="c", topics={"t": SimpleNamespace(partitions=dict.fromkeys(self.numbers))})

    def offsets_for_times(self, wanted: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        del timeout
        return [TopicPartition(one.topic, one.partition, 2 if one.offset < 100 else -1) for one in wanted]


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker(2)
    for number in range(4):
        broker.append("t", b"%d" % number, b"")
    return broker


@pytest.fixture
def client(broker: MemoryBroker) -> Client:
    return Client(broker)


def test_what_is_asked(client):
    reader = RecordReader(client, ["t"])
    assert reader.cluster() == "c"
    assert reader.extents() == {A: Extent(0, 4)}
    assert reader.since([A], 50) == {A: 2}
    assert reader.since([A], 100) == {A: None}  # nothing is as young as that
    assert reader.since([], 100) == {}


def test_a_topic_that_is_missing_is_named(client):
    with pytest.raises(Recoverable, match="do not exist yet: u; run"):
        RecordReader(client, ["t", "u"]).extents()


def test_it_reads_up_to_an_end_and_no_further(client, broker):
    reader = RecordReader(client, ["t"])
    reader.begin({A: 1})
    broker.append("t", b"late", b"")
    assert [record.value for record in reader.up_to({A: 4}, 5.0)] == [b"1", b"2", b"3"]
    assert reader.reached({A: 4})
    assert not reader.reached({A: 6})


def test_a_broker_that_sends_nothing_is_told(client):
    reader = RecordReader(client, ["t"])
    reader.begin({A: 4})
    with pytest.raises(Recoverable, match="sends nothing"):
        list(reader.up_to({A: 9}, 0.0))


def test_new_partitions_are_asked_for_now_and_then_and_who_is_away_is_not_an_end(client, broker):
    now = [0.0]
    reader = RecordReader(client, ["t"], clock=lambda: now[0])
    reader.begin(dict.fromkeys(reader.partitions()))
    client.numbers.append(1)
    broker.append("t", b"new", b"k")
    assert reader.grown() == {}
    now[0] += GROWTH_S
    client.away = True
    assert reader.grown() == {}
    now[0] += GROWTH_S
    client.away = False
    assert reader.grown() == {B: Extent(0, 1)}
    assert sorted(record.value for record in reader.read()) == [b"0", b"1", b"2", b"3", b"new"]
    assert reader.waiting() == {A: 0, B: 0}


def test_a_client_has_one_name_of_a_group_and_commits_nothing() -> None:
    config: dict[str, Any] = {}
    open_client({"bootstrap.servers": "b:1"}, make=lambda given: config.update(given) or None)
    assert (config["group.id"], config["enable.auto.commit"]) == (NO_GROUP, False)
