"""Avro's variable-length integers: tables for the common ones, functions for the rest.

The generated codec reads one byte, looks it up, and calls a function only when the number is longer than that byte.
"""

MAX_VARINT_BYTES = 10

_INT_MAX = 2**31 - 1
_LONG_MAX = 2**63 - 1

SHORT_LONGS: tuple[int | None, ...] = tuple((byte >> 1) ^ -(byte & 1) if byte < 0x80 else None for byte in range(0x100))
"""First byte to number; None when more bytes follow."""

SHORT_LENGTHS: tuple[int, ...] = tuple(byte >> 1 if byte < 0x80 and not byte & 1 else -1 for byte in range(0x100))
"""First byte to length; -1 when more bytes follow or the length is negative."""

# A time of our days in milliseconds has six bytes. Added up with their continuation bits, which are then taken away at once.
_CONTINUATIONS = sum(0x80 << (7 * index) for index in range(5))


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a position, and the position after it.

    Raises:
        IndexError: the bytes end inside the number.
        ValueError: the number has more than 64 bits.
    """
    six = data[at : at + 6]
    if len(six) == 6:
        a, b, c, d, e, f = six
        if a & b & c & d & e & 0x80 and f < 0x80:
            raw = a + (b << 7) + (c << 14) + (d << 21) + (e << 28) + (f << 35) - _CONTINUATIONS
            return (raw >> 1) ^ -(raw & 1), at + 6
        if a & b & 0x80 and c < 0x80:
            # Three bytes: offsets of a partition with 8 thousand to a million records.
            raw = (a & 0x7F) + ((b & 0x7F) << 7) + (c << 14)
            return (raw >> 1) ^ -(raw & 1), at + 3
    return _read_any_long(data, at)


def _read_any_long(data: bytes, at: int) -> tuple[int, int]:
    raw = 0
    for index in range(MAX_VARINT_BYTES):
        byte = data[at + index]
        raw |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if raw >> 64:
                break
            return (raw >> 1) ^ -(raw & 1), at + index + 1
    raise ValueError("a number has more than 64 bits")


def read_int(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of at most 32 bits, and the position after it. Raises as `read_long` does."""
    first = data[at]
    if first >= 0x80 > (second := data[at + 1]):
        # Two bytes: the offsets and lengths of nearly every note.
        raw = first - 0x80 + (second << 7)
        return (raw >> 1) ^ -(raw & 1), at + 2
    number, after = _read_any_long(data, at)
    if not -_INT_MAX - 1 <= number <= _INT_MAX:
        raise ValueError("a number has more than 32 bits")
    return number, after


def read_length(data: bytes, at: int) -> tuple[int, int]:
    """Return a length in bytes, and the position after it. Raises as `read_long` does, and ValueError when negative."""
    first = data[at]
    if first >= 0x80 > (second := data[at + 1]) and not first & 1:
        return (first - 0x80 + (second << 7)) >> 1, at + 2
    number, after = _read_any_long(data, at)
    if number < 0:
        raise ValueError("a length is negative")
    return number, after


_LAST_PAIRS = [bytes((low & 0x7F | 0x80, low >> 7)) for low in range(1 << 14)]
"""The two bytes of 14 bits that end a number, where the second is not zero; and of 14 bits that others follow."""
_PAIRS = [bytes((low & 0x7F | 0x80, low >> 7 | 0x80)) for low in range(1 << 14)]


def write_long(number: int) -> bytes:
    """Return the bytes of a number. Raises OverflowError beyond 64 bits."""
    if not -_LONG_MAX - 1 <= number <= _LONG_MAX:
        raise OverflowError("a number has more than 64 bits")
    raw = (number << 1) ^ (number >> 63)
    if raw >> 42 == 0 and raw >> 35:
        # The six bytes of a time of our days, two by two.
        return _PAIRS[raw & 0x3FFF] + _PAIRS[raw >> 14 & 0x3FFF] + _LAST_PAIRS[raw >> 28]
    written = bytearray()
    while raw > 0x7F:
        written.append(raw & 0x7F | 0x80)
        raw >>= 7
    written.append(raw)
    return bytes(written)


class _Longs(dict[int, bytes]):
    """Numbers to bytes: the small ones ready, the others computed and not kept."""

    def __missing__(self, number: int) -> bytes:
        return write_long(number)


class _Ints(dict[int, bytes]):
    def __missing__(self, number: int) -> bytes:
        if not -_INT_MAX - 1 <= number <= _INT_MAX:
            raise OverflowError("a number has more than 32 bits")
        return write_long(number)


LONGS = _Longs({number: write_long(number) for number in range(-64, 4096)})
"""Bytes of a number of at most 64 bits; also of lengths and counts."""

INTS = _Ints(LONGS)
"""Bytes of a number of at most 32 bits."""
