"""Fixtures of the review desk's tests: a desk of their own, and a real browser."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # desk_rig, desk_page


@pytest.fixture
def rig(stack, tmp_path: Path):
    from desk_rig import Rig

    rig = Rig(stack, tmp_path)
    yield rig
    rig.remove()


@pytest.fixture
def desk(rig, chromium, request):
    """The page in a browser; a picture of it at the end is kept with the test's name."""
    from desk_page import DeskPage

    page = DeskPage(rig, chromium, "anna")
    yield page
    page.keep_picture(request.node.name.removeprefix("test_")[:60])
    page.close()
    assert page.errors == []
