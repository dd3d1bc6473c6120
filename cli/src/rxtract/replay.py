"""Send dead letters back to the topic they were refused from: as they were, or with a record that was mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.identity import note_key
from contracts.registry import ConfluentRegistry
from contracts.topics import DLQ_SUFFIX, subject_of
from contracts.wire import Serializer
from runtime.deadletter import ATTEMPT, ERROR_HEADERS, OFFSET, PARTITION, REPLAYED, SOURCE, TOPIC, VALUE_BYTES
from runtime.delivery import DeliveryProducer
from runtime.records import OutputRecord

from rxtract.errors import UserError
from rxtract.kafka import client_config
from rxtract.reading import record_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rxtract.addresses import StackAddresses
    from rxtract.reading import Seen

MAX_ATTEMPTS = 5
DELIVERY_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many dead letters were sent back, how many had been tried too often, are no record at all, or hold no bytes."""

    sent: int
    exhausted: int
    unreadable: int
    without_bytes: int = 0


def replay(addresses: StackAddresses, letters: Iterable[Seen], *, max_attempts: int = MAX_ATTEMPTS) -> Replayed:
    """Send each letter's original key, bytes and headers to its topic; its attempt header stays, so that tries are counted.

    A note that came by HTTP is JSON; it goes to the topic as the record that it says it is.
    """
    records: list[OutputRecord] = []
    exhausted = unreadable = without_bytes = 0
    for letter in letters:
        if bytes_left_out(letter):
            without_bytes += 1
            continue
        if attempts(letter) >= max_attempts:
            exhausted += 1
            continue
        try:
            records.append(_as_record(addresses, letter))
        except UserError:
            unreadable += 1
    _send(addresses, records)
    return Replayed(len(records), exhausted, unreadable, without_bytes)


def bytes_left_out(letter: Seen) -> int:
    """Return how many bytes a letter's record had that the letter does not hold; 0 for a letter that holds its record."""
    size = letter.header(VALUE_BYTES) if letter.value is None else ""  # beside a value the header is the sender's own
    return int(size) if size.isdigit() else 0


def check_bytes(letter: Seen) -> None:
    """Refuse a letter that holds no bytes, and say where they stand.

    Raises:
        UserError: It holds none.
    """
    if not (size := bytes_left_out(letter)):
        return
    raise UserError(
        f"this letter holds no bytes: the {size} of the record were more than a dead letter may have; they stand at "
        f"{letter.header(TOPIC)} {letter.header(PARTITION)}:{letter.header(OFFSET)} for as long as that topic keeps them "
        "(read them there with kcat -t TOPIC -p PARTITION -o OFFSET -c 1), and a mended record is sent with --with"
    )


def _as_record(addresses: StackAddresses, letter: Seen) -> OutputRecord:
    original = as_it_was(letter)
    fields = letter.json()
    return original if fields is None else _with(addresses, letter, original, fields)


def replay_mended(addresses: StackAddresses, letter: Seen, fields: dict[str, Any]) -> None:
    """Send a mended record in a letter's place, encoded with the schema that is registered now.

    Raises:
        UserError: `fields` is not a record of the letter's topic.
    """
    _send(addresses, [_with(addresses, letter, as_it_was(letter), fields)])


def _with(addresses: StackAddresses, letter: Seen, original: OutputRecord, fields: dict[str, Any]) -> OutputRecord:
    """Return a letter's record with other fields. A note that names no source came by HTTP: the letter says whose token it was."""
    source = letter.header(SOURCE)
    named = {"source": source, **fields} if source else fields
    value = encode(addresses, original.topic, named)
    if "source" in named and "note_id" in named:
        return original._replace(value=value, key=note_key(named["source"], named["note_id"]).encode())
    return original._replace(value=value)


def as_it_was(letter: Seen) -> OutputRecord:
    """Return the record as it lay on its topic before it was refused."""
    headers = tuple((name, value) for name, value in letter.headers if name not in {*ERROR_HEADERS, REPLAYED, ATTEMPT})
    counted = ((ATTEMPT, str(attempts(letter)).encode()), (REPLAYED, _place(letter).encode()))
    return OutputRecord(letter.topic.removesuffix(DLQ_SUFFIX), letter.key, letter.value, headers + counted)


def _place(letter: Seen) -> str:
    return f"{letter.topic} {letter.partition}:{letter.offset}"


def attempts(letter: Seen) -> int:
    """Return how often the letter was tried already."""
    seen = letter.header(ATTEMPT)
    return int(seen) if seen.isdigit() else 1


def encode(addresses: StackAddresses, topic: str, fields: dict[str, Any]) -> bytes:
    """Return `fields` as the wire bytes of `topic`'s record."""
    kind = record_type(topic.removeprefix(addresses.topic_prefix))
    if kind is None:
        raise UserError(f"{topic} has no record type of ours: it cannot be mended, only replayed as it was")
    registry = ConfluentRegistry(addresses.schema_registry_url)
    ids = registry.ids_of_subject(subject_of(topic))
    if not ids:
        raise UserError(f"no schema is registered for {topic}: run `rxtract schemas apply`")
    try:
        return Serializer(kind, max(ids))(kind.from_dict(fields))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"not a {kind.__name__}: {type(error).__name__} {error}; `rxtract dlq show` prints the fields"
        ) from None


def _send(addresses: StackAddresses, records: list[OutputRecord]) -> None:
    producer = DeliveryProducer(client_config(addresses, "rxtract-replay"))
    producer.send(records).wait(DELIVERY_TIMEOUT_S)
    producer.close(DELIVERY_TIMEOUT_S)
