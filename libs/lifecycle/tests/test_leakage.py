"""A model is asked by hash whether it was trained on what judges it."""

from __future__ import annotations

import numpy as np
import pytest
from clinical_ner.mentions import mention_digests
from clinical_ner.notes import AnnotatedNote, Label, Span
from lifecycle.leakage import TEXTS, leak, packed, text_hashes


def note(name: str, group: str = "") -> AnnotatedNote:
    return AnnotatedNote(f"{name} since Monday", (Span(0, len(name), Label.DISEASE),), group=group)


TAUGHT = [note("fever"), note("cough")]
GOLD = [note("asthma", "p1")]
RECENT = [note("malaria", "p2")]
NONE = np.array([], np.uint64)


def told(notes: list[AnnotatedNote]) -> dict[str, str]:
    return {TEXTS: packed(text_hashes(notes))}


def test_a_clean_model_is_clean():
    assert not leak(told(TAUGHT), mention_digests(TAUGHT), GOLD, TAUGHT, recent=RECENT).found


@pytest.mark.parametrize("seen", [GOLD, RECENT])
def test_a_text_of_either_test_set_is_a_leak(seen):
    found = leak(told([*TAUGHT, *seen]), NONE, GOLD, recent=RECENT)
    assert found.texts == 1
    assert found.found


@pytest.mark.parametrize("patient", ["p1", "p2"])
def test_a_patient_of_either_test_set_is_a_leak(patient):
    assert leak(told(TAUGHT), NONE, GOLD, [note("fever", patient)], recent=RECENT).patients == 1


def test_names_alone_are_suspicious_in_gold_but_not_in_recent_notes():
    assert leak({}, mention_digests(GOLD), GOLD, recent=RECENT).found
    assert not leak({}, mention_digests(RECENT), GOLD, recent=RECENT).found
