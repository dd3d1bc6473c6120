"""The door of data sets: collected notes with surrogates for what identifies people; labels keep their words."""

from __future__ import annotations

import hmac
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from deid import deidentified

if TYPE_CHECKING:
    from lifecycle.collection import Collection


def without_identifiers(collection: Collection, key: bytes) -> Collection:
    """Return the same notes with surrogates, and the count of what was replaced by kind.

    A patient's notes share their surrogates and the shift of their dates; the same key (that of the roles) gives the same.
    What the rules and the tagger of `deid` do not find stays: the result is pseudonymised, not anonymous.
    """
    notes, found = deidentified([item.note for item in collection.notes], hmac.digest(key, b"deid", "sha256"))
    kept = tuple(replace(item, note=note) for item, note in zip(collection.notes, notes, strict=True))
    return replace(collection, notes=kept, replaced=Counter(str(span.kind) for spans in found for span in spans))
