"""The loop and the delivery against a real broker: what the memory broker promises holds there."""

import os
import threading
import time
import uuid
from collections.abc import Sequence

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from runtime.errors import DeliveryFailed
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.metrics import COMMIT_AGE, CONSUMER_LAG, Metrics
from runtime.stream.loop import CONSUMER_DEFAULTS, ConsumerLoop, LoopLimits

pytestmark = pytest.mark.stack

# org.apache.kafka.common.utils.UtilsTest pins these for Java.
JAVA_MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def murmur2(data: bytes) -> int:
    """Kafka's Java murmur2, as a signed 32-bit number."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for index in range(0, whole, 4):
        k = int.from_bytes(data[index : index + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    h ^= h >> 15
    return h - 2**32 if h >= 2**31 else h


def test_our_murmur2_is_javas() -> None:
    assert {data: murmur2(data) for data in JAVA_MURMUR2} == JAVA_MURMUR2


@pytest.fixture
def servers(stack) -> str:
    return stack.addresses.bootstrap_servers


@pytest.fixture
def topics(servers: str) -> tuple[str, str]:
    prefix = f"t{uuid.uuid4().hex[:10]}."
    names = f"{prefix}in", f"{prefix}out"
    admin = AdminClient({"bootstrap.servers": servers})  # its futures live as long as it does
    for future in admin.create_topics([NewTopic(name, num_partitions=6) for name in names]).values():
        future.result(20)
    return names


def read(servers: str, topic: str, count: int, seconds: float = 30) -> list:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "t", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(6)])
    found: list = []
    deadline = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        found += [message for message in consumer.consume(1000, 0.2) if not message.error()]
    consumer.close()
    return found


def committed(servers: str, group: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": group})
    offsets = consumer.committed([TopicPartition(topic, number) for number in range(6)], timeout=20)
    consumer.close()
    return sum(max(0, offset.offset) for offset in offsets)


def test_keys_go_where_java_sends_them(servers: str, topics: tuple[str, str]) -> None:
    keys = [*JAVA_MURMUR2, *(uuid.uuid4().hex.encode() for _ in range(200))]
    producer = DeliveryProducer({"bootstrap.servers": servers})
    producer.send([OutputRecord(topics[0], key, b"v") for key in keys]).wait(30)
    found = {message.key(): message.partition() for message in read(servers, topics[0], len(keys))}
    assert found == {key: (murmur2(key) & 0x7FFFFFFF) % 6 for key in keys}


def test_a_record_that_the_topic_does_not_take_fails_its_batch_only(servers: str, topics: tuple[str, str]) -> None:
    producer = DeliveryProducer({"bootstrap.servers": servers})
    small = [OutputRecord(topics[0], b"k", b"v")]
    before, failing, after = (
        producer.send(small),
        producer.send([*small, OutputRecord(topics[0], b"k", os.urandom(3_000_000))]),
        producer.send(small),
    )
    before.wait(30)
    with pytest.raises(DeliveryFailed, match="MSG_SIZE_TOO_LARGE") as failure:
        failing.wait(30)
    assert not failure.value.retriable
    after.wait(30)


class Worker:
    def __init__(self, servers: str, topics: tuple[str, str], group: str) -> None:
        def copy_out(records: Sequence[InputRecord]) -> list[OutputRecord]:
            return [OutputRecord(topics[1], record.key, record.value) for record in records]

        config = {"bootstrap.servers": servers}
        self.metrics = Metrics()
        self.loop = ConsumerLoop(
            Consumer({**CONSUMER_DEFAULTS, **config, "group.id": group, "session.timeout.ms": 6000}),
            DeliveryProducer(config),
            copy_out,
            [topics[0]],
            limits=LoopLimits(batch_records=50),
            metrics=self.metrics,
        )
        self.thread = threading.Thread(target=self.loop.run)
        self.thread.start()

    def stop(self) -> None:
        self.loop.stop()
        self.thread.join(30)
        assert not self.thread.is_alive()


def test_workers_come_and_go_and_nothing_is_lost_or_reordered(servers: str, topics: tuple[str, str]) -> None:
    group = topics[0] + "group"
    values = [b"%06d" % number for number in range(6000)]
    producer = DeliveryProducer({"bootstrap.servers": servers})
    workers = [Worker(servers, topics, group)]
    for start in range(0, len(values), 500):
        batch = [OutputRecord(topics[0], b"%d" % (int(value) % 40), value) for value in values[start : start + 500]]
        producer.send(batch).wait(30)
        if start == 1000:
            workers.append(Worker(servers, topics, group))
        if start == 4000:
            workers.pop(0).stop()
    deadline = time.monotonic() + 60
    while committed(servers, group, topics[0]) < len(values) and time.monotonic() < deadline:
        time.sleep(0.2)
    for worker in workers:
        worker.stop()
    assert committed(servers, group, topics[0]) == len(values)
    found = read(servers, topics[1], len(values))
    assert {message.value() for message in found} == set(values)
    assert len(found) <= len(values) * 1.02
    newest: dict[bytes, bytes] = {}
    for message in found:
        newest[message.key()] = message.value()  # by partition and offset: the last copy of each key must be the newest
    assert all(newest[b"%d" % key] == b"%06d" % (5960 + key) for key in range(40))


def test_a_transactional_producer_leaves_no_lag_behind(
    servers: str, topics: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its markers stand in the log and are never handed out: an end that cannot be reached is no lag, and does not grow old."""
    monkeypatch.setattr("runtime.stream.loop._LAG_INTERVAL_S", 0.0)
    producer = Producer({"bootstrap.servers": servers, "transactional.id": topics[0]})
    producer.init_transactions(30)
    for _ in range(3):
        producer.begin_transaction()
        for number in range(20):
            producer.produce(topics[0], b"v", b"%d" % number)
        producer.commit_transaction(30)
    worker = Worker(servers, topics, f"g-{topics[0]}")

    def one_line_errors(metric) -> float | None:
        return worker.metrics.registry.get_sample_value(metric.name, {"topic": topics[0]})

    try:
        assert len(read(servers, topics[1], 60)) == 60
        deadline, in_a_row, last = time.monotonic() + 60, 0, None
        while in_a_row < 20:
            last = one_line_errors(CONSUMER_LAG), one_line_errors(COMMIT_AGE)
            in_a_row = in_a_row + 1 if last == (0, 0) else 0
            assert time.monotonic() < deadline, last
            time.sleep(0.1)
    finally:
        worker.stop()
