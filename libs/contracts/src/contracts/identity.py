"""Identities that are computed, so that doing a thing twice gives the same identity twice."""

import re
import uuid
from hashlib import sha1

# Fixed for ever: another namespace would give the same effect another identity.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "rxtract.behealthy.in")
_NAMESPACE_BYTES = NAMESPACE.bytes
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

# Parts are joined by a character that no valid identifier holds, so that ("a", "bc") and ("ab", "c") differ.
_SEPARATOR = "\x1f"


SOURCE_SYNTAX = "1 to 40 of a-z, 0-9 and hyphen"
"""What a source may be, in words."""

_source = re.compile("[a-z0-9-]{1,40}").fullmatch


def is_source(source: str) -> bool:
    """Tell whether a string may name a source.

    >>> [is_source(name) for name in ("clinic-app", "", "Clinic", "rx|7")]
    [True, False, False, False]
    """
    return _source(source) is not None


def note_key(source: str, note_id: str) -> str:
    """Return a note's identity as one string: the key of every topic that is keyed by a note.

    >>> note_key("clinic-app", "rx|7")
    'clinic-app|rx|7'
    """
    return f"{source}|{note_id}"


def split_note_key(key: str) -> tuple[str, str]:
    """Return source and note_id of a note's key; a source holds no `|`, so the first one separates.

    Raises:
        ValueError: the key holds no `|`, so it is no key of a note.

    >>> split_note_key("clinic-app|rx|7")
    ('clinic-app', 'rx|7')
    """
    source, separator, note_id = key.partition("|")
    if not separator:
        raise ValueError("no key of a note: expected source|note_id")
    return source, note_id


def event_id(source: str, note_id: str, revision: int, model_serial: int, rules_serial: int) -> str:
    """Return the identity of what one model version and one release of rules found in one revision of a note.

    It is UUIDv5 of the five, joined by `|`, in the namespace UUIDv5(DNS, "rxtract.behealthy.in"), so that a reader in any
    language can compute it again.
    """
    return _uuid5(f"{source}|{note_id}|{revision}|{model_serial}|{rules_serial}")


def coded_id(
    source: str, note_id: str, revision: int, model_serial: int, rules_serial: int, *, table_serial: int
) -> str:
    """Return the identity of the codes that one set of tables gives what `event_id` names: UUIDv5 of the six, joined by `|`."""
    return _uuid5(f"{source}|{note_id}|{revision}|{model_serial}|{rules_serial}|{table_serial}")


def document_id(coded_event_id: str, profile: str, guide: str) -> str:
    """Return the identity of a note's FHIR document: what `coded_id` names, in one profile by one version of its guide."""
    return _identity("document", coded_event_id, profile, guide)


def annotation_id(source: str, note_id: str, revision: int, annotator: str, sequence: int) -> str:
    """Return the identity of an annotator's `sequence`-th decision on one revision of a note."""
    return _identity("annotation", source, note_id, str(revision), annotator, str(sequence))


def trust_event_id(annotator: str, state: str, at: int) -> str:
    """Return the identity of a judgement on an annotator's labels; `at` is the moment that it follows from, UTC milliseconds."""
    return _identity("trust", annotator, state, str(at))


def measurement_id(model_version: str, segment: str, window_start: int, window_end: int) -> str:
    """Return the identity of a quality measurement; the window is in UTC milliseconds."""
    return _identity("measurement", model_version, segment, str(window_start), str(window_end))


def _identity(*parts: str) -> str:
    return _uuid5(_SEPARATOR.join(parts))


def _uuid5(name: str) -> str:
    """Return `str(uuid.uuid5(...))`, spelt out: one is made for every note, and uuid's own way takes four times as long."""
    digest = sha1(_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANTS[digest[16]]}{digest[17:20]}-{digest[20:32]}"
