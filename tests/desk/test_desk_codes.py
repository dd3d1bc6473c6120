"""The code under an entity, corrected in a real browser, accepted by a lead, and taken by the importer."""

from pathlib import Path

import pytest
from desk_page import WAIT_MS, DeskPage
from desk_rig import Asked, Rig
from playwright.sync_api import expect
from terminology import Coder
from terminology.customer import draft_of_csv
from terminology.systems import system_of
from terminology.table import Coding, Draft, NameRow, write

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]
ICD = "http://hl7.org/fhir/sid/icd-10"
FOUND = (("type 2 diabetes", "DISEASE", 0.9), ("metformin", "TREATMENT", 0.8))


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """What is wrong in them: diabetes is a fever."""
    draft = Draft("base", "1", serial=100)
    draft.concepts = [
        Coding(ICD, "R50.9", "Fever, unspecified"),
        Coding(ICD, "E11.9", "Type 2 diabetes mellitus without complications"),
    ]
    draft.names = [NameRow("type 2 diabetes", (0,), 0.9, "list", "DISEASE")]
    folder = tmp_path / "tables"
    folder.mkdir()
    write(draft, folder / "base.table")
    return folder


@pytest.fixture
def rig(stack, tmp_path: Path, tables: Path):
    made = Rig(stack, tmp_path, TERMINOLOGY_DIR=str(tables))
    yield made
    made.remove()


def test_a_code_is_corrected_by_a_validator_and_accepted_by_a_lead(
    rig: Rig, chromium, serious, tables: Path, tmp_path: Path
) -> None:
    rig.ask_for([Asked(found=FOUND)])
    desk = DeskPage(rig, chromium, "anna", bypass_csp=True)
    desk.see("zebra-quartz-canary")
    page = desk.page
    code = page.get_by_role("button", name="Code of type 2 diabetes")
    expect(code).to_have_text("R50.9 Fever, unspecified", timeout=WAIT_MS)
    expect(page.get_by_role("button", name="Code of metformin")).to_have_text("no code")
    code.click()
    dialog = page.locator("#code")
    dialog.get_by_label("Search for the right code").fill("diab mell")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("status")).to_contain_text("1 found", timeout=WAIT_MS)
    assert serious(page) == []
    desk.keep_picture("code-search")
    dialog.get_by_role("button", name="E11.9").click()
    expect(code).to_contain_text("proposed: E11.9", timeout=WAIT_MS)
    assert serious(page) == []
    desk.keep_picture("code-proposed")
    assert desk.errors == []
    desk.close()

    lead = DeskPage(rig, chromium, "lea", bypass_csp=True)
    lead.open()
    lead.page.goto(f"{rig.url}/lead")
    row = lead.page.locator("#code-proposals li")
    expect(row).to_contain_text(
        "type 2 diabetes (disease): E11.9 Type 2 diabetes mellitus without complications, now R50.9 Fever",
        timeout=WAIT_MS,
    )
    assert serious(lead.page) == []
    row.scroll_into_view_if_needed()
    lead.keep_picture("code-lead")
    lead.page.get_by_role("button", name="Accept the code of type 2 diabetes").click()
    expect(lead.page.get_by_role("link", name="icd-10: 1 accepted")).to_be_visible(timeout=WAIT_MS)
    expect(row).to_have_count(0)
    assert lead.errors == []
    lead.close()

    answer = rig.client("lea").get("/api/lead/codes.csv", params={"system": "icd-10"})
    file = tmp_path / "desk.csv"
    file.write_bytes(answer.content)
    write(draft_of_csv(file, system_of("icd-10"), name="desk", version="1", preferred=True), tables / "desk.table")
    assert Coder.open(tables).code("type 2 diabetes", "DISEASE").code == "E11.9"
    # A validator decides nothing and is given no file; a desk that begins anew still knows what was accepted.
    assert rig.client("anna").get("/api/lead/codes.csv", params={"system": "icd-10"}).status_code == 403
    rig.end()
    rig.redis.delete(*rig.redis.keys(f"*{rig.prefix}*"))
    rig.process = rig.start(TERMINOLOGY_DIR=str(tables))
    assert rig.client("lea").get("/api/lead/codes").json()["accepted"] == {"icd-10": 1}
