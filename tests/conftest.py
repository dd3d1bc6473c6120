"""Fixtures of every test that needs real servers: one stack per run, fresh topics per test."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from embedded_stack.addresses import Addresses, addresses_of, read_stack_json
from embedded_stack.progress import PlainLines
from embedded_stack.stack import EmbeddedStack

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class RunningStack:
    """A stack that somebody else started (RXTRACT_TEST_STACK): addresses, but no control over its servers."""

    addresses: Addresses
    data_dir: Path


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack | RunningStack]:
    """The stack that all tests of this run share.

    RXTRACT_TEST_STACK=path/to/stack.json takes a running one instead (quicker while working on a test).
    """
    running = os.environ.get("RXTRACT_TEST_STACK")
    if running:
        path = Path(running)
        yield RunningStack(addresses_of(read_stack_json(path)), path.parent)
        return
    with EmbeddedStack(tmp_path_factory.mktemp("stack"), ephemeral=True, progress=PlainLines()) as started:
        yield started


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test has, so that every test has topics of its own."""
    return f"t{uuid.uuid4().hex[:10]}."
