"""The job's process belongs to its parent from its first moment on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HEAVY = "import sys, lifecycle.job_process; print({'numpy', 'clinical_ner', 'lifecycle.job'} & set(sys.modules))"


def test_an_orphan_does_no_work(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{}")
    somebody_else = str(os.getppid())
    command = [sys.executable, "-m", "lifecycle.job_process", str(tmp_path), somebody_else]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (3, "")


def test_nothing_heavy_is_imported_before_it_is_bound(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", HEAVY], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"
