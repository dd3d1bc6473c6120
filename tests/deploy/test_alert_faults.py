"""Every alert has a real fault in deploy/alerts, and the shortened rules differ from the real ones by their times alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy/alerts"))

import catalogue  # noqa: E402
import panels  # noqa: E402
import rules  # noqa: E402
import run  # noqa: E402

RANGE = re.compile(r"(?:\[|offset )(\d+[smhd])")


def by_name(text):
    return {
        rule.get("alert") or rule["record"]: rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]
    }


def test_every_alert_is_fired_by_exactly_one_fault():
    fired = [name for fault in catalogue.FAULTS for name in fault.alerts]
    assert sorted(fired) == sorted(rules.alerts())
    assert len({fault.what for fault in catalogue.FAULTS}) == len(catalogue.FAULTS)


@pytest.mark.parametrize("name", rules.RULES)
def test_only_times_are_shortened(name):
    real, short = by_name((rules.ROOT / "deploy/prometheus" / name).read_text()), by_name(rules.shortened(name))
    assert list(real) == list(short)
    for rule, kept in real.items():
        made = short[rule]
        assert set(RANGE.findall(made["expr"])) <= set(rules.WINDOWS.values())
        for long, brief in rules.AGES.items():
            made["expr"] = made["expr"].replace(brief, long) if "age_seconds" in made["expr"] else made["expr"]
        assert RANGE.sub("", made["expr"]) == RANGE.sub("", kept["expr"])
        assert (made.get("for", "0m") == "0m") == (kept.get("for", "0m") == "0m")
        assert {**made, "expr": "", "for": ""} == {**kept, "expr": "", "for": ""}


@pytest.mark.skipif(
    shutil.which("promtool") is None and os.environ.get("CI") != "true", reason="no promtool: run make tools"
)
def test_the_shortened_rules_parse(tmp_path):
    for name in rules.RULES:
        (tmp_path / name).write_text(rules.shortened(name))
    result = subprocess.run(["promtool", "check", "rules", *rules.RULES], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_page_has_every_alert():
    seen = [run.Seen(name, fault.what, 1.0, 2.0) for fault in catalogue.FAULTS for name in fault.alerts]
    assert set(re.findall(r"^\| (Rxtract\w+) \|", run.page(seen, {}), re.MULTILINE)) == set(rules.alerts())


def rows(page):
    return {line.split(" | ")[0].strip("| "): line for line in page.splitlines() if line.startswith("| Rxtract")}


def test_every_row_says_on_which_day_it_was_seen():
    """A run of some alerts keeps the rows of the others, which are of other days."""
    earlier = rows(run.page([run.Seen(name, "fault", 1.0, 2.0) for name in rules.alerts()], {}, day="2026-01-02"))
    page = run.page([run.Seen("RxtractServiceDown", "new fault", 3.0, 4.0)], earlier, day="2026-03-04")
    found = rows(page)
    assert set(found) == set(rules.alerts())
    assert found["RxtractServiceDown"].endswith("| 2026-03-04 |")
    assert found["RxtractTrainingFails"].endswith("| 2026-01-02 |")
    head = page.partition("| Alert |")[0]
    assert not re.search(r"\d{4}-\d\d-\d\d", head)
    assert all(re.search(r"\| \d{4}-\d\d-\d\d \|$", line) for line in rows(run.PAGE.read_text()).values())


def test_a_run_of_all_alerts_keeps_no_row_of_an_earlier_one():
    everything = set(rules.alerts())
    assert run.kept(everything) == {}
    assert set(run.kept({"RxtractServiceDown"})) == everything
    (line,) = rows(run.page([run.Seen("RxtractServiceDown", "fault", 3.0, 4.0)], run.kept(everything))).values()
    assert line.startswith("| RxtractServiceDown |")


def test_the_page_of_the_last_run_has_every_alert_seen():
    written = run.PAGE.read_text()
    assert set(re.findall(r"^\| (Rxtract\w+) \|", written, re.MULTILINE)) == set(rules.alerts())
    assert "| - |" not in written


class Seen:
    """A world in which Prometheus has read some series and answers some expressions."""

    def __init__(self, names=(), answered=()):
        self._names, self._answered = set(names), set(answered)

    def names(self):
        return self._names

    def ever(self, expression, since_s):
        return expression in self._answered


def test_a_panel_without_data_and_a_metric_that_nobody_read_are_named():
    shown = dict(panels.panels())
    assert len(shown) > 70
    assert not any("$" in expression for asked in shown.values() for expression in asked)
    first, *others = shown
    answered = [shown[name][-1] for name in others]
    assert panels.empty_panels(Seen(answered=answered), 0.0) == [first]
    declared = panels.unread_metrics(Seen())
    assert "rxtract_ready" in declared
    assert "rxtract_handler_seconds" in declared
    read = {"rxtract_ready", "rxtract_handler_seconds_bucket", "rxtract_handler_seconds_count"}
    assert set(declared) - set(panels.unread_metrics(Seen(names=read))) == {"rxtract_ready", "rxtract_handler_seconds"}


def test_an_alert_that_is_not_there_starts_no_servers(capsys):
    assert run.asked([]) == set(rules.alerts())
    assert run.asked(["NotesStuck", "RxtractNoneReady"]) == {"RxtractNotesStuck", "RxtractNoneReady"}
    with pytest.raises(SystemExit) as ended:
        run.asked(["Nonsense"])
    assert ended.value.code == 2
    assert "there is no alert RxtractNonsense" in capsys.readouterr().err
