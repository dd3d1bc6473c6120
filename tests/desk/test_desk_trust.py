"""Hidden checks and held labels at a desk between real servers: who does not read is found, and a lead decides."""

import pytest
from confluent_kafka import Consumer, TopicPartition
from contracts.records import AnnotationValidated, AnnotatorJudged, TrustDoubt, TrustState
from contracts.registry import ConfluentRegistry
from contracts.topics import ANNOTATORS_JUDGED, prefixed
from contracts.wire import Deserializer
from desk_rig import Rig, decide, next_of, span, until

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
