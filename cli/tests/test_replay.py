"""What is sent back of a dead letter, under which key, how often, and what cannot be."""

import json

import pytest
from contracts.reasons import Reason
from runtime.kafka.deadletter import ATTEMPT, REPLAYED, SOURCE, VALUE_BYTES, dead_letter, header, without_value
from runtime.kafka.letters import as_it_was, attempts, bytes_left_out
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.kafka.seen import Seen
from rxtract import replay as command
from rxtract.addresses import StackAddresses
from rxtract.errors import UserError
from rxtract.replay import check_bytes

RECORD = InputRecord("in", 3, 41, 0, b"k", b"value", (("trace", b"1"),))


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


def seen(letter: OutputRecord) -> Seen:
    return Seen(letter.topic, 0, 7, 0, letter.key, letter.value, letter.headers, None, "TRUNCATED")


def again(letter: OutputRecord) -> InputRecord:
    sent = as_it_was(seen(letter))
    return InputRecord(sent.topic, 3, 50, 0, sent.key, sent.value, sent.headers)


def test_a_replay_is_counted_and_the_record_is_as_it_was() -> None:
    record = again(dead_letter(RECORD, Reason.TRUNCATED, "tester"))
    assert (record.topic, record.key, record.value, record.headers[0]) == ("in", b"k", b"value", ("trace", b"1"))
    assert header(record.headers, REPLAYED) == b"in.dlq 0:7"
    letter = dead_letter(record, Reason.TRUNCATED, "tester")
    assert attempts(seen(letter)) == 2
    assert attempts(seen(dead_letter(again(letter), Reason.TRUNCATED, "tester"))) == 3


def test_a_senders_own_attempt_header_does_not_use_up_the_tries() -> None:
    letter = dead_letter(RECORD._replace(headers=((ATTEMPT, b"99"),)), Reason.TRUNCATED, "tester")
    assert attempts(seen(letter)) == 1
    assert header(again(letter).headers, ATTEMPT) == b"1"


def test_a_letter_without_bytes_says_where_they_stand() -> None:
    letter = without_value(dead_letter(RECORD, Reason.TOO_LARGE, "tester"))
    assert bytes_left_out(seen(letter)) == 5
    with pytest.raises(UserError, match=r"the 5 of the record .* stand at in 3:41"):
        check_bytes(seen(letter))


def test_a_senders_own_header_does_not_hide_the_bytes() -> None:
    letter = dead_letter(RECORD._replace(headers=((VALUE_BYTES, b"5"),)), Reason.TRUNCATED, "tester")
    assert bytes_left_out(seen(letter)) == 0
    check_bytes(seen(letter))
