"""`rxtract fhir` as typed: rows in, documents out, and what a user can get wrong."""

import json
import os

import pytest
import typer
from rxtract.app import build
from rxtract.errors import UserError
from rxtract_fhir import check
from typer.testing import CliRunner

run = CliRunner()
TEXTS = ("K/c/o T2DM. Tab Metformin 500 mg BD x 10 days.", "No h/o DM. Allergic to penicillin.")


@pytest.fixture(scope="module")
def app():
    made = typer.Typer()
    made.callback()(lambda: None)
    for command in build(["fhir"]).registered_commands:
        made.command("fhir")(command.callback)
    return made


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text("".join(json.dumps({"id": f"n{n}", "text": text}) + "\n" for n, text in enumerate(TEXTS, 1)))
    os.utime(path, (1_796_011_200, 1_796_011_200))
    return path


def typed(app, *words):
    result = run.invoke(app, ["fhir", *map(str, words)])
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


def resources(bundle, name):
    return [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == name]


@pytest.mark.parametrize("profile", ["op-consult", "prescription", "r4"])
def test_a_note_in_is_a_document_out_and_the_same_bytes_again(app, notes, profile):
    first = run.invoke(app, ["fhir", "--file", str(notes), "--profile", profile])
    assert first.exit_code == 0, first.output
    found = [json.loads(line) for line in first.stdout.splitlines()]
    assert [one["entry"][0]["resource"]["identifier"]["value"] for one in found] == ["n1", "n2"]
    assert [check(one) for one in found] == [[], []]
    assert found[0]["timestamp"] == "2026-11-30T04:00:00.000Z"
    assert run.invoke(app, ["fhir", "--file", str(notes), "--profile", profile]).stdout == first.stdout


def test_what_is_said_of_a_drug_and_codes_are_in_the_document(app, notes):
    _, (first, second) = typed(app, "--file", notes)
    (request,) = resources(first, "MedicationRequest")
    assert request["dosageInstruction"][0]["timing"]["repeat"]["frequency"] == 2
    (condition,) = resources(first, "Condition")
    assert condition["code"]["coding"][0]["code"] == "E11.9"
    assert not resources(second, "Condition")
    _, (_, second) = typed(app, "--file", notes, "--refuted", "--no-codes")
    (condition,) = resources(second, "Condition")
    assert condition["verificationStatus"]["coding"][0]["code"] == "refuted"
    assert "coding" not in condition["code"]
    _, (old, _) = typed(app, "--file", notes, "--guide", "2.0.1")
    assert "coding" not in resources(old, "Condition")[0]["code"]


def test_a_bad_row_is_said_in_its_place(app, tmp_path):
    path = tmp_path / "notes.jsonl"
    rows = ['{"id": "a", "text": "T2DM"}', "no JSON", '{"id": "b", "text": "HTN", "written_at": "yesterday"}', '{"id": "c", "text": "HTN", "written_at": "2026-11-30T09:30:00+05:30", "patient_ref": "p1"}']  # fmt: skip
    path.write_text("\n".join(rows))
    code, found = typed(app, "--file", path)
    assert code == 1
    assert ["error" in one for one in found] == [False, True, True, False]
    assert (found[1]["id"], found[2]["id"]) == (2, "b")
    assert resources(found[3], "Patient")[0]["identifier"][0]["value"] == "p1"
    assert resources(found[3], "Encounter")[0]["period"]["start"] == "2026-11-30T04:00:00.000Z"


def test_rows_that_were_extracted_before_need_no_model(app, tmp_path):
    said = {"status": "PRESENT", "time": "CURRENT", "experiencer": "PATIENT"}
    entity = {"entity_id": "e1", "label": "DISEASE", "text": "Oddity", "assertion": said}
    path = tmp_path / "found.jsonl"
    rows = [{"id": 7, "entities": [entity]}, {"id": 8, "error": "no"}, {"id": 9, "entities": [entity | {"label": 1}]}]
    path.write_text("\n".join(map(json.dumps, rows)))
    code, found = typed(app, "--file", path, "--model", "/there/is/none")
    assert code == 1
    assert resources(found[0], "Condition")[0]["code"] == {"text": "Oddity"}
    assert [one.get("id") for one in found[1:]] == [8, 9]
    assert "Oddity" not in json.dumps(found[1:])


def test_bundles_are_checked(app, notes, tmp_path):
    made = run.invoke(app, ["fhir", "--file", str(notes)]).stdout.splitlines()
    bad = json.loads(made[0])
    bad["entry"].pop(1)
    path = tmp_path / "bundles.ndjson"
    path.write_text("\n".join([made[0], json.dumps(bad), "no JSON"]))
    code, found = typed(app, "--check", path)
    assert code == 1
    assert [bool(one["problems"]) for one in found] == [False, True, True]
    assert "dangling reference" in " ".join(found[1]["problems"])
    (tmp_path / "one.json").write_text(json.dumps(json.loads(made[0]), indent=1))
    assert typed(app, "--check", tmp_path / "one.json")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give --file NOTES"),
        (["--file", "none.jsonl"], "cannot be read"),
        (["--file", "NOTES", "--profile", "ccda"], "give one of op-consult"),
        (["--file", "NOTES", "--guide", "x"], "no version of ABDM's guide"),
        (["--file", "NOTES", "--source", "A B"], "no source"),
        (["--file", "NOTES", "--written-at", "noon"], "--written-at must be a date"),
    ],
)
def test_what_a_user_can_get_wrong_is_one_line(app, notes, words, said):
    result = run.invoke(app, ["fhir", *(str(notes) if word == "NOTES" else word for word in words)])
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception)
