"""Write the hash-locked requirements: one file for development, one for each thing that runs, one for what each extra adds.

Local packages are left out of a lock (they are installed from the checkout) and replaced by their own dependencies.
Run `make lock`; it needs `uv` in the environment.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "requirements"
ALONE = ("bench", "build", "compiler", "deploy", "docs", "installer", "spark")
"""Locks of tools: each follows from its own .in file only."""
LOCAL = re.compile(r"^(rxtract[a-z-]*)(?:\[([a-z,-]+)\])?(?:==[0-9.]+)?$")


def workspace() -> dict[str, dict[str, object]]:
    """Return the project table of every package by its distribution name."""
    files = [*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml"), ROOT / "cli/pyproject.toml"]
    tables = [tomllib.loads(file.read_text(encoding="utf-8"))["project"] for file in files]
    return {table["name"]: table for table in tables}


def third_party(name: str, extras: frozenset[str], packages: dict[str, dict[str, object]]) -> set[str]:
    """Return the third-party requirements of a local package with its extras, through other local packages."""
    table = packages[name]
    optional = table.get("optional-dependencies", {})
    wanted = [*table["dependencies"], *(line for extra in extras for line in optional[extra])]  # type: ignore[index,misc]
    found: set[str] = set()
    for line in wanted:
        local = LOCAL.match(line)
        if local:
            inner = frozenset(local[2].split(",")) if local[2] else frozenset()
            found |= third_party(local[1], inner, packages)
        else:
            found.add(line)
    return found


def compile_lock(target: str, lines: set[str], *, upgrade: bool) -> None:
    """Resolve `lines` for every platform and write `requirements/<target>.txt`."""
    output = HERE / f"{target}.txt"
    command = [sys.executable, "-m", "uv", "pip", "compile", "-", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--quiet", "--custom-compile-command", "make lock", "--output-file", str(output)]
    if target not in {"dev", *ALONE}:
        command += ["--constraints", str(HERE / "dev.txt")]  # a service runs what the tests ran
    if upgrade:
        command.append("--upgrade")
    subprocess.run(command, input="\n".join(sorted(lines)), text=True, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    print(f"requirements/{target}.txt")  # noqa: T201 - this is a command


def read_in(name: str) -> set[str]:
    """Return the lines of `requirements/<name>.in` without comments."""
    lines = (HERE / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def main() -> None:
    """Write every lock; `--upgrade` takes newer versions."""
    upgrade = "--upgrade" in sys.argv
    packages = workspace()
    everything = read_in("dev")
    for name, table in packages.items():
        everything |= third_party(name, frozenset(table.get("optional-dependencies", {})), packages)  # type: ignore[call-overload]
    compile_lock("dev", everything, upgrade=upgrade)
    for target in ALONE:
        compile_lock(target, read_in(target), upgrade=upgrade)
    runnable = [*sorted(p.name for p in (ROOT / "services").iterdir() if (p / "pyproject.toml").exists()), "cli"]
    for folder in runnable:
        name = "rxtract" if folder == "cli" else f"rxtract-{folder}"
        compile_lock(folder, third_party(name, frozenset(), packages), upgrade=upgrade)
    for name, extra in (("rxtract-runtime", "tracing"), ("rxtract-sealing", "postgres")):
        more = third_party(name, frozenset({extra}), packages)
        compile_lock(extra, more - third_party(name, frozenset(), packages), upgrade=upgrade)


if __name__ == "__main__":
    main()
