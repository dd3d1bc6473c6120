"""Rows whose words are sealed, as DuckDB and doors read them: opened as they are asked for, never on disk.

The keys are somebody else's: whoever may open gives a function that does.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

Column: TypeAlias = Any
"""A `pyarrow.ChunkedArray`."""
Word = tuple[str, Mapping[str, Any] | None]
"""The text of an entity, and its prescription."""


class OpenWords(Protocol):
    """Opens what a row's `sealed` holds: a text and a prescription for each entity of the row, in order; None when its key was destroyed.

    It raises what it likes where the words cannot be opened; the question then fails.
    """

    def __call__(  # noqa: D102 - see above
        self, *, source: str, note_id: str, revision: int, key_id: str, sealed: bytes
    ) -> Sequence[Word] | None: ...


def opened_row(row: Mapping[str, Any], opens: OpenWords | None) -> Mapping[str, Any]:
    """A row with its words; as it is where nothing is sealed, nothing may be opened or the key was destroyed."""
    words = None if opens is None or row["sealed"] is None else _words(opens, row)
    if words is None:
        return row
    entities = [
        {**entity, "text": text, "prescription": prescription}
        for entity, (text, prescription) in zip(row["entities"], words, strict=True)
    ]
    return {**row, "entities": entities}


def opening(opens: OpenWords) -> Callable[..., pa.Array]:
    """A function for DuckDB, over columns: source, note_id, revision, key id, what is sealed, entities; it gives the entities with their words."""

    # DuckDB counts the parameters of a function, so they are named.
    def opened(
        source: Column, note: Column, revision: Column, key: Column, sealed: Column, entities: Column
    ) -> pa.Array:
        about = [column.to_pylist() for column in (source, note, revision, key, sealed)]
        return _with_words(entities.combine_chunks(), about, opens)

    return opened


_NAMES = ("source", "note_id", "revision", "encryption_key_id", "sealed")


def _with_words(entities: pa.ListArray, about: Sequence[Sequence[Any]], opens: OpenWords) -> pa.Array:
    """The same lists, of which those that are sealed have their words. All other fields stay where they are."""
    structs = entities.flatten()
    texts, prescriptions = structs.field("text").to_pylist(), structs.field("prescription").to_pylist()
    begin, sizes = 0, [size or 0 for size in entities.value_lengths().to_pylist()]
    for size, *values in zip(sizes, *about, strict=True):
        row = dict(zip(_NAMES, values, strict=True))
        words = None if row["sealed"] is None else _words(opens, row)
        if words is not None:
            for place, (text, prescription) in zip(range(begin, begin + size), words, strict=True):
                texts[place], prescriptions[place] = text, prescription
        begin += size
    kinds = {field.name: field.type for field in structs.type}
    new = {"text": texts, "prescription": prescriptions}
    fields = [pa.array(new[name], kind) if name in new else structs.field(name) for name, kind in kinds.items()]
    offsets = _offsets(sizes, entities)
    return pa.ListArray.from_arrays(
        offsets, pa.StructArray.from_arrays(fields, fields=list(structs.type)), entities.type
    )


def _offsets(sizes: Sequence[int], entities: pa.ListArray) -> pa.Array:
    """Where each list begins; null where the list itself is."""
    begins, place = [], 0
    for size in sizes:
        begins.append(place)
        place += size
    nothing = entities.is_null().to_pylist()
    return pa.array(
        [None if empty else begin for begin, empty in zip(begins, nothing, strict=True)] + [place], pa.int32()
    )


def _words(opens: OpenWords, row: Mapping[str, Any]) -> Sequence[Word] | None:
    return opens(
        source=row["source"],
        note_id=row["note_id"],
        revision=row["revision"],
        key_id=row["encryption_key_id"] or "",
        sealed=row["sealed"],
    )
