"""The schema registry, and which writer schemas it allows on a topic.

`ConfluentRegistry` speaks the Confluent API, `InMemoryRegistry` is its double for tests; one suite runs over both.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from contracts import safety
from contracts.compatibility import is_compatible
from contracts.files import OLD_NAMESPACE

UNKNOWN_FOR_S = 2.0
"""How long a refused schema id is refused without asking again."""

MAX_UNKNOWN_IDS = 10_000
"""How many refused ids are remembered, so that a stream of made-up ids costs bounded memory."""


class SchemaNotFound(LookupError):
    """The registry answered that it has no such schema or subject."""


class SchemaNotAllowed(LookupError):
    """The schema exists but the registry does not list it under the topic's subject."""


class IncompatibleSchema(ValueError):
    """The registry refused a schema because it breaks an earlier version."""


class RegistryUnavailable(ConnectionError):
    """The registry gave no usable answer. Wait and try again; nothing is known about the schema."""


class SubjectMissing(RegistryUnavailable):
    """The registry has lost the whole subject of a topic: a fault of the registry, not of the records that name its schemas. They wait."""


class OldNamespace(RuntimeError):
    """A subject holds schemas of the contract before this one, whose records cannot be read. One line that says what to do."""


class Registry(Protocol):
    """What this project needs of a schema registry. Every method may raise RegistryUnavailable."""

    def schema(self, schema_id: int) -> str:
        """Return the text of a schema. Raises SchemaNotFound."""

    def subjects_of_schema(self, schema_id: int) -> frozenset[str]:
        """Return the subjects that list a schema. Raises SchemaNotFound."""

    def ids_of_subject(self, subject: str) -> frozenset[int]:
        """Return the ids of all versions of a subject. Raises SchemaNotFound."""

    def versions_of_subject(self, subject: str) -> tuple[str, ...]:
        """Return the texts of all versions of a subject, oldest first; none when the subject does not exist."""

    def has_subject(self, subject: str) -> bool:
        """Tell whether there is such a subject, with any version."""

    def register(self, subject: str, schema: str) -> int:
        """Register a schema, or find it again, and return its id. Raises IncompatibleSchema."""

    def lookup(self, subject: str, schema: str) -> int:
        """Return the id under which a subject lists a schema, without registering. Raises SchemaNotFound."""

    def is_compatible(self, subject: str, schema: str) -> bool:
        """Tell whether the subject would take the schema as its next version."""

    def compatibility(self, subject: str) -> str | None:
        """Return the level set for a subject; None when none is set."""

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set the level of a subject, which need not exist yet."""


class ConfluentRegistry:
    """A registry behind the Confluent API, such as Apicurio's /apis/ccompat/v7.

    Args:
        url: base of the API.
        config: more settings of confluent-kafka's client, such as `basic.auth.user.info` or `ssl.ca.location`.
        timeout_s: per request; requests are not repeated here, because callers know how long they may wait.
    """

    def __init__(self, url: str, config: dict[str, Any] | None = None, timeout_s: float = 10.0) -> None:
        from confluent_kafka.schema_registry import SchemaRegistryClient

        self._client = SchemaRegistryClient({"url": url, "timeout": timeout_s, "max.retries": 0, **(config or {})})
        # Two questions for which this release of the client has no call of its own, by its own connection.
        self._api = self._client._rest_client  # noqa: SLF001

    def schema(self, schema_id: int) -> str:
        """See Registry."""
        text = _ask(lambda: self._client.get_schema(schema_id)).schema_str
        if text is None:
            raise SchemaNotFound(f"schema {schema_id} has no text")
        return str(text)

    def subjects_of_schema(self, schema_id: int) -> frozenset[str]:
        """See Registry."""
        return frozenset(_ask(lambda: self._api.get(f"schemas/ids/{schema_id}/subjects")))

    def ids_of_subject(self, subject: str) -> frozenset[int]:
        """See Registry."""
        versions = _ask(lambda: self._client.get_versions(subject))
        return frozenset(self._version(subject, version).schema_id for version in versions)

    def versions_of_subject(self, subject: str) -> tuple[str, ...]:
        """See Registry."""
        try:
            versions = _ask(lambda: self._client.get_versions(subject))
        except SchemaNotFound:
            return ()
        return tuple(str(self._version(subject, version).schema.schema_str) for version in sorted(versions))

    def has_subject(self, subject: str) -> bool:
        """See Registry."""
        try:
            return bool(_ask(lambda: self._client.get_versions(subject)))
        except SchemaNotFound:
            return False

    def _version(self, subject: str, version: int) -> Any:
        return _ask(lambda: self._client.get_version(subject, version))

    def register(self, subject: str, schema: str) -> int:
        """See Registry."""
        self._forget()
        return int(_ask(lambda: self._client.register_schema(subject, _avro(schema))))

    def lookup(self, subject: str, schema: str) -> int:
        """See Registry."""
        self._forget()
        return int(_ask(lambda: self._client.lookup_schema(subject, _avro(schema))).schema_id)

    def _forget(self) -> None:
        """Drop the client's cache: an id in it may be one that the registry has lost since."""
        clear: Callable[[], None] = self._client.clear_caches
        clear()

    def is_compatible(self, subject: str, schema: str) -> bool:
        """See Registry."""
        path = f"compatibility/subjects/{quote(subject, safe='')}/versions"
        try:
            return bool(_ask(lambda: self._api.post(path, body=_avro(schema).to_dict()))["is_compatible"])
        except SchemaNotFound:
            return True  # no version, nothing to break

    def compatibility(self, subject: str) -> str | None:
        """See Registry."""
        try:
            level = _ask(lambda: self._client.get_compatibility(subject))
        except SchemaNotFound:
            return None
        return None if level in {None, "NONE"} else str(level)

    def set_compatibility(self, subject: str, level: str) -> None:
        """See Registry."""
        _ask(lambda: self._client.set_compatibility(subject, level))


def _avro(schema: str) -> Any:
    from confluent_kafka.schema_registry import Schema

    return Schema(schema, "AVRO")


def _ask(question: Callable[[], Any]) -> Any:
    """Call the client and translate what it raises."""
    from confluent_kafka.schema_registry.error import SchemaRegistryError

    try:
        return question()
    except SchemaRegistryError as error:
        raise _translated(error.http_status_code, error.error_code) from None
    except (AttributeError, TypeError, NameError):
        raise  # a mistake of ours, which no waiting mends
    except Exception as error:
        # The client lets the errors of its HTTP library through, and that library has changed its name before.
        raise RegistryUnavailable(f"the schema registry cannot be reached ({type(error).__name__})") from error


def _translated(status: int, code: object) -> Exception:
    names_what_is_missing = isinstance(code, int) and code // 100 == 404
    if status == 404 and not names_what_is_missing:
        # Every path that is none answers 404 too: it must not be taken for a schema that nobody has registered.
        return RegistryUnavailable(
            "there is no schema registry at this address (HTTP 404): it needs the path of its Confluent API, such as /apis/ccompat/v7"
        )
    if status == 404:
        return SchemaNotFound("the schema registry has no such schema or subject")
    if status in {409, 422}:
        return IncompatibleSchema(f"the schema registry refused the schema (HTTP {status})")
    return RegistryUnavailable(f"the schema registry answered HTTP {status}")


class InMemoryRegistry:
    """A registry in memory for tests: ids from 1, the same answers as the real one, faults on demand.

    Set `down` to make every call raise RegistryUnavailable; `calls` counts them.
    """

    def __init__(self) -> None:
        self.down = False
        self.calls = 0
        self._ids: dict[str, int] = {}
        self._subjects: dict[str, list[int]] = {}
        self._levels: dict[str, str] = {}

    def _called(self) -> None:
        self.calls += 1
        if self.down:
            raise RegistryUnavailable("the schema registry is down")

    def schema(self, schema_id: int) -> str:
        """See Registry."""
        self._called()
        for text, known in self._ids.items():
            if known == schema_id:
                return text
        raise SchemaNotFound(f"no schema {schema_id}")

    def subjects_of_schema(self, schema_id: int) -> frozenset[str]:
        """See Registry."""
        self._called()
        if schema_id not in self._ids.values():
            raise SchemaNotFound(f"no schema {schema_id}")
        return frozenset(subject for subject, ids in self._subjects.items() if schema_id in ids)

    def ids_of_subject(self, subject: str) -> frozenset[int]:
        """See Registry."""
        self._called()
        if subject not in self._subjects:
            raise SchemaNotFound(f"no subject {subject}")
        return frozenset(self._subjects[subject])

    def versions_of_subject(self, subject: str) -> tuple[str, ...]:
        """See Registry."""
        self._called()
        texts = {schema_id: text for text, schema_id in self._ids.items()}
        return tuple(texts[schema_id] for schema_id in self._subjects.get(subject, ()))

    def has_subject(self, subject: str) -> bool:
        """See Registry."""
        self._called()
        return bool(self._subjects.get(subject))

    def delete_subject(self, subject: str) -> None:
        """Lose a subject, as a registry's operator can."""
        self._subjects.pop(subject, None)

    def register(self, subject: str, schema: str) -> int:
        """See Registry."""
        if not self.is_compatible(subject, schema):
            raise IncompatibleSchema(f"{subject} refuses the schema")
        text = _canonical(schema)
        schema_id = self._ids.setdefault(text, len(self._ids) + 1)
        ids = self._subjects.setdefault(subject, [])
        if schema_id not in ids:
            ids.append(schema_id)
        return schema_id

    def lookup(self, subject: str, schema: str) -> int:
        """See Registry."""
        self._called()
        schema_id = self._ids.get(_canonical(schema))
        if schema_id is None or schema_id not in self._subjects.get(subject, ()):
            raise SchemaNotFound(f"{subject} does not list the schema")
        return schema_id

    def is_compatible(self, subject: str, schema: str) -> bool:
        """See Registry."""
        level = self._levels.get(subject, "NONE")
        return is_compatible(schema, self.versions_of_subject(subject), level)

    def compatibility(self, subject: str) -> str | None:
        """See Registry."""
        self._called()
        return self._levels.get(subject)

    def set_compatibility(self, subject: str, level: str) -> None:
        """See Registry."""
        self._called()
        self._levels[subject] = level


def refuse_old_namespace(registry: Registry, subject: str) -> None:
    """Raise OldNamespace when a subject holds a schema of the old namespace: its topic holds records of it."""
    for text in registry.versions_of_subject(subject):
        if json.loads(text).get("namespace") == OLD_NAMESPACE:
            raise OldNamespace(
                f"{subject} holds schemas of the old namespace {OLD_NAMESPACE}, whose records this release cannot read: "
                "use an empty cluster and registry, or set another RXTRACT_TOPIC_PREFIX"
            )


def _canonical(schema: str) -> str:
    return json.dumps(json.loads(schema), sort_keys=True)


@dataclass(frozen=True, slots=True)
class WriterSchema:
    """A schema that the registry allows on a topic: as text, and as plain data without logical types."""

    text: str
    schema: dict[str, Any]


class WriterSchemas:
    """The writer schemas that the registry allows on one topic.

    An id is allowed when the registry lists it under the subject, whether or not this repository knows the schema. So a
    producer may move to a new version while older consumers run. An allowed id is remembered for the life of the process.

    Args:
        registry: where schemas are asked for.
        subject: the topic's subject, see `contracts.topics.subject_of`.
        clock: seconds that only rise.
    """

    def __init__(self, registry: Registry, subject: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._subject = subject
        self._clock = clock
        self._allowed: dict[int, WriterSchema] = {}
        self._refused_until: OrderedDict[int, tuple[float, type[Exception]]] = OrderedDict()

    def parsed(self, schema_id: int) -> WriterSchema:
        """Return an allowed schema.

        Raises:
            SchemaNotFound: the registry has no such schema.
            SchemaNotAllowed: it has, but not under this subject.
            UnsafeSchemaError: it is under this subject, but reading it could exhaust memory or the stack.
            RegistryUnavailable: the registry gave no usable answer.
            SubjectMissing: it answers, but has lost the subject: nothing is known about the schema.
        """
        known = self._allowed.get(schema_id)
        if known is not None:
            return known
        self._raise_if_just_refused(schema_id)
        try:
            allowed = self._ask(schema_id)
        except (SchemaNotFound, SchemaNotAllowed) as error:
            if not self._registry.has_subject(self._subject):
                raise SubjectMissing(
                    f"the schema registry has no subject {self._subject}: run `rxtract schemas apply`, then register the "
                    "producers' own versions again; nothing is refused meanwhile"
                ) from None
            self._refuse(schema_id, type(error))
            raise
        except safety.UnsafeSchemaError as error:
            self._refuse(schema_id, type(error))
            raise
        self._allowed[schema_id] = allowed
        return allowed

    def _ask(self, schema_id: int) -> WriterSchema:
        if self._subject not in self._registry.subjects_of_schema(schema_id):
            raise SchemaNotAllowed(f"schema {schema_id} is not listed under {self._subject}")
        text = self._registry.schema(schema_id)
        return WriterSchema(text, safety.checked(text))

    def _raise_if_just_refused(self, schema_id: int) -> None:
        until, kind = self._refused_until.get(schema_id, (0.0, SchemaNotFound))
        if self._clock() < until:
            raise kind(f"schema {schema_id} was refused for {self._subject} a moment ago")

    def _refuse(self, schema_id: int, kind: type[Exception]) -> None:
        self._refused_until.pop(schema_id, None)
        self._refused_until[schema_id] = (self._clock() + UNKNOWN_FOR_S, kind)
        if len(self._refused_until) > MAX_UNKNOWN_IDS:
            self._refused_until.popitem(last=False)
