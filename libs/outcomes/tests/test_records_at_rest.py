import json
import os
from dataclasses import replace
from itertools import permutations
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contracts.records import (
    Assertion,
    AssertionStatus,
    AssertionTime,
    EntitiesExtracted,
    Entity,
    EntityLabel,
    Experiencer,
    ModelRef,
    Relation,
    RelationType,
    Review,
    ReviewReason,
    Segment,
)
from outcomes.folding import Folded
from outcomes.kpis import BY_NAME, KPIS, View
from outcomes.questions import READY, READY_BY_NAME, ask, open_records, select
from outcomes.records_at_rest import (
    GROUP_ROWS,
    SCHEMA,
    DamagedManifest,
    FolderInUse,
    OlderRecords,
    RecordsAtRest,
    Stretch,
    row_of,
)

ZONE = ZoneInfo("Asia/Kolkata")
AT = 1_794_803_400_000
STEPS = ["write a file", "write the manifest", "show the manifest", "shown", "delete retired files"]


BY_CODE = ("diseases-by-code", "substances-by-code", "mentions-without-code", "rising-categories")
"""Asked of codes, which nobody gave these notes: test_codes_at_rest.py has them."""
PRESENT = Assertion(
    status=AssertionStatus.PRESENT,
    time=AssertionTime.CURRENT,
    experiencer=Experiencer.PATIENT,
    cue_start=-1,
    cue_end=-1,
)


def event(
    note, revision=1, serial=1, review="NONE", late_ms=1000, *, source="clinic", rules=1, relation=RelationType.TREATS
):
    one = Entity(
        entity_id="e1", label=EntityLabel.DISEASE, text="UTI", start=0, end=3, confidence=0.9, assertion=PRESENT
    )
    two = Entity(entity_id="e2", label=EntityLabel.TREATMENT, text="rest", start=4, end=8, confidence=0.9)
    return EntitiesExtracted(
        event_id=f"{source}-{note}-{revision}-{serial}-{rules}", source=source, note_id=note, revision=revision,
        rules_version=f"r{rules}", rules_serial=rules, patient_ref="p-1",
        model=ModelRef(name="m", version=str(serial), serial=serial), segment=Segment(city="Pune", specialty="x"),
        written_at=AT, accepted_at=AT, extracted_at=AT + late_ms, note_confidence=0.81, entities=(one, two),
        relations=(Relation(type=relation, treatment_id="e2", disease_id="e1", confidence=0.8),),
        review=Review(requested=review != "NONE", reason=ReviewReason(review)),
    )  # fmt: skip


def write(folder, numbers, on_step=lambda _: None):
    sink = RecordsAtRest(folder, on_step)
    for number in numbers:
        if number < (sink.next_offset("t", 0) or 0):
            continue
        sink.append([Stretch("t", 0, number, number + 1, [row_of(event(f"n{number}"), ZONE)])])
    for at_files in (3, 1):
        sink.delete_retired()
        sink.merge_a_day(at_files=at_files)
    sink.delete_retired()
    sink.close()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("time", [1, 4])
def test_a_kill_at_any_step_loses_and_doubles_nothing(tmp_path, step, time):
    child = os.fork()
    if child == 0:
        seen = []

        def die(name):
            seen.append(name)
            if seen.count(step) == time or (step == STEPS[-1] and name == step):
                os.kill(os.getpid(), 9)

        write(tmp_path, range(6), die)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    write(tmp_path, range(6))
    found = open_records(tmp_path).execute("SELECT count(*), count(DISTINCT note_id) FROM kept").fetchone()
    assert found == (6, 6)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"files": [], "retired": []}', '{"files": [{}], "offsets": {}, "retired": []}']
)
def test_a_damaged_manifest_is_refused_and_nothing_of_the_folder_is_touched(tmp_path, text):
    write(tmp_path, range(2))
    (tmp_path / "manifest.json").write_text(text)
    files = sorted(tmp_path.rglob("*.parquet"))
    with pytest.raises(DamagedManifest, match=r"manifest\.json"):
        RecordsAtRest(tmp_path)
    with pytest.raises(DamagedManifest):
        open_records(tmp_path)
    assert sorted(tmp_path.rglob("*.parquet")) == files


def test_the_files_of_others_in_the_folder_cannot_be_read(tmp_path):
    write(tmp_path, range(2))
    with pytest.raises(duckdb.PermissionException):
        select(open_records(tmp_path), f"FROM read_text('{tmp_path / 'manifest.json'}')")


def on(day, note):
    return {**row_of(event(note), ZONE), "day": day}


def test_a_flush_makes_one_file_a_day_from_however_many_partitions(tmp_path):
    sink, beats = RecordsAtRest(tmp_path), []
    days = [f"2026-01-{day:02}" for day in range(1, 31)]
    for flush in range(2):
        stretches = [
            Stretch("t", place, flush * 30, flush * 30 + 30, [on(day, f"{place}-{flush}-{day}") for day in days])
            for place in range(12)
        ]
        sink.append(stretches, lambda: beats.append(1))
    assert len(sink.manifest.files) == 2 * 30
    assert len(beats) >= 2 * 30  # whoever waits hears of it between files
    assert [sink.next_offset("t", place) for place in range(12)] == [60] * 12
    found = open_records(tmp_path).execute("SELECT count(*), count(DISTINCT note_id) FROM kept").fetchone()
    assert found == (720, 720)


def test_a_merge_is_of_one_day_and_readers_keep_their_files_until_the_next_round(tmp_path):
    sink, beats = RecordsAtRest(tmp_path), []
    days = [f"2026-01-{day:02}" for day in range(1, 4)]
    for place in range(4):
        sink.append([Stretch("t", 0, place, place + 1, [on(day, f"{place}-{day}") for day in days])])
    reader = open_records(tmp_path)
    assert [sink.merge_a_day(4, lambda: beats.append(1)) for _ in range(4)] == [3, 3, 3, 0]
    assert len(beats) >= 12
    assert len(sink.manifest.files) == 3
    assert len(sink.manifest.retired) == 12
    assert reader.execute("SELECT count(*) FROM kept").fetchone() == (12,)
    sink.delete_retired()
    assert sink.manifest.retired == ()
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
    assert open_records(tmp_path).execute("SELECT count(*) FROM kept").fetchone() == (12,)


def kept(folder, *events):
    sink = RecordsAtRest(folder)
    sink.append([Stretch("t", 0, 0, len(events), [row_of(one, ZONE) for one in events])])
    return open_records(folder)


@pytest.mark.parametrize("places", list(permutations(range(4))))
def test_readers_see_the_highest_revision_then_model_then_rules(tmp_path, places):
    rows = [event("n", 2, 3, rules=1), event("n", 2, 3, rules=2), event("n", 2, 1, rules=9), event("n", 1, 9, rules=9)]
    records = kept(tmp_path, *(rows[place] for place in places))
    found = records.execute("SELECT revision, model_serial, rules_serial, rules_version FROM notes").fetchall()
    assert found == [(2, 3, 2, "r2")]


def test_one_id_of_two_sources_is_two_notes_everywhere(tmp_path):
    records = kept(tmp_path, event("n|1", source="clinic-a"), event("n|1", 2, source="clinic-b"))
    assert records.execute("SELECT source, note_id, revision FROM notes ORDER BY source").fetchall() == [
        ("clinic-a", "n|1", 1), ("clinic-b", "n|1", 2),
    ]  # fmt: skip
    assert records.execute("SELECT count(*) FROM entities").fetchone() == (4,)
    assert records.execute("SELECT count(*) FROM pairs").fetchone() == (2,)
    assert [row[-1] for row in ask(records, READY[1], 1)] == [2]


def test_only_what_is_given_now_is_a_pair_and_every_relation_can_be_asked_for(tmp_path):
    causes = event("b", relation=RelationType.CAUSES)
    records = kept(tmp_path, event("a"), causes)
    assert records.execute("SELECT note_id, treatment, disease FROM pairs").fetchall() == [("a", "rest", "UTI")]
    found = records.execute("SELECT note_id, type, confidence FROM relations ORDER BY note_id").fetchall()
    assert found == [("a", "TREATS", 0.8), ("b", "CAUSES", 0.8)]


def test_what_a_note_says_of_an_entity_is_a_column(tmp_path):
    records = kept(tmp_path, event("a"))
    found = records.execute(
        "SELECT label, status, time, experiencer, patient_ref FROM entities ORDER BY label"
    ).fetchall()
    assert found == [
        ("DISEASE", "PRESENT", "CURRENT", "PATIENT", "p-1"),
        ("TREATMENT", "UNKNOWN", "UNKNOWN", "UNKNOWN", "p-1"),
    ]


def test_what_a_newer_writer_says_is_unknown_and_no_fact(tmp_path):
    kept(tmp_path, stated(PRESENT)).close()
    for path in tmp_path.rglob("*.parquet"):
        table = pq.read_table(path)
        rows = table.to_pylist()
        for row in rows:
            for one in row["entities"]:
                one["assertion"]["status"] = "SUSPENDED"
        pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    records = open_records(tmp_path)
    assert records.execute("SELECT DISTINCT status, time FROM entities").fetchall() == [("UNKNOWN", "CURRENT")]
    assert records.execute("SELECT count(*) FROM facts").fetchone() == (0,)


NO_FACTS = [
    None,
    *(replace(PRESENT, status=status) for status in AssertionStatus if status is not AssertionStatus.PRESENT),
    *(replace(PRESENT, time=time) for time in AssertionTime if time is not AssertionTime.CURRENT),
    *(replace(PRESENT, experiencer=one) for one in Experiencer if one is not Experiencer.PATIENT),
]


def stated(assertion, note="a"):
    """An event in which this is said of the disease and of the treatment."""
    one = event(note)
    return replace(one, entities=tuple(replace(entity, assertion=assertion) for entity in one.entities), relations=())


@pytest.mark.parametrize("assertion", NO_FACTS)
def test_what_is_no_present_fact_of_the_patient_is_counted_by_nobody_but_can_be_asked_for(tmp_path, assertion):
    records = kept(tmp_path, stated(assertion))
    assert records.execute("SELECT count(*) FROM facts").fetchone() == (0,)
    names = ("status", "time", "experiencer")
    words = tuple(getattr(assertion, name).value if assertion else "UNKNOWN" for name in names)
    assert records.execute("SELECT DISTINCT status, time, experiencer FROM entities").fetchall() == [words]
    assert [ask(records, question, 1) for question in READY[:3]] == [[], [], []]
    assert ask(records, READY_BY_NAME["diseases-by-status"], 1) == [("uti", *words, 1)]
    assert ask(records, READY_BY_NAME["treatments-by-status"], 1) == [("rest", *words, 1)]
    folded = Folded(ZONE)
    folded.extracted(stated(assertion))
    view = View(folded, (next(iter(folded.cells))[0],), AT + 60_000)
    assert (BY_NAME["facts"].value(view), BY_NAME["set_apart_share"].value(view)) == (0, 1)


def test_present_facts_of_the_patient_are_counted_once_a_note_and_go_with_the_row_that_does(tmp_path):
    records = kept(tmp_path, stated(PRESENT))
    assert records.execute("SELECT count(*) FROM facts").fetchone() == (2,)
    folded = Folded(ZONE)
    for one in (stated(PRESENT), stated(PRESENT, "b"), replace(stated(None), revision=2)):
        folded.extracted(one)
    view = View(folded, (next(iter(folded.cells))[0],), AT + 60_000)
    assert (BY_NAME["facts"].value(view), BY_NAME["set_apart_share"].value(view)) == (2, 0.5)


def test_a_folder_without_files_has_the_columns_of_one_with_files(tmp_path):
    RecordsAtRest(tmp_path / "empty").append([Stretch("t", 0, 0, 1, [])])
    kept(tmp_path / "full", event("a"))
    both = [open_records(tmp_path / name) for name in ("empty", "full")]
    for view in ("notes", "entities", "facts", "relations", "pairs"):
        empty, full = (one.execute(f"DESCRIBE {view}").fetchall() for one in both)
        assert empty == full


def test_records_of_an_older_contract_are_refused_with_what_to_do(tmp_path):
    write(tmp_path, range(2))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["namespace"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    files = sorted(tmp_path.rglob("*.parquet"))
    for opened in (RecordsAtRest, open_records):
        with pytest.raises(OlderRecords, match="empty folder"):
            opened(tmp_path)
    assert sorted(tmp_path.rglob("*.parquet")) == files


def test_what_is_sealed_is_kept_and_is_no_word_of_a_ready_question(tmp_path):
    one = event("a")
    sealed = replace(one, entities=tuple(replace(entity, text="") for entity in one.entities), sealed=b"sealed")
    records = kept(tmp_path, sealed)
    assert records.execute("SELECT count(*) FROM entities").fetchone() == (2,)
    assert [ask(records, question, 1) for question in READY] == [[]] * len(READY)


def test_two_writers_never_meet_and_ready_questions_answer(tmp_path):
    sink = RecordsAtRest(tmp_path)
    with pytest.raises(FolderInUse):
        RecordsAtRest(tmp_path)
    sink.append([Stretch("t", 0, 0, 1, [row_of(event("n"), ZONE)])])
    records = open_records(tmp_path)
    assert [len(ask(records, question, 1)) for question in READY] == [1, 1, 0, 1, 1, 1, 0, 0, 0, 0]
    assert [len(ask(records, question, 5)) for question in READY] == [0] * len(READY)


def test_kpis_by_hand():
    folded = Folded(ZONE)
    for one in [event("a"), event("a", 2, 1, "LOW_CONFIDENCE"), event("a"), event("b"), event("c", late_ms=40_000)]:
        folded.extracted(one)
    day = next(iter(folded.cells))[0]
    view = View(folded, (day,), AT + 60_000)
    value = {name: kpi.value(view) for name, kpi in BY_NAME.items()}
    assert (value["notes"], value["straight_through_rate"], value["availability"]) == (3, 2 / 3, 2 / 3)
    assert value["person_hours_saved"] == pytest.approx(2 * 4 / 60)
    assert value["time_to_structured_p50"] == pytest.approx(1.0, rel=0.03)
    assert value["estimated_f1"] == pytest.approx(0.9474, abs=1e-3)
    assert all(kpi.sentence.endswith(".") for kpi in KPIS)


def asked_of(folder, patients):
    """The rows of every ready question, on a note for each of some patients in each of two weeks."""
    days = [f"2026-01-{day:02}" for day in (2, 12)]
    rows = [
        row_of(replace(event(f"{day}-{place}"), patient_ref=patient or ""), ZONE) | {"day": day}
        for day in days
        for place, patient in enumerate(patients)
    ]
    rows += [
        row_of(event(f"o{place}"), ZONE) | {"entities": [], "relations": [], "patient_ref": f"o{place}", "day": days[0]}
        for place in range(50)
    ]
    sink = RecordsAtRest(folder)
    sink.append([Stretch("t", 0, 0, len(rows), rows)])
    sink.close()
    with open_records(folder) as records:
        return {question.name: ask(records, question, 5) for question in READY}


@pytest.mark.parametrize(
    "patients", [["p"] * 20, ["a", "b", "c", "d"] * 5, [None] * 20, [""] * 20, ["a", "b", "c", "d", None, ""]]
)
def test_no_question_shows_a_text_that_fewer_than_five_patients_have(tmp_path, patients):
    """However many notes of them hold it; and a note whose patient is not known counts for none."""
    assert asked_of(tmp_path, patients) == {question.name: [] for question in READY}


def test_every_question_shows_a_text_that_five_patients_have(tmp_path):
    found = asked_of(tmp_path, ["a", "b", "c", "d", "e", "e", None])
    by_words = {name: rows for name, rows in found.items() if name not in BY_CODE}
    assert all("uti" in str(rows) or "rest" in str(rows) for rows in by_words.values()), found
    assert {row[-1] for row in found["treatments-per-disease"]} == {14}


def test_records_from_before_the_pseudonym_came_are_read_and_count_for_no_patient(tmp_path):
    sink = RecordsAtRest(tmp_path)
    for one in range(2):
        sink.append([Stretch("t", 0, one, one + 1, many(one, 1, patient_ref="p"))])
    for one in sink.manifest.files:
        path = tmp_path / one.path
        pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["patient_ref"]), path)
        with open_records(tmp_path) as records:
            assert records.execute("SELECT count(*) FROM notes").fetchone() == (2,)
            assert [ask(records, question, 2) for question in READY] == [[]] * len(READY)


def many(first, count, **columns):
    return [row_of(event(f"n{first + one}"), ZONE) | columns for one in range(count)]


def arrow_peak_of(work):
    """The most that Arrow held at once during some work, in bytes."""
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    try:
        work()
    finally:
        pa.set_memory_pool(before)
    return pool.max_memory()


def merged_day(folder, rows, files):
    sink = RecordsAtRest(folder)
    each = rows // files
    for one in range(files):
        sink.append([Stretch("t", 0, one * each, (one + 1) * each, many(one * each, each))])
    beats = []
    peak = arrow_peak_of(lambda: sink.merge_a_day(at_files=2, beat=lambda: beats.append(1)))
    sink.close()
    return peak, len(beats), sink.manifest.files


@pytest.mark.slow
def test_a_merge_holds_a_part_of_the_day_alone(tmp_path):
    small, _, _ = merged_day(tmp_path / "small", 3 * GROUP_ROWS, 3)
    large, beats, (merged,) = merged_day(tmp_path / "large", 12 * GROUP_ROWS, 3)
    assert large < 1.5 * small
    assert beats >= 12  # whoever waits hears of us between groups, not between files
    assert merged.rows == 12 * GROUP_ROWS


def test_small_files_become_whole_groups(tmp_path):
    """A group for every file of before would make each read slower for ever."""
    _, _, (merged,) = merged_day(tmp_path, 2 * GROUP_ROWS + 16, 20)
    metadata = pq.read_metadata(tmp_path / merged.path)
    sizes = [metadata.row_group(one).num_rows for one in range(metadata.num_row_groups)]
    assert sizes == [GROUP_ROWS, GROUP_ROWS, 16]
    read = pq.read_table(tmp_path / merged.path, schema=SCHEMA, partitioning=None)
    assert read.column("note_id").to_pylist() == [f"n{one}" for one in range(2 * GROUP_ROWS + 16)]


def test_a_file_from_before_a_column_came_is_merged_with_those_after(tmp_path):
    sink = RecordsAtRest(tmp_path)
    for one in range(2):
        sink.append([Stretch("t", 0, one, one + 1, many(one, 1, city="Pune"))])
    old = tmp_path / sink.manifest.files[0].path
    pq.write_table(pq.read_table(old, partitioning=None).drop_columns(["city"]), old)
    assert sink.merge_a_day(at_files=2) == 1
    sink.close()
    rows = pq.read_table(tmp_path / sink.manifest.files[0].path, partitioning=None).to_pylist()
    assert [(row["note_id"], row["city"]) for row in rows] == [("n0", None), ("n1", "Pune")]


def of(patient, number):
    return row_of(replace(event(f"n{number}", late_ms=number), patient_ref=patient), ZONE)


def test_an_erasure_takes_the_rows_of_a_patient_out_of_every_file_and_no_others(tmp_path):
    sink = RecordsAtRest(tmp_path)
    for number in range(6):
        sink.append(
            [
                Stretch(
                    "t", 0, number, number + 1, [of("gone" if number % 2 else "kept", number), of("both", 90 + number)]
                )
            ]
        )
    sink.append([Stretch("t", 0, 6, 7, [of("gone", 6)])])
    sink.merge_a_day(at_files=3)  # the merged file and those that it replaced hold the patient
    sink.append([Stretch("t", 0, 7, 8, [of("gone", 7)]), Stretch("t", 1, 0, 1, [of("kept", 8)])])
    assert sink.erase(["gone", "nobody"]) == 5
    on_disk = [pq.read_table(path) for path in tmp_path.rglob("*.parquet")]
    assert "gone" not in {name for table in on_disk for name in table.column("patient_ref").to_pylist()}
    found = open_records(tmp_path).execute("SELECT patient_ref, count(*) FROM notes GROUP BY 1 ORDER BY 1").fetchall()
    assert found == [("both", 6), ("kept", 4)]
    assert (sink.next_offset("t", 0), sink.next_offset("t", 1)) == (8, 1)
    assert sink.erase(["gone"]) == 0
    sink.close()
    assert len(RecordsAtRest(tmp_path).manifest.files) == len(on_disk)


@pytest.mark.parametrize("step", ["write a file", "write the manifest", "show the manifest", "delete retired files"])
def test_an_erasure_that_dies_half_way_is_done_by_the_next(tmp_path, step):
    write_two = RecordsAtRest(tmp_path)
    write_two.append([Stretch("t", 0, 0, 2, [of("gone", 0), of("kept", 1)])])
    write_two.close()

    def die(name):
        if name == step:
            raise ZeroDivisionError

    dying = RecordsAtRest(tmp_path, die)
    with pytest.raises(ZeroDivisionError):
        dying.erase(["gone"])
    dying.close()
    again = RecordsAtRest(tmp_path)
    again.erase(["gone"])
    names = [
        name for path in tmp_path.rglob("*.parquet") for name in pq.read_table(path).column("patient_ref").to_pylist()
    ]
    assert names == ["kept"]
