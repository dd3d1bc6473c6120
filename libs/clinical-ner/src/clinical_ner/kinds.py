"""Which kind of text a model's confidences were measured on, and whether a note is unlike it.

A curve from raw to calibrated confidence holds for texts like those that it was fitted on. What tells a text of another kind
without anybody's labels is the share of its words that no training note holds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from clinical_ner.reference import unseen_elsewhere

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.tagger import TaggedNote

MIN_TOKENS = 8
"""Shorter notes are not judged: one unseen name would decide."""
_QUANTILE = 0.95
_LEAST_LIMIT = 0.1
_TRAINING, _SYNTHETIC = "its own training notes", "synthetic notes alone, nobody's records"


class Words(Protocol):
    """How many tokens a note has, and how many of them no training note holds; `clinical_ner.tagger.NoteStatistics` is one."""

    @property
    def tokens(self) -> int:
        """All of them."""

    @property
    def oov_tokens(self) -> int:
        """Those with a letter that no training note holds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The texts that confidences were measured on.

    Attributes:
        name: In words, for people.
        notes: How many.
        limit: Share of unseen words (0 to 1) that one note in twenty of them exceeds.
    """

    name: str
    notes: int
    limit: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the model's metadata."""
        return asdict(self)

    def unlike(self, statistics: Words) -> bool:
        """Tell whether a note holds more unseen words than the notes of this kind."""
        return statistics.tokens >= MIN_TOKENS and unseen_share(statistics) > self.limit


def unseen_share(statistics: Words) -> float:
    """Share of a note's tokens that no training note holds; 0.0 without tokens."""
    return statistics.oov_tokens / statistics.tokens if statistics.tokens else 0.0


def kind_of_training(notes: Sequence[AnnotatedNote]) -> Kind:
    """The kind of the training notes themselves: a word counts as unseen where no other of them holds it."""
    shares = [unseen / tokens for unseen, tokens in unseen_elsewhere(notes) if tokens >= MIN_TOKENS]
    synthetic = bool(notes) and all(note.meta.get("synthetic") == "true" for note in notes)
    return Kind(_SYNTHETIC if synthetic else _TRAINING, len(notes), _limit(shares))


def kind_of_audit(name: str, tagged: Sequence[TaggedNote]) -> Kind:
    """The kind of notes that the model was not trained on, as it tagged them."""
    statistics = [note.statistics for note in tagged]
    return Kind(name, len(tagged), _limit([unseen_share(one) for one in statistics if one.tokens >= MIN_TOKENS]))


def kind_in(metadata: Mapping[str, Any]) -> Kind | None:
    """The kind that a model names; None for a model from before there were kinds."""
    found = metadata.get("calibration", {}).get("kind")
    return Kind(str(found["name"]), int(found["notes"]), float(found["limit"])) if found else None


def calibration_object(metadata: Mapping[str, Any], statistics: Words) -> dict[str, Any]:
    """What confidences were measured on, and whether a note is like it, as plain data; `holds` is null for a model that does not say."""
    kind = kind_in(metadata)
    return {
        "holds": None if kind is None else not kind.unlike(statistics),
        "measured_on": None if kind is None else kind.name,
        "unseen_words": round(unseen_share(statistics), 4),
        "limit": None if kind is None else kind.limit,
    }


def warning(metadata: Mapping[str, Any], statistics: Words) -> str:
    """One sentence for a note that is unlike what the model's confidences were measured on; "" for any other."""
    kind = kind_in(metadata)
    if kind is None or not kind.unlike(statistics):
        return ""
    return (
        f"unlike {kind.name}: {unseen_share(statistics):.0%} of its words are new to the model, and "
        f"nineteen in twenty of those hold {kind.limit:.0%} at most; confidences are not calibrated here"
    )


def _limit(shares: Sequence[float]) -> float:
    return round(max(_LEAST_LIMIT, float(np.quantile(shares, _QUANTILE))) if shares else 1.0, 4)
