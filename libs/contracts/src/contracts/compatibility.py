"""Judges a schema against earlier versions without a registry.

The rules are those of the Avro specification as its Python implementation has them; the levels are the registry's words.
"""

import json
from collections.abc import Sequence
from typing import Any

LEVELS = (
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
)


def is_compatible(schema: str, earlier: Sequence[str], level: str) -> bool:
    """Tell whether a schema may follow the earlier versions (oldest first) at a compatibility level."""
    return not incompatibilities(schema, earlier, level)


def incompatibilities(schema: str, earlier: Sequence[str], level: str) -> list[str]:
    """Return one line for each thing that the schema breaks; none when it may follow the earlier versions.

    Raises:
        ValueError: the level is unknown, or a text is no Avro schema.
    """
    if level not in LEVELS:
        raise ValueError(f"unknown compatibility level {level}: use one of {', '.join(LEVELS)}")
    if level == "NONE":
        return []
    judged = earlier if level.endswith("TRANSITIVE") else earlier[-1:]
    findings = []
    for number, old in enumerate(judged, start=1 + len(earlier) - len(judged)):
        if not level.startswith("FORWARD"):
            findings += [f"cannot read data of version {number}: {line}" for line in _unreadable(schema, old)]
        if not level.startswith("BACKWARD"):
            findings += [f"version {number} cannot read new data: {line}" for line in _unreadable(old, schema)]
    return findings


def _unreadable(reader: str, writer: str) -> list[str]:
    """Return why data of the writer cannot be read by the reader."""
    from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

    checker: Any = ReaderWriterCompatibilityChecker
    result = checker().get_compatibility(_parsed(reader), _parsed(writer))
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    return sorted(str(message) for message in result.messages)


def _parsed(text: str) -> Any:
    from avro.errors import AvroException
    from avro.schema import make_avsc_object

    try:
        return make_avsc_object(json.loads(text), validate_enum_symbols=False)
    except (AvroException, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"no Avro schema ({type(error).__name__})") from None
