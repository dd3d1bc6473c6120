"""Twenty legal and twenty illegal changes of our own schemas, judged offline and by the real registry."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from contracts import compatibility, files
from contracts.registry import ConfluentRegistry, IncompatibleSchema

pytestmark = pytest.mark.timeout(120)

Schema = dict[str, Any]
Edit = Callable[[Schema], None]


def field(schema: Schema, name: str) -> dict[str, Any]:
    return next(field for field in schema["fields"] if field["name"] == name)


def add(name: str, type_: Any, **default: Any) -> Edit:
    return lambda schema: schema["fields"].append({"name": name, "type": type_, **default})


def drop(name: str) -> Edit:
    return lambda schema: schema["fields"].remove(field(schema, name))


def change(name: str, **values: Any) -> Edit:
    return lambda schema: field(schema, name).update(values)


def symbols(name: str, *listed: str) -> Edit:
    return lambda schema: field(schema, name)["type"].update(symbols=list(listed))


def within(name: str, edit: Edit) -> Edit:
    """Edit the record inside a field, or inside the array of a field."""

    def apply(schema: Schema) -> None:
        type_ = field(schema, name)["type"]
        edit(type_.get("items", type_))

    return apply


def both(*edits: Edit) -> Edit:
    def apply(schema: Schema) -> None:
        for edit in edits:
            edit(schema)

    return apply


def rename(name: str, new: str) -> Edit:
    return lambda schema: field(schema, name).update(name=new)


def reorder(schema: Schema) -> None:
    schema["fields"].reverse()


def documented(schema: Schema) -> None:
    schema["doc"] = "Said better."
    schema["fields"][0]["doc"] = "Said better too."


def enum(*listed: str) -> dict[str, Any]:
    return {"type": "enum", "name": "Urgency", "symbols": list(listed), "default": listed[0]}


NOTE, EVENT, COMMAND, STATS = "NoteSubmitted", "EntitiesExtracted", "ModelCommand", "StatisticsObserved"
ORIGINS = ("LIVE", "BACKFILL", "REPLAY", "REEXTRACT")

LEGAL: dict[str, tuple[str, Edit]] = {
    "the same again": (NOTE, lambda schema: None),
    "other words in the descriptions": (NOTE, documented),
    "a nullable field": (NOTE, add("ward", ["null", "string"], default=None)),
    "a text field with a default": (NOTE, add("ward", "string", default="")),
    "a number field with a default": (NOTE, add("bed", "int", default=0)),
    "a list field with a default": (NOTE, add("tags", {"type": "array", "items": "string"}, default=[])),
    "a map field with a default": (EVENT, add("scores", {"type": "map", "values": "double"}, default={})),
    "an enum field with a default": (NOTE, add("urgency", enum("NONE", "HIGH"), default="NONE")),
    "a field of a type that exists, with a default": (EVENT, add("came_as", "Origin", default="LIVE")),
    "two new fields at once": (NOTE, both(add("a", ["null", "int"], default=None), add("b", "boolean", default=False))),
    "a nullable field gone": (NOTE, drop("purpose")),
    "a field with a default gone": (NOTE, drop("language")),
    "fields in another order": (STATS, reorder),
    "another default": (NOTE, change("language", default="hi")),
    "a nullable field in a record inside": (EVENT, within("segment", add("ward", ["null", "string"], default=None))),
    "a nullable field in the items of a list": (
        EVENT,
        within("entities", add("code", ["null", "string"], default=None)),
    ),
    "a default for a field that had none": (NOTE, change("city", default="")),
    "a nullable record": (
        COMMAND,
        add(
            "budget",
            ["null", {"type": "record", "name": "Budget", "fields": [{"name": "notes", "type": "int"}]}],
            default=None,
        ),
    ),
    "another symbol in an enum with a default": (NOTE, symbols("origin", *ORIGINS, "SHADOW")),
    "an enum's symbol gone, others have the default": (NOTE, symbols("origin", *ORIGINS[:3])),
}

ILLEGAL: dict[str, tuple[str, Edit]] = {
    "a text field without a default": (NOTE, add("ward", "string")),
    "a nullable field without a default": (NOTE, add("ward", ["null", "string"])),
    "a list field without a default": (NOTE, add("tags", {"type": "array", "items": "string"})),
    "the key gone": (NOTE, drop("note_id")),
    "the text gone": (NOTE, drop("text")),
    "a list gone": (EVENT, drop("entities")),
    "text becomes a number": (NOTE, change("city", type="int")),
    "a number becomes text": (NOTE, change("revision", type="string")),
    "int becomes long": (NOTE, change("revision", type="long")),
    "long becomes int": (STATS, change("first_offset", type="int")),
    "double becomes float": (EVENT, change("note_confidence", type="float")),
    "text becomes nullable": (NOTE, change("text", type=["null", "string"])),
    "nullable becomes text": (NOTE, change("purpose", type="string", default="")),
    "a nullable field of another type": (NOTE, change("purpose", type=["null", "long"])),
    "a field renamed": (NOTE, rename("city", "town")),
    "a record inside loses a field": (EVENT, within("segment", drop("city"))),
    "a record inside gains a field without a default": (EVENT, within("model", add("sha256", "string"))),
    "the items of a list gain a field without a default": (EVENT, within("entities", add("code", "string"))),
    "a list becomes a map": (EVENT, change("relations", type={"type": "map", "values": "string"})),
    "an enum becomes text": (NOTE, change("origin", type="string")),
}


def changed(record: str, edit: Edit) -> str:
    schema = copy.deepcopy(files.record_schema(record))
    edit(schema)
    return json.dumps(schema)


def test_there_are_twenty_of_each() -> None:
    assert (len(LEGAL), len(ILLEGAL)) == (20, 20)


@pytest.mark.parametrize(("record", "edit"), LEGAL.values(), ids=LEGAL)
def test_a_legal_change_passes_offline(record: str, edit: Edit) -> None:
    found = compatibility.incompatibilities(changed(record, edit), [files.schema_text(record)], "FULL_TRANSITIVE")
    assert found == []


@pytest.mark.parametrize(("record", "edit"), ILLEGAL.values(), ids=ILLEGAL)
def test_an_illegal_change_is_refused_offline(record: str, edit: Edit) -> None:
    found = compatibility.incompatibilities(changed(record, edit), [files.schema_text(record)], "FULL_TRANSITIVE")
    assert found
    assert all("version 1" in line for line in found)


@pytest.fixture
def registered(stack: Any, topic_prefix: str) -> Callable[[str], tuple[ConfluentRegistry, str]]:
    """Register our schema of a record under a fresh subject of the real registry."""

    def register(record: str) -> tuple[ConfluentRegistry, str]:
        registry, subject = ConfluentRegistry(stack.addresses.schema_registry_url), f"{topic_prefix}{record}-value"
        registry.set_compatibility(subject, "FULL_TRANSITIVE")
        registry.register(subject, files.schema_text(record))
        return registry, subject

    return register


@pytest.mark.stack
@pytest.mark.parametrize(("record", "edit"), LEGAL.values(), ids=LEGAL)
def test_the_registry_takes_a_legal_change(registered: Any, record: str, edit: Edit) -> None:
    registry, subject = registered(record)
    assert registry.is_compatible(subject, changed(record, edit))
    assert registry.register(subject, changed(record, edit)) in registry.ids_of_subject(subject)


@pytest.mark.stack
@pytest.mark.parametrize(("record", "edit"), ILLEGAL.values(), ids=ILLEGAL)
def test_the_registry_refuses_an_illegal_change(registered: Any, record: str, edit: Edit) -> None:
    registry, subject = registered(record)
    assert not registry.is_compatible(subject, changed(record, edit))
    with pytest.raises(IncompatibleSchema):
        registry.register(subject, changed(record, edit))
    assert len(registry.ids_of_subject(subject)) == 1
