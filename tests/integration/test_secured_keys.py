"""Keys of patients in a PostgreSQL that takes nobody without TLS, its certificate signed by a hospital's own authority."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from embedded_stack.pytest_plugin import postgres_server
from secured_kafka import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded_stack.postgres import PostgresServer

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

FULL = "?sslmode=verify-full&sslrootcert="


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def secured(folder: Path) -> Iterator[PostgresServer]:
    authority = Authority("the hospital's")
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "other.pem").write_bytes(Authority("another").pem)
    with postgres_server(authority.server()) as server:
        yield server


def keys(command: str, url: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RXTRACT_")}
    own = {"RXTRACT_KEY_STORE_URL": url, "RXTRACT_MASTER_KEY_FILE": str(folder / "master.key")}
    return subprocess.run(
        [sys.executable, "-m", "rxtract", "keys", command],
        env=clean | own | environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def database(server: PostgresServer, folder: Path, name: str) -> str:
    with psycopg.connect(f"{server.url()}{FULL}{folder}/ca.pem", autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}")
    return server.url(database=name)


def test_the_store_is_made_and_asked_over_tls(secured: PostgresServer, folder: Path) -> None:
    url = database(secured, folder, "by_file") + f"{FULL}{folder}/ca.pem"
    made = keys("init", url, folder)
    assert made.returncode == 0, made.stderr
    asked = keys("status", url, folder)
    assert asked.returncode == 0, asked.stderr


def test_the_systems_authorities_are_those_that_the_chart_names(secured: PostgresServer, folder: Path) -> None:
    url = database(secured, folder, "by_system") + f"{FULL}system"
    made = keys("init", url, folder, SSL_CERT_FILE=str(folder / "ca.pem"))
    assert made.returncode == 0, made.stderr
    refused = keys("status", url, folder, SSL_CERT_FILE=str(folder / "other.pem"))
    assert refused.returncode == 2
    assert "the server's certificate is not one that the URL lets us trust" in refused.stderr


@pytest.mark.parametrize(
    ("asking", "said"),
    [
        ("?sslmode=disable", "the server takes nobody without TLS"),
        (f"{FULL}{{folder}}/other.pem", "the server's certificate is not one that the URL lets us trust"),
        (f"{FULL}{{folder}}/absent.pem", "the file that the URL names for sslrootcert is not there"),
    ],
    ids=["in clear", "another authority", "no authority"],
)
def test_who_comes_otherwise_gets_one_line(secured: PostgresServer, folder: Path, asking: str, said: str) -> None:
    refused = keys("status", secured.url() + asking.format(folder=folder), folder)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert secured.password not in refused.stderr


def test_a_server_without_tls_is_not_spoken_to_where_the_url_asks_for_it(
    postgres: PostgresServer, folder: Path
) -> None:
    refused = keys("status", postgres.url() + "?sslmode=require", folder)
    assert refused.returncode == 2
    assert "the server speaks no TLS and the URL asks for it" in refused.stderr
