"""What all records share: conversion to and from plain data.

Plain data is what JSON can say, and bytes. It is for examples, the command line and the slow path; the fast path between
records and Avro bytes is generated.
"""

import base64
import json
from typing import Any, ClassVar, Self

from contracts import plain


class Record:
    """Base of all generated records and of the parts that they are made of."""

    __slots__ = ()

    SCHEMA_NAME: ClassVar[str]

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]:
        """Return what `copy` needs to make the record anew."""
        return (), plain.fields_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: enums as strings, tuples as lists, bytes as bytes."""
        result: dict[str, Any] = plain.from_record(self)
        return result

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build the record from plain data; absent fields take their defaults.

        Raises:
            RecordError: names the first field that is missing, unknown or of the wrong type; never shows its value.
        """
        record: Self = plain.to_record(cls, values)
        return record

    def to_json(self) -> str:
        """Return the record as one line of JSON; bytes become base64."""
        return json.dumps(self.to_dict(), ensure_ascii=False, default=_base64)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Build the record from JSON. Raises RecordError, or ValueError when it is no JSON."""
        return cls.from_dict(json.loads(text))


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} is not plain data")
