"""Fire every alert by a real fault on the live system, and see it clear: ``make alerts-test`` (about 20 minutes).

Servers and services are those of `rxtract up`; Prometheus reads them with the rules of deploy/prometheus, whose times alone are
shortened. What was seen is written to docs/transcripts/alerts.md. At the end every declared metric must have been read and every panel
of the dashboards must have had data. ``run.py NAME ...`` takes only the faults of those alerts
and renews their rows; each row says on which day it was seen.
"""  # noqa: INP001

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import faults_doors
import faults_input
import faults_models
import faults_processes
import faults_review
import faults_servers
import panels
from catalogue import FAULTS, Fault
from rules import HOLD, ROOT, WINDOWS, alerts
from world import World, until, world

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

ORDER = [
    module.__name__
    for module in (faults_doors, faults_review, faults_input, faults_models, faults_processes, faults_servers)
]
"""Validators first: later faults leave notes that wait for them."""
PAGE = ROOT / "docs/transcripts/alerts.md"
FIRES_S, CLEARS_S, QUIET_S = 150.0, 150.0, 90.0


class Seen(NamedTuple):
    """What became of one alert."""

    alert: str
    what: str
    fired_s: float | None
    cleared_s: float | None
    note: str = ""


def say(line: str) -> None:
    """Print a line with the time."""
    print(f"{datetime.now(UTC):%H:%M:%S}  {line}", flush=True)  # noqa: T201 - a command


def live(fault: Fault, broken: World) -> list[Seen]:
    """Run one fault: all its alerts fire, and are clear after it."""
    say(fault.what)
    fired: dict[str, float] = {}
    running = fault.run(broken)
    try:
        until(lambda: not broken.firing() & set(fault.alerts), QUIET_S, "")
    except TimeoutError:
        say(f"  fires before the fault: {', '.join(sorted(broken.firing() & set(fault.alerts)))}")
        return [Seen(name, fault.what, None, None, "fired before the fault") for name in fault.alerts]
    begun = time.monotonic()

    def looked() -> bool:
        for name in broken.firing() & set(fault.alerts):
            fired.setdefault(name, time.monotonic() - begun)
        return len(fired) == len(fault.alerts)

    note = ""
    try:
        next(running)
        until(looked, FIRES_S, "")
    except Exception as error:  # noqa: BLE001 - the faults after this one are tried all the same
        note = str(error) or f"{type(error).__name__}, not within {FIRES_S:.0f} s"
    finally:
        next(running, None)
    begun = time.monotonic()
    cleared: dict[str, float] = {}

    def quiet() -> bool:
        now = broken.firing()
        for name in set(fault.alerts) - now:
            cleared.setdefault(name, time.monotonic() - begun)
        return not now & set(fault.alerts)

    try:
        until(quiet, CLEARS_S, "")
    except TimeoutError:
        note = note or f"does not clear within {CLEARS_S:.0f} s"
    found = [Seen(name, fault.what, fired.get(name), cleared.get(name), note) for name in fault.alerts]
    for one in found:
        say(f"  {one.alert}: fires after {_s(one.fired_s)}, clears after {_s(one.cleared_s)} {one.note}")
    return found


def _s(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.0f} s"


def kept(wanted: Collection[str]) -> dict[str, str]:
    """The rows of the page as it stands, by alert; none for a run of all alerts, whose page is of that run alone."""
    if set(wanted) == set(alerts()):
        return {}
    lines = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    known = alerts()
    return {name: line for line in lines if (name := line.strip("| ").partition(" |")[0]) in known}


def page(seen: Sequence[Seen], earlier: Mapping[str, str], day: str | None = None) -> str:
    """The page of docs/transcripts.

    Args:
        seen: What was seen now.
        earlier: Rows of the other alerts, from `kept`.
        day: Today, unless a test says another.
    """
    today = day or f"{datetime.now(UTC):%Y-%m-%d}"
    now = {
        one.alert: f"| {one.alert} | {one.what} | {_s(one.fired_s)} | {_s(one.cleared_s)} | {today} |"
        for one in seen
        if one.fired_s is not None and one.cleared_s is not None
    }
    times = ", ".join(f"{long} is {short}" for long, short in WINDOWS.items())
    lines = [
        "# Every alert, fired by a real fault",
        "",
        "Printed by `make alerts-test`, on two cores that other work shared. Servers and services are those of",
        "`rxtract up`, with notes flowing; a real Prometheus reads them every second. The rules are those of `deploy/prometheus` with shorter",
        f"times and nothing else changed: `for` is {HOLD}, and of the windows {times}.",
        "So the seconds below say that an alert fires and clears, not how long it takes in production; promtool's tests hold that. Where 0 s",
        "stands, the cure itself went on until it was clear (validators who work a backlog off).",
        "",
        "| Alert | Fault | Fired after | Clear after the cure | Seen on |",
        "|---|---|---|---|---|",
    ]
    rows = {**earlier, **now}
    return "\n".join([*lines, *(rows[name] for name in sorted(rows))]) + "\n"


def asked(arguments: Sequence[str] | None = None) -> set[str]:
    """The alerts that are named, with or without the prefix; all where none is. An unknown one ends with a line and code 2."""
    parser = argparse.ArgumentParser(prog="run.py", description="Fire alerts by real faults on the live system.")
    parser.add_argument("name", nargs="*", help="an alert, as NotesStuck or RxtractNotesStuck; all when left out")
    wanted = {f"Rxtract{name.removeprefix('Rxtract')}" for name in parser.parse_args(arguments).name}
    if unknown := sorted(wanted - set(alerts())):
        parser.error(f"there is no alert {unknown[0]}: docs/reference/alerts.md names them all")
    return wanted or set(alerts())


def main() -> int:
    """Every fault in turn; 1 when an alert was not seen to fire and to clear."""
    wanted = asked()
    ordered = sorted(FAULTS, key=lambda fault: (fault.last, ORDER.index(fault.run.__module__)))
    faults = [fault for fault in ordered if wanted & set(fault.alerts)]
    seen: list[Seen] = []
    with tempfile.TemporaryDirectory(prefix="rxtract-alerts-") as folder, world(Path(folder)) as broken:
        say(f"up; {len(faults)} faults for {len(wanted)} alerts")
        until(lambda: len(broken.query("up == 1")) == len(broken.services), 60, "Prometheus does not read all services")
        time.sleep(12)  # one of the shortened windows, so that what fires now fires without a fault
        if broken.firing():
            say(f"fires without any fault: {', '.join(sorted(broken.firing()))}")
            return 1
        begun_s = time.time()
        panels.knock(broken)
        for fault in faults:
            seen += live(fault, broken)
        PAGE.write_text(page(seen, kept(wanted)), encoding="utf-8")
        try:
            panels.crown(broken)
        except TimeoutError as error:
            say(str(error))
        dark = [*panels.unread_metrics(broken), *panels.empty_panels(broken, begun_s)]
    missing = sorted(wanted - {one.alert for one in seen if one.fired_s is not None and one.cleared_s is not None})
    if missing:
        say(f"not seen to fire and clear: {', '.join(missing)}")
        return 1
    say(f"{len(wanted)} alerts fired and cleared")
    if dark:
        say(f"no data was seen of: {', '.join(dark)}")
    else:
        say("every metric was read, and every panel of the dashboards had data")
    return 1 if dark and wanted == set(alerts()) else 0  # some faults alone do not make everything happen


if __name__ == "__main__":
    sys.exit(main())
