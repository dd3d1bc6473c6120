"""`rxtract keys` and `rxtract erase` on files alone: what an operator types, and every slip answered by one line."""

import json
from pathlib import Path

import pytest
from outcomes.records_at_rest import SCHEMA, RecordsAtRest, Stretch
from runtime.service.pseudonyms import Pseudonyms
from rxtract.app import build
from rxtract.errors import UserError
from sealing import KeyErased, SqliteKeyStore, open_keys
from typer.testing import CliRunner

PSEUDONYM_KEY = b"p" * 32


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name, file in (("KEY_STORE", "keys.db"), ("MASTER_KEY", "master.key"), ("PSEUDONYM_KEY", "pseudonym.key")):
        monkeypatch.setenv(f"RXTRACT_{name}_FILE", str(tmp_path / file))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rxtract.addresses._running", lambda: Path("stack.json"))
    (tmp_path / "pseudonym.key").write_bytes(PSEUDONYM_KEY)
    return tmp_path


def typed(*words, error=""):
    result = CliRunner().invoke(build(words), list(words))
    if error:
        assert isinstance(result.exception, UserError), result.output
        assert error in str(result.exception)
        assert "\n" not in str(result.exception)
        return ""
    assert result.exception is None, result.exception
    return result.stdout


def patient(reference):
    return Pseudonyms(PSEUDONYM_KEY).of("patient", reference)


def keys_of(place):
    return open_keys(place / "keys.db", place / "master.key")


def test_the_life_of_a_key_store(place):
    typed("keys", "init")
    first = keys_of(place).for_subject("p1")
    assert json.loads(typed("keys", "status", "--json")) | {"store": "", "master": ""} == {
        "store": "", "master": "", "keys": 1, "destroyed": 0, "erasures": 0, "under_older_masters": 0,
    }  # fmt: skip
    typed("keys", "backup", "copy.db")
    assert "1 keys are under a new master key" in typed("keys", "rotate")
    assert keys_of(place).of(first.key_id).key_id == first.key_id
    typed("keys", "init", error="there already")
    typed("keys", "backup", "copy.db", error="never overwrites")
    typed("keys", "restore", "copy.db", error="does not hold the master key of this backup")
    typed("keys", "backup", "new.db")
    (place / "keys.db").unlink()
    typed("keys", "status", error="names no key store")
    assert "0 erasures since the backup were done again" in typed("keys", "restore", "new.db")
    assert keys_of(place).of(first.key_id).key_id == first.key_id
    (place / "copy.db").write_bytes(b"damaged" * 500)
    typed("keys", "restore", "copy.db", error="is no whole backup")


@pytest.mark.parametrize("content", ["", "abc", "ab" * 31, "ab" * 32])
def test_a_wrong_or_truncated_master_key_is_one_line(place, content):
    typed("keys", "init")
    (place / "master.key").write_text(content)
    typed("keys", "status", error="RXTRACT_MASTER_KEY_FILE")
    typed("keys", "rotate", error="RXTRACT_MASTER_KEY_FILE")


def test_without_names_of_files_a_line_says_which_variable(place, monkeypatch):
    typed("erase", "--patient", "P1", error="names no key store")
    monkeypatch.delenv("RXTRACT_KEY_STORE_FILE")
    typed("keys", "status", error="RXTRACT_KEY_STORE_FILE")
    typed("erase", "--patient", "P1", error="nothing is sealed and nothing can be erased")
    monkeypatch.delenv("RXTRACT_MASTER_KEY_FILE")
    typed("keys", "status", error="RXTRACT_MASTER_KEY_FILE")


def test_an_erasure_takes_key_and_rows_and_says_so(place, monkeypatch):
    typed("keys", "init")
    keys = keys_of(place)
    gone, kept = keys.for_subject(patient("P1")), keys.for_subject(patient("P2"))
    monkeypatch.setenv("RXTRACT_RECORDS_DIR", str(place / "records"))
    records = RecordsAtRest(place / "records")
    rows = [dict.fromkeys(SCHEMA.names) | {"patient_ref": patient(name), "day": "2026-01-01"} for name in ("P1", "P2")]
    records.append([Stretch("t", 0, 0, 2, rows)])
    records.close()
    found = json.loads(typed("erase", "--patient", "P1", "--certificate", "done.json", "--json"))
    assert (found["patient"], found["keys_destroyed"], found["rows_at_rest"]) == (patient("P1"), 1, 0)
    assert json.loads((place / "done.json").read_text()) == found
    assert "P1" not in json.dumps(found)
    fresh = keys_of(place)
    fresh.of(kept.key_id)
    with pytest.raises(KeyErased):
        fresh.of(gone.key_id)
    assert RecordsAtRest(place / "records").manifest.files[0].rows == 1
    again = json.loads(typed("erase", "--patient", "P1", "--json"))
    assert (again["number"], again["erased_at"]) == (found["number"], found["erased_at"])
    assert len(SqliteKeyStore(place / "keys.db").erasures()) == 1
    typed("erase", "--patient", "P3", error="no text was ever sealed for this patient")
    typed("erase", "--patient", "", error="is empty")


def test_an_erasure_by_pseudonym_needs_no_pseudonym_key(place):
    typed("keys", "init")
    keys_of(place).for_subject("abc")
    (place / "pseudonym.key").unlink()
    typed("erase", "--patient", "P1", error="RXTRACT_PSEUDONYM_KEY_FILE cannot be read")
    assert "1 keys destroyed" in typed("erase", "--patient", "abc", "--pseudonym")


def test_access_asks_for_one_of_two_things_and_the_key(place, monkeypatch):
    typed("access", error="give either --patient REF or --note")
    typed("access", "--note", "no-separator", error="SOURCE|ID")
    monkeypatch.delenv("RXTRACT_PSEUDONYM_KEY_FILE")
    typed("access", "--note", "a|b", error="RXTRACT_PSEUDONYM_KEY_FILE")


def test_sealing_without_its_files_is_one_line_for_whoever_reads(place, monkeypatch):
    from rxtract.addresses import read_addresses
    from rxtract.sealed import patient_keys

    monkeypatch.setenv("RXTRACT_SEALING", "on")
    monkeypatch.delenv("RXTRACT_KEY_STORE_FILE")
    with pytest.raises(UserError, match="RXTRACT_KEY_STORE_FILE"):
        patient_keys(read_addresses())


def test_a_letter_that_nobody_here_can_open_is_not_replayed():
    from runtime.kafka.seen import Seen
    from rxtract.replay import replay
    from sealing.letters import SEALED_WITH

    letter = Seen("notes.submitted.v1.dlq", 0, 0, 0, b"k", b"\x02sealed", ((SEALED_WITH, b"id"),), None, "UNKNOWN_KEY")
    sent = []
    import rxtract.replay as module

    original, module._send = module._send, lambda _addresses, records: sent.extend(records)
    try:
        found = replay(None, [letter])
    finally:
        module._send = original
    assert (found.sent, found.unreadable, sent) == (0, 1, [])


@pytest.mark.parametrize(
    ("topic", "line"),
    [
        (
            "notes.accepted.v1",
            "its words are sealed: the patient was erased, or this command has no keys: set RXTRACT_KEY_STORE_FILE",
        ),
        ("entities.coded.v1", "its words are sealed: entities.extracted.v1 shows them"),
    ],
)
def test_a_record_without_its_words_says_why_and_shows_no_ciphertext(topic, line):
    from contracts import files, records
    from contracts.topics import load_topics
    from runtime.kafka.seen import Seen
    from rxtract.commands.tap import describe

    kind = getattr(records, load_topics()[topic].record)
    example = kind.from_json(files.example_files(topic)[0].read_text("utf-8")).to_dict()
    record = kind.from_dict(
        example | {"sealed": b"\x01ciphertext", "encryption_key_id": "k"} | ({"text": ""} if "text" in example else {})
    )
    shown = str(describe(Seen(topic, 0, 0, 0, b"k", b"v", (), record, "")))
    assert line in shown
    assert "ciphertext" not in shown
    assert "sealed" not in str(describe(Seen(topic, 0, 0, 0, b"k", b"v", (), kind.from_dict(example), "")))
