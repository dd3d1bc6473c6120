"""`rxtract deid` as other programs call it."""

import json

import pytest
from rxtract.commands.deid import deid
from typer import Typer
from typer.testing import CliRunner

NOTE = "Mr. Ramesh Kumar, 9876543210, has DM since 12/03/2020. Ramesh takes metformin."


@pytest.fixture
def run():
    app = Typer()
    app.command()(deid)
    return lambda *words: CliRunner().invoke(app, list(map(str, words)))


def rows(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_one_row_in_one_row_out_with_offsets_of_the_original(run, tmp_path):
    file = tmp_path / "notes.jsonl"
    lines = [
        {"id": "a", "text": NOTE},
        {"text": "fever x 3/7, BP 120/80"},
        {"text": 5},
        "no object",
        {"id": "e", "text": ""},
    ]
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    result = run("--file", file, "--json")
    assert result.exit_code == 1
    found = rows(result)
    assert [row["id"] for row in found] == ["a", 2, 3, 4, "e"]
    assert found[0]["text"] == "Mr. [NAME], [PHONE], has DM since [DATE]. [NAME] takes metformin."
    assert [NOTE[span["start"] : span["end"]] for span in found[0]["spans"]] == [
        "Ramesh Kumar",
        "9876543210",
        "12/03/2020",
        "Ramesh",
    ]
    assert found[1] == {"id": 2, "text": "fever x 3/7, BP 120/80", "spans": []}
    assert set(found[2]) == set(found[3]) == {"id", "error"}
    assert found[4] == {"id": "e", "text": "", "spans": []}


@pytest.mark.parametrize(("name", "content"), [("n.csv", f'id,text\n7,"{NOTE}"\n'), ("n.txt", NOTE + "\n")])
def test_other_forms_of_files(run, tmp_path, name, content):
    file = tmp_path / name
    file.write_text(content)
    result = run("--file", file, "--json")
    assert result.exit_code == 0
    (row,) = rows(result)
    assert "Ramesh" not in row["text"]


def test_a_folder_of_texts(run, tmp_path):
    (tmp_path / "one.txt").write_text(NOTE)
    (row,) = rows(run("--file", tmp_path, "--json"))
    assert row["id"] == "one.txt"


def test_surrogates_are_the_same_under_a_key(run, tmp_path):
    file, key = tmp_path / "notes.jsonl", tmp_path / "key"
    file.write_text(
        json.dumps({"text": NOTE, "patient": "p1"})
        + "\n"
        + json.dumps({"text": "Ramesh is well", "patient": "p1"})
        + "\n"
    )
    key.write_bytes(b"0123456789abcdef0123456789abcdef")
    key.chmod(0o600)
    first = run("--file", file, "--json", "--style", "surrogate", "--key-file", key)
    assert first.exit_code == 0, first.output
    assert first.stdout == run("--file", file, "--json", "--style", "surrogate", "--key-file", key).stdout
    assert first.stdout != run("--file", file, "--json", "--style", "surrogate").stdout
    assert not {"Ramesh", "9876543210", "12/03/2020"} & set(first.stdout.replace(",", " ").replace('"', " ").split())


def test_entities_that_came_with_a_row_keep_their_words(run, tmp_path):
    file = tmp_path / "notes.jsonl"
    places = [(NOTE.index(word), word) for word in ("DM", "metformin")]
    spans = [
        {"start": at, "end": at + len(word), "label": label}
        for (at, word), label in zip(places, ("DISEASE", "TREATMENT"), strict=True)
    ]
    file.write_text(json.dumps({"text": NOTE, "spans": spans}) + "\n")
    (row,) = rows(run("--file", file, "--json"))
    assert [row["text"][one["start"] : one["end"]] for one in row["entities"]] == ["DM", "metformin"]


def test_a_text_without_a_file(run):
    result = run("Seen by Dr. Wankhade on 12/03/2024")
    assert result.stdout == "Seen by Dr. [NAME] on [DATE]\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a note", "--file", "x.txt"],
        ["--file", "missing.jsonl"],
        ["a", "--key-file", "k"],
        ["a", "--style", "surrogate", "--key-file", "missing"],
    ],
)
def test_wrong_use_is_one_clear_line(run, words):
    result = run(*words)
    assert result.exit_code
    assert not result.stdout
