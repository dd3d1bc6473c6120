"""Write a bill of materials (CycloneDX) of every image from its lock: ``make sbom``. Run where `cyclonedx-py` is on PATH.

A lock is for every platform; a bill lists what an image holds: Python 3.11 on Linux.
"""  # noqa: INP001

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "dist/sbom"
IMAGE = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""What the image's Python says of itself; the release does not matter for any marker of ours."""


def held(lock: str) -> str:
    """The entries of a lock that an image installs."""
    entries = re.findall(r"^[A-Za-z0-9].*(?:\n    .*)*", lock, re.MULTILINE)
    environment = {key: str(value) for key, value in default_environment().items()} | IMAGE
    kept = []
    for entry in entries:
        requirement = Requirement(re.split(r"\s+\\?\s*--hash|\s*\\?\n", entry, maxsplit=1)[0].strip())
        if requirement.marker is None or requirement.marker.evaluate(environment):
            kept.append(re.sub(r"\n    #.*", "", entry))
    return "\n".join(kept) + "\n"


def main() -> int:
    """Write one file for each image."""
    TARGET.mkdir(parents=True, exist_ok=True)
    projects = {path.parent.name: path for path in sorted(ROOT.glob("services/*/pyproject.toml"))}
    for name, project in {**projects, "cli": ROOT / "cli/pyproject.toml"}.items():
        output = TARGET / f"{name}.cdx.json"
        command = ["cyclonedx-py", "requirements", "--output-reproducible", "--validate", "--of", "JSON"]
        lock = held((ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8"))
        command += ["--pyproject", str(project), "--output-file", str(output), "-"]
        subprocess.run(command, input=lock, text=True, check=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})
        count = len(json.loads(output.read_text(encoding="utf-8"))["components"])
        print(f"{output.relative_to(ROOT)}: {count} packages")  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
