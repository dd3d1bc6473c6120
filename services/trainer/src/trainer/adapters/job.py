"""Training and judging in a process of their own: minutes of work must not touch the consumer, and memory goes with it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lifecycle.job_process import AT, FAILED

from trainer.domain.job_runs import JobAbandonedError, JobFailedError, Progress


class JobProcess:
    """Runs `python -m lifecycle.job_process FOLDER`.

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
        output = folder / "job.log"
        with output.open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "lifecycle.job_process", str(folder), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        printed = _Printed(output, progress)
        deadline_s = time.monotonic() + self._timeout_s
        try:
            while True:
                try:
                    child.wait(self._poll_s)
                except subprocess.TimeoutExpired:
                    printed.read()
                    if not go_on():
                        raise JobAbandonedError("the job was ended: its work is not ours any more") from None
                    if time.monotonic() >= deadline_s:
                        raise JobFailedError(
                            f"the job took longer than {self._timeout_s:.0f} s, {printed.place}: see RXTRACT_JOB_TIMEOUT_S"
                        ) from None
                else:
                    break
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        printed.read()
        return _result(folder, child.returncode, printed)


class _Printed:
    """What a job has printed so far: its stages, told as they come, and how it failed."""

    def __init__(self, output: Path, progress: Progress) -> None:
        self._output = output
        self._progress = progress
        self._read_to = 0
        self._stage = ""
        self.failed = ""

    @property
    def place(self) -> str:
        """How far it came."""
        return f"at stage {self._stage}" if self._stage else "before its first stage"

    def read(self) -> None:
        """Take the lines that have been finished since the last time."""
        with self._output.open("rb") as printed:
            printed.seek(self._read_to)
            finished, newline, _ = printed.read().rpartition(b"\n")
        self._read_to += len(finished) + len(newline)
        for line in finished.split(b"\n"):
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            found = json.loads(line)
        except ValueError:
            return
        if not isinstance(found, dict):
            return
        if FAILED in found:
            self.failed = f"{found[FAILED]} in {found.get(AT)}"
            return
        self._stage = str(found.get("stage", ""))
        self._progress(found)


def _result(folder: Path, code: int, printed: _Printed) -> dict[str, Any]:
    path = folder / "result.json"
    if code != 0 or not path.exists():
        raise JobFailedError(f"the job {_how_ended(code, printed)}, {printed.place}")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _how_ended(code: int, printed: _Printed) -> str:
    if printed.failed:
        return f"failed with {printed.failed}"
    if code >= 0:
        return f"ended with code {code} and no result"
    if -code == signal.SIGKILL:
        return "was killed by SIGKILL (a lack of memory is the usual cause)"
    return f"was ended by signal {-code}"
