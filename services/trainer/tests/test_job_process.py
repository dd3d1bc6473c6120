"""The job's process: how it ended is said by kind, place and stage, and never by a word of a note."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from trainer.adapters.job import JobProcess
from trainer.domain.job_runs import JobFailedError

pytestmark = pytest.mark.slow  # each starts a process

JOB = {"kind": "evaluate", "corpus": {"notes": 20, "gold_notes": 20}, "challenger": {"artifact_sha256": "ab"}}
SECRET = "Mrs Unmistakable"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job.json").write_text(json.dumps(JOB))
    (tmp_path / "roles.key").write_bytes(b"k" * 32)
    (tmp_path / "annotations.jsonl").write_text("")
    return tmp_path


def failure(folder: Path, timeout_s: float = 60, progress: Any = lambda _: None) -> str:
    with pytest.raises(JobFailedError) as failed:
        JobProcess(timeout_s, 0.05)(folder, lambda: True, progress)
    return str(failed.value)


def test_a_job_that_raises_says_what_where_and_at_which_stage(folder: Path) -> None:
    said = failure(folder)
    assert "ArtifactRefused in clinical_ner.tagger:" in said
    assert "stage open" in said
    assert str(folder) not in said


def test_what_a_library_raises_is_told_with_the_place_of_ours_that_called_it(folder: Path) -> None:
    (folder / "roles.key").unlink()
    assert re.search(r"FileNotFoundError in lifecycle\.job:\d+ \(in pathlib[\w.]*:\d+\)", failure(folder))


def test_what_an_exception_says_is_not_told(folder: Path) -> None:
    (folder / "annotations.jsonl").write_text(f'{{"text": "{SECRET}"')
    said = failure(folder)
    assert "JSONDecodeError" in said
    assert "stage data set" in said
    assert SECRET not in said
    assert SECRET not in (folder / "job.log").read_text()


def test_a_job_that_was_killed_names_the_signal(folder: Path) -> None:
    def kill(_: Mapping[str, Any]) -> None:
        for child in psutil.Process().children():
            if str(folder) in child.cmdline():  # the tests' servers are children, too
                child.kill()

    said = failure(folder, progress=kill)
    assert "SIGKILL" in said
    assert "stage data set" in said
    assert "memory" in said


def test_a_job_that_takes_too_long_names_its_stage(folder: Path) -> None:
    assert "took longer than 0 s, before its first stage" in failure(folder, timeout_s=0.1)
