"""Parquet as the Hugging Face hub holds it: tokens and numbered tags, whose names stand in the file's own description."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from corpus.formats.found import InvalidRecord
from corpus.loaders_text import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROWS = 1_000


def read_parquet(path: Path) -> tuple[list[str], Iterator[tuple[int, dict[str, Any]]]]:
    """Return the names of numbered tags and the records with their row numbers.

    Raises:
        DatasetError: It is no Parquet, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise DatasetError(
            f"{path}: Parquet is read with pyarrow, which is not installed: save it as JSON lines"
        ) from None
    try:
        file = parquet.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{path}: no Parquet ({str(error).splitlines()[0][:80]}): save it anew") from None
    return _names(file.schema_arrow.metadata or {}), _rows(file)


def _rows(file: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for batch in file.iter_batches(_ROWS):
        for record in batch.to_pylist():
            number += 1
            yield number, record


def _names(metadata: Any) -> list[str]:
    try:
        return names_in(json.loads(metadata.get(b"huggingface", b"{}")))
    except ValueError:
        raise InvalidRecord("its description (huggingface) is damaged", "damaged") from None


def names_in(described: Any) -> list[str]:
    """Return the names of a ClassLabel anywhere in a description of features."""
    if isinstance(described, dict):
        names = described.get("names")
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return list(names)
        return next((found for value in described.values() if (found := names_in(value))), [])
    return []
