"""The HTTP door, over a broker and a store in memory."""

import asyncio
import gzip
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import KafkaError, KafkaException
from contracts.files import schema_text
from contracts.records import NoteAccepted, NoteSubmitted, Origin
from contracts.registry import InMemoryRegistry, WriterSchemas
from contracts.rules import NoteLimits
from contracts.wire import Deserializer, Serializer
from ingestor import bootstrap
from ingestor.domain.acceptance import Acceptance
from ingestor.http.bodies import NOTE_EXAMPLE, NoteBody
from ingestor.http.intake import Queue
from ingestor.kafka_door import LateWriter
from ingestor.metrics import METRICS
from ingestor.settings import IngestorSettings
from runtime.errors import ProducerBroken, Rejected
from runtime.kafka.delivery import DeliveryProducer
from runtime.service.health import Readiness
from runtime.service.memory import MemoryBroker, MemoryProducer
from runtime.service.metrics import Metrics
from runtime.service.pseudonyms import Pseudonyms
from runtime.service.run import PROCESS
from runtime.web.client_tokens import Tokens, hash_token
from runtime.web.json_body import BadJson, check_structure
from sealing import PatientKeys, SqliteKeyStore, open_keys, writing
from sealing.keys import LOOK_EVERY_S
from sealing.rotation import initialise

NOTE = {**NOTE_EXAMPLE, "note_id": "N1"}
HEADERS = {"Authorization": "Bearer secret", "Content-Type": "application/json"}


class MemoryResults:
    """`FirstResults` in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.down = False

    async def find(self, keys: Sequence[str]) -> Sequence[str | None]:
        return [None if self.down else self.known.get(key) for key in keys]

    async def remember(self, results: Mapping[str, str]) -> None:
        if not self.down:
            self.known = {**self.known, **results}


class MemoryLog:
    """`AcceptedLog` of a broker in memory."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def marks(self, places: Sequence[tuple[int, int]]) -> Sequence[str | None]:
        return [f"{partition}/{offset}" for partition, offset in places]

    async def holds(self, marks: Sequence[str]) -> Sequence[bool]:
        places = [tuple(map(int, mark.split("/"))) for mark in marks]
        return [offset < len(self._broker.logs["notes.accepted.v1", partition]) for partition, offset in places]


class Door:
    def __init__(
        self,
        producer: Callable[[MemoryBroker], Any] = MemoryProducer,
        keys: PatientKeys | None = None,
        **settings: Any,
    ) -> None:
        self.broker = MemoryBroker()
        self.results = MemoryResults()
        self.metrics = Metrics(METRICS)
        registry = InMemoryRegistry()
        write = Serializer(NoteAccepted, registry.register("out-value", schema_text("NoteAccepted")))
        self.read = Deserializer(NoteAccepted, WriterSchemas(registry, "out-value"))
        shared = bootstrap.Shared(
            settings=IngestorSettings(
                bootstrap_servers="unused:1",
                schema_registry_url="http://unused",
                pseudonym_key_file="unused",
                **settings,
            ),
            metrics=self.metrics,
            readiness=Readiness(),
            acceptance=Acceptance(NoteLimits(), Pseudonyms(b"k" * 32)),
            tokens=Tokens({hash_token("secret"): "clinic", hash_token("other"): "lab"}),
            keys=keys,
        )
        self.shared = shared
        self.producer = DeliveryProducer({}, producer(self.broker))
        self.writer = LateWriter()
        self.writer.set(writing(write, keys))
        self.app = bootstrap.http_door(
            shared,
            self.writer,
            producer=self.producer,
            first_results=self.results,
            log=MemoryLog(self.broker),
            clock=lambda: 1_790_000_000_001,
        )

    def post(self, content: Any = None, headers: Mapping[str, str] = HEADERS, body: Any = None) -> httpx.Response:
        return self.post_all([(content, headers, body)])[0]

    def post_all(self, calls: Sequence[tuple[Any, Mapping[str, str], Any]]) -> list[httpx.Response]:
        async def run() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
                return await asyncio.gather(
                    *(
                        client.post("/v1/notes", content=json.dumps(content) if body is None else body, headers=headers)
                        for content, headers, body in calls
                    )
                )

        return asyncio.run(run())

    @property
    def accepted(self) -> list[NoteAccepted]:
        return [self.read(value) for value in self.broker.values("notes.accepted.v1")]


@pytest.fixture
def door() -> Door:
    return Door()


def reasons(response: httpx.Response) -> dict[str, str]:
    [result] = response.json()["results"]
    return {error["field"]: error["reason"] for error in result["errors"]}


def test_a_note_is_stored_before_202(door: Door) -> None:
    response = door.post(NOTE)
    assert response.status_code == 202
    assert response.json()["results"] == [
        {
            "index": 0,
            "source": "clinic",
            "note_id": "N1",
            "status": "accepted",
            "accepted_at": 1_790_000_000_001,
            "errors": [],
        }
    ]
    [accepted] = door.accepted
    assert (accepted.source, accepted.note_id, accepted.text) == ("clinic", "N1", NOTE["text"])
    assert door.broker.messages("notes.accepted.v1")[0].key() == b"clinic|N1"


def test_an_array_is_answered_note_by_note(door: Door) -> None:
    response = door.post([{**NOTE, "note_id": f"N{number}"} for number in range(100)])
    assert response.status_code == 202
    assert [result["note_id"] for result in response.json()["results"]] == [f"N{number}" for number in range(100)]
    assert len(door.accepted) == 100


def test_an_array_is_taken_in_part(door: Door) -> None:
    response = door.post([NOTE, {**NOTE, "note_id": "N2", "text": ""}, {**NOTE, "note_id": "N3"}])
    assert response.status_code == 207
    assert [result["status"] for result in response.json()["results"]] == ["accepted", "refused", "accepted"]
    assert [accepted.note_id for accepted in door.accepted] == ["N1", "N3"]


def test_an_array_without_a_legal_note_is_refused(door: Door) -> None:
    assert door.post([{**NOTE, "text": ""}, {}]).status_code == 422
    assert door.accepted == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"text": ""}, {"text": "EMPTY_TEXT"}),
        ({"text": 5}, {"text": "WRONG_TYPE"}),
        ({"text": None}, {"text": "WRONG_TYPE"}),
        ({"text": "lone \ud800"}, {"text": "ILLEGAL_CHARACTERS"}),
        ({"text": "nul \x00"}, {"text": "ILLEGAL_CHARACTERS"}),
        ({"text": "a " * 100_000}, {"text": "TOO_MANY_TOKENS"}),
        ({"revision": "1"}, {"revision": "WRONG_TYPE"}),
        ({"revision": True}, {"revision": "WRONG_TYPE"}),
        ({"revision": 1.5}, {"revision": "WRONG_TYPE"}),
        ({"revision": 10**30}, {"revision": "OUT_OF_RANGE"}),
        ({"written_at": "2026-01-01"}, {"written_at": "WRONG_TYPE"}),
        ({"written_at": 5}, {"written_at": "IMPOSSIBLE_TIME"}),
        ({"origin": "ELSEWHERE"}, {"origin": "WRONG_TYPE"}),
        ({"note_id": ["N1"]}, {"note_id": "WRONG_TYPE"}),
        ({"extra": 1, "text": ""}, {"extra": "UNKNOWN_FIELD"}),
        ({"pseudonym_key_id": "k"}, {"pseudonym_key_id": "UNKNOWN_FIELD"}),
        ({"source": "lab"}, {"source": "OTHER_SOURCE"}),
        ({"source": ""}, {"source": "OTHER_SOURCE"}),
        ({"source": 5}, {"source": "WRONG_TYPE"}),
        ({"text": "", "city": ""}, {"text": "EMPTY_TEXT", "city": "MISSING_FIELD"}),
    ],
)
def test_reasons_per_field(door: Door, changes: dict, expected: dict) -> None:
    response = door.post({**NOTE, **changes})
    assert response.status_code == 422
    assert reasons(response) == expected
    assert door.accepted == []


@pytest.mark.parametrize("field", sorted(name for name, field in NoteBody.model_fields.items() if field.is_required()))
def test_missing_fields(door: Door, field: str) -> None:
    response = door.post({name: value for name, value in NOTE.items() if name != field})
    assert reasons(response) == {field: "MISSING_FIELD"}


@pytest.mark.parametrize("content", [1, "note", None, [[NOTE]], [1]])
def test_what_is_not_a_note(door: Door, content: Any) -> None:
    assert door.post(content).status_code == 422


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "UNDECODABLE"),
        (b"{", "UNDECODABLE"),
        (b"not json", "UNDECODABLE"),
        (b'{"text": NaN}', "UNDECODABLE"),
        (b"[" * 100_000, "UNDECODABLE"),
        (b'{"a":' * 100_000, "UNDECODABLE"),
        (b"1" * 100_000, "UNDECODABLE"),
        (b'{"text": "\xff"}', "INVALID_UTF8"),
        (json.dumps(NOTE).encode("utf-16"), "INVALID_UTF8"),
        (b"[]", "EMPTY_VALUE"),
        (json.dumps([{}] * 501).encode(), "TOO_LARGE"),
    ],
)
def test_bodies_that_are_not_usable(door: Door, body: bytes, reason: str) -> None:
    response = door.post(body=body)
    assert response.status_code == 422
    assert response.json()["reason"] == reason


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", "Basic secret", "secret", "Bearer sécret".encode("latin-1")]
)
def test_no_token_no_service(door: Door, authorization: Any) -> None:
    headers = {"Content-Type": "application/json"} | ({} if authorization is None else {"Authorization": authorization})
    response = door.post(NOTE, headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert door.accepted == []


def test_a_body_of_ten_megabytes(door: Door) -> None:
    assert door.post({**NOTE, "text": "x" * 10_000_000}).status_code == 413


def test_a_body_that_hides_its_length(door: Door) -> None:
    async def endless():
        for _ in range(10_000):
            yield b"x" * 100_000

    assert door.post(body=endless()).status_code == 413


def test_a_body_at_the_limit(door: Door) -> None:
    rest = len(json.dumps({**NOTE, "text": ""}))
    assert door.post({**NOTE, "text": "x" * (1_048_576 - rest)}).status_code == 202
    assert door.post({**NOTE, "note_id": "N2", "text": "x" * (1_048_577 - rest)}).status_code == 413


def test_compressed_bodies_are_refused(door: Door) -> None:
    body = gzip.compress(b"0" * 50_000_000)
    assert door.post(body=body, headers={**HEADERS, "Content-Encoding": "gzip"}).status_code == 415


def test_other_content_types_are_refused(door: Door) -> None:
    assert door.post(NOTE, {**HEADERS, "Content-Type": "text/plain"}).status_code == 415


def test_the_same_note_again_answers_the_first_result(door: Door) -> None:
    first, again = door.post(NOTE), door.post(dict(reversed(NOTE.items())))
    assert again.status_code == 202
    [result] = again.json()["results"]
    assert (result["status"], result["accepted_at"]) == ("duplicate", first.json()["results"][0]["accepted_at"])
    assert len(door.accepted) == 1


def test_other_content_under_the_same_identity_is_a_conflict(door: Door) -> None:
    door.post(NOTE)
    response = door.post({**NOTE, "text": "something else"})
    assert response.status_code == 409
    assert response.json()["results"][0]["status"] == "conflict"
    assert door.post({**NOTE, "text": "something else", "revision": 2}).status_code == 202
    assert len(door.accepted) == 2


OTHER = {**HEADERS, "Authorization": "Bearer other"}


def test_two_sources_with_one_id_are_two_notes(door: Door) -> None:
    first, second = door.post(NOTE), door.post({**NOTE, "text": "another note"}, OTHER)
    assert [response.json()["results"][0]["status"] for response in (first, second)] == ["accepted", "accepted"]
    assert [response.json()["results"][0]["source"] for response in (first, second)] == ["clinic", "lab"]
    assert [(note.source, note.note_id) for note in door.accepted] == [("clinic", "N1"), ("lab", "N1")]
    assert [message.key() for message in door.broker.messages("notes.accepted.v1")] == [b"clinic|N1", b"lab|N1"]


def test_a_note_may_name_its_own_source_and_no_other(door: Door) -> None:
    assert door.post({**NOTE, "source": "clinic"}).status_code == 202
    assert door.post(NOTE).json()["results"][0]["status"] == "duplicate"  # the same note, named or not
    refused = door.post({**NOTE, "note_id": "N2", "source": "lab"})
    assert refused.status_code == 422
    [error] = refused.json()["results"][0]["errors"]
    assert error["message"] == "The source is not the one that the token stands for; leave the field out."


def test_repeats_within_one_array(door: Door) -> None:
    response = door.post([NOTE, NOTE, {**NOTE, "text": "else"}])
    assert [result["status"] for result in response.json()["results"]] == ["accepted", "duplicate", "conflict"]
    assert response.status_code == 207
    assert len(door.accepted) == 1


def test_an_idempotency_key_makes_a_request_repeatable(door: Door) -> None:
    keyed = {**HEADERS, "Idempotency-Key": "K1"}
    several = [NOTE, {**NOTE, "note_id": "N2", "text": ""}]
    first, again = door.post(several, keyed), door.post(several, keyed)
    assert (first.status_code, again.status_code) == (207, 207)
    assert [result["status"] for result in again.json()["results"]] == ["duplicate", "refused"]
    assert door.post([{**NOTE, "note_id": "N3"}], keyed).status_code == 409
    assert len(door.accepted) == 1
    assert door.post(NOTE, {**keyed, "Authorization": "Bearer other"}).status_code == 202  # keys belong to their client


@pytest.mark.parametrize("key", ["", "k" * 257])
def test_a_useless_idempotency_key(door: Door, key: str) -> None:
    assert door.post(NOTE, {**HEADERS, "Idempotency-Key": key}).status_code == 422


def test_what_the_log_lost_is_no_duplicate_and_no_conflict(door: Door) -> None:
    keyed = {**HEADERS, "Idempotency-Key": "K1"}
    door.post([NOTE, {**NOTE, "note_id": "N2"}])
    door.post({**NOTE, "note_id": "N3"}, keyed)
    door.broker.logs.clear()  # restored from before these notes
    for content, headers in ((NOTE, HEADERS), ({**NOTE, "note_id": "N2", "text": "other"}, HEADERS)):
        [result] = door.post(content, headers).json()["results"]
        assert result["status"] == "accepted"
        [result] = door.post(content, headers).json()["results"]
        assert result["status"] == "duplicate"
    assert door.post({**NOTE, "note_id": "N4"}, keyed).status_code == 202
    assert [note.note_id for note in door.accepted] == ["N1", "N2", "N4"]


def test_what_a_release_before_remembered_without_a_place_is_accepted_anew(door: Door) -> None:
    door.post(NOTE)
    door.results.known = {key: ":".join(text.split(":")[:2]) for key, text in door.results.known.items()}
    assert door.post(NOTE).json()["results"][0]["status"] == "accepted"


def test_one_id_of_two_sources_is_two_notes(door: Door) -> None:
    other = {**HEADERS, "Authorization": "Bearer other"}
    for headers, text in ((HEADERS, "asthma"), (other, "malaria")):
        [result] = door.post({**NOTE, "text": text}, headers).json()["results"]
        assert result["status"] == "accepted"
    assert [(note.source, note.text) for note in door.accepted] == [("clinic", "asthma"), ("lab", "malaria")]


def test_without_the_store_notes_are_accepted(door: Door) -> None:
    door.results.down = True
    assert [door.post(NOTE).status_code for _ in range(2)] == [202, 202]
    assert len(door.accepted) == 2


def test_a_silent_broker_is_503_in_time_and_not_remembered() -> None:
    door = Door(http_delivery_timeout_s=0.05)
    door.broker.holding = True
    response = door.post(NOTE)
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert door.results.known == {}


def test_a_refused_delivery_is_503_and_sending_again_is_accepted(door: Door) -> None:
    door.broker.delivery_faults["notes.accepted.v1"] = [KafkaError._MSG_TIMED_OUT]
    assert door.post([NOTE, {**NOTE, "note_id": "N2"}]).status_code == 503
    assert door.post([NOTE, {**NOTE, "note_id": "N2"}]).status_code == 202


def test_before_the_registry_was_reached_it_is_503(door: Door) -> None:
    door.writer._write = None
    response = door.post(NOTE)
    assert (response.status_code, response.json()["reason"]) == (503, "STARTING")
    assert int(response.headers["retry-after"]) > 0


def test_a_full_queue_is_429() -> None:
    door = Door(http_queue_notes=10, http_delivery_timeout_s=0.2)
    door.broker.holding = True
    array = [{**NOTE, "note_id": f"N{number}"} for number in range(5)]
    statuses = sorted(response.status_code for response in door.post_all([(array, HEADERS, None)] * 4))
    assert statuses == [429, 429, 429, 503]


def test_a_full_client_library_is_429(door: Door) -> None:
    door.broker.queue_limit, door.broker.holding = 3, True
    response = door.post([{**NOTE, "note_id": f"N{number}"} for number in range(5)])
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"


def test_one_client_cannot_take_the_whole_queue() -> None:
    queue = Queue(10)
    with queue.place_for("greedy", 4):
        with pytest.raises(Rejected), queue.place_for("greedy", 2):
            pass
        with queue.place_for("other", 5):
            pass
    assert queue.waiting == {}
    with queue.place_for("alone", 500), pytest.raises(Rejected), queue.place_for("other", 1):
        pass


def test_the_body_has_the_fields_of_the_event() -> None:
    """But what says that something was made unreadable elsewhere."""
    import dataclasses

    event = {field.name for field in dataclasses.fields(NoteSubmitted)}
    assert event - set(NoteBody.model_fields) == {"pseudonym_key_id", "encryption_key_id", "sealed"}
    assert set(NoteBody.model_fields) <= event
    for origin in Origin:
        NoteBody.model_validate({**NOTE, "origin": origin.value})


def test_the_pages_need_nothing_from_elsewhere(door: Door) -> None:
    async def get(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door.app), base_url="http://door") as client:
            return await client.get(path)

    page, document = asyncio.run(get("/docs")), asyncio.run(get("/openapi.json")).json()
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "http" not in page.text.replace("http-equiv", "").split("<body", 1)[0].split("</style>")[0]
    assert NOTE_EXAMPLE["note_id"] in page.text
    operation = document["paths"]["/v1/notes"]["post"]
    assert {"202", "207", "401", "409", "413", "422", "429", "503"} <= operation["responses"].keys()
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert door.post(examples["one"]["value"]).status_code == 202
    assert door.post(examples["several"]["value"]).status_code == 202


def letters(door: Door) -> list[tuple[bytes | None, dict[str, bytes | None], Any]]:
    found = door.broker.messages("notes.submitted.v1.dlq")
    return [(message.key(), dict(message.headers()), message.value()) for message in found]


def test_a_refused_note_is_kept_as_a_dead_letter_with_what_was_sent(door):
    wrong = {**NOTE, "note_id": "N2", "text": "  "}
    assert door.post([NOTE, wrong]).status_code == 207
    [(key, headers, value)] = letters(door)
    assert key == b"clinic|N2"
    assert headers["rxtract.source"] == b"clinic"
    assert headers["rxtract.reason"] == b"EMPTY_TEXT"
    assert headers["rxtract.stage"] == b"ingestor-http"
    assert json.loads(value) == wrong


@pytest.mark.parametrize(
    ("changed", "origin"),
    [
        ({"text": " ", "origin": "BACKFILL"}, b"BACKFILL"),
        ({"revision": "x", "origin": "REPLAY"}, b"REPLAY"),
        ({"text": " "}, b"LIVE"),
        ({"origin": "ELSEWHERE"}, None),
    ],
)
def test_a_dead_letter_says_the_origin_of_its_note(door, changed, origin):
    door.post({**NOTE, **changed})
    [(_, headers, _)] = letters(door)
    assert headers.get("rxtract.origin") == origin


@pytest.mark.parametrize("field", ["text", "note_id"])
def test_a_lone_surrogate_comes_out_of_the_dead_letter_as_it_came_in(door, field):
    body = json.dumps({**NOTE, field: "fever \ud800"}).encode()
    assert door.post(body=body).status_code == 422
    [(_, _, value)] = letters(door)
    assert json.loads(value)[field] == "fever \ud800"


def test_a_body_that_is_no_json_is_kept_whole(door):
    assert door.post(body=b"{not json").status_code == 422
    [(key, headers, value)] = letters(door)
    assert (key, headers["rxtract.reason"], value) == (None, b"UNDECODABLE", b"{not json")


def test_nothing_of_an_unknown_client_is_kept(door):
    assert door.post(NOTE, headers={**HEADERS, "Authorization": "Bearer wrong"}).status_code == 401
    assert letters(door) == []


def test_a_repeated_or_conflicting_note_is_no_dead_letter(door):
    door.post(NOTE)
    door.post(NOTE)
    assert door.post({**NOTE, "text": "another"}).status_code == 409
    assert letters(door) == []


def faults_named(response: httpx.Response) -> tuple[int, int]:
    """How many faults an answer names, and how many it counts beside."""
    results = response.json()["results"]
    return sum(len(one["errors"]) for one in results), sum(one.get("more_errors", 0) for one in results)


def test_an_answer_names_twenty_faults_and_counts_the_rest(door: Door) -> None:
    many = {f"unknown-{number}": 1 for number in range(5_000)}
    response = door.post({**NOTE, **many})
    assert response.status_code == 422
    assert faults_named(response) == (20, 4_980)
    assert len(response.content) < 10_000
    assert len(letters(door)) == 1


def test_of_many_refused_notes_each_has_its_first_fault_named_before_any_has_its_second(door: Door) -> None:
    wrong = {"text": "", "city": "", "note_id": "N"}
    few = door.post([{**NOTE, **wrong, "note_id": f"N{number}"} for number in range(15)])
    assert faults_named(few) == (20, 10)
    assert [len(one["errors"]) for one in few.json()["results"]] == [2] * 5 + [1] * 10
    many = door.post([{}] * 500)
    assert faults_named(many) == (20, 500 * 9 - 20)
    assert len(many.content) < 100_000
    assert len(letters(door)) == 515


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return json.dumps(NOTE).encode()[:-1] + b', "x": ' + opening * depth + b"1" + closing * depth + b"}"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b' [ {"\\"[": ', b"} ] ")])
@pytest.mark.parametrize("depth", [21, 100, 900, 920, 999, 5_000])
def test_what_is_nested_deep_is_refused_before_it_is_parsed(
    door: Door, opening: bytes, closing: bytes, depth: int
) -> None:
    response = door.post(body=nested(depth, opening, closing))
    assert (response.status_code, response.json()["reason"]) == (422, "UNDECODABLE")
    assert "20 levels" in response.json()["message"]


def test_brackets_and_colons_of_a_text_nest_nothing(door: Door) -> None:
    text = "[{" * 5_000 + ":" * 20_000 + '\\" [ { \\\\ '
    assert door.post({**NOTE, "text": text}).status_code == 202
    assert [note.text for note in door.accepted] == [text]
    assert reasons(door.post(body=nested(18))) == {"x": "UNKNOWN_FIELD"}


@pytest.mark.parametrize(
    "body",
    [
        b"{" + b",".join(b'"k%d":1' % number for number in range(90_000)) + b"}",
        b"[" + b",".join([b"{}"] * 40_000) + b"]",
        b'{"a":[' + b",".join([b"[]"] * 300_000) + b"]}",
    ],
)
def test_what_has_too_many_keys_or_parts_is_refused_before_it_is_parsed(door: Door, body: bytes) -> None:
    response = door.post(body=body)
    assert (response.status_code, response.json()["reason"]) == (422, "TOO_LARGE")
    assert len(response.content) < 200


@pytest.mark.parametrize("unit", [b'"', b'\\"', b'"\\', b"\\\\", b'\\"[', b'":"', b"[]", b'{"'])
def test_the_look_at_the_structure_takes_linear_time(unit: bytes) -> None:
    def seconds(size: int) -> float:
        body = b'["' + unit * (size // len(unit))
        began_s = time.process_time()
        for _ in range(3):
            with suppress(BadJson):
                check_structure(body, 10**9)
        return time.process_time() - began_s

    seconds(10_000)
    assert seconds(400_000) < 60 * max(seconds(20_000), 0.002)  # quadratic would be 400 times


@pytest.mark.parametrize("field", sorted(set(NoteBody.model_fields) - {"revision", "written_at"}))
def test_a_lone_surrogate_is_refused_wherever_it_stands(door: Door, field: str) -> None:
    for body in (json.dumps({**NOTE, field: "a \ud800"}), json.dumps({**NOTE, "x": {"\udfff": ["\ud800"]}})):
        assert door.post(body=body.encode()).status_code == 422
    raw = json.dumps({**NOTE, field: "here"}).encode().replace(b"here", b"\xed\xa0\x80")
    assert door.post(body=raw).json()["reason"] == "INVALID_UTF8"
    assert door.accepted == []


@pytest.mark.parametrize("field", ["purpose", "consent_artefact_id"])
def test_an_empty_optional_field_is_as_if_left_out(door: Door, field: str) -> None:
    assert door.post({**NOTE, field: ""}).status_code == 202
    assert [getattr(note, field) for note in door.accepted] == [None]
    [again] = door.post(NOTE).json()["results"]
    assert again["status"] == "duplicate"


def test_a_whole_number_may_be_written_as_json_writes_it(door: Door) -> None:
    assert door.post(body=json.dumps(NOTE).replace('"revision": 1,', '"revision": 1.0,').encode()).status_code == 202
    assert [note.revision for note in door.accepted] == [1]


def test_a_date_as_text_is_told_of_milliseconds(door: Door) -> None:
    [result] = door.post({**NOTE, "written_at": "2026-01-01T10:00:00Z"}).json()["results"]
    assert "UTC milliseconds" in result["errors"][0]["message"]


def document(door: Door) -> Any:
    async def get() -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door.app), base_url="http://door") as client:
            return (await client.get("/openapi.json")).json()

    return asyncio.run(get())


def test_the_document_names_how_clients_prove_who_they_are(door: Door) -> None:
    found = document(door)
    [name] = found["paths"]["/v1/notes"]["post"]["security"]
    scheme = found["components"]["securitySchemes"][next(iter(name))]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert found["paths"]["/v1/notes"]["post"]["responses"].keys() >= {"401"}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("city", ["", " ", "\t", "a\nb", "x" * 257, "\x85"]),
        ("text", ["", " \n", "a\x00b", "\x9f"]),
        ("purpose", [" ", "x" * 257, "a\x00"]),
        ("revision", [0, -1, 2**31, 1.5]),
        ("written_at", [0, 946_684_799_999, "2026-01-01"]),
    ],
)
def test_what_the_rules_refuse_the_document_does_not_allow(door: Door, field: str, values: Sequence[Any]) -> None:
    schema = NoteBody.model_json_schema()["properties"][field]
    for value in values:
        assert door.post({**NOTE, field: value}).status_code == 422
        assert not allows(schema, value), value
    assert allows(schema, NOTE.get(field, "treatment"))


def allows(schema: Mapping[str, Any], value: Any) -> bool:
    """As far as the schema of a field goes."""
    if isinstance(value, str):
        return (
            "string" in json.dumps(schema)
            and schema.get("minLength", 0) <= len(value) <= schema["maxLength"]
            and re.search(schema["pattern"], value) is not None
        )
    return isinstance(value, int) and schema["minimum"] <= value <= schema.get("maximum", value)


def throttled(door: Door, client: str, limit: str) -> float:
    labels = {"producer": client, "limit": limit}
    return door.metrics.registry.get_sample_value("rxtract_http_throttled_total", labels) or 0.0


def test_a_client_over_its_rate_waits_and_another_does_not() -> None:
    door = Door(http_client_notes_per_s=10)
    array = [{**NOTE, "note_id": f"N{number}"} for number in range(150)]
    assert door.post(array).status_code == 202  # ten seconds' worth and a half
    over = door.post({**NOTE, "note_id": "one more"})
    assert (over.status_code, over.json()["reason"]) == (429, "BUSY")
    assert 1 <= int(over.headers["retry-after"]) <= 6
    assert throttled(door, "clinic", "notes_per_s") == 1
    assert door.post(NOTE, {**HEADERS, "Authorization": "Bearer other"}).status_code == 202


def test_a_clients_bytes_have_a_rate_too() -> None:
    door = Door(http_client_bytes_per_s=1_000)
    assert door.post({**NOTE, "text": "x" * 20_000}).status_code == 202
    assert door.post({**NOTE, "note_id": "N2"}).status_code == 429
    assert throttled(door, "clinic", "bytes_per_s") == 1


def test_bodies_in_hand_end_at_a_budget_of_each_client_and_of_all() -> None:
    door = Door(http_client_bytes_in_flight=1_048_576, http_bytes_in_flight=1_500_000, http_delivery_timeout_s=0.3)
    door.broker.holding = True  # so that bodies stay in hand
    large = {**NOTE, "text": "x" * 600_000}
    other = {**HEADERS, "Authorization": "Bearer other"}
    mine, refused, theirs, small = door.post_all(
        [(large, HEADERS, None), (large, HEADERS, None), (large, other, None), (NOTE, other, None)]
    )
    assert [mine.status_code, refused.status_code, theirs.status_code, small.status_code] == [503, 429, 503, 503]
    assert [mine.json()["reason"], theirs.json()["reason"]] == ["BROKER_AWAY", "BROKER_AWAY"]
    assert "retry-after" in refused.headers
    assert throttled(door, "clinic", "bytes_in_flight") == 1
    door = Door(http_client_bytes_in_flight=1_048_576, http_bytes_in_flight=1_000_000, http_delivery_timeout_s=0.3)
    door.broker.holding = True
    _, full = door.post_all([(large, HEADERS, None), (large, other, None)])
    assert (full.status_code, full.json()["reason"]) == (503, "BUSY")
    door.broker.holding = False
    assert door.post(large).status_code == 202  # all came back


class Fatal(MemoryProducer):
    def produce(self, *_: Any, **__: Any) -> None:
        raise KafkaException(KafkaError(KafkaError._FATAL, "fatal", fatal=True))


def test_a_producer_that_can_never_send_again_ends_the_process() -> None:
    door = Door(Fatal)
    assert door.post(NOTE).status_code == 503
    assert door.shared.stop.is_set()
    assert "can never send again" in door.shared.readiness.missing[PROCESS]
    assert door.post(NOTE).status_code == 503
    with pytest.raises(ProducerBroken):
        door.shared.downfall.check()


def test_a_sealed_door_stores_no_text_and_answers_503_without_its_keys(tmp_path: Path) -> None:
    initialise(tmp_path / "keys.db", tmp_path / "master.key")
    keys = open_keys(tmp_path / "keys.db", tmp_path / "master.key")
    door = Door(keys=keys)
    notes = [{**NOTE, "note_id": f"N{number}", "patient_ref": f"P{number}"} for number in range(20)]
    assert door.post(notes).status_code == 202
    assert SqliteKeyStore(tmp_path / "keys.db").counts() == (20, 0)
    assert door.post({**NOTE, "note_id": "late", "written_at": 1}).status_code == 422
    assert door.post(body=f"no JSON {NOTE['text']}".encode()).status_code == 422
    topics = ("notes.accepted.v1", "notes.submitted.v1.dlq")
    kept = b"".join(value or b"" for topic in topics for value in door.broker.values(topic))
    assert kept
    assert NOTE["text"].encode() not in kept
    (tmp_path / "keys.db").rename(tmp_path / "elsewhere")
    keys._looked_at_s -= LOOK_EVERY_S  # a second later
    away = door.post({**NOTE, "note_id": "away"})
    assert (away.status_code, away.json()["reason"]) == (503, "KEYS_AWAY")
    (tmp_path / "elsewhere").rename(tmp_path / "keys.db")
    assert door.post({**NOTE, "note_id": "away"}).status_code == 202
