"""Dead letters: the original key, bytes and headers, and beside them why, where and how often.

Header names are Kafka's own (KIP-1034), so that existing tools read them; ours begin with ``rxtract.``. No header holds text of a note.

A value that is larger than the producer or the topic takes is left out: its length and digest stand in its place, and the bytes stay where
topic, partition and offset say, for as long as that topic keeps them.
"""

import hashlib
from collections import deque
from collections.abc import Sequence

from contracts.identity import is_source
from contracts.reasons import Reason
from contracts.records import Origin
from contracts.topics import dlq_of
from contracts.wire import schema_id_of

from runtime.errors import BudgetExceeded
from runtime.kafka.records import Headers, InputRecord, OutputRecord

EXCEPTION = "__streams.errors.exception"
MESSAGE = "__streams.errors.message"
STACKTRACE = "__streams.errors.stacktrace"
TOPIC = "__streams.errors.topic"
PARTITION = "__streams.errors.partition"
OFFSET = "__streams.errors.offset"
REASON = "rxtract.reason"
STAGE = "rxtract.stage"
ATTEMPT = "rxtract.attempt"
SCHEMA_ID = "rxtract.schema-id"
ORIGIN = "rxtract.origin"
SOURCE = "rxtract.source"
VALUE_BYTES = "rxtract.value-bytes"
"""How long the value was that the letter does not hold; a letter without this header holds its value."""
VALUE_SHA256 = "rxtract.value-sha256"
RESULT = "rxtract.result"
"""Of a delivery that was given up: what its receiver answered last."""
SEALED_WITH = "rxtract.sealed-with"
"""Names the key under which a letter's whole value is sealed."""
REPLAYED = "rxtract.replayed"
"""Set by a replay: the place of the letter it was made of. Only beside it is ``rxtract.attempt`` ours, and not the sender's."""

ERROR_HEADERS = frozenset(
    {
        EXCEPTION,
        MESSAGE,
        STACKTRACE,
        TOPIC,
        PARTITION,
        OFFSET,
        REASON,
        STAGE,
        SCHEMA_ID,
        ORIGIN,
        SOURCE,
        VALUE_BYTES,
        VALUE_SHA256,
        RESULT,
    }
)
"""What a replay takes off again. ``rxtract.attempt`` stays, so that replays are counted."""

_WIRE_PREFIX_BYTES = 5
KEPT_BYTES = 65_536  # of key and sender's headers beside a value that was left out: what any topic takes


def header(headers: Headers, name: str) -> bytes | None:
    """The last value of a header, or None."""
    return next((value for key, value in reversed(headers) if key == name), None)


def attempt_of(record: InputRecord) -> int:
    """How often this record was tried: 1, or one more than the attempt it was replayed from.

    A sender may use our header's name for something of its own: only a replay's counts.
    """
    seen = (header(record.headers, ATTEMPT) or b"") if header(record.headers, REPLAYED) is not None else b""
    return int(seen) + 1 if seen.isdigit() and len(seen) < _WIRE_PREFIX_BYTES else 1


def origin_of(headers: Headers) -> Origin | None:
    """The origin of a dead letter's note; None when the note could not say, or in a letter that is older than the header."""
    said = (header(headers, ORIGIN) or b"").decode("ascii", "replace")
    return Origin(said) if said in Origin.__members__ else None


def dead_letter(
    record: InputRecord,
    reason: Reason,
    stage: str,
    attempt: int | None = None,
    *,
    schema_id: int | None = None,
    origin: Origin | None = None,
    source: str | None = None,
) -> OutputRecord:
    """Make the dead letter of a record: original key, bytes and headers, then the error headers.

    Args:
        record: What could not be handled.
        reason: The code; its sentence becomes the message.
        stage: Who refused it, for example ``ingestor``.
        attempt: Which try this was; read from the record's own headers when left out.
        schema_id: The writer schema's id; read from the value when left out.
        origin: The note's, where it could be read: what is no live note must not count as one.
        source: The note's, where it could be read or the client's token says it.
    """
    schema = schema_id_of(record.value) if schema_id is None else schema_id
    added: list[tuple[str, str]] = [
        (EXCEPTION, "runtime.errors.Poison"),
        (MESSAGE, reason.sentence),
        (STACKTRACE, ""),
        (TOPIC, record.topic),
        (PARTITION, str(record.partition)),
        (OFFSET, str(record.offset)),
        (REASON, reason.value),
        (STAGE, stage),
        (ATTEMPT, str(attempt_of(record) if attempt is None else attempt)),
        (SCHEMA_ID, "" if schema is None else str(schema)),
    ]
    if origin is not None:
        added.append((ORIGIN, origin.value))
    if source is not None and is_source(source):
        added.append((SOURCE, source))
    headers = record.headers + tuple((name, value.encode()) for name, value in added)
    return OutputRecord(dlq_of(record.topic), record.key, record.value, headers)


def is_dead_letter(record: OutputRecord) -> bool:
    """Whether a record is one of ours."""
    return bool(record.headers) and header(record.headers, REASON) is not None


def without_value(letter: OutputRecord) -> OutputRecord:
    """The letter without its value, which nobody takes: its length and digest instead, small enough for every topic.

    The key and the sender's headers stay unless they are large themselves.
    """
    value = letter.value or b""
    added = ((VALUE_BYTES, str(len(value)).encode()), (VALUE_SHA256, hashlib.sha256(value).hexdigest().encode()))
    size = len(letter.key or b"") + sum(len(name) + len(content or b"") for name, content in letter.headers)
    if size <= KEPT_BYTES:
        return letter._replace(value=None, headers=letter.headers + added)
    ours = {name: content for name, content in letter.headers if name in ERROR_HEADERS or name == ATTEMPT}
    key = letter.key if letter.key is not None and len(letter.key) <= KEPT_BYTES else None
    return letter._replace(key=key, value=None, headers=(*ours.items(), *added))


class DeadLetterBudget:
    """How many dead letters a consumer of an already validated topic may write before it must stop.

    Ask it before anything of the batch is published: then a bad deploy leaves nothing of its last batch in the DLQ.

    It lives in the process's memory, so until the first good record a few refusals in a row are enough: a process that is started
    again and again, and can read nothing, takes at most ``untried - 1`` records from the topic each time. A few bad records at the
    beginning of a partition still pass.

    Args:
        consecutive: So many refused in a row use the budget up.
        share: More than this share of the window does too.
        window: How many records the share is of; it counts once so many were seen.
        untried: In place of ``consecutive`` before the first good record of this process.
    """

    def __init__(self, consecutive: int = 100, share: float = 0.2, window: int = 500, untried: int = 10) -> None:
        self._consecutive_max = consecutive
        self._untried_max = min(untried, consecutive)
        self._seen_good = False
        self._share_max = share
        self._window: deque[bool] = deque(maxlen=window)
        self._dead_in_window = 0
        self._consecutive = 0

    def count_all(self, dead: Sequence[bool]) -> None:
        """Count the records of a batch; where none was or is refused that costs next to nothing.

        Raises:
            BudgetExceeded: With one of them the budget is used up.
        """
        if self._dead_in_window or True in dead:
            for one in dead:
                self.count(dead=one)
        elif dead:
            self._window.extend(dead)
            self._seen_good, self._consecutive = True, 0

    def count(self, *, dead: bool) -> None:
        """Count one record in order of its offset.

        Raises:
            BudgetExceeded: With this record the budget is used up.
        """
        full = len(self._window) == self._window.maxlen
        if full:
            self._dead_in_window -= self._window[0]
        self._window.append(dead)
        self._dead_in_window += dead
        self._seen_good = self._seen_good or not dead
        self._consecutive = self._consecutive + 1 if dead else 0
        if not self._seen_good and self._consecutive >= self._untried_max:
            raise BudgetExceeded(
                f"the first {self._consecutive} records since the start were all refused: stopping, fix the release and restart"
            )
        if self._consecutive >= self._consecutive_max:
            raise BudgetExceeded(
                f"{self._consecutive} records in a row were refused: stopping, fix the release and restart"
            )
        if len(self._window) == self._window.maxlen and self._dead_in_window > self._share_max * len(self._window):
            raise BudgetExceeded(
                f"{self._dead_in_window} of the last {len(self._window)} records were refused: stopping, fix the release and restart"
            )
