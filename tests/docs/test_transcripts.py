"""The transcripts of the long runs are of the scripts as they are now: whatever a script says is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNS = {
    "compose": ROOT / "deploy/compose_test.py",
    "cluster": ROOT / "deploy/cluster_test.py",
    "clients": ROOT / "tests/clients/run.py",
}


def said(script):
    """What each `say` of a script prints, as a pattern; what is computed as a whole is left out."""
    calls = [node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Call)]
    lines = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "say"]
    return [pattern(line) for line in lines if not isinstance(line, ast.Name)]


def pattern(node):
    if isinstance(node, ast.Constant):
        return re.escape(node.value)
    if isinstance(node, ast.BinOp):
        return pattern(node.left) + pattern(node.right)
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern(part) for part in node.values)
    return ".*?"


def missing(script, transcript):
    lines = [line.partition(" s  ")[2] for line in transcript.splitlines()]
    return [one for one in said(script) if not any(re.fullmatch(one, line) for line in lines)]


@pytest.mark.parametrize("name", RUNS)
def test_every_line_that_the_script_says_is_in_its_transcript(name):
    script, page = RUNS[name].read_text(), (ROOT / f"docs/transcripts/{name}.md").read_text()
    assert len(said(script)) > 6
    assert missing(script, page) == [], f"run `make {name}-test`: the transcript is older than the script"


def test_every_setting_that_is_refused_is_in_the_transcript_of_compose():
    (wrong,) = (
        ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(RUNS["compose"].read_text()))
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "WRONG"
    )
    page = (ROOT / "docs/transcripts/compose.md").read_text()
    assert [setting for setting in wrong if f"  {setting}: exit code 2, " not in page] == []


def test_a_line_that_is_missing_is_named():
    script = 'say("begun")\nsay(f"{count} notes, " + f"{lost:.1f} lost")\nsay(line)'
    assert missing(script, "  1.0 s  begun\n 10.0 s  7 notes, 0.0 lost") == []
    assert missing(script, "  1.0 s  begun\n 10.0 s  7 notes") == [".*?\\ notes,\\ .*?\\ lost"]


DRY_RUN = re.compile(r"(\d+) resources(?: taken)?, (\d+) of (?:them by the definitions of \d+ operators'|those) kinds")


def test_the_page_says_of_the_clusters_dry_run_what_its_transcript_says():
    (seen,) = DRY_RUN.findall((ROOT / "docs/transcripts/cluster.md").read_text())
    (told,) = DRY_RUN.findall((ROOT / "docs/deploy.md").read_text())
    assert told == seen


def test_make_says_how_long_the_run_of_compose_takes():
    last_s = re.findall(r"^ *(\d+\.\d) s  ", (ROOT / "docs/transcripts/compose.md").read_text(), re.MULTILINE)[-1]
    (said_min,) = re.findall(r"^compose-test:.*about (\d+) min", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert abs(float(last_s) / 60 - int(said_min)) <= 1
