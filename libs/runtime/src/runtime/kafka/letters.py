"""The way back of a dead letter: what is sent again, under which key, how often, and what cannot be. The command and the control page use it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from contracts.identity import note_key
from contracts.record import Record
from contracts.registry import Registry
from contracts.topics import DLQ_SUFFIX, subject_of
from contracts.wire import Serializer

from runtime.errors import RxtractError
from runtime.kafka.deadletter import (
    ATTEMPT,
    ERROR_HEADERS,
    OFFSET,
    PARTITION,
    REASON,
    REPLAYED,
    SEALED_WITH,
    SOURCE,
    STAGE,
    TOPIC,
    VALUE_BYTES,
)
from runtime.kafka.records import OutputRecord
from runtime.kafka.seen import Seen, record_type

MAX_ATTEMPTS = 5
Encode = Callable[[str, dict[str, Any]], bytes]
"""From a topic's full name and the fields of a record to wire bytes; raises LetterError."""
Seal = Callable[[Record], Record]
"""Seals the texts of a record that goes back; raises LetterError."""


class LetterError(RxtractError):
    """A letter cannot be sent again so. The message says what to do, and holds nothing of a note."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many dead letters were sent back, how many had been tried too often, are no record at all, or hold no bytes."""

    sent: int
    exhausted: int
    unreadable: int
    without_bytes: int = 0


def to_send(
    letters: Iterable[Seen], encode: Encode, *, max_attempts: int = MAX_ATTEMPTS
) -> tuple[list[OutputRecord], Replayed]:
    """What goes back of some letters: each one's original key, bytes and headers; its attempt header stays, so that tries are counted.

    A note that came by HTTP is JSON; it goes to the topic as the record that it says it is.
    """
    records: list[OutputRecord] = []
    exhausted = unreadable = without_bytes = 0
    for letter in letters:
        if bytes_left_out(letter):
            without_bytes += 1
            continue
        if letter.problem and letter.header(SEALED_WITH):
            unreadable += 1  # sealed, and not ours to open: as it is the door could not read it
            continue
        if attempts(letter) >= max_attempts:
            exhausted += 1
            continue
        try:
            records.append(_as_record(letter, encode))
        except LetterError:
            unreadable += 1
    return records, Replayed(len(records), exhausted, unreadable, without_bytes)


def mended(letter: Seen, fields: dict[str, Any], encode: Encode) -> OutputRecord:
    """A mended record in a letter's place, encoded with the schema that is registered now.

    Raises:
        LetterError: `fields` is not a record of the letter's topic.
    """
    return _with(letter, as_it_was(letter), fields, encode)


def bytes_left_out(letter: Seen) -> int:
    """Return how many bytes a letter's record had that the letter does not hold; 0 for a letter that holds its record."""
    size = letter.header(VALUE_BYTES) if letter.value is None else ""  # beside a value the header is the sender's own
    return int(size) if size.isdigit() else 0


def check_bytes(letter: Seen) -> None:
    """Refuse a letter that holds no bytes, and say where they stand.

    Raises:
        LetterError: It holds none.
    """
    if not (size := bytes_left_out(letter)):
        return
    raise LetterError(
        f"this letter holds no bytes: the {size} of the record were more than a dead letter may have; they stand at "
        f"{letter.header(TOPIC)} {letter.header(PARTITION)}:{letter.header(OFFSET)} for as long as that topic keeps them "
        "(read them there with kcat -t TOPIC -p PARTITION -o OFFSET -c 1), and a mended record is sent with --with"
    )


def as_it_was(letter: Seen) -> OutputRecord:
    """Return the record as it lay on its topic before it was refused."""
    ours = {*ERROR_HEADERS, REPLAYED, ATTEMPT, SEALED_WITH}
    headers = tuple((name, value) for name, value in letter.headers if name not in ours)
    counted = ((ATTEMPT, str(attempts(letter)).encode()), (REPLAYED, place_of(letter).encode()))
    return OutputRecord(letter.topic.removesuffix(DLQ_SUFFIX), letter.key, letter.value, headers + counted)


def place_of(letter: Seen) -> str:
    """Its topic, partition and offset in words."""
    return f"{letter.topic} {letter.partition}:{letter.offset}"


def attempts(letter: Seen) -> int:
    """Return how often the letter was tried already."""
    seen = letter.header(ATTEMPT)
    return int(seen) if seen.isdigit() else 1


def summary(letter: Seen) -> dict[str, Any]:
    """A letter without what is in it, as `rxtract dlq list --json` prints it."""
    return {
        "topic": letter.topic,
        "place": f"{letter.partition}:{letter.offset}",
        "timestamp_ms": letter.timestamp_ms,
        "reason": letter.header(REASON),
        "stage": letter.header(STAGE),
        "attempt": attempts(letter),
        "key": letter.key.decode(errors="replace") if letter.key is not None else None,
        "bytes": bytes_left_out(letter) or len(letter.value or b""),
    }


def encode(
    registry: Registry, prefix: str, topic: str, fields: dict[str, Any], *, seal: Seal = lambda record: record
) -> bytes:
    """Return `fields` as the wire bytes of `topic`'s record, its texts sealed where they have to be.

    Raises:
        LetterError: They are none of it, the topic has no record or no schema, or its texts cannot be sealed.
        RegistryUnavailable: The registry is away.
        Recoverable: The key store does not answer.
    """
    kind = record_type(topic.removeprefix(prefix))
    if kind is None:
        raise LetterError(f"{topic} has no record type of ours: it cannot be mended, only replayed as it was")
    ids = registry.ids_of_subject(subject_of(topic))
    if not ids:
        raise LetterError(f"no schema is registered for {topic}: run `rxtract schemas apply`")
    try:
        return Serializer(kind, max(ids))(seal(kind.from_dict(fields)))
    except (KeyError, TypeError, ValueError) as error:
        raise LetterError(
            f"not a {kind.__name__}: {type(error).__name__} {error}; `rxtract dlq show` prints the fields"
        ) from None


def _as_record(letter: Seen, encode: Encode) -> OutputRecord:
    original = as_it_was(letter)
    fields = letter.json()
    return original if fields is None else _with(letter, original, fields, encode)


def _with(letter: Seen, original: OutputRecord, fields: dict[str, Any], encode: Encode) -> OutputRecord:
    """Return a letter's record with other fields. A note that names no source came by HTTP: the letter says whose token it was."""
    source = letter.header(SOURCE)
    named = {"source": source, **fields} if source else fields
    value = encode(original.topic, named)
    if "source" in named and "note_id" in named:
        return original._replace(value=value, key=note_key(named["source"], named["note_id"]).encode())
    return original._replace(value=value)
