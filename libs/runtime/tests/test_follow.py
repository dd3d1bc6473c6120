"""A topic read whole, without a group: nothing that fails ends the reading, and nothing is left out."""

import threading
import time
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException
from contracts.reasons import Reason
from contracts.registry import RegistryUnavailable
from contracts.wire import WireError
from runtime.kafka import follow
from runtime.kafka.follow import TopicFollower
from runtime.service.memory import MemoryBroker, MemoryConsumer
from runtime.service.metrics import OFFSET_RESETS, Metrics

AWAY = KafkaException(KafkaError(KafkaError._TRANSPORT))


class FakeLog(MemoryConsumer):
    """One partition of a topic, and clients that read it."""

    def __init__(self, *values: bytes) -> None:
        self.broker = MemoryBroker()
        for value in values:
            self.broker.append("t", value)
        super().__init__(self.broker)
        self.numbers = [0]
        self.refused = 0

    def __call__(self, config) -> "FakeLog":
        assert config["auto.offset.reset"] == "error"
        return self

    def list_topics(self, timeout):
        if self.refused:
            self.refused -= 1
            raise AWAY
        return SimpleNamespace(topics={"t": SimpleNamespace(partitions=dict.fromkeys(self.numbers))})

    def poll(self, timeout=-1):
        threading.Event().wait(min(timeout, 0.005))
        return super().poll(timeout)


def followed(log: FakeLog, decode, on_record=None) -> list[bytes]:
    """What was heard until the follower had caught up."""
    heard: list[bytes] = []
    follower = TopicFollower({}, "t", decode, on_record or heard.append, make_consumer=log)
    follower.start()
    try:
        assert follower._caught_up.wait(10)
    finally:
        follower.stop()
    return heard


@pytest.fixture(autouse=True)
def short_pause(monkeypatch):
    monkeypatch.setattr(follow, "_PAUSE_S", 0.01)


def test_everything_is_heard_from_the_start():
    assert followed(FakeLog(b"a", b"b", b"c"), bytes) == [b"a", b"b", b"c"]


def test_a_broker_that_is_away_is_waited_for():
    log = FakeLog(b"a")
    log.refused = 3
    assert followed(log, bytes) == [b"a"]


@pytest.mark.parametrize("error", [RegistryUnavailable("away"), RuntimeError()])
def test_a_failure_at_a_record_leaves_nothing_out_and_repeats_nothing_before_it(error):
    failures = [error, error]

    def decode(value):
        if value == b"b" and failures:
            raise failures.pop()
        return value

    assert followed(FakeLog(b"a", b"b", b"c"), decode) == [b"a", b"b", b"c"]


def test_a_record_that_cannot_be_read_is_passed_over():
    def decode(value):
        if value == b"b":
            raise WireError(Reason.TRUNCATED)
        return value

    assert followed(FakeLog(b"a", b"b", b"c"), decode) == [b"a", b"c"]


def until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def test_a_partition_that_comes_later_is_read_from_its_beginning(monkeypatch):
    monkeypatch.setattr("runtime.kafka.reader.GROWTH_S", 0.0)
    log, heard = FakeLog(b"a"), []
    follower = TopicFollower({}, "t", bytes, heard.append, make_consumer=log)
    follower.start()
    try:
        until(lambda: follower.caught_up)
        log.broker.partitions = 2
        for value in (b"b", b"c"):
            log.broker.append("t", value, b"k")  # to the second partition, before anybody reads it
        log.numbers = [0, 1]
        until(lambda: heard == [b"a", b"b", b"c"])
    finally:
        follower.stop()


def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one():
    log, heard, metrics = FakeLog(b"a", b"b"), [], Metrics()
    follower = TopicFollower({}, "t", bytes, heard.append, metrics=metrics, make_consumer=log)
    follower.start()
    try:
        until(lambda: follower.caught_up)
        log.broker.logs["t", 0] = []
        log.broker.append("t", b"other")
        until(lambda: metrics.registry.get_sample_value(OFFSET_RESETS.name, {"reason": "truncated"}))
    finally:
        follower.stop()
    assert heard == [b"a", b"b"]
