"""The token-per-line pair format: one file of tokens, one of labels, a blank line between sentences."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from corpus.formats.columns import blocks_of
from corpus.formats.found import FoundNote, InvalidRecord
from corpus.formats.token_records import note_of_tokens
from corpus.loaders_text import check_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corpus.formats.columns import Line
    from corpus.formats.report import Report
    from corpus.formats.source import Source
    from corpus.formats.vocabulary import Vocabulary

_AFTER_UNEVEN = "give each token one label, and a blank line after each sentence in both"


def read_pairs(source: Source, labels: Source, report: Report, vocabulary: Vocabulary) -> Iterator[FoundNote]:
    """Yield a note for each sentence."""
    left, right = blocks_of(source.lines(report)), blocks_of(labels.lines(report))
    counts, first = [0, 0], [0, 0]
    for ordinal, (words, tags) in enumerate(itertools.zip_longest(left, right), 1):
        counts = [counts[0] + (words is not None), counts[1] + (tags is not None)]
        if words is None or tags is None:
            first = [words[0][0] if words else 0, tags[0][0] if tags else 0]
            break
        note = _sentence(source, labels, report, (ordinal, words, tags), vocabulary)
        if note is not None:
            yield note
    _count_rest((source, labels), report, (left, right), (counts, first))


def _count_rest(
    files: tuple[Source, Source],
    report: Report,
    rest: tuple[Iterator[list[Line]], Iterator[list[Line]]],
    seen: tuple[list[int], list[int]],
) -> None:
    """Note that one file has more sentences than the other."""
    (source, labels), (counts, first) = files, seen
    counts = [count + sum(1 for _ in side) for count, side in zip(counts, rest, strict=True)]
    if counts[0] != counts[1]:
        longer = int(counts[1] > counts[0])
        report.problem(
            files[longer].path,
            first[longer],
            f"{source.path.name} has {counts[0]} sentences but {labels.path.name} has {counts[1]}: give the two files that belong together",
        )


def _sentence(
    source: Source,
    labels: Source,
    report: Report,
    block: tuple[int, Sequence[Line], Sequence[Line]],
    vocabulary: Vocabulary,
) -> FoundNote | None:
    ordinal, words, tags = block
    tokens = []
    for number, line in words:
        try:
            tokens.append(_token(line))
        except InvalidRecord as error:
            report.problem(source.path, number, str(error), error.kind)
    for number, line in tags:
        try:
            check_text(line)
        except InvalidRecord as error:
            report.problem(labels.path, number, str(error), error.kind)
    if len(tokens) != len(words):
        return None
    if len(tokens) != len(tags):
        report.problem(
            source.path,
            words[0][0] + min(len(tokens), len(tags)),
            f"sentence {ordinal} has {len(tokens)} tokens (from line {words[0][0]}) but {len(tags)} labels "
            f"({labels.path.name}, from line {tags[0][0]}): {_AFTER_UNEVEN}",
            "uneven",
        )
        return None
    note = note_of_tokens(source.path, words[0][0], tokens, [line.strip(" \t") for _, line in tags], vocabulary)
    at = {start: number for (start, _), (number, _) in zip(note.tokens, tags, strict=True)}
    for span in note.spans:
        span.line = at[span.start]
    note.labels_path = labels.path
    return note


def _token(line: str) -> str:
    word = line.strip(" \t")
    if "\t" in word:
        raise InvalidRecord("columns in a tokens file: read it with --sentences-format conll", "columns")
    if " " in word:
        raise InvalidRecord("several words on one line: write one token a line", "several words")
    check_text(word)
    return word
