"""Runs the tests of the rows (all, or those that are named), keeps what they gave, and writes the table and the transcript.

What an earlier run gave stays for rows that are not run, with its day. A test that fails keeps no figure.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.faults.rows import ROOT, ROWS, Row

FIGURES = Path(__file__).with_name("figures.json")
PAGE = ROOT / "docs/reliability.md"
TRANSCRIPT = ROOT / "docs/transcripts/faults.md"
BEGIN, END = "<!-- rows: written by make faults -->", "<!-- rows: end -->"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a test gave when it was last run.

    Attributes:
        outcome: passed, failed or skipped.
        figure: What it measured, in words; empty where it only passes.
        seconds: How long it took, with its servers.
        day: When, as an ISO date.
    """

    outcome: str
    figure: str
    seconds: float
    day: str


def main(arguments: Sequence[str]) -> int:
    """Run, keep, write; the exit code is pytest's. `--pages` only writes the pages anew."""
    code = 0
    if list(arguments) != ["--pages"]:
        if unknown := [name for name in arguments if name not in ROWS]:
            print(f"no such row: {', '.join(unknown)}; there are R1 to R34 and B1 to B9", file=sys.stderr)
            return 2
        code = run(list(dict.fromkeys(test for name in arguments or ROWS for test in ROWS[name].tests)))
    seen = read()
    PAGE.write_text(with_table(PAGE.read_text(), seen))
    TRANSCRIPT.write_text(transcript(seen))
    return code


def read() -> dict[str, Seen]:
    """What earlier runs gave, of tests that still are in a row."""
    known = {test for row in ROWS.values() for test in row.tests}
    kept = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    return {name: Seen(**one) for name, one in kept.items() if name in known}


def run(tests: Sequence[str]) -> int:
    """Run tests on servers of their own; pytest's exit code. What each gave is kept as soon as it ends."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "tests.faults.run", *tests], cwd=ROOT, check=False
    ).returncode


class Progress:
    """A line for each test as it ends, and its outcome kept at once: a run of an hour may be ended early.

    Args:
        known: The tests of all rows; what else runs beside them is shown and not kept.
        keep: Called with all that is known after each test.
        show: Prints a line past pytest's capture.
    """

    def __init__(
        self,
        known: Mapping[str, Sequence[str]],
        keep: Callable[[Mapping[str, Seen]], None],
        show: Callable[[str], None],
    ) -> None:
        self._known = known
        self._keep = keep
        self._show = show
        self._found: dict[str, Seen] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what a phase (set-up, call, tear-down) of a test gave. Of a test with parameters the worst counts."""
        name = report.nodeid.partition("[")[0]
        before = self._found.get(name)
        worst = max(before.outcome if before else "passed", report.outcome, key=_WORSE.index)
        figures = [str(value) for key, value in report.user_properties if key == "figure"]
        figure = (figures[0] if figures else before.figure if before else "") if worst == "passed" else ""
        seconds = round(report.duration + (before.seconds if before else 0.0), 1)
        self._found[name] = Seen(worst, figure, seconds, dt.datetime.now(dt.UTC).date().isoformat())
        if report.failed:
            self._show(f"\n{report.longreprtext}")
        if report.when == "teardown":
            one = self._found[name]
            self._show(f" {'/'.join(self._known.get(name, ()))} {name} {one.outcome} {one.seconds:.0f} s {one.figure}")
            self._keep({test: said for test, said in self._found.items() if test in self._known})


_WORSE = ("passed", "skipped", "failed")


def keep(found: Mapping[str, Seen]) -> None:
    """Write what was found beside what earlier runs gave."""
    all_of_them = read() | dict(found)
    FIGURES.write_text(json.dumps({name: asdict(one) for name, one in sorted(all_of_them.items())}, indent=1) + "\n")


@pytest.hookimpl(trylast=True)  # after pytest's own terminal
def pytest_configure(config: pytest.Config) -> None:
    """Show and keep what each test gives, where this module is loaded as pytest's plugin."""
    if (terminal := config.pluginmanager.get_plugin("terminalreporter")) is None:
        raise RuntimeError("the fault suite needs pytest's terminal reporter: run it without -p no:terminal")
    config.pluginmanager.register(Progress(rows_of_tests(), keep, terminal.write_line))


def rows_of_tests() -> dict[str, list[str]]:
    """The rows of each test that is in one."""
    tests = dict.fromkeys(test for row in ROWS.values() for test in row.tests)
    return {test: [name for name, row in ROWS.items() if test in row.tests] for test in tests}


def table(seen: Mapping[str, Seen]) -> str:
    """The rows as a person reads them."""
    lines = ["| Row | What happens | Goal | Seen | On |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {row.fault} | {row.goal} | {_words(row, seen)} | {_day(row, seen)} |" for name, row in ROWS.items()
    ]
    held = sum(1 for row in ROWS.values() if row.tests)
    return "\n".join([f"{held} of {len(ROWS)} rows are asserted by a test.", "", *lines])


def _words(row: Row, seen: Mapping[str, Seen]) -> str:
    if not row.tests:
        return f"not asserted: {row.short}"
    given = [seen[test] for test in row.tests if test in seen]
    passed = sum(one.outcome == "passed" for one in given)
    said = [one.figure for one in given if one.figure]
    count = f"{passed} of {len(row.tests)} tests passed" if passed < len(given) or not said else ""
    if len(given) < len(row.tests):
        count = f"{passed} of {len(row.tests)} tests run here and passed" if given else "not run here yet"
    short = f"short: {row.short}" if row.short else ""
    return "; ".join(part for part in (*said, count, short) if part)


def _day(row: Row, seen: Mapping[str, Seen]) -> str:
    return max((seen[test].day for test in row.tests if test in seen), default="")


def with_table(page: str, seen: Mapping[str, Seen]) -> str:
    """The page with the table of today."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{table(seen)}\n\n{END}{tail}"


def transcript(seen: Mapping[str, Seen]) -> str:
    """Each test with its outcome."""
    lines = [
        "# The fault suite, test by test",
        "",
        "Printed by `make faults`, on two cores that other work shared.",
        "",
    ]
    lines += ["| Rows | Test | Outcome | Took | On | Figure |", "|---|---|---|---|---|---|"]
    for test, rows in rows_of_tests().items():
        one = seen.get(test)
        told = f"{one.outcome} | {one.seconds:.0f} s | {one.day} | {one.figure}" if one else "not run yet | | |"
        lines.append(f"| {', '.join(rows)} | `{test}` | {told} |")
    return "\n".join(lines) + "\n"
