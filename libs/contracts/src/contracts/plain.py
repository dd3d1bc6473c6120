"""Records to plain data and back, by the types of their fields. Thorough rather than fast."""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from contracts.reasons import Reason


class RecordError(ValueError):
    """Plain data does not fit a record. Says which field and why, never its value."""

    def __init__(self, field: str, reason: Reason) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def from_record(value: Any) -> Any:
    """Return a record, or any value inside one, as plain data."""
    if is_dataclass(value):
        return {name: from_record(inner) for name, inner in fields_of(value).items()}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [from_record(item) for item in value]
    if isinstance(value, Mapping):
        return {key: from_record(item) for key, item in value.items()}
    return value


def fields_of(record: Any) -> dict[str, Any]:
    """Return a record's fields by name, as they are."""
    record_type: Any = type(record)
    return {name: getattr(record, name) for name in _names(record_type)}


@cache
def _names(record_type: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(record_type))


def to_record(record_type: Any, values: Any, path: str = "") -> Any:
    """Build a record from plain data. Raises RecordError."""
    if not isinstance(values, Mapping):
        raise RecordError(path or record_type.__name__, Reason.WRONG_TYPE)
    readers = _readers(record_type)
    unknown = sorted(str(name) for name in values if name not in readers)
    if unknown:
        # The name came from outside and may be anything, so only its place is told.
        raise RecordError(path or record_type.__name__, Reason.UNKNOWN_FIELD)
    given = {}
    for name, (read, required) in readers.items():
        if name in values:
            given[name] = read(values[name], _join(path, name))
        elif required:
            raise RecordError(_join(path, name), Reason.MISSING_FIELD)
    return record_type(**given)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@cache
def _readers(record_type: Any) -> dict[str, tuple[Callable[[Any, str], Any], bool]]:
    hints = get_type_hints(record_type, include_extras=True)
    return {
        field.name: (
            _reader(hints[field.name]),
            field.default is MISSING and field.default_factory is MISSING,
        )
        for field in fields(record_type)
    }


def _reader(hint: Any) -> Callable[[Any, str], Any]:
    """Return the function that checks and converts a value of the given type."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is UnionType or NoneType in args:
        return _optional(_reader(next(arg for arg in args if arg is not NoneType)))
    if origin is tuple:
        return _array(_reader(args[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _map(_reader(args[1]))
    if issubclass(hint, StrEnum):
        return lambda value, path: _enum(hint, value, path)
    if is_dataclass(hint):
        return lambda value, path: to_record(hint, value, path)
    return _PRIMITIVES[hint]


def _optional(read: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    return lambda value, path: None if value is None else read(value, path)


def _array(read: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def read_array(value: Any, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise RecordError(path, Reason.WRONG_TYPE)
        return tuple(read(item, f"{path}[{index}]") for index, item in enumerate(value))

    return read_array


def _map(read: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def read_map(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise RecordError(path, Reason.WRONG_TYPE)
        return {_string(key, path): read(item, f"{path}[{index}]") for index, (key, item) in enumerate(value.items())}

    return read_map


def _enum(enum: type[StrEnum], value: Any, path: str) -> StrEnum:
    try:
        return enum(value)
    except ValueError:
        raise RecordError(path, Reason.WRONG_TYPE) from None


def _string(value: Any, path: str) -> str:
    if type(value) is not str:
        raise RecordError(path, Reason.WRONG_TYPE)
    return value


def _integer(value: Any, path: str) -> int:
    if type(value) is not int:
        raise RecordError(path, Reason.WRONG_TYPE)
    if not -(2**63) <= value < 2**63:
        raise RecordError(path, Reason.OUT_OF_RANGE)
    return value


def _float(value: Any, path: str) -> float:
    if type(value) not in {int, float}:
        raise RecordError(path, Reason.WRONG_TYPE)
    if not math.isfinite(value):
        raise RecordError(path, Reason.OUT_OF_RANGE)
    return float(value)


def _boolean(value: Any, path: str) -> bool:
    if type(value) is not bool:
        raise RecordError(path, Reason.WRONG_TYPE)
    return value


def _bytes(value: Any, path: str) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(_string(value, path), validate=True)
    except binascii.Error:
        raise RecordError(path, Reason.WRONG_TYPE) from None


_PRIMITIVES: dict[Any, Callable[[Any, str], Any]] = {
    str: _string,
    int: _integer,
    float: _float,
    bool: _boolean,
    bytes: _bytes,
}
