"""Which schemas can be read without danger, whatever the bytes are.

A recursive schema lets a small message exhaust the stack, and an array whose items take no bytes lets ten bytes claim
millions of items. Both are refused before a single byte is read: for our own schemas by a test, for the schemas of others
when the registry hands them out.
"""

import json
from typing import Any

import fastavro

MAX_DEPTH = 32
"""Deepest nesting of types that is read."""

MAX_SCHEMA_CHARS = 512 * 1024
"""Longest schema text that is read."""

_PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}


class UnsafeSchemaError(ValueError):
    """A schema is recursive, too deep, too long, has items without a size, or is no Avro schema."""


def checked(text: str) -> dict[str, Any]:
    """Return a record schema as plain data without logical types (times stay numbers).

    Raises:
        UnsafeSchemaError: says what is wrong with the schema.
    """
    if len(text) > MAX_SCHEMA_CHARS:
        raise UnsafeSchemaError("the schema is too long")
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        raise UnsafeSchemaError("the schema is no JSON") from None
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise UnsafeSchemaError("the schema is no record")
    try:
        _Walk().minimum_size(schema, "", 0)
        plain: dict[str, Any] = without_logical_types(schema)
        fastavro.parse_schema(plain)
    except UnsafeSchemaError:
        raise
    except Exception:  # noqa: BLE001 - hostile schemas raise whatever they hit
        raise UnsafeSchemaError("the schema is no Avro schema") from None
    return plain


def without_logical_types(schema: Any) -> Any:
    """Return a copy of a schema in which every logical type is its plain type."""
    if isinstance(schema, list):
        return [without_logical_types(branch) for branch in schema]
    if isinstance(schema, dict):
        return {
            key: without_logical_types(value) if key in {"type", "items", "values", "fields"} else value
            for key, value in schema.items()
            if key not in {"logicalType", "precision", "scale"}
        }
    return schema


class _Walk:
    """One pass over a schema that knows the smallest number of bytes that each type takes."""

    def __init__(self) -> None:
        self._sizes: dict[str, int | None] = {}

    def minimum_size(self, schema: Any, namespace: str, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise UnsafeSchemaError(f"the schema nests deeper than {MAX_DEPTH} types")
        if isinstance(schema, str):
            return self._named(schema, namespace)
        if isinstance(schema, list):
            return 1 + min(self.minimum_size(branch, namespace, depth + 1) for branch in schema)
        kind = schema["type"]
        if kind in {"record", "error"}:
            return self._record(schema, namespace, depth)
        if kind in {"array", "map"}:
            return self._collection(schema, namespace, depth)
        if kind in {"enum", "fixed"}:
            size = 1 if kind == "enum" else int(schema["size"])
            self._sizes[_full_name(schema, namespace)] = size
            return size
        return self.minimum_size(kind, namespace, depth + 1)

    def _named(self, name: str, namespace: str) -> int:
        if name in _PRIMITIVES:
            return {"null": 0, "float": 4, "double": 8}.get(name, 1)
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        if full not in self._sizes:
            raise UnsafeSchemaError("the schema uses a type that it does not define")
        size = self._sizes[full]
        if size is None:
            raise UnsafeSchemaError("the schema is recursive")
        return size

    def _record(self, schema: dict[str, Any], namespace: str, depth: int) -> int:
        name = _full_name(schema, namespace)
        inner = name.rpartition(".")[0]
        self._sizes[name] = None  # being walked: to meet it again is recursion
        size = sum(self.minimum_size(field["type"], inner, depth + 1) for field in schema["fields"])
        self._sizes[name] = size
        return size

    def _collection(self, schema: dict[str, Any], namespace: str, depth: int) -> int:
        is_array = schema["type"] == "array"
        size = self.minimum_size(schema["items" if is_array else "values"], namespace, depth + 1)
        if is_array and size == 0:
            raise UnsafeSchemaError("the schema has an array whose items take no bytes")
        return 1


def _full_name(schema: dict[str, Any], namespace: str) -> str:
    name = str(schema["name"])
    if "." in name:
        return name
    space = schema.get("namespace", namespace)
    return f"{space}.{name}" if space else name
