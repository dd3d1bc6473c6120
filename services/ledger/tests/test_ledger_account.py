"""The account is exact: whatever logs do, submitted = effects + dead letters + open + lost, and lost is what was lost."""

import json
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from contracts.records import Origin

from .fake_log import ACCEPTED, EFFECTS, SUBMITTED, TOPICS, Cluster, FakeLog, Pipeline  # isort: skip
from ledger.accounting import Accounting
from ledger.adapters.book import MOST_NAMED, Book, account
from ledger.adapters.schemas import Schemas
from ledger.domain.account import Account
from ledger.reader import Heard, Reader
from runtime.errors import Recoverable, SettingsError
from runtime.service.health import Liveness, Readiness

LOST_AFTER_S = 300.0


class Ledger:
    """The real reader, handler and book over a fake log; `kill` forgets whatever was not committed."""

    batch = 7

    def __init__(
        self, folder: Path, cluster: Cluster, pipeline: Pipeline, seed: int = 0, in_memory: int = 100_000
    ) -> None:
        self.folder, self.cluster, self.pipeline, self.seed, self.in_memory = folder, cluster, pipeline, seed, in_memory
        self.jumps: list[str] = []
        self.readiness = Readiness()
        self.start()

    def start(self) -> None:
        self.book = Book(self.folder, "one", self.in_memory)
        clock = lambda: self.cluster.now_ms  # noqa: E731
        self.reader = Reader(
            FakeLog(self.cluster, self.seed),
            self.book,
            Accounting(self.book, Schemas(self.pipeline.registry), TOPICS.roles, clock=clock),
            TOPICS,
            lost_after_s=LOST_AFTER_S,
            commit_s=5,
            liveness=Liveness(),
            readiness=self.readiness,
            stop=threading.Event(),
            heard=Heard(lambda kind, _: self.jumps.append(kind)),
            clock=clock,
            batch=self.batch,
        )
        self.reader.begin()

    def kill(self) -> None:
        self.book.close()
        self.seed += 1
        self.start()

    def read(self, turns: int = 60) -> None:
        for _ in range(turns):
            self.cluster.now_ms += 10
            self.reader.turn()

    def wait(self, seconds: float = LOST_AFTER_S + 30) -> None:
        """Let time pass in steps, as the loop would."""
        for _ in range(int(seconds / 5)):
            self.cluster.now_ms += 5_000
            for _ in range(4):
                self.reader.turn()

    def says(self, since_ms: int | None = None) -> Account:
        self.reader.commit()
        found = account(self.folder, self.cluster.now_ms, since_ms)
        totals = found.totals
        assert totals.submitted == totals.effects + totals.dead_letters + totals.open + totals.lost
        if since_ms is None:
            assert totals == self.book.totals, "rows and sums differ"
        return found

    def counts(self) -> tuple[int, int, int, int, int]:
        totals = self.says().totals
        return totals.submitted, totals.effects, totals.dead_letters, totals.open, totals.lost


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def pipeline(cluster: Cluster) -> Pipeline:
    return Pipeline(cluster)


@pytest.fixture
def ledger(tmp_path: Path, cluster: Cluster, pipeline: Pipeline):
    made = Ledger(tmp_path / "ledger", cluster, pipeline)
    yield made
    made.book.close()


def test_a_note_by_either_door_is_open_until_its_effect_comes(ledger, pipeline):
    offset = pipeline.submit("kafka")
    ledger.read()
    assert ledger.counts() == (1, 0, 0, 1, 0)
    pipeline.accept("kafka", offset)
    pipeline.accept("http")
    ledger.read()
    assert ledger.counts() == (2, 0, 0, 2, 0)
    pipeline.extract("kafka")
    pipeline.extract("http")
    ledger.read()
    assert ledger.counts() == (2, 2, 0, 0, 0)


def test_a_note_removed_on_purpose_is_lost_and_named(ledger, pipeline):
    pipeline.submit("gone")
    answered = pipeline.submit("there")
    pipeline.accept("there", answered)
    pipeline.extract("there")
    pipeline.commit()
    ledger.wait(LOST_AFTER_S - 60)
    assert ledger.counts() == (2, 1, 0, 1, 0), "not before its time"
    ledger.wait(120)
    assert ledger.counts() == (2, 1, 0, 0, 1)
    found = ledger.says().as_dict()
    assert found["lost_notes"] == [{"source": "clinic", "note_id": "gone", "revision": 1}]
    assert json.loads(json.dumps(found)) == found


def test_a_note_that_the_extractor_passed_over_is_lost(ledger, pipeline):
    pipeline.accept("gone", pipeline.submit("gone"))
    pipeline.commit()
    ledger.wait()
    assert ledger.counts() == (1, 0, 0, 0, 1)


def test_a_note_is_open_however_long_while_nobody_committed_past_it(ledger, cluster, pipeline):
    pipeline.submit("first")
    cluster.groups[TOPICS.ingestor, SUBMITTED][SUBMITTED, 0] = 0
    pipeline.accept("second")
    ledger.wait(10 * LOST_AFTER_S)
    assert ledger.counts() == (2, 0, 0, 2, 0)
    assert ledger.says().oldest_open_s == pytest.approx(10 * LOST_AFTER_S, abs=60)


def test_a_late_effect_ends_a_loss(ledger, pipeline):
    pipeline.submit("late")
    letter = pipeline.accept("letter")
    pipeline.commit()
    ledger.wait()
    assert ledger.counts() == (2, 0, 0, 0, 2)
    pipeline.accept("late", 0)
    pipeline.extract("late")
    pipeline.refuse(ACCEPTED, 0, letter)
    ledger.read()
    assert ledger.counts() == (2, 1, 1, 0, 0)
    assert ledger.says().totals.late == 2


def test_no_note_is_lost_while_its_effect_is_not_read_yet(ledger, cluster, pipeline):
    """The ledger is down when effect and commit come, and for an hour after."""
    pipeline.accept("N", pipeline.submit("N"))
    ledger.read()
    ledger.reader.commit()
    pipeline.extract("N")
    pipeline.commit()
    cluster.now_ms += 3_600_000
    ledger.kill()
    ledger.wait()
    assert ledger.counts() == (1, 1, 0, 0, 0)
    assert ledger.says().totals.late == 0


def test_no_note_is_lost_while_effects_cannot_be_read(ledger, cluster, pipeline):
    pipeline.accept("N", pipeline.submit("N"))
    ledger.read()
    assert ledger.readiness.ready
    cluster.stalled.add(EFFECTS)
    pipeline.extract("N")
    pipeline.commit()
    ledger.wait(3 * LOST_AFTER_S)
    assert ledger.counts() == (1, 0, 0, 1, 0)
    assert ledger.readiness.missing == {"account": "behind what the topics hold"}
    cluster.stalled.clear()
    ledger.wait()
    assert ledger.counts() == (1, 1, 0, 0, 0)
    assert ledger.readiness.ready


def test_duplicates_share_the_effect_of_the_first(ledger, pipeline):
    first, second = pipeline.submit("twice"), pipeline.submit("twice")
    pipeline.accept("twice", first)
    pipeline.accept("twice", second)
    pipeline.extract("twice")
    ledger.read()
    assert ledger.counts() == (2, 2, 0, 0, 0)
    pipeline.extract("twice")
    ledger.read()
    assert ledger.counts() == (2, 2, 0, 0, 0)


def test_what_a_crash_makes_the_services_write_again_counts_once(ledger, pipeline):
    offset = pipeline.submit("N")
    pipeline.accept("N", offset)
    ledger.read()
    pipeline.accept("N", offset)
    ledger.read()
    pipeline.extract("N")
    ledger.read()
    pipeline.accept("N", offset)
    pipeline.extract("N")
    ledger.read()
    assert ledger.counts() == (1, 1, 0, 0, 0)


def test_the_revisions_of_a_note_are_notes(ledger, pipeline):
    for revision in (1, 200):  # one byte and two
        pipeline.accept("N", pipeline.submit("N", revision=revision), revision=revision)
    pipeline.extract("N", revision=200)
    pipeline.commit()
    ledger.wait()
    assert ledger.says().as_dict()["lost_notes"] == [{"source": "clinic", "note_id": "N", "revision": 1}]


@pytest.mark.parametrize(
    "value", [None, b"", b"\x00", b"junk", b"\x00\x00\x00\x00\x63rest", b"\x00\x00\x00\x00\x01\xff"]
)
def test_bytes_that_name_no_note_wait_for_the_dead_letter_of_their_place(ledger, cluster, pipeline, value):
    offset = cluster.append(SUBMITTED, 1, value)
    ledger.read()
    assert ledger.counts() == (1, 0, 0, 1, 0)
    pipeline.refuse(SUBMITTED, 1, offset)
    pipeline.refuse(SUBMITTED, 1, offset)
    ledger.read()
    assert ledger.counts() == (1, 0, 1, 0, 0)


def test_a_dead_letter_answers_its_own_place_alone(ledger, pipeline):
    pipeline.submit("twice")
    second = pipeline.submit("twice")
    pipeline.refuse(SUBMITTED, 0, second)
    ledger.read()
    assert ledger.counts() == (2, 0, 1, 1, 0)


def test_a_letter_of_the_http_door_is_a_note_and_its_effect(ledger, pipeline):
    pipeline.refuse(SUBMITTED, -1, -1, value=b'{"note_id": "N"}')
    ledger.read()
    assert ledger.counts() == (1, 0, 1, 0, 0)


def test_a_replayed_dead_letter_is_a_note_again(ledger, cluster, pipeline):
    pipeline.refuse(SUBMITTED, 0, pipeline.submit("N"))
    again = pipeline.submit("N", replayed=True)
    ledger.read()
    assert ledger.counts() == (2, 0, 1, 1, 0)
    accepted = pipeline.accept("N", again)
    pipeline.refuse(ACCEPTED, 0, accepted)
    record = cluster.logs[ACCEPTED, 0][accepted]
    cluster.append(ACCEPTED, 0, record.value, (*record.headers, ("rxtract.replayed", b"notes.accepted.v1.dlq 0:0")))
    ledger.read()
    assert ledger.counts() == (3, 0, 2, 1, 0)
    pipeline.commit()
    ledger.wait()
    assert ledger.counts() == (3, 0, 2, 0, 1), "a replay that nobody answers is lost too"


@pytest.mark.parametrize(("origin", "submitted"), [(Origin.REEXTRACT, 1), (Origin.BACKFILL, 2), (Origin.REPLAY, 2)])
def test_a_note_that_is_extracted_again_is_no_note_that_came(ledger, pipeline, origin, submitted):
    pipeline.accept("N", pipeline.submit("N"))
    pipeline.extract("N")
    ledger.read()
    pipeline.accept("N", origin=origin)
    pipeline.extract("N")
    pipeline.commit()
    ledger.wait()
    assert ledger.counts() == (submitted, submitted, 0, 0, 0)


def test_what_is_erased_changes_nothing(ledger, cluster, pipeline):
    pipeline.accept("N", pipeline.submit("N"))
    pipeline.extract("N")
    ledger.read()
    cluster.append(EFFECTS, 0, None)
    cluster.low |= dict.fromkeys(cluster.low, 1)  # retention, or an erasure of whole segments
    for log in cluster.logs.values():
        log.extend([None] * (1 - len(log)))
    pipeline.commit()
    ledger.wait()
    assert ledger.counts() == (1, 1, 0, 0, 0)


def test_an_older_ingestor_that_names_no_origin_is_understood(ledger, pipeline):
    pipeline.submit("N")
    pipeline.accept("N")
    ledger.read()
    assert ledger.counts() == (1, 0, 0, 1, 0)
    pipeline.extract("N")
    ledger.read()
    assert ledger.counts() == (1, 1, 0, 0, 0)


def test_an_ingestor_that_names_another_notes_place_answers_nothing(ledger, pipeline):
    pipeline.submit("mine")
    pipeline.accept("other", 0)
    pipeline.extract("other")
    pipeline.commit()
    ledger.wait()
    assert [note.note_id for note in ledger.says().lost_notes] == ["mine"]


def test_new_partitions_and_markers_are_read(ledger, cluster, pipeline):
    pipeline.accept("old", pipeline.submit("old"))
    ledger.read()
    for topic in (SUBMITTED, ACCEPTED, EFFECTS):
        cluster.grow(topic)
        cluster.marker(topic, 3)
    pipeline.accept("new", pipeline.submit("new", partition=3), partition=3)
    pipeline.extract("new", partition=3)
    pipeline.extract("old")
    for topic in (SUBMITTED, ACCEPTED, EFFECTS):
        cluster.marker(topic, 3)
    pipeline.commit()
    ledger.wait()
    assert ledger.counts() == (2, 2, 0, 0, 0)


def test_notes_whose_log_was_cut_off_are_lost_and_their_places_are_others(ledger, cluster, pipeline):
    for name in ("kept", "cut"):
        pipeline.submit(name)
    ledger.read()
    del cluster.logs[SUBMITTED, 0][1:]
    ledger.wait(10)
    offset = pipeline.submit("new")
    assert offset == 1
    pipeline.refuse(SUBMITTED, 0, offset)
    ledger.wait()
    assert ledger.jumps == ["cut"]
    assert ledger.counts() == (3, 0, 1, 1, 1)
    assert [note.note_id for note in ledger.says().lost_notes] == ["cut"]


def test_a_cut_note_that_was_read_before_still_gets_its_effect(ledger, cluster, pipeline):
    offset = pipeline.submit("cut")
    ledger.read()
    cluster.logs[SUBMITTED, 0].clear()
    ledger.wait(10)
    pipeline.accept("cut", offset)
    pipeline.extract("cut")
    ledger.read()
    assert ledger.counts() == (1, 1, 0, 0, 0)


def test_what_retention_deleted_unread_is_counted_as_a_jump(ledger, cluster, pipeline):
    ledger.reader.commit()
    for number in range(5):
        pipeline.submit(f"N{number}")
    cluster.low[SUBMITTED, 0] = 4
    ledger.kill()
    ledger.read()
    assert ledger.jumps == ["expired"]
    assert ledger.counts() == (1, 0, 0, 1, 0)


def test_kafka_and_the_registry_may_go_in_the_middle_of_a_round(ledger, cluster, pipeline, monkeypatch):
    pipeline.accept("N", pipeline.submit("N"))
    pipeline.extract("N")
    cluster.away = True
    for _ in range(5):
        with pytest.raises(Recoverable):
            ledger.reader.turn()
    cluster.away = False
    pipeline.registry.down = True

    def back(_: float) -> None:
        pipeline.registry.down = False

    monkeypatch.setattr(ledger.reader._stop, "wait", back)
    ledger.read()
    assert ledger.counts() == (1, 1, 0, 0, 0)


def test_since_a_time_the_account_adds_up_too(ledger, cluster, pipeline):
    pipeline.accept("before", pipeline.submit("before"))
    ledger.read()
    cluster.now_ms += 600_000
    since_ms = cluster.now_ms // 60_000 * 60_000
    pipeline.submit("after")
    pipeline.extract("before")
    ledger.read()
    assert ledger.says(since_ms).totals[:4] == (1, 0, 0, 1)
    assert ledger.says().totals[:4] == (2, 1, 0, 1)


def test_old_minutes_become_one_and_the_sums_stay(ledger, cluster, pipeline):
    pipeline.accept("old", pipeline.submit("old"))
    pipeline.submit("waits")
    ledger.read()
    ledger.reader.commit()
    cluster.now_ms += 40 * 86_400_000
    pipeline.extract("old")
    ledger.read()
    assert ledger.counts() == (2, 1, 0, 1, 0)
    assert ledger.says(cluster.now_ms - 86_400_000).totals[:4] == (0, 0, 0, 0)


def test_a_time_in_the_future_counts_now(ledger, cluster, pipeline):
    pipeline.submit("N")
    record = cluster.logs[SUBMITTED, 0][0]
    cluster.logs[SUBMITTED, 0][0] = record._replace(at_ms=cluster.now_ms + 10**12)
    ledger.read()
    assert ledger.says(cluster.now_ms - 120_000).totals.submitted == 1


def test_the_folder_is_one_ledgers_and_one_clusters(ledger, tmp_path):
    with pytest.raises(SettingsError, match="another ledger"):
        Book(ledger.folder, "one")
    ledger.book.close()
    with pytest.raises(SettingsError, match="another cluster"):
        Book(ledger.folder, "two")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "ledger.sqlite").write_bytes(b"no database" * 500)
    with pytest.raises(SettingsError, match="cannot be used"):
        Book(tmp_path / "bad", "one")
    ledger.start()


# -- random stories


def story(
    cluster: Cluster,
    pipeline: Pipeline,
    seed: int,
    notes: int,
    step: Callable[[random.Random], None],
    pace: float = 1.0,
) -> set[str]:
    """Let notes pass with every fault there is, calling `step` between; the names of those that were removed on purpose.

    A smaller pace has fewer steps and new partitions for each note.
    """
    rng = random.Random(seed)
    removed: set[str] = set()
    accepted: list[tuple[str, int, int]] = []
    for number in range(notes):
        name = f"N{number}"
        partition = rng.choice(cluster.partitions(SUBMITTED))
        into = rng.choice(cluster.partitions(ACCEPTED))
        fate = rng.random()
        if fate < 0.05:
            offset = cluster.append(SUBMITTED, partition, b"junk")
            for _ in range(rng.randint(1, 2)):
                pipeline.refuse(SUBMITTED, partition, offset)
        elif fate < 0.08:
            pipeline.submit(name, partition=partition)
            removed.add(name)
        else:
            if fate < 0.3:
                accepted.append((name, into, pipeline.accept(name, into=into)))
            else:
                offset = pipeline.submit(name, partition=partition)
                if rng.random() < 0.3 * pace:
                    step(rng)
                for _ in range(1 + (rng.random() < 0.1)):
                    accepted.append((name, into, pipeline.accept(name, offset, partition=partition, into=into)))
            if fate > 0.97:
                removed.add(name)
                accepted = [one for one in accepted if one[0] != name]
        if rng.random() < 0.05:
            cluster.marker(rng.choice((SUBMITTED, ACCEPTED, EFFECTS)), 0)
        if rng.random() < 0.01 * pace:
            cluster.grow(rng.choice((SUBMITTED, ACCEPTED, EFFECTS)))
        while accepted and rng.random() < 0.6:
            answered, at, offset = accepted.pop(rng.randrange(len(accepted)))
            if rng.random() < 0.1 and not any(one[0] == answered for one in accepted):
                pipeline.refuse(ACCEPTED, at, offset)
            else:
                pipeline.extract(answered, partition=rng.choice(cluster.partitions(EFFECTS)))
        if rng.random() < 0.3 * pace:
            step(rng)
    for answered, _, _ in accepted:
        pipeline.extract(answered)
    pipeline.commit()
    return removed


@pytest.mark.parametrize("seed", range(12))
def test_killed_anywhere_the_account_is_exact(tmp_path, seed):
    cluster = Cluster()
    pipeline = Pipeline(cluster)
    ledger = Ledger(tmp_path, cluster, pipeline, seed, in_memory=5 if seed % 2 else 100_000)

    def step(rng: random.Random) -> None:
        cluster.now_ms += rng.randint(0, 2_000)
        for _ in range(rng.randint(0, 3)):
            ledger.reader.turn()
        if rng.random() < 0.15:
            ledger.kill()
        if rng.random() < 0.1:
            ledger.reader.commit()

    removed = story(cluster, pipeline, seed, 250, step)
    ledger.wait()
    totals = ledger.says().totals
    assert {note.note_id for note in ledger.says().lost_notes} == removed
    assert (totals.submitted, totals.open, totals.lost) == (250, 0, len(removed))
    ledger.book.close()


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_a_million_notes_with_faults_are_accounted_for_exactly(tmp_path, monkeypatch):
    monkeypatch.setattr(Ledger, "batch", 5_000)
    cluster = Cluster(partitions=12)
    pipeline = Pipeline(cluster)
    ledger = Ledger(tmp_path, cluster, pipeline, seed=1, in_memory=2_000)
    kills = 0

    def step(rng: random.Random) -> None:
        nonlocal kills
        cluster.now_ms += rng.randint(0, 2_000)
        for _ in range(rng.randint(0, 3)):
            ledger.reader.turn()
        if rng.random() < 0.15:
            ledger.kill()
            kills += 1
        if rng.random() < 0.1:
            ledger.reader.commit()
            for place, at in ledger.book.positions.items():  # what nobody reads any more takes no memory
                cluster.logs[place][:at] = [None] * at

    removed = story(cluster, pipeline, 1, 1_000_000, step, pace=0.003)
    ledger.wait()
    totals = ledger.says().totals
    assert kills > 100
    assert (totals.submitted, totals.open, totals.lost) == (1_000_000, 0, len(removed))
    assert totals.effects + totals.dead_letters == 1_000_000 - len(removed)
    assert len(ledger.says().lost_notes) == min(len(removed), MOST_NAMED)
    ledger.book.close()
