"""Rows at rest whose words are sealed: no byte of the files shows them, and a question with the grant reads them."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest
from contracts.records import (
    EntitiesExtracted,
    Entity,
    EntityLabel,
    ModelRef,
    Prescription,
    Relation,
    RelationType,
    Review,
    ReviewReason,
    Segment,
)
from outcomes.questions import newest_row, open_records
from outcomes.records_at_rest import RecordsAtRest, Stretch, row_of
from outcomes.sealed_rows import opened_row
from sealing import KeyStoreAway, open_keys, opening_words, seal
from sealing.rotation import initialise

ZONE = ZoneInfo("Asia/Kolkata")
AT = 1_794_803_400_000
PRESCRIBED = Prescription(form="tablet", strength="500 mg", frequency=2, period=1, period_unit="d")


@pytest.fixture
def keys(tmp_path):
    initialise(tmp_path / "keys.db", tmp_path / "master.key")
    return open_keys(tmp_path / "keys.db", tmp_path / "master.key")


def event(note, patient="p-0", prescription=None):
    one = Entity(entity_id="e1", label=EntityLabel.DISEASE, text="UTI", start=0, end=3, confidence=0.9)
    two = Entity(
        entity_id="e2",
        label=EntityLabel.TREATMENT,
        text="rest",
        start=4,
        end=8,
        confidence=0.9,
        prescription=prescription,
    )
    return EntitiesExtracted(
        event_id=f"event-{note}", source="clinic", note_id=note, revision=1, rules_version="r1", rules_serial=1,
        patient_ref=patient, model=ModelRef(name="m", version="1", serial=1), segment=Segment(city="Pune", specialty="x"),
        written_at=AT, accepted_at=AT, extracted_at=AT, note_confidence=0.81, entities=(one, two),
        relations=(Relation(type=RelationType.TREATS, treatment_id="e2", disease_id="e1", confidence=0.8),),
        review=Review(requested=False, reason=ReviewReason.NONE),
    )  # fmt: skip


def sealed_event(keys, note, patient):
    return seal(event(note, patient, PRESCRIBED), keys)


def kept(folder, *events):
    sink = RecordsAtRest(folder)
    sink.append([Stretch("t", 0, 0, len(events), [row_of(one, ZONE) for one in events])])
    sink.append([Stretch("t", 0, len(events), len(events) + 1, [row_of(event("clear"), ZONE)])])
    sink.merge_a_day(at_files=2)
    sink.delete_retired()
    sink.close()
    return folder


def words(folder, keys, where="true"):
    with open_records(folder, opens=opening_words(keys)) as records:
        asked = f"SELECT note_id, text, prescription.strength FROM entities WHERE {where} ORDER BY ALL"  # noqa: S608
        return records.execute(asked).fetchall()


def test_no_file_shows_a_word_and_whoever_has_the_grant_reads_them(tmp_path, keys):
    folder = kept(tmp_path / "records", sealed_event(keys, "a", "p-1"), sealed_event(keys, "b", "p-2"))
    rows = {row["note_id"]: row for path in folder.rglob("*.parquet") for row in pq.read_table(path).to_pylist()}
    assert [one["text"] for name in "ab" for one in rows[name]["entities"]] == [""] * 4
    assert not any(word in repr([rows["a"], rows["b"]]) for word in ("UTI", "rest'", "500 mg"))
    of_clear = [("clear", "UTI", None), ("clear", "rest", None)]
    assert words(folder, None, "text <> ''") == of_clear
    assert words(folder, keys) == [
        ("a", "UTI", None), ("a", "rest", "500 mg"), ("b", "UTI", None), ("b", "rest", "500 mg"), *of_clear
    ]  # fmt: skip
    with open_records(folder, opens=opening_words(keys)) as records:
        assert records.execute(
            "SELECT count(*) FROM pairs WHERE treatment = 'rest' AND disease = 'UTI'"
        ).fetchone() == (3,)
        row = opened_row(newest_row(records, "clinic", "a"), opening_words(keys))
        assert [(one["text"], one["start"], one["label"]) for one in row["entities"]] == [
            ("UTI", 0, "DISEASE"),
            ("rest", 4, "TREATMENT"),
        ]
        assert row["entities"][1]["prescription"]["strength"] == "500 mg"


def test_an_erased_patient_has_no_words_and_others_keep_theirs(tmp_path, keys):
    folder = kept(tmp_path / "records", sealed_event(keys, "a", "p-1"), sealed_event(keys, "b", "p-2"))
    keys.store.erase("p-1", 1)
    again = open_keys(tmp_path / "keys.db", tmp_path / "master.key")
    assert words(folder, again, "note_id = 'a'") == [("a", "", None)] * 2
    assert words(folder, again, "note_id = 'b'")[0] == ("b", "UTI", None)


def test_a_row_that_was_moved_or_changed_is_an_error_and_no_empty_word(tmp_path, keys):
    fields = sealed_event(keys, "a", "p-1").to_dict()
    sealed = fields["sealed"]
    for number, changes in enumerate(
        ({"note_id": "b"}, {"sealed": sealed[:-1] + bytes([sealed[-1] ^ 1])}, {"encryption_key_id": "none"})
    ):
        folder = kept(tmp_path / str(number), EntitiesExtracted.from_dict(fields | changes))
        with pytest.raises(duckdb.Error, match=r"BROKEN_SEAL|UNKNOWN_KEY"):
            words(folder, keys)
        with open_records(folder, opens=opening_words(keys)) as records:
            assert records.execute("SELECT count(*) FROM notes").fetchone() == (2,)


def test_without_the_key_store_questions_that_need_no_word_are_answered(tmp_path, keys):
    folder = kept(tmp_path / "records", sealed_event(keys, "a", "p-1"))

    def away(**_row):
        raise KeyStoreAway("the key store does not answer")

    with open_records(folder, opens=away) as records:
        assert records.execute("SELECT count(*), max(city) FROM notes").fetchone() == (2, "Pune")
        with pytest.raises(duckdb.Error, match="the key store does not answer"):
            records.execute("SELECT text FROM entities").fetchall()


def test_a_row_that_waits_is_opened_as_one_at_rest(keys):
    row = row_of(sealed_event(keys, "a", "p-1"), ZONE)
    assert [one["text"] for one in opened_row(row, None)["entities"]] == ["", ""]
    found = opened_row(row, opening_words(keys))["entities"]
    assert [one["text"] for one in found] == ["UTI", "rest"]
    assert found[1]["prescription"]["strength"] == "500 mg"
    assert row["entities"][0]["text"] == "", "the row itself stays sealed"


def test_of_all_rows_of_a_note_only_the_one_that_counts_is_opened(tmp_path, keys):
    events = [
        seal(replace(event("a", "p-1", PRESCRIBED), event_id=f"e{revision}", revision=revision), keys)
        for revision in (1, 3, 2)
    ]
    folder, opened = kept(tmp_path / "records", *events), []

    def counted(**row):
        opened.append(row["revision"])
        return opening_words(keys)(**row)

    with open_records(folder) as records:
        row = opened_row(newest_row(records, "clinic", "a"), counted)
    assert (row["revision"], [one["text"] for one in row["entities"]]) == (3, ["UTI", "rest"])
    assert opened == [3]
