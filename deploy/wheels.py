"""What a data scientist installs: ``make wheels`` writes two wheels with the shipped model to dist/wheels.

Install them as files (`pip install dist/wheels/*.whl`): no index is asked for our names, which anybody could take there.
"""  # noqa: INP001

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rxtract.first_model import first_model

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("clinical-ner", "tagger")
BUILD = Path("contracts/native_build.py")
"""Compiles the C code of a package that stands beside it."""


def build(out: Path) -> list[Path]:
    """Build the wheels into a folder, from this checkout; returns them."""
    environ = {**os.environ, "RXTRACT_SHIPPED_MODEL": str(first_model().folder / "tables.npz")}
    command = [sys.executable, "-m", "uv", "build", "--quiet", "--python", sys.executable, "--no-build-isolation"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / BUILD.parent).mkdir()
        shutil.copy(ROOT / "libs" / BUILD, Path(folder) / BUILD)
        for package in PACKAGES:
            # A copy: compiling in the checkout would replace the library that others have open.
            copy = shutil.copytree(
                ROOT / "libs" / package, Path(folder) / package, ignore=shutil.ignore_patterns("_native")
            )
            subprocess.run([*command, "--wheel", "--out-dir", str(out), str(copy)], check=True, env=environ)
    return sorted(out.glob("rxtract_*.whl"))


if __name__ == "__main__":
    for wheel in build(ROOT / "dist/wheels"):
        print(f"{wheel.relative_to(ROOT)}  {wheel.stat().st_size / 1e6:.1f} MB")  # noqa: T201 - this is a command
