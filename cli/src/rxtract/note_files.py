"""Notes of a file for commands: what cannot be read at all is one line for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rxtract_tagger import note_files
from rxtract_tagger.note_files import NotesUnreadable

from rxtract.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rxtract_tagger.note_files import Row


def read_notes(path: Path) -> Iterator[Row]:
    """Read JSON lines, a CSV, a TXT or a folder of texts, as `rxtract_tagger.note_files.read_notes` does.

    Raises:
        UserError: There is no such file or folder, or nothing in it, or of a kind that is not known.
    """
    return _read(note_files.read_notes, path)


def read_json_lines(path: Path) -> Iterator[Row]:
    """Read JSON lines whatever the file is called."""
    return _read(note_files.read_json_lines, path)


def _read(reader: Callable[[Path], Iterator[Row]], path: Path) -> Iterator[Row]:
    try:
        rows = reader(path)
    except NotesUnreadable as error:
        raise UserError(str(error)) from None
    return _passed_on(rows)


def _passed_on(rows: Iterator[Row]) -> Iterator[Row]:
    try:
        yield from rows
    except NotesUnreadable as error:
        raise UserError(str(error)) from None
