"""The queue on a real Redis: wiped while it is built, grown old, full of what a person has done."""

import threading
import time
import uuid
from dataclasses import replace
from types import SimpleNamespace

import pytest
from confluent_kafka import TopicPartition
from contracts.records import AnnotationValidated
from desk_rig import SOURCE, Asked, Rig, next_of, request, until
from review_desk.adapters.drafts import Drafts
from review_desk.adapters.store import AGE_S, KEEP_S, READY, Store, connect
from review_desk.desk import Decision, Desk, Held, Reviewer
from review_desk.domain.tasks import DeskVerdict, Queue, Task
from review_desk.follower import Follower
from review_desk.metrics import METRICS
from runtime.service.health import Liveness, Readiness
from runtime.service.memory import MemoryBroker, MemoryConsumer
from runtime.service.metrics import Metrics

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

ANNA, BEN = Reviewer("v-anna", leads=False), Reviewer("v-ben", leads=False)


@pytest.fixture
def store(stack):
    return Store(connect(stack.addresses.redis_url), f"t{uuid.uuid4().hex[:10]}.")


def wipe(store: Store) -> None:
    redis = connect_of(store)
    redis.delete(*redis.scan_iter(store.key("*")))


def connect_of(store: Store):
    return store._redis


def task(place: int = 0, *, sample: str = "UNCERTAIN", revision: int = 1, double: bool = False) -> Task:
    return Task(revision, 1, 0, 0, place, 0.5, sample, "Pune", "general", place, double)


def verdict(who: Reviewer, outcome: str = "ACCEPTED", *, at: int, sequence: int = 1) -> DeskVerdict:
    return DeskVerdict(who.annotator, 1, sequence, outcome, uuid.uuid4().hex, since=at, at=at, tokens=3)


class AnyRequest:
    """`Requests` that has the text of every note; the offset is in its id."""

    def read(self, partition: int, offset: int):
        return request(f"note-{offset}", 0, 1, Asked(source="a"))


def desk_on(store: Store, said: list, audit_every: int = 1_000) -> Desk:
    metrics = Metrics(METRICS)
    metrics.build_all()
    requests = AnyRequest()
    return Desk(
        store, requests, said.append, metrics, Drafts(store, requests, None), lease_s=60, audit_every=audit_every
    )


def make_ready(store: Store) -> None:
    store.begin_building("test")
    assert store.set_ready("test")


def add(store: Store, tasks: dict[str, Task], verdicts=()) -> None:
    store.apply(tasks, verdicts, store.entries([*tasks, *(note for note, _ in verdicts)]))


class Log:
    """A consumer on one partition of so many records, one at each call."""

    def __init__(self, records: int) -> None:
        self.records = records
        self.at = 0

    def list_topics(self, timeout: float):
        partitions = type("Topic", (), {"partitions": {0: None}})
        return type("Cluster", (), {"topics": {"notes": partitions}})

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, self.records

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.at = partitions[0].offset

    def resume(self, partitions: list[TopicPartition]) -> None:
        pass

    def poll(self, timeout: float) -> "Message | None":
        if timeout == 0 or self.at >= self.records:
            time.sleep(0.01)
            return None
        self.at += 1
        return Message(self.at - 1)

    def close(self) -> None:
        pass


class Message:
    def __init__(self, offset: int) -> None:
        self._offset = offset

    def error(self):
        return None

    def topic(self) -> str:
        return "notes"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 0

    def key(self) -> None:
        return None

    def value(self) -> None:
        return None

    def headers(self) -> None:
        return None


def test_a_wipe_while_the_queue_is_built_is_seen(store: Store) -> None:
    stop, metrics, wiped = threading.Event(), Metrics(METRICS), []
    metrics.build_all()

    def project(records) -> None:
        offset = records[0].offset
        add(store, {f"a|note-{offset}": task(offset)})
        if offset == 5 and not wiped:
            wiped.append(offset)
            wipe(store)

    follower = Follower(
        Log(10),
        ["notes"],
        project,
        store,
        stop=stop,
        liveness=Liveness(),
        readiness=Readiness("queue"),
        metrics=metrics,
    )
    thread = threading.Thread(target=follower.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not store.is_ready() and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    thread.join(10)
    assert store.is_ready()
    assert store.waiting()["open"] == 10
    assert store.offsets() == {"notes:0": 10}


class Growing(MemoryConsumer):
    """A consumer on a topic whose partitions grow."""

    def list_topics(self, timeout: float):
        numbers = dict.fromkeys(range(self._broker.partitions))
        return SimpleNamespace(topics={"notes": SimpleNamespace(partitions=numbers)})

    def poll(self, timeout: float = -1):
        time.sleep(min(max(timeout, 0), 0.01))
        return super().poll(timeout)


def test_partitions_that_come_later_are_read_from_their_beginning(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.kafka.reader.GROWTH_S", 0.0)
    broker, metrics, stop, readiness = MemoryBroker(), Metrics(METRICS), threading.Event(), Readiness("queue")
    metrics.build_all()
    broker.append("notes", b"old")

    def project(records) -> None:
        for record in records:
            add(store, {f"note-{record.value.decode()}": task(record.offset)})
            if record.value == b"new":
                missing.append(dict(readiness.missing))

    missing: list[dict[str, str]] = []
    follower = Follower(
        Growing(broker), ["notes"], project, store, stop=stop, liveness=Liveness(), readiness=readiness, metrics=metrics
    )
    thread = threading.Thread(target=follower.run)
    thread.start()
    try:
        until(lambda: readiness.ready, 20)
        broker.partitions = 2
        broker.append("notes", b"new", b"k")  # before anybody reads there
        until(lambda: missing and readiness.ready, 20)
        assert "new partitions" in missing[0]["queue"]
        until(lambda: store.offsets() == {"notes:0": 1, "notes:1": 1}, 20)
        assert store.waiting()["open"] == 2
    finally:
        stop.set()
        thread.join(10)


def test_what_lives_as_long_as_the_follower_does_not_run_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("review_desk.follower._SWEEP_EVERY_S", 0.01)
    stop, metrics = threading.Event(), Metrics(METRICS)
    metrics.build_all()

    def project(records) -> None:
        store.set_drift("city=Pune", "WARNING")
        store.set_new_words("city=Pune", ["dengue"])
        store.add_model("8", "MODEL_TRAINED", 3_000, {BEN.annotator: 4})

    follower = Follower(
        Log(1), ["notes"], project, store, stop=stop, liveness=Liveness(), readiness=Readiness("queue"), metrics=metrics
    )
    thread = threading.Thread(target=follower.run)
    thread.start()
    until(store.is_ready, 20)
    lasting = [key for key in connect_of(store).scan_iter(store.key("*")) if ":building:" not in key]
    assert {key.rpartition("desk:")[2] for key in lasting} >= {READY, "offsets", "drift", "models", "words-of"}
    for key in lasting:
        connect_of(store).expire(key, 50)
    until(lambda: all(connect_of(store).ttl(key) > KEEP_S - 100 for key in lasting), 20)
    stop.set()
    thread.join(10)
    assert metrics.registry.get_sample_value("rxtract_desk_rebuilds_total") == 1


def test_a_rebuild_reads_no_verdicts_that_the_queue_had_forgotten(store: Store, rig: Rig) -> None:
    """Annotations are kept for ever. Those of the last months say what is finished; the others are history."""
    rig.end()
    rig.wipe()
    said: list[AnnotationValidated] = []
    make_ready(store)
    add(store, {"a|note-1": task(1)})
    desk = desk_on(store, said)
    desk.decide(ANNA, "a|note-1", 1, Decision(None, (), (), 1.0, 1, desk.next(ANNA).lease))
    like = replace(said[0], source=SOURCE)
    notes = rig.ask(3)
    day_ms, now_ms = 86_400_000, time.time_ns() // 1_000_000
    rig.say(like, {f"old-{number}": now_ms - (70 + number % 300) * day_ms for number in range(2_000)})
    # Said long ago on a note that was asked for again since, and said yesterday.
    rig.say(like, {notes[0]: now_ms - 45 * day_ms, notes[1]: now_ms - day_ms})
    rig.process = rig.start()
    assert rig.client("anna").get("/api/queue").json()["waiting"]["open"] == 1
    assert next_of(rig.client("ben"))["note_id"] == notes[2]
    kept = list(rig.redis.scan_iter(f"{rig.prefix}rxtract:desk:verdicts:*"))
    assert sorted(key.rpartition(":")[2] for key in kept) == sorted(f"{SOURCE}|{note}" for note in notes[:2])


def test_a_backlog_of_ones_own_notes_hides_nothing(store: Store) -> None:
    make_ready(store)
    mine = {f"a|note-{n}": task(n, sample="AUDIT") for n in range(2_500)}
    add(store, mine, [(note_id, verdict(ANNA, "SKIPPED", at=1)) for note_id in mine])
    add(store, {"a|note-9999": task(9_999, sample="AUDIT")})
    handed = desk_on(store, [], audit_every=1).next(ANNA)
    assert handed is not None
    assert handed.entry.note == "a|note-9999"
    assert desk_on(store, [], audit_every=1).next(BEN).entry.note == "a|note-0"
    add(store, {"a|note-7": task(7, sample="AUDIT", revision=2)})  # a newer revision is a new note to her
    assert store.unanswered(ANNA.annotator, ["a|note-7", "a|note-8"]) == ["a|note-7"]


def test_the_oldest_of_each_queue_is_known_wherever_its_notes_stand_in_it(store: Store) -> None:
    make_ready(store)
    now_ms = 1_000_000
    sure = replace(
        task(1), confidence=0.9, requested_at=now_ms - 90_000
    )  # at the end of its queue, and the oldest there
    add(store, {"a|note-1": sure, "a|note-2": replace(task(2), requested_at=now_ms - 30_000)})
    add(store, {"a|note-3": replace(task(3, sample="AUDIT"), requested_at=now_ms - 5_000)})
    assert store.oldest_s(now_ms) == {"open": 90.0, "audit": 5.0, "second": 0.0, "lead": 0.0}
    add(store, {}, [("a|note-1", verdict(ANNA, at=now_ms))])
    assert store.oldest_s(now_ms)["open"] == 30.0
    add(
        store, {"a|note-2": replace(task(2, revision=2), requested_at=now_ms - 1_000)}
    )  # its newer revision waits since then
    assert store.oldest_s(now_ms)["open"] == 1.0
    store.drop(*store.entries(["a|note-2", "a|note-3"]).values())
    assert store.oldest_s(now_ms) == {"open": 0.0, "audit": 0.0, "second": 0.0, "lead": 0.0}


def test_what_outlived_its_text_leaves_the_queues(store: Store) -> None:
    make_ready(store)
    add(store, {"a|note-1": task(1), "a|note-2": task(2)}, [("a|note-2", verdict(ANNA, at=1))])
    assert store.sweep(time.time()) == 0
    assert store.waiting()["open"] == 1
    assert store.sweep(time.time() + AGE_S + 1) == 2
    assert store.waiting()["open"] == 0
    assert store.front(Queue.OPEN, "city=Pune", 0, 10) == []
    assert store.unanswered(ANNA.annotator, ["a|note-2"]) == ["a|note-2"]


def test_a_queue_that_names_what_is_gone_forgets_it(store: Store) -> None:
    make_ready(store)
    add(store, {f"a|note-{n}": task(n) for n in range(50)})
    connect_of(store).delete(*(store.key("task", f"a|note-{n}") for n in range(49)))
    assert desk_on(store, []).next(ANNA).entry.note == "a|note-49"
    assert store.waiting()["open"] == 1
    assert store.oldest_s(1_049)["open"] == 1.0


def test_a_second_word_on_a_note_counts_once(store: Store) -> None:
    make_ready(store)
    add(store, {"a|note-1": task(1)}, [("a|note-1", verdict(ANNA, at=1_000))])
    add(store, {}, [("a|note-1", verdict(ANNA, "CORRECTED", sequence=2, at=2_000))])
    assert store.decision_times(ANNA.annotator, 0) == [2_000]
    assert store.decision_times(ANNA.annotator, 2_001) == []
    add(store, {}, [("a|note-1", verdict(ANNA, "SKIPPED", sequence=3, at=3_000))])
    assert store.decision_times(ANNA.annotator, 0) == []


def test_leases_of_all_that_a_page_holds_are_renewed(store: Store) -> None:
    make_ready(store)
    add(store, {"a|note-1": task(1), "a|note-2": task(2), "a|note-3": task(3, revision=2)})
    desk = desk_on(store, [])
    one, two = desk.next(ANNA), desk.next(ANNA, holding=["a|note-1"])
    held = [Held(found.entry.note, 1, found.lease) for found in (one, two)]
    for note in held:
        connect_of(store).expire(store.key("lease", note.note), 2)
    assert desk.keep(ANNA, held) == []
    assert all(connect_of(store).ttl(store.key("lease", note.note)) > 30 for note in held)
    assert desk.keep(BEN, [replace(held[0], lease="mine")]) == ["a|note-1"]
    assert desk.keep(ANNA, [Held("a|note-3", 1, "x"), Held("a|note-9", 1, "x")]) == ["a|note-3", "a|note-9"]


def test_used_in_is_what_the_training_says_it_used(store: Store) -> None:
    make_ready(store)
    add(store, {"a|note-1": task(1)}, [("a|note-1", verdict(ANNA, "UNREADABLE", at=1_000))])
    store.add_model("7", "MODEL_TRAINED", 2_000, {BEN.annotator: 3})
    store.add_model("8", "MODEL_TRAINED", 3_000, {BEN.annotator: 4, ANNA.annotator: 1})
    store.add_model("8", "PROMOTED", 3_500, {})
    desk = desk_on(store, [])
    assert desk.figures(ANNA)["used_in"] == [{"version": "8", "notes": 1, "promoted": True}]
    assert desk.figures(BEN)["used_in"] == [
        {"version": "8", "notes": 4, "promoted": True},
        {"version": "7", "notes": 3, "promoted": False},
    ]
