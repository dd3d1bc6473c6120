"""The process: it refuses to start with one line that helps."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from ingestor.http.bodies import NOTE_EXAMPLE
from runtime.web.client_tokens import hash_token

pytestmark = pytest.mark.slow  # each starts a process

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


@pytest.mark.slow
def test_while_the_servers_are_away_it_lives_answers_503_and_stops_in_order(key: str, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RXTRACT_")},
        **BASE,
        "RXTRACT_PSEUDONYM_KEY_FILE": key,
        "RXTRACT_HTTP_PORT_FILE": str(tmp_path / "http"),
        "RXTRACT_HEALTH_PORT_FILE": str(tmp_path / "health"),
        "RXTRACT_HTTP_TOKENS": f"clinic:{hash_token('t')}",
    }
    process = subprocess.Popen([sys.executable, "-m", "ingestor"], env=environment, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        answer = None
        while answer is None:
            assert time.monotonic() < deadline
            assert process.poll() is None
            try:
                url = f"http://127.0.0.1:{(tmp_path / 'http').read_text().strip()}/v1/notes"
                headers = {"Authorization": "Bearer t"}
                answer = httpx.post(url, json=[{**NOTE_EXAMPLE}], headers=headers, timeout=5)
            except (OSError, httpx.HTTPError):
                time.sleep(0.1)
        assert answer.status_code == 503
        health = f"http://127.0.0.1:{(tmp_path / 'health').read_text().strip()}"
        assert httpx.get(f"{health}/live").status_code == 200
        assert httpx.get(f"{health}/ready").status_code == 503
    finally:
        process.terminate()
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0, log.decode()
