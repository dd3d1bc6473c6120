import asyncio
import html
import random
import re
import threading
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import duckdb
import pytest
from contracts.reasons import Reason
from contracts.records import (
    AccessAction,
    AnnotationChanges,
    AnnotationOutcome,
    AnnotationValidated,
    Assertion,
    AssertionStatus,
    AssertionTime,
    CodedEntity,
    Coding,
    DriftDetected,
    DriftDirection,
    DriftLevel,
    EntitiesCoded,
    EntitiesExtracted,
    Entity,
    EntityLabel,
    Experiencer,
    ModelEvent,
    ModelEventKind,
    ModelRef,
    Review,
    ReviewReason,
    Sample,
    Seen,
    Segment,
)
from contracts.topics import DRIFT_DETECTED, ENTITIES_CODED, ENTITIES_EXTRACTED, QUALITY_MEASURED
from contracts.wire import WireError
from fastapi.testclient import TestClient
from outcomes.days import day_of, shift
from outcomes.folding import ACCEPTED_DLQ, DeadLetter
from outcomes.kpis import KPIS, Assumptions
from outcomes.questions import newest_row, open_records, select
from outcomes.records_at_rest import CODES, CODES_SCHEMA, RecordsAtRest, Stretch, codes_row_of, row_of
from prometheus_client import CollectorRegistry, generate_latest
from runtime.errors import Recoverable, SettingsError, Stopped
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.records import InputRecord
from runtime.service.health import HealthServer, Liveness, Readiness
from runtime.service.memory import MemoryBroker, MemoryConsumer
from runtime.service.metrics import Metrics
from runtime.service.pseudonyms import Pseudonyms
from runtime.service.secret_files import hash_token
from runtime.web.access_log import AccessLog
from runtime.web.client_tokens import Tokens
from runtime.web.people import People
from rxtract_fhir import check
from scorekeeper.adapters.ledger import Accounted, LedgerAccount, NoAnswer, Waiting
from scorekeeper.adapters.sink import Sink
from scorekeeper.adapters.topics import Start, Topics, start_of
from scorekeeper.bootstrap import open_sinks, share, topic_names
from scorekeeper.domain.board import WEEK, Board
from scorekeeper.domain.figures import look, quality_of
from scorekeeper.domain.held import HeldRows
from scorekeeper.domain.measuring import Said, measurements
from scorekeeper.domain.refusals import RefusedNotes, RefusedOnce
from scorekeeper.exposition import Exposition, samples_of
from scorekeeper.fold import Fold
from scorekeeper.http import words
from scorekeeper.http.app import MOST_WATCHING, ScoreApi, make_app
from scorekeeper.http.door import Door
from scorekeeper.http.notes import NotesApi, nothing_waits
from scorekeeper.http.page import KINDS, Page, Scope
from scorekeeper.http.questions import Questions
from scorekeeper.metrics import KPI_METRICS, METRICS, NOTES_FORGOTTEN, OWN, QUALITY, UNREADABLE_RECORDS
from scorekeeper.reader import HISTORY, LEASE, LeaseLost, Reader, until_held
from scorekeeper.settings import ScorekeeperSettings

PSEUDONYMS = Pseudonyms(b"k" * 32)
ZONE = ZoneInfo("Asia/Kolkata")
NOW = 1_795_000_000_000
HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(autouse=True)
def the_page_is_read_now(monkeypatch):
    """The records lie at a fixed time, and the page's window moves with the clock."""
    monkeypatch.setattr("scorekeeper.http.app.now_ms", lambda: NOW)


def mark(start):
    return Entity(
        entity_id=f"e{start}", label=EntityLabel.DISEASE, text="flu", start=start, end=start + 3, confidence=0.9
    )


def event(note_id, city="Pune", serial=1):
    return EntitiesExtracted(
        event_id=f"e-{note_id}", source="clinic", note_id=note_id, revision=1, rules_version="", rules_serial=0,
        patient_ref="p", model=ModelRef(name="m", version=str(serial), serial=serial),
        segment=Segment(city=city, specialty="x"), written_at=NOW - 1000, accepted_at=NOW - 1000, extracted_at=NOW - 500,
        note_confidence=0.9, entities=(mark(0),), relations=(), review=Review(requested=False),
    )  # fmt: skip


def audit(note_id, *, right=True, city="Pune", serial=1):
    return AnnotationValidated(
        annotation_id=f"a-{note_id}", source="clinic", note_id=note_id, revision=1, text="flu flu", segment=Segment(city=city, specialty="x"),
        patient_ref="p", doctor_ref="d", written_at=NOW - 1000, model=ModelRef(name="m", version=str(serial), serial=serial),
        predicted_entities=(mark(0),), predicted_relations=(), entities=(mark(0 if right else 4),), relations=(),
        sample=Sample.AUDIT, inclusion_probability=0.1 + 0.01 * (len(note_id) % 7), predictions_shown=True,
        outcome=AnnotationOutcome.ACCEPTED if right else AnnotationOutcome.CORRECTED,
        changes=AnnotationChanges(kept=1, added=0, removed=0, moved=0, relabelled=0), annotator="v-1", sequence=1,
        seconds_spent=9.0, annotated_at=NOW - 100, supersedes=(),
    )  # fmt: skip


def board():
    return Board(ZONE, Assumptions())


def page_of(board, tmp_path):
    return Page(board, Questions(tmp_path, 5), 5, "http://desk:1")


def door_of(tmp_path, log=None):
    (tmp_path / "tokens").write_text(f"anna:validator:{hash_token('token-anna')}")
    return Door(People(tmp_path / "tokens", "X"), log or AccessLog("scorekeeper", PSEUDONYMS, lambda _: None))


# -- measuring


def test_the_same_audits_give_the_same_measurements_in_any_order():
    notes = [
        audit(f"n{'x' * (place % 9)}{place}", right=place % 3 != 0, city="Pune" if place % 2 else "Delhi")
        for place in range(60)
    ]
    found = []
    for seed in range(5):
        one = board()
        random.Random(seed).shuffle(notes)
        for note in notes:
            one.folded.validated(note)
        found.append(measurements(one, NOW))
    assert [row.segment for row in found[0]] == ["all", "city=Delhi", "city=Pune"]
    assert all(rows == found[0] for rows in found)


def test_what_was_said_is_not_said_again_and_a_correction_is_news():
    one, said = board(), Said()
    one.folded.validated(audit("a"))
    for measured in measurements(one, NOW):
        said.take(measured)
    one.folded.extracted(event("b"))  # moves the estimate alone
    assert said.news(measurements(one, NOW + 5000)) == []
    one.folded.validated(audit("b", right=False))
    assert {row.segment for row in said.news(measurements(one, NOW))} == {"all", "city=Pune"}


def test_versions_are_measured_apart():
    one = board()
    one.folded.validated(audit("a", serial=1))
    one.folded.validated(audit("b", right=False, serial=2))
    rows = {row.model.version: row.labels[2].f1 for row in measurements(one, NOW) if row.segment == "all"}
    assert rows == {"1": 1.0, "2": 0.0}


def test_the_newest_audited_version_alone_says_how_much_is_to_be_audited():
    one = board()
    one.folded.validated(audit("a", serial=1))
    one.folded.validated(audit("b", serial=2))
    for number in range(8_000):
        one.folded.extracted(event(f"n{number}", serial=2))
    rates = {(row.model.version, row.segment): row.audit_rate for row in measurements(one, NOW)}
    assert rates == {("1", "all"): None, ("1", "city=Pune"): None, ("2", "city=Pune"): None, ("2", "all"): 0.019}
    said = Said()
    for measured in measurements(one, NOW):
        said.take(measured)
    for number in range(8_000):
        one.folded.extracted(event(f"m{number}", serial=2))
    assert [row.audit_rate for row in said.news(measurements(one, NOW))] == [0.0095]  # twice the notes, half the rate


# -- where to begin


@pytest.mark.parametrize(
    ("low", "high", "window", "kept", "expected"),
    [
        (0, 100, 60, None, (0, 60, 100, 0)),  # nothing kept yet: rows from the beginning, numbers from the window
        (0, 100, 60, 80, (60, 60, 100, 0)),
        (0, 100, 60, 20, (20, 60, 100, 0)),
        (50, 100, 60, 20, (50, 60, 100, 30)),  # 30 records are gone
        (0, 100, 100, 100, (100, 100, 100, 0)),
        (70, 100, 60, 90, (70, 70, 100, 0)),
    ],
)
def test_a_partition_begins_where_numbers_or_rows_need_it(low, high, window, kept, expected):
    assert start_of(low, high, window, kept, keeps_rows=True) == expected


def test_the_folder_of_another_cluster_is_refused():
    with pytest.raises(SettingsError, match="another cluster"):
        start_of(0, 10, 0, 11, keeps_rows=True)


def test_every_topic_that_is_needed_is_read(tmp_path):
    settings = ScorekeeperSettings(
        bootstrap_servers="b:1", schema_registry_url="http://s", records_dir=tmp_path, topic_prefix="p."
    )
    names = topic_names(settings)
    assert names["p.entities.extracted.v1"] == ENTITIES_EXTRACTED
    assert "p.notes.submitted.v1.dlq" in names
    assert "p.review.requested.v1" not in names


# -- batches


class Rig:
    def __init__(self, folder):
        self.metrics = Metrics(METRICS)
        self.board = board()
        self.records = RecordsAtRest(folder)
        self.sink = Sink(self.records, folder, self.metrics, every_s=1000, most_rows=1000, merge_every_s=1000)
        self.known = {}
        readers = dict.fromkeys((ENTITIES_EXTRACTED, DRIFT_DETECTED, QUALITY_MEASURED), self.read)
        names = {name: name for name in (*readers, "notes.submitted.v1.dlq", ACCEPTED_DLQ)}
        self.fold = Fold(readers, names, self.board, Said(), sink=self.sink, metrics=self.metrics)

    def read(self, value):
        if value == b"poison":
            raise WireError(Reason.UNDECODABLE)
        return self.known[value]

    def record(self, offset, note=None, topic=ENTITIES_EXTRACTED, headers=()):
        value = b"poison" if note is None else note.note_id.encode()
        if note is not None:
            self.known[value] = note
        return InputRecord(topic, 0, offset, NOW, b"k", value, headers)


@pytest.fixture
def rig(tmp_path):
    found = Rig(tmp_path / "records")
    yield found
    found.sink.close()


def test_a_record_that_cannot_be_read_is_counted_and_the_offset_goes_on(rig):
    rig.fold([rig.record(0, event("a")), rig.record(1), rig.record(2, event("b"))])
    rig.sink.flush()
    assert rig.records.next_offset(ENTITIES_EXTRACTED, 0) == 3
    assert [one.rows for one in rig.records.manifest.files] == [2]
    assert rig.metrics.counter(UNREADABLE_RECORDS).labels(ENTITIES_EXTRACTED)._value.get() == 1
    assert rig.board.view(WEEK, NOW).cell.notes == 2


def test_a_batch_that_could_not_be_decoded_whole_leaves_nothing(rig):
    def away(_value):
        raise Recoverable("away")

    readers = rig.fold._readers
    rig.fold._readers = {**readers, ENTITIES_EXTRACTED: away}
    with pytest.raises(Recoverable):
        rig.fold(
            [
                rig.record(0, headers=(("rxtract.reason", b"X"),), topic="notes.submitted.v1.dlq"),
                rig.record(0, event("a")),
            ]
        )
    assert rig.board.folded.changes == 0
    rig.fold._readers = readers
    rig.fold([rig.record(0, event("a"))])
    assert rig.board.view(WEEK, NOW).cell.notes == 1


def test_records_before_the_window_become_rows_and_no_numbers(rig):
    rig.fold.count_from = {(ENTITIES_EXTRACTED, 0): 1}
    rig.fold([rig.record(0, event("old")), rig.record(1, event("new"))])
    rig.sink.flush()
    assert rig.board.view(WEEK, NOW).cell.notes == 1
    assert sum(one.rows for one in rig.records.manifest.files) == 2


def test_rows_that_are_visible_are_not_written_twice(rig):
    records = [rig.record(0, event("a")), rig.record(1, event("b"))]
    rig.fold(records)
    rig.sink.flush()
    rig.fold(records)
    rig.fold([rig.record(2, event("c"))])
    rig.sink.flush()
    assert sum(one.rows for one in rig.records.manifest.files) == 3
    assert rig.board.view(WEEK, NOW).cell.notes == 3


@pytest.mark.slow
def test_a_turn_merges_one_day_at_most_and_a_round_goes_on_until_all_are_merged(tmp_path):
    now = [0.0]
    records, metrics = RecordsAtRest(tmp_path), Metrics(METRICS)
    sink = Sink(records, tmp_path, metrics, every_s=1000, most_rows=1000, merge_every_s=600, clock=lambda: now[0])
    row, beats = row_of(event("a"), ZONE), []
    for place in range(16):
        rows = [{**row, "day": f"2026-01-{day:02}"} for day in range(1, 31)]
        records.append([Stretch("t", 0, place, place + 1, rows)])
    counts = []
    now[0] = 600.0
    for _ in range(32):
        sink.turn(lambda: beats.append(1))
        counts.append(len(records.manifest.files))
    steps = [before - after for before, after in pairwise([480, *counts])]
    assert steps == [15] * 30 + [0, 0]
    assert len(beats) >= 480
    assert len(list(tmp_path.rglob("*.parquet"))) == 30 + 480  # readers may still have these open
    now[0] = 1200.0
    sink.turn()
    assert len(list(tmp_path.rglob("*.parquet"))) == 30
    sink.close()


def test_a_reason_that_nobody_declared_is_no_way_onto_the_page(rig):
    rig.fold([rig.record(7, topic="notes.submitted.v1.dlq", headers=(("rxtract.reason", b"Mrs Rao, diabetes"),))])
    assert rig.board.view(WEEK, NOW).refused() == {"UNKNOWN": 1}


def test_offsets_of_another_cluster_are_refused(rig):
    rig.sink.claim("one")
    rig.sink.claim("one")
    with pytest.raises(SettingsError, match="another cluster"):
        rig.sink.claim("two")


def test_a_dead_letter_counts_by_its_reason(rig):
    rig.fold([rig.record(7, topic="notes.submitted.v1.dlq", headers=(("rxtract.reason", b"EMPTY_TEXT"),))])
    assert rig.board.view(WEEK, NOW).refused() == {"EMPTY_TEXT": 1}
    assert rig.board.view(WEEK, NOW).examples("refused")[0].identity == "notes.submitted.v1.dlq 0:7"


def test_a_note_that_the_extractor_gave_up_lowers_availability(rig):
    rig.fold([rig.record(0, event("a"))])
    headers = (("rxtract.reason", b"HANDLER_FAILED"), ("rxtract.origin", b"LIVE"))
    rig.fold([rig.record(7, topic=ACCEPTED_DLQ, headers=headers)._replace(key=b"clinic|b")])
    assert look(rig.board, NOW, WEEK).readings["availability"].value == 1 / 2
    rig.fold([rig.record(1, event("b"))])
    assert look(rig.board, NOW, WEEK).readings["availability"].value == 1


def test_a_dead_letter_of_a_backfill_is_told_apart(rig, tmp_path):
    of_history = (("rxtract.reason", b"EMPTY_TEXT"), ("rxtract.origin", b"BACKFILL"))
    rig.fold([rig.record(7, topic="notes.submitted.v1.dlq", headers=of_history)])
    figures = look(rig.board, NOW, WEEK)
    assert (figures.refused, figures.refused_of_history) == ((), 1)
    assert "1 more</a> that are not live" in page_of(rig.board, tmp_path).numbers(Scope(), NOW)
    assert "notes.submitted.v1.dlq 0:7" in page_of(rig.board, tmp_path).examples("history", Scope(), NOW)


def test_notes_beyond_the_limit_are_counted_and_the_page_says_so(rig, tmp_path):
    rig.board = rig.fold._board = Board(ZONE, Assumptions(), most_notes=2)
    rig.fold([rig.record(place, event(f"n{place}")) for place in range(3)])
    rig.fold([rig.record(3, event("n3"))])
    assert rig.metrics.counter(NOTES_FORGOTTEN)._value.get() == 2
    assert "RXTRACT_WINDOW_NOTES" in page_of(rig.board, tmp_path).numbers(Scope(), NOW)
    assert "RXTRACT_WINDOW_NOTES" not in page_of(board(), tmp_path).numbers(Scope(), NOW)
    rig.board.folded.forget_before(shift(day_of(NOW, ZONE), 1))  # none of the days that are left misses a note
    assert "RXTRACT_WINDOW_NOTES" not in page_of(rig.board, tmp_path).numbers(Scope(), NOW)
    rig.fold([rig.record(4, event("n4"))])
    assert rig.metrics.counter(NOTES_FORGOTTEN)._value.get() == 2  # a counter never falls


# -- metrics


def test_metrics_are_shown_whole_or_not_at_all():
    registry, one = CollectorRegistry(), board()
    exposition = Exposition(registry)
    assert b"rxtract_kpi_notes{" not in generate_latest(registry)
    one.folded.extracted(event("a"))
    one.folded.validated(audit("a"))
    one.folded.validated(audit("b"))
    exposition.show(samples_of(one, NOW))
    text = generate_latest(registry).decode()
    assert 'rxtract_kpi_notes{city="",version="",window="week"} 1.0' in text
    assert 'rxtract_kpi_notes{city="Pune",version="",window="week"} 1.0' in text
    assert 'rxtract_quality_ratio{city="",label="ALL",measure="f1",version="1"} 1.0' in text
    assert 'rxtract_quality_ratio{city="Pune",label="ALL",measure="recall_low",version="1"}' in text
    assert 'rxtract_quality_audited_notes{city="Pune",version="1"} 2.0' in text
    exposition.show(())
    assert b"rxtract_kpi_notes{" not in generate_latest(registry)


def test_a_measure_that_one_note_says_is_no_metric():
    one = board()
    one.folded.validated(audit("a"))
    names = {sample.name for sample in samples_of(one, NOW)}
    assert "rxtract_quality_audited_notes" in names
    assert not {name for name in names if "validated" in name or name == "rxtract_quality_ratio"}
    one.folded.validated(audit("b"))
    names = {sample.name for sample in samples_of(one, NOW)}
    assert {"rxtract_quality_ratio", "rxtract_kpi_validated_f1_low_ratio"} <= names


def test_quality_is_told_by_version_in_each_city_with_intervals():
    one = board()
    for note, city in (("a", "Pune"), ("b", "Delhi")):
        one.folded.extracted(event(note, city=city))
        one.folded.validated(audit(note, right=note == "a", city=city))
    rows = {(row["version"], row["city"]): row for row in quality_of(one, NOW)["quality"]}
    assert set(rows) == {("", ""), ("1", ""), ("", "Pune"), ("", "Delhi"), ("1", "Pune"), ("1", "Delhi")}
    whole = next(label for label in rows["1", "Pune"]["labels"] if label["label"] == "ALL")
    assert whole["precision_low"] <= whole["precision"] <= whole["precision_high"]
    assert whole["recall_low"] < whole["recall_high"]


def judged(note_id, predicted, right):
    """An audit on which a person said what the entity is."""

    def one(status):
        said = Assertion(
            status=AssertionStatus[status],
            time=AssertionTime.CURRENT,
            experiencer=Experiencer.PATIENT,
            cue_start=-1,
            cue_end=-1,
        )
        return (replace(mark(0), assertion=said),)

    return replace(audit(note_id), predicted_entities=one(predicted), entities=one(right))


def test_what_is_said_is_measured_by_class_on_the_topic_in_metrics_and_on_the_page(tmp_path):
    shown = board()
    for number, right in enumerate(("NEGATED", "NEGATED", "PRESENT", "NEGATED")):
        note = event(f"n{number}")
        shown.folded.extracted(note)
        shown.folded.validated(judged(f"n{number}", "NEGATED", right))
    measured = next(one for one in measurements(shown, NOW) if one.segment == "all")
    rows = {row.label: row for row in measured.labels}
    assert rows["ALL"].f1 == 1
    assert 0 < rows["status NEGATED"].precision < 1 == rows["status NEGATED"].recall
    assert (
        rows["status NEGATED"].precision_low < rows["status NEGATED"].precision < rows["status NEGATED"].precision_high
    )
    labels = {(sample.labels[1], sample.labels[2]) for sample in samples_of(shown, NOW) if sample.name == QUALITY.name}
    assert ("status NEGATED", "") in labels
    assert ("ALL", "Pune") in labels
    assert not [one for one in labels if one[1] and one[0].startswith("status")], (
        "classes are told of all cities together"
    )
    page = page_of(shown, tmp_path).numbers(Scope(), NOW)
    assert "Statuses, relations and prescriptions" in page
    assert "status negated" in page


def test_every_kpi_is_a_metric():
    assert set(KPI_METRICS) == {kpi.name for kpi in KPIS}
    assert len({spec.name for spec in METRICS}) == len(METRICS)


# -- the lease


class Leases:
    def __init__(self, *answers):
        self.answers = list(answers)

    def hold(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def release(self):
        pass


def test_a_second_scorekeeper_waits_and_says_why():
    readiness, stop = Readiness(LEASE), threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped):
        until_held(Leases(False, False), stop, Liveness(), readiness, metrics=Metrics(OWN))
    assert "another scorekeeper" in readiness.missing[LEASE]


def test_redis_that_is_away_is_waited_for(monkeypatch):
    monkeypatch.setattr("scorekeeper.reader._RETRY_S", 0.01)
    readiness = Readiness(LEASE)
    until_held(Leases(Recoverable("away"), True), threading.Event(), Liveness(), readiness, metrics=Metrics(OWN))
    assert readiness.ready


class SlowSink:
    """A sink whose turn writes three files."""

    def __init__(self):
        self.closed = False

    def claim(self, _cluster):
        pass

    def next_offset(self, _topic, _partition):
        return None

    def turn(self, beat):
        for _ in range(3):
            beat()

    def close(self, beat):
        beat()
        self.closed = True


class NoTopics:
    """Topics without a record, of which one turn is read."""

    def __init__(self):
        self.turns = 0

    def cluster(self):
        return "c"

    def starts(self, _since_ms, _kept):
        return {}

    def begin(self, _starts):
        pass

    def read(self):
        self.turns += 1
        assert self.turns == 1, "the first turn has not ended"
        return []

    def grown(self):
        return {}

    def reached(self, _ends):
        return False

    def lag(self):
        return {}

    def close(self):
        pass


def test_a_long_write_keeps_the_lease_between_files_and_ends_when_it_is_lost(rig):
    leases, liveness, sink = Leases(True, True, True, True, False), Liveness(), SlowSink()
    reader = Reader(
        NoTopics(), rig.fold, rig.fold, sink, board=rig.board, said=Said(), publish=lambda _: None, exposition=Exposition(CollectorRegistry()), lease=leases, lease_s=0,
        metrics=rig.metrics, liveness=liveness, readiness=Readiness(HISTORY), stop=threading.Event(), now_ms=lambda: NOW,
    )  # fmt: skip
    with pytest.raises(LeaseLost):
        reader.run()  # asked at the start, at the turn, and before each of its three files
    assert leases.answers == []
    assert sink.closed


def test_without_redis_it_does_not_start(tmp_path):
    settings = ScorekeeperSettings(
        bootstrap_servers="b:1", schema_registry_url="http://s", records_dir=tmp_path, redis_url=None
    )
    with pytest.raises(SettingsError, match="RXTRACT_REDIS_URL"):
        share(settings)


# -- the page


def test_the_page_shows_nothing_as_nothing(tmp_path):
    text = page_of(board(), tmp_path).whole(Scope(), NOW)
    assert "no data yet" in text
    assert "The topics are still being read" in text
    assert "None" not in text
    assert "nan" not in text.lower().replace("finance", "")


def test_the_page_tells_each_measure_with_its_interval_and_what_nobody_saw_as_nothing(tmp_path):
    one = board()
    for number in range(10):
        one.folded.validated(audit(f"n{number}", right=number > 2))
    text = page_of(one, tmp_path).whole(Scope(), NOW)
    rows = text[text.index('id="h-label"') :].split("</tr>")
    disease, treatment = rows[1], rows[2]
    assert disease.count('class="ends"') == 3
    assert treatment.count("no mention was audited") == 3


def test_a_target_is_met_or_missed_only_where_the_interval_says_so(tmp_path):
    one = board()
    one.folded.extracted(event("n0"))
    one.folded.validated(audit("n0", right=True))
    one.folded.validated(audit("n1", right=True))
    text = page_of(one, tmp_path).whole(Scope(), NOW)
    assert "too early to say, at least 85 %" in text
    for number in range(2, 60):
        one.folded.validated(audit(f"n{number}", right=True))
    assert "too early to say" not in page_of(one, tmp_path).whole(Scope(), NOW)


def test_one_audited_note_is_no_quality_of_a_city(tmp_path):
    one = board()
    for city in ("Pune", "Delhi"):
        one.folded.extracted(event(city, city=city))
    one.folded.validated(audit("Pune", right=False, city="Pune"))
    text = page_of(one, tmp_path).whole(Scope(), NOW)
    assert "1 audited, too few" in text
    assert "no audit yet" in text


@pytest.mark.parametrize("right", [True, False])
def test_one_audited_note_is_no_quality_on_any_card_picture_or_in_the_api(tmp_path, *, right):
    one = board()
    one.whole = True
    one.folded.extracted(event("a"))
    one.folded.validated(audit("a", right=right))
    client = TestClient(make_app(page_of(one, tmp_path), door_of(tmp_path), one, threading.Event()))
    page = client.get("/").text
    card = page[page.index("<h3>Quality (F1)</h3>") :].split("</article>")[0]
    assert "no data yet" in card
    assert "1 note audited, too few to say" in card
    assert "<svg" not in card
    forest = page[page.index('id="h-forest"') :].split("</section>")[0]
    assert "version 1: too few audited" in forest
    assert 'class="dot"><title>' not in forest
    found = client.get("/api/kpis").json()["kpis"]
    assert {found[name]["value"] for name in found if name.startswith("validated_")} == {None}
    assert found["validated_f1"]["met"] is None
    one.folded.validated(audit("b", right=right))
    page = client.get("/").text
    card = page[page.index("<h3>Quality (F1)</h3>") :].split("</article>")[0]
    assert "2 notes audited" in card
    assert "<svg" in card


@pytest.mark.parametrize(
    ("account", "said", "unsaid"),
    [
        (Accounted(1_000, 990, 7, 3, 0), "997 <small>of 1,000", "lost:"),
        (Accounted(1_000, 990, 7, 1, 2), "2 lost: <code>rxtract reconcile", "none lost"),
        (None, "is not answering", "none lost"),
    ],
)
def test_the_page_says_whether_every_note_is_accounted_for(tmp_path, account, said, unsaid):
    page = Page(board(), Questions(tmp_path, 5), 5, account=lambda: account).numbers(Scope(), NOW)
    card = page[page.index("<h3>Every note accounted for") :].split("</article>")[0]
    assert said in card
    assert unsaid not in card
    assert "accounted for" not in page_of(board(), tmp_path).numbers(Scope(), NOW), "no ledger, no card"


def test_the_ledger_is_asked_now_and_then(tmp_path):
    now, said = [0.0], {"submitted": 3, "effects": 1, "dead_letters": 1, "open": 1, "lost": 0}
    pages = {"/account": lambda _query, _from_here: (200, said)}
    with HealthServer(pages=pages) as server:
        account = LedgerAccount(f"http://127.0.0.1:{server.port}", lambda: now[0])
        assert account() == Accounted(3, 1, 1, 1, 0)
        said["effects"] = "nonsense"
        assert account() is not None
        now[0] += 60
        assert account() is None
    now[0] += 60
    assert account() is None
    assert LedgerAccount("")() is None


def test_records_that_cannot_be_read_leave_the_page_with_the_answers_before(tmp_path):
    now = [0.0]
    records = RecordsAtRest(tmp_path)
    records.append([Stretch("t", 0, 0, 6, [row_of(event(f"n{place}"), ZONE) for place in range(6)])])
    questions = Questions(tmp_path, 5, lambda: now[0])
    page = Page(board(), questions, 5)

    def said_after(seconds):
        now[0] += seconds
        text = page.numbers(Scope(), NOW)
        assert "6 stored notes" in text
        return "cannot be read" in text

    assert not said_after(60)
    manifest = (tmp_path / "manifest.json").read_text()
    (tmp_path / "manifest.json").write_text("{}")
    assert said_after(60)
    (tmp_path / "manifest.json").write_text(manifest)
    assert said_after(1)  # asked again after a while, not at each look
    assert not said_after(60)
    next(tmp_path.rglob("*.parquet")).write_bytes(b"x")
    assert said_after(60)


def test_the_command_that_the_page_names_says_which_file_is_damaged(tmp_path):
    now = [0.0]
    records = RecordsAtRest(tmp_path)
    for place in range(2):
        records.append([Stretch("t", 0, place, place + 1, [row_of(event(f"n{place}"), ZONE)])])
    questions = Questions(tmp_path, 5, lambda: now[0])
    page = Page(board(), questions, 5)
    now[0] += 60
    assert "2 stored notes" in page.numbers(Scope(), NOW)
    damaged = tmp_path / records.manifest.files[1].path
    damaged.write_bytes(b"x")
    now[0] += 60
    text = html.unescape(page.numbers(Scope(), NOW))
    (asked,) = re.findall(r'rxtract sql "([^"]+)"</code> says why', text)
    with pytest.raises(duckdb.Error, match=damaged.name), open_records(tmp_path) as connection:
        select(connection, asked).fetchall()
    records.close()


@pytest.mark.parametrize(("patients", "shown"), [(1, False), (4, False), (5, True)])
def test_the_page_without_a_login_shows_no_words_of_few_patients(tmp_path, patients, shown):
    records = RecordsAtRest(tmp_path)
    fact = {"status": "PRESENT", "time": "CURRENT", "experiencer": "PATIENT", "cue_start": -1, "cue_end": -1}
    rows = [row_of(event(f"n{place}"), ZONE) | {"patient_ref": f"p{place % patients}"} for place in range(20)]
    for row in rows:
        row["entities"] = [entity | {"assertion": fact} for entity in row["entities"]]
    words = {entity["text"].lower() for row in rows for entity in row["entities"]}
    records.append([Stretch("t", 0, 0, 20, rows)])
    records.close()
    client = TestClient(make_app(page_of(board(), tmp_path), door_of(tmp_path), board(), threading.Event()))
    for place in ("/", "/numbers"):
        text = client.get(place).text
        assert "20 stored notes" in text
        assert [word for word in words if word in text.lower()] == ([*words] if shown else [])


def test_the_least_number_of_patients_cannot_be_lowered(monkeypatch):
    monkeypatch.setenv("RXTRACT_LEAST_PATIENTS", "4")
    with pytest.raises(SettingsError, match="RXTRACT_LEAST_PATIENTS is not usable"):
        ScorekeeperSettings.load()


def test_hostile_names_stay_text(tmp_path):
    one = board()
    one.whole = True
    one.folded.extracted(event(HOSTILE, city=HOSTILE))
    one.folded.validated(audit(HOSTILE, right=False, city=HOSTILE))
    one.folded.dead_lettered(DeadLetter("notes.submitted.v1.dlq", HOSTILE, NOW, "notes.submitted.v1.dlq 0:1"))
    one.folded.detected(
        DriftDetected(
            episode_id="e", segment=f"city={HOSTILE}", level=DriftLevel.CRITICAL, direction=DriftDirection.WORSE, statistics=(),
            evidence="x", model=ModelRef(name="m", version=HOSTILE, serial=1), source_partition=0, source_offset=0,
            detected_at=NOW - 9000, began_at=NOW - 9000,
        )
    )  # fmt: skip
    one.folded.model_event(
        ModelEvent(
            event_id="1", kind=ModelEventKind.PROMOTED, model_name="m", model_version=HOSTILE, serial=1, reasons=(), occurred_at=NOW
        )
    )  # fmt: skip
    page = page_of(one, tmp_path)
    shown = [
        page.whole(Scope(), NOW),
        page.whole(Scope(WEEK, HOSTILE, HOSTILE), NOW),
        *(page.examples(kind, Scope(WEEK, city), NOW) for kind in KINDS for city in ("", HOSTILE)),
    ]
    assert all("<script>alert" not in text for text in shown)
    assert "&lt;script&gt;" in shown[0]


def test_the_page_answers_with_its_numbers_and_a_strict_policy(tmp_path):
    one = board()
    client = TestClient(make_app(page_of(one, tmp_path), door_of(tmp_path), one, threading.Event()))
    assert client.get("/api/kpis").status_code == 503
    assert client.get("/api/quality").status_code == 503
    one.whole = True
    answer = client.get("/")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert " style=" not in answer.text
    assert " on" + "click" not in answer.text
    assert client.get("/numbers?window=today").status_code == 200
    assert client.get("/numbers?window=year").status_code == 422
    assert client.get("/examples/refused", auth=("", "token-anna")).status_code == 200
    assert client.get("/examples/other", auth=("", "token-anna")).status_code == 404
    assert client.get("/static/page.js").status_code == 200
    assert client.get("/api/kpis").json()["kpis"]["notes"]["value"] == 0
    one.folded.validated(audit("a", right=False))
    people = client.get("/api/kpis").json()["people"]
    assert people == {"decided": 1, "corrected": 1, "hours": pytest.approx(9 / 3600)}


def test_which_notes_are_behind_a_number_is_for_people_of_the_desk_alone(tmp_path):
    one = board()
    one.folded.extracted(event("note-1"))
    one.folded.validated(audit("note-1", right=False))
    client = TestClient(make_app(page_of(one, tmp_path), door_of(tmp_path), one, threading.Event()))
    assert "note-1" not in client.get("/").text
    for header in ({}, {"Authorization": "Basic !!"}, {"Authorization": "Bearer wrong"}):
        answer = client.get("/examples/audit", headers=header)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert "note-1" not in answer.text
    shown = client.get("/examples/audit", headers={"Authorization": "Bearer token-anna"})
    assert shown.status_code == 200
    assert 'href="http://desk:1/notes?source=clinic&amp;note_id=note-1"' in shown.text
    closed = TestClient(make_app(page_of(one, tmp_path), Door(People(None, "X"), None), one, threading.Event()))
    answer = closed.get("/examples/audit", headers={"Authorization": "Bearer token-anna"})
    assert answer.status_code == 403
    assert "RXTRACT_SCORE_TOKENS_FILE" in answer.text


def test_a_note_whose_id_holds_slashes_and_bars_is_led_to_by_a_link_and_a_command_that_work(tmp_path):
    one = board()
    one.folded.validated(audit("rx/7|a b", right=False))
    client = TestClient(make_app(page_of(one, tmp_path), door_of(tmp_path), one, threading.Event()))
    shown = client.get("/examples/corrected", headers={"Authorization": "Bearer token-anna"}).text
    assert 'href="http://desk:1/notes?source=clinic&amp;note_id=rx%2F7%7Ca%20b"' in shown
    assert "rxtract why --source clinic &#39;rx/7|a b&#39;" in shown


def test_who_was_shown_which_notes_is_logged_by_name_or_they_are_not_shown(tmp_path):
    one, logged = board(), []
    for note in ("note-1", "note-2"):
        one.folded.extracted(event(note))
        one.folded.validated(audit(note, right=False))
    log = AccessLog("scorekeeper", PSEUDONYMS, logged.extend)
    client = TestClient(make_app(page_of(one, tmp_path), door_of(tmp_path, log), one, threading.Event()))
    anna = {"Authorization": "Bearer token-anna"}
    client.get("/examples/audit", headers={"Authorization": "Bearer wrong"})
    assert logged == []
    for kind in ("audit", "drift", "refused"):  # of the last two no identity is a note's
        assert client.get(f"/examples/{kind}", headers=anna).status_code == 200
    assert {one.note_ref for one in logged} == {
        PSEUDONYMS.of("note", "clinic|note-1"),
        PSEUDONYMS.of("note", "clinic|note-2"),
    }
    assert {(one.person, one.role, one.action, one.seen) for one in logged} == {
        ("anna", "validator", AccessAction.EXAMPLES, (Seen.IDENTITY,))
    }
    assert "note-1" not in str(logged)

    def silent(_records):
        raise Recoverable("the access log does not answer")

    log = AccessLog("scorekeeper", PSEUDONYMS, silent)
    client = TestClient(make_app(page_of(one, tmp_path), door_of(tmp_path, log), one, threading.Event()))
    answer = client.get("/examples/audit", headers=anna)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "note-1" not in answer.text
    assert client.get("/").status_code == 200  # the numbers need no log


def test_as_many_pages_as_may_be_are_told_of_changes(tmp_path):
    one, stop = board(), threading.Event()
    api = ScoreApi(page_of(one, tmp_path), door_of(tmp_path), one, stop)

    async def scenario():
        watching = [await api.events() for _ in range(MOST_WATCHING)]
        for answer in watching:
            assert await anext(answer.body_iterator)
        refused = await api.events()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
        await watching[0].body_iterator.aclose()
        again = await api.events()
        assert again.status_code == 200

    asyncio.run(scenario())


def test_each_number_leads_to_its_own_notes(tmp_path):
    one = board()
    for note, city, serial in (("a", "Pune", 1), ("b", "Delhi", 1), ("c", "Delhi", 2)):
        one.folded.extracted(event(note, city=city, serial=serial))
        one.folded.validated(audit(note, city=city, serial=serial, right=False))
    client = TestClient(make_app(page_of(one, tmp_path), door_of(tmp_path), one, threading.Event()))

    def behind(path, city, version):
        page = client.get("/numbers", params={"city": city, "version": version}).text
        (link,) = {found for found in re.findall(r'href="(/examples/[^"]+)"', page) if found == path}
        shown = client.get(html.unescape(link), headers={"Authorization": "Bearer token-anna"}).text
        return sorted(set(re.findall(r"rxtract why --source clinic (\w)", shown)))

    assert behind("/examples/audit", "", "") == ["a", "b", "c"]
    assert behind("/examples/audit?city=Delhi", "Delhi", "") == ["b", "c"]
    assert behind("/examples/corrected?city=Delhi&amp;version=2", "Delhi", "2") == ["c"]
    assert behind("/examples/notes?window=today&amp;city=Pune", "Pune", "") == ["a"]
    # From the tables of cities and versions, too.
    assert behind("/examples/notes?city=Pune", "", "") == ["a"]
    assert behind("/examples/audit?version=1", "", "") == ["a", "b"]
    assert behind("/examples/corrected?city=Delhi&amp;version=1", "Delhi", "") == ["b"]


def test_the_examples_of_drift_are_what_the_timeline_above_them_draws(tmp_path):
    one, day = board(), 24 * 3_600_000
    for name, began, level in (
        ("open", NOW - 30 * day, DriftLevel.CRITICAL),
        ("gone", NOW - 30 * day, DriftLevel.WARNING),
        ("gone", NOW - 29 * day, DriftLevel.RECOVERED),
        ("new", NOW - day, DriftLevel.WARNING),
    ):
        one.folded.detected(
            DriftDetected(
                episode_id=name, segment=f"city={name}", level=level, direction=DriftDirection.WORSE, statistics=(),
                evidence="x", model=ModelRef(name="m", version="1", serial=1), source_partition=0, source_offset=0,
                detected_at=began, began_at=began,
            )
        )  # fmt: skip
    page, scope = page_of(one, tmp_path), Scope(WEEK, "Pune", "2")
    drawn = page.numbers(scope, NOW)
    assert "2 episodes of drift in 2 segments" in drawn
    listed = page.examples("drift", scope, NOW)
    assert re.findall(r"<code>(\w+)</code>", listed) == ["new", "open"]
    assert "model version 2" not in listed  # nor does the page claim that they are that version's


def test_a_look_is_scoped_by_city_and_version():
    one = board()
    for note in (event("a"), event("b", city="Delhi"), event("c", city="Delhi", serial=2)):
        one.folded.extracted(note)
        one.pulse.take(note)
    figures = look(one, NOW, WEEK, "Delhi")
    assert figures.readings["notes"].value == 2
    assert {row.name: row.notes for row in figures.versions} == {"1": 1, "2": 1}
    assert {row.name: row.notes for row in figures.cities} == {"Delhi": 2, "Pune": 1}
    assert sum(straight for _, straight, _ in figures.pulse) == 3


def test_shares_are_never_rounded_up_to_all():
    assert words.share(0.99999) == "99.9 %"
    assert words.share(0.9994) == "99.9 %"
    assert words.share(0.3417) == "34.2 %"
    assert words.share(0.3414) == "34.1 %"
    assert words.share(0.0996) == "10.0 %"
    assert words.share(1.0) == "100.0 %"
    assert words.share(0.000_32) == "0.032 %"
    assert words.share(0.0) == "0.0 %"
    assert words.value_of(0.412, "seconds") == "0.41 s"
    assert words.value_of(0.9, "days") == "21.6 h"
    assert words.value_of(0.002, "days") == "2.9 min"
    assert words.value_of(0.0, "hours") == "0 h"
    assert words.value_of(2881.2, "rupees") == "₹ 2,881"
    assert words.target_of(0.995, "higher", "share") == "at least 99.5 %"


# -- partitions that come later


def test_new_partitions_are_read_from_their_beginning_and_the_numbers_are_whole_again(monkeypatch):
    monkeypatch.setattr("runtime.kafka.reader.GROWTH_S", 0.0)
    broker = MemoryBroker()
    broker.append("t", b"old")
    client = MemoryConsumer(broker)
    numbers = [0]
    client.list_topics = lambda timeout: SimpleNamespace(
        topics={"t": SimpleNamespace(partitions=dict.fromkeys(numbers))}
    )
    topics = Topics(client, {"t": "notes"}, ConsumerErrors(Metrics(), Readiness()))
    topics.begin({("t", 0): Start(0, 0, 1, 0)})
    assert [record.value for record in topics.read()] == [b"old"]
    assert topics.grown() == {}
    broker.partitions = 2
    broker.append("t", b"new", b"k")
    numbers.append(1)
    assert topics.grown() == {("t", 1): Start(0, 0, 1, 0)}
    assert not topics.reached({("t", 0): 1, ("t", 1): 1})
    assert topics.lag() == {"notes": 1}
    assert [record.value for record in topics.read()] == [b"new"]
    assert topics.reached({("t", 0): 1, ("t", 1): 1})
    assert topics.grown() == {}


# -- what became of a note


@pytest.fixture
def client_of(tmp_path):
    """Asks as a client what became of notes; rows are those of events, refusals those of the board."""

    def make(*events, refused=(), held=(), waiting=nothing_waits):
        one, folder = board(), tmp_path / "records"
        records = RecordsAtRest(folder)
        rows = [row_of(each, ZONE) for each in events]
        if rows:
            records.append([Stretch("entities.extracted.v1", 0, 0, len(rows), rows)])
        for note, reason, place in refused:
            one.refusals.take(note, RefusedOnce(reason, NOW, place))
        tokens = Tokens({hash_token("t-clinic"): "clinic", hash_token("t-lab"): "lab"})
        rows_held = HeldRows()
        for each in held:
            rows_held.put(row_of(each, ZONE))
        notes = NotesApi(folder, one, tokens, held=rows_held, waiting=waiting)
        client = TestClient(make_app(page_of(one, tmp_path), door_of(tmp_path), one, threading.Event(), notes=notes))
        return lambda path, token="t-clinic": client.get(path, headers={"Authorization": f"Bearer {token}"})

    return make


def test_a_client_is_told_what_was_found_in_its_note_by_the_row_that_counts(client_of):
    ask = client_of(event("n/1|a"), event("n/1|a", serial=2), event("other"))
    found = ask("/v1/notes/clinic/n/1%7Ca").json()
    assert (found["status"], found["note_id"], found["model"]["serial"]) == ("extracted", "n/1|a", 2)
    assert (found["accepted_at"], found["extracted_at"]) == (NOW - 1000, NOW - 500)
    assert [one["text"] for one in found["entities"]] == ["flu"]
    assert found["refusals"] == []


def test_a_client_is_told_why_its_note_was_refused(client_of):
    ask = client_of(refused=[("clinic|n1", "EMPTY_TEXT", "notes.submitted.v1.dlq 0:7")])
    found = ask("/v1/notes/clinic/n1").json()
    assert found["status"] == "refused"
    (refusal,) = found["refusals"]
    assert (refusal["reason"], refusal["place"]) == ("EMPTY_TEXT", "notes.submitted.v1.dlq 0:7")
    assert refusal["message"].startswith("The text is empty")


def test_nobody_is_told_of_the_notes_of_another_source(client_of):
    ask = client_of(event("n1"))
    for token, status in (("wrong", 401), ("t-lab", 403)):
        answer = ask("/v1/notes/clinic/n1", token)
        assert answer.status_code == status
        assert "flu" not in answer.text
    assert ask("/v1/notes/lab/n1", "t-lab").status_code == 404
    assert ask("/v1/notes/clinic/none").json()["reason"] == "NOT_SEEN"


def waits(*waiting):
    def ask(source, note_id):
        return waiting if (source, note_id) == ("clinic", "n1") else ()

    return ask


def test_a_client_is_told_that_its_note_was_accepted_and_waits(client_of):
    ask = client_of(event("n2"), waiting=waits(Waiting(3, True, NOW - 7, False)))
    found = ask("/v1/notes/clinic/n1").json()
    assert found == {
        "source": "clinic", "note_id": "n1", "status": "accepted", "waiting": [{"revision": 3, "accepted_at": NOW - 7}], "refusals": [],
    }  # fmt: skip
    assert ask("/v1/notes/clinic/n1", "t-lab").status_code == 403
    assert ask("/v1/notes/clinic/n2").json()["waiting"] == []


def test_a_note_that_the_validator_has_not_seen_is_only_submitted(client_of):
    found = client_of(waiting=waits(Waiting(1, False, NOW, False)))("/v1/notes/clinic/n1").json()
    assert (found["status"], found["waiting"]) == ("submitted", [{"revision": 1, "submitted_at": NOW}])


def test_a_newer_revision_waits_beside_what_was_found_before(client_of):
    ask = client_of(event("n1"), waiting=waits(Waiting(2, True, NOW, False)))
    found = ask("/v1/notes/clinic/n1").json()
    assert (found["status"], found["revision"], found["waiting"][0]["revision"]) == ("extracted", 1, 2)


def test_a_note_that_was_refused_and_sent_again_is_accepted(client_of):
    refused = [("clinic|n1", "EMPTY_TEXT", "notes.submitted.v1.dlq 0:7")]
    found = client_of(refused=refused, waiting=waits(Waiting(1, True, NOW, False)))("/v1/notes/clinic/n1").json()
    assert found["status"] == "accepted"
    assert len(found["refusals"]) == 1


def test_what_was_found_is_told_before_it_lies_at_rest(client_of):
    ask = client_of(event("n1"), held=[event("n1", serial=3), event("n1", serial=2), event("n4")])
    assert ask("/v1/notes/clinic/n1").json()["model"]["serial"] == 3
    fresh = ask("/v1/notes/clinic/n4").json()
    assert fresh["status"] == "extracted"
    assert [one["text"] for one in fresh["entities"]] == ["flu"]


def test_without_the_ledger_a_note_that_is_unknown_here_is_no_404(client_of):
    def away(_source, _note_id):
        raise NoAnswer

    ask = client_of(event("n1"), waiting=away)
    assert ask("/v1/notes/clinic/n1").json()["status"] == "extracted"
    answer = ask("/v1/notes/clinic/n2")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_the_ledger_is_asked_about_one_note():
    asked, said = [], {"waiting": [{"revision": 2, "is_accepted": True, "at_ms": NOW, "is_lost": False}]}

    def note(query, _from_here):
        asked.append(query)
        return 200, said

    with HealthServer(pages={"/note": note}) as server:
        account = LedgerAccount(f"http://127.0.0.1:{server.port}")
        assert account.waiting("clinic", "a b|&c") == (Waiting(2, True, NOW, False),)
        assert asked == ["source=clinic&note_id=a+b%7C%26c"]
        said["waiting"] = "nonsense"
        with pytest.raises(NoAnswer):
            account.waiting("clinic", "n1")
    with pytest.raises(NoAnswer):
        account.waiting("clinic", "n1")


def test_the_sink_shows_what_it_holds_until_it_lies_at_rest(tmp_path):
    held = HeldRows()
    records = RecordsAtRest(tmp_path)
    sink = Sink(records, tmp_path, Metrics(OWN), every_s=1000, most_rows=10, merge_every_s=1000, held=held)
    sink.take(InputRecord("t", 0, 0, NOW, None, b""), row_of(event("n1"), ZONE))
    assert held.of("clinic", "n1")
    assert held.of("clinic", "n2") is None
    sink.flush()
    assert held.of("clinic", "n1") is None
    with open_records(tmp_path) as connection:
        assert newest_row(connection, "clinic", "n1")
    sink.close()


def coded(note_id, serial):
    whole = event(note_id)
    return EntitiesCoded(
        event_id=f"c-{note_id}-{serial}", entities_event_id=whole.event_id, source="clinic", note_id=note_id, revision=1,
        rules_version="", rules_serial=0, table_version=f"base-{serial}", table_serial=serial, patient_ref="p",
        model=whole.model, segment=whole.segment, written_at=NOW - 1000, accepted_at=NOW - 1000, extracted_at=NOW - 500,
        entities=(),
    )  # fmt: skip


def test_a_note_that_is_coded_twice_is_kept_twice_and_stands_for_no_note_that_waits(tmp_path):
    """Rows of codes have tables in the place of revisions: those that wait are none that a client asks for."""
    settings = ScorekeeperSettings(bootstrap_servers="b:1", schema_registry_url="http://r", records_dir=tmp_path)
    held, metrics = HeldRows(), Metrics(METRICS)
    sinks = open_sinks(settings, metrics, held)
    codes = {b"1": coded("n1", 1), b"2": coded("n1", 2)}
    fold = Fold(
        {ENTITIES_CODED: codes.get}, {ENTITIES_CODED: ENTITIES_CODED}, board(), Said(), sink=sinks, metrics=metrics
    )
    fold([InputRecord(ENTITIES_CODED, 0, at, NOW, b"k", value) for at, value in enumerate(codes)])
    assert held.of("clinic", "n1") is None
    sinks.close()
    kept = RecordsAtRest(tmp_path / CODES, schema=CODES_SCHEMA)
    assert (sum(one.rows for one in kept.manifest.files), kept.next_offset(ENTITIES_CODED, 0)) == (2, 2)
    kept.close()


def test_before_the_first_file_a_note_is_on_its_way(client_of):
    answer = client_of()("/v1/notes/clinic/n1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (404, "30")


def test_a_client_is_given_its_note_as_a_fhir_document(client_of):
    ask = client_of(event("n/1|a"), event("other"))
    answer = ask("/v1/notes/clinic/n/1%7Ca/fhir")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+json")
    assert check(answer.json()) == []
    assert answer.json()["entry"][0]["resource"]["identifier"]["value"] == "n/1|a"
    assert answer.content == ask("/v1/notes/clinic/n/1%7Ca/fhir").content
    assert ask("/v1/notes/clinic/other/fhir?profile=prescription").json()["type"] == "document"


def test_a_document_has_the_codes_of_the_newest_tables_that_coded_the_row_that_counts(client_of, tmp_path):
    here = Assertion(
        status=AssertionStatus.PRESENT,
        time=AssertionTime.CURRENT,
        experiencer=Experiencer.PATIENT,
        cue_start=-1,
        cue_end=-1,
    )
    older = replace(event("n1"), entities=(replace(mark(0), assertion=here),))
    newer = replace(event("n1", serial=2), event_id="e-n1-2", entities=older.entities)
    ask = client_of(older, newer)
    assert "coding" not in _condition(ask("/v1/notes/clinic/n1/fhir").json())["code"]
    with closing(RecordsAtRest(tmp_path / "records" / CODES, schema=CODES_SCHEMA)) as kept:
        rows = [_coded_row(older, 9, "A15"), _coded_row(newer, 2, "J11"), _coded_row(newer, 1, "B34")]
        kept.append([Stretch(ENTITIES_CODED, 0, 0, len(rows), rows)])
    answer = ask("/v1/notes/clinic/n1/fhir").json()
    assert [one["code"] for one in _condition(answer)["code"]["coding"]] == ["J11"]
    device = next(one["resource"] for one in answer["entry"] if one["resource"]["resourceType"] == "Device")
    assert {one["type"]["text"]: one["value"] for one in device["version"]}["codes"] == "base-2"
    assert check(answer) == []


def _condition(bundle):
    return next(one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Condition")


def _coded_row(whole, table_serial, code):
    coding = Coding(
        system="http://hl7.org/fhir/sid/icd-10",
        code=code,
        display="",
        version=f"base-{table_serial}",
        score=0.9,
        how="list",
    )
    found = whole.entities[0]
    entity = CodedEntity(
        entity_id=found.entity_id, label=found.label, text=found.text, start=found.start, end=found.end, codes=(coding,)
    )
    return codes_row_of(replace(coded("n1", table_serial), entities_event_id=whole.event_id, entities=(entity,)), ZONE)


def test_who_may_not_ask_for_a_note_is_given_no_document_of_it(client_of):
    ask = client_of(event("n1"))
    for token, status in (("wrong", 401), ("t-lab", 403)):
        answer = ask("/v1/notes/clinic/n1/fhir", token)
        assert (answer.status_code, "flu" in answer.text) == (status, False)
    assert ask("/v1/notes/clinic/none/fhir").json()["reason"] == "NOT_SEEN"
    answer = ask("/v1/notes/clinic/n1/fhir?profile=ccda")
    assert (answer.status_code, answer.json()["reason"]) == (400, "BAD_QUERY")


def test_who_asks_too_often_is_told_to_come_later(client_of, monkeypatch):
    # Seldom enough that a loaded machine is too fast as well.
    monkeypatch.setattr("scorekeeper.http.notes.QUESTIONS_PER_S", 0.5)
    ask = client_of()
    assert {ask("/v1/notes/clinic/n1").status_code for _ in range(60)} == {404, 429}


def test_a_dead_letter_is_remembered_by_its_note_and_of_too_many_the_oldest_are_forgotten():
    notes = RefusedNotes(most_notes=2)
    for place in ("t 0:1", "t 0:1", "t 0:2"):
        notes.take("clinic|n1", RefusedOnce("EMPTY_TEXT", NOW, place))
    notes.take("", RefusedOnce("TRUNCATED", NOW, "t 0:3"))
    assert [one.place for one in notes.of("clinic|n1")] == ["t 0:1", "t 0:2"]
    for name in ("n2", "n3"):
        notes.take(f"clinic|{name}", RefusedOnce("EMPTY_TEXT", NOW, "t 0:4"))
    assert notes.of("clinic|n1") == ()
    assert notes.of("clinic|n3")


def test_a_reader_tries_other_rates_and_the_settings_stay(tmp_path):
    one = board()
    one.whole = True
    one.folded.extracted(event("a"))
    client = TestClient(make_app(page_of(one, tmp_path), door_of(tmp_path), one, threading.Event()))
    tried = client.get("/api/kpis", params={"machine": 600}).json()
    plain = client.get("/api/kpis").json()
    assert plain["assumed"]["machine_rupees_per_hour"] == one.assumptions.machine_rupees_per_hour == 60
    assert tried["assumed"]["machine_rupees_per_hour"] == 600
    costs = [found["kpis"]["cost_per_1000_notes"]["value"] for found in (tried, plain)]
    assert costs[0] == pytest.approx(10 * costs[1], rel=1e-3)
    page = client.get("/", params={"machine": 600}).text
    assert 'name="machine" min="0" max="1000000" step="any" value="600"' in page
    assert "Back to the settings' values" in page
    assert "machine=600" in page, "links keep what is tried"
    assert "Back to the settings' values" not in client.get("/").text
    assert client.get("/", params={"machine": -1}).status_code == 422


def test_a_number_off_target_says_what_to_do(tmp_path):
    one = board()
    one.folded.extracted(replace(event("a"), review=Review(requested=True, reason=ReviewReason.LOW_CONFIDENCE)))
    page = page_of(one, tmp_path).numbers(Scope(), NOW)
    card = page[page.index("<h3>Straight through") :].split("</article>")[0]
    assert "What to do:" in card
    calm = board()
    calm.folded.extracted(event("a"))
    page = page_of(calm, tmp_path).numbers(Scope(), NOW)
    assert "What to do:" not in page[page.index("<h3>Straight through") :].split("</article>")[0]
