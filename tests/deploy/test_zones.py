"""Days are Indian days, and a base image may hold no zone files: whoever asks for a zone brings them along."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(
    [*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml"), ROOT / "cli/pyproject.toml"]
)
IMPORTS = re.compile(r"^\s*(?:import zoneinfo|from zoneinfo import)", re.MULTILINE)
USERS = [
    path.parent
    for path in PACKAGES
    if any(IMPORTS.search(source.read_text()) for source in (path.parent / "src").rglob("*.py"))
]
LOCKS = [*sorted(path.parent.name for path in PACKAGES if path.parent.parent.name == "services"), "cli"]


def test_there_are_such_packages():
    assert {"runtime", "outcomes", "scorekeeper"} <= {folder.name for folder in USERS}


@pytest.mark.parametrize("folder", USERS, ids=lambda folder: folder.name)
def test_a_package_that_asks_for_a_zone_requires_the_zone_files(folder):
    assert "tzdata" in tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"]


@pytest.mark.parametrize("name", LOCKS)
def test_every_image_holds_them(name):
    assert re.search(r"^tzdata==", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE)


def test_a_zone_is_found_where_the_system_has_none():
    script = "from runtime.service.settings import time_zone; print(time_zone('Asia/Kolkata').key)"
    environment = {**os.environ, "PYTHONTZPATH": ""}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("Asia/Kolkata\n", "")
