"""What the outside is told."""

import json
import socket
import struct
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from runtime.service.health import HealthServer, Liveness, Readiness, process_age_s
from runtime.service.metrics import READY, RECORDS_CONSUMED, START, Metrics
from runtime.service.settings import ServiceSettings


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_door_is_asked_for_alone() -> None:
    readiness = Readiness("http", "assignment", "registry")
    server = HealthServer(readiness=readiness, parts={"http": frozenset({"http", "registry"})})
    readiness.meet("http")
    assert server.answer("/ready/http")[0] == 503
    readiness.meet("registry")
    assert server.answer("/ready/http")[0] == 200
    assert json.loads(server.answer("/ready")[2])["missing"] == {"assignment": "starting"}
    assert server.answer("/ready/other")[0] == 404
    assert server.answer("/ready/")[0] == 404
    server.close()


def test_every_path(tmp_path: Path) -> None:
    now = [0.0]
    metrics = Metrics()
    metrics.counter(RECORDS_CONSUMED).labels("notes").inc(3)
    readiness = Readiness("model")
    port_file = tmp_path / "port"
    with HealthServer(
        liveness=Liveness(10, clock=lambda: now[0]),
        readiness=readiness,
        registry=metrics.registry,
        info=lambda: {"model": "7"},
        port_file=port_file,
    ) as server:
        assert int(port_file.read_text()) == server.port
        assert get(server, "/live")[0] == 200
        status, body = get(server, "/ready")
        assert (status, json.loads(body)["missing"]) == (503, {"model": "starting"})
        readiness.meet("model")
        assert get(server, "/ready")[0] == 200
        readiness.miss("model", "not loaded")
        assert json.loads(get(server, "/ready")[1])["missing"] == {"model": "not loaded"}
        now[0] = 11
        assert get(server, "/live")[0] == 503
        server.liveness.tick()
        assert get(server, "/live")[0] == 200
        assert 'rxtract_records_consumed_total{topic="notes"} 3.0' in get(server, "/metrics")[1]
        assert json.loads(get(server, "/info")[1]) == {"model": "7"}
        assert get(server, "/nowhere")[0] == 404


def test_readiness_is_a_metric_too() -> None:
    metrics, readiness = Metrics(), Readiness("model")
    settings = ServiceSettings(bootstrap_servers="127.0.0.1:9", schema_registry_url="http://127.0.0.1:9")
    with HealthServer.of(settings, liveness=Liveness(), readiness=readiness, metrics=metrics, info=dict) as server:
        assert f"{READY.name} 0.0" in get(server, "/metrics")[1]
        readiness.meet("model")
        assert f"{READY.name} 1.0" in get(server, "/metrics")[1]


def test_how_long_the_start_took_is_told_once_it_is_over() -> None:
    metrics, ages = Metrics(), iter([7.5, 99.0])
    readiness = Readiness("model", "group", age_s=lambda: next(ages))
    settings = ServiceSettings(bootstrap_servers="127.0.0.1:9", schema_registry_url="http://127.0.0.1:9")
    with HealthServer.of(settings, liveness=Liveness(), readiness=readiness, metrics=metrics, info=dict) as server:
        readiness.meet("model")
        assert f"{START.name} 0.0" in get(server, "/metrics")[1]
        readiness.meet("group")
        readiness.miss("model", "gone")
        readiness.meet("model")  # ready again is no start
        assert f"{START.name} 7.5" in get(server, "/metrics")[1]


def test_the_age_of_this_process_is_known() -> None:
    first = process_age_s()
    assert 0 < first <= process_age_s()


def test_an_asker_that_went_away_leaves_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    asked, gone = threading.Event(), threading.Event()

    def slow() -> dict[str, str]:
        asked.set()
        gone.wait(10)
        return {"text": "x" * 5_000_000}

    with HealthServer(info=slow) as server:
        client = socket.create_connection(("127.0.0.1", server.port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(b"GET /info HTTP/1.0\r\n\r\n")
        assert asked.wait(10)
        client.close()  # a scrape that timed out
        gone.set()
        handlers = [one for one in threading.enumerate() if "process_request_thread" in one.name]
        for one in handlers:
            one.join(10)
    assert "Traceback" not in capfd.readouterr().err
