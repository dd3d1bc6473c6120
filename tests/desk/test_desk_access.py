"""The page for everybody: a tablet, colours that can be read, roles and focus for who does not see it."""

import pytest
from desk_page import DeskPage
from desk_rig import Asked, Rig
from playwright.sync_api import expect

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

NOTE = """C/o fever x 3 days, known case of type 2 diabetes mellitus.
Imp: acute bronchitis; diabetes.
Adv: tab azithromycin 500 mg OD. Continue metformin 500 mg BD; metformin after food."""
ONE = Asked(NOTE, (("fever", "DISEASE", 0.66), ("azithromycin", "TREATMENT", 0.97)))

# The contrast of each visible piece of text with what lies behind it, after WCAG 2.2; opacity and translucent grounds are blended.
CONTRASTS = """() => {
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = (colour) => colour.slice(0, 3)
    .map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const chain = (element) => (element ? [...chain(element.parentElement), element] : []);
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || element.closest(":disabled, script, .only-spoken")) continue;
    if (!element.checkVisibility({ checkVisibilityCSS: true })) continue;
    let ground = [255, 255, 255, 1];
    let opacity = 1;
    for (const one of chain(element)) {
      const style = getComputedStyle(one);
      opacity *= Number(style.opacity);
      ground = over(parse(style.backgroundColor), ground);
    }
    const style = getComputedStyle(element);
    const ink = parse(style.color);
    const [a, b] = [light(over([...ink.slice(0, 3), ink[3] * opacity], ground)), light(ground)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push({ words: texts.currentNode.data.trim().slice(0, 40), ratio: (a + 0.05) / (b + 0.05), needed: large ? 3 : 4.5 });
  }
  return found;
}"""

FOCUSED = "document.activeElement.dataset.do ?? document.activeElement.id"


def walked(desk: DeskPage) -> list[str]:
    """What the right arrow reaches in a toolbar, until it is back where it began."""
    began, reached = desk.page.evaluate(FOCUSED), []
    while not reached or reached[-1] != began:
        assert len(reached) < 50, "the arrow does not come back"
        desk.press("ArrowRight")
        reached.append(desk.page.evaluate(FOCUSED))
    return reached


def check_contrast(desk: DeskPage, least: int) -> None:
    found = desk.page.evaluate(CONTRASTS)
    assert len(found) >= least
    assert [one for one in found if one["ratio"] < one["needed"]] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(rig: Rig, chromium, scheme: str) -> None:
    rig.ask_for([ONE, Asked()])
    desk = DeskPage(rig, chromium, "anna", color_scheme=scheme)
    desk.see("C/o fever")
    desk.hold(2)
    desk.press("j", "t")  # with a hint below the text
    check_contrast(desk, 30)
    desk.press("?")
    check_contrast(desk, 50)
    desk.press("Escape")
    desk.page.evaluate("document.querySelector('#state').dataset.state = 'away'")
    check_contrast(desk, 30)
    desk.keep_picture(f"contrast-{scheme}")
    desk.page.context.clear_cookies()
    desk.page.goto(rig.url)
    expect(desk.page.get_by_label("Token")).to_be_visible()
    check_contrast(desk, 4)
    assert desk.errors == []
    desk.close()


def test_the_check_of_contrast_can_fail(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE])
    desk.see("C/o fever")
    desk.page.evaluate("document.querySelector('#why').style.color = '#9aa'")
    with pytest.raises(AssertionError):
        check_contrast(desk, 1)


def test_a_tablet_works_by_touch(rig: Rig, chromium) -> None:
    rig.ask_for([ONE, Asked()])
    desk = DeskPage(rig, chromium, "anna", viewport={"width": 1024, "height": 768}, has_touch=True, is_mobile=True)
    desk.see("C/o fever")
    desk.hold(2)
    page = desk.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    accept = page.get_by_role("button", name="Accept and next")
    expect(accept).to_be_in_viewport(ratio=1)
    for button in page.locator("#tools button").all():
        assert button.bounding_box()["height"] >= 44
    line = page.locator("#paper .line").nth(1)
    place = line.evaluate(
        """line => {
          const text = line.firstChild, at = text.data.indexOf("bronchitis"), range = document.createRange();
          range.setStart(text, at); range.setEnd(text, at + 10);
          const box = range.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }"""
    )
    page.touchscreen.tap(*place)
    desk.wait_until(lambda: desk.cursor == "bronchitis")
    page.get_by_role("button", name="Select a word less").tap()
    page.get_by_role("button", name="Disease").tap()
    assert ["acute bronchitis", "DISEASE"] in desk.entities
    page.locator("#paper mark", has_text="fever").tap()
    page.get_by_role("button", name="Delete").tap()
    assert ["fever", "DISEASE"] not in desk.entities
    desk.keep_picture("tablet")
    accept.tap()
    desk.see("zebra-quartz-canary")
    desk.see_saved()
    assert len(rig.said()) == 1
    page.set_viewport_size({"width": 768, "height": 1024})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    desk.keep_picture("tablet-upright")
    assert desk.errors == []
    desk.close()


def test_roles_names_and_focus_tell_who_does_not_see(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE])
    desk.see("C/o fever")
    page = desk.page
    paper = page.get_by_role("application", name="Text of the note: arrow keys move by word")
    expect(paper).to_be_focused()
    for role, name in (
        ("toolbar", "Actions"),
        ("region", "Note"),
        ("region", "Entities"),
        ("region", "Queue and your work"),
        ("heading", "Review desk"),
    ):
        expect(page.get_by_role(role, name=name, exact=True)).to_have_count(1)
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    for button in page.get_by_role("button").all():
        named = button.get_attribute("aria-label") or button.inner_text()
        assert any(letter.isalpha() for letter in named), named
    desk.press("j")
    expect(page.locator("#spoken")).to_have_text("fever, Disease, not judged, model 66 % sure")
    expect(page.locator("#spoken")).to_have_attribute("aria-live", "polite")
    opener = page.get_by_role("button", name="Keys")
    opener.focus()
    desk.press("Enter")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    before = desk.entities
    desk.press("d", "x")  # keys of the page below do nothing
    desk.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    assert desk.entities == before
    paper.focus()
    visited = []
    for _ in range(30):
        desk.press("Tab")
        visited.append(page.evaluate(FOCUSED))
        if page.evaluate("document.activeElement.closest('[role=toolbar]') !== null"):  # one stop: arrows go on within
            visited += walked(desk)
    assert {"disease", "redo", "accept", "stretch start 1", "line 1", "show-help", "logout"} <= set(visited)
    outline = page.evaluate("getComputedStyle(document.querySelector(':focus') ?? document.body).outlineStyle")
    assert outline == "solid"
