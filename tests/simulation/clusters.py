"""Two clusters for one suite: the simulated one, and a real one. What a story asks of them has the same words."""

import contextlib
import random
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from runtime.stream.loop import CONSUMER_DEFAULTS

from tests.simulation.broker import Broker
from tests.simulation.client import SimConsumer, SimProducer, metadata_of
from tests.simulation.kernel import Kernel, Process

_LARGE_BYTES = 20_000
_CLOSE_S = 20.0


class Simulated:
    """The simulated broker; a story runs in a task of its own."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.broker = Broker(self.kernel, random.Random(7))
        self.process = Process(self.kernel, "story")

    def play(self, story: Callable[[Any], None]) -> None:
        ended: list[bool] = []

        def run() -> None:
            story(self)
            ended.append(True)

        with self.kernel:
            self.process.spawn(run)
            self.kernel.run(lambda: bool(ended), 600.0, check_every=1)
            self.process.kill()
        assert ended, "the story did not come to its end"

    def topic(self, partitions: int = 1) -> str:
        name = f"t{len(self.broker.topics)}"
        self.broker.create(name, partitions)
        self.broker.most_bytes[name] = _LARGE_BYTES
        return name

    def consumer(self, group: str = "g", **config: Any) -> SimConsumer:
        return SimConsumer(self.broker, self.process, {**CONSUMER_DEFAULTS, "group.id": group, **config})

    def producer(self) -> SimProducer:
        return SimProducer(self.broker, self.process)

    def transact(self, topic: str, values: list[bytes], *, commit: bool) -> None:
        place = (topic, 0)
        self.broker.begin_transaction(place)
        for value in values:
            self.broker.append(topic, None, value, (), 0, "data" if commit else "aborted")
        self.broker.end_transaction(place)

    def open_transaction(self, topic: str, value: bytes) -> Callable[[], None]:
        self.broker.begin_transaction((topic, 0))
        self.broker.append(topic, None, value, (), 0)
        return lambda: self.broker.end_transaction((topic, 0))

    def delete_before(self, topic: str, offset: int) -> None:
        self.broker.expire((topic, 0), offset)

    def grow(self, topic: str, partitions: int) -> None:
        self.broker.grow(topic, partitions)

    def partitions(self, topic: str) -> int:
        return len(metadata_of(self.broker, topic).topics[topic].partitions)

    def until(self, look: Callable[[], Any], seconds: float = 30.0) -> Any:
        until_s = self.kernel.now + seconds
        while not (found := look()):
            assert self.kernel.now < until_s, "waited in vain"
            self.kernel.wait(0.05)
        return found


def _close(client: Any) -> None:
    """Close a client of the real cluster, but do not wait for ever: librdkafka was seen to wait for itself where a rebalance met a close."""

    def close() -> None:
        with contextlib.suppress(RuntimeError, KafkaException):
            client.close()

    closing = threading.Thread(target=close, daemon=True)
    closing.start()
    closing.join(_CLOSE_S)


class Real:
    """A real cluster."""

    def __init__(self, servers: str) -> None:
        self._servers = {"bootstrap.servers": servers}
        self._admin = AdminClient(self._servers)
        self._open: list[Any] = []
        self._name = f"c{uuid.uuid4().hex[:10]}"
        self._topics = 0

    def play(self, story: Callable[[Any], None]) -> None:
        try:
            story(self)
        finally:
            for one in self._open:
                _close(one)

    def topic(self, partitions: int = 1) -> str:
        self._topics += 1
        name = f"{self._name}.{self._topics}"
        new = NewTopic(name, partitions, 1, config={"max.message.bytes": str(_LARGE_BYTES)})
        self._admin.create_topics([new])[name].result(30)
        self.until(lambda: self.partitions(name) == partitions)
        return name

    def consumer(self, group: str = "g", **config: Any) -> Consumer:
        client = Consumer({**CONSUMER_DEFAULTS, **self._servers, "group.id": f"{self._name}.{group}", **config})
        self._open.append(client)
        return client

    def producer(self) -> Producer:
        return Producer({**self._servers, "enable.idempotence": True})

    def _transactional(self) -> Producer:
        client = Producer({**self._servers, "transactional.id": uuid.uuid4().hex})
        client.init_transactions(30)
        client.begin_transaction()
        return client

    def transact(self, topic: str, values: list[bytes], *, commit: bool) -> None:
        client = self._transactional()
        for value in values:
            client.produce(topic, value, partition=0)
        client.flush(30)
        client.commit_transaction(30) if commit else client.abort_transaction(30)

    def open_transaction(self, topic: str, value: bytes) -> Callable[[], None]:
        client = self._transactional()
        client.produce(topic, value, partition=0)
        client.flush(30)
        return lambda: client.commit_transaction(30)

    def delete_before(self, topic: str, offset: int) -> None:
        place = TopicPartition(topic, 0, offset)
        next(iter(self._admin.delete_records([place]).values())).result(30)

    def grow(self, topic: str, partitions: int) -> None:
        next(iter(self._admin.create_partitions([NewPartitions(topic, partitions)]).values())).result(30)

    def partitions(self, topic: str) -> int:
        found = self._admin.list_topics(timeout=10).topics.get(topic)
        return 0 if found is None else len(found.partitions)

    def until(self, look: Callable[[], Any], seconds: float = 60.0) -> Any:
        until_s = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < until_s, "waited in vain"
        return found
