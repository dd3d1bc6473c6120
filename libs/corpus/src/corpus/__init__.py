"""Synthetic annotated clinical notes and loaders of annotated data sets."""

from corpus.generator import Style, generate
from corpus.lexicon import Vocabulary
from corpus.simulation import CityShareError, Part, Shift, ShiftKind, SyntheticNote, novel_names, simulate

__all__ = [
    "CityShareError",
    "Part",
    "Shift",
    "ShiftKind",
    "Style",
    "SyntheticNote",
    "Vocabulary",
    "generate",
    "novel_names",
    "simulate",
]
