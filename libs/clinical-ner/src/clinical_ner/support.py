"""What helps a model beside its labels: annotated notes of another kind at a low weight, names, clusters of words."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from clinical_ner.clusters import NO_CLUSTERS, WordClusters

__all__ = ["NO_BACKGROUND", "NO_CLUSTERS", "NO_SUPPORT", "Background", "Support", "background_of", "background_weight"]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clinical_ner.notes import AnnotatedNote, Label


@dataclass(frozen=True, slots=True)
class Background:
    """Annotated notes that are not the user's own, and how much each counts beside one that is."""

    notes: Sequence[AnnotatedNote] = ()
    weight: float = 0.0


NO_BACKGROUND = Background()


@dataclass(frozen=True, slots=True)
class Support:
    """What training may use beside the labels.

    Attributes:
        background: Notes of a shipped corpus.
        names: Names of each label, for columns of the rescorer.
        hidden: Share of the names that are not looked up while the rescorer learns. Where the corpus is made of these very names it
            would else learn to believe in nothing but them.
        clusters: Clusters of words from unlabelled text.
    """

    background: Sequence[AnnotatedNote] = ()
    names: Mapping[Label, Sequence[str]] = field(default_factory=dict)
    clusters: WordClusters = NO_CLUSTERS
    hidden: float = 0.0


NO_SUPPORT = Support()

HEAVIEST, LIGHTEST, FULL_SENTENCES = 1 / 3, 0.1, 30.0


def background_weight(labelled: int) -> float:
    """Return how much a shipped sentence counts beside a labelled one: less as labels come.

    At a third it costs two points of F1 from 500 labelled sentences on; at a tenth it still helps 2,000 (docs/model-quality.md).
    """
    return min(HEAVIEST, max(LIGHTEST, FULL_SENTENCES / (labelled + FULL_SENTENCES)))


def background_of(notes: Sequence[AnnotatedNote], shipped: Sequence[AnnotatedNote]) -> Background:
    """Return the shipped notes with the labels that `notes` have, and their weight beside so many notes.

    A label that a set does not annotate is no label of its model: shipped mentions of it count as any other word.
    """
    if not shipped:
        return NO_BACKGROUND
    labels = {span.label for note in notes for span in note.spans}
    kept = [
        replace(
            note,
            spans=tuple(span for span in note.spans if span.label in labels),
            pairs=(),
            relations=None,
            meanings=(),
        )
        for note in shipped
    ]
    return Background(kept, background_weight(len(notes)))
