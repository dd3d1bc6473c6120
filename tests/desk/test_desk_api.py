"""The review desk as a process between real servers: requests in, annotations out, with its servers wiped and itself killed."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from contracts.apply import apply_topics
from contracts.identity import note_key
from contracts.reasons import Reason
from contracts.records import AccessAction, AnnotationOutcome, Origin, Relation, RelationType, Sample, Seen
from contracts.topics import ACCESS_LOGGED, load_topics, prefixed
from desk_rig import SOURCE, TEXT, Asked, Rig, StallingProxy, action_on, decide, next_of, span, until
from review_desk.adapters.store import READY
from runtime.service.pseudonyms import Pseudonyms
from runtime.service.secret_files import hash_token

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


def test_a_correction_becomes_an_event_and_the_note_is_finished(rig: Rig) -> None:
    notes = rig.ask(2)
    anna = rig.client("anna")
    until(lambda: anna.get("/api/queue").json()["waiting"]["open"] == 2, 20)
    task = next_of(anna)
    assert task["note_id"] == notes[0]  # the least sure one first
    assert task["text"] == TEXT
    right = [span("type 2 diabetes", "DISEASE"), span("metformin", "TREATMENT")]
    pairs = [
        {"treatment": {k: right[1][k] for k in ("start", "end")}, "disease": {k: right[0][k] for k in ("start", "end")}}
    ]
    answer = decide(anna, task, right, pairs=pairs)
    assert answer.status_code == 200, answer.text
    again = decide(anna, task, right, pairs=pairs, sequence=1)
    assert again.json() == answer.json()
    event = rig.said()[0]
    assert len(rig.said()) == 1
    assert event.outcome is AnnotationOutcome.CORRECTED
    assert event.origin is Origin.LIVE
    assert [entity.text for entity in event.entities] == ["type 2 diabetes", "metformin"]
    assert (event.changes.kept, event.changes.added) == (1, 1)
    assert event.relations[0].treatment_id == "e2"
    assert event.annotator.startswith("v-")
    assert "anna" not in event.annotator
    assert next_of(anna)["note_id"] == notes[1]
    assert "zebra-quartz-canary" not in rig.log.read_text()
    assert notes[0] not in rig.log.read_text()
    views = [json.loads(line) for line in rig.log.read_text().splitlines() if '"action": "view"' in line]
    assert views


def test_one_id_of_two_sources_is_two_notes(rig: Rig) -> None:
    rig.ask_for([Asked(note_id="rx|1", source="clinic-a"), Asked(note_id="rx|1", source="clinic-b", revision=2)])
    anna = rig.client("anna")
    first = next_of(anna)
    second = anna.get("/api/next", params={"holding": ["clinic-a|rx|1"]}).json()
    assert [(one["source"], one["note_id"], one["revision"]) for one in (first, second)] == [
        ("clinic-a", "rx|1", 1), ("clinic-b", "rx|1", 2),
    ]  # fmt: skip
    held = [{key: one[key] for key in ("source", "note_id", "revision", "lease")} for one in (first, second)]
    assert anna.post("/api/keep", json={"notes": held}).json() == {"lost": []}
    assert rig.client("ben").post("/api/keep", json={"notes": held}).json() == {
        "lost": ["clinic-a|rx|1", "clinic-b|rx|1"]
    }
    assert decide(anna, first, []).status_code == 200
    assert rig.client("ben").get("/api/next").status_code == 204  # the other one is hers
    assert decide(anna, second, []).status_code == 200
    said = {(event.source, event.note_id, event.revision): event for event in rig.said()}
    assert set(said) == {("clinic-a", "rx|1", 1), ("clinic-b", "rx|1", 2)}
    assert len({event.annotation_id for event in said.values()}) == 2


def test_a_word_names_the_rules_that_it_judged_and_what_was_related(rig: Rig) -> None:
    found = (("type 2 diabetes", "DISEASE", 0.7), ("metformin", "TREATMENT", 0.8))
    relations = (Relation(type=RelationType.TREATS, treatment_id="e2", disease_id="e1", confidence=0.6),)
    rig.ask_for([Asked(found=found, relations=relations)])
    anna = rig.client("anna")
    task = next_of(anna)
    (pair,) = task["pairs"]
    assert decide(anna, task, [span(words, label) for words, label, _ in found], pairs=[pair]).status_code == 200
    (event,) = rig.said()
    assert (event.rules_version, event.rules_serial) == ("rules-3", 3)
    assert event.predicted_relations == event.relations == relations
    assert event.outcome is AnnotationOutcome.ACCEPTED


def test_a_note_whose_text_is_sealed_is_passed_over_and_counted(rig: Rig) -> None:
    (sealed, readable) = rig.ask_for([Asked(found=(), sealed=b"sealed"), Asked()])
    anna = rig.client("anna")
    assert next_of(anna)["note_id"] == readable
    holding = {"holding": [note_key(SOURCE, readable)]}
    assert anna.get("/api/next", params=holding).status_code == 204
    looked = anna.get("/notes", params={"source": SOURCE, "note_id": sealed})
    assert looked.status_code == 404
    port = (rig.folder / "health.port").read_text().strip()
    assert "rxtract_desk_sealed_requests_total 1.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    rig.ask_for([Asked(note_id=readable, revision=2, found=(), sealed=b"sealed")])
    until(lambda: anna.get("/api/next").status_code == 204, 20)  # the revision that could be read asks no more


def test_each_note_shown_is_on_the_access_topic_whatever_the_log_level(rig: Rig) -> None:
    rig.end()
    rig.process = rig.start(LOG_LEVEL="ERROR")
    notes = rig.ask(2)
    anna, lea = rig.client("anna"), rig.client("lea")
    task = next_of(anna)
    assert lea.get("/notes", params={"source": SOURCE, "note_id": notes[1]}).status_code == 200
    first, second = sorted(rig.shown(), key=lambda one: one.at)
    assert (first.person, first.role, first.action) == ("anna", "validator", AccessAction.REVIEW)
    assert (second.person, second.role, second.action) == ("lea", "lead", AccessAction.LOOK)
    assert Seen.TEXT in first.seen
    assert Seen.TEXT in second.seen
    named = Pseudonyms(b"k" * 40)
    assert [one.note_ref for one in (first, second)] == [
        named.of("note", note_key(SOURCE, one)) for one in (task["note_id"], notes[1])
    ]
    assert '"event": "access"' not in rig.log.read_text()


def test_without_the_access_log_nothing_is_shown_in_time_and_the_same_note_afterwards(rig: Rig) -> None:
    topic = prefixed(rig.prefix, ACCESS_LOGGED)
    admin = AdminClient({"bootstrap.servers": rig.servers})
    rig.ask(1)
    anna = rig.client("anna")
    admin.delete_topics([topic])[topic].result(30)
    until(lambda: topic not in admin.list_topics(timeout=10).topics, 20)
    began_s = time.monotonic()
    answer = anna.get("/api/next", timeout=30)
    assert answer.status_code == 503
    assert "access log" in answer.json()["error"]
    assert TEXT not in answer.text
    assert time.monotonic() - began_s < 15
    apply_topics({"bootstrap.servers": rig.servers}, [load_topics()[ACCESS_LOGGED]], rig.prefix)
    assert next_of(anna, 60)["text"] == TEXT
    assert [one.person for one in rig.shown()] == ["anna"]


ODD_IDS = ("RX/2026/1", "a|b/c|d", "..", "a/../b//", "50%2F/%", "x?y=1#2", "n/1/skip", "a b+c:é")
"""The ingestor takes any id without control characters."""


def test_a_note_is_reviewed_whatever_its_id(rig: Rig) -> None:
    rig.ask_for([Asked(note_id=note_id) for note_id in ODD_IDS])
    anna, seen = rig.client("anna"), []
    for _ in ODD_IDS:
        task = next_of(anna)
        where = (task["note_id"], task["revision"])
        seen.append(task["note_id"])
        looked = anna.get("/notes", params={"source": task["source"], "note_id": task["note_id"]})
        assert (looked.status_code, "zebra-quartz-canary" in looked.text) == (200, True), where
        draft = {"lease": task["lease"], "entities": [], "pairs": []}
        assert anna.put(action_on(*where, "draft"), json=draft).status_code == 200, where
        assert anna.post(action_on(*where, "skip"), json={"lease": task["lease"]}).status_code == 200, where
        again = anna.post(action_on(*where, "again"), json={})
        assert again.status_code == 200, where
        assert decide(anna, {**task, **again.json()}, [], sequence=2).status_code == 200, where
    assert sorted(seen) == sorted(ODD_IDS)
    assert sorted({event.note_id for event in rig.said()}) == sorted(ODD_IDS)
    plain = anna.post(f"/api/tasks/{SOURCE}/RX/2026/1/1/again", json={})  # a client that does not quote
    assert plain.json()["sequence"] == 3
    assert anna.get(f"/notes/{SOURCE}/RX/2026/1").status_code == 200
    nowhere = anna.post(f"/api/tasks/{SOURCE}/RX/nothing", json={})
    assert (nowhere.status_code, nowhere.json()) == (404, {"error": "Not Found"})


def too_much_for_one_record() -> Asked:
    """A legal request whose entities, said once more, do not fit into a record."""
    names = [f"type 2 diabetes mellitus {number:04}" for number in range(2_500)]
    text = "; ".join(names)
    return Asked(text + " x" * ((870_000 - len(text)) // 2), [(name, "DISEASE", 0.9) for name in names])


def test_a_decision_that_fits_no_record_is_refused_and_blocks_nobody(rig: Rig) -> None:
    rig.ask_for([too_much_for_one_record(), Asked()])
    anna = rig.client("anna")
    task = next_of(anna)
    marks = [{key: one[key] for key in ("start", "end", "label")} for one in task["entities"]]
    assert len(marks) == 2_500
    refused = decide(anna, task, marks)
    assert refused.status_code == 413
    assert "mark fewer" in refused.json()["error"]
    other = anna.get("/api/next", params={"holding": [note_key(task["source"], task["note_id"])]}).json()
    assert decide(anna, other, []).status_code == 200
    flagged = anna.post(action_on(task["note_id"], 1, "unreadable"), json={"lease": task["lease"]})
    assert flagged.status_code == 200, flagged.text
    assert len(rig.said()) == 2


def test_a_wiped_redis_is_rebuilt_and_finished_notes_stay_finished(rig: Rig) -> None:
    notes = rig.ask(3)
    anna = rig.client("anna")
    until(lambda: anna.get("/api/queue").json()["waiting"]["open"] == 3, 20)
    first = next_of(anna)
    assert decide(anna, first, []).status_code == 200
    second = next_of(anna)
    rig.wipe()
    answer = until(lambda: (r := decide(anna, second, [])).status_code != 503 and r, 30)
    assert answer.status_code == 200, answer.text
    assert next_of(anna)["note_id"] == notes[2]
    assert {event.note_id for event in rig.said()} == set(notes[:2])


def test_a_desk_killed_before_a_correction_takes_it_after_its_restart(rig: Rig) -> None:
    notes = rig.ask(1)
    task = next_of(rig.client("anna"))
    rig.process.send_signal(signal.SIGKILL)
    rig.process.wait(10)
    with pytest.raises(httpx.HTTPError):
        decide(rig.client("anna"), task, [])
    rig.process = rig.start()
    answer = until(lambda: (r := decide(rig.client("anna"), task, [])).status_code != 503 and r, 30)
    assert answer.status_code == 200, answer.text
    assert [event.note_id for event in rig.said()] == notes


def test_an_audit_note_is_blind_and_cannot_be_skipped_away(rig: Rig) -> None:
    notes = rig.ask(1, Sample.AUDIT)
    anna, ben = rig.client("anna"), rig.client("ben")
    task = next_of(anna)
    assert task["entities"] == []
    assert task["note_confidence"] is None
    skipped = anna.post(f"/api/tasks/{SOURCE}/{notes[0]}/1/skip", json={"lease": task["lease"]})
    assert skipped.status_code == 200
    assert anna.get("/api/next").status_code == 204
    assert next_of(ben)["note_id"] == notes[0]


def test_ten_people_never_hold_one_note(rig: Rig) -> None:
    notes = rig.ask(100)
    anna = rig.client("anna")
    until(lambda: anna.get("/api/queue").json()["waiting"]["open"] == 100, 20)

    def work(name: str) -> list[str]:
        client, seen = rig.client(name), []
        while (found := client.get("/api/next")).status_code == 200:
            task = found.json()
            assert decide(client, task, []).status_code == 200
            seen.append(task["note_id"])
        return seen

    with ThreadPoolExecutor(10) as pool:
        seen = [note for mine in pool.map(work, ["anna", "ben", *(f"v{n}" for n in range(8))]) for note in mine]
    assert sorted(seen) == sorted(notes)
    assert sorted(event.note_id for event in rig.said()) == sorted(notes)


def test_one_may_change_a_word_but_not_say_two_at_once(rig: Rig) -> None:
    notes = rig.ask(1)
    anna = rig.client("anna")
    task = next_of(anna)
    right = [span("type 2 diabetes", "DISEASE")]
    assert decide(anna, task, right).status_code == 200
    twice = decide(anna, task, [])  # another tab, another word
    assert twice.status_code == 409
    assert "already" in twice.json()["error"]
    assert rig.client("ben").post(f"/api/tasks/{SOURCE}/{notes[0]}/1/again", json={}).status_code == 409
    again = anna.post(f"/api/tasks/{SOURCE}/{notes[0]}/1/again", json={}).json()
    assert again["sequence"] == 2
    assert decide(anna, {**task, **again}, [], sequence=2).status_code == 200
    assert [(word.sequence, len(word.entities)) for word in rig.said()] == [(1, 1), (2, 0)]


def test_nobody_gets_further_than_his_role_and_session(rig: Rig) -> None:
    rig.end()
    rig.process = rig.start(
        DESK_PROXY_USER_HEADER="X-Forwarded-User", DESK_PROXY_SECRET_HASH=hash_token("proxy-secret")
    )
    notes = rig.ask(1)
    task = next_of(rig.client("anna"))
    path = f"/api/tasks/{SOURCE}/{notes[0]}/1/skip"
    with httpx.Client(base_url=rig.url, timeout=20) as browser:
        assert browser.get("/api/queue").status_code == 401
        assert browser.get("/", follow_redirects=False).headers["location"] == "/login"
        assert browser.post("/api/login", json={"token": "token-nobody"}).status_code == 401
        csrf = browser.post("/api/login", json={"token": "token-anna"}).json()["csrf"]
        body = {"lease": task["lease"]}
        assert browser.post(path, json=body).status_code == 403  # what another site could make a browser send
        assert browser.post(path, json=body, headers={"X-CSRF-Token": "0" * 64}).status_code == 403
        assert browser.post(path, content=b"x" * 1_100_000, headers={"X-CSRF-Token": csrf}).status_code == 413
        cookie = browser.cookies["rxtract_desk"]
        assert "HttpOnly" in browser.post("/api/login", json={"token": "token-anna"}).headers["set-cookie"]
    for forged in (cookie[:-1] + "0", "x." + cookie.partition(".")[2], "", "."):
        answer = httpx.get(f"{rig.url}/api/queue", cookies={"rxtract_desk": forged})
        assert answer.status_code == 401
    named = {"X-Forwarded-User": "lea", "X-Forwarded-Groups": "rxtract-lead"}
    assert httpx.get(f"{rig.url}/api/session", headers=named).status_code == 401  # anybody can send a header
    proven = named | {"X-Rxtract-Proxy-Secret": "proxy-secret"}
    session = httpx.get(f"{rig.url}/api/session", headers=proven).json()
    assert (session["name"], session["role"]) == ("lea", "lead")
    lone = httpx.post(f"{rig.url}{path}", json={"lease": "x"}, headers=proven)
    assert lone.status_code == 403  # the proxy's user needs the page's token as well


def test_a_validator_cannot_decide_for_a_lead(rig: Rig) -> None:
    rig.end()
    rig.process = rig.start(DESK_DOUBLE_SHARE="1")
    rig.ask(1)
    for name, found in (("anna", []), ("ben", [span("diabetes", "DISEASE")])):
        client = rig.client(name)
        assert decide(client, next_of(client), found).status_code == 200
    chosen = next_of(rig.client("lea"))
    v0 = rig.client("v0")
    assert v0.get("/api/next").status_code == 204
    assert decide(v0, chosen, []).status_code == 409
    assert decide(rig.client("lea"), chosen, []).status_code == 200


def test_a_request_that_nobody_can_read_is_dead_lettered_once(rig: Rig) -> None:
    producer = Producer({"bootstrap.servers": rig.servers})
    producer.produce(rig.requests, b"\x00\x00\x00\x00\x01rubbish", b"note-x", 3, headers=[("trace", b"t-1")])
    assert producer.flush(20) == 0
    notes = rig.ask(1)
    assert next_of(rig.client("anna"))["note_id"] == notes[0]
    dead = until(rig.dead, 20)
    assert [(one.key(), one.value()) for one in dead] == [(b"note-x", b"\x00\x00\x00\x00\x01rubbish")]
    headers = dict(dead[0].headers())
    assert headers["trace"] == b"t-1"
    assert headers["rxtract.stage"] == b"review-desk"
    assert headers["rxtract.reason"].decode() in Reason.__members__
    rig.end()
    rig.redis.delete(f"{rig.prefix}rxtract:desk:{READY}")  # the next one reads all of it again
    rig.process = rig.start()
    assert rig.client("anna").get("/api/queue").json()["waiting"]["open"] == 1
    assert len(rig.dead()) == 1


def test_a_desk_killed_between_the_event_and_its_mark_neither_loses_nor_repeats_it(rig: Rig) -> None:
    rig.end()
    with StallingProxy(rig.stack.addresses.redis_url, rb"HSET\r\n\$\d+\r\n[^\r]*desk:verdicts:") as proxy:
        rig.process = rig.start(REDIS_URL=proxy.url)
        notes = rig.ask(2)
        task = next_of(rig.client("anna"))
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(decide, rig.client("anna"), task, [], sequence=1)
            said = until(rig.said, 20)  # Kafka has the word
            until(proxy.stalled.is_set, 20)  # and Redis was about to be told
            rig.process.send_signal(signal.SIGKILL)
            rig.process.wait(10)
            with pytest.raises(httpx.HTTPError):
                answer.result(20)
    verdicts = rig.key("verdicts", task["note_id"])
    assert not rig.redis.exists(verdicts)
    rig.process = rig.start()
    anna = rig.client("anna")
    again = decide(anna, task, [], sequence=1)  # what the page does: it got no answer
    assert again.status_code == 200, again.text
    assert again.json()["annotation_id"] == said[0].annotation_id
    assert next_of(anna)["note_id"] == notes[1]
    assert rig.client("ben").get("/api/next").status_code == 204
    assert len(rig.said()) == 1
