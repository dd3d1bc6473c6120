"""Synthetic annotated notes in the styles that doctors and papers use."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from clinical_ner.guideline import META_KEY, SHIPPED_VERSION

from corpus import marked
from corpus.chance import Chance
from corpus.lexicon import Vocabulary
from corpus.noise import scribble
from corpus.sampler import Sampler

if TYPE_CHECKING:
    from clinical_ner.notes import AnnotatedNote

_TRIES_FOR_A_NEW_TEXT = 20
_PRETOKENISED = 0.45
_ALL_APART = 0.12
_TITLE_CASE = 0.05
_NO_STOP = 0.5


class Style(StrEnum):
    """How a note is written; MIXED draws one of those between for each note, FACTS is annotated in full.

    FACTS judges rules, it is not for training: its sentences are chosen for what they say, not for how often they are written.
    """

    MIXED = "mixed"
    PRESCRIPTION = "prescription"
    DISCHARGE = "discharge"
    ABSTRACT = "abstract"
    PROSE = "prose"
    CASE_REPORT = "case_report"
    FACTS = "facts"


_MEANINGS = {Style.FACTS: marked.ALL_ANNOTATED}
_TYPESET = frozenset({Style.ABSTRACT, Style.PROSE, Style.CASE_REPORT})
_MIX = (
    (Style.ABSTRACT, 0.42),
    (Style.PROSE, 0.16),
    (Style.CASE_REPORT, 0.16),
    (Style.PRESCRIPTION, 0.16),
    (Style.DISCHARGE, 0.1),
)


def generate(
    seed: int, n: int, style: Style | str = Style.MIXED, vocabulary: Vocabulary | str = Vocabulary.TRAIN
) -> list[AnnotatedNote]:
    """Return `n` different notes; the first notes of a longer corpus equal a shorter one of the same seed."""
    wanted, side = Style(style), Vocabulary(vocabulary)
    seen: set[str] = set()
    notes = []
    for ordinal in range(n):
        note = _new_note(seed, ordinal, wanted, side, seen)
        seen.add(note.text)
        notes.append(note)
    return notes


def _new_note(seed: int, ordinal: int, style: Style, vocabulary: Vocabulary, seen: set[str]) -> AnnotatedNote:
    for attempt in range(_TRIES_FOR_A_NEW_TEXT):
        chance = Chance("note", seed, style.value, vocabulary.value, ordinal, attempt)
        drawn = chance.weighted(_MIX) if style is Style.MIXED else style
        meta = {"style": drawn.value, "synthetic": "true", META_KEY: SHIPPED_VERSION}
        text = write(chance, drawn, Sampler(chance, vocabulary))
        note = marked.read(text, note_id=f"synthetic-{seed}-{style.value}-{vocabulary.value}-{ordinal}", meta=meta)
        if note.text not in seen:
            break
    return note


def write(chance: Chance, style: Style, sampler: Sampler) -> str:
    """Return one note of `style` as marked text."""
    text = sampler.write(style.value, _MEANINGS.get(style, ""))
    if style in (Style.PRESCRIPTION, Style.FACTS):
        return scribble(text, chance, keep_lines=style is Style.FACTS)
    text = marked.capitalise_sentences(marked.tidy(text))
    return _typeset(text, chance) if style in _TYPESET else text


def _typeset(text: str, chance: Chance) -> str:
    """Vary what stands around a sentence in the literature: final stops, capitals, pre-tokenised text."""
    if text.endswith(".") and chance.share() < _NO_STOP:
        text = text[:-1]
    if chance.share() < _TITLE_CASE:
        text = marked.title_case(text)
    draw = chance.share()
    if draw < _ALL_APART:
        return marked.set_all_apart(text)
    return marked.set_apart(text) if draw < _PRETOKENISED else text
