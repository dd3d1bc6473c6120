"""Columns against fastavro, which shares no line with them: the same values, the same bytes, the same refusals."""

import ctypes
import io
from typing import Any

import fastavro
import numpy as np
import pytest
from contracts import files, native, records, safety
from contracts.columns import (
    ColumnReader,
    ColumnWriter,
    Constant,
    Fixed,
    Source,
    code_points,
    identities,
    pieces,
    sources_of,
    string_bytes,
)
from contracts.identity import event_id, note_key
from contracts.registry import InMemoryRegistry
from contracts.topics import load_topics, subject_of
from contracts.wire import MAX_RECORD_BYTES, Deserializer, Serializer, WireError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.contracts.tests.test_wire import by_fastavro, plain_records

NAMES = files.record_names()
TOPIC = {name: next(topic.name for topic in load_topics().values() if topic.record == name) for name in NAMES}
SCHEMA = {name: fastavro.parse_schema(safety.checked(files.schema_text(name))) for name in NAMES}
HEADER = b"\x00\x00\x00\x00\x01"
RELAXED = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def read(name: str, body: bytes) -> dict[str, Any]:
    buffer = io.BytesIO(body)
    values: Any = fastavro.schemaless_reader(buffer, SCHEMA[name], SCHEMA[name])
    assert buffer.tell() == len(body)
    return dict(values)


def deserializer(name: str) -> Deserializer[Any]:
    registry = InMemoryRegistry()
    assert registry.register(subject_of(TOPIC[name]), files.schema_text(name)) == 1
    return Deserializer.for_topic(getattr(records, name), registry, TOPIC[name])


def examples(name: str) -> list[bytes]:
    kind = getattr(records, name)
    return [Serializer(kind, 1)(kind.from_json(path.read_text("utf-8"))) for path in files.example_files(TOPIC[name])]


def everything(columns: Any) -> np.ndarray:
    return np.arange(len(columns), dtype=np.int64)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, **RELAXED)
@given(data=st.data())
def test_any_batch_is_read_as_fastavro_reads_it_and_written_as_fastavro_writes_it(name: str, data: Any) -> None:
    batch = data.draw(st.lists(plain_records(name), min_size=1, max_size=5))
    values = [HEADER + by_fastavro(name, one) for one in batch]
    columns = ColumnReader(name)(values, HEADER)
    assert not columns.failed
    assert [columns.record(row) for row in range(len(values))] == [read(name, value[5:]) for value in values]
    assert ColumnWriter(name, 1)(sources_of(columns), everything(columns)).values() == values


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, **RELAXED)
@given(data=st.data())
def test_damaged_bytes_are_marked_when_and_only_when_they_are_refused(name: str, data: Any) -> None:
    """Whatever is not marked fastavro takes too, with the same values; whatever is marked the slow way refuses."""
    values = []
    for _ in range(data.draw(st.integers(1, 4))):
        value = bytearray(data.draw(st.sampled_from(examples(name))))
        for _ in range(data.draw(st.integers(0, 3))):
            at, kind = data.draw(st.integers(0, len(value))), data.draw(st.integers(0, 3))
            if kind == 0 and at < len(value):
                value[at] ^= 1 << data.draw(st.integers(0, 7))
            elif kind == 1:
                value[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=11))
            elif kind == 2:
                value[at:at] = data.draw(
                    st.sampled_from([b"\xff" * 9 + b"\x01", b"\x80\x00", b"\x01", b"\xed\xa0\x80"])
                )
            else:
                value[at:] = b""
        values.append(bytes(value))
    columns, slowly = ColumnReader(name)(values, HEADER), deserializer(name)
    for row, value in enumerate(values):
        if columns.status[row]:
            with pytest.raises(WireError):
                slowly(value)
        else:
            found = columns.record(row)
            assert repr(found) == repr(read(name, value[5:]))
            assert repr(type(slowly(value)).from_dict(found) if _is_finite(found) else None) in {
                repr(slowly(value)),
                "None",
            }


@pytest.mark.parametrize(("name", "at"), [("ModelEvent", b"\x00\x00\x00"), ("NoteAccepted", b"\x00\x00")])
def test_a_choice_written_longer_than_needed_is_refused_by_both_ways(name: str, at: bytes) -> None:
    """One null of a union in two bytes, which fastavro takes: no batch may be read otherwise than its notes alone."""
    value = next(one for one in examples(name) if at in one[5:])
    place = value.index(at, 5)
    longer = value[:place] + b"\x80\x00" + value[place + 1 :]
    assert repr(read(name, longer[5:])) == repr(read(name, value[5:]))
    assert ColumnReader(name)([longer, value], HEADER).status.tolist() == [1, 0]
    with pytest.raises(WireError):
        deserializer(name)(longer)


def _is_finite(found: Any) -> bool:
    return "nan" not in repr(found) and "inf" not in repr(found)


def test_a_row_that_fails_leaves_its_neighbours_and_no_items() -> None:
    good = examples("EntitiesExtracted")
    columns = ColumnReader("EntitiesExtracted")([good[0][:-1], good[0], good[0] + b"x", None, b"", good[-1]], HEADER)
    assert columns.status.tolist() == [1, 0, 1, 1, 1, 0]
    assert columns.failed == 4
    wanted = [read("EntitiesExtracted", good[0][5:]), read("EntitiesExtracted", good[-1][5:])]
    assert [columns.record(1), columns.record(5)] == wanted
    assert columns["entities"].second.tolist()[0] == 0
    assert columns.used[columns._layout.places["entities[].label"][0]] == sum(len(one["entities"]) for one in wanted)


def test_another_schema_and_what_is_too_large_are_marked() -> None:
    (good, *_) = examples("NoteAccepted")
    values = read("NoteAccepted", good[5:])
    spare = MAX_RECORD_BYTES - len(HEADER) - len(by_fastavro("NoteAccepted", {**values, "text": ""})) - 2
    fits, too_large = (
        HEADER + by_fastavro("NoteAccepted", {**values, "text": "x" * (spare + more)}) for more in (0, 1)
    )
    assert len(fits) == MAX_RECORD_BYTES
    columns = ColumnReader("NoteAccepted")([good, b"\0\0\0\0\2" + good[5:], fits, too_large], HEADER)
    assert columns.status.tolist() == [0, 1, 0, 1]


def test_lists_in_blocks_with_sizes_and_more_items_than_there_was_room_for() -> None:
    (good, *_) = examples("StatisticsObserved")
    values = {**read("StatisticsObserved", good[5:]), "sums": [0.5] * 3_000}
    body = by_fastavro("StatisticsObserved", {**values, "sums": []})[:-1]
    block = fastavro_long(-3_000) + fastavro_long(8 * 3_000) + np.full(3_000, 0.5).tobytes()
    columns = ColumnReader("StatisticsObserved")([HEADER + body + block + b"\0"], HEADER)
    assert columns.record(0) == values
    assert columns["sums[]"].doubles.tolist() == values["sums"]


def fastavro_long(number: int) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, "long", number)
    return buffer.getvalue()


def test_a_writer_takes_constants_fixed_texts_and_only_the_rows_that_are_asked_for() -> None:
    values = [read("EntitiesExtracted", one[5:]) for one in examples("EntitiesExtracted")] * 2
    columns = ColumnReader("EntitiesExtracted")(
        [HEADER + by_fastavro("EntitiesExtracted", one) for one in values], HEADER
    )
    ids = b"".join(b"%036d" % number for number in range(len(values)))
    model = {"name": "m", "version": "7", "serial": 300}
    sources = {
        **sources_of(columns),
        "event_id": Fixed(np.frombuffer(ids, np.uint8), 36),
        "model": Constant(string_bytes("m") + string_bytes("7") + fastavro_long(300)),
    }
    rows = np.array([len(values) - 1, 0], np.int64)
    wanted = [{**values[row], "event_id": f"{row:036d}", "model": model} for row in rows.tolist()]
    written = ColumnWriter("EntitiesExtracted", 9)(sources, rows).values()
    assert written == [b"\0\0\0\0\x09" + by_fastavro("EntitiesExtracted", one) for one in wanted]


def test_a_column_that_is_missing_or_of_another_type_is_no_write() -> None:
    columns = ColumnReader("StatisticsObserved")(examples("StatisticsObserved"), HEADER)
    sources, write = sources_of(columns), ColumnWriter("StatisticsObserved", 1)
    with pytest.raises(KeyError):
        write({path: source for path, source in sources.items() if path != "n"}, everything(columns))
    for wrong in (np.zeros(9, np.int32), np.zeros(18, np.int64)[::2]):
        with pytest.raises(TypeError, match="one stretch"):
            write({**sources, "n": Source(wrong)}, everything(columns))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="may be null"):
        write({**sources, "n": Fixed(columns.data, 1)}, everything(columns))


@settings(max_examples=60, **RELAXED)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6), st.data())
def test_code_points_and_pieces_are_those_of_python(texts: list[str], data: Any) -> None:
    (good, *_) = examples("NoteAccepted")
    plain = read("NoteAccepted", good[5:])
    values = [HEADER + by_fastavro("NoteAccepted", {**plain, "text": text}) for text in texts]
    columns = ColumnReader("NoteAccepted")(values, HEADER)
    points, bounds = code_points(columns["text"], columns.data)
    assert "".join(map(chr, points.tolist())) == "".join(texts)
    assert np.diff(bounds).tolist() == list(map(len, texts))
    cuts = [(row, *sorted(data.draw(st.integers(0, len(text))) for _ in "ab")) for row, text in enumerate(texts)]
    spans = np.array(cuts, np.int64).T.copy()
    found = pieces(columns["text"], columns.data, bounds, (spans[0], spans[1], spans[2]))
    wanted = [texts[row][start:end] for row, start, end in cuts]
    assert [columns.data[at : at + size].tobytes().decode() for at, size in zip(*found, strict=True)] == wanted


@settings(max_examples=60, **RELAXED)
@given(st.lists(st.tuples(st.text(max_size=140), st.integers(-(2**31), 2**31 - 1)), max_size=5))
def test_event_ids_and_keys_are_those_of_python(notes: list[tuple[str, int]]) -> None:
    (good, *_) = examples("NoteAccepted")
    plain = {**read("NoteAccepted", good[5:]), "source": "s"}
    values = [HEADER + by_fastavro("NoteAccepted", {**plain, "note_id": name, "revision": at}) for name, at in notes]
    found = identities(ColumnReader("NoteAccepted")(values, HEADER), 2**62, 3)
    ids = found.event_ids.base.tobytes().decode()
    assert [ids[at : at + 36] for at in range(0, len(ids), 36)] == [
        event_id("s", name, revision, 2**62, 3) for name, revision in notes
    ]
    assert found.keys == [note_key("s", name).encode() for name, _ in notes]


def test_a_missing_library_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    native.library.cache_clear()
    monkeypatch.setattr(native, "__file__", "/nowhere/native.py")
    try:
        with pytest.raises(native.NativeLibraryMissing, match="build it") as refusal:
            native.library()
        assert "\n" not in str(refusal.value)
    finally:
        native.library.cache_clear()
    monkeypatch.undo()
    assert isinstance(native.library(), ctypes.CDLL)
