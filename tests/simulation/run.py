"""Runs worlds by the thousand, one by its number with its story, and the product with faults put back.

Each worker is a fresh interpreter: the clock is the world's before the product is imported, and a fault's copy of the sources stands before
the real ones on its path.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FAULTS = Path(__file__).with_name("faults")
ONCE_FAILED = Path(__file__).with_name("seeds.txt")
CORES = os.cpu_count() or 1


class Outcome(NamedTuple):
    """What worlds gave: how many were run, and the first words of each that failed."""

    seeds: int
    failures: dict[int, str]


def main() -> None:
    """`SEED=n`: one world and its story. Else `SEEDS` worlds, then every fault (or those that `FAULTS` names, by a comma)."""
    if seed := os.environ.get("SEED"):
        fault = next(iter(chosen_faults(os.environ["FAULTS"])), None) if os.environ.get("FAULTS") else None
        sys.exit(print_story(int(seed), fault))
    seeds = int(os.environ.get("SEEDS") or 1000)
    began_s = time.monotonic()
    outcome = run_seeds(0, seeds)
    for number, why in sorted(outcome.failures.items()):
        print(f"seed {number}: {why}\n  its story: make simulate SEED={number}")
    print(f"{outcome.seeds} seeds in {time.monotonic() - began_s:.0f} s", flush=True)
    began_s = time.monotonic()
    faults = chosen_faults(os.environ.get("FAULTS", ""))
    with ThreadPoolExecutor(CORES) as pool:
        found = list(pool.map(try_fault, faults))
    print(f"{len(faults)} faults in {time.monotonic() - began_s:.0f} s")
    caught = sum(found)
    print(
        f"{outcome.seeds} seeds, {len(outcome.failures)} failures; {caught} of {len(faults)} faults put back were found"
    )
    sys.exit(1 if outcome.failures or caught < len(faults) else 0)


def chosen_faults(names: str) -> list[Path]:
    """The patch files that are asked for; all of them when none is."""
    patches = sorted(FAULTS.glob("*.patch"))
    wanted = [name for name in names.split(",") if name]
    if unknown := [name for name in wanted if name not in {patch.stem for patch in patches}]:
        sys.exit(f"no such fault: {', '.join(unknown)}; there are {', '.join(patch.stem for patch in patches)}")
    return [patch for patch in patches if not wanted or patch.stem in wanted]


def run_seeds(first: int, count: int, workers: int = CORES) -> Outcome:
    """Run worlds on all cores."""
    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(lambda number: _work(first + number, first + count, workers), range(workers)))
    failures = {seed: why for part in parts for seed, why in part.failures.items()}
    return Outcome(sum(part.seeds for part in parts), failures)


def once_failed() -> dict[int, str]:
    """Worlds that once broke a promise, and which; `seeds.txt` holds one in a line."""
    lines = ONCE_FAILED.read_text(encoding="utf-8").splitlines()
    rows = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return {int(seed): why for seed, why in rows}


def run_once_failed() -> Outcome:
    """Run those."""
    return _work(0, 0, 1, also=tuple(once_failed()))


def try_fault(patch: Path, seeds: int = 1000) -> bool:
    """Put a fault back into a copy of the sources and look for a world that shows it; says what came of it in one line."""
    what = title_of(patch)
    with tempfile.TemporaryDirectory(prefix="rxtract-fault-") as folder:
        if (why := put_back(patch, Path(folder))) is not None:
            print(f"{patch.stem}: {why}", flush=True)
            return False
        began_s = time.monotonic()
        part = _work(0, seeds, 1, Path(folder), also=tuple(once_failed()), stop_at_first=True)
    for seed, why in part.failures.items():
        print(f"{patch.stem} ({what}): found at seed {seed}, {time.monotonic() - began_s:.0f} s: {why}", flush=True)
        return True
    print(f"{patch.stem} ({what}): NOT FOUND in {seeds} seeds: a hole in the simulation", flush=True)
    return False


def title_of(patch: Path) -> str:
    """A fault's first line says which it is."""
    return patch.read_text(encoding="utf-8").partition("\n")[0].removeprefix("Fault:").strip()


def put_back(patch: Path, folder: Path) -> str | None:
    """Copy the packages that a patch changes, and change them; what is wrong when it no longer applies, or None."""
    for source in sources_of(patch):
        shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("*.so"))
    return refusal_of(patch, folder)


def sources_of(patch: Path) -> list[str]:
    """The `src` folders of the packages that a patch changes."""
    return sorted(
        set(re.findall(r"^\+\+\+ b/((?:libs|services)/[^/]+/src)/", patch.read_text(encoding="utf-8"), re.MULTILINE))
    )


def refusal_of(patch: Path, folder: Path, *options: str) -> str | None:
    """Apply a patch to a tree; why it does not apply, in one line, or None."""
    apply = [
        "patch",
        "-p1",
        "--batch",
        "--fuzz=2",
        "--no-backup-if-mismatch",
        "-r",
        "-",
        "-d",
        str(folder),
        "-i",
        str(patch),
    ]
    done = subprocess.run([*apply, *options], capture_output=True, text=True)
    if done.returncode:
        lines = [
            line for line in done.stdout.splitlines() if "FAILED" in line or "ignored" in line or "can't find" in line
        ]
        return (
            f"the patch no longer applies ({lines[0] if lines else 'see patch'}): write it anew against today's sources"
        )
    return None


def _work(
    first: int,
    end: int,
    step: int,
    folder: Path | None = None,
    *,
    also: Sequence[int] = (),
    stop_at_first: bool = False,
) -> Outcome:
    """Run worlds in a fresh interpreter."""
    order = json.dumps({"first": first, "end": end, "step": step, "also": also, "stop_at_first": stop_at_first})
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.simulation.worker", order],
        cwd=ROOT,
        env=_environment(folder),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"a worker of the simulation failed:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Outcome(found["seeds"], {int(seed): why for seed, why in found["failures"].items()})


def print_story(seed: int, patch: Path | None = None) -> int:
    """Run one world and print its story; 1: it failed."""
    with tempfile.TemporaryDirectory(prefix="rxtract-fault-") as folder:
        if patch is not None and (why := put_back(patch, Path(folder))) is not None:
            sys.exit(f"{patch.stem}: {why}")
        order = json.dumps({"first": seed, "end": seed + 1, "step": 1, "story": True})
        environment = _environment(Path(folder) if patch else None)
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.simulation.worker", order], cwd=ROOT, env=environment
        ).returncode


def _environment(folder: Path | None) -> dict[str, str]:
    """A fault's copy stands first on the path; sets have one order, or a seed would not replay."""
    copies = [] if folder is None else sorted(str(one) for one in folder.glob("*/*/src"))
    return {**os.environ, "PYTHONPATH": os.pathsep.join((*copies, str(ROOT))), "PYTHONHASHSEED": "0"}
