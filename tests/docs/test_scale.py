"""The simulation behind docs/scale.md agrees with theory, and the page with the simulation."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def scale(monkeypatch):
    spec = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks/scale.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "scale", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("load", [0.3, 0.5, 0.8])
def test_one_note_at_a_time_is_busy_as_theory_says(scale, monkeypatch, load):
    monkeypatch.setattr(scale, "MOST_IN_A_BATCH", 1)
    seen = scale.replica(load * 1000, 0.001, 0.0, 200)
    assert seen.busy == pytest.approx(load, abs=0.02)
    assert seen.p50_s >= 0.001


def test_a_longer_pause_makes_more_notes_wait(scale):
    waiting = [scale.replica(1000, 76e-6, 0.92e-3, 20, pause_s=pause).most_waiting for pause in (0, 2, 5)]
    assert waiting == sorted(waiting)
    assert waiting[2] == pytest.approx(5_000, rel=0.1)


def test_the_page_holds_the_tables(scale, capsys):
    scale.main()
    page = (ROOT / "docs/scale.md").read_text()
    for line in capsys.readouterr().out.splitlines():
        assert line in page


def test_money_counts_every_copy_of_the_brokers_and_no_scorekeeper_that_cannot_be(scale):
    services = ("ingestor", "extractor", "drift-watcher")
    small, large = 1_000, 100_000
    assert scale.machines(small) == sum(scale.needed(name, small) for name in services) + 1 + 3
    own = sum(scale.needed(name, large) for name in services)
    assert scale.machines(large) == own + 3 * scale.needed("kafka", large)


def test_the_scorekeeper_is_judged_at_the_peak_like_the_others(scale):
    assert scale.scorekeeper_cores(4_000) == pytest.approx(4_000 * scale.PEAK * scale.NOTE_S["scorekeeper"])
    assert scale.alone(1_000) == "24.6 % of a core"
    assert scale.alone(100_000) == "cannot be: 24.6 cores"
