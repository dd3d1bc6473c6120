"""One record as the ledger sees it."""

from typing import NamedTuple


class Record(NamedTuple):
    """Of any of the topics.

    Attributes:
        at_ms: Its timestamp, UTC milliseconds; -1 when it has none.
    """

    topic: str
    partition: int
    offset: int
    at_ms: int
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def header(record: Record, name: str) -> str | None:
    """The last value of a header as text; None when there is none. A sender may write ours before us: the last is ours."""
    found = None
    for key, value in record.headers:
        if key == name:
            found = value or b""
    return None if found is None else found.decode("utf-8", "replace")


def number(text: str | None) -> int | None:
    """A whole number as headers spell it; None for anything else."""
    if text is None or not text.removeprefix("-").isdecimal() or not text.isascii():
        return None
    return int(text)
