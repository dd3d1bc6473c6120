"""The synchronous door, over a champion in memory."""

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from answerer import bootstrap
from answerer.metrics import NOTES_ANSWERED
from answerer.settings import AnswererSettings
from clinical_ner.meaning import UNJUDGED
from clinical_ner.tagger import Entity, NoteStatistics, TaggedNote
from contracts.registry import InMemoryRegistry, RegistryUnavailable
from model_registry.version import Version
from runtime.errors import SettingsError
from runtime.service.metrics import HTTP_REQUESTS, HTTP_THROTTLED
from runtime.service.waiting import CONTRACT_READ
from runtime.web.client_tokens import hash_token
from serving.champion import MODEL_LOADED
from serving.metrics import TAGGER_FAILURES

JSON = {"Content-Type": "application/json"}
HEADERS = {**JSON, "Authorization": "Bearer secret"}


class WordTagger:
    """Its entity is the word of its bytes, wherever it stands first; it breaks on `explode`."""

    metadata: Mapping[str, Any] = {}
    rules_version = "r1"

    def __init__(self, data: bytes) -> None:
        self._word = data.decode()

    def tag(self, texts):
        if any("explode" in text for text in texts):
            raise ValueError("a note that breaks it")
        numbers = NoteStatistics(*[0] * 10, confidence=1.0)
        return [TaggedNote(self._entities(text), (), 0.5, numbers) for text in texts]

    def _entities(self, text: str) -> tuple[Entity, ...]:
        at = text.find(self._word)
        if at < 0:  # canaries must give something
            return (Entity("DISEASE", 0, 7, 0.5, UNJUDGED, None),) if "squamous" in text else ()  # type: ignore[arg-type]
        return (Entity("DISEASE", at, at + len(self._word), 0.9, UNJUDGED, None),)  # type: ignore[arg-type]


class Models:
    """One champion."""

    def __init__(self) -> None:
        self.promote(1, b"HTN")

    def promote(self, number: int, data: bytes) -> None:
        self._data = data
        self._version = Version.of("rxtract-ner", str(number), number, hashlib.sha256(data).hexdigest())

    def by_alias(self, name: str, alias: str) -> Version:
        return self._version

    def tables(self, version: Version) -> bytes:
        return self._data


class NoRules:
    """None were released."""

    def by_alias(self, name: str, alias: str) -> None:
        return None


class Door:
    def __init__(self, tmp_path, *, load: bool = True, **settings: Any) -> None:
        known = {"http_tokens": f"clinic:{hash_token('secret')}"} | settings
        self.models = Models()
        self.shared = bootstrap.share(
            AnswererSettings.load(
                bootstrap_servers="unused:1",
                schema_registry_url="http://unused",
                model_cache_dir=tmp_path / "models",
                **known,
            ),
            models=self.models,
            opener=lambda data, _: WordTagger(data),
            rules=NoRules(),
        )
        if load:
            bootstrap.load_first(self.shared)
        self.app = bootstrap.http_door(self.shared)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
                return await client.request(method, path, **more)

        return asyncio.run(call())

    def post(self, content: Any, headers: Mapping[str, str] = HEADERS) -> httpx.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.ask("POST", "/v1/extract", content=body, headers=dict(headers))

    def count(self, spec: Any, *labels: str) -> float:
        return self.shared.metrics.counter(spec).labels(*labels)._value.get()


@pytest.fixture
def door(tmp_path) -> Door:
    return Door(tmp_path)


def test_one_note_is_answered_by_one_object(door):
    answer = door.post({"text": "has HTN"})
    assert answer.status_code == 200
    found = answer.json()
    assert found == {
        "id": "1",
        "entities": [
            {
                "entity_id": "e1",
                "label": "DISEASE",
                "text": "HTN",
                "start": 4,
                "end": 7,
                "confidence": 0.9,
                "assertion": dict(UNJUDGED._asdict()),
                "prescription": None,
            }
        ],
        "relations": [],
        "note_confidence": 0.5,
        "model": {"source": "models:/rxtract-ner/1", "sha256": hashlib.sha256(b"HTN").hexdigest()},
        "rules_version": "r1",
        "calibration": {"holds": None, "measured_on": None, "unseen_words": 0.0, "limit": None},  # no artifact
    }
    assert door.count(NOTES_ANSWERED, "clinic", "answered") == 1


def test_an_array_is_answered_in_order_and_an_invalid_note_costs_itself_alone(door):
    notes = [{"id": "a", "text": "HTN"}, {"id": "b", "text": " "}, {"text": "explode"}, {"id": "d", "text": "no HTN"}]
    answer = door.post(notes)
    assert answer.status_code == 207
    first, second, third, fourth = answer.json()
    assert (first["id"], first["entities"][0]["start"]) == ("a", 0)
    assert (second["id"], second["errors"][0]["field"], second["errors"][0]["reason"]) == ("b", "text", "EMPTY_TEXT")
    assert (third["id"], third["errors"][0]["reason"]) == ("3", "HANDLER_FAILED")
    assert (fourth["id"], fourth["entities"][0]["start"]) == ("d", 3)
    assert door.shared.metrics.counter(TAGGER_FAILURES)._value.get() > 0
    assert door.count(NOTES_ANSWERED, "clinic", "EMPTY_TEXT") == 1


@pytest.mark.parametrize(
    ("note", "faults"),
    [
        ("text", [("", "WRONG_TYPE")]),
        ({}, [("text", "MISSING_FIELD")]),
        ({"text": None}, [("text", "WRONG_TYPE")]),
        ({"text": "a\x00b"}, [("text", "ILLEGAL_CHARACTERS")]),
        ({"text": "\ud800"}, [("text", "ILLEGAL_CHARACTERS")]),
        ({"text": "x" * 30}, [("text", "TEXT_TOO_LONG")]),
        ({"id": 7, "text": "HTN", "\ud800n": 1}, [("id", "WRONG_TYPE"), ("?n", "UNKNOWN_FIELD")]),
        ({"id": "", "text": "HTN"}, [("id", "MISSING_FIELD")]),
    ],
)
def test_what_is_invalid_is_answered_with_all_its_reasons(tmp_path, note, faults):
    answer = Door(tmp_path, max_note_chars=20).post(note)
    assert answer.status_code == 422
    assert [(one["field"], one["reason"]) for one in answer.json()["errors"]] == faults


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"{", 422, "UNDECODABLE"),
        (b"[]", 422, "EMPTY_VALUE"),
        (b'"\xff"', 422, "INVALID_UTF8"),
        (b"[" * 30 + b"]" * 30, 422, "UNDECODABLE"),
        (b'[{"text":"a"},{"text":"b"},{"text":"c"}]', 422, "TOO_LARGE"),
        (b'{"text": "' + b"x" * 3_000 + b'"}', 413, "TOO_LARGE"),
    ],
)
def test_a_body_that_cannot_be_used_is_refused_as_a_whole(tmp_path, body, status, reason):
    answer = Door(tmp_path, http_max_notes=2, http_max_body_bytes=2_000).post(body)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert b"xxx" not in answer.content


def test_without_a_token_nothing_is_answered(door):
    for headers in (JSON, {**JSON, "Authorization": "Bearer wrong"}):
        answer = door.post({"text": "HTN"}, headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert door.count(HTTP_REQUESTS, "401") == 2


def test_an_open_door_asks_for_no_token_and_is_for_this_machine_alone(tmp_path):
    assert Door(tmp_path, http_open=True).post({"text": "HTN"}, JSON).status_code == 200
    with pytest.raises(SettingsError, match=r"RXTRACT_HTTP_OPEN .* 127\.0\.0\.1"):
        Door(tmp_path, http_open=True, http_host="0.0.0.0")


def test_a_page_of_another_site_cannot_ask_an_open_door(tmp_path):
    plain = Door(tmp_path, http_open=True).post({"text": "HTN"}, {"Content-Type": "text/plain"})
    assert (plain.status_code, plain.json()["reason"]) == (415, "CONTENT_TYPE")
    asked = Door(tmp_path, http_open=True).ask("OPTIONS", "/v1/extract", headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in asked.headers


def test_offsets_count_in_the_normal_form_which_is_told(door):
    found = door.post({"text": "cafe\N{COMBINING ACUTE ACCENT} HTN"}).json()
    assert found["normalised_text"] == "caf\N{LATIN SMALL LETTER E WITH ACUTE} HTN"
    assert found["entities"][0]["start"] == 5
    assert "normalised_text" not in door.post({"text": "HTN"}).json()


def test_a_promoted_model_answers_the_next_request(door):
    assert door.post({"text": "DM HTN"}).json()["entities"][0]["text"] == "HTN"
    door.models.promote(2, b"DM")
    assert door.shared.keeper.refresh()
    found = door.post({"text": "DM HTN"}).json()
    assert (found["entities"][0]["text"], found["model"]["source"]) == ("DM", "models:/rxtract-ner/2")
    assert door.shared.info()["serial"] == 2


def test_before_a_model_is_loaded_clients_are_asked_to_come_again(tmp_path):
    answer = Door(tmp_path, load=False).post({"text": "HTN"})
    assert (answer.status_code, answer.json()["reason"]) == (503, "STARTING")
    assert int(answer.headers["Retry-After"]) > 0


def test_who_asks_for_more_than_it_may_is_told_to_come_later(tmp_path):
    door = Door(tmp_path, http_client_notes_per_s=0.1)
    notes = [{"text": "HTN"}] * 3
    assert [door.post(notes).status_code for _ in range(2)] == [200, 429]
    assert door.count(HTTP_THROTTLED, "clinic", "notes_per_s") == 1


def test_pages_let_nothing_from_elsewhere_run(door):
    for path in ("/", "/docs", "/static/try.js", "/static/examples.json", "/openapi.json"):
        answer = door.ask("GET", path)
        assert answer.status_code == 200, path
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    page = door.ask("GET", "/").text
    assert 'data-token="needed"' in page
    assert "http" not in page
    assert "style=" not in page


def test_the_document_names_the_token_only_where_one_is_asked_for(tmp_path, door):
    assert door.ask("GET", "/openapi.json").json()["components"]["securitySchemes"]
    free = Door(tmp_path, http_open=True).ask("GET", "/openapi.json").json()
    assert "securitySchemes" not in free.get("components", {})


def test_the_page_has_twenty_examples(door):
    examples = door.ask("GET", "/static/examples.json").json()
    assert len({one["title"] for one in examples}) == len({one["text"] for one in examples}) == 20


def test_it_answers_although_the_registry_is_away(tmp_path, monkeypatch):
    def away(*_: object) -> None:
        raise RegistryUnavailable("no registry")

    monkeypatch.setattr(bootstrap, "event_reader", away)
    door = Door(tmp_path, load=False)
    thread = threading.Thread(target=bootstrap.keep_champion, args=(door.shared, InMemoryRegistry()))
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while (missing := door.shared.readiness.missing).keys() & {CONTRACT_READ, MODEL_LOADED} != {
            CONTRACT_READ
        } or missing[CONTRACT_READ] == "starting":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert door.post({"text": "HTN"}).status_code == 200
        assert "no registry" in door.shared.readiness.missing[CONTRACT_READ]
    finally:
        door.shared.stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_a_model_that_is_not_there_yet_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "event_reader", lambda *_: lambda value: None)
    monkeypatch.setattr(bootstrap, "followers", lambda *_, **__: [])
    door = Door(tmp_path, load=False, model_retry_s=0.01)
    version, door.models._version = door.models._version, None
    thread = threading.Thread(target=bootstrap.keep_champion, args=(door.shared, InMemoryRegistry()))
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while "no alias" not in door.shared.readiness.missing.get(MODEL_LOADED, ""):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        door.models._version = version
        while MODEL_LOADED in door.shared.readiness.missing:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        door.shared.stop.set()
        thread.join(10)
    assert door.post({"text": "HTN"}).status_code == 200
