"""Makes a cluster and a registry agree with schemas/: creates what is missing, changes what differs, deletes nothing.

Everything here may be run again at any time; a second run changes nothing and returns no change.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts import compatibility, files
from contracts.registry import IncompatibleSchema, Registry, SchemaNotFound, refuse_old_namespace
from contracts.topic_plan import TopicPlan
from contracts.topics import (
    CODECS,
    DLQ_CODEC,
    DLQ_RETENTION_BYTES,
    DLQ_RETENTION_MS,
    NOTES_SUBMITTED,
    Topic,
    dlq_of,
    load_topics,
    prefixed,
    subject_of,
)

if TYPE_CHECKING:
    from contracts.cluster import Cluster

DLQ_HEADROOM_BYTES = 64 * 1024
"""What the headers of a dead letter may add to a record that was as large as its topic allows."""
SHORT_RETENTION_MS = {NOTES_SUBMITTED: 24 * 3_600_000}
"""Topics that hold texts in clear because others write them: kept so long where texts are sealed. An ingestor that is down for longer loses notes."""
_SEGMENT_MS = 3_600_000
"""The broker deletes whole segments: an hour at most lies beyond the retention."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed: what was done, to what, and the new value in words."""

    action: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the contract says. `breaking` is false when applying the contract mends it."""

    subject: str
    problem: str
    breaking: bool


def topic_plans(
    topics: Iterable[Topic], prefix: str, min_insync_replicas: int, *, sealing: bool = False
) -> list[TopicPlan]:
    """Return how the topics shall be in the cluster, dead-letter topics included; where texts are sealed, those in clear have a short life."""
    plans = []
    for topic in topics:
        name = prefixed(prefix, topic.name)
        base = {"min.insync.replicas": str(min_insync_replicas)}
        config = {
            "cleanup.policy": topic.cleanup_policy,
            "retention.ms": str(topic.retention_ms),
            "max.message.bytes": str(topic.max_message_bytes),
            "compression.type": CODECS[topic.codec],
        }
        if sealing and topic.name in SHORT_RETENTION_MS:
            config |= {"retention.ms": str(SHORT_RETENTION_MS[topic.name]), "segment.ms": str(_SEGMENT_MS)}
        plans.append(TopicPlan(name, topic.partitions, base | config))
        if topic.dlq:
            dead = {
                "cleanup.policy": "delete",
                "retention.ms": str(DLQ_RETENTION_MS),
                "retention.bytes": str(DLQ_RETENTION_BYTES),
                "max.message.bytes": str(topic.max_message_bytes + DLQ_HEADROOM_BYTES),
                "compression.type": CODECS[DLQ_CODEC],
            }
            plans.append(TopicPlan(dlq_of(name), 1, base | dead))
    return plans


def apply_topics(
    admin_config: Mapping[str, Any],
    topics: Mapping[str, Topic] | Iterable[Topic],
    prefix: str = "",
    replication: int | None = None,
    *,
    sealing: bool = False,
) -> list[Change]:
    """Create topics, raise partition counts, set their configuration. Never lowers a partition count.

    Args:
        admin_config: settings of librdkafka, at least `bootstrap.servers`.
        topics: what `load_topics` returns, or some of it.
        prefix: goes before every name.
        replication: copies of each partition; 3, or as many as there are brokers, when not given.
        sealing: whether texts are sealed in this cluster; see `SHORT_RETENTION_MS`.

    Raises:
        ClusterError: the cluster cannot be reached or refuses.
    """
    from contracts.cluster import Cluster

    cluster = Cluster(admin_config)
    copies = replication or min(3, cluster.broker_count())
    listed = topics.values() if isinstance(topics, Mapping) else topics
    plans = topic_plans(listed, prefix, max(1, copies - 1), sealing=sealing)
    existing = cluster.partition_counts()
    missing = [plan for plan in plans if plan.name not in existing]
    created = cluster.create(missing, copies)
    # A topic that somebody else creates at this moment is not missing after all.
    existing = cluster.wait_for({plan.name: 1 for plan in plans}) if missing else existing
    present = [plan for plan in plans if plan.name not in created]
    changes = [
        Change("created", plan.name, f"{plan.partitions} partitions, {copies} copies")
        for plan in missing
        if plan.name in created
    ]
    return [*changes, *_grow(cluster, present, existing), *_configure(cluster, present)]


def _grow(cluster: "Cluster", plans: list[TopicPlan], existing: Mapping[str, int]) -> Iterator[Change]:
    for plan in plans:
        if existing[plan.name] < plan.partitions:
            cluster.grow(plan.name, plan.partitions)
            cluster.wait_for({plan.name: plan.partitions})
            yield Change("grown", plan.name, f"{existing[plan.name]} to {plan.partitions} partitions")


def _configure(cluster: "Cluster", plans: list[TopicPlan]) -> Iterator[Change]:
    current = cluster.configs([plan.name for plan in plans])
    for plan in plans:
        wrong = {key: value for key, value in plan.config.items() if current[plan.name].get(key) != value}
        if wrong:
            cluster.configure(plan.name, wrong)
            yield Change("configured", plan.name, ", ".join(f"{key}={value}" for key, value in sorted(wrong.items())))


def apply_schemas(registry: Registry, prefix: str = "", topics: Mapping[str, Topic] | None = None) -> list[Change]:
    """Set each subject's compatibility level, then register its schema.

    Args:
        registry: where the schemas go.
        prefix: goes before every topic's name.
        topics: those whose schemas are wanted; all of `load_topics` when not given.

    Raises:
        OldNamespace: a subject holds schemas of the old namespace; nothing was changed.
        IncompatibleSchema: a schema breaks an earlier version; names the subject. Earlier subjects stay applied.
        RegistryUnavailable: the registry gave no usable answer.
    """
    for subject, _ in _subjects(prefix, topics):
        refuse_old_namespace(registry, subject)
    changes = []
    for subject, topic in _subjects(prefix, topics):
        if registry.compatibility(subject) != topic.compatibility:
            registry.set_compatibility(subject, topic.compatibility)
            changes.append(Change("level set", subject, topic.compatibility))
        known = _ids(registry, subject)
        try:
            schema_id = registry.register(subject, files.schema_text(str(topic.record)))
        except IncompatibleSchema:
            raise IncompatibleSchema(
                f"{subject}: {topic.record}.avsc breaks an earlier version; `rxtract schemas check` says what"
            ) from None
        if schema_id not in known:
            changes.append(Change("registered", subject, f"{topic.record} has id {schema_id}"))
    return changes


def check_schemas(registry: Registry, prefix: str = "") -> list[Finding]:
    """Judge every schema against all that the registry holds, changing nothing; no finding when all is as it should be.

    Raises:
        OldNamespace: a subject holds schemas of the old namespace.
    """
    refuse_old_contract(registry, prefix)
    findings = []
    for subject, topic in _subjects(prefix):
        text = files.schema_text(str(topic.record))
        if registry.compatibility(subject) != topic.compatibility:
            findings.append(Finding(subject, f"the level is not {topic.compatibility}", breaking=False))
        broken = compatibility.incompatibilities(text, registry.versions_of_subject(subject), topic.compatibility)
        findings += [Finding(subject, line, breaking=True) for line in broken]
        if not broken and not registry.is_compatible(subject, text):
            findings.append(Finding(subject, "the registry would refuse the schema", breaking=True))
        elif not broken and not _listed(registry, subject, text):
            findings.append(Finding(subject, "the schema is not registered yet", breaking=False))
    return findings


def refuse_old_contract(registry: Registry, prefix: str = "") -> None:
    """Raise OldNamespace when a subject of the contract holds a schema of the old namespace."""
    for subject, _ in _subjects(prefix):
        refuse_old_namespace(registry, subject)


def check_history() -> list[Finding]:
    """Judge every schema against all its earlier versions in schemas/history, without a registry."""
    findings = []
    for subject, topic in _subjects(""):
        record = str(topic.record)
        earlier = [path.read_text(encoding="utf-8") for path in files.history_files(record)]
        broken = compatibility.incompatibilities(files.schema_text(record), earlier, topic.compatibility)
        findings += [Finding(subject, line, breaking=True) for line in broken]
    return findings


def _subjects(prefix: str, topics: Mapping[str, Topic] | None = None) -> list[tuple[str, Topic]]:
    wanted = load_topics() if topics is None else topics
    return [(subject_of(prefixed(prefix, topic.name)), topic) for topic in wanted.values() if topic.record]


def _ids(registry: Registry, subject: str) -> frozenset[int]:
    try:
        return registry.ids_of_subject(subject)
    except SchemaNotFound:
        return frozenset()


def _listed(registry: Registry, subject: str, text: str) -> bool:
    try:
        registry.lookup(subject, text)
    except SchemaNotFound:
        return False
    return True
