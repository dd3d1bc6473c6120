"""Batches read by ourselves, held against those that another client's builder made, whatever codec, size and transaction."""

import hashlib
import tracemalloc
from collections.abc import Iterator

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from contracts.reasons import Reason
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.kafka.deadletter import REASON, VALUE_BYTES, VALUE_SHA256, header
from runtime.kafka.records import InputRecord, OwnRecord
from runtime.service.metrics import Metrics
from runtime.stream import swollen
from runtime.stream.attempts import Attempts, quarantined
from runtime.stream.swollen import HELD_BYTES, Batch, _batches

AT = ("in", 3)
MIB = 1 << 20
CODECS = [0, 1, 2, 3, 4]
Row = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]


def built(rows: list[Row], codec: int, first: int = 0, producer: int = -1, *, transactional: bool = False) -> bytes:
    """A batch as a producer writes it and a broker stores it."""
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, 0, 0, 1 << 30)
    for number, (key, value, headers) in enumerate(rows):
        assert builder.append(number, 1_000 + number, key, value, headers) is not None
    data = bytearray(builder.build())
    data[:8] = first.to_bytes(8, "big")
    return bytes(data)


def read(data: bytes, room: int = MIB) -> list[OwnRecord]:
    return [own for batch in _batches(data, 0, ()) for own in batch.records(AT, bytearray(room))]


sized = st.one_of(st.none(), st.binary(max_size=300))
rows_of = st.lists(
    st.tuples(sized, sized, st.lists(st.tuples(st.text(max_size=8), sized), max_size=3)), min_size=1, max_size=12
)


@given(rows=rows_of, codec=st.sampled_from(CODECS), first=st.integers(0, 1 << 40))
@settings(max_examples=100)
def test_records_are_those_that_were_written(rows: list[Row], codec: int, first: int) -> None:
    wanted = [
        OwnRecord(InputRecord(*AT, first + number, 1_000 + number, key, value, tuple(headers)), None)
        for number, (key, value, headers) in enumerate(rows)
    ]
    assert read(built(rows, codec, first)) == wanted


@pytest.mark.parametrize("codec", [1, 3, 4])
def test_of_a_large_record_length_digest_and_small_headers_are_left(codec: int) -> None:
    bomb = bytes(40 * MIB)
    rows: list[Row] = [(b"a", b"one", []), (b"k", bomb, [("h", b"v"), ("x", bytes(MIB))]), (b"b", b"two", [])]
    data = built(rows, codec)
    [batch] = _batches(data, 0, ())
    assert batch.is_swollen(bytearray(32 * MIB))
    assert not batch.is_swollen(bytearray(64 * MIB))
    tracemalloc.start()
    one, large, two = batch.records(AT, bytearray(MIB))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB
    assert (one.record.value, two.record.value) == (b"one", b"two")
    assert one.doom is two.doom is None
    digest = hashlib.sha256(bomb).hexdigest().encode()
    assert large.doom is Reason.TOO_LARGE
    assert large.record == InputRecord(
        *AT, 1, 1_001, b"k", None, (("h", b"v"), (VALUE_BYTES, b"%d" % len(bomb)), (VALUE_SHA256, digest))
    )


def test_many_small_records_are_swollen_together_and_none_is_doomed() -> None:
    rows: list[Row] = [(b"%d" % number, bytes(MIB), []) for number in range(40)]
    data = built(rows, 4)
    [batch] = _batches(data, 0, ())
    assert batch.is_swollen(bytearray(32 * MIB))
    found = read(data)
    assert [own.record.offset for own in found] == list(range(40))
    assert all(own.doom is None and own.record.value == bytes(MIB) for own in found)


@pytest.mark.parametrize("codec", [1, 3, 4])
def test_where_a_content_breaks_off_every_offset_left_is_doomed(codec: int) -> None:
    data = built([(b"k", bytes([number]) * 5_000, []) for number in range(9)], codec)
    [whole] = _batches(data, 0, ())
    damaged = whole._replace(payload=whole.payload[: len(whole.payload) // 2])
    found = list(damaged.records(AT, bytearray(MIB)))
    assert [own.record.offset for own in found] == list(range(9))
    assert found[-1].doom is Reason.KILLED_PROCESS


def test_what_was_aborted_or_marks_the_end_of_a_transaction_is_not_readable() -> None:
    rows: list[Row] = [(b"k", b"v", [])]
    abort = bytearray(built([(b"\0\0\0\0", b"\0" * 6, [])], 0, 1, 7, transactional=True))
    abort[22] |= 0x20
    data = b"".join(
        (
            built(rows, 0, 0, 7, transactional=True),
            bytes(abort),
            built(rows, 0, 2, 7, transactional=True),
            built(rows, 0, 3, 8, transactional=True),
            built(rows, 0, 4),
        )
    )
    found = list(_batches(data, 0, [(7, 0)]))
    assert [(batch.first, batch.readable) for batch in found] == [
        (0, False),
        (1, False),
        (2, True),
        (3, True),
        (4, True),
    ]
    assert [batch.first for batch in _batches(data[:-3], 1, [(7, 0)])] == [1, 2, 3]


def test_rows_begin_at_the_offset_and_end_before_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"".join(built([(b"k", b"v", [])] * 3, codec, 3 * number) for number, codec in enumerate(CODECS))
    reader = swollen.SwollenReader.__new__(swollen.SwollenReader)
    reader._swollen_bytes = MIB
    asked: list[int] = []

    def answer(_partition: object, offset: int) -> list[Batch]:
        asked.append(offset)
        return list(_batches(data, offset, ()))[:2]

    monkeypatch.setattr(swollen, "_fetch", lambda _client, partition, offset: answer(partition, offset))
    monkeypatch.setattr(reader, "_run", lambda work: work(None))
    found = [own.record.offset for row in reader.rows(AT, 4, 12) for own in row]
    assert found == list(range(4, 12))
    assert asked == [4, 9]


def test_a_doomed_record_is_a_letter_with_its_digest_and_never_handled() -> None:
    attempts = Attempts(4, Metrics())
    handled: list[InputRecord] = []
    good = InputRecord(*AT, 4, 0, b"g", b"v")
    bad = InputRecord(*AT, 5, 0, b"b", None, ((VALUE_BYTES, b"%d" % (HELD_BYTES + 1)),))
    rows: Iterator[list[OwnRecord]] = iter([[OwnRecord(good, None), OwnRecord(bad, Reason.TOO_LARGE)]])
    [records] = attempts.doomed_noted(rows)
    handler = quarantined(lambda some: handled.extend(some) or (), attempts, "test")  # type: ignore[func-returns-value]
    [letter] = handler(records)
    assert handled == [good]
    assert header(letter.headers, REASON) == b"TOO_LARGE"
    assert header(letter.headers, VALUE_BYTES) == b"%d" % (HELD_BYTES + 1)
    attempts.moved(AT, 6)
    assert not attempts.condemns
