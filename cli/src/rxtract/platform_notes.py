"""Synthetic notes as the platform would submit them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.records import NoteSubmitted, Origin
from runtime.service.clock import now_ms

if TYPE_CHECKING:
    from corpus import SyntheticNote


def as_submitted(synthetic: SyntheticNote, source: str | None = None) -> NoteSubmitted:
    """Return a synthetic note as the platform would submit it at this moment, from another source where one is given."""
    fields = {**synthetic.fields(), "source": synthetic.source if source is None else source}
    fields |= {"written_at": now_ms(), "origin": str(Origin.LIVE)}
    return NoteSubmitted.from_dict(fields)
