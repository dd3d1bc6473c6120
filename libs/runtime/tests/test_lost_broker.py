"""A client whose only broker was fenced for a moment finds it again.

A broker that stood still for longer than its session is fenced when it comes back, and a cluster of one then names no broker for
some milliseconds. librdkafka 2.11 to 2.16 forgets the broker when that answer comes just as its group's coordinator goes, and asks
nobody ever after: no assignment, no error, alive and ready (seen in three of eight rounds here with 2.16.0; never with 2.10.1).
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer
from runtime.stream.loop import CONSUMER_DEFAULTS

ROUNDS = 25
HOST, GROUP, TOPIC = b"127.0.0.1", "g", b"t"
METADATA, FIND_COORDINATOR, JOIN_GROUP, API_VERSIONS = 3, 10, 11, 18
VERSIONS = {METADATA: 4, FIND_COORDINATOR: 1, JOIN_GROUP: 5, API_VERSIONS: 0, 12: 3, 14: 3, 8: 7, 9: 7, 1: 11}
UNSUPPORTED_VERSION, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR = 35, 15, 16


class OneBroker:
    """As much of Kafka's protocol as a consumer needs to ask for its group, and no more: it never gets in.

    While `fenced`, metadata name no broker and the group has no coordinator.
    """

    def __init__(self) -> None:
        self.fenced = False
        self.fences = 0
        self.named: list[bool] = []
        self.joins = 0
        self._ended = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def fence(self) -> None:
        self.fenced = True
        self.fences += 1

    def end(self) -> None:
        self._ended = True
        for one in (self._listening, *self._connections):
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection.makefile("rb") as stream:
            while size := stream.read(4):
                key, version, correlation = struct.unpack(">hhi", stream.read(struct.unpack(">i", size)[0])[:8])
                answer = struct.pack(">i", correlation) + self._answer(key, version)
                connection.sendall(struct.pack(">i", len(answer)) + answer)

    def _answer(self, key: int, version: int) -> bytes:
        return {
            API_VERSIONS: lambda: self._versions(version),
            METADATA: self._metadata,
            FIND_COORDINATOR: self._coordinator,
            JOIN_GROUP: self._join,
        }[key]()

    def _versions(self, version: int) -> bytes:
        known = b"".join(struct.pack(">hhh", key, 0, newest) for key, newest in VERSIONS.items())
        return struct.pack(">hi", UNSUPPORTED_VERSION if version else 0, len(VERSIONS)) + known

    def _metadata(self) -> bytes:
        named = not self.fenced
        self.named.append(named)
        broker = struct.pack(">i", 1) + self._address() + struct.pack(">h", -1)
        brokers = struct.pack(">i", 1) + broker if named else struct.pack(">i", 0)
        topics = struct.pack(">ihh", 1, 0, len(TOPIC)) + TOPIC + struct.pack(">bi", 0, 0)
        return struct.pack(">i", 0) + brokers + struct.pack(">h2si", 2, b"id", 1 if named else -1) + topics

    def _coordinator(self) -> bytes:
        if self.fenced:
            return struct.pack(">ihhihi", 0, COORDINATOR_NOT_AVAILABLE, -1, -1, 0, -1)
        return struct.pack(">ihhi", 0, 0, -1, 1) + self._address()

    def _join(self) -> bytes:
        self.joins += 1
        fences = self.fences
        _until(lambda: self.fenced or self.fences > fences or self._ended, 60)
        return struct.pack(">ihihhhi", 0, NOT_COORDINATOR, -1, 0, 0, 0, 0)

    def _address(self) -> bytes:
        return struct.pack(">h", len(HOST)) + HOST + struct.pack(">i", self.port)


@pytest.fixture
def broker() -> Iterator[OneBroker]:
    broker = OneBroker()
    yield broker
    broker.end()


@pytest.mark.timeout(180)
@pytest.mark.slow
def test_a_consumer_finds_a_broker_that_was_fenced_for_a_moment(broker: OneBroker) -> None:
    address = {"bootstrap.servers": f"127.0.0.1:{broker.port}", "group.id": GROUP, "log_level": 3}
    consumer = Consumer({**CONSUMER_DEFAULTS, **address, "topic.metadata.refresh.interval.ms": 500})
    consumer.subscribe([TOPIC.decode()])

    def poll_until(condition: Callable[[], bool], seconds: float) -> bool:
        return _until(lambda: consumer.poll(0.01) is None and condition(), seconds)

    try:
        assert poll_until(lambda: broker.joins > 0, 30)
        for number in range(ROUNDS):
            asked = len(broker.named)
            broker.fence()
            assert poll_until(lambda asked=asked: False in broker.named[asked:], 10), f"round {number}"  # type: ignore[misc]
            joins, broker.fenced = broker.joins, False
            assert poll_until(lambda joins=joins: broker.joins > joins, 15), f"round {number}: it asks nobody"  # type: ignore[misc]
    finally:
        consumer.close()


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline_s = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(0.001)
    return True
