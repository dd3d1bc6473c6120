"""Synthetic notes as the platform would submit them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from contracts.records import NoteSubmitted, Origin

if TYPE_CHECKING:
    from corpus import SyntheticNote


def as_submitted(synthetic: SyntheticNote) -> NoteSubmitted:
    """Return a synthetic note as the platform would submit it at this moment."""
    fields = {**synthetic.fields(), "written_at": int(time.time() * 1000), "origin": str(Origin.LIVE)}
    return NoteSubmitted.from_dict(fields)
