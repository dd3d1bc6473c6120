"""Dead letters on the control page, on a real broker: listed, opened, mended and sent again, by whom it may be, and logged."""

from __future__ import annotations

import html
import json
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from contracts.apply import apply_schemas, apply_topics
from contracts.reasons import Reason
from contracts.records import AccessAction, NoteAccepted, NoteSubmitted, Seen
from contracts.registry import ConfluentRegistry
from contracts.topics import MODEL_COMMANDS, NOTES_ACCEPTED, NOTES_SUBMITTED, load_topics
from contracts.wire import Serializer
from fastapi.testclient import TestClient
from outcomes.kpis import Assumptions
from runtime.kafka.deadletter import dead_letter
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import InputRecord
from runtime.service.pseudonyms import Pseudonyms
from runtime.service.secret_files import hash_token
from runtime.web.access_log import AccessLog
from runtime.web.people import People
from rxtract.addresses import StackAddresses
from rxtract.reading import TopicReader
from scorekeeper.adapters.letters import Letters
from scorekeeper.domain.board import Board
from scorekeeper.http.app import make_app
from scorekeeper.http.door import Door
from scorekeeper.http.page import Page
from scorekeeper.http.questions import Questions
from scorekeeper.settings import ScorekeeperSettings
from sealing import open_keys, opening_decoders, sealed_again, unseal, writing
from sealing.rotation import initialise

if TYPE_CHECKING:
    from contracts.records import AccessLogged
    from contracts.registry import Registry
    from runtime.kafka.seen import Seen as SeenRecord
    from sealing import PatientKeys

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]
SECRET_TEXT = "c/o fever, tab dolo"
ANNA, LEA = ("any", "t-anna"), ("any", "t-lea")


class Rig:
    """The control page over topics of its own."""

    def __init__(self, stack: Any, prefix: str, folder: Path, keys: PatientKeys | None = None) -> None:
        known = stack.addresses
        self.prefix = prefix
        self._config = {"bootstrap.servers": known.bootstrap_servers}
        apply_topics(self._config, load_topics(), prefix=prefix)
        registry = ConfluentRegistry(known.schema_registry_url)
        apply_schemas(registry, prefix=prefix)
        self.write = Serializer.for_topic(NoteSubmitted, registry, prefix + NOTES_SUBMITTED)
        self.reader = TopicReader(
            StackAddresses(known.bootstrap_servers, known.schema_registry_url, topic_prefix=prefix)
        )
        settings = ScorekeeperSettings.load(
            bootstrap_servers=known.bootstrap_servers, schema_registry_url=known.schema_registry_url,
            topic_prefix=prefix, records_dir=folder / "records",
        )  # fmt: skip
        people = folder / "people"
        people.write_text(f"anna:validator:{hash_token('t-anna')}\nlea:lead:{hash_token('t-lea')}\n")
        self.logged: list[AccessLogged] = []
        self.log_is_away = False
        log = AccessLog("scorekeeper", Pseudonyms(b"k" * 40), self._publish)
        board = Board(ZoneInfo("Asia/Kolkata"), Assumptions())
        page = Page(board, Questions(folder, 5), 5)
        door = Door(People(people, "X"), log)
        app = make_app(page, door, board, threading.Event(), letters=self._letters(settings, registry, keys))
        self.client = TestClient(app, follow_redirects=False)

    @staticmethod
    def _letters(settings: ScorekeeperSettings, registry: Registry, keys: PatientKeys | None) -> Letters:
        decoders = opening_decoders(registry, settings.topic_prefix, keys)
        return Letters(settings, registry, decoders, seal=sealed_again(keys))

    def _publish(self, records: list[AccessLogged]) -> None:
        if self.log_is_away:
            from runtime.errors import Recoverable

            raise Recoverable("nothing is shown that cannot be logged")
        self.logged += records

    def dead(self, value: bytes | None, key: bytes = b"clinic|n1", topic: str = NOTES_SUBMITTED, **more: Any) -> None:
        record = InputRecord(self.prefix + topic, 0, 5, 0, key, value, more.pop("headers", ()))
        letter = dead_letter(record, Reason.EMPTY_TEXT, "ingestor", **more)
        producer = DeliveryProducer(self._config)
        producer.send([letter]).wait(20)
        producer.close(5)

    def note(self, text: str) -> bytes:
        now = int(time.time() * 1000)
        return self.write(NoteSubmitted.from_dict(fields(text, now)))

    def sent(self, topic: str = NOTES_SUBMITTED) -> list[SeenRecord]:
        return list(self.reader.read([self.prefix + topic]))

    def proof(self, place: str = "0/0", topic: str = NOTES_SUBMITTED) -> str:
        page = self.client.get(f"/letters/{topic}/{place}", auth=LEA).text
        (found,) = re.findall(r'name="proof" value="([0-9a-f]+)"', page)
        return found

    def post(
        self,
        how: str,
        auth: tuple[str, str] | None = LEA,
        place: str = "0:0",
        topic: str = NOTES_SUBMITTED,
        **more: str,
    ) -> Any:
        form = {"letter": f"{topic} {place}", "how": how, **more}
        return self.client.post("/letters/replay", data=form, auth=auth)


EXAMPLE = json.loads(
    (Path(__file__).parents[2] / "schemas/examples/notes.submitted.v1/outpatient-shorthand.json").read_text()
)


def fields(text: str, now: int) -> dict[str, Any]:
    return {**EXAMPLE, "note_id": "n1", "source": "clinic", "revision": 1, "text": text, "written_at": now}


@pytest.fixture
def rig(stack: Any, topic_prefix: str, tmp_path: Path) -> Rig:
    return Rig(stack, topic_prefix, tmp_path)


def test_a_lead_opens_mends_and_sends_a_letter_and_all_of_it_is_logged(rig: Rig) -> None:
    rig.dead(rig.note(SECRET_TEXT), source="clinic")
    listed = rig.client.get("/letters", auth=ANNA)
    assert listed.status_code == 200
    assert "clinic|n1" in listed.text
    assert SECRET_TEXT not in listed.text, "a list holds identities alone"
    page = rig.client.get(f"/letters/{NOTES_SUBMITTED}/0/0", auth=LEA)
    assert SECRET_TEXT in page.text
    now = int(time.time() * 1000)
    answer = rig.post("mended", proof=rig.proof(), fields=json.dumps(fields("c/o fever", now)))
    assert answer.status_code == 303
    assert "Sent again" in rig.client.get(answer.headers["location"], auth=LEA).text
    (record,) = rig.sent()
    assert (record.record.text, record.key) == ("c/o fever", b"clinic|n1")
    assert record.header("rxtract.replayed") == f"{rig.prefix}{NOTES_SUBMITTED}.dlq 0:0"
    acts = [(one.person, one.action, one.seen) for one in rig.logged]
    assert acts[0] == ("anna", AccessAction.EXAMPLES, (Seen.IDENTITY,))
    assert acts[1] == ("lea", AccessAction.LOOK, (Seen.IDENTITY, Seen.TEXT))
    assert ("lea", AccessAction.REPLAY, (Seen.IDENTITY,)) in acts


def test_a_letter_goes_back_as_it_was_also_one_that_came_by_http(rig: Rig) -> None:
    whole = rig.note(SECRET_TEXT)
    rig.dead(whole)
    by_http = {name: value for name, value in fields("htn", int(time.time() * 1000)).items() if name != "source"}
    rig.dead(json.dumps(by_http).encode(), source="lab", headers=(("content-type", b"application/json"),))
    for place in ("0:0", "0:1"):
        assert rig.post("as it was", proof=rig.proof(), place=place).status_code == 303
    first, second = sorted(rig.sent(), key=lambda one: one.record.source)
    assert first.value == whole
    assert (second.record.source, second.record.text, second.key) == ("lab", "htn", b"lab|n1")


def test_nobody_else_opens_or_sends_anything(rig: Rig) -> None:
    rig.dead(rig.note(SECRET_TEXT))
    place = f"/letters/{NOTES_SUBMITTED}/0/0"
    assert rig.client.get("/letters").status_code == 401
    for auth, status in ((None, 401), (("any", "wrong"), 401), (ANNA, 403)):
        answer = rig.client.get(place, auth=auth)
        assert (answer.status_code, SECRET_TEXT in answer.text) == (status, False)
        assert rig.post("as it was", auth=auth, proof="x").status_code == status
    assert rig.post("as it was").status_code == 403, "a form of another site has no proof"
    assert rig.post("as it was", proof="0" * 64).status_code == 403
    assert rig.sent() == []
    assert not [one for one in rig.logged if one.action is not AccessAction.EXAMPLES]


def test_what_cannot_be_logged_is_neither_shown_nor_sent(rig: Rig) -> None:
    rig.dead(rig.note(SECRET_TEXT))
    proof = rig.proof()
    rig.log_is_away = True
    for answer in (
        rig.client.get("/letters", auth=LEA),
        rig.client.get(f"/letters/{NOTES_SUBMITTED}/0/0", auth=LEA),
        rig.post("as it was", proof=proof),
    ):
        assert answer.status_code == 503
        assert SECRET_TEXT not in answer.text
    assert rig.sent() == []


@pytest.mark.parametrize(
    ("text", "said"), [("no json", "no JSON"), ("[]", "no JSON object"), ('{"note_id": 7}', "not a NoteSubmitted")]
)
def test_a_slip_in_the_mended_fields_is_told_and_what_was_typed_stays(rig: Rig, text: str, said: str) -> None:
    rig.dead(b"\x00broken <script>")
    shown = rig.client.get(f"/letters/{NOTES_SUBMITTED}/0/0", auth=LEA).text
    assert "no whole record" in shown
    assert "<script>" not in shown
    answer = rig.post("mended", proof=rig.proof(), fields=text)
    assert answer.status_code == 422
    assert said in answer.text
    assert rig.post("as it was", proof=rig.proof()).status_code in {303, 422}
    assert rig.client.get(f"/letters/{NOTES_SUBMITTED}/0/9", auth=LEA).status_code == 404
    assert rig.client.get("/letters/nonsense/0/0", auth=LEA).status_code == 404


def test_an_order_is_shown_and_goes_back_by_command_alone(rig: Rig) -> None:
    rig.dead(b"nonsense", topic=MODEL_COMMANDS)
    page = rig.client.get(f"/letters/{MODEL_COMMANDS}/0/0", auth=LEA).text
    assert f"rxtract dlq replay {MODEL_COMMANDS} 0:0" in page
    assert "Send again as it was" not in page
    form = {
        "letter": f"{MODEL_COMMANDS} 0:0",
        "how": "as it was",
        "proof": re.findall(r'"proof" value="(\w+)"', page)[0],
    }
    assert rig.client.post("/letters/replay", data=form, auth=LEA).status_code == 404
    assert rig.sent(MODEL_COMMANDS) == []


def test_the_newest_are_listed_by_topic_and_reason(rig: Rig) -> None:
    for number in range(3):
        rig.dead(b"x", key=f"clinic|n{number}".encode())
    rig.dead(b"y", topic=MODEL_COMMANDS, key=b"model")
    everything = rig.client.get("/letters", auth=ANNA).text
    assert everything.index("clinic|n2") < everything.index("clinic|n0")
    assert "model.commands.v1.dlq 0:0" in everything
    only = rig.client.get("/letters", params={"topic": NOTES_SUBMITTED}, auth=ANNA).text
    assert "model.commands.v1.dlq 0:0" not in only
    none = rig.client.get("/letters", params={"reason": "TRUNCATED"}, auth=ANNA).text
    assert "There are none" in none
    assert rig.client.get("/letters", params={"topic": "x"}, auth=ANNA).status_code == 404


ACCEPTED = json.loads(
    (Path(__file__).parents[2] / "schemas/examples/notes.accepted.v1/outpatient-shorthand.json").read_text()
)


def test_an_accepted_note_that_was_mended_is_sealed_again(stack: Any, topic_prefix: str, tmp_path: Path) -> None:
    """Behind the ingestor no text lies in clear where sealing is on: a lead's mend is no way round it."""
    initialise(tmp_path / "keys.db", tmp_path / "master.key")
    keys = open_keys(tmp_path / "keys.db", tmp_path / "master.key")
    rig = Rig(stack, topic_prefix, tmp_path, keys)
    registry = ConfluentRegistry(stack.addresses.schema_registry_url)
    write = writing(Serializer.for_topic(NoteAccepted, registry, topic_prefix + NOTES_ACCEPTED), keys)
    sealed = write(NoteAccepted.from_dict({**ACCEPTED, "text": SECRET_TEXT}))
    assert SECRET_TEXT.encode() not in sealed
    rig.dead(sealed, topic=NOTES_ACCEPTED)
    page = rig.client.get(f"/letters/{NOTES_ACCEPTED}/0/0", auth=LEA).text
    (shown,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
    mended = {**json.loads(html.unescape(shown)), "text": "c/o fever and cough, mended"}
    proof = rig.proof(topic=NOTES_ACCEPTED)
    answer = rig.post("mended", topic=NOTES_ACCEPTED, proof=proof, fields=json.dumps(mended))
    assert answer.status_code == 303, answer.text
    (sent,) = rig.sent(NOTES_ACCEPTED)
    assert b"mended" not in sent.value
    unseal(sent.record, keys)
    assert sent.record.text == "c/o fever and cough, mended"
    keys.store.erase(sent.record.patient_ref, 1)
    deadline = time.monotonic() + 10
    while (
        answer := rig.post("mended", topic=NOTES_ACCEPTED, proof=proof, fields=json.dumps(mended))
    ).status_code == 303:
        assert time.monotonic() < deadline, "an erased key is still in use"
    assert (answer.status_code, "was destroyed" in answer.text) == (422, True)
