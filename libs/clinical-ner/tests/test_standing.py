"""What one patient's notes alone hold is spelled in neither file of a model; what many people used is."""

from dataclasses import replace

import numpy as np
import pytest
from clinical_ner.artifact import load
from clinical_ner.config import TrainingConfig
from clinical_ner.crfsuite_file import read_weights
from clinical_ner.mentions import mention_digest
from clinical_ner.native import word_key
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.standing import DOCTORS, PATIENTS, Standing
from clinical_ner.train import train
from corpus.generator import generate

FAST = TrainingConfig(averaged_fits=2, passes=5, max_iterations=5, calibration_folds=2, min_frequency=1)
CANARY = "Quzzywimp"
PUBLIC = tuple(generate(3, 40))
EVERY_GROUP = replace(
    FAST,
    groups={
        **FAST.groups,
        "word": (-1, 0, 1),
        "grams3": (0,),
        "grams5": (0, 1),
        "kind": (0,),
        "parts": (0,),
        "length": (0,),
    },
)
CONFIGS = {
    "the default": FAST,
    "every group": EVERY_GROUP,
    "L-BFGS": replace(FAST, algorithm="lbfgs"),
    "CRFsuite": replace(FAST, algorithm="lbfgs", by_crfsuite=True, averaged_fits=1),
    "no swaps": replace(FAST, swap_copies=0),
}


def real(word: str, patients: int, doctors: int, count: int = 12) -> list[AnnotatedNote]:
    """Notes of some people that hold a word as a disease, glued to others, in several cases and as context."""
    texts = [
        f"K/c/o {word} x 2/7, rest.",
        f"Known {word}-induced fever; {word.upper()}/HTN.",
        f"Seen with {word.lower()}",
    ]
    notes = []
    for place in range(count):
        text = texts[place % len(texts)]
        at = text.lower().index(word.lower())
        span = Span(at, at + len(word), Label.DISEASE)
        people = (f"p{place % patients}", f"d{place % doctors}")
        notes.append(AnnotatedNote(text, (span,), note_id=f"r{place}", group=people[0], people=people))
    return notes


def spelled(attributes: list[str], word: str) -> set[str]:
    """Every piece of four letters of a word, and what holds it: no public note has any."""
    lower = word.lower()
    pieces = {lower[at : at + 4] for at in range(len(lower) - 3)}
    return {attribute for attribute in attributes if any(piece in attribute.lower() for piece in pieces)}


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in CONFIGS if name != "the default"]


@pytest.fixture(scope="module", params=["the default", *SLOW])
def config(request) -> TrainingConfig:
    return CONFIGS[request.param]


FEW = {
    "one patient": (1, 1),
    "one patient, many doctors": (1, 12),
    "too few patients": (PATIENTS - 1, 12),
    "too few doctors": (12, DOCTORS - 1),
}


@pytest.mark.parametrize("few", FEW)
def test_a_word_of_few_people_is_in_neither_file(few: str) -> None:
    assert_spelled_nowhere(FAST, *FEW[few])


def test_nor_is_it_however_the_model_is_trained(config: TrainingConfig) -> None:
    assert_spelled_nowhere(config, 1, 1)


def assert_spelled_nowhere(config: TrainingConfig, patients: int, doctors: int) -> None:
    trained = train([*PUBLIC, *real(CANARY, patients, doctors) * 3], config)
    weights, tables = read_weights(trained.crfsuite), load(trained.tables)
    assert spelled(weights.attributes, CANARY) == set()
    for content in (trained.crfsuite, trained.tables):
        for form in (CANARY, CANARY.lower(), CANARY.upper()):
            assert form.encode() not in content
    assert np.uint64(word_key(CANARY.lower())) not in tables.known_words
    assert np.uint64(mention_digest(CANARY)) not in tables.training_mentions
    assert trained.tagger().unknown_words(f"no {CANARY} here") != []


def test_a_word_of_many_people_is_in_both(config: TrainingConfig) -> None:
    trained = train([*PUBLIC, *real(CANARY, PATIENTS, DOCTORS, 15) * 3], config)
    weights, tables = read_weights(trained.crfsuite), load(trained.tables)
    assert f"0 l={CANARY.lower()}" in weights.attributes
    assert np.uint64(word_key(CANARY.lower())) in tables.known_words
    assert np.uint64(mention_digest(CANARY)) in tables.training_mentions


def test_a_word_of_a_public_note_is_free_whoever_else_used_it(config: TrainingConfig) -> None:
    public = [replace(note, people=None) for note in real(CANARY, 1, 1)]
    trained = train([*PUBLIC, *public, *real(CANARY, 1, 1)], config)
    assert f"0 l={CANARY.lower()}" in read_weights(trained.crfsuite).attributes


def test_notes_of_one_patient_teach_what_others_spell() -> None:
    """Their context and shape stay: the model learns from the note, it only does not spell the word."""
    notes = real(CANARY, 1, 1)
    weights = read_weights(train([*PUBLIC, *notes], FAST).crfsuite)
    alone = read_weights(train(PUBLIC, FAST).crfsuite)
    assert set(weights.attributes) - set(alone.attributes) != set()
    assert Standing([*PUBLIC, *notes]).barred().size >= 3
    assert Standing(PUBLIC).barred().size == 0


def test_a_name_of_few_people_does_not_move_into_the_notes_of_others() -> None:
    """A span may be a part of a token, so that its words stand nowhere by themselves."""
    text = f"Known {CANARY}x2 today"
    note = AnnotatedNote(text, (Span(6, 6 + len(CANARY), Label.DISEASE),), people=("p", "d"))
    trained = train([*PUBLIC, *[note] * 3], FAST)
    assert spelled(read_weights(trained.crfsuite).attributes, CANARY) == set()
    assert np.uint64(mention_digest(CANARY)) not in load(trained.tables).training_mentions


def test_public_notes_train_the_same_model_as_ever() -> None:
    anonymous = [replace(note, people=None) for note in PUBLIC]
    assert train(PUBLIC, FAST).sha256 == train(anonymous, FAST).sha256
