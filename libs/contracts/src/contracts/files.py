"""Where the contract's files are, and reading them.

The folder `schemas/` is the source of records, topics, examples and all that is generated from them. Everything here is
read in sorted order, so that the same files give the same output on every machine.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import yaml

NAMESPACE = "behealthy.rxtract"
OLD_NAMESPACE = "in.behealthy.rxtract"
"""Of the contract before this one. Nothing of it is read: what holds it is refused with one line."""


class ContractFilesError(RuntimeError):
    """The folder of schemas was not found. The message says what to set."""


@cache
def schemas_dir() -> Path:
    """Return the folder that holds records/, topics/ and examples/.

    RXTRACT_SCHEMAS_DIR wins, then the copy inside the wheel, then the checkout.
    """
    configured = os.environ.get("RXTRACT_SCHEMAS_DIR")
    if configured:
        return _existing(Path(configured))
    here = Path(__file__).resolve().parent
    packaged = here / "_schemas"
    if packaged.is_dir():
        return _existing(packaged)
    return _existing(here.parents[3] / "schemas")


def _existing(folder: Path) -> Path:
    if not (folder / "records").is_dir():
        raise ContractFilesError(f"no records/ in {folder}: set RXTRACT_SCHEMAS_DIR to the project's schemas folder")
    return folder


def record_names() -> tuple[str, ...]:
    """Return the names of all records that have a schema file."""
    return tuple(sorted(path.stem for path in (schemas_dir() / "records").glob("*.avsc")))


def record_schema(name: str) -> dict[str, Any]:
    """Return a fresh copy of the Avro schema of a record, as its file has it."""
    schema: dict[str, Any] = json.loads(schema_text(name))
    return schema


@cache
def schema_text(name: str) -> str:
    """Return the text of a record's schema file."""
    return (schemas_dir() / "records" / f"{name}.avsc").read_text(encoding="utf-8")


def topic_files() -> tuple[Path, ...]:
    """Return the YAML files of all topics."""
    return tuple(sorted((schemas_dir() / "topics").glob("*.yaml")))


def read_topic(path: Path) -> dict[str, Any]:
    """Return the content of one topic file."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def example_files(topic: str) -> tuple[Path, ...]:
    """Return the example records of a topic."""
    return tuple(sorted((schemas_dir() / "examples" / topic).glob("*.json")))


def history_files(record: str) -> tuple[Path, ...]:
    """Return every version of a record's schema that was ever in use, oldest first."""
    return tuple(sorted((schemas_dir() / "history" / record).glob("*.avsc")))
