"""What goes into a handler and what comes out: plain immutable records.

They are named tuples because one is made for every note: a frozen dataclass takes three times as long to make.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

Headers = tuple[tuple[str, bytes | None], ...]


class InputRecord(NamedTuple):
    """One record as it lay on the topic.

    Attributes:
        timestamp_ms: The record's timestamp, UTC milliseconds; -1 when it has none.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class OutputRecord(NamedTuple):
    """One record to be published.

    Attributes:
        partition: Where it must lie; None: it follows from the key.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


Handler = Callable[[Sequence[InputRecord]], Sequence[OutputRecord]]
"""Records in, records out: decodes nothing by itself, publishes nothing."""
