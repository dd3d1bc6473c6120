"""How far champion and challenger agree on live notes that nobody labelled: numbers only, no texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from clinical_ner.evaluate import span_keys
from clinical_ner.notes import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clinical_ner.predictions import Prediction


@dataclass(frozen=True, slots=True)
class Agreement:
    """Exact-span F1 between the two, share of notes tagged alike, and entities by label."""

    notes: int
    f1: float
    identical: float
    champion_entities: Mapping[str, int]
    challenger_entities: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def agreement(champion: Sequence[Prediction], challenger: Sequence[Prediction]) -> Agreement:
    """Compare two taggings of the same notes; two that find nothing agree fully."""
    keys = [
        (span_keys(left.mentions), span_keys(right.mentions)) for left, right in zip(champion, challenger, strict=True)
    ]
    shared = sum(len(left & right) for left, right in keys)
    total = sum(len(left) + len(right) for left, right in keys)
    return Agreement(
        notes=len(keys),
        f1=2 * shared / total if total else 1.0,
        identical=sum(left == right for left, right in keys) / len(keys) if keys else 1.0,
        champion_entities=_by_label(champion),
        challenger_entities=_by_label(challenger),
    )


def _by_label(predicted: Sequence[Prediction]) -> dict[str, int]:
    found = Counter(str(mention.label) for prediction in predicted for mention in prediction.mentions)
    return {str(label): found[str(label)] for label in Label}
