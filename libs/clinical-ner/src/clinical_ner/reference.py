"""Reference statistics: what the notes that a model was trained on look like to it, for drift detection."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from clinical_ner.tokens import tokenise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.tagger import NoteStatistics, TaggedNote

BLOCK_NOTES = 25
"""Drift detection looks at means of blocks of this many notes."""


def note_values(statistics: NoteStatistics) -> dict[str, float]:
    """The drift statistics of one note, by name; a share whose denominator is 0 is left out."""
    entity_tokens = statistics.disease_tokens + statistics.treatment_tokens
    values = {
        "tokens": float(statistics.tokens),
        "disease_entities": float(statistics.disease_entities),
        "treatment_entities": float(statistics.treatment_entities),
        "confidence": statistics.confidence,
    }
    if statistics.tokens:
        values["oov_share"] = statistics.oov_tokens / statistics.tokens
    if statistics.chars:
        values["unknown_char_share"] = statistics.unknown_chars / statistics.chars
    if entity_tokens:
        values["disease_token_share"] = statistics.disease_tokens / entity_tokens
    if entities := statistics.disease_entities + statistics.treatment_entities:
        values["negated_share"] = statistics.negated_entities / entities
        values["uncertain_share"] = statistics.uncertain_entities / entities
    return values


def reference_statistics(
    notes: Sequence[AnnotatedNote], predictions: Sequence[TaggedNote]
) -> dict[str, dict[str, float]]:
    """Per statistic: mean and sd over notes, and sd over means of blocks of 25 notes, from held-out predictions.

    The out-of-vocabulary share counts a word as unseen if no other note holds it: the fold models know fewer words
    than the model that serves.
    """
    oov = [unseen for unseen, _ in unseen_elsewhere(notes)]
    rows = [
        note_values(tagged.statistics._replace(oov_tokens=unseen))
        for tagged, unseen in zip(predictions, oov, strict=True)
    ]
    names = sorted({name for row in rows for name in row})
    return {name: _summary(np.array([row[name] for row in rows if name in row])) for name in names}


def unseen_elsewhere(notes: Sequence[AnnotatedNote]) -> list[tuple[int, int]]:
    """Of each note: tokens whose word no other note holds, and all of its tokens."""
    tokens = [[token.text for token in tokenise(note.text)] for note in notes]
    words = [[token.lower() for token in listed if _has_letter(token)] for listed in tokens]
    holders = Counter(word for listed in words for word in set(listed))
    return [
        (sum(holders[word] == 1 for word in listed), len(all_of)) for listed, all_of in zip(words, tokens, strict=True)
    ]


def _has_letter(word: str) -> bool:
    return any(character.isalpha() for character in word)


def _summary(values: NDArray[np.float64]) -> dict[str, float]:
    blocks = [values[at : at + BLOCK_NOTES].mean() for at in range(0, len(values) - BLOCK_NOTES + 1, BLOCK_NOTES)]
    sd = float(values.std())
    block_sd = float(np.std(blocks)) if len(blocks) > 3 else sd / BLOCK_NOTES**0.5
    return {"mean": float(values.mean()), "sd": sd, "block_mean_sd": block_sd, "notes": float(len(values))}
