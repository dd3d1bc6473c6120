"""The tools that no wheel brings. Without one its tests are skipped for a person, with the command that brings it; in CI they fail."""

import os
import shutil
from pathlib import Path

import pytest

BUILT = Path.home() / ".cache/rxtract/bin"
"""Where `make test-tools` builds what Debian has not."""
IN_CI = os.environ.get("CI") == "true"


def find(tool):
    """Its path, or the bare name, at which a test in CI fails."""
    return shutil.which(tool) or shutil.which(tool, path=str(BUILT)) or tool


def there(tool):
    """Whether it can be run."""
    return shutil.which(find(tool)) is not None


def needs(tool, how):
    """The mark of a test that needs it."""
    return pytest.mark.skipif(not there(tool) and not IN_CI, reason=f"no {tool}: run {how}")
