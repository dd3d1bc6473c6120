"""The review desk as a process between real servers: requests in, annotations out, with its servers wiped and itself killed."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from contracts.records import AnnotationOutcome, Sample
from desk_rig import TEXT, Rig, decide, next_of, span, until

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
    assert [entity.text for entity in event.entities] == ["type 2 diabetes", "metformin"]
    assert (event.changes.kept, event.changes.added) == (1, 1)
    assert event.treatment_pairs[0].treatment_id == "e2"
    assert event.annotator.startswith("v-")
    assert "anna" not in event.annotator
    assert next_of(anna)["note_id"] == notes[1]
    assert "zebra-quartz-canary" not in rig.log.read_text()
    assert notes[0] not in rig.log.read_text()
    views = [json.loads(line) for line in rig.log.read_text().splitlines() if '"action": "view"' in line]
    assert views


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
    skipped = anna.post(f"/api/tasks/{notes[0]}/1/skip", json={"lease": task["lease"]})
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
