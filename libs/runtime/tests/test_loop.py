"""The loop against the broker in memory: what is committed, when, and what is not."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from confluent_kafka import KafkaError, KafkaException, Message
from contracts.reasons import Reason
from runtime.errors import BudgetExceeded, DeliveryFailed, Recoverable
from runtime.kafka.deadletter import DeadLetterBudget, dead_letter
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.positions import IN_REACH, Jump
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.health import Liveness, Readiness
from runtime.service.memory import MemoryBroker, MemoryConsumer, MemoryProducer
from runtime.service.metrics import (
    COMMIT_AGE,
    CONSUMER_LAG,
    DEAD_LETTERS,
    EXPIRED_RECORDS,
    OFFSET_RESETS,
    RETRIES,
    Metrics,
)
from runtime.stream.loop import ConsumerLoop, LoopLimits
from runtime.stream.retry import Backoff
from runtime.stream.state import ASSIGNED, Marked

QUICK = LoopLimits(
    batch_records=10,
    poll_s=0.005,
    heartbeat_s=0.02,
    commit_interval_s=0.0,
    revoke_wait_s=0.3,
    stop_wait_s=0.3,
    held_batches=4,
)
NO_PAUSE = Backoff(first_s=0.005, max_s=0.01)
TIMED_OUT = KafkaError._MSG_TIMED_OUT
TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE


def copy_out(records: Sequence[InputRecord]) -> list[OutputRecord]:
    return [OutputRecord("out", record.key, record.value) for record in records]


class Rig:
    """A loop over a broker in memory, running in a thread."""

    def __init__(self, handler=copy_out, *, records: int = 25, partitions: int = 1) -> None:
        self.broker = MemoryBroker(partitions)
        for number in range(records):
            self.broker.append("in", b"%d" % number, b"k" * (number % partitions))
        self.consumer = MemoryConsumer(self.broker)
        self.stop = threading.Event()
        self.metrics = Metrics()
        self.liveness = Liveness(0.2)
        self.readiness = Readiness(ASSIGNED)
        self.handler = handler
        self.loop = self.loop_over(self.consumer)
        self.error: Exception | None = None

    def loop_over(self, consumer: MemoryConsumer, limits: LoopLimits = QUICK) -> ConsumerLoop:
        return ConsumerLoop(
            consumer,
            DeliveryProducer({}, MemoryProducer(self.broker)),
            self.handler,
            ["in"],
            stop=self.stop,
            limits=limits,
            metrics=self.metrics,
            liveness=self.liveness,
            readiness=self.readiness,
            backoff=NO_PAUSE,
        )

    @contextmanager
    def running(self):
        def run() -> None:
            try:
                self.loop.run()
            except Exception as error:  # noqa: BLE001
                self.error = error

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            self.loop.stop()
            thread.join(5)
            assert not thread.is_alive()

    def until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            threading.Event().wait(0.002)

    @property
    def committed(self) -> int:
        return sum(self.broker.committed.values())


def test_all_records_pass_in_order_and_are_committed() -> None:
    rig = Rig(records=105)
    with rig.running():
        rig.until(lambda: rig.committed == 105)
    assert rig.broker.values("out") == [b"%d" % number for number in range(105)]
    assert rig.readiness.ready
    assert rig.consumer.closed
    assert rig.error is None


def test_several_partitions_are_committed_each_by_its_own_offset() -> None:
    rig = Rig(records=50, partitions=3)
    with rig.running():
        rig.until(lambda: rig.committed == 50)
    assert rig.broker.committed == {("in", 0): 17, ("in", 1): 17, ("in", 2): 16}


def test_nothing_is_committed_while_the_broker_does_not_acknowledge() -> None:
    rig = Rig(records=100)
    rig.broker.holding = True
    with rig.running():
        rig.until(lambda: rig.consumer.pauses > 2)  # the loop is full, waits, and keeps its membership
        assert rig.liveness.alive
    assert rig.committed == 0
    assert rig.broker.values("out") == []


def test_commits_follow_when_the_broker_wakes() -> None:
    rig = Rig(records=100)
    rig.broker.holding = True
    with rig.running():
        rig.until(lambda: rig.consumer.pauses > 2)
        assert rig.committed == 0
        rig.broker.holding = False
        rig.until(lambda: rig.committed == 100)


def test_a_failed_delivery_is_sent_again_before_the_commit() -> None:
    rig = Rig(records=60)
    rig.broker.delivery_faults["out"] = [TIMED_OUT] * 35
    with rig.running():
        rig.until(lambda: rig.committed == 60)
    assert set(rig.broker.values("out")) == {b"%d" % number for number in range(60)}
    assert rig.metrics.counter(RETRIES).labels("delivery")._value.get() >= 1


def test_the_last_copy_of_each_key_is_the_newest_after_a_repeat() -> None:
    rig = Rig(records=40)
    rig.broker.delivery_faults["out"] = [TIMED_OUT] * 3
    with rig.running():
        rig.until(lambda: rig.committed == 40)
    values = [int(value) for value in rig.broker.values("out")]
    last = {value: index for index, value in enumerate(values)}
    assert [last[number] for number in range(40)] == sorted(last.values())


def test_a_delivery_that_can_never_succeed_stops_the_loop_uncommitted() -> None:
    rig = Rig(records=5)
    rig.broker.delivery_faults["out"] = [TOO_LARGE]
    with rig.running():
        rig.until(lambda: rig.error is not None)
    assert isinstance(rig.error, DeliveryFailed)
    assert rig.committed == 0


def test_a_dead_letter_that_is_not_delivered_holds_the_offset() -> None:
    """The dead-letter topic is down for long: no commit, no loss, and it goes on by itself when the topic is back."""

    def refuse(records: Sequence[InputRecord]) -> list[OutputRecord]:
        return [dead_letter(record, Reason.EMPTY_TEXT, "test") for record in records]

    rig = Rig(refuse, records=5)
    rig.broker.delivery_faults["in.dlq"] = [TIMED_OUT] * 1000
    with rig.running():
        rig.until(lambda: rig.metrics.counter(RETRIES).labels("delivery")._value.get() >= 3)
        assert rig.committed == 0
        rig.broker.delivery_faults["in.dlq"] = []
        rig.until(lambda: rig.committed == 5)
    assert sorted(rig.broker.values("in.dlq")) == [b"0", b"1", b"2", b"3", b"4"]
    assert rig.metrics.counter(DEAD_LETTERS).labels("test", "EMPTY_TEXT")._value.get() == 5


def test_a_topic_that_we_may_not_write_ends_the_loop_uncommitted() -> None:
    """No waiting mends a right that is missing: a process that ends is seen, and its group takes over."""
    rig = Rig(records=5)
    rig.broker.delivery_faults["out"] = [KafkaError.TOPIC_AUTHORIZATION_FAILED] * 5
    with rig.running():
        rig.until(lambda: rig.error is not None)
    assert isinstance(rig.error, DeliveryFailed)
    assert rig.committed == 0


def test_a_surprise_stops_the_loop_and_commits_only_what_was_before_it() -> None:
    def fail_at_20(records: Sequence[InputRecord]) -> list[OutputRecord]:
        if any(record.offset == 20 for record in records):
            raise ZeroDivisionError
        return copy_out(records)

    rig = Rig(fail_at_20, records=45)
    with rig.running():
        rig.until(lambda: rig.error is not None)
    assert isinstance(rig.error, ZeroDivisionError)
    assert rig.committed == 20
    assert rig.consumer.closed


def test_a_recoverable_fault_waits_and_nothing_is_skipped() -> None:
    faults = [Recoverable("away")] * 3

    def shaky(records: Sequence[InputRecord]) -> list[OutputRecord]:
        if faults:
            raise faults.pop()
        return copy_out(records)

    rig = Rig(shaky, records=12)
    with rig.running():
        rig.until(lambda: rig.committed == 12)
    assert len(rig.broker.values("out")) == 12


def test_stopping_while_waiting_ends_without_an_error_and_uncommitted() -> None:
    def away(records: Sequence[InputRecord]) -> list[OutputRecord]:
        raise Recoverable("away")

    rig = Rig(away)
    with rig.running():
        rig.until(lambda: rig.consumer.pauses > 1)
    assert rig.error is None
    assert rig.committed == 0


def test_stopping_finishes_the_batch_in_hand() -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(records: Sequence[InputRecord]) -> list[OutputRecord]:
        entered.set()
        leave.wait(5)
        return copy_out(records)

    rig = Rig(slow, records=5)
    with rig.running():
        assert entered.wait(5)
        rig.loop.stop()
        leave.set()
    assert rig.committed == 5
    assert rig.error is None


def test_a_slow_handler_keeps_its_membership_by_polling_paused() -> None:
    leave = threading.Event()

    def slow(records: Sequence[InputRecord]) -> list[OutputRecord]:
        leave.wait(5)
        return copy_out(records)

    rig = Rig(slow, records=5)
    with rig.running():
        rig.until(lambda: rig.consumer.pauses > 3)
        assert rig.committed == 0
        leave.set()
        rig.until(lambda: rig.committed == 5)
    assert rig.consumer._paused == set()


def test_a_handler_that_hangs_makes_the_process_not_alive() -> None:
    leave = threading.Event()

    def hang(records: Sequence[InputRecord]) -> list[OutputRecord]:
        leave.wait(10)
        return []

    rig = Rig(hang, records=1)
    with rig.running():
        rig.until(lambda: not rig.liveness.alive)
        leave.set()


def test_a_batch_in_hand_when_its_partition_is_lost_is_neither_sent_nor_committed() -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(records: Sequence[InputRecord]) -> list[OutputRecord]:
        entered.set()
        leave.wait(5)
        return copy_out(records)

    rig = Rig(slow, records=5)
    with rig.running():
        assert entered.wait(5)
        rig.consumer.take_away(asked=False)
        leave.set()
        rig.until(lambda: rig.loop._state.ledger.started == 0)
    assert rig.broker.values("out") == []
    assert rig.committed == 0


def test_what_was_fetched_before_its_partition_went_is_neither_handled_nor_committed() -> None:
    """The group changes between the first message of a fetch and the rest of it."""
    rig = Rig(records=5)
    poll = rig.consumer.poll
    calls = []

    def poll_and_lose(timeout: float = -1):
        calls.append(timeout)
        if len(calls) == 3:  # two records are taken
            rig.consumer.take_away(asked=True)
        return poll(timeout)

    rig.consumer.poll = poll_and_lose
    with rig.running():
        rig.until(lambda: len(calls) > 10)
    assert rig.broker.values("out") == []
    assert rig.committed == 0


def test_a_commit_that_comes_to_run_after_its_partition_was_lost_is_not_sent() -> None:
    """It waits for its thread while the group takes the partition away and lets us in again: another owner has come further since."""
    rig = Rig(records=5)
    with rig.running():
        rig.until(lambda: rig.committed == 5)
        rig.consumer.take_away(asked=False)
        rig.until(lambda: not rig.consumer.assignment())
        rig.loop._commit_if_ours({("in", 0): Marked(3, "")})
    assert rig.committed == 5


class TakenAway(MemoryConsumer):
    """The group takes everything within the first poll after `when` is set."""

    def __init__(self, broker: MemoryBroker, when: threading.Event) -> None:
        super().__init__(broker)
        self.when = when
        self.taken = threading.Event()
        self.polls_after = 0

    def poll(self, timeout: float = -1):
        if self.taken.is_set():
            self.polls_after += 1
        elif self.when.is_set():
            self.taken.set()
            self.take_away(asked=True)
        return super().poll(timeout)


def test_what_is_held_when_its_partition_goes_is_not_handled() -> None:
    """A batch was cut at its bytes, and the rest waits while the first record is handled."""
    entered = threading.Event()
    seen: list[int] = []

    def slow(records: Sequence[InputRecord]) -> list[OutputRecord]:
        seen.extend(record.offset for record in records)
        entered.set()
        consumer.taken.wait(5)
        return copy_out(records)

    rig = Rig(slow, records=5)
    consumer = TakenAway(rig.broker, entered)
    rig.loop = rig.loop_over(consumer, replace(QUICK, batch_bytes=1))
    with rig.running():
        rig.until(lambda: consumer.polls_after > 20)
    assert seen == [0]
    assert rig.committed == 0


def test_what_waits_for_its_mark_when_its_partition_goes_is_not_handled() -> None:
    """The mark could not be written at the assignment; while it is written later, the group takes the partition away."""

    class Marking(TakenAway):
        refused = False

        def commit(self, **more) -> None:
            if not self.refused:
                self.refused = True
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            self.when.set()  # from here on beside the loop, which goes on polling
            assert self.taken.wait(5)
            super().commit(**more)

    handled: list[InputRecord] = []

    def handle(records: Sequence[InputRecord]) -> list[OutputRecord]:
        handled.extend(records)
        return copy_out(records)

    rig = Rig(handle, records=5)
    consumer = Marking(rig.broker, threading.Event())
    rig.loop = rig.loop_over(consumer)
    with rig.running():
        rig.until(lambda: consumer.polls_after > 20)
    assert (handled, rig.broker.values("out")) == ([], [])


class Careless(MemoryConsumer):
    """A client that stands elsewhere than it was told: at some offset of ours it goes on somewhere else, once."""

    def __init__(self, broker: MemoryBroker, jumps: dict[int, int]) -> None:
        super().__init__(broker)
        self.jumps = jumps

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list:
        for partition, position in self._positions.items():
            if position in self.jumps:
                self._positions[partition] = self.jumps.pop(position)
        return super().consume(num_messages, timeout)


def resets(rig: Rig) -> dict[str, float]:
    value = rig.metrics.registry.get_sample_value
    return {jump.value: value(OFFSET_RESETS.name, {"reason": jump.value}) for jump in Jump}


def careless(jumps: dict[int, int], records: int = 30) -> Rig:
    rig = Rig(records=0)
    rig.loop = rig.loop_over(Careless(rig.broker, jumps))
    for number in range(records):
        rig.broker.append("in", b"%d" % number, b"")
    with rig.running():
        rig.until(lambda: rig.committed == records)
    assert rig.broker.values("out") == [b"%d" % number for number in range(records)]
    return rig


def test_a_record_that_the_client_skips_is_not_lost() -> None:
    assert resets(careless({10: 11})) == {"expired": 0, "truncated": 0, "backwards": 0, "skipped": 1}
    assert resets(careless({0: 3, 14: 20, 25: 29}))["skipped"] > 0


def test_a_client_that_reads_everything_again_floods_nobody() -> None:
    assert resets(careless({30: 0})) == {"expired": 0, "truncated": 0, "backwards": 1, "skipped": 0}


def test_retention_that_passed_us_costs_what_it_deleted_and_no_more() -> None:
    rig = Rig(records=30)
    rig.broker.committed["in", 0] = 4
    rig.broker.lows["in", 0] = 10
    with rig.running():
        rig.until(lambda: rig.committed == 30)
    assert rig.broker.values("out") == [b"%d" % number for number in range(10, 30)]
    assert resets(rig)["expired"] == 1
    assert rig.metrics.registry.get_sample_value(EXPIRED_RECORDS.name) == 6
    assert rig.readiness.missing == {}


def grown(before: int | None, expired: int) -> Rig:
    """Two partitions; the second was never committed, and retention has begun on it."""
    rig = Rig(records=20, partitions=2)
    if before is not None:
        rig.broker.committed["in", 0] = before
    rig.broker.lows["in", 1] = expired
    with rig.running():
        rig.until(lambda: rig.committed == 20)
    return rig


def test_what_retention_deletes_of_a_partition_that_came_later_is_counted_as_lost() -> None:
    rig = grown(before=4, expired=3)
    assert resets(rig)["expired"] == 1
    assert rig.metrics.registry.get_sample_value(EXPIRED_RECORDS.name) == 3


@pytest.mark.parametrize("before", [None, 0])
def test_a_new_group_that_begins_behind_what_is_deleted_has_lost_nothing(before) -> None:
    assert resets(grown(before=before, expired=3))["expired"] == 0


def test_retention_that_passes_us_while_we_read_does_the_same() -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(records: Sequence[InputRecord]) -> list[OutputRecord]:
        entered.set()
        leave.wait(5)
        return copy_out(records)

    rig = Rig(slow, records=30)
    with rig.running():
        assert entered.wait(5)
        rig.broker.lows["in", 0] = 25
        leave.set()
        rig.until(lambda: rig.committed == 30)
    assert resets(rig)["expired"] == 1
    assert rig.metrics.registry.get_sample_value(EXPIRED_RECORDS.name) == 15


def test_a_log_that_was_cut_off_stops_its_partition_and_is_not_ready() -> None:
    rig = Rig(records=30, partitions=2)
    rig.broker.committed["in", 0] = 1000
    with rig.running():
        rig.until(lambda: rig.broker.committed.get(("in", 1)) == 15)
        rig.until(lambda: "cut off" in rig.readiness.missing.get(IN_REACH, ""))
        for number in range(20):
            rig.broker.append("in", b"late %d" % number, b"")
    assert {int(value) % 2 for value in rig.broker.values("out")} == {1}
    assert rig.broker.committed["in", 0] == 1000
    assert resets(rig)["truncated"] == 1
    assert rig.error is None


def test_a_partition_that_is_taken_away_in_order_keeps_what_was_acknowledged() -> None:
    rig = Rig(records=30)
    rig.loop._limits = LoopLimits(
        batch_records=10, poll_s=0.005, heartbeat_s=0.02, commit_interval_s=60, revoke_wait_s=0.3, stop_wait_s=0.3
    )
    rig.loop._committed_at_s = time.monotonic()
    with rig.running():
        rig.until(lambda: len(rig.broker.values("out")) == 30)
        assert rig.committed == 0  # the interval has not passed
    assert rig.committed == 30


def test_a_failed_commit_is_made_up_for() -> None:
    rig = Rig(records=10)
    rig.consumer.commit_faults = [KafkaError._TRANSPORT, KafkaError.REBALANCE_IN_PROGRESS]
    with rig.running():
        rig.until(lambda: rig.committed == 10)
    assert rig.error is None


def test_a_transport_error_between_messages_is_not_the_end() -> None:
    rig = Rig(records=10)
    rig.consumer.errors = [KafkaError(KafkaError._ALL_BROKERS_DOWN), KafkaError(KafkaError._TRANSPORT)]
    with rig.running():
        rig.until(lambda: rig.committed == 10)


def test_errors_one_after_another_leave_the_loop_alive_and_free_to_stop() -> None:
    class Forbidden(MemoryConsumer):
        left = 2_000

        def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
            if self.left:
                self.left -= 1
                self.errors = [KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)]
                time.sleep(0.001)
            return super().consume(num_messages, timeout)

    rig = Rig()
    consumer = Forbidden(rig.broker)
    rig.loop = rig.loop_over(consumer)
    with rig.running():
        rig.until(lambda: consumer.left <= 1_600)  # twice as long as the loop may be silent, at least
        rig.until(lambda: rig.liveness.alive, 0.5)
        assert not rig.readiness.ready
    assert consumer.left
    assert rig.error is None


def test_a_fatal_error_of_the_client_is() -> None:
    rig = Rig(records=10)
    rig.consumer.errors = [KafkaError(KafkaError._FATAL, "fenced", fatal=True)]
    with rig.running():
        rig.until(lambda: rig.error is not None)
    assert rig.committed == 0


def test_a_bad_deploy_stops_before_it_drains_the_topic_into_the_dead_letters() -> None:
    budget = DeadLetterBudget()

    def refuse(records: Sequence[InputRecord]) -> list[OutputRecord]:
        for _ in records:
            budget.count(dead=True)
        return [dead_letter(record, Reason.UNDECODABLE, "test") for record in records]

    rig = Rig(refuse, records=1000)
    with rig.running():
        rig.until(lambda: rig.error is not None)
    assert isinstance(rig.error, BudgetExceeded)
    assert len(rig.broker.values("in.dlq")) <= 100
    assert rig.committed <= 100


@pytest.mark.parametrize("limit", [1, 7])
def test_a_full_local_queue_is_polled_and_tried_again(limit: int) -> None:
    rig = Rig(records=50)
    rig.broker.queue_limit = limit
    with rig.running():
        rig.until(lambda: rig.committed == 50)
    assert len(rig.broker.values("out")) == 50


def test_a_handler_that_waits_lets_the_commit_age_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.stream.loop._LAG_INTERVAL_S", 0.0)
    away = threading.Event()

    def waits(records: Sequence[InputRecord]) -> list[OutputRecord]:
        if not away.is_set():
            raise Recoverable("the registry is away")
        return copy_out(records)

    rig = Rig(waits, records=25)

    def told(metric) -> float:
        return rig.metrics.registry.get_sample_value(metric.name, {"topic": "in"}) or 0.0

    with rig.running():
        rig.until(lambda: told(COMMIT_AGE) > 0.05)
        assert told(CONSUMER_LAG) == 25
        away.set()
        rig.until(lambda: rig.committed == 25 and told(COMMIT_AGE) == told(CONSUMER_LAG) == 0)


def test_a_commit_told_again_does_not_make_a_partition_look_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.stream.loop._LAG_INTERVAL_S", 0.0)
    monkeypatch.setattr("runtime.stream.loop._RECOMMIT_S", 0.0)
    rig = Rig(records=25)

    def age() -> float:
        return rig.metrics.registry.get_sample_value(COMMIT_AGE.name, {"topic": "in"}) or 0.0

    with rig.running():
        rig.until(lambda: rig.committed == 25)
        rig.broker.holding = True
        rig.broker.append("in", b"late", b"")
        rig.until(lambda: len(rig.consumer.commits) > 20 and age() > 0.05)
        rig.broker.holding = False
        rig.until(lambda: rig.committed == 26 and age() == 0)
