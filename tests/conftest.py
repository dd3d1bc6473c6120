"""Fixtures of the tests of pages: a real browser, and what judges pages by the rules of accessibility."""

import os
import shutil
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """A headless Chromium. It is a Debian package: `make tools` brings it."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        message = "no chromium: pages are not tested (run `make tools`)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serious():
    """Finds what axe calls serious or critical on a page, as lines."""
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()

    def find(page: object) -> list[str]:
        found = axe.run(page).response["violations"]
        return [
            f"{one['id']}: {node['html'][:120]}"
            for one in found
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]

    return find
