"""The page in a real browser, by keyboard alone: every action, and what happens when something breaks under it."""

import re
import signal
import time

import pytest
from contracts.records import AnnotationOutcome, Prescription, Relation, RelationType, Sample
from desk_page import WAIT_MS, DeskPage
from desk_rig import SOURCE, Asked, Rig, assertion, until
from playwright.sync_api import Route, expect
from review_desk.page.pages import SHORTCUTS

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

NOTE = """C/o fever x 3 days, known case of type 2 diabetes mellitus.
Imp: acute bronchitis; diabetes.
Adv: tab azithromycin 500 mg OD. Continue metformin 500 mg BD; metformin after food."""
FOUND = (
    ("fever", "DISEASE", 0.66),
    ("type 2 diabetes", "DISEASE", 0.7),
    ("azithromycin", "TREATMENT", 0.97),
)
ONE = Asked(NOTE, FOUND)


def only_word(rig: Rig):
    """The one annotation that must come."""
    said = until(rig.said, 20)
    assert len(said) == 1
    return said[0]


def words(annotation) -> list[tuple[str, str]]:
    for entity in annotation.entities:
        assert annotation.text[entity.start : entity.end] == entity.text
    return [(entity.text, str(entity.label)) for entity in annotation.entities]


def test_accept_takes_what_is_seen(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE, Asked()])
    desk.see("C/o fever")
    desk.press("Enter")
    desk.see("zebra-quartz-canary")
    desk.see_saved()
    said = only_word(rig)
    assert said.outcome is AnnotationOutcome.ACCEPTED
    assert words(said) == [("fever", "DISEASE"), ("type 2 diabetes", "DISEASE"), ("azithromycin", "TREATMENT")]
    assert 0 < said.seconds_spent < 60


def test_every_correction_by_keyboard(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE])
    desk.see("C/o fever")
    desk.press("j")
    assert desk.cursor == "fever"
    desk.press("x")  # delete
    desk.press("j")
    assert desk.cursor == "type 2 diabetes"
    desk.press("]")  # extend
    assert ["type 2 diabetes mellitus", "DISEASE"] in desk.entities
    desk.press("[", "]")
    desk.press("j", "d")  # set another label
    assert ["azithromycin", "DISEASE"] in desk.entities
    desk.press("t")
    assert ["azithromycin", "TREATMENT"] in desk.entities
    desk.reach("metformin")
    desk.press("t")  # add a missed one
    desk.see_hint("mark the 1 other")
    desk.press("a")  # and its same mention
    assert desk.entities.count(["metformin", "TREATMENT"]) == 2
    desk.press("k", "k")
    desk.reach("acute")
    desk.press("Shift+ArrowRight", "d")
    assert ["acute bronchitis", "DISEASE"] in desk.entities
    desk.press("p")  # a disease with several treatments: a number picks
    desk.see_hint("press its number")
    desk.press("1")
    assert desk.pairs == ["azithromycin for acute bronchitis"]
    desk.press("u")
    assert desk.pairs == []
    desk.press("r")
    assert desk.pairs == ["azithromycin for acute bronchitis"]
    desk.press("Enter")
    desk.see_nothing_waits()
    desk.see_saved()
    said = only_word(rig)
    assert said.outcome is AnnotationOutcome.CORRECTED
    assert words(said) == [
        ("type 2 diabetes mellitus", "DISEASE"),
        ("acute bronchitis", "DISEASE"),
        ("azithromycin", "TREATMENT"),
        ("metformin", "TREATMENT"),
        ("metformin", "TREATMENT"),
    ]
    assert [(pair.treatment_id, pair.disease_id) for pair in said.relations] == [("e3", "e2")]
    assert (said.changes.kept, said.changes.added, said.changes.removed, said.changes.moved) == (1, 3, 1, 1)


SAID = Asked(
    NOTE,
    FOUND,
    assertions=(assertion("NEGATED", cue=(0, 3)), assertion(), assertion()),
    prescriptions={3: Prescription(form="tablet", strength="500 mg", frequency=1, period=1, period_unit="d")},
    relations=(Relation(type=RelationType.TREATS, treatment_id="e3", disease_id="e2", confidence=0.8),),
)


def said_of(annotation) -> list[tuple[str, str, str]]:
    return [
        (str(one.assertion.status), str(one.assertion.time), str(one.assertion.experiencer))
        for one in annotation.entities
        if one.assertion
    ]


def test_what_the_rules_said_is_seen_and_accepted_as_it_is(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([SAID])
    desk.see("C/o fever")
    assert desk.said == ["negated", "", "tablet · 500 mg · 1/1d"]
    assert desk.pairs == ["azithromycin for type 2 diabetes"]
    desk.press("Enter")
    desk.see_saved()
    word = only_word(rig)
    assert word.outcome is AnnotationOutcome.ACCEPTED
    assert word.entities == word.predicted_entities
    assert word.relations == word.predicted_relations
    assert (word.changes.restated, word.changes.represcribed, word.changes.related) == (0, 0, 0)


def test_what_is_said_is_corrected_by_one_key_each(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([SAID])
    desk.see("C/o fever")
    desk.press("j")
    for key, seen in (
        ("e", ""), ("n", "negated"), ("m", "possible"), ("i", "hypothetical"), ("h", "hypothetical · past"),
        ("l", "hypothetical · planned"), ("c", "hypothetical"), ("v", "hypothetical · family"),
        ("o", "hypothetical · another person"), ("y", "hypothetical"), ("u", "hypothetical · another person"), ("r", "hypothetical"),
    ):  # fmt: skip
        desk.press(key)
        assert desk.said[0] == seen, key
    desk.press("g")
    desk.see_hint("only a treatment")
    desk.press("j", "j")
    assert desk.cursor == "azithromycin"
    for number, words in enumerate(
        ("for", "was for", "planned for", "prevents", "causes", "not to be given in", "refused for", "failed for"),
        start=1,
    ):
        desk.press(f"Shift+Digit{number}")
        assert desk.pairs == [f"azithromycin {words} type 2 diabetes"]
    desk.press("Shift+Digit5", "w")
    assert desk.said[2].startswith("refused · ")
    desk.press("g")
    assert desk.said[2] == "allergy · tablet · 500 mg · 1/1d"
    desk.reach("metformin")
    desk.press("t", "h")
    assert desk.said[3] == "past", "what is drawn is there, now, and the patient's, until something else is said"
    desk.press("Enter")
    desk.see_saved()
    word = only_word(rig)
    assert word.outcome is AnnotationOutcome.CORRECTED
    assert said_of(word) == [
        ("HYPOTHETICAL", "CURRENT", "PATIENT"), ("PRESENT", "CURRENT", "PATIENT"), ("ALLERGY", "CURRENT", "PATIENT"),
        ("PRESENT", "HISTORICAL", "PATIENT"),
    ]  # fmt: skip
    assert [(str(one.type), one.confidence) for one in word.relations] == [("CAUSES", 1.0)]
    assert (word.changes.restated, word.changes.represcribed, word.changes.related) == (2, 0, 2)
    assert (word.entities[0].assertion.cue_start, word.predicted_entities[0].assertion.cue_start) == (-1, 0)


def test_a_prescription_is_corrected_attribute_by_attribute(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([SAID, Asked()])
    desk.see("C/o fever")
    desk.press("j", "z")
    desk.see_hint("a treatment first")
    desk.press("j", "j", "z")
    form = desk.page.locator("#prescription")
    expect(form).to_be_visible()
    desk.press("q")
    desk.page.keyboard.type("2 times")
    desk.press("Enter")
    expect(form).to_be_visible()  # no frequency is written so
    desk.press("Control+a")
    desk.page.keyboard.type("2/1d")
    desk.press("Enter")
    expect(form).to_be_hidden()
    assert desk.said[2] == "tablet · 500 mg · 2/1d"
    desk.press("z", "u")
    desk.page.keyboard.type("5 d")
    desk.press("Tab")
    desk.page.locator("#prescription select[name=route]").select_option("oral")
    desk.page.get_by_role("button", name="Keep").click()
    assert desk.said[2] == "tablet · 500 mg · 2/1d · 5 d · oral"
    desk.press("z", "n", "Escape")  # nothing is kept
    assert "SOS" not in desk.said[2]
    desk.press("z", "n", "Enter")
    assert "SOS" in desk.said[2]
    desk.press("Enter")
    desk.see("zebra-quartz-canary")
    desk.see_saved()
    word = only_word(rig)
    assert word.entities[2].prescription == Prescription(
        form="tablet", strength="500 mg", frequency=2, period=1, period_unit="d", as_needed=True, duration=5,
        duration_unit="d", route="oral",
    )  # fmt: skip
    assert (word.changes.restated, word.changes.represcribed) == (0, 1)


def test_the_mouse_marks_and_deletes(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE])
    desk.see("C/o fever")
    line = desk.page.locator("#paper .line").nth(1)
    box = line.bounding_box()
    assert box is not None
    desk.page.mouse.dblclick(box["x"] + 75, box["y"] + box["height"] / 2)
    assert desk.cursor in {"acute", "bronchitis"}
    desk.page.get_by_role("button", name="Disease").click()
    assert [desk.cursor, "DISEASE"] in desk.entities
    desk.page.locator("#paper mark", has_text="fever").click()
    desk.page.get_by_role("button", name="Delete").click()
    assert ["fever", "DISEASE"] not in desk.entities
    desk.page.get_by_role("button", name="Accept and next").click()
    desk.see_nothing_waits()


def test_skip_flag_and_back(rig: Rig, desk: DeskPage) -> None:
    notes = rig.ask_for([ONE, ONE, Asked()])
    desk.see("C/o fever")
    desk.hold(3)
    desk.press("s", "f")
    desk.see_hint("Press F again")
    desk.press("Escape", "f", "f")
    desk.see("zebra-quartz-canary")
    desk.see_saved()
    desk.press("b")  # the flag was a mistake
    desk.see("C/o fever")
    desk.press("Enter")
    desk.see("zebra-quartz-canary")
    desk.see_saved()
    said = until(lambda: len(found := rig.said()) == 3 and found, 20)
    by_note = {note: [(str(w.outcome), w.sequence) for w in said if w.note_id == note] for note in notes[:2]}
    assert by_note == {notes[0]: [("SKIPPED", 1)], notes[1]: [("UNREADABLE", 1), ("ACCEPTED", 2)]}


def hold_back(desk: DeskPage) -> list:
    """Keep the next answer of /api/next on its way until it is let go by `continue_`."""
    held: list = []
    desk.page.route("**/api/next*", lambda route: route.continue_() if held else held.append(route))
    return held


def test_keys_pressed_while_the_next_note_comes_are_not_lost(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE])
    desk.see("C/o fever")
    held = hold_back(desk)
    desk.wait_until(lambda: held)  # the page looks for more: the answer is on its way from here on
    later = rig.ask_for([ONE])
    desk.press("s")
    desk.see_coming()
    desk.press("j", "x", "f", "f", "s")
    held[0].continue_()
    desk.see("C/o fever")
    assert ["fever", "DISEASE"] not in desk.entities  # moved and deleted
    desk.see_hint("press it again")  # but not flagged: nobody had seen the note
    desk.press("Enter")
    desk.see_nothing_waits()
    desk.see_saved()
    said = until(lambda: len(found := rig.said()) == 2 and found, 20)
    assert [str(word.outcome) for word in said if word.note_id == later[0]] == ["CORRECTED"]


def test_keys_pressed_where_nothing_waits_are_for_no_note(rig: Rig, desk: DeskPage) -> None:
    desk.see_nothing_waits()
    desk.press("j", "x", "f")
    rig.ask_for([ONE])
    desk.see("C/o fever")
    assert ["fever", "DISEASE"] in desk.entities
    assert desk.page.locator("#hint").inner_text() == ""


@pytest.mark.parametrize("note_id", ["RX/2026/1", "..", "50%2F?x#1", "a|b/c"])
def test_a_note_is_decided_whatever_its_id(rig: Rig, desk: DeskPage, note_id: str) -> None:
    rig.ask_for([Asked(NOTE, FOUND, note_id=note_id)])
    desk.see("C/o fever")
    desk.press("Enter")
    desk.see_nothing_waits()
    desk.see_saved()
    desk.press("b")
    desk.see("C/o fever")
    desk.press("j", "x")
    desk.see_saved()
    lease = rig.key("lease", note_id)
    rig.redis.set(lease, "v-somebody|else")
    desk.press("Enter")
    desk.see_refused(1)
    desk.page.get_by_role("button", name="Not taken: 1").click()
    expect(desk.page.get_by_text("another person has this note now").last).to_be_visible()
    with desk.context.expect_page() as opened:
        desk.page.get_by_role("link", name=note_id, exact=True).click()
    expect(opened.value.get_by_role("heading", name=f"Note {note_id}")).to_be_visible()
    desk.context.clear_cookies()
    opened.value.reload()
    opened.value.get_by_label("Token").fill("token-ben")
    opened.value.keyboard.press("Enter")
    expect(opened.value.get_by_role("heading", name=f"Note {note_id}")).to_be_visible()


@pytest.mark.parametrize(
    ("note_id", "path"),
    [
        ("note-1", "note-1/1/decision"),
        ("RX/2026/1", "RX/2026/1/1/decision"),
        ("50%2F?x#1", "50%252F%3Fx%231/1/decision"),
        # Only what would be taken for a step up, or be made shorter on the way, is one segment.
        (".", ".%2F1%2Fdecision"),
        ("a/../b", "a%2F..%2Fb%2F1%2Fdecision"),
        ("a//b", "a%2F%2Fb%2F1%2Fdecision"),
    ],
)
def test_a_decision_goes_through_a_proxy_that_takes_no_escaped_slash(
    rig: Rig, desk: DeskPage, note_id: str, path: str
) -> None:
    sent: list[str] = []
    desk.page.on("request", lambda request: sent.append(request.url))
    rig.ask_for([Asked(NOTE, FOUND, note_id=note_id)])
    desk.see("C/o fever")
    desk.press("Enter")
    desk.see_nothing_waits()
    desk.see_saved()
    assert [url.partition("/api/tasks/")[2] for url in sent if "/api/tasks/" in url] == [f"{SOURCE}/{path}"]
    assert only_word(rig).note_id == note_id


def hold_down(desk: DeskPage, key: str, times: int = 4) -> None:
    """Press a key and hold it: what comes after the first is the keyboard's own repetition."""
    for _ in range(times):
        desk.page.keyboard.down(key)
    desk.page.keyboard.up(key)


@pytest.mark.parametrize("place", ["paper", "button"])
def test_a_key_that_is_held_decides_one_note(rig: Rig, desk: DeskPage, place: str) -> None:
    notes = rig.ask_for([ONE, ONE, ONE])
    desk.see("C/o fever")
    desk.hold(3)
    if place == "button":
        desk.page.get_by_role("button", name="Accept and next").focus()
    hold_down(desk, "Enter")
    desk.see_saved()
    assert only_word(rig).note_id == notes[0]
    hold_down(desk, "f")
    desk.see_hint("Press F again")
    hold_down(desk, "s")
    desk.see("C/o fever")
    desk.see_saved()
    said = until(lambda: len(found := rig.said()) >= 2 and found, 20)
    assert sorted((word.note_id, str(word.outcome)) for word in said) == sorted(
        [(notes[0], "ACCEPTED"), (notes[1], "SKIPPED")]
    )


def test_keys_are_shown_and_all_of_them_work(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE])
    desk.see("C/o fever")
    desk.press("?")
    shown = desk.page.locator("#help dt").all_inner_texts()
    assert len(shown) == len(SHORTCUTS)
    desk.press("Escape")
    for key in ("ArrowDown", "ArrowUp", "ArrowLeft", "k", "j", "Shift+ArrowRight", "Shift+ArrowLeft", "Escape"):
        before = desk.cursor
        desk.press(key)
        assert desk.cursor
        assert key in {"Escape", "ArrowLeft", "Shift+ArrowLeft"} or desk.cursor != before, key
    assert desk.page.locator(":focus").count() == 1


def marked(desk: DeskPage) -> list[str]:
    return [words for words, _ in desk.entities]


def test_both_ends_of_an_entity_move_and_three_keys_delete_it(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE])
    desk.see("C/o fever")
    desk.press("j", "j")
    for key, now in (
        ("{", "of type 2 diabetes"),
        ("}", "type 2 diabetes"),
        ("}", "2 diabetes"),
        ("{", "type 2 diabetes"),
        ("]", "type 2 diabetes mellitus"),
        ("[", "type 2 diabetes"),
    ):
        desk.press(key)
        assert marked(desk) == ["fever", now, "azithromycin"], key
    for key in ("x", "Delete", "Backspace"):
        desk.press(key)
        assert marked(desk) == ["fever", "azithromycin"], key
        desk.press("u", "k", "j")
        assert marked(desk) == ["fever", "type 2 diabetes", "azithromycin"], key


def test_all_that_has_a_key_has_a_button(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE])
    desk.see("C/o fever")

    def click(*names: str) -> None:
        for name in names:
            desk.page.get_by_role("button", name=name, exact=True).click()

    click("Next entity", "Next entity")
    assert desk.cursor == "type 2 diabetes"
    click("Grow the entity at its start")
    assert "of type 2 diabetes" in marked(desk)
    click("Shrink the entity at its start", "Grow the entity at its end")
    assert "type 2 diabetes mellitus" in marked(desk)
    click("Shrink the entity at its end", "Entity before")
    assert desk.cursor == "fever"
    desk.page.get_by_role("button", name="Delete").click()
    desk.page.get_by_role("button", name="Undo").click()
    assert "fever" in marked(desk)
    desk.page.get_by_role("button", name="Redo").click()
    assert "fever" not in marked(desk)
    click("Next word")
    assert desk.cursor == "x"
    click("Word before")
    assert desk.cursor == "fever"
    click("Line below")
    below = desk.cursor
    assert below in {"acute", "Imp", ":", "bronchitis"}
    click("Select a word more")
    assert desk.cursor.startswith(below)
    assert desk.cursor != below
    click("Select a word less", "Line above")
    assert desk.cursor in {"C", "/", "o", "fever", "x"}


def test_a_draft_outlives_the_page(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE])
    desk.see("C/o fever")
    desk.press("j", "x")
    desk.see_saved()
    desk.page.reload()
    desk.see("C/o fever")
    assert ["fever", "DISEASE"] not in desk.entities


def test_decisions_made_without_a_network_arrive_later(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE, ONE, ONE])
    desk.see("C/o fever")
    desk.hold(3)
    desk.context.set_offline(True)
    desk.press("j", "x", "Enter")
    desk.see("C/o fever")
    desk.press("Enter")
    desk.see_state("No connection: .* kept here")
    assert rig.said() == []
    desk.context.set_offline(False)
    desk.see_saved()
    assert len(until(lambda: len(found := rig.said()) == 2 and found, 20)) == 2


def test_a_decision_that_fails_at_the_desk_does_not_keep_others_waiting(rig: Rig, desk: DeskPage) -> None:
    notes = rig.ask_for([ONE, ONE, ONE, Asked()])
    desk.see("C/o fever")
    desk.hold(3)
    path = re.compile(f"{notes[0]}.*decision")
    desk.page.route(path, lambda route: route.fulfill(status=500, body="Internal Server Error"))
    desk.press("Enter", "Enter", "Enter")
    desk.see("zebra-quartz-canary")
    desk.wait_until(lambda: {word.note_id for word in rig.said()} == set(notes[1:3]))
    desk.see_state("does not take 1 decision now: it is kept here and sent again")
    desk.page.unroute(path)
    desk.see_saved()
    assert {word.note_id for word in rig.said()} == set(notes[:3])


def test_a_desk_killed_under_the_page_loses_no_correction(rig: Rig, desk: DeskPage) -> None:
    notes = rig.ask_for([ONE])
    desk.see("C/o fever")
    port = rig.url.rpartition(":")[2]
    rig.process.send_signal(signal.SIGKILL)
    rig.process.wait(10)
    desk.press("j", "x", "Enter")
    desk.see_state("No connection: 1 decision is kept here")
    desk.page.close(run_before_unload=True)  # even the tab goes
    rig.process = rig.start(DESK_PORT=port)
    again = DeskPage(rig, desk.context.browser, "anna", like=desk)
    again.open()
    said = only_word(rig)
    assert said.note_id == notes[0]
    assert ("fever", "DISEASE") not in words(said)
    again.see_nothing_waits()
    desk.page = again.page


def test_redis_wiped_in_mid_session(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE, Asked()])
    desk.see("C/o fever")
    rig.wipe()
    desk.press("j", "x", "Enter")
    desk.see("zebra-quartz-canary")
    desk.press("Enter")
    desk.see_nothing_waits()
    desk.see_saved()
    assert len(until(lambda: len(found := rig.said()) == 2 and found, 30)) == 2


def test_two_tabs_never_show_one_note(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE])
    desk.see("C/o fever")
    other = DeskPage(rig, desk.context.browser, "anna", like=desk)
    other.see_nothing_waits()
    desk.press("Enter")
    desk.see_saved()
    other.see_nothing_waits()
    assert other.errors == []
    only_word(rig)


def test_a_note_taken_by_another_says_so(rig: Rig, desk: DeskPage) -> None:
    notes = rig.ask_for([ONE])
    desk.see("C/o fever")
    rig.redis.set(rig.key("lease", notes[0]), "v-somebody|else")
    desk.press("j", "x", "Enter")
    desk.see_notice("another person has this note now")
    assert rig.said() == []


def test_an_audit_note_hides_what_the_model_said(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([Asked(NOTE, FOUND, Sample.AUDIT)])
    desk.see("C/o fever")
    assert desk.entities == []
    assert desk.page.get_by_text("hidden on purpose").is_visible()
    assert "sure of the whole note" not in desk.page.locator("#facts").inner_text()


HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"> <script>document.title='owned'</script> &lt;b&gt; "
    "Pt \u202ediabetes\u202c \u0645\u0631\u0636 \u0627\u0644\u0633\u0643\u0631\u064a "
    "e\u0301czema 👩🏽\u200d⚕️ asthma \u0000 {{7*7}} ${7*7} metformin"
)


def test_hostile_text_is_shown_and_never_run(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([Asked(HOSTILE, [("asthma", "DISEASE", 0.9)])])
    desk.see("asthma")
    assert desk.page.locator("#paper").evaluate("paper => paper.textContent") == HOSTILE
    assert desk.page.locator("#paper img, #paper script").count() == 0
    assert desk.page.title() == "Review desk · Rxtract"
    assert desk.page.locator("[data-name=RLO]").count() == 1
    assert ["asthma", "DISEASE"] in desk.entities
    desk.reach("e\u0301czema")
    desk.press("d")
    desk.reach("metformin")
    desk.press("t", "Enter")
    desk.see_nothing_waits()
    assert words(only_word(rig)) == [
        ("e\u0301czema", "DISEASE"),
        ("asthma", "DISEASE"),
        ("metformin", "TREATMENT"),
    ]


def test_a_note_of_a_megabyte_stays_workable(rig: Rig, desk: DeskPage) -> None:
    text = "😀 start asthma " + "lorem ipsum dolor sit amet, consectetur\n" * 24_000 + " end of metformin"
    rig.ask_for([Asked(text, [("asthma", "DISEASE", 0.9)])])
    desk.see("start asthma")
    began = time.monotonic()
    desk.press("j", "x", "u", "k")
    assert ["asthma", "DISEASE"] in desk.entities
    assert time.monotonic() - began < 20
    desk.press("Enter")
    desk.see_nothing_waits()
    assert words(only_word(rig)) == [("asthma", "DISEASE")]


def test_a_session_that_ends_is_opened_again_without_loss(rig: Rig, chromium) -> None:
    rig.end()
    rig.process = rig.start(DESK_SESSION_S="6")
    rig.ask_for([ONE])
    desk = DeskPage(rig, chromium, "anna")
    desk.see("C/o fever")
    desk.press("j", "x")
    until(lambda: not any(c["name"] == "rxtract_desk" for c in desk.context.cookies()), 15)
    # Decided even where the desk has seen the end of the session first, by saving the draft, and covers the page.
    desk.page.locator("[data-do=accept]").dispatch_event("click")
    dialog = desk.page.get_by_role("dialog", name="Log in again")
    desk.keep_picture("session-ended")
    held: list[Route] = []
    desk.page.route("**/api/login", lambda route: route.continue_() if held else held.append(route))
    dialog.get_by_label("Token").fill("wrong")
    desk.press("Enter")
    desk.wait_until(lambda: held)
    dialog.get_by_label("Token").fill("token-anna")
    held[0].continue_()
    dialog.get_by_text("this token is not known").wait_for()
    desk.press("Enter")
    desk.see_nothing_waits()
    assert ("fever", "DISEASE") not in words(only_word(rig))
    assert desk.errors == []
    desk.close()


def test_a_lead_decides_between_two_opinions(rig: Rig, chromium) -> None:
    rig.end()
    rig.process = rig.start(DESK_DOUBLE_SHARE="1")
    rig.ask_for([ONE])
    anna = DeskPage(rig, chromium, "anna")
    anna.see("C/o fever")
    anna.press("j", "x", "Enter")
    anna.see_saved()
    ben = DeskPage(rig, chromium, "ben")
    ben.see("C/o fever")
    ben.press("Enter")
    ben.see_saved()
    lea = DeskPage(rig, chromium, "lea")
    lea.see("C/o fever")
    assert lea.page.locator(".opinion").count() == 2
    lea.press("1")
    first = lea.entities
    lea.press("2")
    lea.keep_picture("two-opinions")
    assert sorted([len(first), len(lea.entities)]) == [2, 3]
    lea.press("Enter")
    lea.see_nothing_waits()
    said = until(lambda: len(found := rig.said()) == 3 and found, 20)
    last = next(word for word in said if word.outcome is AnnotationOutcome.ADJUDICATED)
    assert len(last.supersedes) == 2
    for page in (anna, ben, lea):
        assert page.errors == []
        page.close()


def test_a_decision_that_is_refused_stays_until_the_person_says_what_becomes_of_it(rig: Rig, desk: DeskPage) -> None:
    notes = rig.ask_for([ONE, ONE, Asked()])
    desk.see("C/o fever")
    desk.hold(3)
    for note_id in notes[:2]:
        rig.redis.set(rig.key("lease", note_id), "v-somebody|else")
    desk.press("j", "x", "Enter", "Enter")
    desk.see("zebra-quartz-canary")
    desk.see_refused(2)
    desk.page.reload()  # they survive the page
    desk.see("zebra-quartz-canary")
    desk.see_refused(2)
    desk.page.get_by_role("button", name="Not taken: 2").click()
    dialog = desk.page.get_by_role("dialog", name="Not taken by the desk")
    reasons = dialog.get_by_text("another person has this note now")
    expect(reasons).to_have_count(2)
    expect(dialog.get_by_text("Decision with 2 entities")).to_have_count(1)
    desk.keep_picture("refused-decisions")
    rig.redis.delete(rig.key("lease", notes[0]))  # the other one left it
    dialog.get_by_role("listitem").filter(has_text=notes[0]).get_by_role("button", name="Apply again").click()
    dialog.get_by_role("listitem").filter(has_text=notes[1]).get_by_role("button", name="Discard").click()
    expect(dialog).to_be_hidden()
    desk.see_saved()
    said = only_word(rig)
    assert said.note_id == notes[0]
    assert ("fever", "DISEASE") not in words(said)
    expect(desk.page.locator("#show-refused")).to_be_hidden()


def test_a_correction_of_a_note_that_was_taken_away_is_kept(rig: Rig, desk: DeskPage) -> None:
    notes = rig.ask_for([ONE])
    desk.see("C/o fever")
    rig.redis.set(rig.key("lease", notes[0]), "v-somebody|else")
    desk.press("j", "x")
    desk.see_notice("taken off the desk")
    desk.see_refused(1)
    desk.page.get_by_role("button", name="Not taken: 1").click()
    expect(desk.page.get_by_text("Unfinished correction with 2 entities")).to_be_visible()


def test_notes_fetched_ahead_stay_this_persons(rig: Rig, chromium) -> None:
    rig.end()
    rig.process = rig.start(DESK_LEASE_S="9")
    notes = rig.ask_for([ONE, ONE])
    desk = DeskPage(rig, chromium, "anna")
    desk.see("C/o fever")
    desk.hold(2)
    ends_at = time.monotonic() + 12
    ben = rig.client("ben")
    desk.wait_until(lambda: ben.get("/api/next").status_code != 204 or time.monotonic() > ends_at)
    assert ben.get("/api/next").status_code == 204
    assert rig.redis.exists(*(rig.key("lease", note_id) for note_id in notes)) == 2
    assert desk.errors == []
    desk.close()


def test_only_time_at_work_counts_and_a_second_word_adds_its_own(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([ONE])
    desk.see("C/o fever")  # else the page would be loaded again before its login is through
    desk.page.clock.install()
    desk.page.reload()
    desk.see("C/o fever")
    desk.page.clock.fast_forward(20_000)
    desk.press("j")
    desk.page.clock.fast_forward(1_200_000)  # tea
    desk.press("Enter")
    desk.see_nothing_waits()
    desk.see_saved()
    first = only_word(rig).seconds_spent
    assert 80 <= first < 140
    desk.press("b")
    desk.see("C/o fever")
    desk.page.clock.fast_forward(30_000)
    desk.press("j", "x", "Enter")
    desk.see_saved()
    last = max(until(lambda: len(found := rig.said()) == 2 and found, 20), key=lambda word: word.sequence)
    assert first + 30 <= last.seconds_spent < first + 90
    figures = rig.client("anna").get("/api/queue").json()
    assert figures["mine"] == {"notes": 1, "last_hour": 1}


def test_whoever_only_looks_takes_nothing_and_sees_no_more_than_he_may(rig: Rig, desk: DeskPage) -> None:
    notes = rig.ask_for([Asked(NOTE, FOUND, Sample.AUDIT)])
    desk.see("C/o fever")
    desk.page.goto(f"{rig.url}/notes/{SOURCE}/{notes[0]}")
    expect(desk.page.get_by_text("it waits for review", exact=False)).to_be_visible()
    expect(desk.page.locator(".paper")).to_contain_text("acute bronchitis")
    assert desk.page.locator("mark").count() == 0
    desk.page.goto(rig.url)
    desk.see("C/o fever")
    desk.press("d", "Enter")
    desk.see_saved()
    desk.page.goto(f"{rig.url}/notes/{SOURCE}/{notes[0]}")
    expect(desk.page.locator("mark")).to_have_count(1)
    desk.page.context.clear_cookies()
    desk.page.goto(f"{rig.url}/notes/{SOURCE}/{notes[0]}")
    desk.page.get_by_label("Token").fill("token-ben")
    desk.press("Enter")
    expect(desk.page.get_by_role("heading", name=f"Note {notes[0]}")).to_be_visible()  # the door leads on
    looks = [line for line in rig.log.read_text().splitlines() if '"action": "look"' in line]
    assert len(looks) == 3
    assert notes[0] not in rig.log.read_text()


def test_a_link_may_bring_the_token_which_does_not_stay_in_the_address(rig: Rig, chromium) -> None:
    page = chromium.new_context().new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{rig.url}/login#token=token-anna")
    expect(page.locator("#state")).to_be_visible(timeout=WAIT_MS)
    assert "token" not in page.url
    page.context.close()
    stranger = chromium.new_context().new_page()
    stranger.goto(f"{rig.url}/login#token=wrong")
    expect(stranger.get_by_role("alert")).to_contain_text("not known", timeout=WAIT_MS)
    assert "wrong" not in stranger.url
    stranger.context.close()
