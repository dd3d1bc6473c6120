"""A topic read whole, without a group: nothing that fails ends the reading, and nothing is left out."""

import threading
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException
from contracts.reasons import Reason
from contracts.registry import RegistryUnavailable
from contracts.wire import WireError
from runtime import follow
from runtime.follow import TopicFollower

AWAY = KafkaException(KafkaError(KafkaError._TRANSPORT))


class FakeLog:
    """One partition of a topic, and clients that read it."""

    def __init__(self, *values: bytes) -> None:
        self.values = values
        self.place = 0
        self.refused = 0

    def __call__(self, config) -> "FakeLog":
        return self

    def list_topics(self, topic, timeout):
        if self.refused:
            self.refused -= 1
            raise AWAY
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions={0: None})})

    def get_watermark_offsets(self, partition, timeout):
        return 0, len(self.values)

    def assign(self, partitions):
        self.place = partitions[0].offset

    def consume(self, count, timeout):
        threading.Event().wait(0.005)
        first, self.place = self.place, len(self.values)
        return [self.message(offset) for offset in range(first, self.place)]

    def message(self, offset):
        return SimpleNamespace(
            error=lambda: None, partition=lambda: 0, offset=lambda: offset, value=lambda: self.values[offset]
        )

    def close(self): ...


def followed(log: FakeLog, decode, on_record=None) -> list[bytes]:
    """What was heard until the follower had caught up."""
    heard: list[bytes] = []
    follower = TopicFollower({}, "t", decode, on_record or heard.append, log)
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
