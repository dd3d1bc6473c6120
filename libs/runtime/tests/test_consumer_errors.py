"""What a consumer is told in place of records is counted, told by readiness, and ends the process when it lasts."""

import ast
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from runtime.errors import ReadingBroken
from runtime.kafka.consumer_errors import KAFKA, ConsumerErrors, ErrorKind, kind_of, kind_of_line
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.follow import TopicFollower
from runtime.service.health import Liveness, Readiness
from runtime.service.memory import MemoryBroker, MemoryConsumer, MemoryProducer
from runtime.service.metrics import CONSUMER_ERRORS, Metrics
from runtime.stream.loop import ConsumerLoop, LoopLimits
from runtime.stream.retry import Backoff
from runtime.stream.state import ASSIGNED


class Rig:
    def __init__(self, limit_s: float = 60.0) -> None:
        self.now_s = 0.0
        self.metrics, self.readiness = Metrics(), Readiness()
        self.errors = ConsumerErrors(self.metrics, self.readiness, limit_s, lambda: self.now_s)

    def counted(self, kind: ErrorKind) -> float:
        return self.metrics.counter(CONSUMER_ERRORS).labels(kind.value)._value.get()


LASTING = [
    (KafkaError.TOPIC_AUTHORIZATION_FAILED, ErrorKind.FORBIDDEN),
    (KafkaError.GROUP_AUTHORIZATION_FAILED, ErrorKind.FORBIDDEN),
    (KafkaError._AUTHENTICATION, ErrorKind.FORBIDDEN),
    (KafkaError.UNKNOWN_TOPIC_OR_PART, ErrorKind.MISSING_TOPIC),
    (KafkaError._UNKNOWN_PARTITION, ErrorKind.MISSING_TOPIC),
]
PASSING = [
    (KafkaError._TRANSPORT, ErrorKind.AWAY),
    (KafkaError._ALL_BROKERS_DOWN, ErrorKind.AWAY),
    (KafkaError.OFFSET_OUT_OF_RANGE, ErrorKind.POSITION),
    (KafkaError._MAX_POLL_EXCEEDED, ErrorKind.GROUP),
    (KafkaError.INVALID_MSG, ErrorKind.OTHER),
]


@pytest.mark.parametrize(("code", "kind"), LASTING + PASSING)
@pytest.mark.parametrize("way", ["saw", "heard"])
def test_every_error_is_counted_by_its_kind(code: int, kind: ErrorKind, way: str) -> None:
    rig = Rig()
    getattr(rig.errors, way)(KafkaError(code))
    assert rig.counted(kind) == 1
    assert rig.readiness.ready == ((code, kind) not in LASTING)


@pytest.mark.parametrize(("code", "kind"), LASTING)
def test_what_lasts_ends_the_process_after_the_limit(code: int, kind: ErrorKind) -> None:
    rig = Rig()
    assert rig.errors.saw(KafkaError(code), "notes") is kind
    assert "notes" in rig.readiness.missing[KAFKA]
    rig.now_s = 59.9
    rig.errors.check()
    rig.now_s = 60.0
    with pytest.raises(ReadingBroken, match=r"notes.* this process ends"):
        rig.errors.check()


def test_what_passes_never_does() -> None:
    rig = Rig()
    for code, _ in PASSING:
        rig.errors.saw(KafkaError(code), "notes")
    rig.now_s = 1e6
    rig.errors.check()


def test_a_record_of_the_topic_says_that_all_is_well_and_one_of_another_does_not() -> None:
    rig = Rig()
    rig.errors.saw(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), "notes")
    rig.errors.fine("others")
    assert not rig.readiness.ready
    rig.errors.saw(KafkaError(KafkaError._PARTITION_EOF), "notes")
    assert rig.readiness.ready
    rig.now_s = 1e6
    rig.errors.check()


def test_a_topic_that_is_there_again_is_not_missing_but_may_be_forbidden() -> None:
    rig = Rig()
    rig.errors.saw(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), "gone")
    rig.errors.saw(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), "closed")
    rig.errors.exists(["gone", "closed"])
    assert "gone" not in rig.readiness.missing[KAFKA]
    assert "closed" in rig.readiness.missing[KAFKA]


def test_a_fresh_client_has_the_whole_limit_and_is_still_not_ready() -> None:
    rig = Rig()
    rig.errors.saw(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), "notes")
    rig.now_s = 60.0
    rig.errors.begin_again()
    rig.errors.check()
    assert not rig.readiness.ready


def test_a_fatal_error_is_raised_at_once_in_place_of_a_record_and_only_counted_by_the_callback() -> None:
    rig = Rig()
    fatal = KafkaError(KafkaError._FATAL, "fatal", fatal=True)
    rig.errors.heard(fatal)
    with pytest.raises(KafkaException):
        rig.errors.saw(fatal)
    assert rig.counted(ErrorKind.FATAL) == 2


def test_what_is_found_by_looking_is_counted_once() -> None:
    rig = Rig()
    for _ in range(9):
        rig.errors.lasts(ErrorKind.MISSING_TOPIC, "notes")
    assert rig.counted(ErrorKind.MISSING_TOPIC) == 1
    assert not rig.readiness.ready


def test_a_name_that_nobody_knows_is_other() -> None:
    assert kind_of("SOMETHING_NEW") is ErrorKind.OTHER
    assert kind_of("SOMETHING_NEW", fatal=True) is ErrorKind.FATAL


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Unable connect to node with id %s: %s", ErrorKind.AWAY),
        ("Heartbeat failed for group %s because it is rebalancing", ErrorKind.GROUP),
        ("Topic %s not found in cluster metadata", ErrorKind.MISSING_TOPIC),
        ("Not authorized to read from topic %s.", ErrorKind.FORBIDDEN),
        ("something else", ErrorKind.OTHER),
    ],
)
def test_lines_of_another_client_have_kinds_too(line: str, kind: ErrorKind) -> None:
    assert kind_of_line(line) is kind


class Revoked(MemoryConsumer):
    gone = False

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list:
        if self.gone:
            self.gone = False
            self.errors = [KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)]
        return super().consume(num_messages, timeout)


def test_a_loop_whose_right_is_taken_away_is_not_ready_at_once_and_ends() -> None:
    """The client says it once, and then nothing more."""
    broker = MemoryBroker()
    consumer, readiness, metrics = Revoked(broker), Readiness(ASSIGNED), Metrics()
    errors = ConsumerErrors(metrics, readiness, 0.5)
    loop = ConsumerLoop(
        consumer,
        DeliveryProducer({}, MemoryProducer(broker)),
        lambda _: [],
        ["in"],
        limits=LoopLimits(poll_s=0.005),
        liveness=Liveness(3),
        readiness=readiness,
        metrics=metrics,
        errors=errors,
    )
    ended: list[Exception] = []

    def run() -> None:
        try:
            loop.run()
        except ReadingBroken as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 5
    while not readiness.ready and time.monotonic() < deadline:
        time.sleep(0.005)
    consumer.gone = True
    while readiness.ready and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not readiness.ready
    thread.join(5)
    assert len(ended) == 1


def test_a_loop_that_may_not_ask_where_its_group_left_off_ends() -> None:
    class Unasked(MemoryConsumer):
        def committed(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
            raise KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))

    broker = MemoryBroker()
    broker.append("in", b"1")
    readiness, metrics = Readiness(ASSIGNED), Metrics()
    loop = ConsumerLoop(
        Unasked(broker),
        DeliveryProducer({}, MemoryProducer(broker)),
        lambda _: [],
        ["in"],
        limits=LoopLimits(poll_s=0.005),
        readiness=readiness,
        metrics=metrics,
        backoff=Backoff(first_s=0.01, max_s=0.02),
        errors=ConsumerErrors(metrics, readiness, 0.2),
    )
    with pytest.raises(ReadingBroken):
        loop.run()
    assert "does not let us read" in readiness.missing[KAFKA]


def test_a_topic_that_a_follower_does_not_find_lasts_until_it_is_there() -> None:
    class Topics(MemoryConsumer):
        found: ClassVar[dict[str, SimpleNamespace]] = {}

        def list_topics(self, timeout: float) -> SimpleNamespace:
            return SimpleNamespace(topics=dict(self.found))

    rig, client = Rig(), Topics(MemoryBroker())
    follower = TopicFollower({}, "t", bytes, lambda _: None, make_consumer=lambda _: client, errors=rig.errors)
    assert "do not exist" in follower._follow()
    assert "t does not exist" in rig.readiness.missing[KAFKA]
    client.found["t"] = SimpleNamespace(partitions={0: None})
    follower._stopped.set()
    follower._follow()
    assert rig.readiness.ready
    assert rig.counted(ErrorKind.MISSING_TOPIC) == 1


READERS = {
    "PositionedConsumer",
    "RecordReader",
    "History",
    "TopicFollower",
    "TopicRecords",
    "TopicRequests",
    "ConsumerLoop",
}


def test_whoever_reads_in_a_service_counts_what_is_told_in_place_of_records() -> None:
    services = Path(__file__).parents[3] / "services"
    made = [
        (path.name, ast.unparse(node))
        for path in services.glob("*/src/**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in READERS
    ]
    assert len(made) > len(READERS)
    assert [call for call in made if "errors" not in call[1]] == []
