"""Which notes train and which judge: decided by a keyed hash of the patient, before any label exists.

Nobody who labels or trains can move a note, and all notes of a patient (of a document, for an import) go together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

MIN_KEY_BYTES = 32
_RANGE = 2**64


class Role(StrEnum):
    """What a note is for."""

    TRAIN = "train"
    RECENT = "recent"
    GOLD = "gold"


class RoleKeyError(ValueError):
    """A key that roles must not be made with."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of patients whose notes judge; the others train."""

    recent: float = 0.15
    gold: float = 0.15

    @property
    def train(self) -> float:
        """The rest."""
        return 1.0 - self.recent - self.gold


DEFAULT_SHARES = Shares()


def role_of(patient_ref: str, key: bytes, shares: Shares = DEFAULT_SHARES) -> Role:
    """Return the role of a patient's pseudonym (of the document, for an import).

    Raises:
        RoleKeyError: The key is too short.

    >>> role_of("patient-1", b"k" * 32) is role_of("patient-1", b"k" * 32)
    True
    """
    if len(key) < MIN_KEY_BYTES:
        raise RoleKeyError(f"the role key has {len(key)} bytes: it needs at least {MIN_KEY_BYTES}")
    hashed = hashlib.blake2b(
        patient_ref.encode("utf-8", "surrogatepass"), digest_size=8, key=key[:64], person=b"rx-role"
    )
    place = int.from_bytes(hashed.digest(), "big") / _RANGE
    # Gold lies at one end and recent beside it, so that a changed share of recent moves no note into or out of gold.
    if place < shares.gold:
        return Role.GOLD
    return Role.RECENT if place < shares.gold + shares.recent else Role.TRAIN
