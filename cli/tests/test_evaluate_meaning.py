"""`rxtract evaluate` on notes that are annotated with what they say."""

from __future__ import annotations

import json

import pytest
import typer
from clinical_ner.meaning_evaluation import score_own_entities
from clinical_ner.notes import AnnotatedNote, Label, Span, SpanMeaning
from clinical_ner.predictions import Prediction
from corpus import generate
from corpus.loaders_jsonl import dump_jsonl
from rxtract.commands import evaluate
from rxtract.errors import UserError
from typer.testing import CliRunner


@pytest.fixture
def run():
    app = typer.Typer()
    app.command("evaluate")(evaluate.evaluate)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def facts(tmp_path):
    path = tmp_path / "facts.jsonl"
    path.write_text("\n".join(dump_jsonl(generate(4, 120, style="facts"))), encoding="utf-8")
    return path


def test_rules_are_scored_by_class_without_a_model(run, facts):
    scores = json.loads(run("--data", facts, "--json").stdout)
    assert set(scores["meaning"]["classes"]) == {"status", "time", "experiencer", "relation", "attribute"}
    assert scores["meaning"]["classes"]["status"]["NEGATED"]["support"] > 20
    assert {"assertion", "relations", "attributes", "prescription_lines"} <= set(scores["meaning"]["shares"])
    assert scores["meaning"]["treats_wrong"] >= 0
    assert scores["notes"] == 120
    assert scores["rules_version"]


def test_people_get_a_table(run, facts):
    shown = run("--data", facts).stdout
    assert "status NEGATED" in shown
    assert "relation TREATS" in shown
    assert "prescription attributes right" in shown


def test_units_a_day_of_directions(run, tmp_path):
    path = tmp_path / "sigs.tsv"
    path.write_text("sig\tmax_units_a_day\n1 tab twice daily\t2\n1 tab BD then taper\t2\n", encoding="utf-8")
    shares = json.loads(run("--data", path, "--json").stdout)["meaning"]["shares"]
    assert shares["daily_units"] == {"share": 0.5, "of": 2}


def test_without_a_model_there_must_be_something_for_rules(run, tmp_path):
    path = tmp_path / "plain.jsonl"
    path.write_text('{"text": "DM", "spans": [[0, 2, "D"]]}\n', encoding="utf-8")
    result = run("--data", path)
    assert isinstance(result.exception, UserError)
    assert "give --model" in str(result.exception)


def test_own_entities_that_carry_no_assertion_are_unknown():
    note = AnnotatedNote(
        "No DM", (Span(3, 5, Label.DISEASE),), meanings=(SpanMeaning("NEGATED", "CURRENT", "PATIENT"),)
    )
    found = score_own_entities([note, note], [Prediction(note.spans), Prediction(())])
    assert found["found"] == {"share": 0.5, "of": 2}
    assert found["status"] == {"share": 0.0, "of": 1}
    assert found["negated_as_present"] == {"count": 0, "of": 2}
