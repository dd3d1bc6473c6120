"""Ending in order: whatever asks us to end is treated as Ctrl-C, so that what we started is ended too."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130


def end_as_by_ctrl_c() -> None:
    """Let SIGTERM, SIGHUP and SIGINT raise KeyboardInterrupt. SIGINT too: a shell ignores it for background jobs."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
