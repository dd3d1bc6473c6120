"""The shadow week's form in a real browser: by keyboard, the clock, what it saves, and axe at every size."""

import json

import pytest
from rxtract.commands.shadow import FORM

SIZES = ((1280, 800), (768, 1024), (390, 844))


@pytest.fixture
def form(tmp_path):
    notes = [{"source": "clinic", "note_id": f"n{n}", "revision": 1, "text": f"<b>dm</b> {n}"} for n in range(2)]
    path = tmp_path / "form.html"
    sample = json.dumps({"id": "7-2", "notes": notes}).replace("<", "\\u003c")
    path.write_text(FORM.read_text().replace("__SAMPLE__", sample))
    return path.as_uri()


@pytest.mark.slow
def test_a_clerk_enters_a_note_and_saves(chromium, form):
    page = chromium.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.clock.install()
    page.goto(form)
    page.get_by_label("Your name or number").fill("c1")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.get_by_role("region", name="Note").inner_text() == "<b>dm</b> 0"
    page.clock.fast_forward(30_000)
    page.get_by_role("button", name="Pause").click()
    page.clock.fast_forward(600_000)
    assert not page.get_by_role("region", name="Note").is_visible(), (
        "a note that is read on the clock's pause costs no time"
    )
    page.get_by_role("button", name="Go on").click()
    page.clock.fast_forward(10_000)
    page.get_by_label("Diseases").fill("dm\n\n htn ")
    page.get_by_role("button", name="Next note").click()
    page.get_by_label("Treatments").fill("dolo")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Stop here and save").click()
    found = json.loads(saved.value.path().read_text())
    assert (found["clerk"], found["sample"]) == ("c1", "7-2")
    first, second = found["entries"][0], [*found["entries"], None][1]
    assert (first["note_id"], first["diseases"], first["treatments"]) == ("n0", ["dm", "htn"], [])
    assert 40 <= first["seconds"] < 50
    assert second is None, "a note that was begun and not finished is no measurement"
    assert errors == []
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "look", [{}, {"forced_colors": "active"}, {"color_scheme": "dark"}], ids=["plain", "forced", "dark"]
)
def test_nobody_is_kept_out(chromium, form, serious, look):
    for width, height in SIZES:
        page = chromium.new_page(viewport={"width": width, "height": height}, bypass_csp=True, **look)
        page.goto(form)
        assert serious(page) == []
        page.get_by_label("Your name or number").fill("c1")
        page.get_by_role("button", name="Start").click()
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
        page.close()
