"""Loads the compiled library that reads and writes columns, and says how its functions are called.

ctypes releases the interpreter's lock during each call. Arrays are passed as addresses: who calls keeps them alive.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any


class Table(ctypes.Structure):
    """Columns of one table (see native/columns.h)."""

    _fields_ = (
        ("n_fields", ctypes.c_int64),
        ("room", ctypes.c_int64),
        ("first", ctypes.c_void_p),
        ("second", ctypes.c_void_p),
    )


class ReaderAddresses(ctypes.Structure):
    """What a reader is (see native/columns.h)."""

    _fields_ = (
        ("program", ctypes.c_void_p),
        ("n_ops", ctypes.c_int64),
        ("n_tables", ctypes.c_int64),
        ("header_size", ctypes.c_int64),
        ("most", ctypes.c_int64),
        ("header", ctypes.c_void_p),
    )


class IdentityAddresses(ctypes.Structure):
    """Of what identities are made (see native/columns.h)."""

    _fields_ = (
        *(
            (name, ctypes.c_void_p)
            for name in ("bytes", "source_places", "source_lengths", "note_places", "note_lengths")
        ),
        *((name, ctypes.c_void_p) for name in ("revisions", "space", "suffix")),
        ("suffix_size", ctypes.c_int64),
    )


_POINTER, _LONG = ctypes.c_void_p, ctypes.c_int64
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "cc_read": (_LONG, [_POINTER, _POINTER, _POINTER, _LONG, _POINTER, _POINTER, _POINTER]),
    "cc_write": (_LONG, [_POINTER, _LONG, _POINTER, _LONG, _POINTER, _LONG, _POINTER]),
    "cc_code_points": (_LONG, [_POINTER, _POINTER, _POINTER, _LONG, _POINTER, _POINTER]),
    "cc_pieces": (None, [*[_POINTER] * 7, _LONG, _POINTER, _POINTER]),
    "cc_event_ids": (None, [_POINTER, _LONG, _POINTER, _POINTER, _POINTER, _POINTER]),
}


class NativeLibraryMissing(RuntimeError):
    """The package was installed without its compiled library."""


@cache
def library() -> ctypes.CDLL:
    """Return the compiled library, ready to call; NativeLibraryMissing if it is absent, stale or for other machines."""
    path = Path(__file__).with_name("_native") / "libcontracts.so"
    try:
        loaded = ctypes.CDLL(str(path))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise NativeLibraryMissing(
            "the compiled library of rxtract-contracts is missing or stale: build it by `pip install -e libs/contracts` "
            "(needs `cc` or the ziglang wheel)"
        ) from error
    return loaded
