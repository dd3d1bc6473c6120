"""Columns of tokens in the dialects of CoNLL: which separator, an index column or none, a header or none, and where the labels stand."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpus.formats.found import FoundNote, InvalidRecord
from corpus.formats.token_records import note_of_tokens, split_tag
from corpus.loaders_text import check_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corpus.formats.report import Report
    from corpus.formats.source import Source
    from corpus.formats.vocabulary import Vocabulary

DOCUMENT = "-DOCSTART-"
_COMMENT = re.compile(r"#\s*\S+\s*=\s")
_HEAD_LINES = 2_000
HEADERS = frozenset({"label", "labels", "tag", "tags", "ner", "ner_tag", "ner_tags", "entity", "iob", "bio"})
Line = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the columns of a file are to be read. `label` counts from the end: -1 is the last column."""

    tabs: bool
    token: int
    label: int
    header: bool

    def cells(self, line: str) -> list[str]:
        """Return the filled cells of a line."""
        parts = line.rstrip("\t ").split("\t") if self.tabs else line.split(" ")
        return [part.strip(" ") for part in parts if part.strip(" ")]

    def comment(self, line: str) -> bool:
        """Return whether a line is a comment (`# name = value`)."""
        return line.startswith("#") and ("\t" not in line if self.tabs else _COMMENT.match(line) is not None)


def blocks_of(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Yield each run of lines that are not blank."""
    for filled, run in itertools.groupby(lines, lambda line: bool(line[1].strip(" \t"))):
        if filled:
            yield list(run)


def read_columns(source: Source, report: Report, vocabulary: Vocabulary) -> Iterator[FoundNote]:
    """Yield a note for each sentence; sentences of one `-DOCSTART-` share a group."""
    lines = source.lines(report)
    head = list(itertools.islice(lines, _HEAD_LINES))
    dialect = dialect_of(head, vocabulary)
    _say(source, report, dialect)
    documents = 0
    for number, block in enumerate(blocks_of(itertools.chain(head, lines))):
        rows = [(at, line) for at, line in block if not dialect.comment(line)]
        if not number and dialect.header:
            rows = rows[1:]
        if rows and rows[0][1].startswith(DOCUMENT):
            documents += 1
            rows = rows[1:]
        if rows:
            note = _note(source, report, dialect, rows, vocabulary)
            if note is not None:
                note.group = f"{source.path.name}#{documents}" if documents else ""
                yield note


def _say(source: Source, report: Report, dialect: Dialect) -> None:
    if dialect.token:
        report.say(f"{source.path.name}: the first column counts the tokens, the words are read from the second")
    if dialect.header:
        report.say(f"{source.path.name}: the first line names the columns")
    if dialect.label != -1:
        report.say(
            f"{source.path.name}: the labels stand in column {-dialect.label} from the end, what follows them is not read"
        )


def _note(
    source: Source, report: Report, dialect: Dialect, rows: Sequence[Line], vocabulary: Vocabulary
) -> FoundNote | None:
    tokens, tags, lines = [], [], []
    for number, line in rows:
        try:
            token, tag = _row(dialect, line)
        except InvalidRecord as error:
            report.problem(source.path, number, str(error), error.kind)
            continue
        tokens.append(token)
        tags.append(tag)
        lines.append(number)
    if len(tokens) != len(rows):
        return None
    note = note_of_tokens(source.path, rows[0][0], tokens, tags, vocabulary)
    at = {start: number for (start, _), number in zip(note.tokens, lines, strict=True)}
    for span in note.spans:
        span.line = at[span.start]
    return note


def _row(dialect: Dialect, line: str) -> tuple[str, str]:
    cells = dialect.cells(line)
    if len(cells) < max(dialect.token + 2, -dialect.label + dialect.token):
        raise InvalidRecord("no label: write token, tab, label on each line", "no label")
    token = cells[dialect.token]
    if any(character.isspace() for character in token):
        raise InvalidRecord("several words in the first column: write one token a line", "several words")
    check_text(token)
    return token, cells[dialect.label]


def dialect_of(head: Sequence[Line], vocabulary: Vocabulary) -> Dialect:
    """Tell the dialect from the first lines of a file."""
    tabs = any("\t" in line for _, line in head)
    bare = Dialect(tabs=tabs, token=0, label=-1, header=False)
    blocks = [
        [
            cells
            for _, line in block
            if not bare.comment(line) and not line.startswith(DOCUMENT) and (cells := bare.cells(line))
        ]
        for block in blocks_of(iter(head))
    ]
    blocks = [block for block in blocks if block]
    header = bool(blocks) and blocks[0][0][-1].casefold() in HEADERS and len(blocks[0]) > 1
    if header:
        blocks[0] = blocks[0][1:]
    rows = [cells for block in blocks for cells in block]
    return Dialect(tabs, int(_counted(blocks)), _label_column(rows, vocabulary), header)


def _counted(blocks: Sequence[Sequence[Sequence[str]]]) -> bool:
    """Return whether the first of at least three columns counts tokens, or sentences."""
    rows = [cells for block in blocks for cells in block]
    if not rows or not all(len(cells) >= 3 and cells[0].isdecimal() for cells in rows):
        return False
    runs = [[int(cells[0]) for cells in block] for block in blocks]
    longer = [run for run in runs if len(run) > 1]
    return bool(longer) and all(
        len({after - before for before, after in itertools.pairwise(run)} - {0, 1}) == 0 for run in longer
    )


def _label_column(rows: Sequence[Sequence[str]], vocabulary: Vocabulary) -> int:
    width = min((len(cells) for cells in rows), default=0)
    if width < 3 or all(_is_tag(cells[-1], vocabulary) for cells in rows):
        return -1
    fitting = [-place for place in range(2, width) if all(_is_tag(cells[-place], vocabulary) for cells in rows)]
    return fitting[0] if fitting else -1


def _is_tag(cell: str, vocabulary: Vocabulary) -> bool:
    prefix, name = split_tag(cell)
    return prefix == "O" or cell[1:2] in {"-", "_"} or vocabulary.knows(name)
