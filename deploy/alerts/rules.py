"""The rules of deploy/prometheus with shorter times, and nothing else changed: a fault of a minute stands for one of hours."""  # noqa: INP001

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = ("recording.yml", "alerts.yml")
WINDOWS = {"5m": "20s", "10m": "12s", "15m": "75s", "30m": "15s", "1h": "30s", "6h": "45s", "8h": "10s", "1d": "30s"}
"""Ranges and offsets in expressions. 15m stays longest: it holds the rebalances, of which there must be four."""
HOLD = "2s"
"""What every `for` of more than nothing becomes."""
AGES = {"> 600": "> 8", "> 60": "> 5"}
"""Thresholds that are times themselves: seconds since MLflow was reached, or since a partition moved."""
_TIME = re.compile(r"(\[|offset )(\d+[smhd])")


def alerts() -> dict[str, dict[str, str]]:
    """Every alert by its name."""
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def shortened(name: str) -> str:
    """A file of rules with every time shortened.

    Raises:
        KeyError: A range has no shorter one here.
    """
    document = yaml.safe_load((ROOT / "deploy/prometheus" / name).read_text(encoding="utf-8"))
    for group in document["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            rule["expr"] = _short(rule["expr"])
            if rule.get("for", "0m") != "0m":
                rule["for"] = HOLD
    return yaml.safe_dump(document, sort_keys=False)


def _short(expression: str) -> str:
    found = _TIME.sub(lambda match: match[1] + WINDOWS[match[2]], expression)
    found = re.sub(r"ratio(5m|30m|1h|6h)|rate5m", lambda match: match[0], found)  # names of recorded series stay
    if "age_seconds" in found:
        for long, short in AGES.items():
            found = re.sub(rf"{long}\b", short, found)
    return found
