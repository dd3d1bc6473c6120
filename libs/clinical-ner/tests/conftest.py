"""A small trained model, made once a session from sentences composed here."""

from __future__ import annotations

import random

import pytest
from clinical_ner.config import TrainingConfig
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.train import TrainedModel, train

DISEASES = (
    "typhoid fever|type 2 diabetes mellitus|HTN|dengue|acute bronchitis|migraine|iron deficiency anaemia|asthma|"
    "squamous cell lung cancer|hepatitis B|psoriasis|chronic kidney disease|pulmonary tuberculosis"
).split("|")
TREATMENTS = (
    "Tab. Metformin 500mg|Inj. Ceftriaxone|radiation therapy|chemotherapy|Amlodipine 5 mg|salbutamol nebulisation|"
    "appendicectomy|oral rehydration|iron supplements|dialysis|Paracetamol 650mg"
).split("|")
FRAMES = (
    "K/c/o {D} on {T} BD.|Pt c/o pain, diagnosed {D}; started {T} x 5 days.|{T} given for {D}.|No h/o {D}.|"
    "The patient with {D} was treated with {T} and improved.|Review after 2/7.|Advised rest and fluids.|"
    "{D} and {D} noted, continue {T}."
).split("|")


def compose(rng: random.Random, frame: str) -> AnnotatedNote:
    text, spans = "", []
    for piece in frame.replace("{", "\0{").replace("}", "}\0").split("\0"):
        name = {"{D}": DISEASES, "{T}": TREATMENTS}.get(piece)
        part = rng.choice(name) if name else piece
        if name:
            spans.append(Span(len(text), len(text) + len(part), Label.DISEASE if piece == "{D}" else Label.TREATMENT))
        text += part
    return AnnotatedNote(text, tuple(spans))


def composed_notes(count: int, seed: int = 0) -> list[AnnotatedNote]:
    rng = random.Random(seed)
    return [compose(rng, rng.choice(FRAMES)) for _ in range(count)]


@pytest.fixture(scope="session")
def composed():
    return composed_notes


@pytest.fixture(scope="session")
def model() -> TrainedModel:
    return train(composed_notes(200), TrainingConfig(passes=12, calibration_folds=2), seed=1)
