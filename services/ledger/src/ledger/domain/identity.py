"""Which note some bytes are about, read by ourselves: of a record only three fields, and of an accepted note its origin.

An identity is kept as the bytes of (source, note_id, revision) in Avro, which stand together in all records that name a note, so that
equal notes are equal bytes and nothing is decoded until a person asks.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import fastavro

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HEADER_BYTES = 5
_MAGIC = 0
_PLACE = b"\xff"  # begins the identity of what names no note; no Avro string does, since its length would be negative
_IDENTITY = ("source", "note_id", "revision")
_STRINGS = {"string", "bytes"}
_NUMBERS = {"int", "long"}


class Note(NamedTuple):
    """A note as people name it."""

    source: str
    note_id: str
    revision: int


class Unread(Exception):
    """The bytes name no note."""


def schema_id_of(value: bytes | None) -> int | None:
    """The writer schema's id; None where the bytes are none of the wire format."""
    if value is None or len(value) <= HEADER_BYTES or value[0] != _MAGIC:
        return None
    return int.from_bytes(value[1:HEADER_BYTES], "big")


def identity_at(value: bytes, at: int) -> bytes:
    """The identity that stands at an index: source, note_id and revision, one behind the other.

    Raises:
        Unread: The bytes end too early, or a length is negative.
    """
    begin = at
    try:
        size = value[at]
        if not size & 0x81:
            at += 1 + (size >> 1)
            size = value[at]
            if not size & 0x81:
                at += 1 + (size >> 1)
                if value[at] < 0x80:
                    return value[begin : at + 1]
        return _by_rule(value, begin)
    except IndexError:
        raise Unread from None


def place_identity(topic: int, partition: int, offset: int) -> bytes:
    """The identity of a record that names no note: its place."""
    return _PLACE + f"{topic}:{partition}:{offset}".encode()


def note_of(identity: bytes) -> Note | None:
    """The note of an identity; None where it is a place."""
    if identity.startswith(_PLACE):
        return None
    source, at = _string(identity, 0)
    note_id, at = _string(identity, at)
    revision, _ = _number(identity, at)
    return Note(source.decode("utf-8", "replace"), note_id.decode("utf-8", "replace"), revision)


def identity(note: Note) -> bytes:
    """The bytes of a note's identity."""
    return begin_of(note.source, note.note_id) + _varint(note.revision)


def begin_of(source: str, note_id: str) -> bytes:
    """What the identities of all revisions of a note begin with, and no other note's."""
    source_bytes, id_bytes = source.encode("utf-8", "replace"), note_id.encode("utf-8", "replace")
    return _varint(len(source_bytes)) + source_bytes + _varint(len(id_bytes)) + id_bytes


class Layout:
    """How records of one writer schema are read.

    Args:
        schema: The writer schema as plain data; safe to be parsed.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = fastavro.parse_schema(schema)
        fields = schema.get("fields") or []
        kinds = [(field["name"], _kind(field["type"])) for field in fields]
        names = [name for name, _ in kinds]
        first = names.index("source") if "source" in names else 0
        together = kinds[first : first + 3] == list(zip(_IDENTITY, ("string", "string", "number"), strict=True))
        self._to_identity = _way_to("source", kinds) if together else None
        self.identity: Callable[[bytes], bytes] = self._stepped if self._to_identity is not None else self._resolved
        """The identity of a record's bytes; raises Unread."""
        is_plain = self._to_identity is not None and set(self._to_identity) <= {"string"}
        self._strings_before = self._to_identity if is_plain else None
        self._to_origin = _way_to("origin", kinds)
        self._symbols: list[str] = next(
            (
                field["type"]["symbols"]
                for field in fields
                if field["name"] == "origin" and _kind(field["type"]) == "enum"
            ),
            [],
        )

    def identities(
        self, values: Sequence[bytes | None], header: bytes, otherwise: Callable[[bytes | None], bytes | None]
    ) -> list[bytes | None]:
        """The identities of many records at once, which is nearly all that the ledger reads: no call and no object for a record.

        Args:
            values: As they came.
            header: Of this writer's records.
            otherwise: Asked for the identity of a value of another writer, or with a length or revision of more than one byte.
        """
        before = self._strings_before
        if before is None:
            return [otherwise(value) for value in values]
        found: list[bytes | None] = []
        add = found.append
        for value in values:
            if value is not None and value.startswith(header):
                at, sizes = HEADER_BYTES, 0
                try:
                    for _ in before:
                        sizes |= (size := value[at])
                        at += 1 + (size >> 1)
                    begin = at
                    sizes |= (size := value[at])
                    at += 1 + (size >> 1)
                    sizes |= (size := value[at])
                    at += 1 + (size >> 1)
                    if not sizes & 0x81 and value[at] < 0x80:
                        add(value[begin : at + 1])
                        continue
                except IndexError:
                    pass
            add(otherwise(value))
        return found

    def origin(self, value: bytes) -> str | None:
        """The origin of an accepted note; None where it cannot be read."""
        try:
            if self._to_origin is None or not self._symbols:
                return str(self._read(value).get("origin"))
            index, _ = _number(value, _step(value, self._to_origin))
            return self._symbols[index] if index >= 0 else None
        except (IndexError, Unread):
            return None

    def _stepped(self, value: bytes) -> bytes:
        before = self._to_identity
        return identity_at(value, _step(value, before) if before else HEADER_BYTES)

    def _resolved(self, value: bytes) -> bytes:
        found = self._read(value)
        try:
            return identity(Note(str(found["source"]), str(found["note_id"]), int(found["revision"])))
        except (KeyError, TypeError, ValueError):
            raise Unread from None

    def _read(self, value: bytes) -> dict[str, Any]:
        buffer = io.BytesIO(value)
        buffer.seek(HEADER_BYTES)
        try:
            found = fastavro.schemaless_reader(buffer, self._schema, None)
        except Exception:  # noqa: BLE001 - hostile bytes raise whatever they hit
            raise Unread from None
        if not isinstance(found, dict):
            raise Unread
        return found


def _way_to(name: str, kinds: list[tuple[str, str]]) -> list[str] | None:
    """The kinds of the fields before one; None where something stands there that we do not step over."""
    before: list[str] = []
    for field, kind in kinds:
        if field == name:
            return before
        if kind not in {"string", "number", "enum"}:
            return None
        before.append(kind)
    return None


def _kind(declared: Any) -> str:
    plain = declared.get("type") if isinstance(declared, dict) else declared
    if not isinstance(plain, str):
        return "other"
    if plain in _STRINGS:
        return "string"
    return "number" if plain in _NUMBERS else plain


def _step(value: bytes, kinds: list[str]) -> int:
    """Where the field behind some others begins.

    Raises:
        Unread: The bytes end before.
    """
    at = HEADER_BYTES
    try:
        for kind in kinds:
            size = value[at]
            if size < 0x80:
                at, size = at + 1, (size >> 1) ^ -(size & 1)
            else:
                size, at = _number(value, at)
            if kind == "string":
                if size < 0:
                    raise Unread
                at += size
    except IndexError:
        raise Unread from None
    return at


def _by_rule(value: bytes, at: int) -> bytes:
    """As `identity_at`, for lengths and revisions of more than one byte, and for numbers that are spelt longer than need be."""
    source, at = _string(value, at)
    note_id, at = _string(value, at)
    revision, _ = _number(value, at)
    return _varint(len(source)) + source + _varint(len(note_id)) + note_id + _varint(revision)


def _string(value: bytes, at: int) -> tuple[bytes, int]:
    size, at = _number(value, at)
    end = at + size
    if size < 0 or end > len(value):
        raise Unread
    return value[at:end], end


def _number(value: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = value[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (found >> 1) ^ -(found & 1), at
        shift += 7
        if shift > 63:
            raise Unread


def _varint(number: int) -> bytes:
    left = (number << 1) ^ (number >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)
