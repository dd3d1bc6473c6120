"""The control page in a browser: its numbers must be those of the notes that the demo has sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from rxtract.demo.act import Act, DemoFailed

if TYPE_CHECKING:
    from rxtract.bringup import Running
    from rxtract.demo.browser import Browser
    from rxtract.demo.screen import Screen


class ControlAct(Act):
    """A look at the control page of a running stack.

    Args:
        running: The stack, started with `close_loop`.
        screen: Where progress is shown.
        browser: Opens the page.
    """

    def __init__(self, running: Running, screen: Screen, browser: Browser) -> None:
        super().__init__(running, screen)
        self._browser = browser

    def play(self, notes: int, name: str) -> dict[str, Any]:
        """Wait until the scorekeeper has counted so many notes, and look at the page.

        Args:
            notes: Live notes that must be on it, at least.
            name: Of the picture.

        Returns:
            The KPIs of the day by name.

        Raises:
            DemoFailed: A step did not happen.
        """
        self._screen.chapter("The control page, in a browser")
        url = self._running.addresses.score_url
        with self._step("notes counted"):
            kpis = self._counted(notes)
        with self._step("the control page in a browser"), self._browser.tab() as page:
            page.goto(url)
            page.locator("#live[data-state=on]").wait_for()
            shown = page.locator("#n-notes").inner_text().replace(",", "")
            if int(shown) < notes:
                raise DemoFailed(f"the page shows {shown} notes, {notes} were sent")
            self._browser.picture(page, name, whole=True)
        self._screen.good(f"{int(shown):,} notes on {url}, live")
        return kpis

    def _counted(self, notes: int) -> dict[str, Any]:
        with httpx.Client(base_url=self._running.addresses.score_url) as client:

            def kpis() -> dict[str, Any]:
                answer = client.get("/api/kpis", params={"window": "today"})
                return dict(answer.json()) if answer.is_success else {}  # 503 until the topics are read

            return self._ask(
                kpis,
                lambda found: _value(found, "notes") >= notes,
                lambda found: f"{_value(found, 'notes'):.0f} of {notes} notes are counted",
            )


def _value(kpis: dict[str, Any], name: str) -> float:
    return float(kpis.get("kpis", {}).get(name, {}).get("value") or 0)
