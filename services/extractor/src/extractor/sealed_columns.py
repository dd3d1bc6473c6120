"""Sealed notes as columns: their texts opened beside the batch, and the words of what comes of them sealed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from contracts.columns import Column, Columns, Constant, Source, Sources
from contracts.records import ReviewRequested
from numpy.typing import NDArray
from sealing.batch import BatchSeals, OpenedNote, payload_of, prescriptions_as_json
from sealing.texts import ATTRIBUTES

Longs = NDArray[np.int64]
_NO_TEXT, _NULL = Constant(b"\0"), Constant(b"\0")
_IS_NULL = -1
_NUMBERS = frozenset({"frequency", "period", "duration"})
_YES_OR_NOTHING = "as_needed"


class Texts(NamedTuple):
    """Texts of notes.

    Attributes:
        column: One a note: places in `data`.
        data: UTF-8.
        opened: Of sealed notes, by row; else empty.
    """

    column: Column
    data: NDArray[np.uint8]
    opened: Sequence[OpenedNote]

    def text(self, row: int) -> str:
        """One of them."""
        first, size = int(self.column.first[row]), int(self.column.second[row])
        return self.data[first : first + size].tobytes().decode()


class Words(NamedTuple):
    """What has to be sealed of what comes of notes: the words of each entity, its prescription, and from which entity on a note's are."""

    notes: Sequence[OpenedNote]
    texts: Sequence[bytes]
    prescribed: Sequence[str | None]
    bounds: Sequence[int]


def texts_of(notes: Columns, seals: BatchSeals | None) -> Texts | None:
    """The texts of notes; None if they must go the other way: one is sealed where none may be, is in clear where all are to be, or cannot be opened.

    Raises:
        KeyStoreAway: Wait and try again.
    """
    is_null = notes["sealed"].is_null
    if seals is None:
        return Texts(notes["text"], notes.data, ()) if is_null.all() else None
    if is_null.any() or notes["encryption_key_id"].is_null.any():
        return None
    rows = np.arange(len(notes), dtype=np.int64)
    source, note_id, name, sealed = (
        notes.slices(path, rows) for path in ("source", "note_id", "encryption_key_id", "sealed")
    )
    opened = seals.opened(zip(source, note_id, notes["revision"].first.tolist(), name, sealed, strict=True))
    if opened is None:
        return None
    return Texts(*_joined([one.text for one in opened]), opened)


def words_of(texts: Texts, places: Column, taken: Any, bounds: Longs) -> Words:
    """The words and prescriptions of entities.

    Args:
        texts: Of the notes.
        places: Of the entities' words in them.
        taken: `clinical_ner.meaning.PrescriptionColumns`.
        bounds: From which entity on those of a note are.
    """
    data = texts.data.tobytes()
    words = [
        data[first : first + size] for first, size in zip(places.first.tolist(), places.second.tolist(), strict=True)
    ]
    prescribed: list[str | None] = [None] * len(words)
    rows = np.flatnonzero(taken.present >= 0)
    base = taken.base.tobytes()
    fields = [_values(name, taken.fields[name], base, rows) for name in ATTRIBUTES]
    for row, one in zip(rows.tolist(), prescriptions_as_json(list(zip(*fields, strict=True))), strict=True):
        prescribed[row] = one
    return Words(texts.opened, words, prescribed, bounds.tolist())


def _values(name: str, column: tuple[Longs, Longs], base: bytes, rows: Longs) -> list[Any]:
    places, sizes = (part[rows].tolist() for part in column)
    if name in _NUMBERS:
        return [None if size < 0 else place for place, size in zip(places, sizes, strict=True)]
    if name == _YES_OR_NOTHING:
        return [None if size < 0 else bool(place) for place, size in zip(places, sizes, strict=True)]
    return [
        None if size < 0 else base[place : place + size].decode() for place, size in zip(places, sizes, strict=True)
    ]


def sealed_sources(seals: BatchSeals, kind: str, sources: Sources, words: Words, rows: Longs) -> Sources:
    """What a writer takes in place of words, texts and prescriptions: nothing, and what is sealed of them in these rows."""
    has_text = kind == ReviewRequested.SCHEMA_NAME
    payloads = []
    for row in rows.tolist():
        note, begin, end = words.notes[row], words.bounds[row], words.bounds[row + 1]
        texts = [note.text, *words.texts[begin:end]] if has_text else words.texts[begin:end]
        payloads.append((note, payload_of(texts, words.prescribed[begin:end], int(has_text))))
    column, data = _joined(seals.sealed(kind, payloads))
    first, second = np.zeros(len(words.notes), np.int64), np.full(len(words.notes), _IS_NULL, np.int64)
    first[rows], second[rows] = column
    kept = {path: source for path, source in sources.items() if not path.startswith("entities[].prescription.")}
    emptied = {
        "entities[].text": _NO_TEXT,
        "entities[].prescription": _NULL,
        **({"text": _NO_TEXT} if has_text else {}),
    }
    return kept | emptied | {"sealed": Source(first, second, data)}


def _joined(values: Sequence[bytes]) -> tuple[Column, NDArray[np.uint8]]:
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    data = np.frombuffer(b"".join([*values, b"\0" * 8]), np.uint8)
    return Column(np.cumsum(lengths) - lengths, lengths), data
