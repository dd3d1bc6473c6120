"""Synthetic annotated clinical notes and loaders of annotated data sets."""

from corpus.generator import Style, generate
from corpus.lexicon import Vocabulary

__all__ = ["Style", "Vocabulary", "generate"]
