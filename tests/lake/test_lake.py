"""Old notes of a Parquet lake: the extractor's rows, none lost or doubled by a kill, and nothing that stops the others."""

import json
import os
import signal
import subprocess
import sys
import time
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contracts import identity
from contracts.records import ModelRef, NoteAccepted, Origin, Review, ReviewReason
from contracts.rules import NoteLimits, name_fault, normalise, text_fault
from extractor.domain.extraction import extracted
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes.questions import NoRecordsAtRest, open_records
from outcomes.records_at_rest import SCHEMA as AT_REST
from outcomes.records_at_rest import row_of
from rxtract.app import build
from rxtract.errors import UserError
from rxtract_tagger import Tagger, notes_at_rest
from rxtract_tagger.arrow import SCHEMA, LakeError, Reading, tag_batch
from rxtract_tagger.local import parquet_files, tag_parquet
from typer.testing import CliRunner

from tests.lake.lake import notes_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

READING = Reading(extracted_at=1_780_000_000_000)
DEADLINE_S = 240


@pytest.fixture(scope="module")
def tagger():
    return Tagger.open()


@pytest.fixture(scope="module")
def notes():
    return notes_table(2_000)


def batch_of(table):
    (batch,) = table.combine_chunks().to_batches()
    return batch


def lake_of(folder, notes, files):
    folder.mkdir()
    for number in range(files):
        ids = pa.array([f"{number}-{one}" for one in notes["note_id"].to_pylist()])
        pq.write_table(notes.set_column(0, "note_id", ids), folder / f"part-{number:03}.parquet")
    return folder


def test_rows_are_those_of_the_extractor(tagger, notes):
    """All columns, with what the extractor publishes and the scorekeeper keeps."""
    model = ModelRef(name=tagger.identity.name, version=tagger.identity.version, serial=0)
    review = Review(requested=False, reason=ReviewReason.NONE, inclusion_probability=None)
    accepted = [_accepted(row) for row in notes.to_pylist()]
    tagged = tagger.model.tag([one.text for one in accepted])
    rules = (tagger.identity.rules_version, 0)
    events = [
        extracted(note, found, model, rules, review, READING.extracted_at)
        for note, found in zip(accepted, tagged, strict=True)
    ]
    # Whoever tags a lake seals nothing: the columns of sealed words are the scorekeeper's alone.
    unsealed = pa.schema([field for field in AT_REST if field.name not in ("encryption_key_id", "sealed")])
    wanted = pa.Table.from_pylist([row_of(event, ZoneInfo("Asia/Kolkata")) for event in events], unsealed)
    rows, refused = tag_batch(batch_of(notes), tagger, READING)
    assert refused.num_rows == 0
    assert unsealed == SCHEMA
    assert rows.to_pylist() == wanted.to_pylist()
    assert sum(map(len, rows["relations"].to_pylist())) > 100


def _accepted(row):
    """As the ingestor accepts it."""
    written = int(row["written_at"].timestamp() * 1000)
    return NoteAccepted(
        **{name: row[name] for name in ("source", "note_id", "revision", "patient_ref", "city", "specialty")},
        prescription_ref="p",
        doctor_ref="d",
        language="en",
        written_at=written,
        accepted_at=READING.extracted_at,
        text=normalise(row["text"]),
        origin=Origin.BACKFILL,
        pseudonym_key_id="k",
    )


@settings(max_examples=40)
@given(st.one_of(st.none(), st.text()), st.text(), st.integers(0, 2**40), st.integers(0, 9))
def test_the_rules_are_those_of_the_doors(text, name, serial, revision):
    assert notes_at_rest.text_fault(text) == (text_fault(text or "", NoteLimits()))
    assert notes_at_rest.name_fault(name) == name_fault(name, NoteLimits())
    assert notes_at_rest.normalise(name) == normalise(name)
    assert (notes_at_rest.source_fault(name) is None) == identity.is_source(name)
    if name.isascii():
        wanted = identity.event_id("app", name, revision, serial, 3)
        assert notes_at_rest.event_id(f"app|{name}|{revision}|{serial}|3") == wanted


def test_the_limits_are_those_of_the_doors():
    rules = NoteLimits()
    assert (
        rules.max_note_chars,
        rules.max_note_tokens,
    ) == (notes_at_rest.MAX_NOTE_CHARS, notes_at_rest.MAX_NOTE_TOKENS)
    assert (rules.max_name_chars, rules.earliest_ms) == (notes_at_rest.MAX_NAME_CHARS, notes_at_rest.EARLIEST_MS)
    for text in ("a " * 100_000, "a" * (rules.max_note_chars + 1), "a\x00b"):
        assert notes_at_rest.text_fault(text) == text_fault(text, rules) != None  # noqa: E711


def test_an_invalid_note_is_listed_with_its_reason_and_stops_no_other(tagger):
    rows = [
        ("a", "DM", 1, 1_700_000_000_000, "app"),
        ("b", None, 1, None, "app"),
        ("", "DM", 1, None, "app"),
        ("d", "DM", 0, None, "app"),
        ("e", "DM", 1, 1_700_000_000, "app"),  # seconds, not milliseconds
        ("f", "DM\x00", 1, None, "app"),
        ("g", "DM", 1, None, "No Source"),
        ("h", "cafe\u0301, no DM", None, None, "app"),
    ]
    names = ("note_id", "text", "revision", "written_at", "source")
    table = pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})
    table = table.set_column(3, "written_at", table["written_at"].cast(pa.timestamp("ms")))
    found, refused = tag_batch(batch_of(table), tagger, READING)
    assert found["note_id"].to_pylist() == ["a", "h"]
    assert found["entities"].to_pylist()[1][0]["text"] == "DM"
    assert found["entities"].to_pylist()[1][0]["start"] == len("café, no "), "offsets count the normal form"
    assert [tuple(one.values()) for one in refused.to_pylist()] == [
        (1, "app", "b", "EMPTY_TEXT"),
        (2, "app", "", "MISSING_FIELD"),
        (3, "app", "d", "OUT_OF_RANGE"),
        (4, "app", "e", "IMPOSSIBLE_TIME"),
        (5, "app", "f", "ILLEGAL_CHARACTERS"),
        (6, "No Source", "g", "INVALID_SOURCE"),
    ]
    assert found["day"].to_pylist() == ["2023-11-15", None]


def test_a_lake_that_names_its_columns_otherwise_is_read_and_a_wrong_type_is_one_line(tagger):
    table = pa.table({"id": [7, 8], "body": pa.array(["DM", "HTN"]).dictionary_encode()})
    rows, _ = tag_batch(batch_of(table), tagger, Reading(text="body", note_id="id", source="his"))
    assert rows["note_id"].to_pylist() == ["7", "8"]
    assert set(rows["source"].to_pylist()) == {"his"}
    wrong = pa.table({"note_id": ["a"], "text": [["DM"]]})
    with pytest.raises(LakeError, match="column 'text' is list"):
        tag_batch(batch_of(wrong), tagger, READING)
    with pytest.raises(LakeError, match="no column 'text'"):
        READING.columns(["note_id", "body"])
    for bad in ({"source": "No Source"}, {"zone": "Mars/Base"}):
        with pytest.raises(LakeError):
            Reading(**bad)


def test_a_run_is_asked_by_sql_beside_another_and_a_second_one_changes_nothing(tagger, notes, tmp_path):
    lake = lake_of(tmp_path / "lake", notes, 3)
    (lake / "_temporary").mkdir()
    pq.write_table(notes, lake / "_temporary/left.parquet")
    cli = CliRunner()
    words = ["batch", str(lake), str(tmp_path / "out"), "--jobs", "2", "--json"]
    first = json.loads(cli.invoke(build(["batch"]), words).stdout)
    assert (first["files"], first["notes"], first["refused"], first["kept"]) == (3, 6_000, 0, 0)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    again = json.loads(cli.invoke(build(["batch"]), words).stdout)
    assert again == {**first, "kept": 3}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")} == before
    other = tmp_path / "cluster"
    other.mkdir()
    pq.write_table(pq.read_table(next(iter(before))), other / "part-0.parquet")
    with pytest.raises(NoRecordsAtRest):
        open_records(other)  # the job has not ended
    (other / "_SUCCESS").touch()
    asked = cli.invoke(
        build(["sql"]),
        [
            "sql",
            "SELECT count(*) AS n FROM notes",
            "--records",
            str(tmp_path / "out"),
            "--records",
            str(other),
            "--json",
        ],
    )
    assert json.loads(asked.stdout) == [{"n": 6_000}], "a note that both have counts once"


def test_another_reading_replaces_the_rows_of_before(tagger, notes, tmp_path):
    lake = lake_of(tmp_path / "lake", notes.slice(0, 50), 1)
    first = tag_parquet(lake, tmp_path / "out", tagger, READING, jobs=1)
    second = tag_parquet(lake, tmp_path / "out", tagger, Reading(zone="UTC"), jobs=1)
    assert first.folder != second.folder
    with open_records(tmp_path / "out") as records:
        assert records.execute("SELECT count(*) FROM kept").fetchone() == (50,)
    tag_parquet(lake, tmp_path / "out", tagger, Reading(zone="UTC"), jobs=1)
    assert list(first.folder.glob("*.parquet")) == [], "the next run deletes what nobody sees"


def test_a_run_that_is_killed_goes_on_where_it_was(tagger, notes, tmp_path):
    lake = lake_of(tmp_path / "lake", notes, 12)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "rxtract", "batch", str(lake), str(out), "--jobs", "1"]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline and len(list(out.glob("run=*/*.parquet"))) < 2:
            assert run.poll() is None, "it ended before it was killed"
            time.sleep(0.005)
        os.killpg(run.pid, signal.SIGKILL)
    done = list(out.glob("run=*/*.parquet"))
    assert 2 <= len(done) < 12
    assert not (out / "manifest.json").exists()
    (done[0].parent / "half.1.part").write_bytes(b"PAR1")
    outcome = tag_parquet(lake, out, tagger, Reading(), jobs=2)
    assert outcome.kept >= 2
    assert (outcome.files, outcome.notes) == (12, 24_000)
    assert list(out.glob("run=*/*.part")) == []
    with open_records(out) as records:
        counts = "SELECT count(*), count(DISTINCT note_id) FROM kept"
        assert records.execute(counts).fetchone() == (24_000, 24_000)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda out: (out / "mine.txt").write_text("x"), r"holds other files \(mine.txt\)"),
        (
            lambda out: (out / "manifest.json").write_text(
                json.dumps({"files": [], "offsets": {"t-0": 4}, "retired": [], "namespace": "behealthy.rxtract"})
            ),
            "holds the scorekeeper's records",
        ),
        (lambda out: (out / "manifest.json").write_text("{"), "is none of ours"),
    ],
)
def test_a_folder_of_others_is_left_alone(tagger, notes, tmp_path, prepare, words):
    lake = lake_of(tmp_path / "lake", notes.slice(0, 5), 1)
    out = tmp_path / "out"
    out.mkdir()
    prepare(out)
    with pytest.raises(LakeError, match=words):
        tag_parquet(lake, out, tagger, READING, jobs=1)


def test_what_is_no_lake_is_one_line(tagger, tmp_path):
    with pytest.raises(LakeError, match="holds no Parquet file"):
        parquet_files(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"no")
    result = CliRunner().invoke(build(["batch"]), ["batch", str(tmp_path), str(tmp_path / "out"), "--jobs", "1"])
    assert isinstance(result.exception, UserError)
    assert "is no Parquet file that can be read" in str(result.exception)
