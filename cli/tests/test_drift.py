"""`rxtract drift backtest` as typed, over a tagger that counts unknown words."""

import json
from types import SimpleNamespace

import pytest
import typer
from clinical_ner import tracking_download
from clinical_ner.tracking_download import OpenedModel
from rxtract.commands import drift
from rxtract.errors import UserError
from typer.testing import CliRunner

REFERENCE = {"reference": {"oov_share": {"mean": 0.1, "sd": 0.08, "block_mean_sd": 0.016}}}


class CountingTagger:
    metadata = REFERENCE

    def tag(self, texts):
        return [SimpleNamespace(statistics=self.count(text.split())) for text in texts]

    def count(self, words):
        unknown = sum(word.startswith("x") for word in words)
        return SimpleNamespace(
            tokens=len(words), oov_tokens=unknown, chars=50, unknown_chars=0, disease_entities=0, treatment_entities=0,
            disease_tokens=0, treatment_tokens=0, negated_entities=0, uncertain_entities=0, confidence=0.97,
        )  # fmt: skip


@pytest.fixture
def run(monkeypatch):
    tagger = CountingTagger()
    monkeypatch.setattr(tracking_download, "open_model", lambda *_: OpenedModel(tagger, "here", "0"))
    app = typer.Typer()
    app.add_typer(drift.app, name="drift")

    def _run(*words):
        return CliRunner().invoke(app, ["drift", "backtest", "--model", "m", *map(str, words)])

    _run.tagger = tagger
    return _run


def write(path, n, shifted_after):
    rows = []
    for index in range(n):
        unknown = 3 + index % 2 if index >= shifted_after else index % 3
        row = {"text": " ".join(["x"] * unknown + ["word"] * (10 - unknown)), "city": "Pune"}
        rows.append(row | ({"written_at": "2026-03-01T10:00:00+05:30"} if index % 2 else {}))
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_a_shift_is_told_as_json_and_in_words(run, tmp_path):
    notes = write(tmp_path / "notes.jsonl", 2_000, 1_000)
    alarms = json.loads(run("--notes", notes, "--json").stdout)["alarms"]
    assert {(alarm["segment"], alarm["statistic"]) for alarm in alarms} == {
        ("all", "oov_share"),
        ("city=Pune", "oov_share"),
    }
    assert all(alarm["direction"] == "WORSE" and 1_000 <= alarm["note_index"] < 1_200 for alarm in alarms)
    assert alarms[0]["from"] == pytest.approx(0.1, abs=0.01)
    assert "share of unknown words in Pune rose from 10 %" in run("--notes", notes).stdout


def test_quiet_notes_raise_nothing(run, tmp_path):
    notes = write(tmp_path / "notes.jsonl", 1_000, 1_000)
    assert json.loads(run("--notes", notes, "--json").stdout) == {"alarms": []}
    assert "no alarm" in run("--notes", notes).stdout


NO_NOTES = [
    "nonsense",
    "{}",
    '{"text": 3}',
    "[]",
    "[" * 100_000,
    '{"text": "a", "written_at": "soon"}',
    '{"text": "a", "written_at": Infinity}',
    '{"text": "a", "written_at": NaN}',
    '{"text": "a", "written_at": 1e300}',
    '{"text": "a", "written_at": true}',
    '{"text": "a", "written_at": "0001-01-01"}',
]


@pytest.mark.parametrize("line", NO_NOTES, ids=lambda line: line[:45])
def test_a_line_that_is_no_note_is_named(run, tmp_path, line):
    path = tmp_path / "notes.jsonl"
    path.write_text('{"text": "a"}\n' + line, encoding="utf-8")
    result = run("--notes", path)
    assert isinstance(result.exception, UserError)
    assert "line 2" in str(result.exception)


def test_what_is_missing_is_told(run, tmp_path):
    assert "cannot be read" in str(run("--notes", tmp_path / "none").exception)
    notes = write(tmp_path / "notes.jsonl", 10, 5)
    assert "time zone" in str(run("--notes", notes, "--timezone", "Mars").exception)
    run.tagger.metadata = {}
    assert "reference" in str(run("--notes", notes).exception)
