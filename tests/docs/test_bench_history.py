"""`make bench-history` says what got slower, and its committed rows can be compared."""

import importlib.util
from datetime import date
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "benchmarks/history.py"


@pytest.fixture(scope="module")
def history():
    spec = importlib.util.spec_from_file_location("history", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(*ratios):
    return [{"ratios": {"decode": ratio}} for ratio in ratios]


def test_a_fall_below_the_last_rows_is_named(history):
    assert history.slower(rows(90, 40, 41, 60, 39, 40), {"decode": 30.0}) == [
        "slower by 25%: decode (30.00, was 40.00)"
    ]
    assert history.slower(rows(40, 41, 39), {"decode": 35.0}) == []
    assert history.slower(rows(40), {"decode": 80.0, "new": 1.0}) == []
    assert history.slower([], {"decode": 1.0}) == []


def test_what_is_not_measured_any_more_is_named(history):
    assert history.slower(rows(40), {}) == ["not measured any more: decode"]


def test_the_committed_rows_are_comparable(history):
    found = history.read(history.HISTORY)
    assert found
    assert [row["date"] for row in found] == sorted(row["date"] for row in found)
    for row in found:
        assert date.fromisoformat(row["date"])
        assert row["commit"]
        assert all(ratio > 0 for ratio in row["ratios"].values())
