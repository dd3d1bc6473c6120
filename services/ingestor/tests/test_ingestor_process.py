"""The process: it refuses to start with one line that helps."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

BASE = {"RXTRACT_BOOTSTRAP_SERVERS": "127.0.0.1:1", "RXTRACT_SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RXTRACT_")}
    return subprocess.run(
        [sys.executable, "-m", "ingestor"], env=clean | environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_bytes(b"k" * 32)
    return str(path)


def test_without_a_key_it_does_not_start(tmp_path: Path) -> None:
    done = start(**BASE, RXTRACT_PSEUDONYM_KEY_FILE=str(tmp_path / "none"))
    assert done.returncode == 2
    assert done.stderr.startswith("ingestor: RXTRACT_PSEUDONYM_KEY_FILE cannot be read")
    assert done.stderr.count("\n") == 1


def test_with_a_short_key_it_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("too short")
    done = start(**BASE, RXTRACT_PSEUDONYM_KEY_FILE=str(path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "too short" not in done.stderr


def test_without_settings_it_names_them(key: str) -> None:
    done = start(RXTRACT_PSEUDONYM_KEY_FILE=key)
    assert done.returncode == 2
    assert "RXTRACT_BOOTSTRAP_SERVERS is not set" in done.stderr


def test_a_taken_port_is_one_line(key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = start(**BASE, RXTRACT_PSEUDONYM_KEY_FILE=key, RXTRACT_HTTP_PORT=port)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"RXTRACT_HTTP_PORT {port}" in done.stderr
