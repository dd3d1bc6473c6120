"""`rxtract extract --file` and `rxtract assertion`: one row in, one row out, in order, whatever a row holds."""

from __future__ import annotations

import json
import re
from typing import ClassVar

import pytest
import typer
from clinical_ner.meaning import read_spans
from clinical_ner.notes import Label, Span
from clinical_ner.tagger import Entity, NoteStatistics, TaggedNote
from clinical_ner.tracking_download import OpenedModel
from rxtract.commands import assertion, extract
from rxtract.errors import UserError
from typer.testing import CliRunner

LABELS = {"DM": Label.DISEASE, "HTN": Label.DISEASE, "metformin": Label.TREATMENT}


class Tagger:
    """Finds three names, and reads what the note says of them."""

    metadata: ClassVar[dict[str, object]] = {}
    rules_version = "test"

    def tag(self, texts):
        return [self._note(text) for text in texts]

    def _note(self, text):
        spans = [Span(m.start(), m.end(), LABELS[m[0]]) for m in re.finditer("DM|HTN|metformin", text)]
        found = read_spans(text, spans)
        entities = tuple(
            Entity(span.label, span.start, span.end, 0.9, said, taken)
            for span, said, taken in zip(spans, found.assertions, found.prescriptions, strict=True)
        )
        return TaggedNote(entities, found.relations, 0.9, NoteStatistics(*[0] * 10, 0.9))


@pytest.fixture
def run(monkeypatch):
    opened = OpenedModel(Tagger(), "test", "")
    monkeypatch.setattr(extract, "opened_model", lambda _model: opened)
    app = typer.Typer()
    app.command("extract")(extract.extract)
    app.command("assertion")(assertion.assertion)

    def _run(*words, code=0):
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    return _run


def rows(output):
    return [json.loads(line) for line in output.splitlines()]


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_row_has_exactly_the_stated_keys(run, tmp_path):
    file = written(tmp_path, "a.jsonl", '{"id": "n1", "text": "Tab metformin 500 mg BD for DM, no HTN"}\n')
    (row,) = rows(run("extract", "--file", file, "--json"))
    assert list(row) == ["id", "entities", "relations"]
    treatment, disease, denied = row["entities"]
    assert list(treatment) == "entity_id label text start end confidence assertion prescription".split()
    assert list(treatment["assertion"]) == "status time experiencer cue_start cue_end".split()
    assert treatment["prescription"]["strength"] == "500 mg"
    assert disease["prescription"] is None
    assert denied["assertion"]["status"] == "NEGATED"
    (relation,) = row["relations"]
    assert list(relation) == "type treatment disease treatment_id disease_id confidence".split()
    assert (relation["type"], relation["treatment"], relation["disease_id"]) == ("TREATS", "metformin", "e2")


def test_every_kind_of_file_gives_a_row_a_note_in_order(run, tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    written(folder, "b.txt", "HTN\nDM")
    written(folder, "a.txt", "no DM")
    cases = [
        (written(tmp_path, "a.jsonl", '{"id": 7, "text": "DM"}\n\n{"text": "HTN"}\n'), [7, 3]),
        (written(tmp_path, "a.csv", 'id,text\nx,"DM,\nHTN"\n,DM\n'), ["x", 2]),
        (written(tmp_path, "b.csv", "\ufeffTEXT\nDM\n"), [1]),
        (written(tmp_path, "a.txt", "DM\r\n\r\nHTN"), [1, 2, 3]),
        (folder, ["a.txt", "b.txt"]),
    ]
    for file, ids in cases:
        found = rows(run("extract", "--file", file, "--json"))
        assert [row["id"] for row in found] == ids, file
        assert all("error" not in row for row in found)
    assert [len(row["entities"]) for row in found] == [1, 2]


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"text": 3}',
        b'{"id": [1], "text": "DM"}',
        b'{"text": "\\ud800"}',
        b'{"text": "\xff"}',
        b'{"text": "DM", "spans": 3}',
        b'{"text": "DM", "spans": [3]}',
        b'{"text": "DM", "spans": [{"start": 0, "end": 9, "label": "DISEASE"}]}',
        b'{"text": "DM", "spans": [{"start": 0, "end": 2, "label": "WEATHER"}]}',
        b"[" * 100_000,
    ],
)
def test_a_bad_row_stands_in_its_place_and_the_exit_code_says_so(run, tmp_path, bad):
    file = written(tmp_path, "a.jsonl", b'{"text": "DM"}\n' + bad + b'\n{"text": "HTN"}\n')
    first, refused, last = rows(run("extract", "--file", file, "--json", code=1))
    assert set(refused) == {"id", "error"}
    assert refused["error"]
    assert (first["id"], last["id"]) == (1, 3)
    spans = rows(run("assertion", file, "--json", code=1))
    assert [list(row) for row in spans] == [["id", "error"]] * 3


def test_bad_rows_of_other_files(run, tmp_path):
    cases = [
        written(tmp_path, "a.csv", b"text\nDM\n\xff\nHTN\n"),
        written(tmp_path, "b.csv", b"text\nDM\nHTN,too much\nHTN\n"),
        written(tmp_path, "a.txt", b"DM\n\xff\xfe\nHTN\n"),
    ]
    for file in cases:
        found = rows(run("extract", "--file", file, "--json", code=1))
        assert ["error" in row for row in found] == [False, True, False], file


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [("a.csv", "note\nDM\n", 'no column "text"'), ("a.docx", "x", "kind of this file is unknown")],
)
def test_a_file_that_cannot_be_meant_is_one_line(run, tmp_path, name, content, match):
    with pytest.raises(UserError, match=match):
        run("extract", "--file", written(tmp_path, name, content), "--json")


def test_no_file_an_empty_folder_and_both_are_one_line(run, tmp_path):
    for words, match in [
        (("--file", tmp_path / "none.txt"), "cannot be read"),
        (("--file", tmp_path), "holds no .txt"),
        (("DM", "--file", tmp_path), "give either"),
        ((), "give either"),
    ]:
        with pytest.raises(UserError, match=match):
            run("extract", *words)


def test_given_spans_are_judged_and_not_found_anew(run, tmp_path):
    record = {"text": "no fever, DM", "spans": [{"start": 3, "end": 8, "label": "DISEASE", "note": "kept"}], "more": 1}
    file = written(tmp_path, "a.jsonl", json.dumps(record) + "\n")
    (row,) = rows(run("extract", "--file", file, "--json"))
    assert [(entity["text"], entity["assertion"]["status"]) for entity in row["entities"]] == [("fever", "NEGATED")]
    (row,) = rows(run("assertion", file, "--json"))
    expected = {**record["spans"][0], "status": "NEGATED", "time": "CURRENT", "experiencer": "PATIENT"}
    assert row == {**record, "spans": [expected]}


def test_people_read_words(run, tmp_path):
    shown = run("extract", "no DM, tab metformin 500 mg BD SOS x 5 days for HTN")
    assert "negated by 'no'" in shown
    assert "tablet, 500 mg, 2 x per day, as needed, for 5 days" in shown
    assert "for HTN" in shown
    file = written(tmp_path, "a.jsonl", '{"text": "no DM", "spans": [{"start": 3, "end": 5, "label": "DISEASE"}]}\n')
    assert "negated by 'no'" in run("assertion", file)
    assert "negated by 'no'" in run("extract", "--file", file)
