"""No core dumps: the memory of a process that reads notes holds notes, and a dump is a file that nobody guards."""

import contextlib
import ctypes
import resource

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """Let neither this process nor what it starts leave a core dump, whatever the machine's limits are.

    The limit is inherited by children; the kernel does not ask it where dumps go to a program (systemd-coredump, most
    nodes of a cluster), so we also take ourselves out of what may be dumped (Linux), and with that out of what other
    processes of our user may trace. A child that is another program has to do that for itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0)
