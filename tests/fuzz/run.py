"""Fuzzes every parser for so many minutes: guided by coverage where atheris is installed, else by seeded changes; the C code under sanitizers.

What is found lands in `tests/fuzz/findings`, whose files `make test` reads again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from embedded_stack.cache import Cache

from tests.fuzz.targets import TARGETS, changed

FINDINGS = Path(__file__).with_name("findings")
ROOT = Path(__file__).resolve().parents[2]
HANGS_S = 1.0
LIBRARIES = {"clinical-ner": "clinical_ner", "contracts": "contracts"}
BUILD = ROOT / "libs/contracts/native_build.py"
"""Packages with C code, and their modules, by which their libraries are called."""
FLAGS = (
    "-O1",
    "-g",
    "-fno-lto",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)
GUIDED = ("-rss_limit_mb=2500", "-timeout=20", "-max_len=20000", "-print_final_stats=1", "-verbosity=0")


def keep(name: str, data: bytes) -> Path:
    """Keep what was found for ever."""
    folder = FINDINGS / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:12]
    path.write_bytes(data)
    return path


def judged(name: str, run: Callable[[bytes], object], data: bytes) -> str | None:
    """What is wrong with the parser's answer to these bytes, in a few words; None when nothing is."""
    begun_s = time.process_time()
    try:
        run(data)
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"{name}: {type(error).__name__}"
    took_s = time.process_time() - begun_s
    return f"{name}: {took_s:.1f} s of processor time" if took_s > HANGS_S else None


def kept(name: str) -> Iterator[Path]:
    """What was found in earlier runs."""
    yield from sorted((FINDINGS / name).glob("*"))


def turn(name: str, seconds: float, seed: int, most: int | None = None) -> tuple[int, list[str]]:
    """Change seeds for so long, or so often; how many were tried, and what was found, each kept as a file."""
    target = TARGETS[name]
    run, seeds, chance = target.make(), target.seeds(), random.Random(seed)
    for data in seeds:
        run(data)
    tried, found, until_s = 0, [], time.monotonic() + seconds
    while time.monotonic() < until_s and (most is None or tried < most):
        data = changed(chance.choice(seeds), chance, seeds)
        tried += 1
        if wrong := judged(name, run, data):
            found.append(f"{wrong}: {keep(name, data)}")
            if len(found) >= 3:
                break
    return tried, found


# -- guided by coverage


def guided(name: str, seconds: float) -> tuple[int, list[str]]:
    """One parser under atheris, in a process of its own, which a finding ends."""
    corpus = Path(os.environ.get("RXTRACT_FUZZ_CORPUS", ROOT / "build/fuzz")) / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(TARGETS[name].seeds()):
        (corpus / f"seed-{number}").write_bytes(data)
    crash = corpus.parent / f"{name}-found-"
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.run",
        "--under-atheris",
        name,
        str(corpus),
        f"-max_total_time={seconds:.0f}",
    ]
    command += [*GUIDED, f"-artifact_prefix={crash}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds * 3 + 300, check=False)
    found = []
    for path in corpus.parent.glob(f"{name}-found-*"):
        found.append(f"{name}: {_last_error(ended.stdout + ended.stderr)}: {keep(name, path.read_bytes())}")
        path.unlink()
    if ended.returncode and not found:
        found.append(f"{name}: ended with {ended.returncode}: {ended.stderr[-600:]}")
    tried = [line.split()[-1] for line in ended.stderr.splitlines() if "number_of_executed_units" in line]
    return int(tried[0]) if tried else 0, found


def _last_error(text: str) -> str:
    lines = [line for line in text.splitlines() if "Error" in line or "Exception" in line or "ERROR" in line]
    return lines[0].strip()[:200] if lines else "a finding"


def under_atheris(name: str, arguments: list[str]) -> None:
    """Never returns."""
    import atheris

    packages = [path.name for path in ROOT.glob("libs/*/src/*")] + [path.name for path in ROOT.glob("services/*/src/*")]
    with atheris.instrument_imports(include=packages):
        run = TARGETS[name].make()
    atheris.Setup([sys.argv[0], *arguments], run)
    atheris.Fuzz()


# -- the C code under sanitizers


def sanitized_copy() -> dict[str, str]:
    """The environment in which Python takes a copy of the C code's package that was built with both sanitizers, once for these sources.

    Raises:
        RuntimeError: There is no compiler with these sanitizers.
    """
    packages = [ROOT / "libs" / package for package in LIBRARIES]
    sources = [BUILD, *(path for one in packages for path in sorted((one / "native").glob("*")))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources if path.is_file()) + repr(FLAGS).encode())
    built = Cache().folder(f"native-sanitized-{digest.hexdigest()[:16]}", _build)
    runtime = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    return {
        "RXTRACT_FUZZ_LIBRARIES": str(built),
        "LD_PRELOAD": runtime.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    }


def _build(folder: Path) -> None:
    for package, module in LIBRARIES.items():
        copy = folder / "package"
        left_out = shutil.ignore_patterns("*.so", "__pycache__", "tests")
        shutil.copytree(ROOT / "libs" / package, copy, ignore=left_out)
        command = [sys.executable, str(BUILD), module, *FLAGS]
        made = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False, timeout=400)
        if made.returncode:
            raise RuntimeError(f"no compiler with address and undefined-behaviour sanitizers: {made.stderr[-300:]}")
        shutil.move(copy / f"src/{module}/_native/lib{module}.so", folder / f"lib{module}.so")
        shutil.rmtree(copy)


def sanitized(names: Sequence[str], seconds: float, seed: int, folder: Path) -> tuple[dict[str, int], list[str]]:
    """Parsers with the sanitized library, each for so long, in one process that dies of the first finding; the last input is beside it."""
    for name in names:
        (folder / name).mkdir(parents=True)
        for number, data in enumerate([*(path.read_bytes() for path in kept(name)), *TARGETS[name].seeds()]):
            (folder / name / str(number)).write_bytes(data)
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.run",
        "--under-sanitizers",
        str(folder),
        str(seconds),
        str(seed),
        *names,
    ]
    env = {**os.environ, **sanitized_copy()}
    limit_s = 4 * seconds * len(names) + 280
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=limit_s, check=False)
    tried = {name: int(count) for name, count in (line.split() for line in ended.stdout.splitlines())}
    if ended.returncode == 0:
        return tried, []
    name = next(name for name in names if name not in tried)
    last = folder / f"{name}.last"
    kept_at = keep(name, last.read_bytes()) if last.exists() else "no input"
    return tried, [f"{name} under sanitizers: {_last_error(ended.stderr)}: {kept_at}\n{ended.stderr[-1500:]}"]


def under_sanitizers(folder: Path, seconds: float, seed: int, names: Sequence[str]) -> None:
    """In that process: each input is on disk before it is read."""
    import importlib

    built = Path(os.environ["RXTRACT_FUZZ_LIBRARIES"])
    (built / "_native").is_symlink() or (built / "_native").symlink_to(".")
    for module in LIBRARIES.values():
        native = importlib.import_module(f"{module}.native")
        native.__file__ = str(built / "native.py")  # `library()` looks beside its module
        assert Path(native.library()._name).resolve() == (built / f"lib{module}.so").resolve()
    for name in names:
        chance, run = random.Random(seed), TARGETS[name].make()
        seeds = [path.read_bytes() for path in sorted((folder / name).iterdir())]
        inputs, tried, until_s = list(seeds), 0, time.monotonic() + seconds
        while inputs or time.monotonic() < until_s:
            data = inputs.pop() if inputs else changed(chance.choice(seeds), chance, seeds)
            (folder / f"{name}.last").write_bytes(data)
            run(data)
            tried += 1
        print(name, tried, flush=True)


# -- the command


def main() -> None:
    """`python -m tests.fuzz --minutes 10`: every parser for that long in all, then the C code under sanitizers for a third of it."""
    known = argparse.ArgumentParser()
    known.add_argument("--minutes", type=float, default=2.0)
    known.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    known.add_argument("--only", default="")
    chosen = known.parse_args()
    names = [name for name in TARGETS if chosen.only in name]
    is_guided = importlib.util.find_spec("atheris") is not None
    way = "guided by coverage" if is_guided else "by seeded changes"
    print(f"{len(names)} parsers, {chosen.minutes:g} min {way}, seed {chosen.seed}", flush=True)
    each_s = chosen.minutes * 60 / len(names)
    wrong: list[str] = []
    for name in names:
        tried, found = guided(name, each_s) if is_guided else turn(name, each_s, chosen.seed)
        wrong += _told(name, tried, found)
    natives = [name for name in names if TARGETS[name].native]
    with tempfile.TemporaryDirectory() as folder:
        seconds = chosen.minutes * 20 / max(1, len(natives))
        counts, found = sanitized(natives, seconds, chosen.seed, Path(folder)) if natives else ({}, [])
    for name in natives:
        wrong += _told(f"{name} under sanitizers", counts.get(name, 0), [one for one in found if one.startswith(name)])
    print(f"{len(names)} parsers, {len(wrong)} findings")
    sys.exit(bool(wrong))


def _told(name: str, tried: int, found: list[str]) -> list[str]:
    print(f"  {name}: {tried:,} inputs, {len(found)} findings", *found, sep="\n    ", flush=True)
    return found


if __name__ == "__main__":
    if sys.argv[1] == "--under-atheris":
        under_atheris(sys.argv[2], sys.argv[3:])
    elif sys.argv[1] == "--under-sanitizers":
        under_sanitizers(Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
