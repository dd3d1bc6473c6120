"""Bytes to identities, and one consumer's positions."""

import io
import json
from concurrent.futures import Future
from types import SimpleNamespace

import fastavro
import pytest
from confluent_kafka import KafkaError
from contracts import files
from contracts.registry import InMemoryRegistry
from hypothesis import given
from hypothesis import strategies as st
from ledger.adapters import log
from ledger.adapters.log import KafkaLog, _Client
from ledger.adapters.schemas import Schemas
from ledger.domain.identity import Layout, Note, Unread, identity, identity_at, note_of, place_identity
from runtime.errors import Recoverable
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.service.health import Readiness
from runtime.service.metrics import Metrics

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
NOTES = st.builds(Note, WORDS, WORDS, st.integers(-(2**31), 2**31 - 1))


def schema(name: str) -> dict:
    return json.loads(files.schema_text(name))


def encoded(declared: dict, values: dict) -> bytes:
    out = io.BytesIO(b"\0\0\0\0\1")
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, fastavro.parse_schema(declared), values)
    return out.getvalue()


@given(NOTES)
def test_an_identity_is_its_note(note: Note) -> None:
    assert note_of(identity(note)) == note
    assert identity_at(identity(note), 0) == identity(note)


def test_a_place_is_no_note() -> None:
    assert note_of(place_identity(0, 1, 2)) is None


@pytest.mark.parametrize("name", ["NoteSubmitted", "NoteAccepted", "EntitiesExtracted"])
@given(note=NOTES, event=WORDS)
def test_the_identity_is_found_in_every_record(name: str, note: Note, event: str) -> None:
    fields = {**note._asdict(), "event_id": event}
    declared = schema(name)
    declared["fields"] = [field for field in declared["fields"] if field["name"] in fields]
    layout = Layout(declared)
    value = encoded(declared, fields)
    assert layout.identity(value) == identity(note)
    for cut in range(5, len(value) - 1):
        with pytest.raises(Unread):
            layout.identity(value[:cut])


@given(NOTES)
def test_fields_in_another_order_are_read_by_the_writers_schema(note: Note) -> None:
    declared = {
        "type": "record",
        "name": "NoteSubmitted",
        "fields": [
            {"name": "more", "type": ["null", "string"]},
            {"name": "revision", "type": "int"},
            {"name": "note_id", "type": "string"},
            {"name": "source", "type": "string"},
        ],
    }
    assert Layout(declared).identity(encoded(declared, {**note._asdict(), "more": "x"})) == identity(note)


def test_numbers_that_are_spelt_too_long_are_the_same_note() -> None:
    assert identity_at(b"\x82\x00a\x02b\x82\x80\x00", 0) == identity(Note("a", "b", 1))


@given(st.binary(max_size=60))
def test_hostile_bytes_are_read_or_refused(value: bytes) -> None:
    for name in ("NoteSubmitted", "EntitiesExtracted"):
        layout = Layout(schema(name))
        try:
            layout.identity(b"\0\0\0\0\1" + value)
        except Unread:
            continue
        layout.origin(b"\0\0\0\0\1" + value)


@pytest.mark.parametrize("origin", ["LIVE", "REEXTRACT"])
def test_the_origin_of_an_accepted_note_is_found(origin: str) -> None:
    declared = schema("NoteAccepted")
    names = [field["name"] for field in declared["fields"]]
    values = {**dict.fromkeys(names[: names.index("origin")], "é" * 100), "origin": origin}
    values |= {"revision": 7, "written_at": 1, "accepted_at": 1}
    assert Layout(declared).origin(encoded(declared, values)) == origin


def test_a_schema_that_nobody_knows_is_asked_for_again_after_a_while() -> None:
    registry, now = InMemoryRegistry(), [0.0]
    schemas = Schemas(registry, lambda: now[0])
    assert schemas.layout(1) is None
    registry.register("t-value", files.schema_text("NoteSubmitted"))
    assert schemas.layout(1) is None
    now[0] = 11.0
    assert schemas.layout(1) is not None


class Message:
    def __init__(self, offset: int, code: int | None = None, value: bytes | None = b"v") -> None:
        self._offset, self._error, self._value = offset, None if code is None else KafkaError(code), value

    def __len__(self) -> int:
        return len(self._value or b"")  # as the client's

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def error(self) -> KafkaError | None:
        return self._error

    def timestamp(self) -> tuple[int, int]:
        return 1, 5

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> None:
        return None


class Consumer:
    """Gives what its script says; a seek goes on with the next script."""

    def __init__(self, *scripts: list[Message]) -> None:
        self._scripts = [iter(script) for script in scripts]
        self.places: list[tuple[str, int]] = []

    def incremental_assign(self, places: list) -> None:
        self.places += [("assign", place.offset) for place in places]

    def incremental_unassign(self, _: list) -> None:
        self.places.append(("unassign", 0))

    def seek(self, place) -> None:
        self.places.append(("seek", place.offset))
        self._scripts.pop(0)

    def poll(self, _: float) -> Message | None:
        return next(self._scripts[0], None)


EOF = KafkaError._PARTITION_EOF


def read(*scripts: list[Message]):
    consumer, skipped = Consumer(*scripts), []
    metrics = Metrics()
    client = _Client(consumer, ConsumerErrors(metrics, Readiness()), skipped.append)
    client.begin({("t", 0): 0})
    found = [client.read(100, 0.0)]
    return consumer, skipped, [record.offset for record in found[0].records], found[0]


def test_a_hole_that_two_readings_saw_is_lawful() -> None:
    consumer, skipped, offsets, found = read([Message(0), Message(2)], [Message(2), Message(3, EOF)])
    assert (offsets, skipped, found.reached) == ([0, 2], [], {("t", 0): 3})
    assert consumer.places == [("assign", 0), ("seek", 1)]


def test_a_record_that_the_client_skipped_is_read_after_all() -> None:
    _, skipped, offsets, _ = read([Message(0), Message(2)], [Message(1), Message(2)])
    assert (offsets, skipped) == ([0, 1, 2], [("t", 0)])


def test_markers_behind_the_last_record_are_stepped_over() -> None:
    _, skipped, offsets, found = read([Message(0), Message(2, EOF)], [Message(2, EOF)])
    assert (offsets, skipped, found.reached) == ([0], [], {("t", 0): 2})


def test_what_comes_again_is_dropped() -> None:
    _, _, offsets, found = read([Message(0), Message(1), Message(0), Message(1), Message(1, EOF), Message(2)])
    assert (offsets, found.reached) == ([0, 1, 2], {("t", 0): 3})


def test_a_record_without_a_value_is_read_like_any_other() -> None:
    _, _, offsets, found = read([Message(0), Message(1, value=None), Message(2)])
    assert (offsets, [record.value for record in found.records]) == ([0, 1, 2], [b"v", None, b"v"])


def test_a_position_that_the_broker_does_not_have_is_reported() -> None:
    _, _, offsets, found = read([Message(0, KafkaError._AUTO_OFFSET_RESET)])
    assert (offsets, found.misplaced) == ([], {("t", 0)})


class SilentAdmin:
    """A leader that died: futures that nobody ever answers."""

    def list_topics(self, topic: str, timeout: float) -> object:
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions=[0])})

    def list_offsets(self, asked, **_: object) -> dict:
        return {one: Future() for one in asked}


@pytest.mark.parametrize("ask", [lambda it: it.ends(["t"]), lambda it: it.lows([("t", 0)])])
def test_a_leader_that_never_answers_is_waited_for(monkeypatch, ask) -> None:
    monkeypatch.setattr(log, "_ANSWER_S", 0.01)
    reader = KafkaLog({"bootstrap.servers": ""}, [], ConsumerErrors(Metrics(), Readiness()))
    reader._admin = SilentAdmin()
    with pytest.raises(Recoverable, match="no answer within"):
        ask(reader)
