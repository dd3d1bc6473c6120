"""The few kinds of MessagePack that a DocBin holds, read and written: plain data, no extension types, no objects."""

from __future__ import annotations

import struct
from typing import Any

from corpus.formats.found import InvalidRecord

_MAX_DEPTH = 32
_SIZES = {
    0xC4: ">B",
    0xC5: ">H",
    0xC6: ">I",
    0xD9: ">B",
    0xDA: ">H",
    0xDB: ">I",
    0xDC: ">H",
    0xDD: ">I",
    0xDE: ">H",
    0xDF: ">I",
}
_NUMBERS = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def unpack(data: bytes) -> Any:
    """Return the value of MessagePack bytes.

    Raises:
        InvalidRecord: They are cut off, nested too deeply, or of a kind that is not read.
    """
    try:
        value, end = _value(memoryview(data), 0, 0)
    except (struct.error, IndexError, UnicodeDecodeError, TypeError):
        raise InvalidRecord("the file is damaged or cut off", "damaged") from None
    if end != len(data):
        raise InvalidRecord("the file is damaged: something follows its end", "damaged")
    return value


def _value(data: memoryview, at: int, depth: int) -> tuple[Any, int]:
    if depth > _MAX_DEPTH:
        raise InvalidRecord("nested too deeply", "deep")
    kind = data[at]
    at += 1
    if kind <= 0x7F or kind >= 0xE0:
        return (kind if kind <= 0x7F else kind - 0x100), at
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], at
    if kind in _NUMBERS:
        return struct.unpack_from(_NUMBERS[kind], data, at)[0], at + struct.calcsize(_NUMBERS[kind])
    family, size, at = _sized(data, kind, at)
    if family in {"bytes", "text"}:
        raw = bytes(data[at : at + size])
        if len(raw) != size:
            raise IndexError
        return (raw if family == "bytes" else raw.decode("utf-8")), at + size
    if size > len(data):
        raise IndexError
    return _collection(data, at, (family, size), depth)


def _collection(data: memoryview, at: int, what: tuple[str, int], depth: int) -> tuple[Any, int]:
    family, size = what
    items = []
    for _ in range(size * (2 if family == "map" else 1)):
        item, at = _value(data, at, depth + 1)
        items.append(item)
    return (dict(zip(items[::2], items[1::2], strict=True)) if family == "map" else items), at


def _sized(data: memoryview, kind: int, at: int) -> tuple[str, int, int]:
    if 0x80 <= kind <= 0x8F:
        return "map", kind & 0x0F, at
    if 0x90 <= kind <= 0x9F:
        return "list", kind & 0x0F, at
    if 0xA0 <= kind <= 0xBF:
        return "text", kind & 0x1F, at
    if kind not in _SIZES:
        raise InvalidRecord(f"holds data of a kind that is not read (0x{kind:02x})", "kind")
    family = "bytes" if kind <= 0xC6 else "text" if kind <= 0xDB else "list" if kind <= 0xDD else "map"
    return family, struct.unpack_from(_SIZES[kind], data, at)[0], at + struct.calcsize(_SIZES[kind])


def pack(value: Any) -> bytes:  # noqa: PLR0911 - one return a type
    """Return a value of strings, bytes, numbers, lists and dicts as MessagePack."""
    if value is None or isinstance(value, bool):
        return b"\xc0" if value is None else b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return struct.pack(">Bq", 0xD3, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, bytes):
        return struct.pack(">BI", 0xC6, len(value)) + value
    if isinstance(value, str):
        raw = value.encode()
        return struct.pack(">BI", 0xDB, len(raw)) + raw
    if isinstance(value, dict):
        return struct.pack(">BI", 0xDF, len(value)) + b"".join(pack(key) + pack(item) for key, item in value.items())
    return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(pack, value))
