"""Writes contracts/records.py: one frozen dataclass per named type of the contract."""

import textwrap
from typing import Any

from contracts.generate.tree import PYTHON_TYPES, named_types, optional

HEADER = '''"""The records of the contract. Written by `python -m contracts.generate` from schemas/records; do not edit.

A record is a frozen dataclass. `__new__` stands in for the usual initialiser, which sets each field of a frozen dataclass
the slow way: it fills the slots of a twin that is not frozen and then changes its class.
"""

# mypy: disable-error-code="no-any-return"
# ruff: noqa: A002, D102 - arguments are named as the fields, and the class says what they are

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Self

from contracts._generated import twins
from contracts.record import Record

_new = object.__new__
_NOTHING: Mapping[str, Any] = MappingProxyType({})
'''

MAP_FACTORY = "field(default_factory=lambda: _NOTHING)"

TWINS_HEADER = '''"""Twins of the records: the same slots, not frozen, so that they are filled fast. See contracts.records."""

from contracts.record import Record
'''


def source() -> str:
    """Return the text of contracts/records.py."""
    types = named_types()
    parts = [_enum(t) if t["type"] == "enum" else _record(t, types) for t in types.values()]
    return "\n\n".join([HEADER, *parts])


def twins_source() -> str:
    """Return the text of contracts/_generated/twins.py."""
    return "\n\n".join([TWINS_HEADER, *(_twin(t) for t in named_types().values() if t["type"] == "record")])


def _twin(schema: dict[str, Any]) -> str:
    slots = "".join(f'        "{field["name"]}",\n' for field in schema["fields"])
    return f"class {schema['name']}(Record):\n    __slots__ = (\n{slots}    )\n"


def _enum(schema: dict[str, Any]) -> str:
    lines = [f"class {schema['name']}(StrEnum):", *_docstring([schema["doc"]]), ""]
    lines += [f'    {symbol} = "{symbol}"' for symbol in schema["symbols"]]
    return "\n".join(lines) + "\n"


def _record(schema: dict[str, Any], types: dict[str, dict[str, Any]]) -> str:
    doc = [schema["doc"], "", "Attributes:"]
    for field in schema["fields"]:
        doc += textwrap.wrap(f"{field['name']}: {field['doc']}", 108, initial_indent="    ", subsequent_indent=" " * 8)
    lines = [
        "@dataclass(frozen=True, slots=True, kw_only=True, init=False)",
        f"class {schema['name']}(Record):",
        *_docstring(doc),
        "",
    ]
    lines += [f'    SCHEMA_NAME: ClassVar[str] = "{schema["name"]}"', ""]
    lines += [_field(field, types) for field in schema["fields"]]
    lines += ["", "    def __new__(", "        cls,", "        *,"]
    lines += [f"    {_field(field, types).replace(MAP_FACTORY, '_NOTHING')}," for field in schema["fields"]]
    lines += ["    ) -> Self:", f"        self: Any = _new(twins.{schema['name']})"]
    lines += [f"        self.{field['name']} = {field['name']}" for field in schema["fields"]]
    lines += ["        self.__class__ = cls", "        return self"]
    return "\n".join(lines) + "\n"


def _docstring(lines: list[str]) -> list[str]:
    if len(lines) == 1:
        wrapped = textwrap.wrap(lines[0], 110)
        if len(wrapped) == 1:
            return [f'    """{wrapped[0]}"""']
        lines = _summary(lines[0])
    else:
        lines = _summary(lines[0]) + lines[1:]
    return [f'    """{lines[0]}', *(f"    {line}" if line else "" for line in lines[1:]), '    """']


def _summary(doc: str) -> list[str]:
    """Split a description into its first sentence and the rest."""
    first, _, rest = doc.partition(". ")
    if not rest:
        return [first]
    return [f"{first}.", "", *textwrap.wrap(rest, 110)]


def _field(field: dict[str, Any], types: dict[str, dict[str, Any]]) -> str:
    default = ""
    if "default" in field:
        default = f" = {_default(field['type'], field['default'], types)}"
    return f"    {field['name']}: {annotation(field['type'])}{default}"


def annotation(schema: Any) -> str:
    """Return the Python type of an Avro type."""
    inner = optional(schema)
    if inner is not None:
        return f"{annotation(inner)} | None"
    if isinstance(schema, dict) and schema["type"] == "array":
        return f"tuple[{annotation(schema['items'])}, ...]"
    if isinstance(schema, dict):
        return f"Mapping[str, {annotation(schema['values'])}]"
    return PYTHON_TYPES.get(schema, str(schema))


def _default(schema: Any, value: Any, types: dict[str, dict[str, Any]]) -> str:
    if isinstance(schema, dict) and schema["type"] == "array":
        return "()"
    if isinstance(schema, dict):
        return MAP_FACTORY
    if isinstance(schema, str) and types.get(schema, {}).get("type") == "enum":
        return f"{schema}.{value}"
    return f'"{value}"' if isinstance(value, str) else repr(value)
