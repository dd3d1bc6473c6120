"""The seam: a writer that seals before it writes, and a reader that opens what it has read. Handlers between them know of no key."""

import os
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Generic, TypeVar

from contracts.reasons import Reason
from contracts.record import Record
from contracts.records import EntitiesExtracted
from contracts.wire import WireError
from cryptography.exceptions import InvalidTag

from sealing.errors import KeyErased, KeyUnknown
from sealing.keys import Key, PatientKeys
from sealing.texts import (
    SEALED_RECORDS,
    identity,
    identity_of,
    put_back,
    subject_of,
    taken_out,
    words_of,
    written_empty,
)

FORMAT = b"\x01"
"""First byte of what is sealed: AES-256-GCM, then 12 bytes of nonce, then the ciphertext with its tag."""
_NONCE_END = 13
R = TypeVar("R", bound=Record)
_set = object.__setattr__


class Missing(StrEnum):
    """What a reader does with a record whose key was destroyed, or that it has no keys for.

    REFUSE: The record is refused with its reason. PASS: It is given as it is, without its texts.
    """

    REFUSE = "REFUSE"
    PASS = "PASS"  # noqa: S105 - what is done, no secret


class SealingWriter(Generic[R]):
    """Seals texts, then writes.

    A record that names its key is sealed under that: what comes of a note is sealed with it. Any other is sealed under its
    patient's present key. A record that is sealed already passes as it is.

    Args:
        write: From a record to bytes.
        keys: Of the patients.
    """

    def __init__(self, write: Callable[[R], bytes], keys: PatientKeys) -> None:
        self._write = write
        self._keys = keys

    def __call__(self, record: R) -> bytes:
        """Return the record's bytes.

        Raises:
            WireError: As the writer it stands before; ERASED when the key it names is gone, UNKNOWN_KEY.
            KeyStoreAway: Wait and try again; nothing was written.
        """
        known: Any = record
        if known.sealed is not None:
            return self._write(record)
        return written_empty(known, *_sealed(known, self._keys), self._write)

    def prepare(self, records: Sequence[Any]) -> None:
        """Make the keys of a whole batch in one transaction, so that writing it asks the store nothing.

        Raises:
            KeyStoreAway: Wait and try again.
        """
        self._keys.prepare([subject_of(record) for record in records if record.encryption_key_id is None])


class OpeningReader(Generic[R]):
    """Reads, then opens what is sealed.

    Args:
        read: From bytes to a record that nobody else holds.
        keys: Of the patients; None where this process may open nothing.
        missing: What becomes of a record that cannot be opened because its key is gone, or no keys are here.
    """

    def __init__(self, read: Callable[[bytes | None], R], keys: PatientKeys | None, missing: Missing) -> None:
        self._read = read
        self._keys = keys
        self._missing = missing

    def __call__(self, value: bytes | None) -> R:
        """Return the record.

        Raises:
            WireError: As the reader it stands behind; ERASED, UNKNOWN_KEY, BROKEN_SEAL.
            KeyStoreAway: Wait and try again.
        """
        record = self._read(value)
        if record.sealed is not None:  # type: ignore[attr-defined]
            self._open(record)
        return record

    def _open(self, record: R) -> None:
        if self._keys is None:
            if self._missing is Missing.REFUSE:
                raise WireError(Reason.UNKNOWN_KEY)
            return
        try:
            unseal(record, self._keys)
        except WireError as error:
            if error.reason is not Reason.ERASED or self._missing is Missing.REFUSE:
                raise


def seal(record: R, keys: PatientKeys) -> R:
    """A copy of a record with its texts sealed; the record itself when it is sealed already.

    Raises:
        WireError: ERASED, UNKNOWN_KEY: the key that it names is not there. INVALID_RECORD: its texts cannot be sealed.
        KeyStoreAway: The store does not answer.
    """
    known: Any = record
    if known.sealed is not None:
        return record
    kind = type(record)
    return kind.from_dict(written_empty(known, *_sealed(known, keys), kind.to_dict))


def _sealed(record: Any, keys: PatientKeys) -> tuple[str, bytes]:
    """The id of the key, and the texts under it."""
    key = _key_of(record, keys)
    try:
        return key.key_id, _encrypted(taken_out(record), key, identity_of(record, key.key_id))
    except (ValueError, UnicodeEncodeError):
        raise WireError(Reason.INVALID_RECORD) from None


def _key_of(record: Any, keys: PatientKeys) -> Key:
    named = record.encryption_key_id
    return _known(keys.of, named) if named else _known(keys.for_subject, subject_of(record))


def unseal(record: Record, keys: PatientKeys) -> None:
    """Open a record in place; nothing is changed when it raises. Its key's id stays, so that what comes of it is sealed alike.

    Raises:
        WireError: ERASED, UNKNOWN_KEY, BROKEN_SEAL.
        KeyStoreAway: The store does not answer.
    """
    known: Any = record
    key = _known(keys.of, known.encryption_key_id or "")
    try:
        put_back(known, _decrypted(known.sealed, key, identity_of(known, key.key_id)))
    except (InvalidTag, ValueError):
        raise WireError(Reason.BROKEN_SEAL) from None
    _set(known, "sealed", None)


def sealed_beside(record: Any, words: bytes, keys: PatientKeys) -> bytes:
    """What somebody noted about a record, sealed under the key of its patient and bound to its note and revision.

    Raises:
        WireError: ERASED, UNKNOWN_KEY.
        KeyStoreAway: The store does not answer.
    """
    key = _key_of(record, keys)
    return key.key_id.encode() + b"\n" + _encrypted(words, key, _beside(record, key))


def opened_beside(record: Any, sealed: bytes, keys: PatientKeys) -> bytes:
    """What `sealed_beside` sealed.

    Raises:
        WireError: ERASED, UNKNOWN_KEY, BROKEN_SEAL.
        KeyStoreAway: The store does not answer.
    """
    name, _, rest = sealed.partition(b"\n")
    key = _known(keys.of, name.decode("utf-8", "replace"))
    try:
        return _decrypted(rest, key, _beside(record, key))
    except (InvalidTag, ValueError):
        raise WireError(Reason.BROKEN_SEAL) from None


def _beside(record: Any, key: Key) -> bytes:
    return b"beside " + identity_of(record, key.key_id)


def _encrypted(words: bytes, key: Key, about: bytes) -> bytes:
    nonce = os.urandom(_NONCE_END - 1)
    return FORMAT + nonce + key.cipher.encrypt(nonce, words, about)


def _decrypted(sealed: bytes, key: Key, about: bytes) -> bytes:
    """Raises InvalidTag, or ValueError when it is no text that we sealed."""
    if not sealed.startswith(FORMAT):
        raise ValueError("another format")
    return key.cipher.decrypt(sealed[1:_NONCE_END], sealed[_NONCE_END:], about)


class WordsOpener:
    """Opens the words of a row at rest, which holds the `sealed` of the `EntitiesExtracted` that it was made from.

    Args:
        keys: Of the patients.
    """

    def __init__(self, keys: PatientKeys) -> None:
        self._keys = keys

    def __call__(
        self, *, source: str, note_id: str, revision: int, key_id: str, sealed: bytes
    ) -> list[tuple[str, dict[str, Any] | None]] | None:
        """The text and the prescription of each entity, in order; None when the key was destroyed.

        Raises:
            WireError: UNKNOWN_KEY, BROKEN_SEAL.
            KeyStoreAway: The store does not answer.
        """
        try:
            key = _known(self._keys.of, key_id)
            about = identity(EntitiesExtracted.SCHEMA_NAME, source, note_id, revision, key_id)
            words = words_of(_decrypted(sealed, key, about))
        except WireError as error:
            if error.reason is Reason.ERASED:
                return None
            raise
        except (InvalidTag, ValueError):
            raise WireError(Reason.BROKEN_SEAL) from None
        return [(text, None if prescription is None else prescription.to_dict()) for text, prescription in words]


def opening_words(keys: PatientKeys | None) -> WordsOpener | None:
    """What opens rows at rest; None where nothing may be opened."""
    return None if keys is None else WordsOpener(keys)


def _known(find: Callable[[str], Key], name: str) -> Key:
    try:
        return find(name)
    except KeyErased:
        raise WireError(Reason.ERASED) from None
    except KeyUnknown:
        raise WireError(Reason.UNKNOWN_KEY) from None


def writing(write: Callable[[R], bytes], keys: PatientKeys | None) -> Callable[[R], bytes]:
    """A writer that seals; the writer itself where sealing is off."""
    return write if keys is None else SealingWriter(write, keys)


def preparing(write: Callable[[R], bytes]) -> Callable[[Sequence[R]], None]:
    """What makes the keys of a batch before its records are written; nothing to do where the writer does not seal."""
    return write.prepare if isinstance(write, SealingWriter) else _nothing


def _nothing(_records: Sequence[object]) -> None:
    """Nobody seals."""


def reading(
    read: Callable[[bytes | None], R], record: type[R], keys: PatientKeys | None, missing: Missing = Missing.PASS
) -> Callable[[bytes | None], R]:
    """A reader that opens. Of records without texts, and where sealing is off and nothing has to be refused, the reader itself."""
    if record.SCHEMA_NAME not in SEALED_RECORDS or (keys is None and missing is Missing.PASS):
        return read
    return OpeningReader(read, keys, missing)
