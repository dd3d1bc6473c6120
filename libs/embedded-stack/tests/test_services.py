"""Our services as children, shown with one of ten lines."""

from __future__ import annotations

import os
import signal
import textwrap
import time

import pytest
from embedded_stack.errors import StackError
from embedded_stack.services import ServiceProcess, end_services, no_proxy_env

SERVICE = textwrap.dedent("""
    import http.server, os, sys
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/ready" else 404)
            self.end_headers()
    server = http.server.HTTPServer((os.environ["RXTRACT_HEALTH_HOST"], int(os.environ["RXTRACT_HEALTH_PORT"])), Answer)
    with open(os.environ["RXTRACT_HEALTH_PORT_FILE"], "w") as file:
        file.write(str(server.server_port))
    print("serving", os.environ["RXTRACT_COLOUR"], flush=True)
    server.serve_forever()
""")


def until_ended(service):
    deadline = time.monotonic() + 20
    while service.running():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def env(tmp_path):
    (tmp_path / "tiny_service.py").write_text(SERVICE)
    (tmp_path / "tiny_failure.py").write_text("raise SystemExit('RXTRACT_BOOTSTRAP_SERVERS is missing: set it')")
    return {"PYTHONPATH": str(tmp_path), "RXTRACT_COLOUR": "green"}


def test_it_starts_gets_ready_and_ends(tmp_path, env):
    service = ServiceProcess("tiny_service", tmp_path, env)
    assert service.health_url == ""
    with service:
        service.wait_ready(60)
        assert service.metrics_url == f"{service.health_url}/metrics"
        assert service.running()
        assert service.rss_bytes() > 0
        assert "serving green" in service.log_path.read_text()
    assert not service.running()


def test_two_replicas_have_two_names(tmp_path, env):
    both = [ServiceProcess("tiny_service", tmp_path, env, name=f"tiny-{i}") for i in (1, 2)]
    for one in both:
        one.start()
    try:
        for one in both:
            one.wait_ready(60)
        assert both[0].health_url != both[1].health_url
    finally:
        end_services(both)
    assert not any(one.running() for one in both)


def test_started_again_it_is_where_it_was(tmp_path, env):
    with ServiceProcess("tiny_service", tmp_path, env) as service:
        service.wait_ready(60)
        url = service.health_url
        os.kill(service.pid, signal.SIGKILL)
        until_ended(service)
        assert "ended (signal SIGKILL): its log says nothing of it" in service.why_ended()
        service.start_again({"RXTRACT_COLOUR": "red"})
        service.wait_ready(60)
        assert service.health_url == url
        assert "serving red" in service.log_path.read_text()


def test_killed_and_started_again_it_is_ready_at_its_new_port(tmp_path, env):
    with ServiceProcess("tiny_service", tmp_path, env) as service:
        service.wait_ready(60)
        service.kill()
        assert not service.is_ready()
        assert service.exit_code() == -9
        service.start()
        service.wait_ready(60)


def test_a_service_that_refuses_to_start_is_one_line(tmp_path, env):
    with (
        ServiceProcess("tiny_failure", tmp_path, env) as service,
        pytest.raises(
            StackError, match=r"tiny_failure ended \(exit code 1\): RXTRACT_BOOTSTRAP_SERVERS is missing: set it"
        ),
    ):
        service.wait_ready(60)


def test_our_own_environment_goes_along(tmp_path, env, monkeypatch):
    monkeypatch.setenv("RXTRACT_COLOUR", "blue")
    with ServiceProcess("tiny_service", tmp_path, {"PYTHONPATH": env["PYTHONPATH"]}) as service:
        service.wait_ready(60)
        assert "serving blue" in service.log_path.read_text()
    assert os.environ["RXTRACT_COLOUR"] == "blue"


@pytest.mark.parametrize(
    ("before", "after"), [("", "127.0.0.1,localhost"), ("example.org,localhost", "example.org,localhost,127.0.0.1")]
)
def test_no_proxy_is_asked_for_this_machine(monkeypatch, before, after):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("no_proxy", before)
    assert no_proxy_env()["NO_PROXY"] == after
