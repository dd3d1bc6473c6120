"""What every test of this run stands on, wherever it lies."""

import os
import shutil
import tempfile

import pytest
from hypothesis import settings

# A slow example on a busy machine is no defect: tests of speed compare two ways within one run.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """No test finds the stack that a developer, or a test beside it, started last."""
    state = tempfile.mkdtemp(prefix="rxtract-state-")
    os.environ["XDG_STATE_HOME"] = state
    config.add_cleanup(lambda: shutil.rmtree(state, ignore_errors=True))
