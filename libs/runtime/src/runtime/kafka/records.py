"""What goes into a handler and what comes out: plain immutable records.

They are named tuples because one is made for every note: a frozen dataclass takes three times as long to make.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from contracts.reasons import Reason

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


class OwnRecord(NamedTuple):
    """A record that no client read (`runtime.stream.swollen`), and why it must not be handled; None: it may."""

    record: InputRecord
    doom: Reason | None


class OutputRecord(NamedTuple):
    """One record to be published.

    Attributes:
        partition: Where it must lie; None: it follows from the key.
        is_state: Sent only when all else of its batch, and of every batch before, is acknowledged: a state that outlives a crash must
            not say of a record that it was sent, when it was not.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
    is_state: bool = False


Handler = Callable[[Sequence[InputRecord]], Sequence[OutputRecord]]
"""Records in, records out: decodes nothing by itself, publishes nothing."""
