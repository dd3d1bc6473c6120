"""Records as bytes on a topic: a zero byte, four bytes of schema id, then Avro (Confluent's wire format).

A value that cannot be read is refused with a reason; nothing else is ever raised, whatever the bytes are.
"""

import io
import struct
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import fastavro

from contracts import files, safety
from contracts._generated.codec import READERS, RESOLVED, WRITERS
from contracts.layout import same_layout
from contracts.reasons import Reason
from contracts.record import Record
from contracts.registry import (
    Registry,
    SchemaNotAllowed,
    SchemaNotFound,
    WriterSchema,
    WriterSchemas,
    refuse_old_namespace,
)
from contracts.topics import subject_of

MAX_RECORD_BYTES = 1024 * 1024
"""Largest value that is read or written, in bytes, header included."""

HEADER_BYTES = 5

R = TypeVar("R", bound=Record)


class WireError(ValueError):
    """A value was refused. `schema_id` is the id that it names, when it has one."""

    def __init__(self, reason: Reason, schema_id: int | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.schema_id = schema_id


def schema_id_of(value: bytes | None) -> int | None:
    """Return the schema id that a value names; None when it names none."""
    if value is None or len(value) < HEADER_BYTES or value[0] != 0:
        return None
    return int.from_bytes(value[1:HEADER_BYTES], "big")


class Serializer(Generic[R]):
    """Writes records of one type under the schema id that the registry gave this repository's schema."""

    def __init__(self, record_type: type[R], schema_id: int) -> None:
        self._write = WRITERS[record_type]
        self._header = b"\x00" + schema_id.to_bytes(4, "big")
        self._schema_id = schema_id

    @classmethod
    def for_topic(cls, record_type: type[R], registry: Registry, topic: str) -> Self:
        """Return the serializer of a topic (full name), with the id under which the registry lists our schema.

        Raises:
            OldNamespace: the topic is one of the contract before this one.
            SchemaNotFound: the schema is not registered; `rxtract schemas apply` does it.
            RegistryUnavailable: wait and try again.
        """
        try:
            schema_id = registry.lookup(subject_of(topic), files.schema_text(record_type.SCHEMA_NAME))
        except SchemaNotFound:
            refuse_old_namespace(registry, subject_of(topic))
            raise SchemaNotFound(
                f"{record_type.SCHEMA_NAME} is not registered for {topic}: run `rxtract schemas apply`"
            ) from None
        return cls(record_type, schema_id)

    @property
    def schema_id(self) -> int:
        """The id that the bytes name."""
        return self._schema_id

    def __call__(self, record: R) -> bytes:
        """Return the record's bytes.

        Raises:
            WireError: INVALID_RECORD when a field holds what its type does not allow, TOO_LARGE.
        """
        try:
            value = self._write(record, self._header)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, struct.error):
            raise WireError(Reason.INVALID_RECORD, self._schema_id) from None
        if len(value) > MAX_RECORD_BYTES:
            raise WireError(Reason.TOO_LARGE, self._schema_id)
        return value


class Deserializer(Generic[R]):
    """Reads records of one type, whichever allowed schema they were written with.

    Bytes of this repository's own schema go through the generated reader. Bytes of any other version are resolved by
    fastavro, which takes several times as long. When the generated reader refuses, fastavro reads again to tell why.
    """

    def __init__(self, record_type: type[R], writers: WriterSchemas) -> None:
        self._record_type = record_type
        self._writers = writers
        self._own = safety.checked(files.schema_text(record_type.SCHEMA_NAME))
        # Keyed by the five bytes themselves: one look-up judges the magic byte and finds the schema.
        self._decoders: dict[bytes, Callable[[bytes], R]] = {}
        self.own_header: bytes | None = None
        """With what the values begin that were written as this repository's own schema says; None: none has come yet."""

    @classmethod
    def for_topic(cls, record_type: type[R], registry: Registry, topic: str) -> Self:
        """Return the deserializer of a topic (full name). Asks the registry nothing yet."""
        return cls(record_type, WriterSchemas(registry, subject_of(topic)))

    def __call__(self, value: bytes | None) -> R:
        """Return the record.

        Raises:
            WireError: the value cannot be read; says why.
            RegistryUnavailable: the schema id is new and the registry gave no answer; wait and try again.
        """
        if not value:
            raise WireError(Reason.EMPTY_VALUE)
        if len(value) > MAX_RECORD_BYTES:
            raise WireError(Reason.TOO_LARGE, schema_id_of(value))
        decode = self._decoders.get(value[:HEADER_BYTES]) or self._learn(value)
        return decode(value)

    def _learn(self, value: bytes) -> Callable[[bytes], R]:
        """Find the decoder for the schema that a value names."""
        if value[0] != 0:
            raise WireError(Reason.WRONG_MAGIC_BYTE)
        schema_id = schema_id_of(value)
        if schema_id is None:
            raise WireError(Reason.TRUNCATED)
        try:
            writer = self._writers.parsed(schema_id)
        except (SchemaNotFound, SchemaNotAllowed):
            raise WireError(Reason.UNKNOWN_SCHEMA, schema_id) from None
        except safety.UnsafeSchemaError:
            raise WireError(Reason.UNSAFE_SCHEMA, schema_id) from None
        decoder = self._decoder(writer, schema_id)
        self._decoders[value[:HEADER_BYTES]] = decoder
        return decoder

    def _decoder(self, writer: WriterSchema, schema_id: int) -> Callable[[bytes], R]:
        resolve = _Resolver(writer.schema, self._own, self._record_type, schema_id)
        if not same_layout(writer.schema, self._own):
            return resolve
        self.own_header = b"\x00" + schema_id.to_bytes(4, "big")
        read: Callable[[bytes, int], R] = READERS[self._record_type]

        def decode(value: bytes) -> R:
            try:
                return read(value, HEADER_BYTES)
            except (IndexError, KeyError, ValueError, struct.error):
                resolve(value)
                raise WireError(Reason.UNDECODABLE, schema_id) from None

        return decode


class _Resolver(Generic[R]):
    """Reads any writer schema by fastavro, and knows why bytes cannot be read."""

    def __init__(self, writer: Any, reader: Any, record_type: type[R], schema_id: int) -> None:
        self._writer = fastavro.parse_schema(writer)
        self._reader = fastavro.parse_schema(reader)
        self._build: Callable[[Any], R] = RESOLVED[record_type]
        self._schema_id = schema_id

    def __call__(self, value: bytes) -> R:
        buffer = io.BytesIO(value)
        buffer.seek(HEADER_BYTES)
        try:
            values: Any = fastavro.schemaless_reader(buffer, self._writer, self._reader)
        except EOFError:
            raise self._refused(Reason.TRUNCATED) from None
        except UnicodeDecodeError:
            raise self._refused(Reason.INVALID_UTF8) from None
        except IndexError:
            # fastavro's own way to say that the bytes end inside a number; else a symbol that the enum does not have.
            ended = buffer.tell() == len(value)
            raise self._refused(Reason.TRUNCATED if ended else Reason.UNDECODABLE) from None
        except Exception:  # noqa: BLE001 - hostile bytes raise whatever they hit
            raise self._refused(Reason.UNDECODABLE) from None
        if buffer.tell() != len(value):
            raise self._refused(Reason.TRAILING_BYTES)
        return self._build(values)

    def _refused(self, reason: Reason) -> WireError:
        return WireError(reason, self._schema_id)
