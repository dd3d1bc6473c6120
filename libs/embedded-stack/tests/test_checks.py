"""Every check of the doctor can say no."""

from __future__ import annotations

import http.server
import json
import threading
from types import SimpleNamespace

import pytest
from embedded_stack import checks
from embedded_stack.cache import Cache
from embedded_stack.checks import Status
from embedded_stack.errors import StackError
from embedded_stack.pins import Pin
from embedded_stack.ports import free_ports

PINS = {
    "kafka": [
        Pin("org.example", "a", "1", "jar", "", 5, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    ],
    "registry": [Pin("org.example", "b", "1", "jar", "", 2_000_000, "0" * 64)],
}


def refuse(line):
    def fail(*_):
        raise StackError(line)

    return fail


def assert_problem(finding, message, remedy):
    assert finding.status is Status.PROBLEM
    assert message in finding.message
    assert remedy in finding.remedy


def test_a_python_that_is_too_old(monkeypatch):
    assert checks.check_python().status is Status.OK
    monkeypatch.setattr(checks.sys, "version_info", (3, 10, 4))
    assert_problem(checks.check_python(), "3.10.4 is not supported", "3.11 to 3.13")


def test_no_java(monkeypatch):
    monkeypatch.setattr(checks.java, "find_java", refuse("no Java 21 or newer: set JAVA_HOME"))
    assert_problem(checks.check_java(), "no Java 21 or newer", "set JAVA_HOME")


def test_no_redis(monkeypatch):
    monkeypatch.setattr(checks, "find_redis", refuse("no redis-server: run 'make tools'"))
    assert_problem(checks.check_redis(), "no redis-server", "make tools")


def test_a_redis_that_does_not_run(monkeypatch, tmp_path):
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(checks, "find_redis", lambda: broken)
    assert_problem(checks.check_redis(), "does not run", "redis-server package")


def test_no_mlflow(monkeypatch):
    def missing(name):
        raise checks.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(checks.importlib.metadata, "version", missing)
    assert_problem(checks.check_mlflow(), "not installed", "make setup")


def test_downloads_missing_then_damaged(monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "load_pins", lambda: PINS)
    cache = Cache(tmp_path)
    nothing_yet = checks.check_downloads(cache)
    assert nothing_yet.status is Status.NOTE
    assert "2 of 2 files are not in" in nothing_yet.message
    path = cache.path_of(PINS["kafka"][0])
    path.parent.mkdir(parents=True)
    path.write_text("hello")
    assert "1 of 2 files" in checks.check_downloads(cache).message
    path.write_text("hallo")
    assert_problem(checks.check_downloads(cache), "a-1.jar is damaged", f"delete {path}")


def test_a_full_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "free_bytes", lambda _folder: 20_000_000)
    assert_problem(checks.check_disk(tmp_path, Cache(tmp_path)), "20 MB free", "free some space")


@pytest.mark.parametrize(("free", "status"), [(8e9, Status.OK), (2e9, Status.NOTE), (5e8, Status.PROBLEM)])
def test_memory(monkeypatch, free, status):
    monkeypatch.setattr(checks.psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    assert checks.check_memory().status is status


def test_one_core(monkeypatch):
    monkeypatch.setattr(checks.os, "sched_getaffinity", lambda _pid: {0}, raising=False)
    assert checks.check_cores().status is Status.NOTE


def test_loopback_that_does_not_connect(monkeypatch):
    assert checks.check_loopback().status is Status.OK
    monkeypatch.setattr(checks.ports, "accepts_connections", lambda _port: False)
    assert_problem(checks.check_loopback(), "does not connect", "firewall")


def test_no_ports_left(monkeypatch):
    def none_left(_count):
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(checks.ports, "free_ports", none_left)
    assert_problem(checks.check_ports(), "no 20 free ports", "close programs")


def test_a_proxy_before_this_machine(monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert_problem(checks.check_proxy(), "does not spare this machine", "no_proxy=127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    assert checks.check_proxy().status is Status.OK


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "/etc/localtime"])
def test_no_such_time_zone(monkeypatch, name):
    monkeypatch.setenv("RXTRACT_TIMEZONE", name)
    assert_problem(checks.check_timezone(), f"no time zone {name}", "Asia/Kolkata")


def test_a_clock_of_1970(monkeypatch):
    monkeypatch.setattr(checks.time, "gmtime", lambda: SimpleNamespace(tm_year=1970))
    assert_problem(checks.check_timezone(), "years behind", "set the clock")


def test_a_stack_that_is_said_to_run_but_does_not_answer(tmp_path):
    assert [one.status for one in checks.check_stack(tmp_path / "stack.json")] == [Status.OK]
    kafka, registry, redis, mlflow, door, metrics = free_ports(6)
    document = {
        "bootstrap_servers": f"127.0.0.1:{kafka}",
        "schema_registry_url": f"http://127.0.0.1:{registry}",
        "redis_url": f"redis://127.0.0.1:{redis}/0",
        "mlflow_url": f"http://127.0.0.1:{mlflow}",
        "ingest_url": f"http://127.0.0.1:{door}",
        "metrics": {"ingestor": f"http://127.0.0.1:{metrics}/metrics"},
    }
    (tmp_path / "stack.json").write_text(json.dumps(document))
    findings = list(checks.check_stack(tmp_path / "stack.json"))
    assert [one.name for one in findings] == [
        f"stack: {name}" for name in ("kafka", "registry", "redis", "mlflow", "ingest", "ingestor")
    ]
    assert all(one.status is Status.PROBLEM for one in findings)
    assert "rxtract up" in findings[0].remedy


def test_an_ingest_door_answers_with_any_status(tmp_path):
    class NotFound(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), NotFound) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "stack.json").write_text(json.dumps({"ingest_url": f"http://127.0.0.1:{server.server_port}"}))
        (finding,) = checks.check_stack(tmp_path / "stack.json")
        server.shutdown()
    assert finding.status is Status.OK


def test_a_broken_stack_json(tmp_path):
    (tmp_path / "stack.json").write_text("{")
    (finding,) = checks.check_stack(tmp_path / "stack.json")
    assert_problem(finding, "cannot be read", "delete")


def test_a_tool_that_is_missing_is_no_problem(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {one.status for one in checks.check_tools()} == {Status.NOTE}
    (tmp_path / "promtool").write_text("#!/bin/sh\n")
    (tmp_path / "promtool").chmod(0o755)
    assert [one.status for one in checks.check_tools() if one.name == "promtool"] == [Status.OK]


def test_every_line_is_one_line(tmp_path):
    for finding in checks.examine(tmp_path):
        assert "\n" not in finding.message + finding.remedy
        assert finding.remedy or finding.status is Status.OK
        assert finding.as_dict()["status"] in {"ok", "note", "problem"}
