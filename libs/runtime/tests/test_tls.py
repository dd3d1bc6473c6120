"""A door that speaks TLS: whoever trusts its authority gets in, plaintext and another authority do not, a renewal needs no restart."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from runtime.errors import SettingsError
from runtime.service.health import Liveness, Readiness
from runtime.service.metrics import DOOR_METRICS, Metrics
from runtime.service.settings import HttpSettings
from runtime.service.tls import DoorTls
from runtime.web.connections import Patience
from runtime.web.server import HTTP, HttpServer, door_limits, listen

WAIT_S = 20.0


class Authority:
    """Signs a server's certificate; gone after the test."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
        self.pem = self._sign(self._name, self._key.public_key(), authority=True).decode()

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.pem)

    def write(self, folder: Path, name: str = "door") -> tuple[Path, Path]:
        """A new certificate of a server on loopback and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        files = folder / "tls.crt", folder / "tls.key"
        contents = (
            self._sign(subject, key.public_key(), authority=False),
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
        for file, content in zip(files, contents, strict=True):
            draft = file.with_suffix(".part")
            draft.write_bytes(content)
            draft.replace(file)
        return files

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool) -> bytes:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .sign(self._key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )


async def app(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": scope["scheme"][:2].encode()})


class Door:
    def __init__(self, folder: Path) -> None:
        self.authority, self.stop = Authority(), threading.Event()
        self.tls = DoorTls(*self.authority.write(folder))
        readiness = Readiness(HTTP)
        listening = listen("127.0.0.1", 0, "PORT", None, backlog=10)
        self.port = listening.getsockname()[1]
        server = HttpServer(
            app,
            self.stop,
            Liveness(),
            readiness,
            drain_s=0,
            tls=self.tls,
            patience=Patience(first_byte_s=1),
        )
        self.thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        self.thread.start()
        deadline = time.monotonic() + WAIT_S
        while not readiness.ready:
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)

    def get(self, verify: ssl.SSLContext, scheme: str = "https") -> httpx.Response:
        return httpx.get(f"{scheme}://127.0.0.1:{self.port}", verify=verify, timeout=WAIT_S)

    def name(self) -> bytes:
        """The certificate that it shows."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as plain,
            self.authority.trusted().wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""


@pytest.fixture
def door(tmp_path):
    made = Door(tmp_path)
    yield made
    made.stop.set()
    made.thread.join(WAIT_S)
    assert not made.thread.is_alive()


def test_whoever_trusts_the_authority_gets_in_and_nobody_else(door):
    assert door.get(door.authority.trusted()).status_code == 200
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        door.get(Authority().trusted())
    with pytest.raises(httpx.HTTPError):
        door.get(door.authority.trusted(), scheme="http")


def test_a_handshake_that_does_not_come_is_not_waited_for(door):
    silent = socket.create_connection(("127.0.0.1", door.port), timeout=WAIT_S)
    assert silent.recv(10) == b""
    assert door.get(door.authority.trusted()).status_code == 200


def test_a_renewed_certificate_serves_without_a_restart(door, tmp_path):
    before = door.name()
    door.authority.write(tmp_path, "renewed")
    door.tls.renew()
    assert door.name() != before


def test_half_of_a_renewal_changes_nothing(door, tmp_path):
    before = door.name()
    (tmp_path / "tls.key").write_text("half a k")
    door.tls.renew()
    assert door.name() == before
    door.authority.write(tmp_path)
    door.tls.renew()
    assert door.name() != before


def test_the_server_itself_looks_for_a_renewal(door, tmp_path):
    before = door.name()
    door.authority.write(tmp_path, "renewed")
    deadline = time.monotonic() + WAIT_S
    while door.name() == before:
        assert time.monotonic() < deadline, "the renewed certificate was not taken"
        threading.Event().wait(0.1)


@pytest.mark.parametrize("given", ["http_tls_certificate_file", "http_tls_key_file"])
def test_a_certificate_and_its_key_are_given_together(given, tmp_path):
    settings = HttpSettings.load(
        bootstrap_servers="x:1", schema_registry_url="http://x", **{given: tmp_path / "tls.crt"}
    )
    with pytest.raises(SettingsError, match="TLS needs a certificate and its key"):
        door_limits(settings, Metrics(DOOR_METRICS))


def test_files_that_cannot_be_used_are_one_line(tmp_path):
    for content in (None, "no certificate"):
        if content is not None:
            (tmp_path / "a").write_text(content)
        with pytest.raises(SettingsError, match="RXTRACT_HTTP_TLS_CERTIFICATE_FILE"):
            DoorTls(tmp_path / "a", tmp_path / "a")
