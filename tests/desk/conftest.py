"""Fixtures of the review desk's tests: a desk of their own, and a real browser."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # desk_rig, desk_page


@pytest.fixture
def rig(stack, tmp_path: Path):
    from desk_rig import Rig

    rig = Rig(stack, tmp_path)
    yield rig
    rig.remove()


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """A headless Chromium. It is a Debian package: `make tools` brings it."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        message = "no chromium: the page of the review desk is not tested (run `make tools`)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def desk(rig, chromium, request):
    """The page in a browser; a picture of it at the end is kept with the test's name."""
    from desk_page import DeskPage

    page = DeskPage(rig, chromium, "anna")
    yield page
    page.keep_picture(request.node.name.removeprefix("test_")[:60])
    page.close()
    assert page.errors == []
