"""Every parser that reads what others send, as a function of bytes: it returns, or refuses in the way that its callers know.

Anything else that comes out of it is a finding: another exception, a crash, or an answer that takes longer than a second.
"""

from __future__ import annotations

import gzip
import json
import random
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
GIVEN = "DM on Metformin 500 mg BD. Telma 40 for HTN, PCM stopped d/t rash. Allergic to penicillin. To start insulin if FBS high."
TEXT = "c/o fever x 3 days. No DM. Tab Metformin 500 mg BD x 5 days, SOS PCM 650. Father: HTN. ?dengue रोगी ß\r\n"


@dataclass(frozen=True, slots=True)
class Target:
    """A parser.

    Attributes:
        make: Builds what it needs, once, and gives the function of bytes.
        seeds: What is valid, to begin from.
        native: Whether the C library reads the bytes, so that it runs under the sanitizers too.
    """

    make: Callable[[], Callable[[bytes], object]]
    seeds: Callable[[], list[bytes]]
    native: bool = False


TARGETS: dict[str, Target] = {}


def target(
    seeds: Callable[[], list[bytes]], *, native: bool = False
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Enter a parser under its function's name."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        TARGETS[make.__name__] = Target(make, seeds, native)
        return make

    return enter


def refuses(do: Callable[[Any], object], *how: type[Exception]) -> Callable[[bytes], object]:
    """The function, with the ways in which it may refuse."""

    def tried(data: bytes) -> object:
        try:
            return do(data)
        except how:
            return None

    return tried


# -- records


@cache
def _serialised() -> list[bytes]:
    from contracts import records
    from contracts.wire import Serializer

    made = []
    for number, folder in enumerate(sorted((ROOT / "schemas/examples").glob("*.v1"))):
        for path in sorted(folder.glob("*.json"))[:2]:
            kind = getattr(records, _record_of(folder.name))
            record = kind.from_json(path.read_text(encoding="utf-8"))
            made.append(bytes([number]) + Serializer(kind, number + 1)(record))
    return made


def _record_of(topic: str) -> str:
    from contracts.topics import load_topics

    return load_topics()[topic].record


@target(_serialised)
def avro_records() -> Callable[[bytes], object]:
    """The first byte chooses the topic, the rest is a record's value."""
    from contracts import records
    from contracts.files import schema_text
    from contracts.registry import InMemoryRegistry
    from contracts.topics import load_topics, subject_of
    from contracts.wire import Deserializer, WireError

    registry, readers = InMemoryRegistry(), []
    for folder in sorted((ROOT / "schemas/examples").glob("*.v1")):
        name = load_topics()[folder.name].record
        registry.register(subject_of(folder.name), schema_text(name))
        readers.append(Deserializer.for_topic(getattr(records, name), registry, folder.name))

    def read(data: bytes) -> object:
        return readers[data[0] % len(readers)](data[1:]) if data else None

    return refuses(read, WireError)


@target(_serialised, native=True)
def avro_columns() -> Callable[[bytes], object]:
    """The same bytes as a batch with a sound neighbour: taken as columns when, and only when, the readers take them."""
    from contracts import records
    from contracts.columns import ColumnReader, ColumnWriter, code_points, identities, sources_of
    from contracts.files import schema_text
    from contracts.registry import InMemoryRegistry
    from contracts.topics import load_topics, subject_of
    from contracts.wire import Deserializer, WireError, schema_id_of

    ways = []
    for number, folder in enumerate(sorted((ROOT / "schemas/examples").glob("*.v1"))):
        name, registry = load_topics()[folder.name].record, InMemoryRegistry()
        registry._schemas = {}
        number_in_registry = registry.register(subject_of(folder.name), schema_text(name))
        reader = Deserializer.for_topic(getattr(records, name), registry, folder.name)
        sound = next(one[1:] for one in _serialised() if one[0] == number)
        header = number_in_registry.to_bytes(5, "big")
        writer = ColumnWriter(name, number_in_registry)
        ways.append((reader, ColumnReader(name), writer, header, header + sound[5:]))

    def read(data: bytes) -> None:
        if not data:
            return
        slowly, quickly, write, header, sound = ways[data[0] % len(ways)]
        value = header + data[6:]
        columns = quickly([sound, value, sound], header)
        assert columns.status.tolist() in ([0, 0, 0], [0, 1, 0])
        try:
            slowly(value)
        except WireError:
            assert columns.status[1]
            return
        assert not columns.status[1]
        assert schema_id_of(value) is not None
        columns.record(1)
        written = write(sources_of(columns), np.arange(3, dtype=np.int64)).values()
        assert written[0] == written[2] == sound
        assert quickly(written, header).failed == 0
        for path in {"text", "note_id", "city"} & set(columns.paths()):
            code_points(columns[path], columns.data)
        if {"source", "note_id", "revision"} <= set(columns.paths()):
            identities(columns, 1, 2)

    return read


@target(_serialised)
def ledger_identities() -> Callable[[bytes], object]:
    """The ledger's own reading of the same bytes."""
    from contracts import safety
    from contracts.files import schema_text
    from contracts.topics import load_topics
    from ledger.domain.identity import HEADER_BYTES, Layout, Unread, note_of

    layouts = [
        Layout(safety.checked(schema_text(load_topics()[folder.name].record)))
        for folder in sorted((ROOT / "schemas/examples").glob("*.v1"))
    ]

    def one_of(layout: Layout, value: bytes) -> bytes | None:
        try:
            return layout.identity(value)
        except Unread:
            return None

    def read(data: bytes) -> None:
        if data:
            layout, value = layouts[data[0] % len(layouts)], data[1:]
            layout.origin(value)
            found = one_of(layout, value)
            # At once, between others: the same identity, or the record is given to the reader of one.
            several = layout.identities([value, b"", None, value], value[:HEADER_BYTES], lambda _: found)
            assert several == [found] * 4
            if found is not None:
                note_of(found)

    return read


@target(lambda: [path.read_bytes() for path in sorted((ROOT / "schemas/records").glob("*.avsc"))])
def writer_schemas() -> Callable[[bytes], object]:
    """What a registry gives as a writer's schema, up to its parsing and reading a note with it."""
    from contracts import records
    from contracts.registry import InMemoryRegistry
    from contracts.safety import UnsafeSchemaError
    from contracts.topics import subject_of
    from contracts.wire import Deserializer, WireError

    note = _serialised()[-1][6:]

    def read(data: bytes) -> None:
        registry = InMemoryRegistry()
        registry._schemas = {}  # whoever registers there is not us
        number = _registered(registry, data.decode("utf-8", "replace"))
        Deserializer.for_topic(records.NoteSubmitted, registry, "t")(b"\0" + number.to_bytes(4, "big") + note)

    def _registered(registry: Any, text: str) -> int:
        from contracts import safety

        safety.checked(text)
        return int(registry.register(subject_of("t"), text))

    return refuses(read, UnsafeSchemaError, WireError)


@target(lambda: [b"rxtract1,abcd,1,1,0,10,-1,20,5", b"", b"other"])
def attempt_marks() -> Callable[[bytes], object]:
    """What stands beside a committed offset."""
    from runtime.stream.attempts import Mark

    return lambda data: Mark.parse(data.decode("utf-8", "replace")).text


# -- HTTP and JSON


def _bodies() -> list[bytes]:
    from ingestor.http.bodies import NOTE_EXAMPLE

    one = json.dumps(NOTE_EXAMPLE).encode()
    return [one, b"[" + one + b"," + one + b"]", one.replace(b"e", b"\\u0065"), b'{"text": "\\ud800"}']


@target(_bodies)
def ingestor_door() -> Callable[[bytes], object]:
    """A body at the HTTP door: always an answer, never a 500, and none of its text in it."""
    return _door("services/ingestor/tests/test_ingestor_http.py", "Door", {200, 202, 207, 409, 413, 422, 429})


def _door(path: str, name: str, statuses: set[int]) -> Callable[[bytes], object]:
    import asyncio
    import importlib.util
    import sys

    import httpx

    spec = importlib.util.spec_from_file_location(f"fuzz_{name.lower()}", ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    app = getattr(module, name)(http_notes_per_s=10**9, http_bytes_per_s=10**12).app
    loop = asyncio.new_event_loop()

    async def ask(data: bytes) -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
            return await client.post("/v1/notes", content=data, headers=module.HEADERS)

    def post(data: bytes) -> None:
        answer = loop.run_until_complete(ask(data))
        assert answer.status_code in statuses, answer.status_code
        answer.json()

    return post


@target(_bodies)
def json_bodies() -> Callable[[bytes], object]:
    """What all doors share: bounded before it is built."""
    from runtime.web.json_body import BadJson, elements_of, parse_json

    return refuses(lambda data: elements_of(parse_json(data, 2_000), 100), BadJson)


@target(lambda: [json.dumps({"text": TEXT}).encode(), json.dumps([{"text": TEXT}, {"text": "", "id": 3}]).encode()])
def answerer_notes() -> Callable[[bytes], object]:
    """Notes of `POST /v1/extract`."""
    from answerer.answers import read_note
    from contracts.rules import NoteLimits
    from runtime.web.json_body import BadJson, elements_of, parse_json

    def read(data: bytes) -> list[object]:
        return [
            read_note(one, number, NoteLimits()) for number, one in enumerate(elements_of(parse_json(data, 2_000), 100))
        ]

    return refuses(read, BadJson)


@target(lambda: [b"since=1790000000000", b"source=clinic&note_id=n1", b"source=%00&note_id=%ff", b"since=1&since=-1"])
def ledger_questions() -> Callable[[bytes], object]:
    """Questions to the ledger's door: always an answer that it names."""
    from ledger.adapters.book import Book
    from ledger.bootstrap import asked_account, asked_note
    from ledger.domain.identity import Note, identity
    from ledger.settings import LedgerSettings

    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    book = Book(folder, "one")
    book.submit(identity(Note("clinic", "n1", 1)), (0, 0, 0), 1_790_000_000_000, 1_790_000_000_000)
    book.commit(1_790_000_000_000)
    settings = LedgerSettings.load(bootstrap_servers="b:1", schema_registry_url="http://x", ledger_dir=folder)

    def read(data: bytes) -> None:
        query = data.decode("latin-1")
        for status, body in (asked_account(settings, query, from_here=True), asked_note(settings, query)):
            assert status in {200, 400}, status
            json.dumps(body)

    return read


@target(lambda: [json.dumps(one).encode() for one in _desk_examples()])
def desk_bodies() -> Callable[[bytes], object]:
    """What people's pages send to the review desk, up to the records of its domain."""
    import inspect

    from pydantic import ValidationError
    from review_desk.http import bodies

    kinds = [
        kind
        for _, kind in sorted(inspect.getmembers(bodies, inspect.isclass))
        if issubclass(kind, bodies.Strict) and kind.__module__ == bodies.__name__
    ]

    def read(data: bytes) -> None:
        if not data:
            return
        made = kinds[data[0] % len(kinds)].model_validate_json(data[1:])
        for name in ("mark", "record", "stated", "decision", "pair"):
            convert = getattr(made, name, None)
            if callable(convert) and len(inspect.signature(convert).parameters) == 0:
                convert()

    return refuses(read, ValidationError)


def _desk_examples() -> Iterator[object]:
    said = {"status": "PRESENT", "time": "CURRENT", "experiencer": "PATIENT"}
    entity = {"start": 0, "end": 3, "label": "DISEASE", "assertion": said, "prescription": {"frequency": 2}}
    yield from (said, entity, {"entities": [entity], "pairs": [[0, 0]]}, {"token": "x"})


# -- files


def _file(read: Callable[[Path], object], suffix: str) -> Callable[[bytes], object]:
    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    path = folder / f"data{suffix}"

    def do(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return do


_JSONL = (
    json.dumps({"text": "fever and PCM", "spans": [{"start": 0, "end": 5, "label": "DISEASE"}, [10, 13, "TREATMENT"]]})
    + "\n"
).encode()
_CONLL = b"fever\tD\nand\tO\nPCM\tT\n\nno\tO\nDM\tD\n"


@target(lambda: [_JSONL, _JSONL * 3, b'{"text": "x", "spans": [], "meta": {"a": "b"}}\n'])
def jsonl_data_sets() -> Callable[[bytes], object]:
    """Annotated notes, one JSON object a line."""
    from corpus.loaders import load
    from corpus.loaders_text import DatasetError

    return refuses(_file(load, ".jsonl"), DatasetError)


@target(lambda: [_CONLL, _CONLL.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + _CONLL])
def conll_data_sets() -> Callable[[bytes], object]:
    """Annotated notes, a token and a label a line."""
    from corpus.loaders import load_conll
    from corpus.loaders_text import DatasetError

    return refuses(_file(load_conll, ".conll"), DatasetError)


@target(lambda: [b"sig\tdaily_units\n1 tab BD\t2\n", b"sig\tdaily_units\nTake 1 tablet at night\t1\n"])
def directions_data_sets() -> Callable[[bytes], object]:
    """Directions and units a day."""
    from corpus.loaders_directions import load_directions
    from corpus.loaders_text import DatasetError

    return refuses(_file(load_directions, ".tsv"), DatasetError)


@target(lambda: [_JSONL, json.dumps({"id": 1, "text": TEXT}).encode() + b"\n"])
def note_lines() -> Callable[[bytes], object]:
    """`rxtract extract --file F.jsonl`: a bad row is a row."""
    return _note_file(".jsonl")


@target(lambda: [b'id,text\n1,fever\n2,"a, b"\n', f'text\n"{TEXT}"\n'.encode()])
def note_tables() -> Callable[[bytes], object]:
    """`rxtract extract --file F.csv`."""
    return _note_file(".csv")


def _note_file(suffix: str) -> Callable[[bytes], object]:
    from rxtract.errors import UserError
    from rxtract.note_files import read_notes

    return refuses(_file(lambda path: list(read_notes(path)), suffix), UserError)


@cache
def _model() -> bytes:
    from rxtract.first_model import first_model

    return (first_model().folder / "tables.npz").read_bytes()


def _small_model() -> list[bytes]:
    """A model of two sentences; the shipped one is too large to be changed byte by byte."""
    from clinical_ner.train import train
    from corpus import generate

    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    train(generate(1, 40), seed=1).save(folder)
    return [(folder / "tables.npz").read_bytes()]


@target(_small_model, native=True)
def model_artifacts() -> Callable[[bytes], object]:
    """A model file whose digest fits: refused, or it tags without harm."""
    from clinical_ner.artifact import ArtifactRefused, load
    from clinical_ner.tagger import Tagger

    def read(data: bytes) -> object:
        return Tagger(load(_mended(data))).tag([TEXT, "", "x"])

    return refuses(read, ArtifactRefused)


def _mended(data: bytes) -> bytes:
    """Changed bytes behind a checksum only prove that the checksum works: here it fits again."""
    import io
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for one in archive.infolist():
                archive.open(one)._expected_crc = None  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001 - whatever it is, the parser shall say so
        return data
    return data


@target(lambda: [_rules_file()], native=True)
def rules_tables() -> Callable[[bytes], object]:
    """A released file of rules: refused, or it reads without harm."""
    from clinical_ner.meaning import Reader
    from clinical_ner.notes import Label, Span
    from clinical_ner.phrases import TableInvalid
    from clinical_ner.rules import open_rules

    spans = [Span(4, 9, Label.DISEASE), Span(29, 38, Label.TREATMENT)]

    def read(data: bytes) -> object:
        return Reader(open_rules(data).tables).read([TEXT], [spans])

    return refuses(read, TableInvalid)


def _rules_file() -> bytes:
    from clinical_ner.rules import shipped_rules

    return json.dumps(dict(shipped_rules().texts)).encode()


@target(lambda: [TEXT.encode(), GIVEN.encode(), TEXT.encode() * 20, b"", "é".encode() * 50, b"x" * 5_000], native=True)
def notes_to_tag() -> Callable[[bytes], object]:
    """Any text through the shipped model and rules; what comes out lies inside the text."""
    from clinical_ner.artifact import load
    from clinical_ner.tagger import Tagger

    tagger = Tagger(load(_model()))

    def read(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        (found,) = tagger.tag([text])
        assert all(0 <= one.start < one.end <= len(text) for one in found.entities)
        texts = [text, GIVEN, text]
        points = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
        columns = tagger.tag_columns(points, np.cumsum([0, *map(len, texts)]).astype(np.int64))
        columns.prescriptions()
        for note in (0, 2):
            rows = slice(columns.bounds[note], columns.bounds[note + 1])
            spans = list(zip(columns.starts[rows].tolist(), columns.ends[rows].tolist(), strict=True))
            assert spans == [(one.start, one.end) for one in found.entities]

    return read


_TRAINED = b"c/o fever and cough\nDM on Metformin 500\nno HTN\nTab PCM for fever\nasthma\nInj. insulin for DM"


@target(lambda: [b"D" + _TRAINED, b"L" + _TRAINED, b"D\xff" + _TRAINED * 2], native=True)
def training_notes() -> Callable[[bytes], object]:
    """A few notes to train on, by both algorithms, and their words to cluster: refused, or a model."""
    from clinical_ner import clusters
    from clinical_ner.config import TrainingConfig
    from clinical_ner.notes import AnnotatedNote, Label, Span
    from clinical_ner.train import TrainingDataError, train

    labels = (Label.DISEASE, Label.TREATMENT)

    def annotated(line: str) -> AnnotatedNote:
        begin = len(line) // 3
        spans = [Span(at, min(at + 4, len(line)), labels[at % 2]) for at in (0, begin, 2 * begin)]
        return AnnotatedNote(line, tuple(one for one in dict.fromkeys(spans) if one.start < one.end))

    def read(data: bytes) -> None:
        lines = data[1:].decode("utf-8", "replace").split("\n")[:6]
        quick = {"max_iterations": 3, "passes": 2, "calibration_folds": 2, "compare_schemes": False, "averaged_fits": 1}
        config = TrainingConfig(algorithm="lbfgs" if data[:1] == b"L" else "descent", **quick)
        train([annotated(line[:400]) for line in lines], config)
        text = clusters._Text([line.split()[:60] or ["x"] for line in lines] * 200, None)
        clusters._exchanged(text, 3)

    return refuses(read, TrainingDataError, clusters.UnlabelledTextError)


@target(
    lambda: [b"1 tab BD x 5 days", b"1-0-1", b"inj. 2 amp IV 8 hourly for 3/7", b"60000 IU weekly x 2/52"], native=True
)
def directions() -> Callable[[bytes], object]:
    """Directions to a prescription."""
    from clinical_ner.meaning import read_prescription

    return lambda data: read_prescription(data.decode("utf-8", "replace"))


@cache
def _state() -> bytes:
    from drift.config import DriftConfig
    from drift.state import dump
    from drift.watcher import PartitionWatcher

    return dump(PartitionWatcher(0, DriftConfig(), lambda _: None, None))


@target(lambda: [_state()])
def drift_states() -> Callable[[bytes], object]:
    """A stored state whose digest fits: refused, or a watcher."""
    from drift.config import DriftConfig
    from drift.state import FORMAT_VERSION, StateRefusedError, digest, load, pack, unpack

    def read(data: bytes) -> object:
        plain = unpack(pack(data), digest(data))
        return load(plain, 0, DriftConfig(), lambda _: None, ZoneInfo("UTC"), FORMAT_VERSION)

    return refuses(read, StateRefusedError)


@target(lambda: [gzip.compress(b"{}"), struct.pack("<I", 7) + b"{}", b"\x28\xb5\x2f\xfd"])
def packed_states() -> Callable[[bytes], object]:
    """The same, packed, with another digest."""
    from drift.state import StateRefusedError, unpack

    return refuses(lambda data: unpack(data, "0" * 64), StateRefusedError)


# -- changes


JUNK = (
    *(b"[" * 30_000, b"{" + b'"a":' * 500, b"\xed\xa0\x80", b"\xff\xfe", b"\x00", b"1e999", b"-1", b"NaN", b"Infinity"),
    *(b"9" * 5_000, b"99999999999999999999", b"null", b"true", b'""', b"{}", b"\\ud800", b"\r", b"\t", "̀".encode()),
    *(b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", b"\xfe\xff\xff\xff\x0f", "𝔘\u202e".encode(), b'"', b","),
)


def changed(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """The bytes with one to eight changes: bits, runs cut out or doubled, pieces of others, and what parsers stumble over."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(out) + 1)
        size = chance.choice((1, 2, 4, 16, 200))
        kind = chance.randrange(7)
        if kind == 0 and out:
            out[at % len(out)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            out[at : at + size] = b""
        elif kind == 2:
            out[at:at] = out[at : at + size]
        elif kind == 3:
            other = chance.choice(others)
            begin = chance.randrange(len(other) + 1)
            out[at : at + size] = other[begin : begin + size]
        elif kind == 4:
            out[at : at + chance.choice((0, size))] = chance.choice(JUNK)
        elif kind == 5:
            out[at:] = b""
        else:
            out[at : at + size] = chance.randbytes(size)
    return bytes(out)
