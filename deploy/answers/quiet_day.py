"""A quiet day on a stack of its own: ``make quiet-day`` (about 4 minutes; a quiet machine, because times are measured).

Live notes without any shift of the language; programs that know the truth decide all that waits at the desk. What the control
page counts then is kept in docs/transcripts/quiet-day.json, from which the worked example of docs/why.md follows.
"""  # noqa: INP001

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from contracts.identity import note_key
from corpus import simulate
from rxtract.addresses import StackAddresses, read_addresses
from rxtract.simulated_validator import SimulatedValidator

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs/transcripts/quiet-day.json"
NOTES, RATE, SEED, ERRORS = 4_000, 40, 31, 0.05
UP_S, COUNTED_S, QUIET_S = 600.0, 300.0, 10.0


def main() -> None:
    """Play the day and keep its KPIs."""
    with tempfile.TemporaryDirectory(prefix="rxtract-quiet-") as folder:
        up = subprocess.Popen(
            [sys.executable, "-m", "rxtract", "up"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            _wait_up(up)
            KEPT.write_text(json.dumps(_played(Path(folder)), indent=1) + "\n", encoding="utf-8")
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(180)
    print(f"written: {KEPT.relative_to(ROOT)}")  # noqa: T201 - this is a command


def _played(folder: Path) -> dict[str, Any]:
    addresses = read_addresses(folder / ".rxtract/stack.json", environ={})
    sending = [
        sys.executable,
        "-m",
        "rxtract",
        "simulate",
        "--notes",
        str(NOTES),
        "--rate",
        str(RATE),
        "--seed",
        str(SEED),
    ]
    sender = subprocess.Popen(sending, cwd=folder)
    decided = _decide(addresses, lambda: sender.poll() is None)
    if sender.wait():
        sys.exit("quiet day: notes were refused")
    kpis = _until(lambda: _kpis(addresses), lambda found: _settled(found, decided))
    return {"notes": NOTES, "rate": RATE, "seed": SEED, "error_rate": ERRORS, "decided": decided, "kpis": kpis}


def _decide(addresses: StackAddresses, goes_on: Callable[[], bool]) -> int:
    """Decide what waits until nothing came for a while after the last note was sent; returns how many notes."""
    truths = {note_key(addresses.ingest_source, one.note_id): one.truth for one in simulate(SEED, NOTES)}
    validator = SimulatedValidator(addresses.desk_url, addresses.desk_token, truths, error_rate=ERRORS, seed=SEED)
    last = time.monotonic()
    while goes_on() or time.monotonic() - last < QUIET_S:
        if validator.next():
            last = time.monotonic()
        else:
            time.sleep(0.2)
    validator.close()
    return len(validator.worked.labelled)


def _kpis(addresses: StackAddresses) -> dict[str, Any]:
    answer = httpx.get(f"{addresses.score_url}/api/kpis", params={"window": "today"}, timeout=30)
    return dict(answer.json()) if answer.is_success else {}


def _settled(found: dict[str, Any], decided: int) -> bool:
    counted = found.get("kpis", {}).get("notes", {}).get("value") or 0
    return counted >= NOTES and found.get("people", {}).get("decided", 0) >= decided


def _until(ask: Callable[[], dict[str, Any]], enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + COUNTED_S
    while not enough(found := ask()):
        if time.monotonic() > deadline:
            sys.exit("quiet day: the scorekeeper has not counted all of it")
        time.sleep(1)
    return found


def _wait_up(up: subprocess.Popen[str]) -> None:
    if up.stdout is None:
        raise RuntimeError("no output to read")
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline and (line := up.stdout.readline()):
        sys.stdout.write(line)
        if "Ctrl-C stops everything" in line:
            return
    sys.exit("quiet day: the stack did not come up")


if __name__ == "__main__":
    main()
