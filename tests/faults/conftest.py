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
