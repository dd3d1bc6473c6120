"""Dead letters keep what came, and say why without saying what."""

import hashlib

import pytest
from contracts.reasons import Reason
from contracts.records import Origin
from hypothesis import given
from hypothesis import strategies as st
from runtime.errors import BudgetExceeded
from runtime.kafka.deadletter import (
    ATTEMPT,
    ERROR_HEADERS,
    EXCEPTION,
    MESSAGE,
    OFFSET,
    ORIGIN,
    PARTITION,
    REASON,
    REPLAYED,
    SCHEMA_ID,
    STAGE,
    TOPIC,
    VALUE_BYTES,
    VALUE_SHA256,
    DeadLetterBudget,
    dead_letter,
    header,
    origin_of,
    without_value,
)
from runtime.kafka.records import InputRecord

RECORD = InputRecord("notes", 3, 41, 0, b"key", b"\x00\x00\x00\x00\x07body", (("trace", b"1"), ("trace", b"2")))


def test_key_value_and_headers_are_the_original_ones() -> None:
    letter = dead_letter(RECORD, Reason.TRUNCATED, "ingestor")
    assert letter.topic == "notes.dlq"
    assert (letter.key, letter.value) == (RECORD.key, RECORD.value)
    assert letter.headers[:2] == RECORD.headers


def test_the_headers_are_kafkas_own_names_and_ours() -> None:
    headers = dict(dead_letter(RECORD, Reason.TRUNCATED, "ingestor").headers)
    assert headers[TOPIC] == b"notes"
    assert headers[PARTITION] == b"3"
    assert headers[OFFSET] == b"41"
    assert headers[MESSAGE] == Reason.TRUNCATED.sentence.encode()
    assert EXCEPTION == "__streams.errors.exception"
    assert headers[REASON] == b"TRUNCATED"
    assert headers[STAGE] == b"ingestor"
    assert headers[ATTEMPT] == b"1"
    assert headers[SCHEMA_ID] == b"7"


@pytest.mark.parametrize("origin", [*Origin, None])
def test_a_letter_says_of_which_origin_its_note_was_and_a_replay_takes_that_off(origin: Origin | None) -> None:
    headers = dead_letter(RECORD, Reason.EMPTY_TEXT, "ingestor", origin=origin).headers
    assert origin_of(headers) is origin
    assert origin_of((*headers, (ORIGIN, b"ELSEWHERE"))) is None
    assert {name for name, _ in headers} - ERROR_HEADERS == {"trace", ATTEMPT}


@pytest.mark.parametrize(
    ("value", "expected"), [(None, b""), (b"", b""), (b"\x00\x00", b""), (b"\x01\x00\x00\x00\x07", b"")]
)
def test_a_value_without_a_schema_id_has_none(value: bytes | None, expected: bytes) -> None:
    letter = dead_letter(RECORD._replace(value=value), Reason.WRONG_MAGIC_BYTE, "ingestor")
    assert header(letter.headers, SCHEMA_ID) == expected


@pytest.mark.parametrize(
    ("seen", "attempt"), [(b"1", b"2"), (b"41", b"42"), (b"x", b"1"), (b"", b"1"), (b"9" * 5000, b"1")]
)
def test_a_replayed_record_counts_its_attempts(seen: bytes, attempt: bytes) -> None:
    headers = ((ATTEMPT, seen), (REPLAYED, b"in.dlq 0:7"))
    letter = dead_letter(RECORD._replace(headers=headers), Reason.TRUNCATED, "ingestor")
    assert header(letter.headers, ATTEMPT) == attempt


def test_a_senders_own_attempt_header_counts_nothing() -> None:
    letter = dead_letter(RECORD._replace(headers=((ATTEMPT, b"99"),)), Reason.TRUNCATED, "ingestor")
    assert header(letter.headers, ATTEMPT) == b"1"


@pytest.mark.parametrize("large", ["key", "header", "neither"])
def test_a_letter_without_its_value_says_how_long_it_was_and_where_it_stands(large: str) -> None:
    value, much = b"x" * 1_000, b"y" * 100_000
    own = (("trace", much if large == "header" else b"1"),)
    record = RECORD._replace(value=value, key=much if large == "key" else b"k", headers=own)
    letter = dead_letter(record, Reason.TOO_LARGE, "ingestor")
    less = without_value(letter)
    assert (less.value, less.topic) == (None, letter.topic)
    assert header(less.headers, VALUE_BYTES) == b"1000"
    assert header(less.headers, VALUE_SHA256) == hashlib.sha256(value).hexdigest().encode()
    for name in (TOPIC, PARTITION, OFFSET, REASON, ATTEMPT):
        assert header(less.headers, name) == header(letter.headers, name)
    assert (less.key == b"k") == (large != "key")
    assert (header(less.headers, "trace") == b"1") == (large == "neither")
    assert len(less.key or b"") + sum(len(name) + len(content or b"") for name, content in less.headers) < 70_000


def test_a_letter_can_be_as_large_as_the_record() -> None:
    value = b"x" * 10_000_000
    assert dead_letter(RECORD._replace(value=value), Reason.TOO_LARGE, "ingestor").value is value


def test_the_budget_ends_with_the_hundredth_in_a_row() -> None:
    budget = DeadLetterBudget()
    budget.count(dead=False)
    for _ in range(99):
        budget.count(dead=True)
    budget.count(dead=False)
    for _ in range(99):
        budget.count(dead=True)
    with pytest.raises(BudgetExceeded, match="100 records in a row"):
        budget.count(dead=True)


def test_before_the_first_good_record_a_few_in_a_row_are_enough() -> None:
    budget = DeadLetterBudget()
    for _ in range(9):
        budget.count(dead=True)
    with pytest.raises(BudgetExceeded, match="first 10 records since the start"):
        budget.count(dead=True)


def test_a_few_bad_records_at_the_beginning_pass() -> None:
    budget = DeadLetterBudget()
    for dead in [True] * 9 + [False] + [True] * 99:
        budget.count(dead=dead)


def test_restarts_do_not_drain_the_topic_into_the_dead_letters() -> None:
    """Each start commits behind the batches that its own budget let pass: small batches, nothing readable."""
    passed = [committed_until_refused(DeadLetterBudget(), batch=2) for _ in range(3)]
    assert passed == [8, 8, 8]


def committed_until_refused(budget: DeadLetterBudget, batch: int) -> int:
    for begin in range(0, 1_000, batch):
        try:
            for _ in range(batch):
                budget.count(dead=True)
        except BudgetExceeded:
            return begin
    raise AssertionError("drained")


def test_a_small_limit_also_holds_at_the_start() -> None:
    budget = DeadLetterBudget(consecutive=3)
    budget.count(dead=True)
    budget.count(dead=True)
    with pytest.raises(BudgetExceeded):
        budget.count(dead=True)


def test_the_budget_ends_above_a_fifth_of_the_last_500() -> None:
    budget = DeadLetterBudget()
    for number in range(500):
        budget.count(dead=number % 5 == 0)  # exactly a fifth is still allowed
    budget.count(dead=True)  # the oldest, a dead one, leaves the window as this one enters
    with pytest.raises(BudgetExceeded, match="101 of the last 500"):
        budget.count(dead=True)


def test_a_steady_trickle_is_within_the_budget() -> None:
    budget = DeadLetterBudget()
    for number in range(20_000):
        budget.count(dead=number % 6 == 0)


@given(st.lists(st.lists(st.booleans(), max_size=30), max_size=30), st.integers(1, 8))
def test_counting_a_batch_at_once_is_counting_each(batches, window):
    one, all_ = (DeadLetterBudget(consecutive=20, share=0.9, window=window, untried=20) for _ in range(2))
    for batch in batches:
        ends = []
        for budget in (one, all_):
            try:
                if budget is all_:
                    budget.count_all(batch)
                else:
                    for dead in batch:
                        budget.count(dead=dead)
                ends.append("")
            except BudgetExceeded as error:
                ends.append(str(error))
        assert ends[0] == ends[1]
        assert vars(one) == vars(all_)
        if ends[0]:
            return
