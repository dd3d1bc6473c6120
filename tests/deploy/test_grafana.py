"""Dashboards: generated, well formed, every expression parsed by promtool, every metric declared. No Grafana server can be had here."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy/grafana"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("dashboards/*.json"))}
RECORDED = set(re.findall(r"record: (\S+)", (ROOT / "deploy/prometheus/recording.yml").read_text()))
DECLARED = set(re.findall(r"`(rxtract_[a-z0-9_]+)`", (ROOT / "docs/reference/metrics.md").read_text()))
EXPRESSIONS = [
    (f"{name}: {panel['title']}", target["expr"])
    for name, board in DASHBOARDS.items()
    for panel in board["panels"]
    for target in panel["targets"]
]


def test_they_are_up_to_date():
    command = [sys.executable, str(GRAFANA / "make_dashboards.py"), "--check"]
    assert subprocess.run(command).returncode == 0
    assert sorted(DASHBOARDS) == ["business", "model", "operations"]


@pytest.mark.skipif(
    shutil.which("promtool") is None and os.environ.get("CI") != "true", reason="no promtool: run make tools"
)
def test_every_expression_parses(tmp_path):
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m").replace("$job", ".*")}
        for number, (_, expression) in enumerate(EXPRESSIONS)
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    result = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("panel", "expression"), EXPRESSIONS)
def test_every_metric_exists(panel, expression):
    used = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\brxtract_[a-z0-9_]+", expression)}
    assert used - DECLARED == set()
    assert set(re.findall(r"\brxtract:[a-z0-9_:]+", expression)) - RECORDED == set()


@pytest.mark.parametrize(("panel", "expression"), EXPRESSIONS)
def test_a_first_event_is_seen(panel, expression):
    """`increase` says nothing of a series that begins with its first event: one that no scrape of an hour has seen counts whole."""
    for series, window in re.findall(r"increase\((rxtract_\w+(?:\{[^}]*\})?)\[(\w+)\]\)", expression):
        assert f"({series} unless last_over_time({series}[1h] offset {window}))" in expression


@pytest.mark.skipif(
    shutil.which("promtool") is None and os.environ.get("CI") != "true", reason="no promtool: run make tools"
)
def test_the_first_alarm_of_a_level_is_drawn(tmp_path):
    (shown,) = (expression for panel, expression in EXPRESSIONS if panel == "model: Drift alarms")
    test = {
        "interval": "1m",
        "input_series": [
            {"series": 'rxtract_drift_alarms_total{level="CRITICAL", segment_kind="city"}', "values": "_x30 1x200"}
        ],
        "promql_expr_test": [
            {
                "expr": shown,
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": '{level="CRITICAL", segment_kind="city"}', "value": count}],
            }
            for minute, count in ((40, 1), (150, 0))
        ],
    }
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"tests": [test]}))
    result = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_metric_is_on_a_dashboard():
    shown = " ".join(expression for _, expression in EXPRESSIONS)
    recorded = (ROOT / "deploy/prometheus/recording.yml").read_text()
    assert {name for name in DECLARED if name not in shown and name not in recorded} == set()


@pytest.mark.parametrize("board", DASHBOARDS.values(), ids=DASHBOARDS)
def test_panels_have_a_place_and_a_source_of_their_own(board):
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert cells & taken == set()
        taken |= cells
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
    assert "datasource" in {variable["name"] for variable in board["templating"]["list"]}


def test_compose_gives_grafana_the_source_and_the_folder():
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]["volumes"]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/rxtract.yml").read_text())["providers"]
    assert any(volume.split(":")[1] == provider["options"]["path"] for volume in volumes)
    assert all((ROOT / volume.split(":")[0]).is_dir() for volume in volumes)
