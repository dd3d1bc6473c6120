"""Endpoints, signatures, bodies and verdicts."""

import base64
import json
import re
from pathlib import Path

import pytest
from contracts.reasons import Reason
from contracts.records import (
    Assertion,
    AssertionStatus,
    AssertionTime,
    DeliveryKind,
    EntitiesExtracted,
    Entity,
    EntityLabel,
    Experiencer,
    ModelRef,
    Origin,
    Relation,
    RelationType,
    Review,
    Segment,
)
from notifier.domain.endpoints import EndpointError, read_endpoints
from notifier.domain.messages import of_event, of_letter, of_replay
from notifier.domain.signing import headers
from notifier.domain.verdicts import MOST_CREDIT, Patience, Result, answer_of
from runtime.kafka.deadletter import dead_letter
from runtime.kafka.records import InputRecord

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "webhooks.md"
NOW_MS = 1_790_000_000_000
OLD, NEW = b"o" * 32, b"n" * 32


def whsec(secret: bytes) -> str:
    return f"whsec_{base64.b64encode(secret).decode()}"


def entry(**more: object) -> dict[str, object]:
    return {"url": "https://clinic.example.org/hook", "secrets": [whsec(NEW)], **more}


def event(note_id: str = "n|1", source: str = "clinic", origin: Origin = Origin.LIVE) -> EntitiesExtracted:
    told = Assertion(
        status=AssertionStatus.PRESENT,
        time=AssertionTime.CURRENT,
        experiencer=Experiencer.PATIENT,
        cue_start=-1,
        cue_end=-1,
    )

    def mark(name: str, label: EntityLabel, text: str) -> Entity:
        return Entity(entity_id=name, label=label, text=text, start=0, end=3, confidence=0.9, assertion=told)

    return EntitiesExtracted(
        event_id=f"e-{note_id}", source=source, note_id=note_id, revision=2, origin=origin, rules_version="r", rules_serial=1,
        patient_ref="pseudonym", model=ModelRef(name="m", version="1", serial=1), segment=Segment(city="Pune", specialty="x"),
        written_at=NOW_MS, accepted_at=NOW_MS, extracted_at=NOW_MS, note_confidence=0.9,
        entities=(mark("e1", EntityLabel.DISEASE, "flü"), mark("e2", EntityLabel.TREATMENT, "paracetamol")),
        relations=(Relation(type=RelationType.TREATS, treatment_id="e2", disease_id="e1", confidence=0.8),),
        review=Review(requested=False),
    )  # fmt: skip


def record(
    topic: str = "entities.extracted.v1", key: bytes = b"clinic|n|1", offset: int = 5, headers=()
) -> InputRecord:
    return InputRecord(topic, 0, offset, NOW_MS, key, b"", headers)


# -- the file


def test_endpoints_are_read_by_source():
    found = read_endpoints(
        json.dumps({"clinic": entry(secrets=[whsec(NEW), whsec(OLD)], since="2026-12-01T00:00:00Z", origins=["LIVE"])})
    )
    (one,) = found.values()
    assert (one.secrets, one.since_ms, one.origins) == ((NEW, OLD), 1_796_083_200_000, {Origin.LIVE})
    assert "hook" not in repr(one)
    assert NEW.decode() not in repr(one)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/x", "http://localhost/x", "http://[::1]:9/x", "https://a.example:8443/"]
)
def test_http_is_for_this_machine_alone(url):
    assert read_endpoints(json.dumps({"clinic": entry(url=url)}))["clinic"].url == url


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (entry(url="http://clinic.example.org/"), "give https"),
        (entry(url="http://127.0.0.1.example.org/"), "give https"),
        (entry(url="http://169.254.169.254/latest"), "give https"),
        (entry(url="https://user:word@clinic.example.org/"), "login"),
        (entry(url="file:///etc/passwd"), "no address"),
        (entry(url="https://"), "no address"),
        (entry(url="https://a:99999/"), "no address"),
        (entry(url=7), "no address"),
        (entry(secrets=[]), "1 to 3"),
        (entry(secrets="whsec_x"), "1 to 3"),
        (entry(secrets=["plain"]), "does not begin with whsec_"),
        (entry(secrets=["whsec_!"]), "no base64"),
        (entry(secrets=[whsec(b"short")]), "5 bytes"),
        (entry(since="yesterday"), "no time"),
        (entry(origins=["DEAD"]), "origins"),
        (entry(uri="x"), "unknown field 'uri'"),
        ("https://x", "no object"),
    ],
)
def test_a_slip_in_the_file_is_told_with_the_way_out_and_without_the_secret(fields, said):
    with pytest.raises(EndpointError) as told:
        read_endpoints(json.dumps({"clinic": fields}))
    assert said in str(told.value)
    assert whsec(NEW) not in str(told.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"Clinic!": {}}', "[" * 100_000])
def test_what_is_no_file_of_endpoints_is_refused(text):
    with pytest.raises(EndpointError):
        read_endpoints(text)


# -- the signature, judged by the function that the guide gives to receivers


@pytest.fixture(scope="module")
def judged():
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - what a reader copies is what is tried
    return names["judged"]


def test_the_guides_function_takes_ours_once(judged):
    body, seen = b'{"a": "\xc3\xbc"}', set()
    signed = headers([NEW], "d1", 1_000, body)
    assert judged(signed, body, [whsec(NEW)], seen, lambda: 1_100) == "new"
    assert judged(signed, body, [whsec(NEW)], seen, lambda: 1_100) == "repeat"
    assert judged(headers([NEW], "d2", 1_000, body), body, [whsec(NEW)], seen, lambda: 1_000) == "new"


def test_the_guides_function_takes_either_secret_while_they_are_exchanged(judged):
    signed = headers([NEW, OLD], "d1", 1_000, b"x")
    for known in ([NEW], [OLD], [OLD, NEW]):
        assert judged(signed, b"x", [whsec(one) for one in known], set(), lambda: 1_000) == "new"
    assert judged(headers([NEW], "d1", 1_000, b"x"), b"x", [whsec(OLD)], set(), lambda: 1_000) == "invalid"


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "d2"},
        {"webhook-timestamp": "1001"},
        {"webhook-timestamp": "one"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"body": b"y"},
        {"now": 1_301},
        {"now": 699},
    ],
)
def test_the_guides_function_refuses_what_is_forged_changed_or_replayed_later(judged, change):
    signed = headers([NEW], "d1", 1_000, b"x") | {
        name: value for name, value in change.items() if name.startswith("webhook")
    }
    assert judged(signed, change.get("body", b"x"), [whsec(NEW)], set(), lambda: change.get("now", 1_000)) == "invalid"


def test_the_signature_is_that_of_standard_webhooks():
    """The example of the standard's own documentation."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


# -- what is told


def test_the_body_has_the_entities_with_words_and_no_pseudonym():
    told = of_event(event(), record())
    body = json.loads(told.body)
    assert (body["type"], body["timestamp"]) == ("note.extracted", "2026-09-21T14:13:20.000Z")
    data = body["data"]
    assert [one["text"] for one in data["entities"]] == ["flü", "paracetamol"]
    assert (data["relations"][0]["treatment"], data["relations"][0]["disease"]) == ("paracetamol", "flü")
    assert (data["source"], data["note_id"], data["revision"], data["model"]["serial"]) == ("clinic", "n|1", 2, 1)
    assert "pseudonym" not in told.body.decode()
    assert (told.delivery.delivery_id, told.delivery.kind) == ("e-n|1", DeliveryKind.EXTRACTED)


def letter(key: bytes | None = b"clinic|n|1", offset: int = 7) -> InputRecord:
    refused = InputRecord("notes.submitted.v1", 3, 4, NOW_MS, key, b"the text", ())
    made = dead_letter(refused, Reason.EMPTY_TEXT, "ingestor", source="clinic", origin=Origin.LIVE)
    return InputRecord(made.topic, 0, offset, NOW_MS, key, made.value, made.headers)


def test_a_refusal_has_its_reason_and_not_the_text():
    told = of_letter(letter(), "clinic")
    data = json.loads(told.body)["data"]
    assert (data["note_id"], data["reason"], data["refused_at"]) == ("n|1", "EMPTY_TEXT", NOW_MS)
    assert data["message"].startswith("The text is empty")
    assert b"the text" not in told.body
    assert told.origin is Origin.LIVE


def test_a_refusal_has_one_identity_for_ever_and_each_place_its_own():
    assert of_letter(letter(), "clinic").delivery.delivery_id == of_letter(letter(), "clinic").delivery.delivery_id
    assert (
        of_letter(letter(offset=8), "clinic").delivery.delivery_id != of_letter(letter(), "clinic").delivery.delivery_id
    )


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"other|n1", b"no bar"])
def test_a_key_of_somebody_elses_names_no_note(key):
    assert json.loads(of_letter(letter(key), "clinic").body)["data"]["note_id"] is None


def test_a_replay_is_told_byte_for_byte():
    told = of_event(event(), record())
    again = of_replay(told.delivery, record("webhook.deliveries.v1"))
    assert (again.body, again.delivery.delivery_id) == (told.body, told.delivery.delivery_id)


# -- what answers mean


@pytest.mark.parametrize(
    ("status", "result"),
    [(200, "delivered"), (299, "delivered"), (301, "away"), (400, "failed"), (401, "failed"), (410, "gone"), (429, "away"),
     (500, "failed"), (503, "away")],
)  # fmt: skip
def test_a_status_means(status, result):
    assert answer_of(status).result is Result(result)


def test_retry_after_counts_in_seconds():
    assert answer_of(503, "30").retry_after_s == 30
    assert answer_of(503, "Wed, 21 Oct 2026 07:28:00 GMT").retry_after_s == 0
    assert answer_of(500, "30").retry_after_s == 0


def test_a_receiver_that_takes_others_has_one_given_up_after_its_tries():
    patience = Patience(3)
    assert [patience.gives_up(failures) for failures in (1, 2, 3)] == [False, False, True]


def test_a_receiver_that_takes_nothing_loses_ten_and_the_others_wait():
    patience = Patience(1)
    assert [patience.gives_up(1) for _ in range(MOST_CREDIT + 2)] == [True] * MOST_CREDIT + [False] * 2
    patience.taken()
    assert [patience.gives_up(1), patience.gives_up(1)] == [True, False]
