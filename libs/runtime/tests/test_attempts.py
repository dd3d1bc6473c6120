"""What kills a process is found by the marks beside the commits, alone, after a bounded number of deaths, whoever dies of it."""

import random
import threading
from collections import Counter
from collections.abc import Sequence

import pytest
from confluent_kafka import KafkaError, KafkaException
from contracts.reasons import Reason
from runtime.kafka.deadletter import REASON, header
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.memory import MemoryBroker, MemoryConsumer, MemoryProducer
from runtime.service.metrics import DIED_IN_HAND, Metrics
from runtime.stream.attempts import Attempts, Mark, quarantined
from runtime.stream.loop import ConsumerLoop, LoopLimits

QUICK = LoopLimits(
    batch_records=10,
    poll_s=0.001,
    heartbeat_s=0.02,
    commit_interval_s=0.0,
    revoke_wait_s=0.3,
    stop_wait_s=0.3,
    held_batches=4,
)
AT = ("in", 0)


class Killed(BaseException):
    """In place of a signal: nothing of ours may catch it."""


class Deadly:
    """A handler that dies of some values, and counts how often each record was in hand when it did."""

    def __init__(self, killers: Sequence[bytes]) -> None:
        self.killers = set(killers)
        self.tries: Counter[bytes] = Counter()
        self.ended: threading.Event | None = None

    def __call__(self, records: Sequence[InputRecord]) -> list[OutputRecord]:
        for record in records:
            if record.value in self.killers:
                self.tries[record.value or b""] += 1
                raise Killed
        return [OutputRecord("out", record.key, record.value) for record in records]


class DyingConsumer(MemoryConsumer):
    """A process that is killed commits nothing more and leaves no group."""

    dead = False

    def commit(self, **more: object) -> None:
        if not self.dead:
            super().commit(**more)  # type: ignore[arg-type]

    def close(self) -> None:
        if not self.dead:
            super().close()


def live(broker: MemoryBroker, handler: Deadly, *, tries: int = 3, until: int | None = None) -> bool:
    """One process, until all is committed or it dies; whether it died."""
    consumer, metrics = DyingConsumer(broker), Metrics()
    attempts = Attempts(tries, metrics)
    stop = threading.Event()

    def deadly(records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        try:
            return handler(records)
        except Killed:
            consumer.dead = True
            raise

    loop = ConsumerLoop(
        consumer,
        DeliveryProducer({}, MemoryProducer(broker)),
        quarantined(deadly, attempts, "tester"),
        ["in"],
        stop=stop,
        limits=QUICK,
        metrics=metrics,
        attempts=attempts,
    )
    total = until if until is not None else sum(len(log) for (name, _), log in broker.logs.items() if name == "in")

    def watch() -> None:
        while not stop.wait(0.002):
            if sum(broker.committed.values()) >= total:
                stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        loop.run()
    except Killed:
        return True
    finally:
        stop.set()
        watcher.join()
    return False


def run_until_done(broker: MemoryBroker, handler: Deadly, *, tries: int = 3) -> int:
    deaths = 0
    while live(broker, handler, tries=tries):
        deaths += 1
        assert deaths < 200, "the line stands"
    return deaths


def filled(records: int, partitions: int = 1) -> MemoryBroker:
    broker = MemoryBroker(partitions)
    for number in range(records):
        broker.append("in", b"%d" % number, b"k" * (number % partitions))
    return broker


def letters(broker: MemoryBroker) -> list[bytes | None]:
    found = broker.messages("in.dlq")
    assert all(header(tuple(one.headers() or ()), REASON) == Reason.KILLED_PROCESS.value.encode() for one in found)
    return sorted(one.value() or b"" for one in found)


@pytest.mark.parametrize("tries", [3, 4, 6])
@pytest.mark.parametrize("killer", [0, 7, 63, 64, 499])
def test_a_killer_is_dead_lettered_after_so_many_tries_and_the_line_goes_on(killer: int, tries: int) -> None:
    broker, handler = filled(500), Deadly([b"%d" % killer])
    run_until_done(broker, handler, tries=tries)
    assert letters(broker) == [b"%d" % killer]
    assert handler.tries[b"%d" % killer] <= tries
    assert set(broker.values("out")) == {b"%d" % number for number in range(500) if number != killer}
    assert broker.committed[AT] == 500


class Unlucky(Deadly):
    """No record is to blame: somebody kills the process after so many records, whichever is in hand then."""

    def __init__(self, every: Sequence[int]) -> None:
        super().__init__([])
        self.kills = list(every)

    def __call__(self, records: Sequence[InputRecord]) -> list[OutputRecord]:
        outputs = super().__call__(records)
        if self.kills:
            self.kills[0] -= len(records)
            if self.kills[0] < 0:
                del self.kills[0]
                raise Killed
        return outputs


@pytest.mark.slow
@pytest.mark.parametrize("tries", [3, 4])
@pytest.mark.parametrize("seed", range(12))
def test_kills_from_outside_condemn_no_record_while_each_life_gets_something_done(seed: int, tries: int) -> None:
    chance = random.Random(seed)
    broker, handler = filled(1_500, 3), Unlucky([chance.randrange(1, 90) for _ in range(12)])
    assert run_until_done(broker, handler, tries=tries) == 12
    assert letters(broker) == []
    assert set(broker.values("out")) == {b"%d" % number for number in range(1_500)}


@pytest.mark.parametrize("seed", range(8))
def test_many_killers_on_many_partitions_each_within_its_tries(seed: int) -> None:
    chance = random.Random(seed)
    killers = [b"%d" % number for number in chance.sample(range(600), 9)] + [b"100", b"103", b"106"]
    broker, handler = filled(600, partitions=3), Deadly(killers)
    run_until_done(broker, handler)
    assert letters(broker) == sorted(set(killers))
    assert max(handler.tries.values()) <= 3
    assert len(set(broker.values("out"))) == 600 - len(set(killers))


def test_an_outside_kill_costs_no_record() -> None:
    """Care passes what the dead one can have had in hand; then a further death begins a new count."""
    broker, handler = filled(300), Deadly([b"250"])
    assert live(broker, handler)
    handler.killers.clear()
    assert not live(broker, handler)
    assert letters(broker) == []
    assert Mark.parse(broker.metadata[AT]) == Mark()


def test_who_leaves_in_order_leaves_no_suspicion() -> None:
    broker, handler = filled(100), Deadly([])
    assert not live(broker, handler, until=50)
    assert Mark.parse(broker.metadata[AT]) == Mark()
    assert not live(broker, handler)
    assert letters(broker) == []


def test_an_orderly_hand_over_between_two_tries_forgets_nothing() -> None:
    broker, handler = filled(100), Deadly([b"5"])
    assert live(broker, handler)
    assert live(broker, handler)
    consumer, metrics = MemoryConsumer(broker), Metrics()
    attempts = Attempts(3, metrics)
    stop = threading.Event()
    loop = ConsumerLoop(consumer, DeliveryProducer({}, MemoryProducer(broker)), lambda _: stop.set() or [], ["in"], stop=stop, limits=QUICK, metrics=metrics, attempts=attempts)  # fmt: skip
    consumer.poll(0)
    stop.set()  # before it handles anything: a replica that is scaled away again
    loop.run()
    deaths = run_until_done(broker, handler)
    assert deaths <= 1
    assert letters(broker) == [b"5"]


def test_marks_that_cannot_be_written_hold_the_records_back() -> None:
    broker, handler = filled(30), Deadly([])
    failing = DyingConsumer(broker)
    failing.commit_faults = [KafkaError.REBALANCE_IN_PROGRESS] * 2
    metrics, stop = Metrics(), threading.Event()
    seen: list[int] = []

    def watching(records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        seen.append(len(failing.commits))
        return handler(records)

    loop = ConsumerLoop(failing, DeliveryProducer({}, MemoryProducer(broker)), watching, ["in"], stop=stop, limits=QUICK, metrics=metrics)  # fmt: skip
    thread = threading.Thread(target=loop.run)
    thread.start()
    for _ in range(2_000):
        if broker.committed.get(AT) == 30:
            break
        stop.wait(0.005)
    stop.set()
    thread.join(5)
    assert broker.committed[AT] == 30
    assert seen[0] == 1  # the mark was written before the first record was handled


class Fenced(DyingConsumer):
    """Refuses every commit until it was polled, as a member whose session has ended."""

    polled = False

    def poll(self, timeout: float = -1) -> object:
        self.polled = self.polled or bool(self.refused)
        return super().poll(timeout)

    refused = 0

    def commit(self, **more: object) -> None:
        if not self.polled:
            self.refused += 1
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID))
        super().commit(**more)


def test_a_member_whose_marks_are_refused_goes_on_polling() -> None:
    broker, handler = filled(30), Deadly([])
    fenced, stop = Fenced(broker), threading.Event()
    loop = ConsumerLoop(
        fenced,
        DeliveryProducer({}, MemoryProducer(broker)),
        handler,
        ["in"],
        stop=stop,
        limits=QUICK,
        metrics=Metrics(),
    )
    thread = threading.Thread(target=loop.run)
    thread.start()
    for _ in range(2_000):
        if broker.committed.get(AT) == 30:
            break
        stop.wait(0.005)
    stop.set()
    thread.join(5)
    assert fenced.polled
    assert broker.committed[AT] == 30


def test_the_hot_path_pays_one_commit_for_an_assignment() -> None:
    broker, handler = filled(100), Deadly([])
    live(broker, handler)
    assert handler.tries == Counter()
    attempts = Attempts(3, Metrics())
    attempts.assigned(AT, 0, "", 0)
    assert attempts.untold
    attempts.told()
    assert not attempts.untold
    assert not attempts.careful


@pytest.mark.parametrize(
    "text", [None, "", "someone else's", "rxtract1,1", "rxtract0,me,1,1,1,1,1,1", "rxtract1,me,a,b,c,d,e,f"]
)
def test_metadata_of_others_is_no_death(text: str | None) -> None:
    metrics = Metrics()
    attempts = Attempts(3, metrics)
    attempts.assigned(AT, 10, text, 100)
    assert not attempts.careful
    assert metrics.counter(DIED_IN_HAND)._value.get() == 0


def test_a_process_that_lost_its_session_and_comes_back_did_not_die() -> None:
    attempts = Attempts(3, Metrics())
    attempts.assigned(AT, 10, "", 100)
    attempts.told()
    mine = attempts.mark(AT)
    attempts.assigned(AT, 10, mine, 100)
    assert not attempts.careful
    others = Attempts(3, Metrics())
    others.assigned(AT, 10, mine, 100)
    assert others.careful


def test_a_mark_survives_being_stored() -> None:
    mark = Mark(2, running=True, first=10, last=73, narrow=74, until=900)
    assert Mark.parse(mark.text()) == mark
    assert len(Mark(9, True, 2**63, 2**63, 2**63, 2**63).text()) < 200


def test_a_suspect_partition_that_ends_in_no_record_is_forgotten() -> None:
    now = [0.0]
    attempts = Attempts(3, Metrics(), lambda: now[0])
    attempts.assigned(AT, 10, Mark(0, running=True).text(), 12)
    assert attempts.careful
    now[0] = 61.0
    assert not attempts.careful
    assert Mark.parse(attempts.mark(AT)) == Mark(0, running=True)
