"""Dead letters: those of notes that were still in clear are sealed whole, and what goes back of any letter is sealed as its topic wants it.

Values in clear are sealed whole, since nobody knows what they hold.

Under the patient's key where the note could be read so far; else under the key of the day, which no erasure of a patient reaches:
such a letter is gone when its topic's retention ends.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from contracts.reasons import Reason
from contracts.record import Record
from contracts.records import NoteSubmitted
from contracts.registry import Registry
from contracts.wire import WireError
from cryptography.exceptions import InvalidTag
from runtime.kafka.deadletter import SEALED_WITH, header
from runtime.kafka.letters import LetterError, Seal
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.kafka.seen import Decoders

from sealing.codec import reading, seal
from sealing.errors import KeyErased, KeyUnknown
from sealing.keys import PatientKeys
from sealing.texts import SEALED_RECORDS, SEPARATOR, subject_of, taken_out

_FORMAT = b"\x02"
_NONCE_END = 13
_WHY = {
    Reason.ERASED: "the patient's key was destroyed: this record is gone and cannot be sent again",
    Reason.UNKNOWN_KEY: "the key store has never had this record's key: name the store that sealed it",
    Reason.INVALID_RECORD: "a text holds a NUL character: take it out",
}
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


def sealed_again(keys: PatientKeys | None) -> Seal:
    """What seals a mended record on its way back, as the service that wrote it first did; nothing where sealing is off.

    `notes.submitted.v1` stays as the platform writes it: in clear. A record that now names another patient is sealed under that one's key.
    What it returns raises LetterError, and KeyStoreAway when the store does not answer.
    """

    def seal_again(record: Record) -> Record:
        known: Any = record
        if known.SCHEMA_NAME == NoteSubmitted.SCHEMA_NAME or known.SCHEMA_NAME not in SEALED_RECORDS:
            return record
        if known.sealed is not None:
            if taken_out(record).decode().strip(SEPARATOR):
                raise LetterError(
                    "its texts are sealed and were not opened here: it can go back as it was, or be mended where the keys are"
                )
            return record
        if keys is None:
            if known.encryption_key_id:
                raise LetterError(
                    "it came from a sealed record and no keys are here: it would go back in clear. Mend it where the keys are"
                )
            return record
        try:
            return seal(_of_its_patient(record, keys), keys)
        except WireError as error:
            raise LetterError(_WHY.get(error.reason, str(error.reason))) from None

    return seal_again


def _of_its_patient(record: Record, keys: PatientKeys) -> Record:
    """The record without its key where that is another patient's."""
    known: Any = record
    stored = keys.store.find(known.encryption_key_id) if known.encryption_key_id else None
    if stored is None or stored.subject == subject_of(record):
        return record
    return type(record).from_dict({**record.to_dict(), "encryption_key_id": None})


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
