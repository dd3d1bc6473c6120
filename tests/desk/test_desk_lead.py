"""The page of leads: guideline, people, reservations, files of labels."""

import json

import pytest
from clinical_ner.guideline import SHIPPED_VERSION, edited
from contracts.records import AccessAction
from corpus.loaders import read
from desk_page import WAIT_MS, DeskPage
from desk_rig import Asked, Rig, decide, next_of, span, until
from playwright.sync_api import expect
from runtime.service.secret_files import hash_token

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.fixture
def lead(rig: Rig, chromium, request):
    page = DeskPage(rig, chromium, "lea")
    page.open()
    page.page.goto(f"{rig.url}/lead")
    yield page
    page.keep_picture(request.node.name.removeprefix("test_")[:60])
    page.close()
    assert page.errors == []


def test_a_lead_edits_the_guideline_adds_people_and_reserves_notes(rig: Rig, lead: DeskPage, serious) -> None:
    page, version = lead.page, edited(SHIPPED_VERSION)
    expect(page.locator("#people tbody tr")).to_have_count(11, timeout=WAIT_MS)
    text = page.locator("#edit textarea")
    page.wait_for_function("() => document.querySelector('#edit textarea').value.length > 100")
    text.fill(text.input_value() + "\n## Ours\n\n+ [Dengue] season\n")
    page.get_by_role("button", name="Save as the next version").click()
    expect(page.locator("[data-versions]")).to_contain_text(f"Now: {version}", timeout=WAIT_MS)
    page.locator("#add [name=name]").fill("nina")
    page.get_by_role("button", name="Add and make a token").click()
    expect(page.locator("#token")).to_be_visible(timeout=WAIT_MS)
    token = page.locator("#token code").text_content()
    assert hash_token(str(token)) in (rig.folder / "tokens").read_text()
    expect(page.locator("#people tbody th").filter(has_text="nina")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#reserve option[value=nina]")).to_have_count(1)
    page.locator("#reserve [name=city]").fill("Pune")
    page.locator("#reserve [name=people]").select_option("ben")
    page.get_by_role("button", name="Reserve", exact=True).click()
    expect(page.locator("#reservations li")).to_contain_text("Pune: ben", timeout=WAIT_MS)
    assert serious(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(page) == []
    rig.ask_for([Asked()])
    with rig.client("anna") as anna, rig.client("ben") as ben:
        assert anna.get("/api/next").status_code == 204
        assert anna.get("/api/waiting").json() == {"reserved": 1, "more": 0}
        task = next_of(ben)
        decide(ben, task, [])
        [said] = until(rig.said, 20)
        assert said.guideline_version == version
        body = {"text": "other", "based_on": SHIPPED_VERSION}
        assert anna.post("/api/lead/guideline", json=body).status_code == 403
        with rig.client("lea") as lea:
            assert lea.post("/api/lead/guideline", json=body).status_code == 409
            rig.wipe()  # all of it is on the topic
            until(lambda: anna.get("/api/guideline").json()["version"] == version, 60)
            until(lambda: lea.get("/api/lead/reservations").json()["reservations"], 60)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.get_by_role("button", name="Remove nina").click()
    expect(page.locator("#state")).to_contain_text("nina has no token", timeout=WAIT_MS)
    assert "nina" not in (rig.folder / "tokens").read_text()
    with rig.client("lea") as lea:
        assert lea.delete("/api/lead/people/lea").status_code == 409


def test_labels_leave_in_four_forms_that_our_own_readers_take(rig: Rig, tmp_path) -> None:
    rig.ask_for([Asked(), Asked()])
    with rig.client("anna") as anna, rig.client("lea") as lea:
        for _ in range(2):
            decide(anna, next_of(anna), [span("metformin", "TREATMENT"), span("type 2 diabetes", "DISEASE")])
        until(lambda: len(rig.said()) == 2, 20)
        assert anna.get("/api/lead/labels", params={"form": "jsonl"}).status_code == 403
        for form, name in (
            ("jsonl", "a.jsonl"),
            ("conll", "a.conll"),
            ("spacy", "a.spacy"),
            ("label-studio", "a.json"),
        ):
            answer = lea.get("/api/lead/labels", params={"form": form})
            assert (answer.status_code, answer.headers["X-Rxtract-Notes"]) == (200, "2"), answer.text
            (tmp_path / name).write_bytes(answer.content)
            notes = list(read(tmp_path / name).notes())
            marked = [sorted((note.text[s.start : s.end], str(s.label)) for s in note.spans) for note in notes]
            assert marked == [[("metformin", "TREATMENT"), ("type 2 diabetes", "DISEASE")]] * 2, form
        first = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])
        assert first["meta"]["guideline"] == SHIPPED_VERSION
        assert lea.get("/api/lead/labels", params={"form": "xml"}).status_code == 404
    assert sum(one.action is AccessAction.EXPORT for one in rig.shown()) >= 8
