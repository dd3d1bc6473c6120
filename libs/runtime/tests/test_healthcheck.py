"""A container is healthy when its service says that it is ready."""

from pathlib import Path

import pytest
from runtime.service import healthcheck
from runtime.service.health import HealthServer, Readiness


def test_ready_or_not_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readiness = Readiness("model")
    file = tmp_path / "port"
    with HealthServer(0, readiness=readiness, port_file=file):
        monkeypatch.delenv("RXTRACT_HEALTH_PORT", raising=False)
        monkeypatch.setenv("RXTRACT_HEALTH_PORT_FILE", str(file))
        assert healthcheck.main() == 1
        assert "model" in capsys.readouterr().out
        readiness.meet("model")
        assert healthcheck.main() == 0
    assert healthcheck.main() == 1
    assert "no answer" in capsys.readouterr().out


def test_without_a_port_there_is_no_health(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RXTRACT_HEALTH_PORT", raising=False)
    monkeypatch.delenv("RXTRACT_HEALTH_PORT_FILE", raising=False)
    assert healthcheck.main() == 1
