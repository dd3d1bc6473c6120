"""Reads annotated data sets: token-per-line pairs, CoNLL/IOB columns, JSON lines with spans, directions of prescriptions.

Whatever the format, the result is a list of `AnnotatedNote`, and whatever is wrong is one `DatasetError` line that names
the file, the line and what to do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from corpus.loaders_conll import load_conll
from corpus.loaders_directions import HEADER, load_directions
from corpus.loaders_jsonl import load_jsonl
from corpus.loaders_pairs import load_pairs
from corpus.loaders_text import DatasetError, read_lines

if TYPE_CHECKING:
    from pathlib import Path

    from clinical_ner.notes import AnnotatedNote

__all__ = ["DatasetError", "Format", "load", "load_conll", "load_directions", "load_jsonl", "load_pairs"]


class Format(StrEnum):
    """The formats that can be read."""

    PAIRS = "pairs"
    CONLL = "conll"
    JSONL = "jsonl"
    DIRECTIONS = "directions"


_LOADERS = {Format.CONLL: load_conll, Format.JSONL: load_jsonl, Format.DIRECTIONS: load_directions}


def load(data: Path, labels: Path | None = None, form: Format | None = None) -> list[AnnotatedNote]:
    """Read a data set.

    Args:
        data: The sentences (pairs), or the one file that holds text and labels (CoNLL, JSON lines, directions).
        labels: The labels file; for pairs only.
        form: The format; when absent it follows from `labels` and from the name of the file.

    Raises:
        DatasetError: In one line: file, line number, what is wrong, what to do.
    """
    chosen = form or (Format.PAIRS if labels is not None else _format_of(data))
    if chosen is Format.PAIRS:
        if labels is None:
            raise DatasetError(f"{data}: the pair format needs two files: give the labels file too (--labels FILE)")
        return load_pairs(data, labels)
    if labels is not None:
        raise DatasetError(f"{labels}: a separate labels file belongs to the pair format only: leave --labels out")
    return _LOADERS[chosen](data)


def _format_of(path: Path) -> Format:
    if path.suffix.lower() in {".jsonl", ".ndjson", ".json"}:
        return Format.JSONL
    if path.suffix.lower() == ".tsv" and read_lines(path)[0].strip() == HEADER:
        return Format.DIRECTIONS
    if path.suffix.lower() in {".tsv", ".conll", ".iob", ".bio", ".iob2", ".bioes"}:
        return Format.CONLL
    raise DatasetError(
        f"{path}: cannot tell the format from the name: say --sentences-format conll or jsonl, "
        "or give --labels FILE for the pair format"
    )
