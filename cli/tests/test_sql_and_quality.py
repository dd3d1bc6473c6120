import errno
import json
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
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
    Review,
    Segment,
)
from outcomes.records_at_rest import RecordsAtRest, Stretch, row_of
from rxtract.app import build
from rxtract.errors import UserError
from typer.testing import CliRunner

AT = 1_795_000_000_000
PRESENT = Assertion(
    status=AssertionStatus.PRESENT,
    time=AssertionTime.CURRENT,
    experiencer=Experiencer.PATIENT,
    cue_start=-1,
    cue_end=-1,
)


def run(*arguments):
    return CliRunner().invoke(build(arguments[:1]), list(arguments))


@pytest.fixture
def records(tmp_path):
    folder = tmp_path / "records"
    sink = RecordsAtRest(folder)
    rows = [
        row_of(
            EntitiesExtracted(
                event_id=f"e{n}", source="clinic", note_id=f"n{n}", revision=1, rules_version="", rules_serial=0, patient_ref="p", model=ModelRef(name="m", version="1", serial=1),
                segment=Segment(city="[bold]Pune", specialty="x"), written_at=AT, accepted_at=AT, extracted_at=AT, note_confidence=0.9,
                entities=(Entity(entity_id="e1", label=EntityLabel.DISEASE, text="UTI", start=0, end=3, confidence=0.9, assertion=PRESENT),),
                relations=(), review=Review(requested=False),
            ), ZoneInfo("Asia/Kolkata"),
        ) | {"patient_ref": f"p{n}"}
        for n in range(6)
    ]  # fmt: skip
    sink.append([Stretch("t", 0, 0, 6, rows)])
    sink.close()
    return str(folder)


def test_sealed_notes_are_counted_where_nobody_may_open_them(records, monkeypatch):
    assert "sealed" not in run("sql", "SELECT count(*) FROM notes", "--records", records).stderr
    sink = RecordsAtRest(Path(records))
    with duckdb.connect() as reader:
        (path,) = Path(records).rglob("*.parquet")
        row = reader.read_parquet(str(path)).arrow().read_all().to_pylist()[0]
    sink.append([Stretch("t", 0, 6, 7, [{**row, "note_id": "shut", "encryption_key_id": "key-1", "sealed": b"x"}])])
    sink.close()
    monkeypatch.delenv("RXTRACT_KEY_STORE_FILE", raising=False)
    why = "1 notes are sealed and their words are empty here: set RXTRACT_KEY_STORE_FILE (or RXTRACT_KEY_STORE_URL)"
    ended = run("sql", "SELECT count(*) FROM notes", "--records", records, "--json")
    assert json.loads(ended.stdout) == [{"count_star()": 7}]
    assert why in ended.stderr
    assert why in run("terminology", "gaps", "--records", records, "--json").stderr
    assert why in run("omop", f"{records}.csv", "--records", records).stderr


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("master", "RXTRACT_MASTER_KEY_FILE does not hold the master key of this key store"),
        ("cut", "RXTRACT_MASTER_KEY_FILE line 1 has 40 digits and needs 64"),
        ("store", "RXTRACT_KEY_STORE_FILE names no key store"),
        ("time", "the words of note shut cannot be opened: The key store does not have the key to the text"),
        ("bit", "the words of note shut cannot be opened: The sealed text was changed"),
        ("", ""),
    ],
    ids=["another master key", "a cut master key", "no store", "a store from another time", "a flipped bit", "nothing"],
)
def test_words_that_cannot_be_opened_are_one_line_of_every_reader(records, tmp_path, monkeypatch, wrong, line):
    from sealing import open_keys
    from sealing.batch import BatchSeals, OpenedNote
    from sealing.rotation import back_up, initialise

    store, master = tmp_path / "keys.db", tmp_path / "master.key"
    initialise(store, master)
    back_up(store, tmp_path / "time.db")
    key = open_keys(store, master).for_subject("p")
    with duckdb.connect() as reader:
        (path,) = Path(records).rglob("*.parquet")
        row = reader.read_parquet(str(path)).arrow().read_all().to_pylist()[0]
    identity = f"|{row['source']}|shut|{row['revision']}|{key.key_id}".encode()
    payload = b"\0".join([*[b"HTN" for _ in row["entities"]], b""]) if row["entities"] else b""
    (sealed,) = BatchSeals(open_keys(store, master)).sealed(
        "EntitiesExtracted", [(OpenedNote(b"", key, identity), payload)]
    )
    sealed = sealed[:-1] + bytes([sealed[-1] ^ (wrong == "bit")])
    sink = RecordsAtRest(Path(records))
    sink.append(
        [Stretch("t", 0, 6, 7, [{**row, "note_id": "shut", "encryption_key_id": key.key_id, "sealed": sealed}])]
    )
    sink.close()
    (tmp_path / "other.key").write_text("ab" * 32)
    (tmp_path / "cut.key").write_text(master.read_text()[:40])
    files = {"master": tmp_path / "other.key", "cut": tmp_path / "cut.key"}
    monkeypatch.setenv("RXTRACT_MASTER_KEY_FILE", str(files.get(wrong, master)))
    stores = {"store": tmp_path / "none.db", "time": tmp_path / "time.db"}
    monkeypatch.setenv("RXTRACT_KEY_STORE_FILE", str(stores.get(wrong, store)))
    out = tmp_path / "out.csv"
    for words in (("sql", "SELECT text FROM entities"), ("omop", str(out)), ("terminology", "gaps")):
        ended = run(*words, "--records", records)
        if not wrong:
            assert ended.exit_code == 0, (words, ended.output, ended.exception)
            continue
        assert isinstance(ended.exception, UserError), (words, ended.exception)
        assert str(ended.exception).startswith(line), words
        assert "\n" not in str(ended.exception)
    assert out.exists() is not bool(wrong), "no half file is left"


def test_sql_answers_in_json_and_as_a_table(records):
    found = run("sql", "--records", records, "--json", "SELECT note_id, written_at FROM notes ORDER BY 1 LIMIT 1")
    assert found.exit_code == 0, found.output
    ((note_id, written_at),) = [row.values() for row in json.loads(found.output)]
    assert (note_id, datetime.fromisoformat(written_at).timestamp() * 1000) == ("n0", AT)
    assert "[bold]Pune" in run("sql", "--records", records, "SELECT DISTINCT city FROM notes").output


def test_a_ready_question_hides_rows_on_few_patients(records):
    assert "uti" in run("sql", "--records", records, "diseases-by-city-and-week").output
    assert "uti" not in run("sql", "--records", records, "--least-patients", "7", "diseases-by-city-and-week").output


@pytest.mark.parametrize(
    "question",
    ["SELEC", "SELECT nope FROM notes", "", "SELECT 1; SELECT 2", "SELECT * FROM read_text('/etc/hostname')"],
)
def test_what_cannot_be_asked_is_one_line(records, question):
    result = run("sql", "--records", records, question)
    assert isinstance(result.exception, UserError)
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize(
    "question",
    [
        "COPY notes TO '{0}/other.csv'",
        "COPY (SELECT 1) TO '{0}/manifest.json'",
        "COPY notes TO '{1}' (FORMAT parquet, USE_TMP_FILE false)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{0}/manifest.json'",
        "SELECT 1; COPY (SELECT 1) TO '{0}/manifest.json'",
        "EXPORT DATABASE '{0}/other'",
        "ATTACH '{0}/other.db'",
        "CREATE TABLE other AS SELECT * FROM notes",
    ],
)
def test_nothing_can_be_written(records, question):
    def content():
        return {path: path.read_bytes() for path in sorted(Path(records).rglob("*")) if path.is_file()}

    before = content()
    (rows,) = [path for path in before if path.suffix == ".parquet"]
    result = run("sql", "--records", records, question.format(records, rows))
    assert content() == before
    assert "one SELECT" in str(result.exception)


def test_a_damaged_manifest_is_one_line_that_says_what_to_do(records):
    (Path(records) / "manifest.json").write_text('{"1": 1}', encoding="utf-8")
    result = run("sql", "--records", records, "SELECT 1")
    assert isinstance(result.exception, UserError)
    assert "manifest.json" in str(result.exception)
    assert "\n" not in str(result.exception)


def test_a_folder_that_cannot_be_read_is_one_line(records, monkeypatch):
    manifest = Path(records) / "manifest.json"
    manifest.unlink()
    manifest.mkdir()
    result = run("sql", "--records", records, "SELECT 1")
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(f"{records} cannot be read (Is a directory)")

    def closed(_path, **_how):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "exists", closed)
    result = run("sql", "--records", records, "SELECT 1")
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(f"{records} cannot be read (Permission denied)")


def test_a_folder_without_records_says_who_writes_them(tmp_path):
    result = run("sql", "--records", str(tmp_path), "SELECT 1")
    assert "scorekeeper" in str(result.exception)


class Answer:
    def __init__(self, status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.url

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_quality_prints_intervals_and_says_where_nobody_looked(monkeypatch):
    label = {
        "label": "ALL",
        "precision": 0.9,
        "recall": 0.8,
        "recall_low": 0.71,
        "recall_high": 0.87,
        "f1": 0.847,
        "f1_low": 0.8,
        "f1_high": 0.88,
        "support": 40,
    }
    treatment = {**label, "label": "TREATMENT", "recall": 0.999, "recall_low": 0.0, "recall_high": 1.0}
    row = {
        "version": "3",
        "serial": 3,
        "city": "",
        "notes": 900,
        "audited_notes": 12,
        "labels": [label, treatment],
        "estimated_f1": 0.9,
        "prefill_bias": None,
    }
    city = {**row, "version": "", "city": "Pune", "audited_notes": 0, "labels": [], "estimated_f1": None}
    both = {**row, "city": "Delhi"}
    rows = [row, city, both]
    with Answer(200, {"window": {"first_day": "2026-11-18", "last_day": "2026-11-25"}, "quality": rows}) as url:
        monkeypatch.setenv("RXTRACT_SCORE_URL", url)
        monkeypatch.setenv("COLUMNS", "80")
        text = run("quality").output
        assert json.loads(run("quality", "--json").output)["quality"][0]["version"] == "3"
    assert "version 3" in text
    assert "in Delhi" in text
    assert "0.800-0.880" in text
    assert "TREATMENT" in text
    assert "0.710-0.870" in text
    assert "0.999" not in text  # of one note: its interval is everything
    assert "none yet" in text


def test_quality_says_when_the_scorekeeper_is_not_ready_or_not_there(monkeypatch):
    with Answer(503, {}) as url:
        monkeypatch.setenv("RXTRACT_SCORE_URL", url)
        assert "still reading" in str(run("quality").exception)
    assert "does not answer" in str(run("quality").exception)
