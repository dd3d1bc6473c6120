"""Records as columns: a batch of Avro values read into arrays, and arrays written as a batch of Avro values, by native code.

Readers and writers are programs compiled from a record's schema. A column has a path: `text`, `model.name`; those of a list's
items lie in a table of their own: `entities[].label`, of a map's entries `[].key` and `[].value`, of a list of plain values `sums[]`.
A value that is not plainly right is only marked: `contracts.wire` reads it once more and knows the reason.
"""

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts import files
from contracts.generate.tree import UnsupportedSchemaError, optional, shallow
from contracts.identity import NAMESPACE
from contracts.native import IdentityAddresses, ReaderAddresses, Table, library
from contracts.varint import write_long
from contracts.wire import MAX_RECORD_BYTES

Longs = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_LEAVES = {"string": 1, "bytes": 2, "int": 3, "long": 4, "double": 5, "boolean": 6}
_ENUM, _PRESENT, _NULLABLE, _ARRAY, _MAP = range(7, 12)
_CONST, _FIXED = 32, 33
_NO_ROOM = -1
_MAX_TABLES = 16
_PADDING = b"\0" * 8


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a schema: a value with the column that it fills, or a record, which fills none of its own.

    Attributes:
        table: Where its column lies.
        items: The table of its items; -1 where it has none.
        inside: The fields of a record, the items of a list, the entry of a map.
        symbols: Of an enum.
    """

    op: int
    path: str
    table: int
    is_nullable: bool = False
    items: int = -1
    inside: "tuple[_Part, ...]" = ()
    symbols: tuple[str, ...] = ()


_RECORD = 0


class _Layout:
    """A schema as parts, and the columns of its tables in order."""

    def __init__(self, name: str) -> None:
        self.types: dict[str, Any] = {}
        self.n_tables = 1
        self.root = _Part(_RECORD, "", 0, inside=self._fields(files.record_schema(name), "", 0))
        self.places: dict[str, tuple[int, int]] = {}
        self.widths = [0] * self.n_tables
        self._place(self.root)
        if self.n_tables > _MAX_TABLES:
            raise UnsupportedSchemaError(f"{name} has more than {_MAX_TABLES} lists and maps")

    def _fields(self, schema: Any, prefix: str, table: int) -> tuple[_Part, ...]:
        self.types[schema["name"]] = schema
        return tuple([self._part(field["type"], prefix + field["name"], table) for field in schema["fields"]])

    def _part(self, schema: Any, path: str, table: int, *, is_nullable: bool = False) -> _Part:
        if (inner := optional(schema)) is not None:
            return self._part(inner, path, table, is_nullable=True)
        if isinstance(schema, str) and schema in self.types:
            schema = self.types[schema]
        kind = schema["type"] if isinstance(schema, dict) else schema
        if kind == "record":
            inside = self._fields(schema, f"{path}.", table)
            return _Part(_RECORD, path, table, is_nullable=is_nullable, inside=inside)
        if kind == "enum":
            self.types[schema["name"]] = schema
            return _Part(_ENUM, path, table, is_nullable=is_nullable, symbols=tuple(schema["symbols"]))
        if kind in {"array", "map"} and not is_nullable:
            return self._list(schema, path, table)
        if shallow(kind) in _LEAVES:
            return _Part(_LEAVES[kind], path, table, is_nullable=is_nullable)
        raise UnsupportedSchemaError(f"{path}: {kind} cannot be a column")

    def _list(self, schema: Any, path: str, table: int) -> _Part:
        items, self.n_tables = self.n_tables, self.n_tables + 1
        if schema["type"] == "array":
            inside = (self._part(schema["items"], f"{path}[]", items),)
            return _Part(_ARRAY, path, table, items=items, inside=inside)
        entry = self._part("string", f"{path}[].key", items), self._part(schema["values"], f"{path}[].value", items)
        return _Part(_MAP, path, table, items=items, inside=entry)

    def _place(self, part: _Part) -> None:
        if part.op != _RECORD or part.is_nullable:
            self.places[part.path] = part.table, self.widths[part.table]
            self.widths[part.table] += 1
        for inner in part.inside:
            self._place(inner)

    def program(self) -> list[int]:
        """The ops of a reader."""
        return [op for part in self.root.inside for op in _ops(part)]


def _ops(part: _Part) -> list[int]:
    inside = [op for inner in part.inside for op in _ops(inner)]
    if part.op == _RECORD:
        ops = [_PRESENT, *inside] if part.is_nullable else inside
    elif part.op in {_ARRAY, _MAP}:
        ops = [part.op, len(inside), part.items, *inside]
    else:
        ops = [part.op, len(part.symbols)] if part.op == _ENUM else [part.op]
    return [_NULLABLE, len(ops), _columns(part), *ops] if part.is_nullable else ops


def _columns(part: _Part) -> int:
    """How many columns of its table a part fills."""
    if part.op == _RECORD:
        return part.is_nullable + sum(map(_columns, part.inside))
    return 1


class Column(NamedTuple):
    """One value a row. Null is 0 and -1.

    Attributes:
        first: Numbers (`doubles` gives those), symbols by their place in the enum; of texts and bytes the place in the batch's
            data; of lists and maps the first item's row.
        second: Length of texts and bytes; number of items; else 0.
    """

    first: Longs
    second: Longs

    @property
    def doubles(self) -> NDArray[np.float64]:
        """The values of a column of doubles."""
        return self.first.view(np.float64)

    @property
    def is_null(self) -> NDArray[np.bool_]:
        """Where nothing stands."""
        return self.second < 0


class Columns:
    """A batch as columns.

    Attributes:
        data: The bytes of the batch, 8 more behind them.
        status: 1 for each value that must be read the slow way; its columns hold zeros.
        failed: How many those are.
        used: Rows of each table.
    """

    def __init__(self, layout: _Layout, data: bytes, used: Longs, arrays: Sequence[Longs], status: Bytes) -> None:
        self._layout = layout
        self._arrays = arrays
        self._bytes = data
        self.data = np.frombuffer(data, np.uint8)
        self.used = used
        self.status = status
        self.failed = int(np.count_nonzero(status))

    def __len__(self) -> int:
        """How many values were read."""
        return len(self.status)

    def __getitem__(self, path: str) -> Column:
        """A column by its path; KeyError if the schema has none."""
        table, field = self._layout.places[path]
        first, second = self._arrays[table]
        used = self.used[table]
        return Column(first[field, :used], second[field, :used])

    def paths(self) -> Iterator[str]:
        """Those of all columns."""
        return iter(self._layout.places)

    def slices(self, path: str, rows: Longs) -> list[bytes]:
        """The texts of some rows, undecoded; KeyError if the schema has no such column."""
        first, second = self[path]
        data = self._bytes
        return [
            data[place : place + size] for place, size in zip(first[rows].tolist(), second[rows].tolist(), strict=True)
        ]

    def record(self, row: int) -> dict[str, Any]:
        """One value as plain data, as fastavro reads it. For tests and for looking at: slow."""
        record: dict[str, Any] = self._value(self._layout.root, row)
        return record

    def _value(self, part: _Part, row: int) -> Any:
        if part.op != _RECORD or part.is_nullable:
            first, second = (int(column[row]) for column in self[part.path])
            if part.is_nullable and second < 0:
                return None
        if part.op == _RECORD:
            return {inner.path.rpartition(".")[2]: self._value(inner, row) for inner in part.inside}
        if part.op == _ARRAY:
            return [self._value(part.inside[0], item) for item in range(first, first + second)]
        if part.op == _MAP:
            key, value = part.inside
            return {self._value(key, item): self._value(value, item) for item in range(first, first + second)}
        return self._leaf(part, first, second)

    def _leaf(self, part: _Part, first: int, second: int) -> Any:
        if part.op in {_LEAVES["string"], _LEAVES["bytes"]}:
            data = self.data[first : first + second].tobytes()
            return data.decode() if part.op == _LEAVES["string"] else data
        if part.op == _LEAVES["double"]:
            return float(np.int64(first).view(np.float64))
        return bool(first) if part.op == _LEAVES["boolean"] else part.symbols[first] if part.symbols else first


class ColumnReader:
    """Reads values of this repository's own schema of a record; what was written by another is marked as not read."""

    def __init__(self, name: str) -> None:
        self._layout = _Layout(name)
        self._program = np.array(self._layout.program(), np.int32)
        self._item_rooms = [256] * (self._layout.n_tables - 1)

    def __call__(self, values: Sequence[bytes | None], header: bytes) -> Columns:
        """Read values, each of which begins with the header."""
        n = len(values)
        given = [value or b"" for value in values]
        bounds = np.zeros(n + 1, np.int64)
        np.cumsum(np.fromiter(map(len, given), np.int64, n), out=bounds[1:])
        data = b"".join([*given, _PADDING])
        while True:
            rooms = [n, *self._item_rooms]
            used, status = np.zeros(self._layout.n_tables, np.int64), np.zeros(n, np.uint8)
            arrays = [
                np.empty((2, width, room), np.int64) for width, room in zip(self._layout.widths, rooms, strict=True)
            ]
            if self._read(header, np.frombuffer(data, np.uint8), bounds, arrays, used, status) != _NO_ROOM:
                used[0] = n
                return Columns(self._layout, data, used, arrays, status)
            self._item_rooms = [2 * room for room in rooms[1:]]

    def _read(
        self, header: bytes, data: Bytes, bounds: Longs, arrays: Sequence[Longs], used: Longs, status: Bytes
    ) -> int:
        kept = np.frombuffer(header, np.uint8)
        reader = ReaderAddresses(
            self._program.ctypes.data, len(self._program), len(arrays), len(header), MAX_RECORD_BYTES, kept.ctypes.data
        )
        tables = (Table * len(arrays))(
            *[Table(one.shape[1], one.shape[2], one[0].ctypes.data, one[1].ctypes.data) for one in arrays]
        )
        return int(
            library().cc_read(
                ctypes.addressof(reader),
                data.ctypes.data,
                bounds.ctypes.data,
                len(status),
                ctypes.addressof(tables),
                used.ctypes.data,
                status.ctypes.data,
            )
        )


class Source(NamedTuple):
    """Where a writer takes a column from.

    Attributes:
        first: As in `Column`; doubles as such. Of lists and maps the row of the first item.
        second: As in `Column`; of lists and maps the row after the last item; needed for these, for texts and for what may be null.
        base: What the places of texts are places in.
    """

    first: NDArray[np.int64] | NDArray[np.float64]
    second: Longs | None = None
    base: Bytes | None = None


class Fixed(NamedTuple):
    """Texts of one size, one behind the other."""

    base: Bytes
    size: int


class Constant(NamedTuple):
    """The same ready bytes in every row, for whatever stands at a path: a value, or a whole record."""

    value: bytes


Sources = Mapping[str, Source | Fixed | Constant]

_SOURCE = np.dtype([("op", "i4"), ("size", "i4"), ("base", "u8"), ("first", "u8"), ("second", "u8")])


class Written(NamedTuple):
    """Values that were written, one behind the other."""

    data: bytes
    bounds: list[int]

    def values(self) -> list[bytes]:
        """Each by itself."""
        data = self.data
        return [data[begin:end] for begin, end in zip(self.bounds, self.bounds[1:], strict=False)]


class ColumnWriter:
    """Writes records of one schema from columns.

    A text must be valid UTF-8, a symbol's place must be one of the enum, an int must fit: nothing here looks.
    """

    def __init__(self, name: str, schema_id: int) -> None:
        self._layout = _Layout(name)
        self._header = Constant(b"\0" + schema_id.to_bytes(4, "big"))

    def __call__(self, sources: Sources, rows: Longs) -> Written:
        """Write the records of some rows.

        Args:
            sources: By path; a constant at a record's path stands for all of it.
            rows: In this order.

        Raises:
            KeyError: A column of the schema is missing.
            TypeError: A column is of a type or shape that native code cannot read.
        """
        made: list[tuple[int, int, int, int, int]] = [_constant(self._header)]
        for part in self._layout.root.inside:
            made += _sources(part, sources)
        program = np.array(made, _SOURCE)
        bounds = np.empty(len(rows) + 1, np.int64)
        room = 1024 * len(rows) + 1024
        while True:
            out = np.empty(room, np.uint8)
            size = library().cc_write(
                program.ctypes.data,
                len(program),
                _address(rows, np.int64),
                len(rows),
                out.ctypes.data,
                room,
                bounds.ctypes.data,
            )
            if size != _NO_ROOM:
                return Written(out[:size].tobytes(), bounds.tolist())
            room *= 2


def _address(array: NDArray[Any] | None, kind: type[Any]) -> int:
    if array is None or array.dtype != kind or not array.flags.c_contiguous:
        raise TypeError(f"a column must be one stretch of {kind.__name__}")
    return int(array.__array_interface__["data"][0])


def _constant(one: Constant) -> tuple[int, int, int, int, int]:
    address = np.frombuffer(one.value, np.uint8) if one.value else np.zeros(1, np.uint8)
    return _CONST, len(one.value), int(address.__array_interface__["data"][0]), 0, 0


def _sources(part: _Part, given: Sources) -> list[tuple[int, int, int, int, int]]:
    """The native sources of a part and of all inside it."""
    if part.op == _RECORD and not part.is_nullable and part.path not in given:
        return [one for inner in part.inside for one in _sources(inner, given)]
    source = given[part.path]
    if isinstance(source, Constant):
        return [_constant(source)]
    if isinstance(source, Fixed):
        made = [(_FIXED, source.size, _address(source.base, np.uint8), 0, 0)]
        if part.is_nullable or part.op not in {_LEAVES["string"], _LEAVES["bytes"]}:
            raise TypeError(f"{part.path} is no text, or may be null")
        return made
    inside = [one for inner in part.inside for one in _sources(inner, given)]
    if part.op in {_ARRAY, _MAP}:
        bounds = _address(source.first, np.int64), _address(source.second, np.int64)
        return [(part.op, len(inside), 0, *bounds), *inside]
    made = inside if part.op == _RECORD else [_leaf_source(part, source)]
    if part.is_nullable:
        made.insert(0, (_NULLABLE, len(made), 0, 0, _address(source.second, np.int64)))
    return made


def _leaf_source(part: _Part, source: Source) -> tuple[int, int, int, int, int]:
    if part.op in {_LEAVES["string"], _LEAVES["bytes"]}:
        base = _address(source.base, np.uint8)
        return part.op, 0, base, _address(source.first, np.int64), _address(source.second, np.int64)
    kind = np.float64 if part.op == _LEAVES["double"] and source.first.dtype == np.float64 else np.int64
    return part.op, 0, 0, _address(source.first, kind), 0


def sources_of(columns: Columns) -> dict[str, Source]:
    """All columns of a batch as a writer takes them, so that it can be written as it was read."""
    lists = {part.path for part in _parts(columns._layout.root) if part.op in {_ARRAY, _MAP}}  # noqa: SLF001 - ours
    made = {}
    for path in columns.paths():
        first, second = columns[path]
        second = first + second if path in lists else second
        made[path] = Source(np.ascontiguousarray(first), np.ascontiguousarray(second), columns.data)
    return made


def _parts(part: _Part) -> Iterator[_Part]:
    yield part
    for inner in part.inside:
        yield from _parts(inner)


def long_bytes(number: int) -> bytes:
    """A whole number as Avro has it, for a constant."""
    return write_long(number)


def string_bytes(text: str) -> bytes:
    """A text as Avro has it, for a constant."""
    data = text.encode()
    return write_long(len(data)) + data


class CodePoints(NamedTuple):
    """Texts as code points, text i from bounds[i] to bounds[i + 1]."""

    points: NDArray[np.uint32]
    bounds: Longs


def code_points(column: Column, data: Bytes) -> CodePoints:
    """The code points of a column of texts."""
    first, second = column
    points, bounds = np.empty(int(second.sum()) + 8, np.uint32), np.empty(len(first) + 1, np.int64)
    count = library().cc_code_points(
        data.ctypes.data,
        _address(first, np.int64),
        _address(second, np.int64),
        len(first),
        points.ctypes.data,
        bounds.ctypes.data,
    )
    return CodePoints(points[:count], bounds)


def pieces(column: Column, data: Bytes, bounds: Longs, spans: tuple[Longs, Longs, Longs]) -> Column:
    """Where pieces of a column's texts lie in the data.

    Args:
        column: Texts.
        data: What they are places in.
        bounds: Of their code points.
        spans: Row, first code point and the one after the last, of each piece; inside its text.
    """
    rows, starts, ends = spans
    first, second = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    library().cc_pieces(
        data.ctypes.data,
        _address(column.first, np.int64),
        _address(column.second, np.int64),
        _address(bounds, np.int64),
        _address(rows, np.int64),
        _address(starts, np.int64),
        _address(ends, np.int64),
        len(rows),
        first.ctypes.data,
        second.ctypes.data,
    )
    return Column(first, second)


class Identities(NamedTuple):
    """Of a batch of notes.

    Attributes:
        event_ids: `contracts.identity.event_id` of each.
        keys: `contracts.identity.note_key` of each, as bytes.
    """

    event_ids: Fixed
    keys: list[bytes]


_MOST_DIGITS = 20


def identities(notes: Columns, model_serial: int, rules_serial: int) -> Identities:
    """Identities of what one model and one release of rules find in notes: columns with `source`, `note_id` and `revision`."""
    n, sources, ids = len(notes), notes["source"], notes["note_id"]
    suffix = np.frombuffer(f"|{model_serial}|{rules_serial}".encode(), np.uint8)
    space = np.frombuffer(NAMESPACE.bytes, np.uint8)
    room = int(sources.second.sum() + ids.second.sum()) + n * (len(suffix) + _MOST_DIGITS + 2)
    names, out = np.empty(room, np.uint8), np.empty(36 * n, np.uint8)
    bounds, key_ends = np.empty(n + 1, np.int64), np.empty(n, np.int64)
    columns = [*sources, *ids, notes["revision"].first]
    addresses = IdentityAddresses(
        notes.data.ctypes.data,
        *[_address(column, np.int64) for column in columns],
        space.ctypes.data,
        suffix.ctypes.data,
        len(suffix),
    )
    library().cc_event_ids(
        ctypes.addressof(addresses), n, names.ctypes.data, bounds.ctypes.data, key_ends.ctypes.data, out.ctypes.data
    )
    data = names.tobytes()
    return Identities(
        Fixed(out, 36), [data[begin:end] for begin, end in zip(bounds.tolist(), key_ends.tolist(), strict=False)]
    )
