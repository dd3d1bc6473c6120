"""Child processes that never outlive us: started, watched, logged to a file, ended by the id we were given."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from embedded_stack import logfiles
from embedded_stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

POLL_INTERVAL_S = 0.05
# The shell waits until its process group is on the warden's list; only then does it become the real program. If we die
# in between, it reads the end of the pipe and leaves.
GATE = 'read -r _ && exec "$@"'


class Warden:
    """Our end of the process that ends our children when we are gone (see `warden.py`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        script = Path(__file__).with_name("warden.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script)],
            stdin=orders,
            stdout=answers,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(orders)
        os.close(answers)

    def watch(self, group: int) -> None:
        """Put a process group on the list; returns when it is on it."""
        wanted = f"{group}\n".encode()
        answer = b""
        with self._lock, contextlib.suppress(OSError):
            os.write(self._orders, b"+" + wanted)
            while len(answer) < len(wanted) and (more := os.read(self._answers, len(wanted) - len(answer))):
                answer += more
        if answer != wanted:
            raise StackError("the process that guards the child processes has died: start again")

    def forget(self, group: int) -> None:
        """Take a process group that has ended off the list."""
        with self._lock, contextlib.suppress(OSError):
            os.write(self._orders, f"-{group}\n".encode())

    def let_go(self) -> None:
        """In a forked copy of us: close its ends of the pipes, or the warden would wait for the copy's end too."""
        for descriptor in (self._orders, self._answers):
            with contextlib.suppress(OSError):
                os.close(descriptor)


class _WardenOfThisProcess:
    """Starts the one warden of this process when the first child needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._warden: Warden | None = None
        self._pid = 0

    def get(self) -> Warden:
        with self._lock:
            if self._warden is None or self._pid != os.getpid():
                self._warden, self._pid = Warden(), os.getpid()
                os.register_at_fork(after_in_child=self._warden.let_go)
            return self._warden


_WARDEN = _WardenOfThisProcess()


class ChildProcess:
    """One program that we run in its own process group, with its output in a log file.

    Args:
        name: What people call it; used in messages.
        argv: The program and its arguments; the program must exist.
        log_path: Its output is appended here.
        env: Added to our own environment.
        cwd: Its working folder.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._argv = list(argv)
        self._env = dict(env or {})
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None
        self._log_offset = 0
        self._settled_group = 0
        self._ended_at_s = 0.0

    def set_env(self, env: Mapping[str, str]) -> None:
        """Add to its environment, from its next start on."""
        self._env.update(env)

    @property
    def pid(self) -> int:
        """Its process id, which is also its process group's. 0 when it was never started."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it (again). Returns at once; readiness is another question."""
        if self.running():
            raise StackError(f"{self.name} is already running (process {self.pid})")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._log_offset = logfiles.turn(self.log_path)
            self._process = self._spawn()
            self._ended_at_s = 0.0
        except OSError as error:
            raise StackError(
                f"{self.name} could not be started: {error.strerror}: {error.filename or self._argv[0]}"
            ) from error

    def _spawn(self) -> subprocess.Popen[bytes]:
        warden = _WARDEN.get()
        with self.log_path.open("ab") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", GATE, "sh", *self._argv],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._env},
                cwd=self._cwd,
                start_new_session=True,
            )
        if process.stdin is None:
            raise StackError(f"{self.name} has no standard input")
        try:
            warden.watch(process.pid)
        except StackError:
            process.stdin.close()
            process.wait()
            raise
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(b"go\n")
            process.stdin.close()
        return process

    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self.exit_code() is None

    def exit_code(self) -> int | None:
        """Its exit code (minus the signal that ended it), or None while it runs or was never started."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is not None:
            self._ended_at_s = self._ended_at_s or time.time()
            self._settle(self._process.pid)
        return code

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> float:
        """Wait until `ready()` says so. Returns the seconds it took.

        Raises:
            StackError: it ended before, or was not ready in time; the line says why as far as its log tells.
        """
        began = time.monotonic()
        while not ready():
            if not self.running():
                raise StackError(self.why_ended())
            if time.monotonic() - began > timeout_s:
                line = logfiles.telling_line(self.log_path, self._log_offset)
                raise StackError(f"{self.name} was not ready after {timeout_s:.0f} s: {line} (see {self.log_path})")
            time.sleep(POLL_INTERVAL_S)
        return time.monotonic() - began

    def why_ended(self) -> str:
        """One line: that it ended, how, and what its log says about it; nothing that was written long before."""
        code = self.exit_code()
        line = logfiles.last_words(
            self.log_path, self._log_offset, self._ended_at_s or time.time(), killed=(code or 0) < 0
        )
        why = logfiles.explain(line) if line else "its log says nothing of it"
        return f"{self.name} ended ({_exit_words(code)}): {why} (see {self.log_path})"

    def ask_to_end(self) -> None:
        """Send SIGTERM to its process group and return at once; `end` waits."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)

    def end(self, grace_s: float = 10.0) -> None:
        """Ask its process group to end, kill it after `grace_s`. Does nothing when it is not running."""
        if self._process is None:
            return
        self.ask_to_end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        self.kill()

    def kill(self) -> None:
        """Kill -9 its whole process group, and wait for its end."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._settle(self._process.pid)

    def pause(self) -> None:
        """Stop its process group in its tracks (SIGSTOP): connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def rss_bytes(self) -> int:
        """Resident memory of its whole process tree, in bytes. 0 when it is not running."""
        return sum(_rss_bytes(process) for process in self._tree())

    def _tree(self) -> list[psutil.Process]:
        if not self.running():
            return []
        try:
            root = psutil.Process(self.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _signal(self, number: signal.Signals) -> None:
        # The id is ours until its leader is reaped: until then it cannot be given to another process.
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _settle(self, group: int) -> None:
        """Its leader has just been reaped: end what it left behind in its group, once, and take it off the list."""
        if self._settled_group == group:
            return
        self._settled_group = group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
        _WARDEN.get().forget(group)


def _rss_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _exit_words(code: int | None) -> str:
    if code is None:
        return "still running"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def end_together(children: Sequence[ChildProcess], grace_s: float = 10.0) -> None:
    """End several at once: all are asked first, then waited for."""
    for child in children:
        child.ask_to_end()
    deadline = time.monotonic() + grace_s
    for child in children:
        child.end(max(0.1, deadline - time.monotonic()))


def python_argv(module: str, *arguments: Any) -> list[str]:
    """How to run one of our Python modules as a child."""
    return [sys.executable, "-m", module, *map(str, arguments)]
