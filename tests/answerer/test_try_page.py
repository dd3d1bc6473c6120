"""The page on which a note is tried, in a real browser: by keyboard alone, at every size, in colours of the reader's own."""

import json
import os
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from runtime.web.client_tokens import hash_token
from rxtract.app import build
from typer.testing import CliRunner

WAIT_MS = 20_000
ARTIFACTS = Path(os.environ.get("RXTRACT_ARTIFACTS", "artifacts"))
SIZES = ((1280, 800), (768, 1024), (390, 844))
NOTE = "k/c/o T2DM and HTN, started tab metformin 500 mg BD. No h/o asthma."


def _is_ours(message) -> bool:
    """An error that a script or the policy caused; the browser itself says that an answer was 422."""
    return message.type == "error" and "status of 422" not in message.text


@pytest.fixture
def visit(chromium, request):
    """Opens the page; no error of a script is passed over, and a picture of each visit is kept."""
    pages, errors = [], []

    def go(url: str, **context: object) -> Page:
        page = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **context}).new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if _is_ours(message) else None)
        page.goto(url)
        expect(page.get_by_label("Note", exact=True)).not_to_have_value("")  # the first example is there
        pages.append(page)
        return page

    yield go
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(pages):
        page.screenshot(path=str(ARTIFACTS / f"try-{request.node.name}-{number}.png"), full_page=True)
        page.context.close()
    assert errors == []


def read(page: Page, note: str) -> None:
    """Put a note into the box and ask, by keys alone."""
    page.get_by_label("Note", exact=True).fill(note)
    with page.expect_response("**/v1/extract"):
        page.keyboard.press("Control+Enter")
    expect(page.locator("#paper")).to_contain_text(note[:6])


def test_a_note_is_seen_with_all_that_is_said_of_it(open_door, visit):
    url = open_door(http_open=True)
    page = visit(url)
    read(page, NOTE)
    marks = page.locator("#paper mark")
    assert marks.locator(".words").all_inner_texts() == ["T2DM", "HTN", "metformin", "asthma"]
    assert marks.locator("small").all_inner_texts() == ["D", "D", "T", "D not"]
    row = page.locator("#entities tbody tr").nth(3)
    assert row.locator("th, td").all_inner_texts()[3:7] == ["negated", "current", "patient", "No h/o"]
    assert page.locator("#paper .cue").all_inner_texts() == ["No h/o"]
    assert "tablet, 500 mg, 2 × per day" in page.locator("#entities tbody tr").nth(2).inner_text()
    assert page.locator("#relations li strong").all_inner_texts() == ["metformin", "T2DM"]
    shown = json.loads(page.locator("#json").inner_text())
    asked = httpx.post(f"{url}/v1/extract", json={"text": NOTE}).json()
    assert shown == asked


def test_an_answer_does_not_pass_for_one_to_the_note_as_it_is_now(open_door, visit):
    page = visit(open_door(http_open=True))
    read(page, NOTE)
    expect(page.locator("#result")).not_to_have_attribute("data-outdated", "true")
    page.get_by_label("Note", exact=True).fill("No fever.")
    expect(page.locator("#result")).to_have_attribute("data-outdated", "true")
    expect(page.locator("#state")).to_contain_text("press Extract")
    read(page, "No fever.")
    expect(page.locator("#result")).not_to_have_attribute("data-outdated", "true")


def test_the_answer_is_what_the_command_line_prints(open_door):
    asked = httpx.post(f"{open_door(http_open=True)}/v1/extract", json={"text": NOTE}).json()
    printed = json.loads(CliRunner().invoke(build(["extract"]), ["extract", "--json", NOTE]).stdout)
    assert asked.pop("model")["sha256"] == printed.pop("model")["sha256"]
    assert asked == printed


def test_the_whole_page_by_keyboard(open_door, visit):
    page = visit(open_door(http_open=True))
    expect(page.locator("#paper mark").first).to_be_visible()
    page.get_by_label("Note", exact=True).focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").startswith("Extract")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#example")).to_have_value("Fever, denied diseases")
    expect(page.locator("#paper")).to_contain_text("No h/o DM")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('mark') !== null")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('tr:target') !== null")


def test_hostile_text_stays_text(open_door, visit):
    page = visit(open_door(http_open=True))
    read(page, "<img src=x onerror=alert(1)> \N{GRINNING FACE} no HTN </textarea><script>alert(1)</script>")
    assert page.locator("#paper img, #paper script, #json img").count() == 0
    assert "HTN" in page.locator("#paper mark .words").all_inner_texts(), "offsets count code points"


def test_what_is_wrong_is_said(open_door, visit):
    page = visit(open_door(http_open=True, max_note_chars=200))
    page.get_by_label("Note", exact=True).fill("fever " * 50)
    with page.expect_response("**/v1/extract"):
        page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("more characters")
    page.get_by_label("Note", exact=True).fill("  ")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("empty")


def test_elsewhere_the_page_asks_for_a_token(open_door, visit):
    page = visit(open_door(http_tokens=f"clinic:{hash_token('secret')}"))
    page.get_by_label("Note", exact=True).fill(NOTE)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("asks for a token")
    assert page.evaluate("document.activeElement.id") == "token"
    page.keyboard.type("secret")
    page.keyboard.press("Enter")
    expect(page.locator("#paper mark").first).to_be_visible()
    assert page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0


@pytest.mark.parametrize(
    "look", [{}, {"forced_colors": "active"}, {"color_scheme": "dark"}], ids=["plain", "forced", "dark"]
)
def test_nobody_is_kept_out(open_door, visit, serious, look):
    url = open_door(http_open=True)
    for width, height in SIZES:
        page = visit(url, viewport={"width": width, "height": height}, **look)
        expect(page.locator("#paper mark").first).to_be_visible()
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    page.goto(f"{url}/docs")
    assert serious(page) == []


def test_the_first_paint_is_quick(open_door, visit):
    page = visit(open_door(http_open=True))
    expect(page.locator("#paper mark").first).to_be_visible()
    painted_ms = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert painted_ms < 5_000, "on a loaded machine; quiet it is under a tenth of a second"
