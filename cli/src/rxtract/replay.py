"""Send dead letters back to the topic they were refused from: as they were, or with a record that was mended (`runtime.kafka.letters`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.registry import ConfluentRegistry
from runtime.errors import Recoverable
from runtime.kafka import letters as way_back
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.letters import MAX_ATTEMPTS, LetterError, Replayed

from rxtract.errors import UserError
from rxtract.kafka import client_config
from rxtract.sealed import patient_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime.kafka.records import OutputRecord
    from runtime.kafka.seen import Seen

    from rxtract.addresses import StackAddresses

DELIVERY_TIMEOUT_S = 30.0


def replay(addresses: StackAddresses, letters: Iterable[Seen], *, max_attempts: int = MAX_ATTEMPTS) -> Replayed:
    """Send letters back, each as it was; say how many, and how many cannot be."""
    records, done = way_back.to_send(letters, _encoder(addresses), max_attempts=max_attempts)
    _send(addresses, records)
    return done


def check_bytes(letter: Seen) -> None:
    """Refuse a letter that holds no bytes, and say where they stand.

    Raises:
        UserError: It holds none.
    """
    try:
        way_back.check_bytes(letter)
    except LetterError as error:
        raise UserError(str(error)) from None


def replay_mended(addresses: StackAddresses, letter: Seen, fields: dict[str, Any]) -> None:
    """Send a mended record in a letter's place.

    Raises:
        UserError: `fields` is not a record of the letter's topic, or its texts cannot be sealed.
    """
    try:
        _send(addresses, [way_back.mended(letter, fields, _encoder(addresses))])
    except (LetterError, Recoverable) as error:
        raise UserError(str(error)) from None


def encode(addresses: StackAddresses, topic: str, fields: dict[str, Any]) -> bytes:
    """Return `fields` as the wire bytes of `topic`'s record, sealed where the keys are named."""
    from sealing import sealed_again

    registry = ConfluentRegistry(addresses.schema_registry_url)
    return way_back.encode(registry, addresses.topic_prefix, topic, fields, seal=sealed_again(patient_keys(addresses)))


def _encoder(addresses: StackAddresses) -> way_back.Encode:
    return lambda topic, fields: encode(addresses, topic, fields)


def _send(addresses: StackAddresses, records: list[OutputRecord]) -> None:
    producer = DeliveryProducer(client_config(addresses, "rxtract-replay"))
    producer.send(records).wait(DELIVERY_TIMEOUT_S)
    producer.close(DELIVERY_TIMEOUT_S)
