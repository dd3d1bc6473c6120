"""Fail-stop: a surprise ends the process at once, before anything can be acknowledged behind it.

Faust restarts an agent that raised, and the next acknowledgement then commits past the batch that failed. So nothing is restarted inside a
process: it ends non-zero with the offset uncommitted, and whoever supervises it starts a new one.
"""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

EXIT_SURPRISE = 70
"""Exit code after a surprise (EX_SOFTWARE of sysexits.h)."""

_FLUSH_TIMEOUT_S = 2.0


class FailStop:
    """Ends the process on the first surprise, from whichever thread it comes.

    Args:
        leave: What ends the process; tests give their own.
    """

    def __init__(self, leave: Callable[[int], None] = os._exit) -> None:
        self._leave = leave
        self._lock = threading.Lock()
        self._log = logging.getLogger(__name__)
        self.stopping = False
        self.reason: BaseException | None = None

    def __call__(self, where: str, error: BaseException) -> None:
        """Log what happened (type and places, not the message, unless it is our own) and leave."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason = error
        self._log.critical("stopped by a surprise in %s: %s", where, type(error).__name__, exc_info=error)
        _flush_logs()
        self._leave(EXIT_SURPRISE)


def leave_now(code: int) -> NoReturn:
    """Flush the logs and end the process without waiting for threads."""
    _flush_logs()
    os._exit(code)


def _flush_logs() -> None:
    """Flush every log handler, but never hang on one that is stuck."""
    flusher = threading.Thread(target=_flush_handlers, daemon=True)
    flusher.start()
    flusher.join(_FLUSH_TIMEOUT_S)


def _flush_handlers() -> None:
    for handler in logging.getLogger().handlers:
        with contextlib.suppress(Exception):
            handler.flush()
    with contextlib.suppress(Exception):
        sys.stderr.flush()
        sys.stdout.flush()
