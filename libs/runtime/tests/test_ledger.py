"""The ledger never offers an offset behind which something is unfinished, whatever the order of things."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime.stream.ledger import OffsetLedger, RepeatedOffsetsError, UnknownPartitionError, cut, record_bytes

TP = ("notes", 0)


@dataclass(frozen=True)
class Fetched:
    offset: int
    key: bytes | None = b"k"
    value: bytes | None = b"value"
    headers: tuple = ()


def rows(first: int, last: int) -> list[Fetched]:
    return [Fetched(offset) for offset in range(first, last + 1)]


@pytest.fixture
def ledger() -> OffsetLedger:
    ledger = OffsetLedger()
    ledger.expect(TP, 10)
    return ledger


def test_commit_waits_for_the_head(ledger):
    first = ledger.deliver(TP, rows(10, 14), 1)
    second = ledger.deliver(TP, rows(15, 19), 1)
    ledger.start(first)
    ledger.start(second)
    ledger.finish(second)
    assert ledger.committable() == {}
    ledger.finish(first)
    assert ledger.committable() == {TP: 20}


def test_offers_until_the_broker_has_stored_it(ledger):
    batch = ledger.deliver(TP, rows(10, 11), 1)
    ledger.start(batch)
    ledger.finish(batch)
    assert ledger.committable() == {TP: 12} == ledger.committable()
    ledger.committed({TP: 12})
    assert ledger.committable() == {}


@pytest.mark.parametrize(("first", "last"), [(9, 12), (9, 9), (0, 5)])
def test_refuses_what_was_delivered(ledger, first, last):
    with pytest.raises(RepeatedOffsetsError):
        ledger.deliver(TP, rows(first, last), 1)
    assert ledger.held_batches == 0


def test_refuses_a_batch_that_comes_twice(ledger):
    ledger.deliver(TP, rows(10, 14), 1)
    with pytest.raises(RepeatedOffsetsError):
        ledger.deliver(TP, rows(10, 14), 1)


def test_holes_are_lawful_between_batches_and_inside(ledger):
    batch = ledger.deliver(TP, [Fetched(12), Fetched(15)], 1)
    ledger.start(batch)
    ledger.finish(batch)
    assert ledger.committable() == {TP: 16}


def test_what_was_passed_over_is_committed_behind_what_came_before(ledger):
    batch = ledger.deliver(TP, rows(10, 11), 1)
    ledger.pass_over(TP, 14)
    assert ledger.committable() == {}
    ledger.start(batch)
    assert ledger.put_back() == {}
    ledger.finish(batch)
    assert ledger.committable() == {TP: 14}
    assert (ledger.held_batches, ledger.held_bytes) == (0, 0)
    ledger.pass_over(TP, 13)  # what lies behind is passed already
    assert ledger.idle() == {TP: 14}
    assert ledger.idle({TP}) == {}


def test_unknown_partition_is_refused(ledger):
    with pytest.raises(UnknownPartitionError):
        ledger.deliver(("notes", 5), rows(0, 1), 1)


def test_what_was_taken_from_us_is_never_committed(ledger):
    batch = ledger.deliver(TP, rows(10, 14), 1)
    ledger.start(batch)
    ledger.forget([TP])
    assert ledger.finish(batch) is False
    assert ledger.committable() == {}
    ledger.expect(TP, 10)
    assert ledger.committable() == {}


def test_a_batch_not_begun_is_dropped_at_once_and_cannot_be_begun(ledger):
    batch = ledger.deliver(TP, rows(10, 14), 100)
    ledger.forget([TP])
    assert (ledger.held_batches, ledger.held_bytes) == (0, 0)
    assert ledger.start(batch) is False


def test_a_batch_that_runs_on_counts_as_held_until_it_ends(ledger):
    batch = ledger.deliver(TP, rows(10, 14), 100)
    ledger.start(batch)
    ledger.forget([TP])
    assert (ledger.held_bytes, ledger.started) == (100, 1)
    ledger.finish(batch)
    ledger.finish(batch)
    assert (ledger.held_batches, ledger.held_bytes, ledger.started) == (0, 0, 0)
    assert batch.records == ()


def test_put_back_is_what_nobody_works_on(ledger):
    first = ledger.deliver(TP, rows(10, 14), 5)
    second = ledger.deliver(TP, rows(15, 19), 5)
    ledger.deliver(TP, rows(20, 24), 5)
    ledger.start(first)
    assert ledger.put_back() == {TP: 15}
    assert ledger.start(second) is False
    assert (ledger.held_batches, ledger.held_bytes) == (1, 5)
    ledger.finish(first)
    assert ledger.committable() == {TP: 15}
    ledger.deliver(TP, rows(15, 16), 1)  # they come again


def test_a_seek_begins_anew(ledger):
    old = ledger.deliver(TP, rows(10, 14), 1)
    ledger.start(old)
    ledger.expect(TP, 10)
    new = ledger.deliver(TP, rows(10, 11), 1)
    ledger.start(new)
    ledger.finish(old)
    assert ledger.committable() == {}
    ledger.finish(new)
    assert ledger.committable() == {TP: 12}


def test_lag_is_what_lies_behind_the_commits(ledger):
    ledger.expect(("notes", 1), 0)
    assert ledger.behind(lambda one, offset: 25 - offset if one == TP else None) == {TP: 15}


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(1, 20), st.integers(1, 500))
def test_cut_keeps_all_in_order_and_within_bounds(sizes, max_records, max_bytes):
    records = [Fetched(number, value=b"x" * size, key=None) for number, size in enumerate(sizes)]
    cuts = list(cut(records, max_records, max_bytes))
    assert [record for row, _ in cuts for record in row] == records
    for row, size in cuts:
        assert 1 <= len(row) <= max_records
        assert size == sum(record_bytes(record) for record in row)
        assert size <= max_bytes or len(row) == 1


def test_record_bytes_counts_headers_and_bears_nulls():
    assert record_bytes(Fetched(0, key=None, value=None, headers=(("a", b"bc"), ("d", None)))) == 4


@given(st.data())
def test_never_commits_past_anything_unfinished(data):
    ledger = OffsetLedger()
    ledger.expect(TP, 0)
    under_way, done, end = [], set(), 0
    for _ in range(data.draw(st.integers(1, 40))):
        if data.draw(st.booleans()) or not under_way:
            size = data.draw(st.integers(1, 5))
            batch = ledger.deliver(TP, rows(end, end + size - 1), size)
            ledger.start(batch)
            under_way.append(batch)
            end += size
        else:
            batch = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
            ledger.finish(batch)
            done.update(range(batch.first, batch.last + 1))
        offset = ledger.committable().get(TP, 0)
        assert set(range(offset)) <= done
    for batch in under_way:
        ledger.finish(batch)
    assert ledger.committable().get(TP, 0) == end
    assert (ledger.held_batches, ledger.held_bytes) == (0, 0)
