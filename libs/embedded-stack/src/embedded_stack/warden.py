"""A small process that ends our children when we are gone, however we went (kill -9 too).

It is run as a script by `children.py` and imports nothing of ours. Its standard input is a pipe whose other end only the
parent holds: `+ID` adds a process group to watch, `-ID` removes one that the parent has seen the end of. When the pipe
closes, the parent is dead, and every group still on the list is asked to end (SIGTERM) and, after a grace, killed.
Process groups catch what PR_SET_PDEATHSIG misses: grandchildren, and parents whose starting thread ended before them.
"""

import contextlib
import os
import signal
import sys
import time

GRACE_S = 5.0


def alive(group: int) -> bool:
    """Whether the process group still has a member."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def send(groups: "set[int]", signal_number: int) -> None:
    """Send a signal to every group that is still there."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal_number)


def end_all(groups: "set[int]", grace_s: float) -> None:
    """Ask every group to end, wait up to the grace, then kill what is left."""
    send(groups, signal.SIGCONT)
    send(groups, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while any(alive(group) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.05)
    send(groups, signal.SIGKILL)


def main() -> None:
    """Keep the list until the parent is gone, then end what is on it."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
            print(group, flush=True)  # noqa: T201 - tells the parent that this child is on the list
        else:
            groups.discard(group)
    end_all(groups, GRACE_S)


if __name__ == "__main__":
    main()
