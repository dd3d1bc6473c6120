"""CI leaves nothing out: a missing tool fails there, and what is too long for every push runs each night."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yml")}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
NEED_A_TOOL = (
    "test_chart.py::test_lint_is_clean",
    "test_crds.py::test_a_mistake_in_each_kind_is_found",
    "test_parity.py::test_docker_compose_refuses_a_misspelt_key",
    "test_images.py::test_hadolint_finds_nothing_in_the_dockerfile",
    "test_prometheus.py::test_rules_parse",
)


def made(workflow):
    """What a workflow makes: in its steps, or by its matrix."""
    found = set()
    for job in WORKFLOWS[workflow]["jobs"].values():
        words = " ".join(job.get("strategy", {}).get("matrix", {}).get("make", [])).split()
        found |= {word for word in words if "=" not in word}  # a variable is no target
        found |= set(re.findall(r"\bmake ([a-z-]+)", "\n".join(step.get("run", "") for step in job["steps"])))
    return found


@pytest.mark.parametrize("test", NEED_A_TOOL)
@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)], ids=["ci", "a person"])
def test_without_its_tool_a_test_is_skipped_for_a_person_and_fails_in_ci(tmp_path, test, ci, code):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", f"tests/deploy/{test}"]
    bare = {"PATH": str(tmp_path), "HOME": str(tmp_path), "RXTRACT_CACHE_DIR": str(tmp_path), "CI": ci}
    kept = {name: value for name, value in os.environ.items() if name.startswith(("LANG", "LC_"))}
    ended = subprocess.run(command, cwd=ROOT, env=kept | bare, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ("run make" in ended.stdout) or ci


def test_what_needs_root_finds_the_python_of_the_step_before_it():
    """sudo takes its own secure_path over a preserved PATH; `env` sets it behind sudo."""
    (run,) = [
        step["run"] for step in WORKFLOWS["nightly"]["jobs"]["long"]["steps"] if "cluster-test" in step.get("run", "")
    ]
    assert re.fullmatch(r'sudo env "PATH=\$PATH" "HOME=\$HOME" CI=true make cluster-test', run)


def test_every_night_runs_what_is_too_long_for_a_push():
    assert WORKFLOWS["nightly"][True]["schedule"]  # YAML reads `on` as true
    long = {
        "compose-test",
        "cluster-test",
        "clients-test",
        "alerts-test",
        "test-long",
        "simulate",
        "faults",
        "fuzz",
        "fhir-profiles",
    }
    assert made("nightly") == long | {"images", "sbom", "spark-test"}


def test_a_bill_of_materials_has_its_images_made_before_it():
    """Without them it is of the locks alone."""
    lines = WORKFLOWS["nightly"]["jobs"]["long"]["strategy"]["matrix"]["make"]
    assert [line for line in lines if "sbom" in line] == ["images sbom"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_make_what_there_is(name):
    assert made(name) <= TARGETS
