"""Dead letters of notes that were still in clear: their values are sealed whole, since nobody knows what they hold.

Under the patient's key where the note could be read so far; else under the key of the day, which no erasure of a patient reaches:
such a letter is gone when its topic's retention ends.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime

from contracts.reasons import Reason
from contracts.registry import Registry
from contracts.wire import WireError
from cryptography.exceptions import InvalidTag
from runtime.kafka.deadletter import SEALED_WITH, header
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.kafka.seen import Decoders

from sealing.codec import reading
from sealing.errors import KeyErased, KeyUnknown
from sealing.keys import PatientKeys

_FORMAT = b"\x02"
_NONCE_END = 13
SealLetter = Callable[[OutputRecord, str | None], OutputRecord]
"""Seals a dead letter; the patient's pseudonym where it is known."""


def in_clear(letter: OutputRecord, _patient: str | None) -> OutputRecord:
    """Leave a letter as it is: nothing is sealed here."""
    return letter


def letter_sealer(keys: PatientKeys | None) -> SealLetter:
    """What seals letters; nothing where sealing is off."""
    if keys is None:
        return in_clear

    def seal(letter: OutputRecord, patient: str | None) -> OutputRecord:
        if not letter.value:
            return letter
        key = keys.for_subject(patient or f"day|{datetime.now(UTC):%Y-%m-%d}")
        nonce = os.urandom(_NONCE_END - 1)
        value = _FORMAT + nonce + key.cipher.encrypt(nonce, letter.value, _about(key.key_id, letter.key))
        return letter._replace(value=value, headers=(*letter.headers, (SEALED_WITH, key.key_id.encode())))

    return seal


def open_letter(letter: InputRecord, keys: PatientKeys | None) -> bytes | None:
    """The value of a dead letter as it was before it was sealed; the value itself where it was not.

    Raises:
        WireError: ERASED, UNKNOWN_KEY (no keys here, too), BROKEN_SEAL.
        KeyStoreAway: The store does not answer.
    """
    name, value = (header(letter.headers, SEALED_WITH) or b"").decode("ascii", "replace"), letter.value
    if not name or not value or not value.startswith(_FORMAT):
        return value
    if keys is None:
        raise WireError(Reason.UNKNOWN_KEY)
    try:
        return keys.of(name).cipher.decrypt(value[1:_NONCE_END], value[_NONCE_END:], _about(name, letter.key))
    except KeyErased:
        raise WireError(Reason.ERASED) from None
    except KeyUnknown:
        raise WireError(Reason.UNKNOWN_KEY) from None
    except (InvalidTag, ValueError):
        raise WireError(Reason.BROKEN_SEAL) from None


def opening_decoders(registry: Registry, prefix: str, keys: PatientKeys | None) -> Decoders:
    """What decodes records of any topic for people to look at, opened where these keys may; sealed they stay without."""
    return Decoders(
        registry,
        prefix,
        lambda message: open_letter(message, keys),
        lambda decode, record: reading(decode, record, keys),
    )


def _about(key_id: str, key: bytes | None) -> bytes:
    return f"letter|{key_id}|".encode() + (key or b"")
