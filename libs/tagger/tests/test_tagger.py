"""The front door of Python: what it opens, what it gives, and that its rows are the command line's."""

import json
from pathlib import Path

import pytest
from clinical_ner.tracking_download import ModelUnavailable
from rxtract.app import build
from rxtract.first_model import first_model
from rxtract_tagger import BadRow, NotesUnreadable, Tagger, shipped
from rxtract_tagger.found import ENTITY_COLUMNS, RELATION_COLUMNS, FoundNotes
from typer.testing import CliRunner

pytestmark = pytest.mark.slow  # they open the shipped model, which the first of all makes

NOTE = "k/c/o T2DM and HTN, no h/o asthma. Started tab metformin 500 mg BD for T2DM"


@pytest.fixture(scope="module")
def tagger():
    return Tagger.open()


def test_a_note_gives_entities_with_all_that_is_said_of_them(tagger):
    note = tagger.tag(NOTE)
    assert [(one.entity_id, str(one.label), one.text) for one in note] == [
        ("e1", "DISEASE", "T2DM"),
        ("e2", "DISEASE", "HTN"),
        ("e3", "DISEASE", "asthma"),
        ("e4", "TREATMENT", "metformin"),
        ("e5", "DISEASE", "T2DM"),
    ]
    assert note[2].assertion.status == "NEGATED"
    assert (note[3].prescription.strength, note[3].prescription.frequency) == ("500 mg", 2)
    assert all(NOTE[one.start : one.end] == one.text for one in note)
    assert 0 <= note.confidence <= 1


def test_many_texts_are_told_apart_by_their_places(tagger):
    notes = tagger.tag(iter(["", "no DM", NOTE]))
    assert [note.id for note in notes] == [1, 2, 3]
    assert [len(note) for note in notes[1:]] == [1, 5]
    assert len(tagger.tag([])) == 0


def test_what_is_no_text_is_named_by_its_place(tagger):
    with pytest.raises(TypeError, match="text 1 is NoneType, not str"):
        tagger.tag(["DM", None])


def test_a_file_gives_the_rows_of_the_command_line(tagger, tmp_path):
    file = tmp_path / "notes.jsonl"
    rows = [
        {"id": "a", "text": NOTE},
        {"id": "b"},
        {"text": "allergic to penicillin, ?dengue"},
        {"id": "c", "text": "no DM", "spans": [{"start": 3, "end": 5, "label": "D"}]},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    printed = CliRunner().invoke(build(["extract"]), ["extract", "--file", str(file), "--json"])
    assert printed.exit_code == 1, "one row is bad"
    notes = tagger.tag_file(file)
    assert notes.to_dicts() == [json.loads(line) for line in printed.stdout.splitlines()]
    assert [one.row_id for one in notes.errors] == ["b"]
    assert len(notes) == 3
    assert notes[2].confidence is None, "its entities were given"


def test_a_table_has_a_row_an_entity_and_one_a_relation(tagger):
    notes = tagger.tag([NOTE, "Fever"])
    entities, relations = notes.to_pandas(), notes.relations_to_pandas()
    assert tuple(entities.columns) == ENTITY_COLUMNS
    assert tuple(relations.columns) == RELATION_COLUMNS
    assert len(entities) == sum(map(len, notes))
    assert entities.loc[entities.text == "asthma", "status"].tolist() == ["NEGATED"]
    assert entities.loc[entities.text == "metformin", "frequency"].tolist() == [2]
    assert len(relations) == sum(len(note.relations) for note in notes) > 0
    empty = FoundNotes([]).to_pandas()
    assert empty.dtypes.to_dict() == {
        **entities.dtypes.to_dict(),
        **{name: empty[name].dtype for name in empty if empty[name].dtype == object},
    }


def test_a_notebook_shows_colour_and_never_the_text_as_html(tagger):
    shown = tagger.tag("<script>alert(1)</script> no DM")._repr_html_()
    assert "<script>" not in shown
    assert 'class="disease denied"' in shown
    many = tagger.tag(["DM"] * 25)._repr_html_()
    assert many.count("<mark") == 20
    assert "and 5 more" in many
    assert tagger.tag(["DM"]).to_html().startswith("<!doctype html>")


def test_a_folder_a_file_and_the_command_package_open_the_same_model(tagger):
    from rxtract import Tagger as FromTheCommand

    folder = first_model().folder
    assert FromTheCommand is Tagger
    for source in (folder, str(folder / "tables.npz")):
        assert Tagger.open(source).identity == tagger.identity
    assert tagger.identity.version == tagger.identity.sha256[:12]
    assert (tagger.identity.serial, tagger.identity.rules_serial) == (0, 0)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere", "no model there: give the folder"),
        ("models:/rxtract-ner@champion", "no MLflow address"),
        ("3", "models:/rxtract-ner/3: no MLflow address"),
    ],
)
def test_what_cannot_be_opened_says_what_to_do(source, words, monkeypatch):
    for name in ("RXTRACT_MLFLOW_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ModelUnavailable, match=words):
        Tagger.open(source)


def test_a_file_that_is_not_there_or_of_no_known_kind_is_one_line(tagger, tmp_path):
    with pytest.raises(NotesUnreadable, match="cannot be read"):
        tagger.tag_file(tmp_path / "none.jsonl")
    with pytest.raises(NotesUnreadable, match="kind of this file"):
        tagger.tag_file(Path("notes.docx"))


def test_an_installation_without_a_model_says_so(monkeypatch):
    monkeypatch.setattr(shipped.metadata, "entry_points", lambda **_: ())
    with pytest.raises(ModelUnavailable, match="no model came with this installation"):
        Tagger.open()


def test_rows_that_could_not_be_used_take_their_place():
    bad = BadRow(7, "no text")
    assert FoundNotes([bad]).to_dicts() == [{"id": 7, "error": "no text"}]
