"""The week as a document: every KPI in it, fonts embedded, and clear lines for what a user can get wrong."""

import csv
import json
import re

import pytest
from outcomes.kpis import KPIS, REMEDIES
from rxtract.app import build
from rxtract.commands import report as command
from rxtract.report_pdf import shown
from typer.testing import CliRunner

DAYS = {"2026-11-17": 0.5, "2026-11-18": None}


@pytest.fixture
def answers(monkeypatch):
    kpis = {
        kpi.name: {
            "title": kpi.title, "value": 0.5, "unit": kpi.unit, "target": kpi.target, "better": kpi.better, "days": DAYS,
            "met": None if kpi.target is None else False, "sentence": kpi.sentence, "remedy": REMEDIES.get(kpi.name, ""),
        }
        for kpi in KPIS
    }  # fmt: skip
    assumed = {"entry_minutes": 4.0, "validator_rupees_per_hour": 300.0, "machine_rupees_per_hour": 60.0}
    window = {"name": "week", "first_day": "2026-11-17", "last_day": "2026-11-18"}
    asked = []

    def ask(url):
        asked.append(url)
        return json.loads(json.dumps({"window": window, "assumed": assumed, "kpis": kpis}))

    monkeypatch.setattr(command, "ask", ask)
    return asked


@pytest.fixture
def stack(tmp_path):
    (tmp_path / "stack.json").write_text(json.dumps({"score_url": "http://127.0.0.1:1"}))
    return str(tmp_path / "stack.json")


def run(*arguments):
    return CliRunner().invoke(build(["report"]), ["report", *arguments])


def test_the_csv_has_every_kpi_and_its_days(answers, stack, tmp_path):
    out = tmp_path / "week.csv"
    result = run(str(out), "--stack", stack)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    assert [row["name"] for row in rows] == [kpi.name for kpi in KPIS]
    assert rows[0]["2026-11-17"] == "0.5"
    assert rows[0]["2026-11-18"] == ""
    assert answers == ["http://127.0.0.1:1/api/kpis?window=week"]


def test_the_pdf_embeds_its_fonts_and_has_a_page_for_each_dozen(answers, stack, tmp_path):
    out = tmp_path / "week.pdf"
    result = run(str(out), "--stack", stack)
    assert result.exit_code == 0, result.output
    content = out.read_bytes()
    assert len(re.findall(rb"/Type /Page\b", content)) == -(-len(KPIS) // 12)
    fonts = re.findall(rb"/BaseFont /(\S+)", content)
    assert fonts
    assert content.count(b"/FontFile2") == len(set(fonts))


def test_another_ending_is_refused(answers, stack, tmp_path):
    result = run(str(tmp_path / "week.docx"), "--stack", stack)
    assert result.exit_code != 0
    assert "ends in .pdf or .csv" in str(result.exception)


def test_values_are_shown_with_their_unit():
    assert shown(0.934, "share") == "93.4 %"
    assert shown(None, "days") == "-"
    assert shown(1234.5, "rupees") == "1,234 INR"
