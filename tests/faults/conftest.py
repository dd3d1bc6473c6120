"""Fixtures of the fault tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # extractor_rig


@pytest.fixture
def extractor_rig(stack, topic_prefix, tmp_path):
    from extractor_rig import Rig

    rig = Rig(stack.addresses, topic_prefix, tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def one_broker(tmp_path):
    """Servers of this test's own, whose broker may die."""
    from embedded_stack import EmbeddedStack

    with EmbeddedStack(tmp_path / "stack", ephemeral=True, components=("kafka", "registry", "redis")) as stack:
        yield stack


@pytest.fixture
def lone_line(one_broker, topic_prefix, tmp_path):
    from extractor_rig import Rig
    from line_rig import Line

    line = Line(Rig(one_broker.addresses, topic_prefix, tmp_path))
    yield line
    line.close()
