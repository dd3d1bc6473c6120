"""Fixtures for tests of every package that need real servers: one stack per run, fresh topics per test.

pytest finds this module by its entry point, so that unit folders beside the packages and the folders under `tests/` share
one stack.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded_stack.addresses import Addresses
    from embedded_stack.postgres import PostgresServer
    from embedded_stack.stack import EmbeddedStack


@dataclass(frozen=True)
class RunningStack:
    """A stack that somebody else started: addresses, but no control over its servers."""

    addresses: Addresses
    data_dir: Path


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack | RunningStack]:
    """The stack that all tests of this run share.

    RXTRACT_TEST_STACK=path/to/stack.json takes a running one instead (quicker while working on a test).
    """
    from embedded_stack.addresses import addresses_of, read_stack_json
    from embedded_stack.progress import PlainLines
    from embedded_stack.stack import EmbeddedStack

    running = os.environ.get("RXTRACT_TEST_STACK")
    if running:
        path = Path(running).absolute()
        yield RunningStack(addresses_of(read_stack_json(path)), path.parent)
        return
    with EmbeddedStack(tmp_path_factory.mktemp("stack"), ephemeral=True, progress=PlainLines()) as started:
        yield started


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server that all tests of this run share; each makes a database of its own."""
    with postgres_server() as server:
        yield server


def postgres_server(certificate: bytes = b"") -> PostgresServer:
    """A PostgreSQL server to start; where none is installed the test is left out, or fails with CI=true."""
    from embedded_stack.errors import StackError
    from embedded_stack.postgres import PostgresServer

    try:
        return PostgresServer(certificate=certificate)
    except StackError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """A prefix that no other test has, so that every test has topics and groups of its own.

    Its topics on the shared stack are deleted at the end: a broker of a long test run chokes on thousands of idle partitions.
    """
    stack = request.getfixturevalue("stack") if "stack" in request.fixturenames else None
    prefix = f"t{uuid.uuid4().hex[:10]}."
    yield prefix
    if stack is not None:
        _delete_topics(stack.addresses.bootstrap_servers, prefix)


def _delete_topics(servers: str, prefix: str) -> None:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": servers})
    with suppress(KafkaException):  # the test's own verdict counts, not whether a broker that it killed is back
        mine = [name for name in admin.list_topics(timeout=20).topics if name.startswith(prefix)]
        for deleted in admin.delete_topics(mine, request_timeout=20).values() if mine else ():
            deleted.exception(30)
