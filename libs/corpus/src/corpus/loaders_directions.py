"""Directions of prescriptions with the largest number of units a day that they allow, two columns and a header."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from clinical_ner.meaning_evaluation import DAILY_UNITS
from clinical_ner.notes import AnnotatedNote, Label, Span

from corpus.loaders_text import DatasetError, check_characters, read_lines

if TYPE_CHECKING:
    from pathlib import Path

HEADER = f"sig\t{DAILY_UNITS}"
_NAME = "drug"


def load_directions(path: Path) -> list[AnnotatedNote]:
    """Read lines such as `1 tab twice daily<TAB>2`; a name is put in front, for directions stand behind one.

    Raises:
        DatasetError: Another header, or a line that is not directions and a number.
    """
    lines = read_lines(path)
    if lines[0].strip() != HEADER:
        raise DatasetError(f"{path}:1: the first line must be the names of the columns, sig and {DAILY_UNITS}")
    notes = [_note(path, number, line) for number, line in enumerate(lines[1:], 2) if line.strip()]
    if not notes:
        raise DatasetError(f"{path}: no directions in it: write one a line")
    return notes


def _note(path: Path, number: int, line: str) -> AnnotatedNote:
    directions, _, units = line.rpartition("\t")
    try:
        value = float(units)
    except ValueError:
        value = math.nan
    if not directions.strip() or not math.isfinite(value):
        raise DatasetError(f"{path}:{number}: write the directions, a tab and a number of units a day")
    check_characters(directions, path, number)
    return AnnotatedNote(
        f"{_NAME} {directions}",
        (Span(0, len(_NAME), Label.TREATMENT),),
        note_id=f"{path.name}:{number}",
        meta={DAILY_UNITS: units.strip()},
    )
