"""`rxtract sql` by code, `rxtract omop` and `rxtract terminology gaps` on a folder of records."""

import csv
import json
from zoneinfo import ZoneInfo

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
from enricher.domain.coding import NoteCoder
from outcomes.records_at_rest import CODES, CODES_SCHEMA, RecordsAtRest, Stretch, codes_row_of, row_of
from rxtract.app import build
from terminology import Coder
from typer.testing import CliRunner

ZONE = ZoneInfo("Asia/Kolkata")
SAID = Assertion(
    status=AssertionStatus.PRESENT,
    time=AssertionTime.CURRENT,
    experiencer=Experiencer.PATIENT,
    cue_start=-1,
    cue_end=-1,
)
MENTIONS = ["htn", "hypertension", "HTN", "Hypertension", "high BP", "=cmd|zorbitis", "=cmd|zorbitis"]


def run(*arguments):
    return CliRunner().invoke(build(arguments[:1]), list(arguments))


def event(number, text):
    one = Entity(
        entity_id="e1",
        label=EntityLabel.DISEASE,
        text=text,
        start=0,
        end=len(text),
        confidence=0.9,
        assertion=SAID,
    )
    return EntitiesExtracted(
        event_id=f"e{number}",
        source="clinic",
        note_id=f"n{number}",
        revision=1,
        rules_version="",
        rules_serial=0,
        patient_ref=f"p{number}",
        model=ModelRef(name="m", version="1", serial=1),
        segment=Segment(city="Pune", specialty="x"),
        written_at=1_795_000_000_000,
        accepted_at=1_795_000_000_000,
        extracted_at=1_795_000_000_000,
        note_confidence=0.9,
        entities=(one,),
        relations=(),
        review=Review(requested=False),
    )


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Coded by the base table as the enricher codes."""
    folder, coder = tmp_path_factory.mktemp("records"), NoteCoder(Coder.open())
    events = [event(number, text) for number, text in enumerate(MENTIONS)]
    for place, schema, rows in (
        (folder, None, [row_of(one, ZONE) for one in events]),
        (folder / CODES, CODES_SCHEMA, [codes_row_of(coder.coded(one), ZONE) for one in events]),
    ):
        sink = RecordsAtRest(place) if schema is None else RecordsAtRest(place, schema=schema)
        sink.append([Stretch("t", 0, 0, len(rows), rows)])
        sink.close()
    return str(folder)


def test_htn_and_hypertension_are_one_row(records):
    answer = run("sql", "diseases-by-code", "--records", records, "--json")
    assert answer.exit_code == 0, answer.output
    (row,) = json.loads(answer.output)
    assert (row["code"], row["patients"], row["spellings"]) == ("I10", 5, 3)


def test_fewer_than_five_patients_are_hidden(records):
    assert (
        json.loads(run("sql", "diseases-by-code", "--records", records, "--json", "--least-patients", "6").output) == []
    )


def test_a_csv_of_codes(records):
    answer = run("sql", "SELECT DISTINCT code, category FROM codes", "--records", records, "--csv")
    assert answer.output == "code,category\nI10,I10\n"


def test_gaps_are_frequent_mentions_without_a_code(records):
    answer = run("terminology", "gaps", "--records", records, "--least-patients", "2", "--json")
    assert json.loads(answer.output) == [{"mention": "=cmd|zorbitis", "label": "DISEASE", "patients": 2, "notes": 2}]
    assert (
        "1 of 3 frequent mentions" in run("terminology", "gaps", "--records", records, "--least-patients", "2").output
    )
    assert "no mention rests on 99" in run("terminology", "gaps", "--records", records, "--least-patients", "99").output


def test_omop_writes_every_mention_once_and_never_over_a_file(records, tmp_path):
    target = tmp_path / "note_nlp.csv"
    answer = run("omop", str(target), "--records", records)
    assert answer.exit_code == 0, answer.output
    assert answer.output.startswith("7 mentions of 7 notes")
    assert target.stat().st_mode & 0o777 == 0o600
    with target.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["lexical_variant"] for row in rows] == [*MENTIONS[:5], "'=cmd|zorbitis", "'=cmd|zorbitis"]
    assert sum("code=http://hl7.org/fhir/sid/icd-10|I10" in row["term_modifiers"] for row in rows) == 5
    with target.with_suffix(".notes.csv").open() as lines:
        numbers = {row["note_id"]: row["source_note_id"] for row in csv.DictReader(lines)}
    assert [numbers[row["note_id"]] for row in rows] == [f"n{number}" for number in range(7)]
    again = run("omop", str(target), "--records", records)
    assert again.exit_code != 0
    assert "exists: give a new file" in str(again.exception)
