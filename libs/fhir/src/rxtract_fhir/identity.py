"""Ids that are computed, so that the same note by the same model, rules and table gives the same document."""

from __future__ import annotations

import uuid
from hashlib import sha1

# Fixed for ever: another namespace would give every resource another id.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "fhir.rxtract.behealthy.in").bytes
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
# Parts are joined by a character that no identifier holds, so that ("a", "bc") and ("ab", "c") differ.
_SEPARATOR = "\x1f"


def stable_id(*parts: str) -> str:
    """Return the UUIDv5 of the parts.

    >>> stable_id("patient", "p-1") == stable_id("patient", "p-1") != stable_id("patient", "p-2")
    True
    """
    return Identities().of(*parts)


class Identities:
    """Ids of what shares its first parts, which are read once.

    UUIDv5 spelt out, because a document needs a dozen and uuid's own way takes four times as long.

    >>> Identities("patient").of("p-1") == stable_id("patient", "p-1")
    True
    """

    __slots__ = ("_begun",)

    def __init__(self, *parts: str) -> None:
        self._begun = sha1(_NAMESPACE + _SEPARATOR.join(parts).encode(), usedforsecurity=False)
        if parts:
            self._begun.update(_SEPARATOR.encode())

    def of(self, *parts: str) -> str:
        """Return the id of the first parts and these."""
        whole = self._begun.copy()
        whole.update(_SEPARATOR.join(parts).encode())
        digest = whole.hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANTS[digest[16]]}{digest[17:20]}-{digest[20:32]}"
