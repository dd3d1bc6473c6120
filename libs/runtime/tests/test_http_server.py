"""The port that services listen on."""

import socket
from pathlib import Path

import pytest
from runtime.errors import SettingsError
from runtime.web.server import listen


def test_a_connection_sends_its_answers_at_once(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0, "X_PORT", tmp_path / "port", backlog=5) as listening:
        port = int((tmp_path / "port").read_text())
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_a_port_that_is_taken_is_told_of(tmp_path: Path) -> None:
    with (
        listen("127.0.0.1", 0, "X_PORT", None, backlog=5) as listening,
        pytest.raises(SettingsError, match="X_PORT"),
    ):
        listen("127.0.0.1", listening.getsockname()[1], "X_PORT", None, backlog=5)
