"""Dangerous schemas are refused, ordinary ones are not."""

import json
from typing import Any

import pytest
from contracts.layout import same_layout
from contracts.safety import MAX_DEPTH, UnsafeSchemaError, checked


def record(*types: Any, name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(types)]}


def nested(depth: int) -> Any:
    schema: Any = "string"
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return record(schema)


EMPTY = {"type": "record", "name": "Empty", "fields": []}

DANGEROUS = {
    "recursive through a union": (record(["null", "R"]), "recursive"),
    "recursive through an array": (record({"type": "array", "items": "R"}), "recursive"),
    "recursive through a map": (record({"type": "map", "values": "R"}), "recursive"),
    "recursive by its full name": ({**record(["null", "a.b.R"]), "namespace": "a.b"}, "recursive"),
    "recursive further in": (record(record(["null", "R"], name="S")), "recursive"),
    "an array of null": (record({"type": "array", "items": "null"}), "no bytes"),
    "an array of empty records": (record({"type": "array", "items": EMPTY}), "no bytes"),
    "an array of records of nulls": (record({"type": "array", "items": record("null", "null", name="S")}), "no bytes"),
    "an array of a named empty record": (record(EMPTY, {"type": "array", "items": "Empty"}), "no bytes"),
    "an array of fixed of size 0": (
        record({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}),
        "no bytes",
    ),
    "too deep": (nested(MAX_DEPTH + 2), "deeper"),
    "an unknown type": (record("Nowhere"), "does not define"),
    "no record": ({"type": "array", "items": "string"}, "no record"),
    "no fields": ({"type": "record", "name": "R"}, "no Avro schema"),
}


@pytest.mark.parametrize(("schema", "why"), DANGEROUS.values(), ids=DANGEROUS)
def test_dangerous_schemas_are_refused(schema: Any, why: str) -> None:
    with pytest.raises(UnsafeSchemaError, match=why):
        checked(json.dumps(schema))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '"string"', "[]", "3", " " * 600_000])
def test_what_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(UnsafeSchemaError):
        checked(text)


@pytest.mark.parametrize(
    "schema",
    [
        record("null", "string"),
        record({"type": "array", "items": ["null", "string"]}),
        record({"type": "map", "values": "null"}),
        record({"type": "array", "items": {"type": "enum", "name": "E", "symbols": ["A"]}}),
        record(record("string", name="S"), {"type": "array", "items": "S"}),
        record(EMPTY),
        nested(MAX_DEPTH - 2),
    ],
)
def test_ordinary_schemas_are_read(schema: Any) -> None:
    assert checked(json.dumps(schema)) == schema


def test_times_stay_numbers() -> None:
    schema = record({"type": "long", "logicalType": "timestamp-millis"})
    assert same_layout(checked(json.dumps(schema)), record("long"))


def test_layouts_differ_by_what_is_on_the_wire() -> None:
    one = record("string", ["null", "int"])
    assert same_layout(one, {**one, "doc": "Other words.", "namespace": "elsewhere"})
    assert not same_layout(one, record("string", ["int", "null"]))
    assert not same_layout(one, record(["null", "int"], "string"))
    assert not same_layout(one, record("string"))
    renamed = json.loads(json.dumps(one).replace('"f0"', '"g0"'))
    assert not same_layout(one, renamed)
