"""Child processes: what they leave behind is nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from embedded_stack.children import ChildProcess, end_together
from embedded_stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SLEEP = "import time; time.sleep(600)"
# A child with a child of its own; both write their process id to a file and ignore nothing.
FAMILY = """
import os, subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1] + ".tmp", "w") as file:
    file.write(f"{os.getpid()} {grandchild.pid}")
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
time.sleep(600)
"""
PARENT = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
from embedded_stack.children import ChildProcess
folder = Path(sys.argv[1])
child = ChildProcess("family", [sys.executable, "-c", sys.argv[2], str(folder / "pids")], folder / "family.log")
child.start()
time.sleep(600)
"""


def eventually(condition: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., ChildProcess]]:
    made: list[ChildProcess] = []

    def build(code: str, *arguments: str, **more: object) -> ChildProcess:
        child = ChildProcess("worker", [sys.executable, "-c", code, *arguments], tmp_path / "worker.log", **more)
        made.append(child)
        child.start()
        return child

    yield build
    for child in made:
        child.kill()


def test_output_and_environment_reach_the_log(make, tmp_path):
    child = make("import os; print(os.environ['COLOUR'], os.getcwd())", env={"COLOUR": "green"}, cwd=tmp_path)
    assert eventually(lambda: not child.running())
    assert child.exit_code() == 0
    assert child.log_path.read_text().strip() == f"green {tmp_path}"


def test_a_child_that_dies_is_one_line_with_its_reason(make):
    child = make("import sys; print('starting'); sys.exit('ERROR: the moon is full')")
    with pytest.raises(StackError, match=r"worker ended \(exit code 1\): ERROR: the moon is full") as caught:
        child.wait_until(lambda: False, timeout_s=20)
    assert "\n" not in str(caught.value)


def test_a_child_that_never_gets_ready_is_one_line(make):
    child = make("import time; print('still thinking', flush=True); time.sleep(600)")
    assert eventually(lambda: child.log_path.read_text() != "")
    with pytest.raises(StackError, match=r"worker was not ready after 0 s: still thinking"):
        child.wait_until(lambda: False, timeout_s=0.2)


def test_a_program_that_does_not_exist_is_reported_by_its_log(tmp_path):
    child = ChildProcess("ghost", [str(tmp_path / "nothing")], tmp_path / "ghost.log")
    child.start()
    with pytest.raises(StackError, match=r"ghost ended \(exit code 127\)"):
        child.wait_until(lambda: False, timeout_s=20)


def test_the_end_takes_grandchildren_along(make, tmp_path):
    child = make(FAMILY, str(tmp_path / "pids"))
    assert eventually((tmp_path / "pids").exists)
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    assert pids[0] == child.pid
    child.end()
    assert all(eventually(lambda pid=pid: gone(pid)) for pid in pids)


def test_grandchildren_of_a_child_that_died_by_itself_are_ended(make, tmp_path):
    child = make(FAMILY, str(tmp_path / "pids"))
    assert eventually((tmp_path / "pids").exists)
    own, grandchild = (int(word) for word in (tmp_path / "pids").read_text().split())
    os.kill(own, signal.SIGKILL)
    assert eventually(lambda: not child.running())
    assert eventually(lambda: gone(grandchild))


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(make):
    child = make(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    assert eventually(lambda: "deaf" in child.log_path.read_text())
    began = time.monotonic()
    child.end(grace_s=0.3)
    assert 0.3 <= time.monotonic() - began < 10
    assert child.exit_code() == -signal.SIGKILL


def test_several_end_within_one_grace(make):
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    children = [make(code) for _ in range(3)]
    assert eventually(lambda: children[0].log_path.read_text().count("deaf") == 3)
    began = time.monotonic()
    end_together(children, grace_s=1.0)
    assert time.monotonic() - began < 2.5
    assert not any(child.running() for child in children)


def test_pause_and_resume(make):
    child = make(SLEEP)
    child.pause()
    assert eventually(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)
    child.resume()
    assert eventually(lambda: psutil.Process(child.pid).status() != psutil.STATUS_STOPPED)


def test_a_paused_child_can_be_ended(make):
    child = make(SLEEP)
    child.pause()
    child.end(grace_s=5)
    assert not child.running()


def test_it_can_be_started_again_but_not_twice(make):
    child = make(SLEEP)
    with pytest.raises(StackError, match="already running"):
        child.start()
    first = child.pid
    child.kill()
    child.start()
    assert child.running()
    assert child.pid != first


def test_memory_counts_the_whole_tree(make, tmp_path):
    child = make(FAMILY, str(tmp_path / "pids"))
    assert eventually((tmp_path / "pids").exists)
    alone = psutil.Process(child.pid).memory_info().rss
    assert child.rss_bytes() > alone
    child.kill()
    assert child.rss_bytes() == 0


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_orphan_when_the_parent_dies(tmp_path, ending):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), FAMILY], stderr=subprocess.DEVNULL)
    try:
        assert eventually((tmp_path / "pids").exists, timeout_s=60)
        pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
        assert not any(gone(pid) for pid in pids)
    finally:
        parent.send_signal(ending)
        parent.wait(20)
    assert all(eventually(lambda pid=pid: gone(pid)) for pid in pids)


def test_a_forked_copy_of_the_parent_does_not_keep_orphans_alive(tmp_path):
    """Such as a worker of multiprocessing: it holds copies of all open files."""
    forking = PARENT.replace(
        "child.start()\n", "child.start()\nimport os\nif os.fork() == 0:\n    time.sleep(60)\n    os._exit(0)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", forking, str(tmp_path), FAMILY])
    assert eventually((tmp_path / "pids").exists, timeout_s=60)
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    copy = []
    family = {parent.pid, *pids}
    assert eventually(
        lambda: bool(
            copy.extend(
                one.pid
                for one in psutil.Process(parent.pid).children()
                if one.pid not in family and "-c" in one.cmdline()
            )
            or copy
        )
    )
    parent.kill()
    parent.wait(20)
    assert all(eventually(lambda pid=pid: gone(pid)) for pid in pids)
    assert not gone(copy[0])
    os.kill(copy[0], signal.SIGKILL)


def test_the_warden_leaves_too(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), FAMILY])
    assert eventually((tmp_path / "pids").exists, timeout_s=60)
    wardens = [
        one
        for one in psutil.Process(parent.pid).children()
        if any(word.endswith("warden.py") for word in one.cmdline())
    ]
    assert len(wardens) == 1
    parent.kill()
    parent.wait(20)
    assert eventually(lambda: gone(wardens[0].pid))


def test_a_parent_killed_before_the_child_was_let_go_leaves_nothing_running(tmp_path):
    """The gate: without a word from us the shell never becomes the program."""
    read_end, write_end = os.pipe()
    from embedded_stack.children import GATE

    shell = subprocess.Popen(
        ["/bin/sh", "-c", GATE, "sh", sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"], stdin=read_end
    )
    os.close(read_end)
    os.close(write_end)
    assert shell.wait(20) != 0
    assert not (tmp_path / "ran").exists()
