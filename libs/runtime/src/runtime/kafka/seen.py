"""A record as people look at it: where it lay, and its value decoded, or why it cannot be."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts import records
from contracts.record import Record
from contracts.registry import Registry
from contracts.topics import DLQ_SUFFIX, load_topics
from contracts.wire import Deserializer, WireError

from runtime.kafka.records import InputRecord

Decode = Callable[[bytes | None], Any]
NO_RECORD_TYPE = "NO_RECORD_TYPE"
"""The problem of a record whose topic is none of the contract's."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One record of a topic. `record` is None and `problem` a reason code where the value cannot be decoded."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    record: Any
    problem: str

    def header(self, name: str) -> str:
        """Return the last header of that name as text, or an empty string."""
        found = [value for key, value in self.headers if key == name]
        return (found[-1] or b"").decode(errors="replace") if found else ""

    def json(self) -> dict[str, Any] | None:
        """Return the fields of a note that came by HTTP and was refused; None for anything else."""
        if self.header("content-type") != "application/json":
            return None
        try:
            fields = json.loads(self.value or b"")
        except (ValueError, RecursionError):
            return None
        return fields if isinstance(fields, dict) else None

    def fields(self) -> dict[str, Any] | None:
        """Return its fields as JSON has them, whatever they lie as; None where it is no whole record."""
        return self.json() if self.record is None else dict(json.loads(self.record.to_json()))


def record_type(topic: str) -> type[Record] | None:
    """Return the class of a topic's records by the topic's plain name; None for a topic that is not ours."""
    known = load_topics().get(topic)
    return getattr(records, known.record) if known and known.record else None


class Decoders:
    """Decodes records of any topic; a dead letter as a record of the topic that it was refused from.

    Args:
        registry: Asked once for each schema.
        prefix: Of this cluster's topics.
        value_of: The bytes of a record or letter, opened where they lie sealed whole; raises WireError.
        through: What stands behind the reader of a record's class: opens texts that are sealed.
    """

    def __init__(
        self,
        registry: Registry,
        prefix: str,
        value_of: Callable[[InputRecord], bytes | None] = lambda message: message.value,
        through: Callable[[Decode, type[Record]], Decode] = lambda decode, _record: decode,
    ) -> None:
        self._registry = registry
        self._prefix = prefix
        self._value_of = value_of
        self._through = through
        self._decoders: dict[str, Decode | None] = {}

    def seen(self, message: InputRecord) -> Seen:
        """Look at a record.

        Raises:
            RegistryUnavailable: The registry is away.
        """
        try:
            value = self._value_of(message)
        except WireError as error:
            return Seen(*message, None, str(error.reason))
        return Seen(*message._replace(value=value), *self._decoded(message.topic, value))

    def _decoded(self, topic: str, value: bytes | None) -> tuple[Any, str]:
        decoder = self._decoder(topic.removesuffix(DLQ_SUFFIX))
        if decoder is None:
            return None, NO_RECORD_TYPE
        try:
            return decoder(value), ""
        except WireError as error:
            return None, str(error.reason)

    def _decoder(self, topic: str) -> Decode | None:
        if topic not in self._decoders:
            record = record_type(topic.removeprefix(self._prefix))
            plain = Deserializer.for_topic(record, self._registry, topic) if record else None
            self._decoders[topic] = self._through(plain, record) if record and plain else None
        return self._decoders[topic]
