"""What the outside is told."""

import json
import urllib.error
import urllib.request
from pathlib import Path

from runtime.health import HealthServer, Liveness, Readiness
from runtime.metrics import RECORDS_CONSUMED, Metrics


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


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
