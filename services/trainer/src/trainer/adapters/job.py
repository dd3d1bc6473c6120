"""Training and judging in a process of their own: minutes of work must not touch the consumer, and memory goes with it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runtime.errors import RxtractError


class JobFailedError(RxtractError):
    """The job gave no result; the message says how it ended, never a text."""


class JobAbandonedError(RxtractError):
    """The job was ended because somebody else has its work now, or we are asked to stop."""


Progress = Callable[[Mapping[str, Any]], None]


class JobProcess:
    """Runs `python -m lifecycle.job FOLDER`.

    Args:
        timeout_s: After which it counts as failed.
        poll_s: Between two questions whether to go on.
    """

    def __init__(self, timeout_s: float, poll_s: float = 0.5) -> None:
        self._timeout_s = timeout_s
        self._poll_s = poll_s

    def __call__(self, folder: Path, go_on: Callable[[], bool], progress: Progress) -> dict[str, Any]:
        """Run it and return its result.

        Args:
            folder: As the job wants it.
            go_on: Asked now and then; False ends the job.
            progress: Told of each stage.

        Raises:
            JobAbandonedError: `go_on` said no.
            JobFailedError: It ended without a result, or took too long.
        """
        output, said = folder / "job.log", 0
        with output.open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "lifecycle.job", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        deadline_s = time.monotonic() + self._timeout_s
        try:
            while True:
                try:
                    child.wait(self._poll_s)
                except subprocess.TimeoutExpired:
                    said = _tell(output, said, progress)
                    if not go_on():
                        raise JobAbandonedError("the job was ended: its work is not ours any more") from None
                    if time.monotonic() >= deadline_s:
                        raise JobFailedError(f"the job took longer than {self._timeout_s:.0f} s") from None
                else:
                    break
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        _tell(output, said, progress)
        return _result(folder, child.returncode)


def _tell(output: Path, said: int, progress: Progress) -> int:
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines[said:]:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            progress(found)
    return len(lines)


def _result(folder: Path, code: int) -> dict[str, Any]:
    path = folder / "result.json"
    if code != 0 or not path.exists():
        raise JobFailedError(f"the job ended with code {code} and no result")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
