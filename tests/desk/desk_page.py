"""The page as a person uses it: keys pressed, what is seen read. Nothing is reached by a script's back door."""

import os
import re
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from desk_rig import Rig
from playwright.sync_api import Browser, Page, Request, expect

WAIT_MS = 20_000
ARTIFACTS = Path(os.environ.get("RXTRACT_ARTIFACTS", "artifacts"))


class DeskPage:
    """One person's tab. It is opened when it is first looked at: a test asks for its notes before, so their order is certain."""

    def __init__(
        self, rig: Rig, browser: Browser, name: str, like: "DeskPage | None" = None, **context: object
    ) -> None:
        usual = {"viewport": {"width": 1280, "height": 800}}
        self.context = like.context if like else browser.new_context(**(usual | context))
        self.errors: list[str] = []
        self._rig = rig
        self._token = "" if like else f"token-{name}"
        self._given = 0

    @cached_property
    def page(self) -> Page:
        """The tab, logged in."""
        page = self.context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("requestfinished", self._count)
        page.goto(self._rig.url)
        if self._token:
            page.get_by_label("Token").fill(self._token)
            page.keyboard.press("Enter")
        # The login page has the same heading: whoever left it before it led on would be led away from where he went.
        expect(page.locator("header .who")).to_be_visible(timeout=WAIT_MS)
        return page

    def open(self) -> None:
        """Open the tab without waiting for a note."""
        assert self.page

    def close(self) -> None:
        self.page.close()

    def _count(self, request: Request) -> None:
        response = request.response() if "/api/next" in request.url else None
        self._given += response is not None and response.status == 200

    def hold(self, notes: int) -> None:
        """Wait until the tab has been given so many notes: what it holds ahead needs no network."""
        self.wait_until(lambda: self._given >= notes)

    def wait_until(self, condition: Callable[[], object]) -> object:
        """Wait until something is so; the browser's events come in meanwhile."""
        deadline = time.monotonic() + WAIT_MS / 1000
        while not (found := condition()):
            assert time.monotonic() < deadline, "not within the time"
            self.page.wait_for_timeout(20)
        return found

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def reach(self, word: str) -> None:
        """Put the cursor on a word, by arrow keys alone."""
        for _ in range(200):
            if self.cursor == word:
                return
            self.press("ArrowRight")
        raise AssertionError(f"the cursor did not reach {word!r}")

    @property
    def cursor(self) -> str:
        return self.page.evaluate("() => document.getSelection().toString()")

    @property
    def entities(self) -> list[tuple[str, str]]:
        """Marked words and labels, from the coloured text."""
        marks = self.page.locator("#paper mark")
        return marks.evaluate_all(
            "found => found.map(m => [m.textContent, m.classList.contains('disease') ? 'DISEASE' : 'TREATMENT'])"
        )

    @property
    def pairs(self) -> list[str]:
        """Treatment, how they belong together, disease."""
        words = "l => [...l.querySelectorAll('.chip')].map(c => c.textContent).join(` ${l.querySelector('select').selectedOptions[0].text} `)"
        return self.page.locator("#pairs li").evaluate_all(f"found => found.map({words})")

    @property
    def said(self) -> list[str]:
        """What the side says of each entity, in text order: what is not as usual, and the prescription."""
        return self.page.locator("#entities .said").all_text_contents()

    def see(self, text: str) -> None:
        """Wait until the note on the paper begins so."""
        expect(self.page.locator("#task")).to_be_visible(timeout=WAIT_MS)
        expect(self.page.locator("#paper")).to_contain_text(text, timeout=WAIT_MS)

    def see_nothing_waits(self) -> None:
        expect(self.page.get_by_text("No notes are waiting for you")).to_be_visible(timeout=WAIT_MS)

    def see_coming(self) -> None:
        expect(self.page.get_by_text("Loading the next note")).to_be_visible(timeout=WAIT_MS)

    def see_refused(self, count: int) -> None:
        expect(self.page.locator("#show-refused")).to_have_text(f"Not taken: {count}", timeout=WAIT_MS)

    def keep_picture(self, name: str) -> None:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(ARTIFACTS / f"desk-{name}.png"))

    def see_saved(self) -> None:
        expect(self.page.locator("#state")).to_have_attribute("data-state", "saved", timeout=WAIT_MS)

    def see_state(self, pattern: str) -> None:
        expect(self.page.locator("#state")).to_have_text(re.compile(pattern), timeout=WAIT_MS)

    def see_hint(self, pattern: str) -> None:
        expect(self.page.locator("#hint")).to_have_text(re.compile(pattern), timeout=WAIT_MS)

    def see_notice(self, pattern: str) -> None:
        expect(self.page.locator("#notice span")).to_have_text(re.compile(pattern), timeout=WAIT_MS)
