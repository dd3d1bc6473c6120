"""A registry and an MLflow behind TLS of a private authority and a login, by what the chart sets: address, SSL_CERT_FILE, REQUESTS_CA_BUNDLE."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from secured_kafka import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

USER, PASSWORD, IN_A_URL = "notes", "p@ss-of-the-test", "p%40ss-of-the-test"
LOGIN = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
ASKS_MLFLOW = """
from model_registry.reading import ModelReader
print(ModelReader({url!r}, 10.0, {user!r}, {password!r}).by_alias("no-such-model", "champion"))
"""
ASKS_AS_THE_TRAINER = """
from mlflow.tracking import MlflowClient
print(len(MlflowClient({url!r}).search_registered_models(max_results=1)) >= 0)
"""


class Gate(ThreadingHTTPServer):
    """TLS and a login before a real server."""

    daemon_threads = True

    def __init__(self, target: str, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.target = target.rstrip("/")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def address(self, login: str = "") -> str:
        return f"https://{login}127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us is expected here."""


class Passing(BaseHTTPRequestHandler):
    """Hands a request on when its login is right."""

    server: Gate

    def do_GET(self) -> None:
        if self.headers["Authorization"] != LOGIN:
            self._answer(401, b"{}")
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        told = {name: value for name in ("Content-Type", "Accept") if (value := self.headers[name])}
        asked = urllib.request.Request(self.server.target + self.path, body, told, method=self.command)  # noqa: S310 - ours
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
                self._answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            self._answer(error.code, error.read())

    do_POST = do_PUT = do_GET  # noqa: N815 - named by http.server

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates: of the servers, of their authority, of another one."""
    made = tmp_path_factory.mktemp("certificates")
    authority = Authority("the right one")
    (made / "server.pem").write_bytes(authority.server())
    (made / "ca.crt").write_bytes(authority.pem)
    (made / "other.crt").write_bytes(Authority("another").pem)
    return made


@pytest.fixture
def gates(stack: Any, folder: Path) -> Iterator[tuple[Gate, Gate]]:
    """Before the registry and before MLflow."""
    parts = urlsplit(stack.addresses.schema_registry_url)
    targets = (f"{parts.scheme}://{parts.netloc}", stack.addresses.mlflow_url)
    made = [Gate(target, folder / "server.pem") for target in targets]
    for one in made:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    yield made[0], made[1]
    for one in made:
        one.shutdown()
        one.server_close()


def run(*command: str, authority: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RXTRACT_")}
    trusted = {"SSL_CERT_FILE": str(authority), "REQUESTS_CA_BUNDLE": str(authority), "NO_PROXY": "127.0.0.1"}
    told = clean | trusted | environment
    return subprocess.run(
        [sys.executable, *command], env=told, capture_output=True, text=True, timeout=120, check=False
    )


def register(stack: Any, address: str, prefix: str, authority: Path) -> subprocess.CompletedProcess[str]:
    """The chart's job for schemas."""
    return run(
        *("-m", "runtime.service.contract", "schemas"),
        authority=authority,
        RXTRACT_BOOTSTRAP_SERVERS="127.0.0.1:9092",
        RXTRACT_SCHEMA_REGISTRY_URL=address + urlsplit(stack.addresses.schema_registry_url).path,
        RXTRACT_TOPIC_PREFIX=prefix,
    )


def test_schemas_are_registered_behind_a_login_and_a_private_authority(
    stack: Any, gates: tuple[Gate, Gate], folder: Path, topic_prefix: str
) -> None:
    address = gates[0].address(f"{USER}:{IN_A_URL}@")
    done = register(stack, address, topic_prefix, folder / "ca.crt")
    assert done.returncode == 0, done.stderr
    assert "registered" in done.stdout
    again = register(stack, address, topic_prefix, folder / "ca.crt")
    assert again.stdout == "schemas: nothing to change\n", again.stderr


@pytest.mark.parametrize(
    ("login", "authority", "said"),
    [
        (f"{USER}:{IN_A_URL}@", "other.crt", "cannot be reached"),
        (f"{USER}:guessed-secret@", "ca.crt", "HTTP 401"),
        ("", "ca.crt", "HTTP 401"),
    ],
    ids=["another authority", "wrong password", "no login"],
)
def test_what_the_registry_refuses_is_one_line(
    stack: Any, gates: tuple[Gate, Gate], folder: Path, topic_prefix: str, login: str, authority: str, said: str
) -> None:
    refused = register(stack, gates[0].address(login), topic_prefix, folder / authority)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert said in refused.stderr
    assert "guessed-secret" not in refused.stderr
    assert IN_A_URL not in refused.stderr


@pytest.mark.parametrize(("authority", "code"), [("ca.crt", 0), ("other.crt", 1)])
@pytest.mark.parametrize("script", [ASKS_MLFLOW, ASKS_AS_THE_TRAINER], ids=["extractor", "trainer"])
def test_mlflow_is_asked_behind_a_private_authority(
    gates: tuple[Gate, Gate], folder: Path, script: str, authority: str, code: int
) -> None:
    text = script.format(url=gates[1].address(), user=USER, password=PASSWORD)
    login = {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    limits = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    asked = run("-c", text, authority=folder / authority, **login, **limits)
    assert asked.returncode == code, asked.stderr
    assert asked.stdout.strip() == {(0, ASKS_MLFLOW): "None", (0, ASKS_AS_THE_TRAINER): "True"}.get((code, script), "")
