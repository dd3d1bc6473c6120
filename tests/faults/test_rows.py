"""Every promise has a test that exists, or a reason; and the pages say what the suite gave."""

import ast

import pytest

from tests.faults import run
from tests.faults.rows import ROOT, ROWS, Row
from tests.faults.run import Progress, Seen

NAMED = sorted({test for row in ROWS.values() for test in row.tests})


def test_every_row_is_there_and_thirty_eight_are_asserted():
    assert list(ROWS) == [f"R{number}" for number in range(1, 35)] + [f"B{number}" for number in range(1, 10)]
    assert all(row.tests or row.short for row in ROWS.values())
    assert sum(bool(row.tests) for row in ROWS.values()) >= 38


@pytest.mark.parametrize("test", NAMED)
def test_the_test_of_a_row_exists(test):
    file, _, name = test.partition("::")
    functions = [one.name for one in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(one, ast.FunctionDef)]
    assert name in functions


def test_the_pages_are_of_the_rows_and_figures_as_they_are():
    seen = run.read()
    page = run.PAGE.read_text()
    assert run.with_table(page, seen) == page, "run `make faults-pages`"
    assert run.TRANSCRIPT.read_text() == run.transcript(seen), "run `make faults-pages`"


def test_no_test_of_a_row_is_known_to_fail():
    assert [name for name, one in run.read().items() if one.outcome == "failed"] == []


def test_what_a_test_gave_is_kept_when_it_ends_and_a_failure_has_no_figure():
    kept, shown = [], []
    progress = Progress({"a.py::test_a": ["R1"], "a.py::test_b": ["R2"]}, kept.append, shown.append)
    for name, outcome, figure in (
        ("a.py::test_a[x]", "passed", "lost 0"),
        ("a.py::test_a[y]", "failed", ""),
        ("a.py::test_b", "passed", "p95 2 s"),
        ("a.py::test_c", "passed", ""),
    ):
        for when, gave in (("call", outcome), ("teardown", "passed")):
            told = [("figure", figure)] if figure else []
            progress.pytest_runtest_logreport(
                pytest.TestReport(name, ("a.py", 1, name), {}, gave, "why", when, user_properties=told, duration=0.5)
            )
    assert {name: (one.outcome, one.figure, one.seconds) for name, one in kept[-1].items()} == {
        "a.py::test_a": ("failed", "", 2.0),
        "a.py::test_b": ("passed", "p95 2 s", 1.0),
    }
    assert "R2 a.py::test_b passed 1 s p95 2 s" in shown[-2]


def test_a_row_without_a_test_says_why_and_one_that_was_not_run_says_so(monkeypatch):
    rows = {"R1": Row("x", "y", ("a::b", "a::c"), "half"), "R2": Row("x", "y", (), "no server of it")}
    monkeypatch.setattr(run, "ROWS", rows)
    text = run.table({"a::b": Seen("passed", "lost 0", 1.0, "2026-11-30")})
    assert "| R1 | x | y | lost 0; 1 of 2 tests run here and passed; short: half | 2026-11-30 |" in text
    assert "| R2 | x | y | not asserted: no server of it |  |" in text
    assert "1 of 2 rows are asserted" in text


def test_a_row_that_is_not_there_is_named(capsys):
    assert run.main(["R99"]) == 2
    assert "no such row: R99" in capsys.readouterr().err
