"""How a job is run, whoever runs it: what it is given, what it returns, and how it may end otherwise."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runtime.errors import RxtractError


class JobFailedError(RxtractError):
    """The job gave no result; the message says how it ended and at which stage, never a text."""


class JobAbandonedError(RxtractError):
    """The job was ended because another trainer has its work now, or we are asked to stop."""


Progress = Callable[[Mapping[str, Any]], None]
"""Receives each stage of a job: stage, done, of."""

RunJob = Callable[[Path, Callable[[], bool], Progress], dict[str, Any]]
"""Runs the job of a folder and returns its result. It asks now and then whether to go on.

Raises `JobFailedError` or `JobAbandonedError`.
"""
