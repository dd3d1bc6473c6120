"""Which words may stand in a model: those of public notes, and those that many people of real notes used.

A model goes where its notes may not: into MLflow, into every extractor, to whoever compares models. A word that one patient's notes
alone hold is a name, a rare disease, a place; it may teach the model its shape and its context, but not be spelled in it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from clinical_ner.native import word_key
from clinical_ner.tokens import tokenise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from clinical_ner.notes import AnnotatedNote

PATIENTS, DOCTORS = 5, 3
"""How many must have used a word of real notes, as for the new words that extractors tell (`extractor.domain.new_words`)."""


class Standing:
    """The words that may stand in a model of some notes, without regard to case.

    Args:
        notes: All that it is trained on, swapped copies too.
    """

    def __init__(self, notes: Sequence[AnnotatedNote]) -> None:
        self._all_public = all(note.people is None for note in notes)
        self._words: set[str] = set()
        self._rare: set[str] = set()
        if not self._all_public:
            self._count(notes)

    def _count(self, notes: Sequence[AnnotatedNote]) -> None:
        patients: defaultdict[str, set[str]] = defaultdict(set)
        doctors: defaultdict[str, set[str]] = defaultdict(set)
        written: set[str] = set()
        for note in {id(note): note for note in notes}.values():  # a note may be repeated for its weight
            forms = {token.text for token in tokenise(note.text)}
            words = {form.lower() for form in forms}
            if note.people is None:
                self._words |= words
                continue
            written |= forms
            for word in words:
                patients[word].add(note.people[0])
                doctors[word].add(note.people[1])
        self._words |= {word for word in patients if len(patients[word]) >= PATIENTS and len(doctors[word]) >= DOCTORS}
        self._rare = {form for form in written if form.lower() not in self._words}

    def holds(self, word: str) -> bool:
        """Whether a lower-cased word may stand."""
        return self._all_public or word in self._words

    def holds_all_of(self, text: str, note: AnnotatedNote) -> bool:
        """Whether every word of a piece of a note may stand: of a public note, any."""
        return note.people is None or all(self.holds(token.text.lower()) for token in tokenise(text))

    def barred(self) -> NDArray[np.uint64]:
        """Keys of the words, as written, that may not stand; shape (words,)."""
        return np.array(sorted(word_key(form, lowered=False) for form in self._rare), np.uint64)
