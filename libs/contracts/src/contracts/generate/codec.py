"""Writes contracts/_generated/codec.py: for each record a function that reads it and one that writes it.

A generic Avro reader asks for every value what its type is, and builds a dictionary that is then turned into a record. The
generated reader has the types unrolled and fills the record's slots as it goes; docs/decisions has the figures.
"""

import re
from collections.abc import Callable
from typing import Any

from contracts import files
from contracts.generate.tree import UnsupportedSchemaError, named_types, optional

HEADER = '''"""Readers and writers of the contract's records. Written by `python -m contracts.generate`; do not edit.

Readers raise IndexError, KeyError, ValueError (with UnicodeDecodeError) or struct.error on bytes that are not exactly one
record; `contracts.wire` turns them into reasons. Writers raise AttributeError, KeyError, TypeError, ValueError,
OverflowError or struct.error on fields that hold what their type does not allow.

Readers fill the slots of a record's twin and then change its class, as the records do themselves.
"""

# mypy: disable-error-code="no-any-return"

from collections.abc import Callable
from struct import Struct, pack, unpack_from
from typing import Any

from contracts import records
from contracts._generated import twins
from contracts.varint import INTS, LONGS, SHORT_LENGTHS, SHORT_LONGS, read_int, read_length, read_long

_new = object.__new__
_BOOLEANS = {0: False, 1: True}
_BOOLEAN_BYTES = {False: b"\\x00", True: b"\\x01"}
'''


def source() -> str:
    """Return the text of contracts/_generated/codec.py."""
    types = named_types()
    tops = files.record_names()
    bodies = [part for name in tops for part in (_Reader(types).function(name), _Writer(types).function(name))]
    bodies += [_Writer(types).function(name) for name in _optional_records(types) if name not in tops]
    doubles = sorted({int(count) for body in bodies for count in re.findall(r"_DOUBLES_(\d+)", body)})
    parts = [HEADER]
    parts += [f'_DOUBLES_{count} = Struct("<{count}d")\n' for count in doubles]
    parts += [_enum_tables(t) for t in types.values() if t["type"] == "enum"]
    parts += [_resolved(t, types) for t in types.values() if t["type"] == "record"]
    parts += bodies
    readers = "".join(f"    records.{name}: read_{_snake(name)},\n" for name in tops)
    writers = "".join(f"    records.{name}: write_{_snake(name)},\n" for name in tops)
    parts.append(f"READERS: dict[type, Callable[[bytes, int], Any]] = {{\n{readers}}}\n")
    resolvers = "".join(f"    records.{name}: resolved_{_snake(name)},\n" for name in tops)
    parts.append(f"RESOLVED: dict[type, Callable[[dict[str, Any]], Any]] = {{\n{resolvers}}}\n")
    parts.append(f"WRITERS: dict[type, Callable[[Any, bytes], bytes]] = {{\n{writers}}}\n")
    return "\n".join(parts)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _optional_records(types: dict[str, dict[str, Any]]) -> list[str]:
    """Return the names of the records that stand in nullable fields: each that is not flat has a writer of its own."""
    fields = [field for schema in types.values() if schema["type"] == "record" for field in schema["fields"]]
    inner = {name for field in fields if isinstance(name := optional(field["type"]), str)}
    records = (name for name in inner if name in types and types[name]["type"] == "record")
    return sorted(name for name in records if not _is_flat(types[name], types))


def _is_flat(schema: dict[str, Any], types: dict[str, dict[str, Any]]) -> bool:
    """Whether a record holds nothing but symbols and whole numbers, which are written by one look-up each."""
    return all(
        isinstance(inner := field["type"], str)
        and (inner in {"int", "long", "boolean"} or (inner in types and types[inner]["type"] == "enum"))
        for field in schema["fields"]
    )


def _enum_tables(schema: dict[str, Any]) -> str:
    name = schema["name"]
    if len(schema["symbols"]) > 64:
        raise UnsupportedSchemaError(f"{name} has more than 64 symbols")
    by_byte = ", ".join(f"{2 * index}: records.{name}.{symbol}" for index, symbol in enumerate(schema["symbols"]))
    by_member = ", ".join(
        f"records.{name}.{symbol}: {bytes([2 * index])!r}" for index, symbol in enumerate(schema["symbols"])
    )
    by_name = f"{{member: member for member in records.{name}}}"
    upper = name.upper()
    return f"_{upper} = {{{by_byte}}}\n_{upper}_BYTES = {{{by_member}}}\n_{upper}_NAMES: dict[str, Any] = {by_name}\n"


def _resolved(schema: dict[str, Any], types: dict[str, dict[str, Any]]) -> str:
    """Write the function that builds a record from the dictionary that fastavro resolved."""
    name = schema["name"]
    lines = [f"\ndef resolved_{_snake(name)}(d: dict[str, Any]) -> records.{name}:", f"    r: Any = _new(twins.{name})"]
    for field in schema["fields"]:
        given = f'd["{field["name"]}"]'
        lines.append(f"    r.{field['name']} = {_from_resolved(field['type'], given, types)}")
    return "\n".join([*lines, f"    r.__class__ = records.{name}", "    return r", ""])


def _from_resolved(schema: Any, given: str, types: dict[str, dict[str, Any]]) -> str:
    inner = optional(schema)
    if inner is not None:
        value = _from_resolved(inner, given, types)
        return value if value == given else f"None if {given} is None else {value}"
    if isinstance(schema, dict) and schema["type"] == "array":
        return f"tuple([{_from_resolved(schema['items'], 'item', types)} for item in {given}])"
    if isinstance(schema, str) and schema in types:
        is_enum = types[schema]["type"] == "enum"
        return f"_{schema.upper()}_NAMES[{given}]" if is_enum else f"resolved_{_snake(schema)}({given})"
    return given


class _Lines:
    """Lines of code with their indentation, and names that are used once."""

    def __init__(self, types: dict[str, dict[str, Any]]) -> None:
        self.types = types
        self.lines: list[str] = []
        self.depth = 1
        self._names = 0

    def add(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line for line in lines]

    def name(self, stem: str) -> str:
        self._names += 1
        return f"{stem}_{self._names}"

    def indented(self, write: Callable[[], None]) -> None:
        self.depth += 1
        write()
        self.depth -= 1


class _Reader(_Lines):
    """Writes a function that reads one record from `b` at `i`."""

    def function(self, name: str) -> str:
        self.record(self.types[name], "record")
        self.add("if i != len(b):", '    raise ValueError("the bytes do not end with the record")', "return record")
        head = f"\ndef read_{_snake(name)}(b: bytes, i: int) -> records.{name}:\n"
        return head + "\n".join(self.lines) + "\n"

    def record(self, schema: dict[str, Any], target: str) -> None:
        self.add(f"{target}: Any = _new(twins.{schema['name']})")
        fields = schema["fields"]
        while fields:
            doubles = _leading_doubles(fields)
            if len(doubles) > 1:
                targets = ", ".join(f"{target}.{field['name']}" for field in doubles)
                self.add(f"{targets} = _DOUBLES_{len(doubles)}.unpack_from(b, i)", f"i += {8 * len(doubles)}")
                fields = fields[len(doubles) :]
            else:
                self.value(fields[0]["type"], f"{target}.{fields[0]['name']}")
                fields = fields[1:]
        self.add(f"{target}.__class__ = records.{schema['name']}")

    def value(self, schema: Any, target: str) -> None:
        inner = optional(schema)
        if inner is not None:
            self.union(inner, target)
        elif isinstance(schema, dict):
            (self.array if schema["type"] == "array" else self.map)(schema, target)
        elif schema in self.types:
            self.named(self.types[schema], target)
        else:
            getattr(self, schema)(target)

    def named(self, schema: dict[str, Any], target: str) -> None:
        if schema["type"] == "enum":
            self.add(f"{target} = _{schema['name'].upper()}[b[i]]", "i += 1")
        else:
            part = self.name(_snake(schema["name"]))
            self.record(schema, part)
            self.add(f"{target} = {part}")

    def union(self, inner: Any, target: str) -> None:
        branch = self.name("branch")
        self.add(f"{branch} = b[i]", "i += 1", f"if {branch} == 2:")
        self.indented(lambda: self.value(inner, target))
        self.add(f"elif {branch} == 0:", f"    {target} = None", "else:", '    raise ValueError("no such branch")')

    def array(self, schema: dict[str, Any], target: str) -> None:
        items, item = self.name("items"), self.name("item")
        self.add(f"{items}: list[Any] = []")

        def one() -> None:
            self.value(schema["items"], item)
            self.add(f"{items}.append({item})")

        def doubles(count: str) -> None:
            self.add(f'{items} += unpack_from(f"<{{{count}}}d", b, i)', f"i += 8 * {count}")

        self.blocks(doubles if schema["items"] == "double" else self.each(one))
        self.add(f"{target} = tuple({items})")

    def map(self, schema: dict[str, Any], target: str) -> None:
        entries, key, item = self.name("entries"), self.name("key"), self.name("item")
        self.add(f"{entries}: dict[str, Any] = {{}}")

        def one() -> None:
            self.string(key)
            self.value(schema["values"], item)
            self.add(f"{entries}[{key}] = {item}")

        self.blocks(self.each(one))
        self.add(f"{target} = {entries}")

    def each(self, one: Callable[[], None]) -> Callable[[str], None]:
        """Write a loop that reads a block's items one by one; each takes at least a byte, so the bytes bound the loop."""

        def loop(count: str) -> None:
            self.add(f"for _ in range({count}):")
            self.indented(one)

        return loop

    def blocks(self, items: Callable[[str], None]) -> None:
        """Write the loop over blocks; `items` writes what reads as many items as the variable that it is given says."""
        count = self.name("count")
        self.long(count)
        self.add(f"while {count}:")

        def block() -> None:
            self.add(f"if {count} < 0:", f"    {count} = -{count}", "    _, i = read_length(b, i)")
            items(count)
            self.long(count)

        self.indented(block)

    def string(self, target: str) -> None:
        self.length()
        self.add(f"{target} = b[i : (i := i + n)].decode()")

    def bytes(self, target: str) -> None:
        self.length()
        self.add(f"{target} = b[i : (i := i + n)]")

    def length(self) -> None:
        self.add("n = SHORT_LENGTHS[b[i]]", "if n < 0:", "    n, i = read_length(b, i)", "else:", "    i += 1")

    def long(self, target: str, read: str = "read_long") -> None:
        number = self.name("number")
        self.add(f"{number} = SHORT_LONGS[b[i]]", f"if {number} is None:", f"    {target}, i = {read}(b, i)")
        self.add("else:", f"    {target} = {number}", "    i += 1")

    def int(self, target: str) -> None:
        self.long(target, "read_int")

    def double(self, target: str) -> None:
        self.add(f"({target},) = _DOUBLES_1.unpack_from(b, i)", "i += 8")

    def boolean(self, target: str) -> None:
        self.add(f"{target} = _BOOLEANS[b[i]]", "i += 1")


def _leading_doubles(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the doubles at the beginning of some fields; they are read and written at once."""
    count = next((index for index, field in enumerate(fields) if field["type"] != "double"), len(fields))
    return fields[:count]


class _Writer(_Lines):
    """Writes a function that writes one record `r` after some header bytes.

    What is known at once is gathered in `pending` and added to the output together.
    """

    def __init__(self, types: dict[str, dict[str, Any]]) -> None:
        super().__init__(types)
        self.pending: list[str] = ["header"]
        self.started = False

    def function(self, name: str) -> str:
        self.record(self.types[name], "r")
        if self.started:
            self.flush()
            self.add('return b"".join(out)')
        else:
            self.add('return b"".join(', "    (", *(f"        {part}," for part in self.pending), "    )", ")")
        head = f"\ndef write_{_snake(name)}(r: records.{name}, header: bytes) -> bytes:\n"
        return head + "\n".join(self.lines) + "\n"

    def flush(self) -> None:
        if self.pending:
            self.add(f"out += ({', '.join(self.pending)},)" if self.started else f"out = [{', '.join(self.pending)}]")
            self.started = True
            self.pending = []

    def record(self, schema: dict[str, Any], origin: str) -> None:
        fields = schema["fields"]
        while fields:
            doubles = _leading_doubles(fields)
            if len(doubles) > 1:
                values = ", ".join(f"{origin}.{field['name']}" for field in doubles)
                self.pending.append(f"_DOUBLES_{len(doubles)}.pack({values})")
                fields = fields[len(doubles) :]
            else:
                self.value(fields[0]["type"], f"{origin}.{fields[0]['name']}")
                fields = fields[1:]

    def value(self, schema: Any, origin: str) -> None:
        inner = optional(schema)
        if inner is not None:
            self.union(inner, origin)
        elif isinstance(schema, dict):
            (self.array if schema["type"] == "array" else self.map)(schema, origin)
        elif schema in self.types and self.types[schema]["type"] == "enum":
            self.pending.append(f"_{schema.upper()}_BYTES[{origin}]")
        elif schema in self.types:
            part = self.name(_snake(schema))
            self.add(f"{part} = {origin}")
            self.record(self.types[schema], part)
        else:
            self.pending.append(self.primitive(schema, origin))

    def primitive(self, schema: str, origin: str) -> str:
        if schema in {"string", "bytes"}:
            data = self.name("data")
            self.add(f"{data} = {origin}{'.encode()' if schema == 'string' else ''}")
            return f"LONGS[len({data})], {data}"
        return {
            "int": f"INTS[{origin}]",
            "long": f"LONGS[{origin}]",
            "double": f"_DOUBLES_1.pack({origin})",
            "boolean": f"_BOOLEAN_BYTES[{origin}]",
        }[schema]

    def union(self, inner: Any, origin: str) -> None:
        """Write a nullable value as one expression: a statement of its own would cost the null, which is usual, twice as much."""
        value = self.name("value")
        self.add(f"{value} = {origin}")
        self.pending.append(f'b"\\x00" if {value} is None else {self.some(inner, value)}')

    def some(self, inner: Any, value: str) -> str:
        if not isinstance(inner, str):
            raise UnsupportedSchemaError("a nullable list or map: use an empty one")
        if inner in {"string", "bytes"}:
            data = self.name("data")
            encoded = f"{value}.encode()" if inner == "string" else value
            return f'b"\\x02" + LONGS[len({data} := {encoded})] + {data}'
        if inner not in self.types:
            return f'b"\\x02" + {self.primitive(inner, value)}'
        if self.types[inner]["type"] == "enum":
            return f'b"\\x02" + _{inner.upper()}_BYTES[{value}]'
        if _is_flat(self.types[inner], self.types):
            # One is in every entity: a call would cost as much again.
            parts = [self.flat(field["type"], f"{value}.{field['name']}") for field in self.types[inner]["fields"]]
            return " + ".join(['b"\\x02"', *parts])
        return f'write_{_snake(inner)}({value}, b"\\x02")'

    def flat(self, schema: str, origin: str) -> str:
        return f"_{schema.upper()}_BYTES[{origin}]" if schema in self.types else self.primitive(schema, origin)

    def array(self, schema: dict[str, Any], origin: str) -> None:
        items, item = self.name("items"), self.name("item")
        if schema["items"] == "double":
            self.flush()
            self.add(f"{items} = {origin}", f"if {items}:")
            self.add(f'    out += (LONGS[len({items})], pack(f"<{{len({items})}}d", *{items}))')
            self.pending.append('b"\\x00"')
            return
        self.loop(items, origin, f"for {item} in {items}:", lambda: self.value(schema["items"], item))

    def map(self, schema: dict[str, Any], origin: str) -> None:
        entries, key, item = self.name("entries"), self.name("key"), self.name("item")

        def one() -> None:
            self.pending.append(self.primitive("string", key))
            self.value(schema["values"], item)

        self.loop(entries, origin, f"for {key}, {item} in {entries}.items():", one)

    def loop(self, items: str, origin: str, head: str, one: Callable[[], None]) -> None:
        self.flush()
        self.add(f"{items} = {origin}", f"if {items}:")

        def block() -> None:
            self.add(f"out.append(LONGS[len({items})])", head)

            def body() -> None:
                one()
                self.flush()

            self.indented(body)

        self.indented(block)
        self.pending.append('b"\\x00"')
