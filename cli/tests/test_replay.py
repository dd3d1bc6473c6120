"""A dead letter goes back as the note that it is: of its source, under its key."""

import json

import pytest
from runtime.deadletter import SOURCE
from rxtract import replay as command
from rxtract.addresses import StackAddresses
from rxtract.reading import Seen


@pytest.fixture
def sent(monkeypatch):
    records = []
    monkeypatch.setattr(command, "_send", lambda _addresses, batch: records.extend(batch))
    monkeypatch.setattr(command, "encode", lambda _addresses, _topic, fields: json.dumps(fields).encode())
    return records


def letter(key: bytes, fields: dict, source: str = "") -> Seen:
    headers = (("content-type", b"application/json"), *(((SOURCE, source.encode()),) if source else ()))
    return Seen("notes.submitted.v1.dlq", 0, 0, 0, key, json.dumps(fields).encode(), headers, None, "")


def test_a_note_that_came_by_http_is_of_the_source_of_its_token(sent):
    command.replay(StackAddresses(), [letter(b"clinic|n", {"note_id": "n", "text": "x"}, "clinic")])
    ((_, key, value, _),) = [tuple(one)[:4] for one in sent]
    assert (key, json.loads(value)) == (b"clinic|n", {"source": "clinic", "note_id": "n", "text": "x"})


def test_a_mended_identity_has_its_own_key(sent):
    command.replay_mended(
        StackAddresses(), letter(b"clinic|", {"note_id": ""}, "clinic"), {"note_id": "n|1", "text": "x"}
    )
    assert sent[0].key == b"clinic|n|1"
