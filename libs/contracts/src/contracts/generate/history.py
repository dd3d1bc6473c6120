"""Keeps every version of a record's schema that was ever in use, so that a change is judged against all of them."""

import json
from pathlib import Path
from typing import Any

from contracts import files


def next_versions() -> dict[Path, str]:
    """Return the version files to add: one for each record whose schema differs from its newest version.

    A change of descriptions alone is no new version.
    """
    added = {}
    for record in files.record_names():
        text = files.schema_text(record)
        versions = files.history_files(record)
        if not versions or _judged(versions[-1].read_text(encoding="utf-8")) != _judged(text):
            path = files.schemas_dir() / "history" / record / f"{len(versions) + 1:04}.avsc"
            added[path] = text
    return added


def _judged(text: str) -> Any:
    """Return what is judged of a schema: all but its descriptions."""
    return _without_docs(json.loads(text))


def _without_docs(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_docs(part) for part in schema]
    if isinstance(schema, dict):
        return {key: _without_docs(value) for key, value in schema.items() if key != "doc"}
    return schema
