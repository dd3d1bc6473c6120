"""What the shipped corpus gives to a model of somebody's own labels: notes at a low weight, and names to look up."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from clinical_ner.notes import Label
from clinical_ner.support import NO_CLUSTERS, Support

from corpus.generator import generate
from corpus.lexicon import Vocabulary, diseases, treatments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clinical_ner.clusters import WordClusters
    from clinical_ner.notes import AnnotatedNote

_SEED, _NOTES, _STYLE = 1, 3_000, "abstract"


def shipped_support(clusters: WordClusters = NO_CLUSTERS) -> Support:
    """Return the shipped notes and names beside clusters of words.

    Only of the training side of the lexicon: names that are held out stay unseen. Not for training on the shipped corpus
    itself, whose every name the lexicon holds: a rescorer would learn to believe in nothing else.
    """
    return Support(_notes(), _names(), clusters)


@cache
def _notes() -> Sequence[AnnotatedNote]:
    return tuple(generate(_SEED, _NOTES, style=_STYLE, vocabulary=Vocabulary.TRAIN))


@cache
def _names() -> Mapping[Label, Sequence[str]]:
    sides = ((Label.DISEASE, diseases), (Label.TREATMENT, treatments))
    return {label: tuple(form for name in names(Vocabulary.TRAIN) for form in name.forms) for label, names in sides}
