"""The named types of all records, in the order in which they can be defined."""

from collections.abc import Iterator
from typing import Any

from contracts import files

PYTHON_TYPES = {"string": "str", "int": "int", "long": "int", "double": "float", "boolean": "bool", "bytes": "bytes"}


class UnsupportedSchemaError(ValueError):
    """A schema uses something that the contract does not allow; the message says where."""


def named_types() -> dict[str, dict[str, Any]]:
    """Return every record and enum of the contract by its name, what is used before what uses it.

    Raises:
        UnsupportedSchemaError: two files define one name differently.
    """
    found: dict[str, dict[str, Any]] = {}
    for record in files.record_names():
        for schema in _definitions(files.record_schema(record)):
            name = schema["name"]
            definition = {key: value for key, value in schema.items() if key != "namespace"}
            if found.setdefault(name, definition) != definition:
                raise UnsupportedSchemaError(f"{name} is defined differently in {record}.avsc: use one definition")
    return found


def _definitions(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield named types depth first, each with the types inside it replaced by their names."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _definitions(branch)
    elif isinstance(schema, dict):
        kind = schema["type"]
        if kind == "record":
            for field in schema["fields"]:
                yield from _definitions(field["type"])
            yield {**schema, "fields": [{**field, "type": shallow(field["type"])} for field in schema["fields"]]}
        elif kind == "enum":
            yield schema
        elif kind in {"array", "map"}:
            yield from _definitions(schema["items" if kind == "array" else "values"])


def shallow(schema: Any) -> Any:
    """Return a type with the named types inside it replaced by their names, and logical types dropped."""
    if isinstance(schema, list):
        return [shallow(branch) for branch in schema]
    if isinstance(schema, str):
        return schema
    kind = schema["type"]
    if kind in {"record", "enum"}:
        return schema["name"]
    if kind == "array":
        return {"type": "array", "items": shallow(schema["items"])}
    if kind == "map":
        return {"type": "map", "values": shallow(schema["values"])}
    return kind


def optional(schema: Any) -> Any | None:
    """Return what a nullable type holds when it is not null; None when the type is not nullable."""
    if not isinstance(schema, list):
        return None
    if len(schema) != 2 or schema[0] != "null":
        raise UnsupportedSchemaError('unions are ["null", something] and nothing else')
    return schema[1]
