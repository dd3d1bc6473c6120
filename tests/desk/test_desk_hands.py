"""What helps a validator beside the note, in a real browser: guideline, sight of the cursor, search, look-up, comment, feedback, training."""

import re

import pytest
from clinical_ner.guideline import SHIPPED_VERSION
from contracts.records import AccessAction, Sample
from desk_page import WAIT_MS, DeskPage
from desk_rig import SOURCE, Asked, Rig, decide, next_of, span, until
from playwright.sync_api import Route, expect

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
IN_SIGHT = """() => {
  const rect = document.getSelection().getRangeAt(0).getClientRects()[0];
  const box = document.querySelector('#paper').getBoundingClientRect();
  const bar = document.querySelector('#decide');
  const foot = innerHeight - (getComputedStyle(bar).position === 'fixed' ? bar.offsetHeight : 0);
  return rect.top >= Math.max(0, box.top) - 1 && rect.bottom <= Math.min(foot, box.bottom) + 1;
}"""
LONG = Asked(
    "Long history: "
    + " ".join(f"visit {n} with fever{n} treated by drug{n} and asked to come again," for n in range(120)),
    [(f"fever{n}", "DISEASE", 0.9) for n in range(120)],
)


def test_the_cursor_stays_in_sight_on_one_long_line(rig: Rig, desk: DeskPage, chromium) -> None:
    rig.ask_for([LONG])
    desk.see("Long history")
    for _ in range(25):
        desk.press("j")
        assert desk.page.evaluate(IN_SIGHT), desk.cursor
    assert desk.cursor == "fever24"
    desk.press("k", "ArrowDown", "ArrowDown")
    assert desk.page.evaluate(IN_SIGHT)


def test_a_phone_has_accept_in_reach_and_the_cursor_in_sight(rig: Rig, chromium, serious) -> None:
    phone = DeskPage(rig, chromium, "anna", **PHONE)
    rig.ask_for([LONG])
    phone.see("Long history")
    accept = phone.page.get_by_role("button", name="Accept and next")
    for _ in range(25):
        phone.press("j")
        expect(accept).to_be_in_viewport(ratio=1)
        assert phone.page.evaluate(IN_SIGHT), phone.cursor
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(phone.page) == []
    phone.keep_picture("phone")
    assert phone.errors == []
    phone.close()


def test_three_tabs_to_accept_and_labels_told_without_colour(rig: Rig, desk: DeskPage, serious) -> None:
    rig.ask_for([Asked(found=(("diabetes", "DISEASE", 0.9), ("metformin", "TREATMENT", 0.9)))])
    desk.see("Pt")
    page = desk.page
    expect(page.locator("[data-version]")).to_have_text(f"version {SHIPPED_VERSION}", timeout=WAIT_MS)
    expect(page.locator(".guideline")).to_contain_text("a symptom or a sign is marked as a disease")
    page.evaluate("() => document.activeElement.blur()")
    presses = 0
    while page.evaluate("() => document.activeElement.dataset?.do") != "accept":
        presses += 1
        assert presses <= 3, "Accept is more than three Tabs away"
        desk.press("Tab")
    page.emulate_media(forced_colors="active")
    letters = page.locator("#entities .chip").evaluate_all(
        "found => found.map(one => getComputedStyle(one, '::before').content.slice(1, 2))"
    )
    assert letters == ["D", "T"]
    styles = page.locator("#paper mark").evaluate_all(
        "found => found.map(one => getComputedStyle(one).borderBottomStyle)"
    )
    assert len(set(styles)) == 2, styles
    assert serious(page) == []


def test_a_comment_and_the_guideline_go_with_the_decision_and_a_lead_reads_it(
    rig: Rig, desk: DeskPage, chromium
) -> None:
    rig.ask_for([Asked()])
    desk.see("Pt")
    expect(desk.page.locator("[data-version]")).to_have_text(f"version {SHIPPED_VERSION}", timeout=WAIT_MS)
    desk.press(",")
    desk.page.get_by_label("What is the question?").fill("Is this a brand?")
    desk.press("Control+Enter")  # no mouse, no Tab
    expect(desk.page.locator("[data-do='comment']")).to_contain_text("Comment ✓")
    desk.page.locator("#paper").focus()
    desk.press("Enter")
    desk.see_nothing_waits()
    expect(desk.page.locator("#why-nothing")).to_have_text("No note waits at all.", timeout=WAIT_MS)
    [said] = until(rig.said, 20)
    assert (said.comment, said.guideline_version) == ("Is this a brand?", SHIPPED_VERSION)
    with rig.client("lea") as lea, rig.client("anna") as anna:
        comments = until(lambda: lea.get("/api/lead/comments").json()["comments"], 20)
        assert [(one["words"], one["by"]) for one in comments] == [("Is this a brand?", "anna")]
        assert anna.get("/api/lead/comments").status_code == 403


def test_notes_are_found_by_their_words_and_the_queue_is_worked_in_part(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for(
        [Asked(), Asked("Needle in a haystack: gout.", ()), Asked("An audit of asthma.", (), sample=Sample.AUDIT)]
    )
    desk.see("Pt")
    desk.hold(3)
    desk.press("/")
    page = desk.page
    expect(page.locator("#find [name=text]")).to_be_focused()
    page.keyboard.type("HAYstack")
    page.keyboard.press("Enter")
    expect(page.locator(".found li")).to_have_count(1, timeout=WAIT_MS)
    expect(page.locator(".found li span")).to_contain_text("Needle in a haystack")
    page.locator(".found button").click()
    desk.see("Needle")
    assert AccessAction.SEARCH in {one.action for one in rig.shown()}
    desk.press("/")
    page.locator("#find [name=text]").fill("")
    page.locator("#find [name=reason]").select_option("AUDIT")
    page.get_by_role("button", name="Work through this part").click()
    expect(page.locator("#selection span")).to_have_text("Only: random audit")
    desk.press("Enter")
    desk.see("An audit of asthma")
    desk.press("Enter")
    desk.see_nothing_waits()
    expect(page.locator("#why-nothing")).to_contain_text("1 is outside your selection", timeout=WAIT_MS)
    page.get_by_role("button", name="Show all").click()
    desk.see("Pt")


def test_a_name_is_looked_up_and_a_person_sees_what_a_lead_changed(rig: Rig, desk: DeskPage) -> None:
    rig.process.kill()
    rig.process = rig.start(DESK_DOUBLE_SHARE="1")
    [note] = rig.ask_for([Asked()])
    with rig.client("anna") as anna, rig.client("ben") as ben, rig.client("lea") as lea:
        decide(anna, next_of(anna), [span("metformin", "DISEASE")])
        decide(ben, next_of(ben), [span("metformin", "TREATMENT")])
        task = next_of(lea)
        assert len(task["opinions"]) == 2
        decide(lea, task, [span("metformin", "TREATMENT"), span("type 2 diabetes", "DISEASE")])
        until(lambda: lea.get("/api/lookup", params={"words": "metformin"}).json()["decided"], 20)
        changed = anna.get("/api/feedback").json()
        assert (changed["decided"], [one["note_id"] for one in changed["changed"]]) == (1, [note])
        assert changed["changed"][0]["removed"] == {"DISEASE": 1}
        own = {"words": "Metformin", "source": SOURCE, "note_id": note}
        assert anna.get("/api/lookup", params=own).json()["decided"] == []  # nothing of the note on the paper
        people = {one["name"]: one for one in lea.get("/api/lead/people").json()["people"]}
        assert people["anna"]["notes"] == 1
        assert [one["f1"] for one in people["anna"]["with_leads"]] == [0, 0]
        assert [one["f1"] for one in people["ben"]["with_leads"]] == [0, 1]
    rig.ask_for([Asked()])
    desk.see("Pt")
    expect(desk.page.locator("#feedback summary")).to_have_text(
        "1 of your notes was changed by a lead (1 looked at)", timeout=WAIT_MS
    )
    desk.reach("metformin")
    desk.press("q")
    desk.see_hint(r"treatment: 2 others in 1 note; disease: you in 1|treatment: 2 others in 1 note.*")


def test_the_training_judges_answers_and_publishes_nothing(rig: Rig, desk: DeskPage, serious) -> None:
    desk.open()
    page = desk.page
    page.goto(f"{rig.url}/training")
    desk.see("SYNTHETIC TRAINING NOTE")
    desk.reach("dry")
    desk.press("Shift+ArrowRight", "d")
    desk.press("j", "n")  # asthma: negated
    desk.press("Enter")
    title = page.locator("#training h2")
    expect(title).to_have_text("Right", timeout=WAIT_MS)
    expect(page.locator("[data-judged]")).to_contain_text("dry cough")  # the next note lies behind it
    assert serious(page) == []
    page.get_by_role("button", name="Go on").click()

    def after_the_end_is_told(route: Route) -> None:
        answer = route.fetch()
        expect(title).to_have_text("The training is done", timeout=WAIT_MS)
        route.fulfill(response=answer)

    for left in range(3, -1, -1):
        if not left:
            page.route("**/decision", after_the_end_is_told)
        page.locator("#paper").focus()
        with page.expect_response("**/decision"):
            desk.press("Enter")
        expect(title).to_have_text("Not quite", timeout=WAIT_MS)
        page.get_by_role("button", name="Go on").click()
    expect(title).to_have_text("The training is done", timeout=WAIT_MS)
    expect(page.locator("[data-teaches]")).to_have_text(re.compile("1 of 5 right"))
    expect(page.locator("[data-judged]")).to_be_hidden()
    expect(page.get_by_role("button", name="Go on")).to_be_hidden()  # it would lead to an empty queue
    expect(page.locator("#training").get_by_role("link", name="To the desk")).to_be_focused()
    assert rig.said() == []
