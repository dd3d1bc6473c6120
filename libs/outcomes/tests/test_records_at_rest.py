import os
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contracts.records import (
    EntitiesExtracted,
    Entity,
    EntityLabel,
    ModelRef,
    Review,
    ReviewReason,
    Segment,
    TreatmentPair,
)
from outcomes.folding import Folded
from outcomes.kpis import BY_NAME, KPIS, View
from outcomes.questions import READY, ask, open_records, select
from outcomes.records_at_rest import GROUP_ROWS, SCHEMA, DamagedManifest, FolderInUse, RecordsAtRest, Stretch, row_of

ZONE = ZoneInfo("Asia/Kolkata")
AT = 1_794_803_400_000
STEPS = ["write a file", "write the manifest", "show the manifest", "shown", "delete retired files"]


def event(note, revision=1, serial=1, review="NONE", late_ms=1000):
    one = Entity(entity_id="e1", label=EntityLabel.DISEASE, text="UTI", start=0, end=3, confidence=0.9)
    two = Entity(entity_id="e2", label=EntityLabel.TREATMENT, text="rest", start=4, end=8, confidence=0.9)
    return EntitiesExtracted(
        event_id=f"{note}-{revision}-{serial}", note_id=note, revision=revision,
        model=ModelRef(name="m", version=str(serial), serial=serial), segment=Segment(city="Pune", specialty="x"),
        written_at=AT, accepted_at=AT, extracted_at=AT + late_ms, note_confidence=0.81, entities=(one, two),
        treatment_pairs=(TreatmentPair(treatment_id="e2", disease_id="e1"),),
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


def test_readers_see_the_highest_revision_and_serial_and_two_writers_never_meet(tmp_path):
    sink = RecordsAtRest(tmp_path)
    with pytest.raises(FolderInUse):
        RecordsAtRest(tmp_path)
    rows = [row_of(event("n", *at), ZONE) for at in [(2, 1), (2, 3), (1, 9)]]
    sink.append([Stretch("t", 0, 0, 3, rows)])
    records = open_records(tmp_path)
    assert records.execute("SELECT revision, model_serial FROM notes").fetchall() == [(2, 3)]


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


class OfPatient:
    """An event as it is with the patient's pseudonym."""

    def __init__(self, one, patient_ref):
        self._one = one
        self.patient_ref = patient_ref

    def __getattr__(self, name):
        return getattr(self._one, name)


def asked_of(folder, patients):
    """The rows of every ready question, on a note for each of some patients in each of two weeks."""
    days = [f"2026-01-{day:02}" for day in (2, 12)]
    rows = [
        row_of(OfPatient(event(f"{day}-{place}"), patient), ZONE) | {"day": day}
        for day in days
        for place, patient in enumerate(patients)
    ]
    rows += [
        row_of(OfPatient(event(f"o{place}"), f"o{place}"), ZONE) | {"entities": [], "pairs": [], "day": days[0]}
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
    assert all("uti" in str(rows) for rows in found.values()), found
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
            assert [ask(records, question, 2) for question in READY] == [[], [], []]


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
