"""CoNLL-like columns: the token first, its label last, a blank line between sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corpus.loaders_labels import KNOWN, parse_tag, sentence_of
from corpus.loaders_text import DatasetError, blocks, read_token_lines

if TYPE_CHECKING:
    from pathlib import Path

    from clinical_ner.notes import AnnotatedNote, Label

_DOCUMENT = "-DOCSTART-"
_COMMENT = re.compile(r"#\s*\S+\s*=\s")


def load_conll(path: Path) -> list[AnnotatedNote]:
    """Read columns separated by tabs (or, in a file without tabs, by blanks), labelled IO, BIO, IOBES or BILOU.

    `-DOCSTART-` lines begin a document: its sentences share a `group`, so that no split tears it. Lines such as
    `# name = value` are comments.

    Raises:
        DatasetError: A line without a label, an unknown label, a file without a sentence.
    """
    lines = read_token_lines(path)
    tabs = any("\t" in line for line in lines)
    notes: list[AnnotatedNote] = []
    documents = 0
    for first, block in blocks(lines):
        rows = [(number, line) for number, line in enumerate(block, first) if not _is_comment(line, tabs=tabs)]
        if rows and rows[0][1].startswith(_DOCUMENT):
            documents += 1
            rows = rows[1:]
        if rows:
            cells = [_row(path, number, line, tabs=tabs) for number, line in rows]
            group = f"{path.name}#{documents}" if documents else ""
            tokens, tags = [token for token, _ in cells], [tag for _, tag in cells]
            notes.append(sentence_of(tokens, tags, note_id=f"{path.name}:{rows[0][0]}", group=group))
    if not notes:
        raise DatasetError(f"{path}: no sentence in it: write lines of token, tab, label")
    return notes


def _is_comment(line: str, *, tabs: bool) -> bool:
    return line.startswith("#") and ("\t" not in line if tabs else _COMMENT.match(line) is not None)


def _row(path: Path, number: int, line: str, *, tabs: bool) -> tuple[str, tuple[str, Label | None]]:
    cells = line.rstrip("\t ").split("\t") if tabs else line.split(" ")
    filled = [cell.strip(" ") for cell in cells if cell.strip(" ")]
    if len(filled) < 2:
        raise DatasetError(f"{path}:{number}: no label: write token, tab, label on each line")
    token, tag = filled[0], filled[-1]
    if " " in token:
        raise DatasetError(f"{path}:{number}: several words in the first column: write one token a line")
    try:
        return token, parse_tag(tag)
    except ValueError:
        raise DatasetError(
            f"{path}:{number}: unknown label {tag[:20]!r} in the last column: known are {KNOWN}"
        ) from None
