"""Fixtures of the integration tests."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # trainer_rig


@pytest.fixture
def rig(stack, topic_prefix, tmp_path):
    from trainer_rig import Rig

    with ExitStack() as ending:
        yield Rig(stack, topic_prefix, tmp_path, ending)
