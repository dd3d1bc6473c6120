"""Which notes of a lake are valid, and the identity of what is found in them, by the rules of the doors.

The doors' own code (`contracts`) brings a Kafka client and Avro along, which no cluster shall install for this; a test holds
the two against each other.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from hashlib import sha1

MAX_NOTE_CHARS = 1_048_576
MAX_NOTE_TOKENS = 99_999
MAX_NAME_CHARS = 256
MAX_REVISION = 2**31 - 1
EARLIEST_MS = 946_684_800_000
"""2000-01-01T00:00:00Z: a time before it is a wrong unit or a broken clock."""
DAY_MS = 86_400_000

_INVALID_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_INVALID_IN_NAME = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_SOURCE = re.compile("[a-z0-9-]{1,40}")
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "rxtract.behealthy.in").bytes
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def text_fault(text: str | None) -> str | None:
    """Return the reason code of what is wrong with a text; None: nothing. A null is an empty text."""
    if not text or text.isspace():
        return "EMPTY_TEXT"
    if len(text) > MAX_NOTE_CHARS:
        return "TEXT_TOO_LONG"
    if not text.isprintable() and _INVALID_IN_TEXT.search(text) is not None:
        return "ILLEGAL_CHARACTERS"
    if len(text) > MAX_NOTE_TOKENS and sum(1 for _ in _TOKEN.finditer(text)) > MAX_NOTE_TOKENS:
        return "TOO_MANY_TOKENS"
    return None


def name_fault(name: str | None) -> str | None:
    """Return the reason code of what is wrong with a note's id; None: nothing."""
    if not name or name.isspace():
        return "MISSING_FIELD"
    if len(name) > MAX_NAME_CHARS:
        return "OUT_OF_RANGE"
    return None if name.isprintable() or _INVALID_IN_NAME.search(name) is None else "ILLEGAL_CHARACTERS"


def source_fault(source: str | None) -> str | None:
    """Return INVALID_SOURCE where this is no name of a sending system."""
    return None if source and _SOURCE.fullmatch(source) else "INVALID_SOURCE"


def normalise(text: str) -> str:
    """Return the text in Unicode normal form C, which offsets count."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def event_id(key: str) -> str:
    """Return the UUIDv5 of `source|note_id|revision|model serial|rules serial`, as every record of that effect has it."""
    digest = sha1(_NAMESPACE + key.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANTS[digest[16]]}{digest[17:20]}-{digest[20:32]}"
