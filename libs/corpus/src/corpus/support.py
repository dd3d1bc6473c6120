"""What the shipped corpus and lexicon give to a model: notes at a low weight beside somebody's own labels, and names to look up."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from clinical_ner.notes import Label
from clinical_ner.support import NO_CLUSTERS, Support

from corpus.generator import generate
from corpus.lexicon import Vocabulary, brands, diseases, treatments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clinical_ner.clusters import WordClusters
    from clinical_ner.notes import AnnotatedNote

SHIPPED_SEED, SHIPPED_NOTES = 20, 8_000
"""The notes that the shipped model is trained on, and that a retraining mixes labels with."""
HIDDEN = 0.5
"""Share of the names not looked up while a model learns from the shipped corpus, which is made of these very names: with all of
them shown, F1 on names that it never saw is 0.6 points lower (docs/model-quality.md)."""
_SEED, _NOTES, _STYLE = 1, 3_000, "abstract"


def shipped_support(clusters: WordClusters = NO_CLUSTERS) -> Support:
    """Return the shipped notes and names beside clusters of words.

    Only of the training side of the lexicon: names that are held out stay unseen. Not for training on the shipped corpus
    itself, for which there is `shipped_names`.
    """
    return Support(_notes(), _names(), clusters)


def shipped_names(clusters: WordClusters = NO_CLUSTERS) -> Support:
    """Return the shipped names for training on the shipped corpus itself: a part of them is hidden, as many names of real notes will be."""
    return Support(names=_names(), clusters=clusters, hidden=HIDDEN)


@cache
def _notes() -> Sequence[AnnotatedNote]:
    return tuple(generate(_SEED, _NOTES, style=_STYLE, vocabulary=Vocabulary.TRAIN))


@cache
def _names() -> Mapping[Label, Sequence[str]]:
    sides = {
        Label.DISEASE: diseases(Vocabulary.TRAIN),
        Label.TREATMENT: treatments(Vocabulary.TRAIN) + brands(Vocabulary.TRAIN),
    }
    return {label: tuple(form for name in names for form in name.forms) for label, names in sides.items()}
