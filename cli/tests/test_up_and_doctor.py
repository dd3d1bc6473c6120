"""`rxtract up` and `rxtract doctor`, over a stack that is not there."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
import rxtract.commands.doctor as doctor_module
import rxtract.commands.up as up_module
import typer
from embedded_stack.checks import Finding, Status
from embedded_stack.errors import StackError
from rxtract.addresses import StackAddresses, read_addresses, remember_stack
from rxtract.app import build
from rxtract.bringup import Revivals, Running
from rxtract.errors import UserError
from rxtract.stack_ports import door_ports, ports_from
from typer.testing import CliRunner

PROBLEM = Finding("redis", Status.PROBLEM, "no redis-server", "run 'make tools'")
FINE = Finding("python", Status.OK, "3.11.7")
NOTE = Finding("promtool", Status.NOTE, "not found", "install it")


def app_of(command):
    app = typer.Typer()
    app.command()(command)
    return app


def fake_bring_up(revive, ended):
    @contextlib.contextmanager
    def bring_up(data_dir, **_):
        stack = SimpleNamespace(rss_bytes=lambda: {"kafka": 300_000_000})
        addresses = StackAddresses("127.0.0.1:1", "http://r", "redis://r", "http://m", "http://i")
        try:
            yield SimpleNamespace(stack=stack, data_dir=data_dir, addresses=addresses, services={}, revive=revive)
        finally:
            ended.append(True)

    return bring_up


@pytest.fixture(autouse=True)
def _handlers_as_before():
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


class Child:
    """A service that dies as often as it is told to."""

    def __init__(self, deaths):
        self.left = deaths
        self.starts = []

    def running(self):
        return self.left == 0

    def why_ended(self):
        return "scorekeeper ended (signal SIGKILL): its log says nothing of it (see x.log)"

    def start_again(self, env):
        self.left -= 1
        self.starts.append(env)


def running_with(tmp_path, child, ended=None):
    ended = ended or {}
    stack = SimpleNamespace(ended=lambda: dict(ended), restart=ended.pop)
    (tmp_path / "run").mkdir(exist_ok=True)
    (tmp_path / "run" / "score.port").write_text("4711\n")
    addresses = StackAddresses("127.0.0.1:1", "http://r", "redis://r", "http://m", "http://i")
    return Running(stack, tmp_path, addresses, {}, {"scorekeeper": child})


def test_what_died_is_started_again_where_it_was_and_shown(tmp_path):
    child, lines = Child(1), []
    running, revivals = running_with(tmp_path, child, {"kafka": "Kafka ended (exit code 1)"}), Revivals()
    running.revive(revivals, lines.append)
    running.revive(revivals, lines.append)
    assert child.starts == [{"RXTRACT_SCORE_PORT": "4711"}]
    assert lines == [
        "Kafka ended (exit code 1); started again (1 of at most 5 within 10 minutes)",
        f"{child.why_ended()}; started again (1 of at most 5 within 10 minutes)",
    ]


def test_what_dies_too_often_ends_everything_with_its_reason(monkeypatch, tmp_path):
    child, ended = Child(99), []
    running = running_with(tmp_path, child)
    monkeypatch.setattr(up_module, "bring_up", fake_bring_up(running.revive, ended))
    monkeypatch.setattr(up_module, "LOOK_EVERY_S", 0.0)
    with pytest.raises(UserError, match=r"scorekeeper ended .* started again 5 times within 10 minutes"):
        up_module.up(tmp_path)
    assert len(child.starts) == 5
    assert ended == [True]


def test_deaths_long_ago_do_not_count(tmp_path):
    now = [0.0]
    revivals = Revivals(clock=lambda: now[0])
    for _ in range(12):
        assert revivals.count("kafka", "it ended") == "started again (1 of at most 5 within 10 minutes)"
        now[0] += 601


def test_ctrl_c_ends_everything_and_is_no_failure(monkeypatch, tmp_path):
    ended = []

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(up_module, "bring_up", fake_bring_up(interrupt, ended))
    answer = CliRunner().invoke(app_of(up_module.up), ["--data", str(tmp_path)])
    assert answer.exit_code == 0
    assert ended == [True]
    assert "http://i/docs" in answer.output
    assert "stack.json" in answer.output


def test_ctrl_c_before_everything_is_up_is_130(monkeypatch, tmp_path):
    @contextlib.contextmanager
    def bring_up(_data_dir, **_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(up_module, "bring_up", bring_up)
    answer = CliRunner().invoke(app_of(up_module.up), ["--data", str(tmp_path)])
    assert answer.exit_code == 130
    assert "stopped before everything was up" in answer.output


def test_what_cannot_start_is_one_line(monkeypatch, tmp_path):
    @contextlib.contextmanager
    def bring_up(_data_dir, **_):
        raise StackError("no Java 17 or newer: set JAVA_HOME")
        yield

    monkeypatch.setattr(up_module, "bring_up", bring_up)
    with pytest.raises(UserError, match=r"^no Java 17 or newer: set JAVA_HOME$"):
        up_module.up(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_it_in_order(tmp_path, number):
    program = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import test_up_and_doctor as fakes
        import rxtract.commands.up as up
        from pathlib import Path
        up.bring_up = fakes.fake_bring_up(lambda *_: None, [])
        try:
            up.up(Path({str(tmp_path)!r}))
        finally:
            print("left in order")
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("Ctrl-C stops"):
            break
    process.send_signal(number)
    assert process.wait(30) == 0
    assert process.stdout.read() == "left in order\n"
    process.stdout.close()


@pytest.mark.parametrize(("findings", "code"), [([FINE, NOTE], 0), ([FINE, PROBLEM, NOTE], 1)])
def test_the_doctor_fails_on_problems_only(monkeypatch, findings, code):
    monkeypatch.setattr(doctor_module, "examine", lambda _data: findings)
    monkeypatch.setattr(doctor_module, "examine_deployment", lambda *_: [])
    answer = CliRunner().invoke(app_of(doctor_module.doctor), [])
    assert answer.exit_code == code
    assert len(answer.output.splitlines()) == len(findings)
    assert answer.output.splitlines()[0].split() == ["ok", "python", "3.11.7"]


def test_the_doctor_in_json(monkeypatch):
    monkeypatch.setattr(doctor_module, "examine", lambda _data: [FINE])
    monkeypatch.setattr(doctor_module, "examine_deployment", lambda *_: [PROBLEM])
    answer = CliRunner().invoke(app_of(doctor_module.doctor), ["--json"])
    assert answer.exit_code == 1
    assert json.loads(answer.output) == [
        {"name": "python", "status": "ok", "message": "3.11.7", "remedy": ""},
        {"name": "redis", "status": "problem", "message": "no redis-server", "remedy": "run 'make tools'"},
    ]


@pytest.mark.stack
def test_doctor_asks_a_running_stack(stack, tmp_path):
    from embedded_stack.addresses import write_stack_json

    write_stack_json(tmp_path / "stack.json", stack.addresses)
    assert stat.S_IMODE((tmp_path / "stack.json").stat().st_mode) == 0o600
    answer = CliRunner().invoke(app_of(doctor_module.doctor), ["--data", str(tmp_path), "--json"])
    asked = {one["name"]: one["status"] for one in json.loads(answer.output) if one["name"].startswith("stack: ")}
    assert asked == {f"stack: {name}": "ok" for name in ("kafka", "registry", "redis", "mlflow")}


def test_a_stack_in_another_folder_is_found_as_long_as_it_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    written = tmp_path / "far" / "stack.json"
    written.parent.mkdir()
    written.write_text('{"bootstrap_servers": "far:1"}')
    remember_stack(written)
    assert read_addresses(None, {}).bootstrap_servers == "far:1"
    near = tmp_path / ".rxtract" / "stack.json"
    near.parent.mkdir()
    near.write_text('{"bootstrap_servers": "near:1"}')
    assert read_addresses(None, {}).bootstrap_servers == "near:1"
    near.unlink()
    written.unlink()
    with pytest.raises(UserError, match=r"no running stack found in \.rxtract"):
        read_addresses(None, {}).need("bootstrap_servers")


def test_doors_keep_their_ports_in_a_folder(tmp_path):
    first = door_ports(tmp_path)
    assert door_ports(tmp_path) == first
    with socket.create_server(("127.0.0.1", first["answerer"])):
        again = door_ports(tmp_path)
    assert again["answerer"] != first["answerer"]
    assert again["scorekeeper"] == first["scorekeeper"]


def test_a_port_base_names_every_port_and_one_that_is_taken_is_said(tmp_path):
    doors, servers = ports_from(21_000)
    assert sorted([*doors.values(), *servers.values()]) == list(range(21_000, 21_010))
    assert doors["answerer"] == 21_000
    for base in (80, 65_530):
        with pytest.raises(StackError, match="--port-base"):
            ports_from(base)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StackError, match="is taken"):
        door_ports(tmp_path, {"answerer": taken.getsockname()[1]})


def test_the_version_is_told():
    result = CliRunner().invoke(build(["--version"]), ["--version"])
    assert result.exit_code == 0
    assert re.fullmatch(r"rxtract \d+\.\d+\.\d+\n", result.stdout)
