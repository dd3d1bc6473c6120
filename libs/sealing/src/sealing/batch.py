"""The seam for whole batches that are held as columns: texts opened and sealed without a record around them.

What comes out is what `sealing.codec` makes and reads.
"""

import json
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from contracts.records import NoteAccepted
from cryptography.exceptions import InvalidTag

from sealing.codec import FORMAT
from sealing.errors import KeyErased, KeyUnknown
from sealing.keys import Key, PatientKeys
from sealing.texts import SEPARATOR

_NONCE_BYTES = 12
_TEXT_AT = 1 + _NONCE_BYTES
_END = SEPARATOR.encode()
_BETWEEN = "\n"
"""No JSON text holds it: in a string it is escaped. So a list that is written at once comes apart again."""
_lines = json.JSONEncoder(separators=(_BETWEEN, ":"), ensure_ascii=False).encode


class OpenedNote(NamedTuple):
    """A note's text, UTF-8, and what is sealed of what comes of it: under its key, bound to its identity."""

    text: bytes
    key: Key
    identity: bytes


class BatchSeals:
    """Opens notes and seals what comes of them. Belongs to one thread.

    Args:
        keys: Of the patients.
    """

    def __init__(self, keys: PatientKeys) -> None:
        self._keys = keys

    def opened(self, notes: Iterable[tuple[bytes, bytes, int, bytes, bytes]]) -> list[OpenedNote] | None:
        """Open accepted notes, all or none; None: one cannot be opened, and the way of records knows the reason.

        Args:
            notes: Source, note_id, revision, the key's id and what is sealed, of each.

        Raises:
            KeyStoreAway: Wait and try again.
        """
        kind = NoteAccepted.SCHEMA_NAME.encode()
        try:
            return [
                self._opened(kind, b"|%b|%b|%d|%b" % (source, note_id, revision, name), name, sealed)
                for source, note_id, revision, name, sealed in notes
            ]
        except (KeyErased, KeyUnknown, InvalidTag, ValueError):
            return None

    def _opened(self, kind: bytes, identity: bytes, name: bytes, sealed: bytes) -> OpenedNote:
        key = self._keys.of(name.decode())
        if sealed[:1] != FORMAT:
            raise ValueError("another format")
        payload = key.cipher.decrypt(sealed[1:_TEXT_AT], sealed[_TEXT_AT:], kind + identity)
        if payload.find(_END) != len(payload) - 1:
            raise ValueError("more than a text")
        text = payload[:-1]
        if not text.isascii():
            text.decode()
        return OpenedNote(text, key, identity)

    def sealed(self, kind: str, notes: Sequence[tuple[OpenedNote, bytes]]) -> list[bytes]:
        """Seal payloads, each under its note's key, as of a kind of record."""
        name, nonces = kind.encode(), os.urandom(_NONCE_BYTES * len(notes))
        made = []
        for number, (note, payload) in enumerate(notes):
            nonce = nonces[_NONCE_BYTES * number : _NONCE_BYTES * (number + 1)]
            made.append(FORMAT + nonce + note.key.cipher.encrypt(nonce, payload, name + note.identity))
        return made


def prescriptions_as_json(rows: Sequence[tuple[object, ...]]) -> list[str]:
    """Each prescription's attributes, in the order of `sealing.texts.ATTRIBUTES`, as JSON without brackets."""
    if not rows:
        return []
    return [one.replace(_BETWEEN, ",") for one in _lines(rows)[2:-2].split(f"]{_BETWEEN}[")]


def payload_of(texts: Sequence[bytes], prescribed: Sequence[str | None], begin: int) -> bytes:
    """What is sealed of a record: its own texts and those of its entities, then the prescriptions.

    Args:
        texts: UTF-8.
        prescribed: Of each entity: see `prescriptions_as_json`.
        begin: How many texts are the record's own.
    """
    if not texts:
        return b""
    found = ",".join([f"[{number},{one}]" for number, one in enumerate(prescribed, begin) if one is not None])
    return _END.join([*texts, f"[{found}]".encode() if found else b""])
