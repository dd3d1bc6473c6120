"""Numbers of every length are written and read, and nothing longer."""

import pytest
from contracts.varint import INTS, LONGS, SHORT_LENGTHS, SHORT_LONGS, read_int, read_length, read_long, write_long
from hypothesis import given
from hypothesis import strategies as st

EDGES = [sign * (2**power + offset) for power in range(63) for offset in (-1, 0, 1) for sign in (1, -1)]


@given(st.integers(-(2**63), 2**63 - 1) | st.sampled_from(EDGES))
def test_a_long_comes_back(number: int) -> None:
    data = b"x" + write_long(number) + b"\x00" * 8
    assert LONGS[number] == write_long(number)
    assert read_long(data, 1) == (number, len(data) - 8)
    assert read_long(data[:-8], 1) == (number, len(data) - 8)
    if len(write_long(number)) == 1:
        assert SHORT_LONGS[data[1]] == number


@given(st.integers(-(2**31), 2**31 - 1))
def test_an_int_comes_back(number: int) -> None:
    data = b"x" + INTS[number]
    assert read_int(data, 1) == (number, len(data))


@given(st.integers(0, 2**62))
def test_a_length_comes_back_and_a_negative_one_is_refused(length: int) -> None:
    data = b"x" + LONGS[length]
    assert read_length(data, 1) == (length, len(data))
    with pytest.raises(ValueError, match="negative"):
        read_length(LONGS[-length - 1], 0)


def test_small_numbers_are_in_the_tables() -> None:
    assert [SHORT_LONGS[byte] for byte in (0, 1, 2, 3, 127, 128)] == [0, -1, 1, -2, -64, None]
    assert [SHORT_LENGTHS[byte] for byte in (0, 1, 2, 126, 127, 128)] == [0, -1, 1, 63, -1, -1]


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1])
def test_more_than_32_bits_are_no_int(number: int) -> None:
    with pytest.raises(OverflowError):
        INTS[number]
    with pytest.raises(ValueError, match="32 bits"):
        read_int(LONGS[number], 0)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_more_than_64_bits_are_not_written(number: int) -> None:
    with pytest.raises(OverflowError):
        LONGS[number]


@pytest.mark.parametrize("data", [b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x00", b"\x80" * 1000])
def test_more_than_64_bits_are_not_read(data: bytes) -> None:
    for read in (read_long, read_int, read_length):
        with pytest.raises(ValueError, match="64 bits"):
            read(data, 0)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80" * 5, b"\x80" * 9])
def test_numbers_that_are_cut_are_not_read(data: bytes) -> None:
    for read in (read_long, read_int, read_length):
        with pytest.raises(IndexError):
            read(data, 0)
