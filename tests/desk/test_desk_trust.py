"""Hidden checks and held labels at a desk between real servers: who does not read is found, and a lead decides."""

import pytest
from confluent_kafka import Consumer, TopicPartition
from contracts.records import AccessAction, AnnotationValidated, AnnotatorJudged, TrustDoubt, TrustState
from contracts.registry import ConfluentRegistry
from contracts.topics import ANNOTATORS_JUDGED, prefixed
from contracts.wire import Deserializer
from desk_page import WAIT_MS, DeskPage
from desk_rig import Rig, decide, next_of, span, until
from playwright.sync_api import expect

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

NOTES = 14


@pytest.fixture
def checking(stack, tmp_path):
    rig = Rig(stack, tmp_path, DESK_CHECK_SHARE="0.5", DESK_DOUBLE_SHARE="1")
    yield rig
    rig.remove()


def records(rig: Rig, topic: str, decode) -> list:
    """All of a topic."""
    consumer = Consumer({"bootstrap.servers": rig.servers, "group.id": "t", "enable.auto.commit": False})
    numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    ends = {one: consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=10)[1] for one in numbers}
    consumer.assign([TopicPartition(topic, one, 0) for one in numbers])
    found = []
    until(
        lambda: (message := consumer.poll(1)) is None or found.append(message) or len(found) >= sum(ends.values()), 30
    )
    consumer.close()
    return [decode(message.value()) for message in found if message.error() is None]


def judged(rig: Rig) -> list[AnnotatorJudged]:
    topic = prefixed(rig.prefix, ANNOTATORS_JUDGED)
    registry = ConfluentRegistry(rig.stack.addresses.schema_registry_url)
    return records(rig, topic, Deserializer.for_topic(AnnotatorJudged, registry, topic))


def held_people(lead) -> list[dict]:
    return [one for one in lead.get("/api/trust").json()["people"] if one["held"]]


@pytest.fixture
def watching(stack, tmp_path):
    rig = Rig(stack, tmp_path, DESK_WATCH="true")
    yield rig
    rig.remove()


def test_labels_of_who_does_not_read_are_held_until_a_lead_looks(watching: Rig) -> None:
    rig = watching
    rig.ask(NOTES)
    stamp, ben, lead = rig.client("anna"), rig.client("ben"), rig.client("lea")
    for _ in range(NOTES):
        assert decide(stamp, next_of(stamp), [span("metformin", "TREATMENT")], seconds_spent=0.1).status_code == 200
    (held,) = until(lambda: held_people(lead), 30)
    assert (held["state"], held["doubt"]) == ("HELD", "TOO_FAST")
    assert held["decisions"] <= NOTES
    until(lambda: ben.get("/api/queue").json()["waiting"]["open"] == NOTES, 30)  # nobody's labels settle them any more
    assert ben.get("/api/trust").status_code == 403
    assert ben.post(f"/api/trust/{held['annotator']}", json={"state": "CLEARED"}).status_code == 403
    event = judged(rig)[0]
    assert (event.state, event.doubt, event.judged_by) == (TrustState.HELD, TrustDoubt.TOO_FAST, "")

    assert lead.post(f"/api/trust/{held['annotator']}", json={"state": "CLEARED"}).status_code == 200
    until(lambda: ben.get("/api/queue").json()["waiting"]["open"] == 0, 30)
    assert held_people(lead) == []
    assert lead.post(f"/api/trust/{held['annotator']}", json={"state": "CLEARED"}).status_code == 409
    assert any(one.state is TrustState.CLEARED and one.judged_by for one in judged(rig))


def test_a_hidden_check_cannot_be_told_from_any_other_note(checking: Rig) -> None:
    rig = checking
    (known,) = rig.ask(1)
    right = [span("type 2 diabetes", "DISEASE"), span("metformin", "TREATMENT")]
    for name in ("anna", "ben"):  # two people agree: the answer is sure
        assert decide(rig.client(name), next_of(rig.client(name)), right).status_code == 200
    until(lambda: sum(rig.client("lea").get("/api/queue").json()["waiting"].values()) == 0, 30)
    person = rig.client("v0")
    assert person.get("/api/next").status_code == 204  # none where nothing else waits
    rig.ask(30)
    seen = []
    check = None
    while check is None and len(seen) < 25:
        task = next_of(person)
        check = task if task["note_id"] == known else None
        seen += [] if check else [task]
        if check is None:
            assert decide(person, task, right).status_code == 200
    assert check is not None
    other = next_of(rig.client("anna"))  # who answered the known note is never checked by it
    assert set(check) == set(other)
    assert {name: check[name] for name in ("why", "queue", "entities") if name in check} == {
        name: other[name] for name in ("why", "queue", "entities") if name in check
    }
    again = next_of(person)  # a page that is loaded anew gets it back
    assert again["note_id"] == known
    looked = person.get("/notes", params={"source": check["source"], "note_id": known})
    assert "<mark" not in looked.text  # as of any note that waits: nothing of anybody is shown
    assert "left it" not in looked.text
    answer = decide(person, again, [span("metformin", "TREATMENT")])
    assert answer.status_code == 200
    changed = person.post(f"/api/tasks/{check['source']}/{known}/1/again", json={})
    assert changed.status_code == 200
    said = [one for one in records(rig, rig.annotations, rig.decode) if isinstance(one, AnnotationValidated)]
    assert [one.note_id for one in said if one.hidden_check] == [known]
    assert rig.client("lea").get("/api/queue").json()["waiting"]["lead"] == 0  # it disputes nothing


def test_a_lead_sees_who_is_held_and_why_looks_at_the_labels_and_releases_them(
    watching: Rig, chromium, serious
) -> None:
    """The person is told that a lead looks, and nothing of why."""
    rig = watching
    rig.ask(NOTES)
    with rig.client("anna") as stamp, rig.client("ben") as ben, rig.client("lea") as lead:
        given = [next_of(stamp)]
        while len(given) < NOTES:
            decide(stamp, given[-1], [span("type 2", "DISEASE")], seconds_spent=0.1)
            given.append(next_of(stamp))
        (held,) = until(lambda: held_people(lead), 30)
        until(lambda: ben.get("/api/queue").json()["waiting"]["open"] == NOTES, 30)
        assert (held["name"], held["own"], held["labels"]) == ("anna", False, NOTES - 1)
        newest = held["notes"][0]["note_id"]
        looked = {"source": held["notes"][0]["source"], "note_id": newest, "of": held["annotator"]}
        assert "<mark" not in ben.get("/notes", params=looked).text  # who may still be asked stays free of it
        assert ben.get("/api/trust/mine").json() == {"since": None, "labels": 0}

        anna, lea = DeskPage(rig, chromium, "anna"), DeskPage(rig, chromium, "lea")
        told = anna.page.locator("#waits")
        expect(told).to_contain_text(f"({NOTES - 1}) before they count", timeout=WAIT_MS)
        assert not set("fast never change same check fail doubt test".split()) & set(told.inner_text().lower().split())
        assert serious(anna.page) == []
        anna.keep_picture("held-person")

        lea.open()
        page = lea.page
        page.goto(f"{rig.url}/lead")
        row = page.locator("#held tbody tr")
        expect(row).to_contain_text("anna", timeout=WAIT_MS)
        expect(row).to_contain_text("decides faster than anybody reads")
        expect(row.locator("td").nth(2)).to_have_text(str(NOTES - 1))
        assert serious(page) == []
        lea.keep_picture("held-lead")
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        with page.context.expect_page() as opened:
            row.get_by_role("link", name=newest).click()
        note = opened.value
        expect(note.locator("mark.disease")).to_have_text("type 2", timeout=WAIT_MS)  # as that person left it
        note.close()
        page.get_by_role("button", name="Count them: labels of anna").press("Enter")
        expect(page.locator("#state")).to_have_text(f"{NOTES - 1} labels of anna are counted.", timeout=WAIT_MS)
        expect(page.locator("#held [data-none]")).to_be_visible(timeout=WAIT_MS)
        expect(page.locator("#held ul")).to_contain_text("anna: counted")
        until(lambda: ben.get("/api/queue").json()["waiting"]["open"] == 1, 30)
        assert any(one.state is TrustState.CLEARED for one in judged(rig))
        anna.page.reload()
        expect(anna.page.locator("header .who")).to_be_visible(timeout=WAIT_MS)
        expect(told).to_be_hidden()
        for one in (anna, lea):
            one.close()
            assert one.errors == []
    assert any(one.action is AccessAction.LOOK for one in rig.shown())
