"""What is sent back of a dead letter, how often, and what cannot be."""

import pytest
from contracts.reasons import Reason
from runtime.deadletter import ATTEMPT, REPLAYED, VALUE_BYTES, dead_letter, header, without_value
from runtime.records import InputRecord, OutputRecord
from rxtract.errors import UserError
from rxtract.reading import Seen
from rxtract.replay import as_it_was, attempts, bytes_left_out, check_bytes

RECORD = InputRecord("in", 3, 41, 0, b"k", b"value", (("trace", b"1"),))


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
