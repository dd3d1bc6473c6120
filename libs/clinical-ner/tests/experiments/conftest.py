"""Notes and a configuration so small that a model trains in a fraction of a second."""

from __future__ import annotations

import random

import pytest
from clinical_ner.config import TrainingConfig
from clinical_ner.notes import AnnotatedNote, Label, Span

DISEASES = ("fever", "asthma", "diabetes", "migraine", "anaemia", "lung cancer", "eczema", "gout")
TREATMENTS = ("paracetamol", "metformin", "insulin", "dialysis", "chemotherapy", "surgery", "iron", "rest")
FRAMES = (
    "known case of {D} on {T} daily",
    "{D} since two days , started {T}",
    "given {T} for {D}",
    "review after {N} weeks",
)
TINY = TrainingConfig(
    groups={"bias": (0,), "lower": (-1, 0, 1), "suffix3": (0,)},
    conjunctions=(),
    algorithm="lbfgs",
    max_iterations=8,
    swap_copies=0,
    calibration_folds=0,
    min_frequency=1.0,
)


def make_notes(count: int, seed: int = 0, labels: str = "DT") -> list[AnnotatedNote]:
    """Notes of simple sentences; `labels` says which are annotated."""
    dice = random.Random(seed)
    return [_note(dice, index, labels) for index in range(count)]


def _note(dice: random.Random, index: int, labels: str) -> AnnotatedNote:
    text, spans = "", []
    for word in dice.choice(FRAMES).split():
        name = {"{D}": dice.choice(DISEASES), "{T}": dice.choice(TREATMENTS), "{N}": str(dice.randint(1, 400))}.get(
            word, word
        )
        start = len(text) + bool(text)
        text = f"{text} {name}".strip()
        if word in {"{D}", "{T}"} and word[1] in labels:
            spans.append(Span(start, start + len(name), Label.DISEASE if word == "{D}" else Label.TREATMENT))
    return AnnotatedNote(f"{text} #{index}", tuple(spans), note_id=f"n{index}")


@pytest.fixture(name="small_notes")
def small_notes_():
    """`small_notes(count, seed, labels)` makes annotated notes."""
    return make_notes


@pytest.fixture(name="tiny")
def tiny_():
    """A configuration that trains at once."""
    return TINY
