"""The working thread: done means acknowledged by the broker, and a surprise means the end."""

import threading
import time
from collections.abc import Callable

import pytest
from contracts.reasons import Reason
from contracts.registry import RegistryUnavailable
from runtime.errors import BudgetExceeded, DeliveryFailed, Recoverable, Rejected
from runtime.kafka.deadletter import DeadLetterBudget, dead_letter
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.metrics import METRICS, RECORDS_DELIVERED, RETRIES, Metrics
from runtime.stream.faust import worker as faust_worker
from runtime.stream.faust.state import BATCH_METRICS
from runtime.stream.faust.stop import EXIT_SURPRISE, FailStop
from runtime.stream.faust.worker import BatchWorker
from runtime.stream.ledger import Batch


def fetched(partition: int, offset: int) -> InputRecord:
    return InputRecord("in", partition, offset, 5, b"k", b"v")


class FakeReports:
    def __init__(self) -> None:
        self.sent_at_s = time.monotonic()
        self.settled = False
        self.failure: DeliveryFailed | None = None
        self.broken = None

    def unfinished(self) -> Exception:
        return DeliveryFailed(1, 1, "_TIMED_OUT", retriable=True)


class FakeSender:
    """Acknowledges when told to."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.at_once = at_once
        self.sent: list[tuple[list[OutputRecord], FakeReports]] = []

    def send(self, records) -> FakeReports:
        reports = FakeReports()
        reports.settled = self.at_once
        self.sent.append((list(records), reports))
        return reports

    def poll(self, timeout_s: float = 0.0) -> None:
        time.sleep(min(timeout_s, 0.005))

    def close(self, timeout_s: float) -> int:
        return 0


class Bench:
    """A worker with fakes around it."""

    def __init__(self, handler: Callable, sender: FakeSender | None = None, **options) -> None:
        self.exits: list[int] = []
        self.left = threading.Event()
        self.done: list[int] = []
        self.metrics = Metrics((*METRICS, *BATCH_METRICS))
        self.sender = sender or FakeSender()
        self.worker = BatchWorker(
            handler, self.sender, FailStop(self._leave), self.metrics, begin=lambda batch: not batch.dropped, **options
        )
        self.worker.start()

    def _leave(self, code: int) -> None:
        self.exits.append(code)
        self.left.set()

    def submit(self, first: int, count: int = 1, partition: int = 0) -> Batch:
        records = [fetched(partition, first + number) for number in range(count)]
        batch = Batch(("in", partition), first, first + count - 1, 1, records)
        self.worker.submit(batch, lambda finished: self.done.append(finished.first))
        return batch


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.002)


@pytest.fixture
def benches():
    made: list[Bench] = []

    def make(*arguments, **options) -> Bench:
        made.append(Bench(*arguments, **options))
        return made[-1]

    yield make
    for bench in made:
        bench.worker.stop(2)


def echo(records):
    return [OutputRecord("out", record.key, record.value) for record in records]


def test_done_only_after_every_report(benches):
    bench = benches(echo, FakeSender(at_once=False))
    bench.submit(0)
    bench.submit(1)
    until(lambda: len(bench.sender.sent) == 2)  # the second is sent while the first waits
    assert bench.done == []
    bench.sender.sent[1][1].settled = True
    time.sleep(0.05)
    assert bench.done == []  # in order: if the first fails, both are sent again
    bench.sender.sent[0][1].settled = True
    until(lambda: bench.done == [0, 1])
    assert bench.metrics.counter(RECORDS_DELIVERED).labels("out")._value.get() == 2


def test_a_state_is_sent_when_all_that_it_speaks_of_is_acknowledged(benches):
    """Else a kill between the two leaves a state that has passed an alarm which nobody was told."""

    def alarm_and_state(records):
        key = records[0].key
        return [OutputRecord("states", key, b"s", is_state=True), OutputRecord("alarms", key, b"a")]

    bench = benches(alarm_and_state, FakeSender(at_once=False))
    bench.submit(0)
    bench.submit(1)
    sent = bench.sender.sent
    until(lambda: len(sent) == 2)
    assert [record.topic for records, _ in sent for record in records] == ["alarms", "alarms"]
    sent[1][1].settled = True
    time.sleep(0.05)
    assert len(sent) == 2  # the second batch's state speaks of the first one's alarm too
    sent[0][1].settled = True
    until(lambda: len(sent) == 3)
    assert bench.done == []
    sent[2][1].settled = True
    until(lambda: len(sent) == 4)
    sent[3][1].settled = True
    until(lambda: bench.done == [0, 1])
    assert [records[0].topic for records, _ in sent[2:]] == ["states", "states"]
    assert bench.metrics.counter(RECORDS_DELIVERED).labels("states")._value.get() == 2


def test_a_state_that_could_not_be_sent_is_sent_again_behind_its_alarm(benches):
    def alarm_and_state(records):
        return [OutputRecord("states", b"k", b"s", is_state=True), OutputRecord("alarms", b"k", b"a")]

    bench = benches(alarm_and_state, FakeSender(at_once=False))
    bench.submit(0)
    sent = bench.sender.sent
    until(lambda: len(sent) == 1)
    sent[0][1].settled = True
    until(lambda: len(sent) == 2)
    sent[1][1].settled, sent[1][1].failure = True, DeliveryFailed(1, 1, "_MSG_TIMED_OUT", retriable=True)
    until(lambda: len(sent) == 3)
    assert [record.topic for record in sent[2][0]] == ["alarms"]
    sent[2][1].settled = True
    until(lambda: len(sent) == 4)
    sent[3][1].settled = True
    until(lambda: bench.done == [0])


def test_the_state_of_a_batch_taken_from_us_is_not_sent(benches):
    bench = benches(
        lambda _: [OutputRecord("states", b"k", b"s", is_state=True), OutputRecord("alarms", b"k", b"a")],
        FakeSender(at_once=False),
    )
    batch = bench.submit(0)
    until(lambda: len(bench.sender.sent) == 1)
    batch.dropped = True
    bench.sender.sent[0][1].settled = True
    until(lambda: bench.done == [0])
    assert len(bench.sender.sent) == 1


def test_records_keep_their_order(benches):
    bench = benches(echo)
    for first in range(0, 50, 5):
        bench.submit(first, 5)
    until(lambda: len(bench.done) == 10)
    assert bench.done == list(range(0, 50, 5))


def test_a_failed_delivery_ends_the_process(benches):
    bench = benches(echo, FakeSender(at_once=False))
    bench.submit(0)
    until(lambda: bench.sender.sent)
    bench.sender.sent[0][1].failure = DeliveryFailed(1, 1, "MSG_SIZE_TOO_LARGE", retriable=False)
    bench.sender.sent[0][1].settled = True
    assert bench.left.wait(5)
    assert (bench.exits, bench.done) == ([EXIT_SURPRISE], [])


def fail(reports: FakeReports, code: str = "_MSG_TIMED_OUT", *, retriable: bool = True) -> None:
    reports.failure, reports.settled = DeliveryFailed(1, 1, code, retriable=retriable), True


def sent_offsets(bench: Bench) -> list[bytes | None]:
    return [records[0].value for records, _ in bench.sender.sent]


def numbered(records):
    return [OutputRecord("out", record.key, str(record.offset).encode()) for record in records]


def test_a_broker_that_was_away_gets_the_failed_batch_and_all_behind_it_again(benches):
    bench = benches(numbered, FakeSender(at_once=False))
    for first in range(3):
        bench.submit(first)
    until(lambda: len(bench.sender.sent) == 3)
    reports = [reports for _, reports in bench.sender.sent]
    reports[0].settled = True
    until(lambda: bench.done == [0])
    fail(reports[1])
    time.sleep(0.05)
    assert len(bench.sender.sent) == 3  # the old copy of the third may still arrive
    reports[2].settled = True
    until(lambda: len(bench.sender.sent) == 5)
    assert sent_offsets(bench) == [b"0", b"1", b"2", b"1", b"2"]
    assert bench.done == [0]
    fail(bench.sender.sent[3][1])  # away for longer still
    bench.sender.sent[4][1].settled = True
    until(lambda: len(bench.sender.sent) == 7)
    for _, again in bench.sender.sent[5:]:
        again.settled = True
    until(lambda: bench.done == [0, 1, 2])
    assert bench.exits == []
    assert bench.metrics.counter(RETRIES).labels("delivery")._value.get() == 2
    assert bench.metrics.counter(RECORDS_DELIVERED).labels("out")._value.get() == 3


def test_a_batch_taken_from_us_is_not_sent_again(benches):
    bench = benches(numbered, FakeSender(at_once=False))
    batch = bench.submit(0)
    until(lambda: bench.sender.sent)
    batch.dropped = True
    fail(bench.sender.sent[0][1])
    until(lambda: bench.done == [0])  # the ledger commits nothing for it, and has its room again
    assert len(bench.sender.sent) == 1


def test_a_topic_that_is_not_there_ends_the_process(benches):
    bench = benches(numbered, FakeSender(at_once=False))
    bench.submit(0)
    until(lambda: bench.sender.sent)
    fail(bench.sender.sent[0][1], "_UNKNOWN_TOPIC", retriable=False)
    assert bench.left.wait(5)
    assert (bench.exits, bench.done) == ([EXIT_SURPRISE], [])


def test_stops_while_the_broker_is_away(benches):
    bench = benches(numbered, FakeSender(at_once=False))
    bench.submit(0)
    bench.submit(1)
    until(lambda: len(bench.sender.sent) == 2)
    fail(bench.sender.sent[0][1])
    time.sleep(0.05)
    begun = time.monotonic()
    bench.worker.stop(5)
    assert time.monotonic() - begun < 2
    assert (bench.exits, bench.done, len(bench.sender.sent)) == ([], [], 2)


def test_a_full_queue_does_not_run_the_handler_again(benches):
    runs = []

    class FullSender(FakeSender):
        refusals = 2

        def send(self, records):
            if self.refusals:
                self.refusals -= 1
                raise Rejected("the queue to the broker is full")
            return super().send(records)

    def handler(records):
        runs.append(records[0].offset)
        return echo(records)

    bench = benches(handler, FullSender())
    bench.submit(0)
    until(lambda: bench.done == [0])
    assert runs == [0]
    assert bench.metrics.counter(RETRIES).labels("recoverable")._value.get() == 2


def test_reports_that_never_come_end_the_process(benches):
    bench = benches(echo, FakeSender(at_once=False), delivery_timeout_s=0.05)
    bench.submit(0)
    assert bench.left.wait(5)
    assert (bench.exits, bench.done) == ([EXIT_SURPRISE], [])


def test_an_exception_ends_the_process_and_nothing_behind_it_is_done(benches):
    def handler(records):
        if records[0].offset == 1:
            raise ValueError("a note's text must not be logged")
        return echo(records)

    bench = benches(handler)
    bench.submit(0)
    until(lambda: bench.done == [0])
    bench.submit(1)
    bench.submit(2)
    assert bench.left.wait(5)
    time.sleep(0.05)
    assert (bench.exits, bench.done) == ([EXIT_SURPRISE], [0])


@pytest.mark.parametrize("error", [Recoverable("away"), RegistryUnavailable("away")])
def test_what_is_away_is_waited_for(benches, error):
    faults = [error, error]

    def handler(records):
        if faults:
            raise faults.pop()
        return echo(records)

    bench = benches(handler)
    bench.submit(0)
    until(lambda: bench.done == [0])
    assert bench.exits == []
    assert bench.metrics.counter(RETRIES).labels("recoverable")._value.get() == 2


def test_stops_while_it_waits(benches):
    def handler(records):
        raise Recoverable("away for good")

    bench = benches(handler)
    bench.submit(0)
    time.sleep(0.05)
    begun = time.monotonic()
    bench.worker.stop(5)
    assert time.monotonic() - begun < 2
    assert (bench.exits, bench.done) == ([], [])


def test_a_batch_taken_from_us_is_not_worked_on(benches):
    release = threading.Event()
    seen = []

    def handler(records):
        seen.append(records[0].offset)
        release.wait(5)
        return echo(records)

    bench = benches(handler)
    bench.submit(0)
    until(lambda: seen == [0])
    second = bench.submit(1)
    second.dropped = True
    bench.submit(2)
    release.set()
    until(lambda: bench.done == [0, 2])
    assert seen == [0, 2]


def test_busy_says_how_long_the_handler_has_been_at_it(benches):
    release = threading.Event()

    def handler(records):
        release.wait(5)
        return []

    bench = benches(handler)
    assert bench.worker.busy_s() == 0.0
    bench.submit(0)
    until(lambda: bench.worker.busy_s() > 0.05)
    release.set()
    until(lambda: bench.done == [0])
    assert bench.worker.busy_s() == 0.0


def test_the_budget_stops_the_process_and_nothing_of_the_last_batch_is_sent(benches):
    budget = DeadLetterBudget()
    budget.count(dead=False)

    def handler(records):
        outputs = [dead_letter(record, Reason.WRONG_MAGIC_BYTE, "extractor") for record in records]
        for _ in records:
            budget.count(dead=True)
        return outputs

    bench = benches(handler)
    bench.submit(0, 60)
    until(lambda: bench.done == [0])
    bench.submit(60, 60)
    assert bench.left.wait(5)
    assert bench.exits == [EXIT_SURPRISE]
    assert isinstance(bench.worker._fail_stop.reason, BudgetExceeded)
    assert sum(len(records) for records, _ in bench.sender.sent) == 60


def test_only_the_first_surprise_counts():
    exits: list[int] = []
    stop = FailStop(exits.append)
    first = ValueError()
    stop("one", first)
    stop("two", RuntimeError())
    assert exits == [EXIT_SURPRISE]
    assert stop.reason is first


class Gate:
    """A handler that notes its calls and, while it is shut, waits at the offset 0."""

    def __init__(self, call_s: float = 0.0) -> None:
        self.calls: list[list[tuple[int, int]]] = []
        self.reached, self.opened = threading.Event(), threading.Event()
        self._call_s = call_s

    def __call__(self, records):
        self.calls.append([(record.partition, record.offset) for record in records])
        if records[0].offset == 0:
            self.reached.set()
            assert self.opened.wait(5)
        time.sleep(self._call_s)
        return echo(records)

    def __enter__(self) -> None:
        assert self.reached.wait(5)

    def __exit__(self, *_: object) -> None:
        self.opened.set()


def test_batches_that_wait_together_go_in_one_call_and_are_done_one_by_one(benches, monkeypatch):
    monkeypatch.setattr(faust_worker, "_CALL_S", 60.0)  # whatever the machine does meanwhile
    gate = Gate()
    bench = benches(gate, FakeSender(at_once=False), call_records=4)
    bench.submit(0)
    with gate:
        bench.submit(1, 2)
        bench.submit(5, partition=1)
        taken = bench.submit(9, partition=2)
        bench.submit(3)
        bench.submit(20, 7, partition=1)
        bench.submit(4)
        taken.dropped = True  # its partition went to another
    until(lambda: len(bench.sender.sent) == 4)
    assert gate.calls == [[(0, 0)], [(0, 1), (0, 2), (1, 5), (0, 3)], [(1, at) for at in range(20, 27)], [(0, 4)]]
    assert bench.done == []
    bench.sender.sent[1][1].settled = True
    bench.sender.sent[0][1].settled = True
    until(lambda: bench.done == [0, 1, 5, 3])


def test_a_slow_handler_gets_batch_by_batch(benches, monkeypatch):
    """What is in hand when we are asked to stop is finished first."""
    monkeypatch.setattr(faust_worker, "_CALL_S", 0.01)
    gate = Gate(call_s=0.02)
    bench = benches(gate, call_records=100)
    bench.submit(0)
    with gate:
        bench.submit(1, 2)
        bench.submit(3)
    until(lambda: bench.done == [0, 1, 3])
    assert [len(call) for call in gate.calls] == [1, 2, 1]


def test_without_a_bound_each_batch_is_a_call_of_its_own(benches):
    gate = Gate()
    bench = benches(gate)
    bench.submit(0)
    with gate:
        bench.submit(1, 2)
        bench.submit(3)
    until(lambda: bench.done == [0, 1, 3])
    assert [len(call) for call in gate.calls] == [1, 2, 1]
