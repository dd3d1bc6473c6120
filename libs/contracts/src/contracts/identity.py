"""Identities that are computed, so that doing a thing twice gives the same identity twice."""

import uuid
from hashlib import sha1

# Fixed for ever: another namespace would give the same effect another identity.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "rxtract.behealthy.in")

# Parts are joined by a character that no legal identifier holds, so that ("a", "bc") and ("ab", "c") differ.
_SEPARATOR = "\x1f"


def event_id(note_id: str, revision: int, model_version: str) -> str:
    """Return the identity of what one model version says about one revision of a note."""
    return _identity("event", note_id, str(revision), model_version)


def annotation_id(note_id: str, revision: int, annotator: str, sequence: int) -> str:
    """Return the identity of an annotator's `sequence`-th word on one revision of a note."""
    return _identity("annotation", note_id, str(revision), annotator, str(sequence))


def measurement_id(model_version: str, segment: str, window_start: int, window_end: int) -> str:
    """Return the identity of a quality measurement; the window is in UTC milliseconds."""
    return _identity("measurement", model_version, segment, str(window_start), str(window_end))


def _identity(*parts: str) -> str:
    """Return `str(uuid.uuid5(...))`, spelt out: one is made for every note, and uuid's own way takes four times as long."""
    digest = sha1(_NAMESPACE.bytes + _SEPARATOR.join(parts).encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
