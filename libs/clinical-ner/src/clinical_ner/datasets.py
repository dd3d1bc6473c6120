"""What an annotated data set is to everything that trains and scores: its identity, its tokens, its splits."""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING

import numpy as np

from clinical_ner.tokens import tokenise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clinical_ner.notes import AnnotatedNote

OFFSETS_KEY = "token_offsets"
_PARTS = 4  # 64-bit numbers in a SHA-256
_AT_ONCE = 1_000


class TooFewNotesError(ValueError):
    """A data set that cannot be split as asked; the message says what can be asked."""


def digest(notes: Iterable[AnnotatedNote]) -> str:
    """Return the version of a data set: a SHA-256 (hex) over texts, spans and pairs.

    Neither the order of the notes nor their ids, groups or given tokens count, so the same annotations in another format
    or order have the same version; a repeated note does count.
    """
    version = Version()
    for note in notes:
        version.add(note)
    return version.digest()


class Version:
    """What `digest` returns, of notes that come one by one: 32 bytes are kept of each."""

    def __init__(self) -> None:
        self._notes = bytearray()

    def add(self, note: AnnotatedNote) -> None:
        """Take in a note."""
        self._notes += bytes.fromhex(note_digest(note))

    def digest(self) -> str:
        """Return the version of those so far."""
        parts = np.frombuffer(self._notes, ">u8").reshape(-1, _PARTS)
        order = np.lexsort(parts.T[::-1])
        found = hashlib.sha256()
        for at in range(0, len(order), _AT_ONCE):
            found.update(b"\n" if at else b"")
            found.update("\n".join(parts[row].tobytes().hex() for row in order[at : at + _AT_ONCE]).encode())
        return found.hexdigest()


def note_digest(note: AnnotatedNote) -> str:
    """Return a SHA-256 (hex) over a note's text, spans and pairs."""
    order = sorted(range(len(note.spans)), key=lambda index: note.spans[index].start)
    place = {given: rank for rank, given in enumerate(order)}
    spans = [(span.start, span.end, str(span.label)) for span in (note.spans[index] for index in order)]
    pairs = sorted((place[treatment], place[disease]) for treatment, disease in note.pairs)
    content = json.dumps([note.text, spans, pairs], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def given_tokens(note: AnnotatedNote) -> list[tuple[int, int]]:
    """Return (start, end) of the tokens that the data set came with, or, where it had none, of our tokeniser."""
    offsets = note.meta.get(OFFSETS_KEY)
    if offsets:
        pairs = (pair.split(":") for pair in offsets.split(","))
        return [(int(start), int(end)) for start, end in pairs]
    return [(token.start, token.end) for token in tokenise(note.text)]


def text_key(text: str) -> str:
    """Return the text without case and with single spaces: notes that share a key are exact duplicates."""
    return " ".join(text.casefold().split())


def folds(notes: Sequence[AnnotatedNote], count: int, seed: int = 0) -> list[tuple[list[int], list[int]]]:
    """Split into `count` folds; return (training indices, held-out indices) of each, every note held out once.

    Notes of one `group`, and notes with the same text, stay together, so that no model is scored on what it has seen.

    Raises:
        TooFewNotesError: There are fewer groups than folds.
    """
    groups = _groups(notes)
    if count < 2 or len(groups) < count:
        advice = f"ask for 2 to {len(groups)}" if len(groups) > 1 else "at least two are needed"
        raise TooFewNotesError(f"{len(groups)} independent notes cannot be split into {count} folds: {advice}")
    shuffled = list(groups)
    random.Random(seed).shuffle(shuffled)
    shuffled.sort(key=len, reverse=True)
    held_out: list[list[int]] = [[] for _ in range(count)]
    for group in shuffled:
        min(held_out, key=len).extend(group)
    return [(sorted(set(range(len(notes))).difference(fold)), sorted(fold)) for fold in held_out]


def holdout(notes: Sequence[AnnotatedNote], share: float, seed: int = 0) -> tuple[list[int], list[int]]:
    """Split once; return (training indices, held-out indices) with about `share` of the notes held out."""
    return folds(notes, max(2, round(1 / share)), seed)[0]


def _groups(notes: Sequence[AnnotatedNote]) -> list[list[int]]:
    """Return the indices that must stay together: connected by a shared group or a shared text."""
    leader: dict[str, int] = {}
    parent = list(range(len(notes)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for index, note in enumerate(notes):
        for key in [f"text {text_key(note.text)}", *([f"group {note.group}"] if note.group else [])]:
            parent[root(index)] = root(leader.setdefault(key, index))
    members: dict[int, list[int]] = {}
    for index in range(len(notes)):
        members.setdefault(root(index), []).append(index)
    return list(members.values())
