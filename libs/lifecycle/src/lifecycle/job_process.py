"""`python -m lifecycle.job_process FOLDER [PARENT]`: the job of a folder in a process of its own, a child of the trainer.

Prints one line of JSON a stage, and one that says how it failed; never a text of a note. Nothing that takes long is imported
before the process is bound to its parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED, AT = "failed", "at"
"""Fields of the line that says how it failed: the exception's type, and where it was raised. What it says may be a note's text."""

_OURS = frozenset({"clinical_ner", "contracts", "corpus", "lifecycle"})
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


def main(arguments: Sequence[str]) -> int:
    """Run the job of a folder; the exit code is 0 when its result stands.

    Args:
        arguments: The folder, and the id of the process without which nobody wants the result.
    """
    if len(arguments) not in (1, 2):
        sys.stderr.write("lifecycle.job_process: give the job's folder\n")
        return 2
    _forbid_core_dumps()
    if len(arguments) == 2 and not _die_with_parent(int(arguments[1])):
        return 3
    try:
        from lifecycle.job import run_job

        run_job(Path(arguments[0]), _say)
    except Exception as error:  # noqa: BLE001 - whatever it is, its parent tells
        _print({FAILED: type(error).__name__, AT: where(error)})
        return 1
    return 0


def _forbid_core_dumps() -> None:
    """Our memory holds notes. As `runtime.service.core_dumps` does, which this library does not know."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0)


def _die_with_parent(parent: int) -> bool:
    """Ask the kernel to end us with the trainer (Linux); False when it is gone already.

    Whoever takes its work over starts anew, from fresh labels.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def where(error: BaseException) -> str:
    """Return module and line of the last of our own frames, and of the innermost one when that is another's."""
    frames = [
        (str(frame.f_globals.get("__name__", "?")), line) for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    if not frames:
        return "an unknown place"
    inner = frames[-1]
    ours = next((one for one in reversed(frames) if one[0].partition(".")[0] in _OURS), inner)
    place = f"{ours[0]}:{ours[1]}"
    return place if ours == inner else f"{place} (in {inner[0]}:{inner[1]})"


def _say(stage: str, done: int, of: int) -> None:
    _print({"stage": stage, "done": done, "of": of})


def _print(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
