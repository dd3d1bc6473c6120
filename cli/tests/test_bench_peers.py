"""The peers of the streaming benchmark: each finds what it needs of ours, and does the work. Their processes on Kafka are `rxtract bench stream`."""

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from contracts import topics
from contracts.apply import apply_schemas
from contracts.records import EntitiesExtracted, EntityLabel, NoteAccepted
from contracts.registry import InMemoryRegistry
from contracts.wire import Deserializer, Serializer

ROOT = Path(__file__).resolve().parents[2]
LIST = "import sys; import stream_work; print(*{m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)}, sep='\\n')"


@pytest.fixture(autouse=True)
def _benchmarks_are_found(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.fixture
def registry() -> InMemoryRegistry:
    made = InMemoryRegistry()
    apply_schemas(made, "")
    return made


@pytest.fixture
def task(registry) -> Any:
    from stream_work import Task

    ids = [
        Serializer.for_topic(record, registry, topic).schema_id
        for record, topic in ((NoteAccepted, topics.NOTES_ACCEPTED), (EntitiesExtracted, topics.ENTITIES_EXTRACTED))
    ]
    return Task("none:1", topics.NOTES_ACCEPTED, topics.ENTITIES_EXTRACTED, "bench", *ids)


def test_what_a_peer_imports_of_ours_is_on_its_path() -> None:
    import stream

    listed = subprocess.run([sys.executable, "-c", LIST], cwd=ROOT / "benchmarks", capture_output=True, text=True)
    assert listed.returncode == 0, listed.stderr
    ours = {path.parts[:2] for line in listed.stdout.splitlines() for path in [_within(Path(line))] if path is not None}
    assert {"/".join(parts) for parts in ours} == set(stream.PEER_PACKAGES)


def test_all_ways_with_the_trivial_tagger_write_the_same_events(task, registry) -> None:
    import stream
    from stream_work import NOW_MS, ColumnWork, Work

    values = _values(registry, list(stream._notes(200, (stream.TEXT, "", "fever", " pain ক"))))
    by_objects = Work(task).many(values)
    assert ColumnWork(task).many(values) == by_objects
    assert [Work(task).one(value) for value in values[:3]] == by_objects[:3]
    served = _served(registry, values, NOW_MS)
    assert [one.note_id for one in served] == [f"note-{number}" for number in range(200)]
    assert served == _events(registry, by_objects)


def test_the_usual_way_does_the_work_with_a_notebooks_model(task, registry, tmp_path) -> None:
    import stream
    from decode import NotebookWay, corpus_notes
    from stream_peer_usual import NotebookTagger
    from stream_work import Work

    notes = corpus_notes(7, 30)
    notebook = NotebookWay(notes)
    model = tmp_path / "notebook.crfsuite"
    model.write_bytes(Path(notebook.crf.modelfile.name).read_bytes())
    texts = [note.text for note in notes]
    written = Work(task, NotebookTagger(model)).many(_values(registry, list(stream._notes(len(texts), texts))))
    found = [entity for event in _events(registry, written) for entity in event.entities]
    assert {entity.label for entity in found} == {EntityLabel.DISEASE, EntityLabel.TREATMENT}
    marked = sum(len(note.spans) for note in notes)
    assert 0.5 * marked < len(found) < 1.5 * marked, "it was trained on these"


def test_the_processes_of_all_ways_lie_where_they_are_called() -> None:
    import stream
    import stream_model

    for way in (*stream.WAYS, *stream_model.WAYS):
        script, task = way.command(json.dumps({}))[1:3]
        assert Path(script).is_file(), script
        assert task == "{}"


def test_every_file_that_the_command_runs_is_there() -> None:
    from rxtract.commands import bench

    called = [node for node in ast.walk(ast.parse(inspect.getsource(bench))) if isinstance(node, ast.Call)]
    names = [
        call.args[0].value
        for call in called
        if isinstance(call.func, ast.Name) and call.func.id == "_benchmark" and isinstance(call.args[0], ast.Constant)
    ]
    assert {"decode", "stream", "stream_model"} <= set(names)
    assert [name for name in names if not (ROOT / "benchmarks" / f"{name}.py").is_file()] == []


def _values(registry: InMemoryRegistry, notes: Sequence[NoteAccepted]) -> list[bytes]:
    serialize = Serializer.for_topic(NoteAccepted, registry, topics.NOTES_ACCEPTED)
    return [serialize(note) for note in notes]


def _events(registry: InMemoryRegistry, values: Sequence[bytes]) -> list[EntitiesExtracted]:
    decode = Deserializer.for_topic(EntitiesExtracted, registry, topics.ENTITIES_EXTRACTED)
    return [decode(value) for value in values]


def _served(registry: InMemoryRegistry, values: Sequence[bytes], now_ms: int) -> list[EntitiesExtracted]:
    """What the real extractor writes, as `stream_peer_ours` puts it together."""
    from dataclasses import replace

    from extractor.bootstrap import bootstrap, codecs
    from extractor.settings import ExtractorSettings
    from runtime.kafka.records import InputRecord
    from stream_trivial import TrivialTagger

    settings = ExtractorSettings.load(bootstrap_servers="none:1", schema_registry_url="http://none")
    extractor = bootstrap(settings, tagger=TrivialTagger(), registry=registry)
    handle = extractor.handler(codecs(registry, settings))
    records = [InputRecord(topics.NOTES_ACCEPTED, 0, at, now_ms, b"k", value) for at, value in enumerate(values)]
    outputs = [*handle(records[:1]), *handle(records[1:])]
    written = [
        output.value for output in outputs if output.topic == topics.ENTITIES_EXTRACTED and output.value is not None
    ]
    return [replace(event, extracted_at=now_ms) for event in _events(registry, written)]


def _within(path: Path) -> Path | None:
    """The path below the repository, of what lies in a package of ours."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) and "src" in path.relative_to(ROOT).parts[:3] else None
