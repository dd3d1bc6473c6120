"""One suite over the registry in memory and the real one: what the contract asks of a registry."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from contracts import files
from contracts.registry import (
    ConfluentRegistry,
    IncompatibleSchema,
    InMemoryRegistry,
    Registry,
    RegistryUnavailable,
    SchemaNotAllowed,
    SchemaNotFound,
    SubjectMissing,
    WriterSchemas,
)
from contracts.safety import UnsafeSchemaError

pytestmark = pytest.mark.timeout(120)


def schema(*fields: dict[str, Any], name: str = "Probe") -> str:
    return json.dumps({"type": "record", "name": name, "namespace": files.NAMESPACE, "fields": list(fields)})


A = {"name": "a", "type": "string"}
B_OPTIONAL = {"name": "b", "type": ["null", "string"], "default": None}
B_REQUIRED = {"name": "b", "type": "string"}


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.stack)])
def registry(request: pytest.FixtureRequest) -> Registry:
    if request.param == "memory":
        return InMemoryRegistry()
    return ConfluentRegistry(request.getfixturevalue("stack").addresses.schema_registry_url)


@pytest.fixture
def subject(topic_prefix: str) -> str:
    return f"{topic_prefix}probe.v1-value"


def test_a_schema_is_registered_once_and_found_again(registry: Registry, subject: str) -> None:
    schema_id = registry.register(subject, schema(A))
    assert registry.register(subject, schema(A)) == schema_id
    assert registry.lookup(subject, schema(A)) == schema_id
    assert json.loads(registry.schema(schema_id))["fields"] == [A]
    assert registry.ids_of_subject(subject) == {schema_id}
    assert subject in registry.subjects_of_schema(schema_id)


def test_versions_are_kept_in_order(registry: Registry, subject: str) -> None:
    registry.set_compatibility(subject, "FULL_TRANSITIVE")
    first = registry.register(subject, schema(A))
    second = registry.register(subject, schema(A, B_OPTIONAL))
    assert first != second
    assert registry.ids_of_subject(subject) == {first, second}
    assert [len(json.loads(text)["fields"]) for text in registry.versions_of_subject(subject)] == [1, 2]


def test_what_does_not_exist_is_not_found(registry: Registry, subject: str) -> None:
    for question in (
        lambda: registry.schema(2_000_000_000),
        lambda: registry.subjects_of_schema(2_000_000_000),
        lambda: registry.ids_of_subject(subject),
        lambda: registry.lookup(subject, schema(A)),
    ):
        with pytest.raises(SchemaNotFound):
            question()
    assert registry.versions_of_subject(subject) == ()
    assert registry.compatibility(subject) is None
    assert registry.is_compatible(subject, schema(A))


def test_an_incompatible_schema_is_refused_and_nothing_changes(registry: Registry, subject: str) -> None:
    registry.set_compatibility(subject, "FULL_TRANSITIVE")
    schema_id = registry.register(subject, schema(A))
    assert registry.compatibility(subject) == "FULL_TRANSITIVE"
    assert registry.is_compatible(subject, schema(A, B_OPTIONAL))
    assert not registry.is_compatible(subject, schema(A, B_REQUIRED))
    with pytest.raises(IncompatibleSchema):
        registry.register(subject, schema(A, B_REQUIRED))
    assert registry.ids_of_subject(subject) == {schema_id}


def test_every_earlier_version_counts(registry: Registry, subject: str) -> None:
    """b as text, then without b, then b as a number: only the first version objects to the third."""
    registry.set_compatibility(subject, "FULL_TRANSITIVE")
    registry.register(subject, schema(A, B_OPTIONAL))
    registry.register(subject, schema(A))
    with pytest.raises(IncompatibleSchema):
        registry.register(subject, schema(A, {"name": "b", "type": ["null", "long"], "default": None}))


def test_writer_schemas_are_those_of_the_subject(registry: Registry, subject: str) -> None:
    writers = WriterSchemas(registry, subject)
    mine = registry.register(subject, schema(A))
    other = registry.register(f"{subject}-other", schema(A, name="Other"))
    with pytest.raises(SchemaNotAllowed):
        writers.parsed(other)
    with pytest.raises(SchemaNotFound):
        writers.parsed(2_000_000_000)
    assert writers.parsed(mine).schema["name"] == "Probe"


def test_of_a_subject_that_is_gone_nothing_is_refused(registry: Registry, subject: str) -> None:
    other = registry.register(f"{subject}-other", schema(A))
    writers = WriterSchemas(registry, subject)
    for schema_id in (other, 2_000_000_000):
        with pytest.raises(SubjectMissing):
            writers.parsed(schema_id)
    mine = registry.register(subject, schema(A, B_OPTIONAL))
    assert len(writers.parsed(mine).schema["fields"]) == 2


def test_a_schema_shared_by_two_subjects_is_allowed_in_both(registry: Registry, subject: str) -> None:
    one = registry.register(subject, schema(A))
    two = registry.register(f"{subject}-twin", schema(A))
    assert WriterSchemas(registry, subject).parsed(one).schema["fields"] == [A]
    assert WriterSchemas(registry, f"{subject}-twin").parsed(two).schema["fields"] == [A]


def test_a_version_registered_later_is_allowed_at_once(registry: Registry, subject: str) -> None:
    registry.register(subject, schema(A))
    writers = WriterSchemas(registry, subject)
    later = registry.register(subject, schema(A, B_OPTIONAL))
    assert len(writers.parsed(later).schema["fields"]) == 2


def test_a_dangerous_schema_is_not_read_even_if_registered(registry: Registry, subject: str) -> None:
    schema_id = registry.register(subject, schema({"name": "n", "type": {"type": "array", "items": "null"}}))
    with pytest.raises(UnsafeSchemaError):
        WriterSchemas(registry, subject).parsed(schema_id)


@pytest.mark.parametrize(
    "question",
    [
        lambda registry: registry.schema(1),
        lambda registry: registry.register("s", schema(A)),
        lambda registry: registry.versions_of_subject("s"),
        lambda registry: WriterSchemas(registry, "s").parsed(1),
    ],
)
def test_a_registry_that_does_not_answer_is_unavailable(question: Callable[[Registry], object]) -> None:
    closed = ConfluentRegistry("http://127.0.0.1:9", timeout_s=2)
    down = InMemoryRegistry()
    down.down = True
    for registry in (closed, down):
        with pytest.raises(RegistryUnavailable):
            question(registry)


def test_server_faults_are_not_taken_for_an_unknown_schema(answering: Callable[[int], str]) -> None:
    for status in (500, 502, 503, 429, 401):
        with pytest.raises(RegistryUnavailable, match=str(status)):
            ConfluentRegistry(answering(status)).schema(1)
    with pytest.raises(SchemaNotFound):
        ConfluentRegistry(answering(404)).schema(1)


def test_refusals_are_remembered_for_a_moment_only() -> None:
    registry, now = InMemoryRegistry(), [0.0]
    registry.register("s", schema(A))
    writers = WriterSchemas(registry, "s", clock=lambda: now[0])
    before = registry.calls
    for _ in range(100):
        with pytest.raises(SchemaNotFound):
            writers.parsed(2)
    assert registry.calls == before + 2  # for the schema, and for the subject, which may be gone
    assert registry.register("s", schema(A, B_OPTIONAL)) == 2
    now[0] += 60
    assert len(writers.parsed(2).schema["fields"]) == 2
    before = registry.calls
    writers.parsed(2)
    assert registry.calls == before


def test_made_up_ids_cost_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.registry.MAX_UNKNOWN_IDS", 100)
    registry = InMemoryRegistry()
    registry.register("s", schema(A))
    writers = WriterSchemas(registry, "s")
    for schema_id in range(1_000, 2_000):
        with pytest.raises(SchemaNotFound):
            writers.parsed(schema_id)
    assert len(writers._refused_until) == 100


@pytest.mark.parametrize(
    "body", [b"<html>no such place</html>", b"", b"{}", b'{"error_code": 404}', b'{"error_code": "x"}', b"[]"]
)
def test_an_address_that_is_no_registry_is_not_taken_for_a_missing_schema(
    answering: Callable[..., str], body: bytes
) -> None:
    """Whoever forgets the path of the API would be told to register schemas, and notes would be dead-lettered."""
    registry = ConfluentRegistry(answering(404, body))
    for question in (
        lambda: registry.schema(1),
        lambda: registry.versions_of_subject("x"),
        lambda: registry.compatibility("x"),
    ):
        with pytest.raises(RegistryUnavailable, match=r"no schema registry at this address.*/apis/ccompat/v7"):
            question()
