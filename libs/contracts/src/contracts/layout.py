"""Tells whether two schemas put the same bytes on the wire."""

from typing import Any

_NO_BYTES = {"doc", "aliases", "default", "order", "namespace"}


def same_layout(one: Any, other: Any) -> bool:
    """Tell whether every value has the same bytes under both schemas, and means the same field or symbol.

    Descriptions, aliases, defaults and namespaces put nothing on the wire. Names do not either, but they say which field
    is meant, so they must agree.
    """
    same: bool = _bare(one) == _bare(other)
    return same


def _bare(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if isinstance(schema, dict):
        bare = {key: _bare(value) for key, value in schema.items() if key not in _NO_BYTES}
        # {"type": "string"} and "string" are the same type.
        return bare["type"] if set(bare) == {"type"} else bare
    return schema.rpartition(".")[2] if isinstance(schema, str) else schema
