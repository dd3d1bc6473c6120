"""Reads annotated data sets in whatever format they come (`corpus.formats`), as a list of `AnnotatedNote`.

What is wrong is a `DatasetError` that names every fault with all its lines and says what to do; what was repaired is a remark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corpus.formats.reading import Options, Reading, read
from corpus.formats.recognise import Format
from corpus.formats.vocabulary import parse_map
from corpus.loaders_directions import load_directions
from corpus.loaders_text import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from clinical_ner.notes import AnnotatedNote

__all__ = [
    "DatasetError",
    "Format",
    "Options",
    "Reading",
    "load",
    "load_conll",
    "load_directions",
    "load_jsonl",
    "load_pairs",
    "parse_map",
    "read",
]


def load(data: Path, labels: Path | None = None, form: Format | None = None) -> list[AnnotatedNote]:
    """Read a data set.

    Args:
        data: A file or a folder; the sentences for pairs.
        labels: The labels file; for pairs only.
        form: The format; when absent it is recognised.

    Raises:
        DatasetError: File, line numbers, what is wrong, what to do.
    """
    return list(read(data, labels, Options(form)).notes())


def load_pairs(sentences: Path, labels: Path) -> list[AnnotatedNote]:
    """Read a file of tokens and one of labels.

    Raises:
        DatasetError: As `load`.
    """
    return load(sentences, labels, Format.PAIRS)


def load_conll(path: Path) -> list[AnnotatedNote]:
    """Read columns of tokens and labels.

    Raises:
        DatasetError: As `load`.
    """
    return load(path, None, Format.CONLL)


def load_jsonl(path: Path) -> list[AnnotatedNote]:
    """Read JSON of any tool; our own lines are `{"text": "...", "spans": [{"start": 0, "end": 4, "label": "DISEASE"}]}`.

    Offsets count code points. Optional: `note_id` (or `id`), `group` (its document), `tokens` (`[[start, end], ...]`), `pairs`
    (`[[treatment span, disease span], ...]`), `meta` (strings), `annotates` (the labels that were looked for, if not both).

    What a note says of a span stands in it: `status`, `time`, `experiencer` in the words of `clinical_ner.meaning`, `negated`
    (true or false, where no more is known), `prescription` (an object of attributes, {} if none is written). `relations`
    (`[{"type": "TREATS", "treatment": 1, "disease": 0}, ...]`, places of spans) are all relations of the note, [] if there is
    none; `negation` ("Negated" or "Affirmed", as in the NegEx kit) holds for all spans. What is absent is not annotated.

    Raises:
        DatasetError: As `load`.
    """
    return load(path, None, Format.JSONL)
