"""The topics of the contract, read from schemas/topics."""

from dataclasses import dataclass
from typing import Any

from contracts import files

ACCESS_LOGGED = "access.logged.v1"
NOTES_SUBMITTED = "notes.submitted.v1"
NOTES_ACCEPTED = "notes.accepted.v1"
ENTITIES_EXTRACTED = "entities.extracted.v1"
ENTITIES_CODED = "entities.coded.v1"
RECORDS_FHIR = "records.fhir.v1"
STATISTICS_OBSERVED = "statistics.observed.v1"
REVIEW_REQUESTED = "review.requested.v1"
ANNOTATIONS_VALIDATED = "annotations.validated.v1"
ANNOTATORS_JUDGED = "annotators.judged.v1"
DRIFT_DETECTED = "drift.detected.v1"
DRIFT_STATE = "drift.state.v1"
DRIFT_WORDS = "drift.words.v1"
DESK_CHANGED = "desk.changed.v1"
QUALITY_MEASURED = "quality.measured.v1"
MODEL_COMMANDS = "model.commands.v1"
MODEL_EVENTS = "model.events.v1"
WEBHOOK_DELIVERIES = "webhook.deliveries.v1"

CODECS = {"none": "uncompressed", "gzip": "gzip", "lz4": "lz4", "as-sent": "producer"}
"""How the broker keeps a topic's batches, by our name of the codec: the broker's own name (`compression.type`)."""

DLQ_SUFFIX = ".dlq"
DLQ_CODEC = "lz4"
DLQ_RETENTION_MS = 14 * 24 * 3600 * 1000
DLQ_RETENTION_BYTES = 2 * 1024**3
"""Of its one partition: whoever sends what is refused fills no broker's disk. The oldest letters go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What a topic is for and how it is kept.

    `retention_ms` is -1 for ever. `public` records are a promise to other teams; `restricted` ones are for the named
    consumers alone. `followers` read it beside their work, without a group and without dead letters: what was said already, or
    live notes to try a challenger on. `max_message_bytes` is what the broker takes, which may exceed what a valid record has.
    `codec` is one of `CODECS`: the broker keeps batches so, whatever their producer chose. What other teams read is not
    compressed, because a client in plain JavaScript has no LZ4. What others write stays as they sent it: a broker that
    packs anew must first unpack, without a bound.
    """

    name: str
    purpose: str
    owner: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    followers: tuple[str, ...] = ()
    key: str
    record: str | None
    public: bool
    restricted: bool
    compatibility: str
    partitions: int
    cleanup_policy: str
    retention_ms: int
    max_message_bytes: int
    codec: str
    dlq: bool

    @property
    def readers(self) -> str:
        """Return who reads it, for a page."""
        return "; followed by ".join(", ".join(names) for names in (self.consumers, self.followers) if names)

    @property
    def subject(self) -> str:
        """Return the registry's subject of the topic's values."""
        return subject_of(self.name)


def load_topics() -> dict[str, Topic]:
    """Return all topics of the contract by name, sorted. Dead-letter topics are not listed: see `dlq_of`.

    Raises:
        ValueError: a topic's codec is none of `CODECS`.
        TypeError: a topic file misses a field or has one too many; the message names the field.
    """
    topics = [_topic(files.read_topic(path)) for path in files.topic_files()]
    return {topic.name: topic for topic in sorted(topics, key=lambda topic: topic.name)}


def _topic(content: dict[str, Any]) -> Topic:
    people = {name: tuple(content.get(name, ())) for name in ("producers", "consumers", "followers")}
    topic = Topic(**{**content, **people})
    if topic.codec not in CODECS:
        raise ValueError(f"{topic.name}: the codec is {topic.codec}: use one of {', '.join(CODECS)}")
    return topic


def dlq_of(topic: str) -> str:
    """Return the name of a topic's dead-letter topic."""
    return topic + DLQ_SUFFIX


def subject_of(topic: str) -> str:
    """Return the registry's subject of a topic's values (TopicNameStrategy)."""
    return f"{topic}-value"


def prefixed(prefix: str, name: str) -> str:
    """Return a topic's full name in a cluster that is shared under a prefix; an empty prefix changes nothing."""
    return f"{prefix}{name}"
