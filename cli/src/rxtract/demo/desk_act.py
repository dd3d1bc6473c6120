"""The act in a browser: a headless Chromium opens the review desk, and a simulated validator works there by keyboard."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from rxtract.demo.act import Act, DemoFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clinical_ner.notes import AnnotatedNote

    from rxtract.bringup import Running
    from rxtract.demo.browser import Browser
    from rxtract.demo.screen import Screen

WAITING = 20
CORRECTED = 5
MOST_WORDS = 2_000

# Where the cursor is, in UTF-16 units of the note: the browser's own selection is the cursor of the page.
CURSOR = """() => {
  const paper = document.querySelector("#paper");
  const selected = document.getSelection().getRangeAt(0);
  const before = document.createRange();
  before.setStart(paper, 0);
  before.setEnd(selected.startContainer, selected.startOffset);
  const start = before.toString().length;
  return [start, start + selected.toString().length];
}"""
MARKS = """marks => marks.map(mark => {
  const before = document.createRange();
  before.setStart(document.querySelector("#paper"), 0);
  before.setEnd(mark, 0);
  const start = before.toString().length;
  return [start, start + mark.textContent.length, mark.classList.contains("disease") ? "DISEASE" : "TREATMENT"];
})"""


@dataclass(frozen=True, slots=True)
class DeskSummary:
    """What the act did, for the last lines and for --json."""

    waiting: int
    decided: int
    changed: int
    seconds_a_note: float


class DeskAct(Act):
    """The act on a running stack on which notes wait for review.

    Args:
        running: The stack, started with `close_loop`.
        screen: Where progress is shown.
        truths: The truth of the synthetic notes, by text: the browser shows no ids.
        browser: Opens the page.
    """

    def __init__(self, running: Running, screen: Screen, truths: Mapping[str, AnnotatedNote], browser: Browser) -> None:
        super().__init__(running, screen)
        self._truths = truths
        self._browser = browser

    def play(self) -> DeskSummary:
        """Play the act.

        Raises:
            DemoFailed: A step did not happen.
        """
        self._screen.chapter("The review desk, in a browser")
        with self._step("notes wait for review"):
            waiting = self._waiting()
        self._screen.good(f"{waiting} notes wait at {self._running.addresses.desk_url}")
        with self._step("the desk in a browser"), self._browser.tab() as page:
            return self._work(page, waiting)

    def _waiting(self) -> int:
        """How many notes wait, once there are enough."""
        headers = {"Authorization": f"Bearer {self._running.addresses.desk_token}"}
        with httpx.Client(base_url=self._running.addresses.desk_url, headers=headers) as client:
            return self._ask(
                lambda: int(sum(client.get("/api/queue").raise_for_status().json()["waiting"].values())),
                lambda waiting: waiting >= WAITING,
                lambda waiting: f"{waiting} of {WAITING} notes wait",
            )

    def _work(self, page: Any, waiting: int) -> DeskSummary:
        page.goto(self._running.addresses.desk_url)
        page.get_by_label("Token").fill(self._running.addresses.desk_token)
        page.keyboard.press("Enter")
        page.locator("#task").wait_for()
        self._browser.picture(page, "desk")
        began = time.monotonic()
        changed = sum(self._decide(page) for _ in range(CORRECTED))
        page.locator("#state[data-state=saved]").wait_for()
        spent_s = time.monotonic() - began
        page.locator("[data-figure=done]", has_text=str(CORRECTED)).wait_for()
        self._browser.picture(page, "desk-after")
        self._screen.good(
            f"{CORRECTED} notes decided by keyboard, {changed} of them corrected, {spent_s / CORRECTED:.1f} s a note; "
            f"the desk has acknowledged all"
        )
        return DeskSummary(waiting, CORRECTED, changed, round(spent_s / CORRECTED, 2))

    def _decide(self, page: Any) -> bool:
        """Make the note on the paper right, as far as its truth is known, and go on; whether anything was changed."""
        page.locator("#task").wait_for()
        truth = self._truths.get(page.locator("#paper").evaluate("paper => paper.textContent"))
        right = {(s.start, s.end, str(s.label)) for s in truth.spans} if truth else None
        shown = {tuple(mark) for mark in page.locator("#paper mark").evaluate_all(MARKS)}
        for start, end, _ in sorted(shown - right) if right is not None else ():
            _go_to(page, start, end)
            page.keyboard.press("x")
        for start, end, label in sorted((right or set()) - shown):
            _go_to(page, start, end)
            page.keyboard.press("d" if label == "DISEASE" else "t")
        page.keyboard.press("Enter")
        return right is not None and shown != right


def _go_to(page: Any, start: int, end: int) -> None:
    """Put the cursor on a span by arrow keys, as a person does."""
    for _ in range(MOST_WORDS):
        at, _ = page.evaluate(CURSOR)
        if at == start:
            break
        page.keyboard.press("ArrowRight" if at < start else "ArrowLeft")
    for _ in range(MOST_WORDS):
        _, until = page.evaluate(CURSOR)
        if until >= end:
            return
        page.keyboard.press("Shift+ArrowRight")
    raise DemoFailed("the cursor did not reach a word by arrow keys")
