"""Rules parse, name metrics that exist, and each alert has its runbook page."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
ALERTS = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]


def needs(tool):
    missing = shutil.which(tool) is None and os.environ.get("CI") != "true"
    return pytest.mark.skipif(missing, reason=f"no {tool}: run make tools")


def run(*command):
    return subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False)


@needs("promtool")
def test_rules_parse():
    result = run("promtool", "check", "rules", "recording.yml", "alerts.yml")
    assert result.returncode == 0, result.stderr


@needs("amtool")
def test_what_pages_goes_to_the_one_on_call():
    for severity, receiver in (("page", "on-call"), ("ticket", "tickets")):
        result = run("amtool", "config", "routes", "test", "--config.file=alertmanager.yml", f"severity={severity}")
        assert result.stdout.strip() == receiver, result.stderr


def routes_of(route):
    yield route
    for one in route.get("routes", ()):
        yield from routes_of(one)


def test_one_namespaces_alerts_neither_hide_nor_silence_anothers():
    """A service that is down in staging would else inhibit production's tickets, and share a notification with them."""
    told = yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text())
    for route in routes_of(told["route"]):
        assert "namespace" in route.get("group_by", ["namespace"])
    assert "group_by" in told["route"]
    assert all("namespace" in rule["equal"] for rule in told["inhibit_rules"])


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_to_do(rule):
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    assert (ROOT / rule["annotations"]["runbook_url"]).is_file()


def test_every_metric_in_the_rules_is_declared():
    text = (PROMETHEUS / "alerts.yml").read_text() + (PROMETHEUS / "recording.yml").read_text()
    used = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\brxtract_[a-z0-9_]+", text)}
    declared = set(re.findall(r"`(rxtract_[a-z0-9_]+)`", (ROOT / "docs/reference/metrics.md").read_text()))
    assert used - declared == set()
