"""A headless Chromium that looks at our pages, and keeps pictures of them."""

from __future__ import annotations

import importlib.util
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rxtract.demo.act import DemoFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rxtract.demo.screen import Screen

PATIENCE_MS = 20_000
WIDTH, HEIGHT = 1280, 800
BROWSERS = ("chromium", "chromium-browser")


class Browser:
    """Opens tabs.

    Args:
        path: Of the program.
        screen: Where pictures are named.
        folder: Where pictures are kept.
    """

    def __init__(self, path: str, screen: Screen, folder: Path) -> None:
        self._path = path
        self._screen = screen
        self._folder = folder
        self.pictures: list[str] = []

    @contextmanager
    def tab(self) -> Iterator[Any]:
        """A tab. What the page complains of fails the demo."""
        from playwright.sync_api import sync_playwright

        errors: list[str] = []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=self._path)
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.set_default_timeout(PATIENCE_MS)
            page.on("pageerror", lambda error: errors.append(str(error)))
            yield page
            browser.close()
        if errors:
            raise DemoFailed(f"the page reported {errors[0]}")

    def picture(self, page: Any, name: str, *, whole: bool = False) -> None:
        """Keep a picture of a page: of what a screen shows, or of the whole."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.png"
        page.screenshot(path=str(path), full_page=whole)
        self.pictures.append(str(path))
        self._screen.say(f"picture: {path}")


def find_browser(screen: Screen, folder: Path) -> Browser | None:
    """A Chromium, or None where none is: that is said in one line, and fails with CI=true.

    Raises:
        DemoFailed: CI=true, and no browser.
    """
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is not None and importlib.util.find_spec("playwright") is not None:
        return Browser(path, screen, folder)
    message = "no chromium or no playwright: the acts in a browser are left out (run `make tools`)"
    if os.environ.get("CI") == "true":
        raise DemoFailed(message)
    screen.say(message)
    return None
