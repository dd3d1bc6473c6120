"""What the lexicon teaches every model: its names for mention swap, and where its words stand in names."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache

from clinical_ner.knowledge import Knowledge
from clinical_ner.notes import Label

from corpus.lexicon import Vocabulary, diseases, treatments

OFTEN, SOME = 8, 2
CLEARLY = 3  # times as often in names of one label as in those of the other


@cache
def knowledge() -> Knowledge:
    """Return the lexicon's training half as knowledge; held-out names stay unseen, so that scores on them are honest."""
    names = {
        Label.DISEASE: [form for name in diseases(Vocabulary.TRAIN) for form in name.forms],
        Label.TREATMENT: [form for name in treatments(Vocabulary.TRAIN) for form in name.forms],
    }
    return Knowledge(names, word_positions(names))


def word_positions(names: dict[Label, list[str]]) -> dict[str, tuple[str, ...]]:
    """Return for each lower-cased word how often it stands where in names, and which label it speaks for.

    Places: S single word, B first, M middle, E last. Counts are in three steps: once, a few times, often.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label, forms in names.items():
        for form in forms:
            words = form.lower().split()
            for place, word in enumerate(words):
                counts[word][label[0] + _place(place, len(words))] += 1
    return {
        word: (*(_step(where, count) for where, count in found.items()), _side(found)) for word, found in counts.items()
    }


def _place(place: int, words: int) -> str:
    if words == 1:
        return "S"
    return "B" if place == 0 else "E" if place == words - 1 else "M"


def _step(where: str, count: int) -> str:
    return f"lx{where}{OFTEN if count >= OFTEN else SOME if count >= SOME else ''}"


def _side(found: Counter[str]) -> str:
    disease = sum(count for where, count in found.items() if where[0] == "D")
    treatment = sum(count for where, count in found.items() if where[0] == "T")
    if not treatment:
        return "lxrD"
    if not disease:
        return "lxrT"
    return "lxrd" if disease > CLEARLY * treatment else "lxrt" if treatment > CLEARLY * disease else "lxrm"
