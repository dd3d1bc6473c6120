"""Which entity strings a model saw in training, as hashes.

Scores on seen and on unseen strings differ by thirty points, so a model must be able to say which is which; it carries
hashes because the strings themselves are health data. The hash is not keyed: it hides strings from a reader, not from
somebody who guesses them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.standing import Standing


def mention_key(text: str) -> str:
    """Return the mention without case and with single spaces: two spellings of one name share a key."""
    return " ".join(text.casefold().split())


def mention_digest(text: str) -> int:
    """Return the 64-bit hash of a mention's key."""
    key = mention_key(text).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")


def mention_digests(notes: Iterable[AnnotatedNote], standing: Standing | None = None) -> NDArray[np.uint64]:
    """Return the sorted, unique hashes of the annotated mentions of `notes`; shape (mentions,).

    With `standing` those of real notes only where all their words may stand: a hash of few letters is guessed.
    """
    found = ((note, note.text[span.start : span.end]) for note in notes for span in note.spans)
    keys = {key for note, key in found if standing is None or standing.holds_all_of(key, note)}
    return np.array(sorted({mention_digest(key) for key in keys}), dtype=np.uint64)
