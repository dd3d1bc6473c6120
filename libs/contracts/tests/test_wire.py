"""The wire format: what is written is read back, and nothing else is."""

import io
import json
import struct
import time
from typing import Any

import fastavro
import pytest
from contracts import files, records, safety
from contracts._generated.codec import READERS, RESOLVED
from contracts.reasons import Reason
from contracts.records import EntitiesExtracted, EntityLabel, ModelEvent, NoteAccepted, NoteSubmitted, Origin
from contracts.registry import InMemoryRegistry, RegistryUnavailable, SchemaNotFound, SubjectMissing
from contracts.topics import load_topics, subject_of
from contracts.varint import write_long
from contracts.wire import MAX_RECORD_BYTES, Deserializer, Serializer, WireError, schema_id_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

TOPICS = load_topics()
TYPES = {name: getattr(records, name) for name in files.record_names()}


class Wire:
    """Serializer and deserializer of one record type over a registry in memory."""

    def __init__(self, name: str) -> None:
        self.type = TYPES[name]
        self.topic = next(topic.name for topic in TOPICS.values() if topic.record == name)
        self.registry = InMemoryRegistry()
        self.id = self.registry.register(subject_of(self.topic), files.schema_text(name))
        self.write = Serializer.for_topic(self.type, self.registry, self.topic)
        self.read = Deserializer.for_topic(self.type, self.registry, self.topic)

    def examples(self) -> list[Any]:
        return [self.type.from_json(path.read_text("utf-8")) for path in files.example_files(self.topic)]

    def reason(self, value: bytes | None) -> Reason:
        with pytest.raises(WireError) as refusal:
            self.read(value)
        return refusal.value.reason

    def register(self, schema: dict[str, Any]) -> bytes:
        """Register a writer schema and return the header of its values."""
        return b"\x00" + self.registry.register(subject_of(self.topic), json.dumps(schema)).to_bytes(4, "big")


@pytest.fixture(params=sorted(TYPES))
def wire(request: pytest.FixtureRequest) -> Wire:
    return Wire(request.param)


# --- what is written is read back -----------------------------------------------------------------------------------


def strategy(schema: Any, types: dict[str, Any]) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one for each kind
    """Plain data that a schema allows."""
    if isinstance(schema, list):
        return st.one_of([strategy(branch, types) for branch in schema])
    if isinstance(schema, str):
        return types[schema] if schema in types else PRIMITIVES[schema]
    kind = schema["type"]
    if kind == "record":
        fields = {field["name"]: strategy(field["type"], types) for field in schema["fields"]}
        types[schema["name"]] = st.fixed_dictionaries(fields)
        return types[schema["name"]]
    if kind == "enum":
        types[schema["name"]] = st.sampled_from(schema["symbols"])
        return types[schema["name"]]
    if kind == "array":
        return st.lists(strategy(schema["items"], types), max_size=4)
    if kind == "map":
        return st.dictionaries(PRIMITIVES["string"], strategy(schema["values"], types), max_size=4)
    return PRIMITIVES[kind]


LONGS = st.integers(-(2**63), 2**63 - 1)
PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": LONGS
    | st.integers(1_600_000_000_000, 2_300_000_000_000)
    | st.sampled_from([2**34, 2**41, -(2**41), 63, 64]),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "string": st.text(max_size=40) | st.text(min_size=60, max_size=200),
    "bytes": st.binary(max_size=100),
}


def plain_records(name: str) -> st.SearchStrategy[Any]:
    return strategy(files.record_schema(name), {})


def by_fastavro(name: str, values: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(safety.checked(files.schema_text(name))), values)
    return buffer.getvalue()


@pytest.mark.parametrize("name", sorted(TYPES))
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_record_makes_the_bytes_that_fastavro_makes_and_comes_back(name: str, data: Any) -> None:
    values = data.draw(plain_records(name))
    wire = Wire(name)
    record = wire.type.from_dict(values)
    value = wire.write(record)
    assert value[5:] == by_fastavro(name, values)
    assert schema_id_of(value) == wire.id
    assert wire.read(value) == record
    assert type(wire.read(value)) is wire.type
    schema = fastavro.parse_schema(safety.checked(files.schema_text(name)))
    assert RESOLVED[wire.type](fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, schema)) == record


def test_every_example_comes_back(wire: Wire) -> None:
    for record in wire.examples():
        assert wire.read(wire.write(record)) == record


def test_lists_are_written_as_tuples_are(wire: Wire) -> None:
    """Callers who hand lists lose nothing but hashing."""
    for record in wire.examples():
        lists = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in ((field, getattr(record, field)) for field in record.__slots__)
        }
        assert wire.write(wire.type(**lists)) == wire.write(record)


def test_arrays_may_come_in_blocks_with_sizes() -> None:
    """Java's blocking encoder writes a negative count and the block's size in bytes."""
    wire = Wire("ModelEvent")
    record = ModelEvent(
        event_id="e", kind=records.ModelEventKind.UNKNOWN, model_name="m", reasons=("ab", "c"), occurred_at=0
    )
    value = wire.write(record)
    assert value.count(b"\x04\x04ab\x02c\x00") == 1
    blocks = value.replace(b"\x04\x04ab\x02c\x00", b"\x01\x06\x04ab\x02\x02c\x00")
    assert wire.read(blocks) == record


def test_numbers_may_come_in_blocks_and_end_too_soon() -> None:
    """A list of doubles is read a block at a time: no block may claim more than there is."""
    wire = Wire("StatisticsObserved")
    record = wire.examples()[0]
    sums, packed = len(record.sums), struct.pack(f"<{len(record.sums)}d", *record.sums)
    value = wire.write(record)
    start = value.removesuffix(write_long(sums) + packed + b"\x00")
    assert start != value
    sized = write_long(-4) + write_long(32) + packed[:32]
    assert wire.read(start + sized + write_long(sums - 4) + packed[32:] + b"\x00") == record
    assert wire.reason(start + write_long(sums) + packed[:-1]) is Reason.TRUNCATED
    for claimed in (2**62, -(2**62), -(2**63)):
        wire.reason(start + write_long(claimed) + packed + b"\x00")  # refused; which reason is fastavro's to find


# --- other versions of the schema -------------------------------------------------------------------------------------


def test_a_newer_writer_is_read_by_older_code() -> None:
    wire = Wire("NoteSubmitted")
    schema = files.record_schema("NoteSubmitted")
    schema["fields"].insert(3, {"name": "ward", "type": ["null", "string"], "default": None})
    schema["fields"].reverse()
    origin = next(field for field in schema["fields"] if field["name"] == "origin")
    origin["type"]["symbols"] = ["SHADOW", *origin["type"]["symbols"]]
    header = wire.register(schema)
    for record in wire.examples():
        for written, read in ((record.origin.value, record.origin), ("SHADOW", Origin.LIVE)):
            buffer = io.BytesIO()
            values = record.to_dict() | {"ward": "7b", "origin": written}
            fastavro.schemaless_writer(buffer, fastavro.parse_schema(safety.without_logical_types(schema)), values)
            value = header + buffer.getvalue()
            assert wire.read(value) == wire.type.from_dict(record.to_dict() | {"origin": read.value})
            assert wire.reason(value[:-1]) is not None
            assert wire.reason(value + b"\x00") is Reason.TRAILING_BYTES


@pytest.mark.parametrize("name", ["AssertionStatus", "AssertionTime", "Experiencer", "RelationType"])
@pytest.mark.parametrize("record", ["EntitiesExtracted", "ReviewRequested", "AnnotationValidated"])
def test_what_a_newer_writer_says_of_an_entity_is_unknown_to_older_code(record: str, name: str) -> None:
    """Never PRESENT by mistake, and never a crash."""
    wire = Wire(record)
    schema = files.record_schema(record)

    def add_symbol(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "enum" and node["name"] == name:
                node["symbols"] = ["SUSPENDED", *node["symbols"]]
            for part in node.values():
                add_symbol(part)
        elif isinstance(node, list):
            for part in node:
                add_symbol(part)

    def newer(node: Any) -> Any:
        """The same, but with the new word in each place of that kind."""
        field = {
            "AssertionStatus": "status",
            "AssertionTime": "time",
            "Experiencer": "experiencer",
            "RelationType": "type",
        }
        if isinstance(node, list):
            return [newer(part) for part in node]
        if not isinstance(node, dict):
            return node
        return {key: "SUSPENDED" if key == field[name] else newer(part) for key, part in node.items()}

    add_symbol(schema)
    header = wire.register(schema)
    seen = 0
    for example_ in wire.examples():
        given = example_.to_dict()
        for entity in (*given.get("entities", ()), *given.get("predicted_entities", ())):
            entity["assertion"] = {
                "status": "PRESENT", "time": "CURRENT", "experiencer": "PATIENT", "cue_start": -1, "cue_end": -1,
            }  # fmt: skip
        values = newer(given)
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, fastavro.parse_schema(safety.without_logical_types(schema)), values)
        read = wire.read(header + buffer.getvalue()).to_dict()
        told = json.dumps(values).count('"SUSPENDED"')
        seen += told
        assert json.dumps(read).count('"UNKNOWN"') - json.dumps(given).count('"UNKNOWN"') == told
    assert seen


def test_an_older_writer_is_read_by_newer_code() -> None:
    wire = Wire("EntitiesExtracted")
    schema = files.record_schema("EntitiesExtracted")
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in {"purpose", "encryption_key_id"}]
    header = wire.register(schema)
    for record in wire.examples():
        buffer = io.BytesIO()
        fastavro.schemaless_writer(
            buffer, fastavro.parse_schema(safety.without_logical_types(schema)), record.to_dict()
        )
        assert wire.read(header + buffer.getvalue()) == record


# --- what must be refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, b""])
def test_nothing_is_refused(wire: Wire, value: bytes | None) -> None:
    assert wire.reason(value) is Reason.EMPTY_VALUE
    assert schema_id_of(value) is None


@pytest.mark.parametrize("value", [b"\x00"[:1] * length for length in (1, 2, 3, 4)])
def test_less_than_a_header_is_refused(wire: Wire, value: bytes) -> None:
    assert wire.reason(value) is Reason.TRUNCATED


def test_a_wrong_magic_byte_is_refused(wire: Wire) -> None:
    value = wire.write(wire.examples()[0])
    for magic in (1, 2, 0x7B, 0xFF):
        assert wire.reason(bytes([magic]) + value[1:]) is Reason.WRONG_MAGIC_BYTE
    assert wire.reason(b"{}") is Reason.WRONG_MAGIC_BYTE


def test_an_unknown_schema_is_refused_and_named(wire: Wire) -> None:
    value = b"\x00" + (4711).to_bytes(4, "big") + wire.write(wire.examples()[0])[5:]
    with pytest.raises(WireError) as refusal:
        wire.read(value)
    assert (refusal.value.reason, refusal.value.schema_id) == (Reason.UNKNOWN_SCHEMA, 4711)


def test_a_schema_of_another_topic_is_refused() -> None:
    wire = Wire("NoteAccepted")
    other = wire.registry.register("elsewhere-value", files.schema_text("NoteSubmitted"))
    assert wire.reason(b"\x00" + other.to_bytes(4, "big") + b"\x00" * 40) is Reason.UNKNOWN_SCHEMA


@pytest.mark.parametrize("known", [True, False])
def test_a_subject_that_the_registry_lost_is_no_fault_of_the_record(*, known: bool) -> None:
    wire = Wire("NoteAccepted")
    value = wire.write(wire.examples()[0])
    if not known:
        value = b"\x00" + (4711).to_bytes(4, "big") + value[5:]
    wire.registry.delete_subject(subject_of(wire.topic))
    for _ in range(2):
        with pytest.raises(SubjectMissing, match=subject_of(wire.topic)):
            wire.read(value)
    wire.registry.register(subject_of(wire.topic), files.schema_text("NoteAccepted"))
    if known:
        assert wire.read(value) == wire.examples()[0]
    else:
        assert wire.reason(value) is Reason.UNKNOWN_SCHEMA


def test_a_registry_that_is_down_is_no_fault_of_the_record(wire: Wire) -> None:
    value = wire.write(wire.examples()[0])
    wire.registry.down = True
    with pytest.raises(RegistryUnavailable):
        wire.read(value)
    wire.registry.down = False
    record = wire.read(value)
    wire.registry.down = True
    assert wire.read(value) == record  # a known id needs no registry


def test_a_value_cut_at_any_byte_is_refused(wire: Wire) -> None:
    for record in wire.examples():
        value = wire.write(record)
        assert {wire.reason(value[:length]) for length in range(1, len(value))} == {Reason.TRUNCATED}


def test_a_trailing_byte_is_refused(wire: Wire) -> None:
    for record in wire.examples():
        for more in (b"\x00", b"\xff", b"\x00" * 1000):
            assert wire.reason(wire.write(record) + more) is Reason.TRAILING_BYTES


def test_ten_megabytes_are_refused_without_reading() -> None:
    wire = Wire("NoteAccepted")
    value = wire.write(wire.examples()[0])
    huge = value + b"a" * 10_000_000
    wire.read(value)
    started = time.perf_counter()
    with pytest.raises(WireError) as refusal:
        wire.read(huge)
    assert time.perf_counter() - started < 0.05
    assert (refusal.value.reason, refusal.value.schema_id) == (Reason.TOO_LARGE, wire.id)


def test_the_largest_legal_record_passes_and_one_byte_more_does_not() -> None:
    wire = Wire("NoteAccepted")
    values = wire.examples()[0].to_dict()
    spare = MAX_RECORD_BYTES - len(wire.write(NoteAccepted.from_dict(values | {"text": "a" * 1_000_000})))
    largest = NoteAccepted.from_dict(values | {"text": "a" * (1_000_000 + spare)})
    assert len(wire.write(largest)) == MAX_RECORD_BYTES
    assert wire.read(wire.write(largest)) == largest
    with pytest.raises(WireError) as refusal:
        wire.write(NoteAccepted.from_dict(values | {"text": "a" * (1_000_001 + spare)}))
    assert refusal.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"])
def test_invalid_utf8_is_refused(bad: bytes) -> None:
    wire = Wire("NoteAccepted")
    value = wire.write(wire.examples()[0])
    at = value.index(b"synthetic-note")
    assert wire.reason(value[:at] + bad + value[at + len(bad) :]) is Reason.INVALID_UTF8


HOSTILE_LENGTHS = {
    "2^40": b"\x80\x80\x80\x80\x80\x80\x04",
    "2^62": b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    "-1": b"\x01",
    "-2^31": b"\xff\xff\xff\xff\x0f",
    "smallest": b"\xff" * 9 + b"\x01",
    "20 bytes": b"\x80" * 19 + b"\x01",
    "endless": b"\x80" * 1000,
}


@pytest.mark.parametrize("length", HOSTILE_LENGTHS.values(), ids=HOSTILE_LENGTHS)
def test_hostile_lengths_are_refused_at_once(wire: Wire, length: bytes) -> None:
    """A hostile number in place of each byte of a record, so that each length, count and index meets it."""
    value = wire.write(wire.examples()[0])
    started = time.process_time()
    for at in range(5, len(value)):
        _refused_or_read(wire, value[:at] + length + value[at + 1 :])
        _refused_or_read(wire, value[:at] + length)
    assert time.process_time() - started < 0.002 * 2 * len(value) + 1


def _refused_or_read(wire: Wire, value: bytes) -> None:
    """A damaged value may by chance be a record; then it must be written back to be one, and never raise otherwise."""
    try:
        record = wire.read(value)
    except WireError:
        return
    assert wire.type.from_dict(json.loads(json.dumps(record.to_dict(), default=_text))) is not None


def _text(value: bytes) -> str:
    import base64

    return base64.b64encode(value).decode()


@pytest.mark.parametrize("length", HOSTILE_LENGTHS.values(), ids=HOSTILE_LENGTHS)
def test_hostile_string_lengths_and_array_counts_are_refused(length: bytes) -> None:
    wire = Wire("EntitiesExtracted")
    record = EntitiesExtracted.from_dict(wire.examples()[0].to_dict() | {"entities": [], "relations": []})
    value = wire.write(record)
    assert wire.reason(value[:5] + length + value[6:]) in {Reason.TRUNCATED, Reason.UNDECODABLE, Reason.INVALID_UTF8}
    confidence = struct.pack("<d", record.note_confidence)
    at = value.index(confidence) + 8
    assert wire.reason(value[:at] + length + value[at + 1 :]) in {
        Reason.TRUNCATED,
        Reason.UNDECODABLE,
        Reason.INVALID_UTF8,
    }


def test_numbers_beyond_their_type_and_unknown_symbols_are_refused() -> None:
    wire = Wire("NoteAccepted")
    record = NoteAccepted.from_dict(wire.examples()[0].to_dict() | {"source": "s", "note_id": "n", "revision": 1})
    value = wire.write(record)
    too_big = b"\xfe\xff\xff\xff\x1f"  # 2^32 - 1 in a field of 32 bits
    assert value[5:10] == b"\x02s\x02n\x02"
    assert wire.reason(value[:9] + too_big + value[10:]) is Reason.UNDECODABLE
    entities = Wire("EntitiesExtracted")
    event = EntitiesExtracted.from_dict(
        entities.examples()[0].to_dict() | {"event_id": "", "source": "", "note_id": "", "revision": 0}
    )
    value = entities.write(event)
    assert value[5:10] == b"\x00\x00\x00\x00\x00"
    assert entities.reason(value[:9] + b"\x08" + value[10:]) is Reason.UNDECODABLE


@settings(max_examples=300)
@given(st.binary(max_size=400), st.sampled_from(sorted(TYPES)))
@example(b"\x00" * 200, "NoteSubmitted")
@example(b"\x80" * 200, "AnnotationValidated")
def test_any_bytes_are_a_record_or_refused(body: bytes, name: str) -> None:
    wire = Wire(name)
    header = b"\x00" + wire.id.to_bytes(4, "big")
    for value in (body, header + body):
        try:
            assert isinstance(wire.read(value), wire.type)
        except WireError as refusal:
            assert isinstance(refusal.reason, Reason)  # noqa: PT017 - both ways are right


@settings(max_examples=200)
@given(st.data(), st.sampled_from(sorted(TYPES)))
def test_the_generated_reader_and_fastavro_agree_on_damaged_bytes(data: Any, name: str) -> None:
    """Whatever the generated reader takes, fastavro takes too and reads the same."""
    wire = Wire(name)
    value = bytearray(wire.write(data.draw(st.sampled_from(wire.examples()))))
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(5, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        record = READERS[wire.type](bytes(value), 5)
    except (IndexError, KeyError, ValueError, struct.error):
        return
    schema = fastavro.parse_schema(safety.checked(files.schema_text(name)))
    assert repr(RESOLVED[wire.type](fastavro.schemaless_reader(io.BytesIO(value[5:]), schema))) == repr(record)


# --- schemas that are dangerous to read -------------------------------------------------------------------------------

RECURSIVE = {
    "type": "record",
    "name": "Node",
    "fields": [{"name": "next", "type": ["null", "Node"], "default": None}],
}
NULL_ARRAY = {
    "type": "record",
    "name": "Bomb",
    "fields": [{"name": "items", "type": {"type": "array", "items": "null"}}],
}


@pytest.mark.parametrize(
    ("schema", "body"),
    [(RECURSIVE, b"\x02" * 5000 + b"\x00"), (NULL_ARRAY, b"\x80\xda\xc4\x09\x00")],
    ids=["5,000 deep", "20 million nulls"],
)
def test_a_bomb_is_refused_before_a_byte_is_read(schema: dict[str, Any], body: bytes) -> None:
    wire = Wire("NoteSubmitted")
    header = wire.register(schema)
    started = time.perf_counter()
    assert wire.reason(header + body) is Reason.UNSAFE_SCHEMA
    assert time.perf_counter() - started < 0.05


# --- what must not be written -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"note_id": None},
        {"note_id": 3},
        {"note_id": b"n"},
        {"text": "\ud800"},
        {"revision": 2**31},
        {"revision": "1"},
        {"revision": None},
        {"written_at": 2**63},
        {"origin": "SIDEWAYS"},
        {"purpose": 3},
    ],
)
def test_fields_that_do_not_fit_are_not_written(changes: dict[str, Any]) -> None:
    wire = Wire("NoteSubmitted")
    record = wire.examples()[0]
    fields = {name: getattr(record, name) for name in record.__slots__} | changes
    with pytest.raises(WireError) as refusal:
        wire.write(NoteSubmitted(**fields))
    assert refusal.value.reason is Reason.INVALID_RECORD


def test_an_unregistered_schema_is_told_with_what_to_do() -> None:
    with pytest.raises(SchemaNotFound, match="rxtract schemas apply"):
        Serializer.for_topic(NoteSubmitted, InMemoryRegistry(), "notes.submitted.v1")


def test_messages_hold_nothing_of_the_record() -> None:
    wire = Wire("NoteAccepted")
    value = wire.write(wire.examples()[0])
    with pytest.raises(WireError) as refusal:
        wire.read(value[:-3])
    assert "synthetic" not in repr(refusal.value)
    assert "synthetic" not in str(refusal.value.__cause__)
    assert EntityLabel("DISEASE") is EntityLabel.DISEASE
