"""Old notes through Spark: the rows of the local run, also where an executor is killed and where our code is not installed."""

import subprocess
import sys
import threading
import time

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from outcomes.questions import open_records
from rxtract_tagger import Tagger
from rxtract_tagger.arrow import SCHEMA, Reading, tag_batch
from rxtract_tagger.spark import refused_notes, tag_notes

from tests.lake.lake import notes_table

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

READING = Reading(extracted_at=1_780_000_000_000)
FILES, FILE_NOTES = 24, 4_000
DEADLINE_S = 900


@pytest.fixture(scope="module")
def tagger():
    return Tagger.open()


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake")
    notes = notes_table(FILE_NOTES)
    for number in range(FILES):
        ids = pa.array([f"{number}-{one}" for one in notes["note_id"].to_pylist()])
        pq.write_table(notes.set_column(0, "note_id", ids), folder / f"part-{number:03}.parquet")
    return folder


def rows_of(folder):
    """Rows by note, with the columns of the local run."""
    table = (
        pa.concat_tables([pq.read_table(path) for path in sorted(folder.rglob("*.parquet"))])
        .select(SCHEMA.names)
        .cast(SCHEMA)
    )
    return {row["note_id"]: row for row in table.to_pylist()}, table.num_rows


def test_rows_are_those_of_the_local_run_where_no_code_of_ours_is_installed(session, lake, tagger, tmp_path):
    spark = session("local-cluster[1,1,1024]", python=_bare_python(tmp_path))
    first = min(lake.glob("*.parquet"))
    wrong = [("", "DM"), ("blank", " "), ("null", None)]
    asked = spark.createDataFrame(wrong, "note_id string, text string")
    refused = refused_notes(spark, asked, tagger, READING, ship_code=True).collect()
    assert sorted((one.note_id, one.reason) for one in refused) == [
        ("", "MISSING_FIELD"), ("blank", "EMPTY_TEXT"), ("null", "EMPTY_TEXT"),
    ]  # fmt: skip
    assert tag_notes(spark, asked, tagger, READING, ship_code=True).count() == 0
    found = tag_notes(spark, spark.read.parquet(str(first)), tagger, READING, ship_code=True)
    found.write.parquet(str(tmp_path / "out"))
    rows, count = rows_of(tmp_path / "out")
    (batch,) = pq.read_table(first).combine_chunks().to_batches()
    wanted = {row["note_id"]: row for row in tag_batch(batch, tagger, READING).rows.to_pylist()}
    assert count == FILE_NOTES
    assert rows == wanted
    with open_records(tmp_path / "out") as records:
        assert records.execute("SELECT count(*) FROM notes").fetchone() == (FILE_NOTES,)


def test_an_executor_that_is_killed_loses_and_doubles_nothing(session, lake, tagger, tmp_path):
    spark = session("local-cluster[2,1,1024]", **{"spark.sql.files.maxPartitionBytes": "64k"})
    killed = []
    killer = threading.Thread(target=_kill_one, args=(spark, killed), daemon=True)
    killer.start()
    tag_notes(spark, spark.read.parquet(str(lake)), tagger, READING).write.parquet(str(tmp_path / "out"))
    killer.join(10)
    ((done, of),) = killed
    assert 0 < done < of, "it was not killed in the middle"
    rows, count = rows_of(tmp_path / "out")
    sys.stdout.write(f"an executor killed after {done} of {of} tasks: {count} rows of {len(rows)} notes\n")
    assert count == len(rows) == FILES * FILE_NOTES


def _kill_one(spark, killed):
    tracker = spark.sparkContext.statusTracker()
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        for stage in tracker.getActiveStageIds():
            found = tracker.getStageInfo(stage)
            if found is not None and found.numTasks > 4 and found.numCompletedTasks >= 2:
                executor = next(one for one in _children() if "CoarseGrainedExecutorBackend" in " ".join(one.cmdline()))
                executor.kill()
                killed.append((found.numCompletedTasks, found.numTasks))
                return
        time.sleep(0.02)


def _children():
    return [one for one in psutil.Process().children(recursive=True) if one.is_running() and one.name() == "java"]


def _bare_python(folder):
    """A Python with numpy and pyarrow as here, and nothing of ours."""
    import numpy as np

    home = folder / "bare"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, home], check=True)
    wanted = [f"numpy=={np.__version__}", f"pyarrow=={pa.__version__}"]
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", home / "bin/python", *wanted], check=True)
    python = home / "bin/python"
    assert subprocess.run([python, "-c", "import clinical_ner"], capture_output=True, check=False).returncode != 0
    return python
