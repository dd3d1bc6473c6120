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


def header(record: Record, name: str) -> bytes | None:
    """The last value of a header; None when there is none. A sender may write ours before us: the last is ours."""
    found = None
    for key, value in record.headers:
        if key == name:
            found = value or b""
    return found


def number(text: bytes | None) -> int | None:
    """A whole number as headers spell it; None for anything else."""
    return int(text) if text is not None and text.removeprefix(b"-").isdigit() else None
