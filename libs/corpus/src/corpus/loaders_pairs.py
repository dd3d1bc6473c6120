"""The token-per-line pair format: one file of tokens, one of labels, a blank line between sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corpus.loaders_labels import KNOWN, parse_tag, sentence_of
from corpus.loaders_text import DatasetError, blocks, read_token_lines

if TYPE_CHECKING:
    from pathlib import Path

    from clinical_ner.notes import AnnotatedNote, Label


def load_pairs(sentences: Path, labels: Path) -> list[AnnotatedNote]:
    """Read `sentences` and `labels` (O, D, T, or any IOB scheme of them).

    Raises:
        DatasetError: Unpaired files, different token counts, unknown labels, several words on a line.
    """
    left = list(blocks(read_token_lines(sentences)))
    right = list(blocks(read_token_lines(labels)))
    notes = []
    for ordinal, ((line, tokens), (label_line, tags)) in enumerate(zip(left, right, strict=False), 1):
        parsed = _tags(labels, label_line, tags, sentences)
        words = _tokens(sentences, line, tokens)
        if len(words) != len(parsed):
            raise DatasetError(
                f"{sentences}:{line + min(len(words), len(parsed))}: sentence {ordinal} has {len(words)} tokens "
                f"(from line {line}) but {len(parsed)} labels ({labels.name}, from line {label_line}): "
                "give each token one label, and a blank line after each sentence in both"
            )
        notes.append(sentence_of(words, parsed, note_id=f"{sentences.name}:{line}"))
    if len(left) != len(right):
        raise DatasetError(_unpaired(sentences, left, labels, right))
    return notes


def _tokens(path: Path, first: int, lines: list[str]) -> list[str]:
    words = [line.strip(" \t") for line in lines]
    for number, word in enumerate(words, first):
        if "\t" in word:
            raise DatasetError(f"{path}:{number}: columns in a tokens file: read it with --sentences-format conll")
        if " " in word:
            raise DatasetError(f"{path}:{number}: several words on one line: write one token a line")
    return words


def _tags(path: Path, first: int, lines: list[str], sentences: Path) -> list[tuple[str, Label | None]]:
    tags = []
    for number, line in enumerate(lines, first):
        try:
            tags.append(parse_tag(line.strip(" \t")))
        except ValueError:
            raise DatasetError(
                f"{path}:{number}: unknown label {_shown(line)}: known are {KNOWN} "
                f"(or are the two files swapped? the tokens were read from {sentences.name})"
            ) from None
    return tags


def _shown(label: str) -> str:
    short = label.strip()
    return repr(short if len(short) <= 20 else short[:20] + "…")


def _unpaired(
    sentences: Path, left: list[tuple[int, list[str]]], labels: Path, right: list[tuple[int, list[str]]]
) -> str:
    longer, path = (left, sentences) if len(left) > len(right) else (right, labels)
    line = longer[min(len(left), len(right))][0]
    return (
        f"{path}:{line}: {sentences.name} has {len(left)} sentences but {labels.name} has {len(right)}: "
        "give the two files that belong together"
    )
