"""What `rxtract doctor` looks at beside this machine: the servers that the variables name, and whether they hold the contract."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedded_stack import probes
from embedded_stack.checks import Finding, Status
from runtime.service.known_variables import unknown_variables
from runtime.service.secret_files import is_token_hash

from rxtract.errors import UserError
from rxtract.kafka import client_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from contracts.topics import Topic

    from rxtract.addresses import StackAddresses

GROUPED = ("drift-watcher", "enricher", "extractor", "ingestor", "trainer")
"""The services that read with a group, which is named after them; the others know their own places."""
TOKENS_FILES = ("RXTRACT_HTTP_TOKENS_FILE", "RXTRACT_DESK_TOKENS_FILE", "RXTRACT_SCORE_TOKENS_FILE")
MUCH_LAG = 1_000
_TIMEOUT_S = 10.0


def examine_deployment(addresses: StackAddresses, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at variables, servers that they name, topics, groups, subjects and token files. Nothing where nothing is given."""
    for unknown in unknown_variables(environ=environ):
        yield Finding("variables", Status.PROBLEM, str(unknown), "correct or remove it: nobody reads it")
    yield from _servers(addresses, environ)
    if addresses.bootstrap_servers:
        yield from check_kafka(addresses, environ.get("RXTRACT_GROUP_PREFIX", ""))
    if addresses.schema_registry_url:
        yield from check_subjects(addresses)
    for variable in TOKENS_FILES:
        if environ.get(variable):
            yield check_tokens(variable, Path(environ[variable]))


def _servers(addresses: StackAddresses, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Those that a variable names; what stack.json names is asked with the stack, Kafka and the registry further down."""
    asks: dict[str, Callable[[str], bool]] = {
        "redis_url": probes.redis_answers,
        "mlflow_url": lambda url: probes.http_ok(f"{url.rstrip('/')}/health"),
        "ingest_url": probes.http_answers,
        "desk_url": probes.http_answers,
        "score_url": probes.http_answers,
        "ledger_url": probes.http_answers,
    }
    for name, answers in asks.items():
        variable = f"RXTRACT_{name.upper()}"
        if environ.get(variable):
            url = str(getattr(addresses, name))
            good = answers(url)
            remedy = "" if good else f"is it up, and is {variable} right?"
            yield Finding(
                name.removesuffix("_url"),
                Status.OK if good else Status.PROBLEM,
                f"{'answers' if good else 'no answer'} at {_without_login(url)}",
                remedy,
            )


def _without_login(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def check_kafka(addresses: StackAddresses, group_prefix: str) -> Iterator[Finding]:
    """The broker, then the contract's topics and the groups that read them."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    where = addresses.bootstrap_servers
    try:
        config = {**client_config(addresses, "rxtract-doctor"), "log_level": 0}
        admin = AdminClient(config)
        counts = {name: len(one.partitions) for name, one in admin.list_topics(timeout=_TIMEOUT_S).topics.items()}
    except UserError as error:
        message, _, remedy = str(error).partition(": ")
        yield Finding("kafka", Status.PROBLEM, message, remedy)
        return
    except KafkaException:
        remedy = "is it up, and do RXTRACT_BOOTSTRAP_SERVERS and RXTRACT_SECURITY_PROTOCOL fit it?"
        yield Finding("kafka", Status.PROBLEM, f"no answer at {where}", remedy)
        return
    yield Finding("kafka", Status.OK, f"answers at {where}")
    yield from check_topics(counts, addresses.topic_prefix)
    yield from _groups(admin, config, addresses.topic_prefix, group_prefix)


def check_topics(counts: Mapping[str, int], prefix: str) -> Iterator[Finding]:
    """Whether every topic of the contract is there, with as many partitions or more.

    Args:
        counts: Partitions of every topic of the cluster.
        prefix: Before every name.
    """
    from contracts.topics import dlq_of, load_topics, prefixed

    wanted = {prefixed(prefix, topic.name): topic.partitions for topic in load_topics().values()}
    wanted |= {dlq_of(prefixed(prefix, topic.name)): 1 for topic in load_topics().values() if topic.dlq}
    remedy = "run `rxtract topics apply`"
    wrong = False
    for name, partitions in sorted(wanted.items()):
        if name not in counts:
            wrong = True
            yield Finding("topics", Status.PROBLEM, f"{name} is missing", remedy)
        elif counts[name] < partitions:
            wrong = True
            yield Finding(
                "topics",
                Status.PROBLEM,
                f"{name} has {counts[name]} partitions, the contract says {partitions}",
                remedy,
            )
    if not wrong:
        yield Finding("topics", Status.OK, f"all {len(wanted)} are there with their partitions")


def _groups(admin: Any, config: Mapping[str, Any], topic_prefix: str, group_prefix: str) -> Iterator[Finding]:
    from contracts.topics import load_topics, prefixed

    for service in GROUPED:
        group = f"{group_prefix}rxtract-{service}"
        read = [prefixed(topic_prefix, topic.name) for topic in load_topics().values() if service in topic.consumers]
        yield group_finding(group, service, _members(admin, group), _lag(config, group, read))


def group_finding(group: str, service: str, members: int, lag: int) -> Finding:
    """The line of a group.

    Args:
        group: Its name.
        service: Whose it is.
        members: How many read.
        lag: Records that it has not committed, by Kafka's count.
    """
    waits = f"lag {lag:,}" if lag else "no lag"
    if not members:
        return Finding(
            group, Status.PROBLEM, f"no members, {waits}", f"start the {service}, or see why it does not join"
        )
    words = f"{members} member{'s' if members > 1 else ''}, {waits}"
    if lag <= MUCH_LAG:
        return Finding(group, Status.OK, words)
    return Finding(
        group, Status.NOTE, words, "watch whether it falls; docs/runbooks/lag.md says what to do if it does not"
    )


def _members(admin: Any, group: str) -> int:
    from confluent_kafka import KafkaException

    (answer,) = admin.describe_consumer_groups([group], request_timeout=_TIMEOUT_S).values()
    try:
        return len(answer.result(_TIMEOUT_S).members)
    except (KafkaException, TimeoutError):
        return 0  # Kafka 4 answers an error for a group that nobody ever joined


def _lag(config: Mapping[str, Any], group: str, topics: list[str]) -> int:
    """Of the topics where the group has ever committed."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    consumer = Consumer({**config, "group.id": group})
    behind = 0
    try:
        for topic in topics:
            found = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions
            places = consumer.committed([TopicPartition(topic, number) for number in found], timeout=_TIMEOUT_S)
            if any(place.offset >= 0 for place in places):
                ends = map(partial(consumer.get_watermark_offsets, timeout=_TIMEOUT_S), places)
                behind += sum(high - max(place.offset, low) for place, (low, high) in zip(places, ends, strict=True))
    except KafkaException:
        return behind
    finally:
        consumer.close()
    return behind


def check_subjects(addresses: StackAddresses) -> Iterator[Finding]:
    """The registry, then the contract's subjects: there, at their level, with the schema of this release."""
    from contracts.registry import ConfluentRegistry, RegistryUnavailable
    from contracts.topics import load_topics, prefixed, subject_of

    registry = ConfluentRegistry(addresses.schema_registry_url)
    prefix = addresses.topic_prefix
    subjects = {
        subject_of(prefixed(prefix, topic.name)): topic for topic in load_topics().values() if topic.record is not None
    }
    try:
        findings = [found for subject, topic in subjects.items() for found in _subject(registry, subject, topic)]
    except RegistryUnavailable as error:
        remedy = "is it up, and is RXTRACT_SCHEMA_REGISTRY_URL right, with the path of its API?"
        yield Finding("schemas", Status.PROBLEM, f"{addresses.schema_registry_url}: {error}", remedy)
        return
    yield from findings
    if not findings:
        yield Finding("schemas", Status.OK, f"all {len(subjects)} subjects are as the files say")


def _subject(registry: Any, subject: str, topic: Topic) -> Iterator[Finding]:
    from contracts import files
    from contracts.registry import SchemaNotFound

    remedy = "run `rxtract schemas apply`"
    if not registry.versions_of_subject(subject):
        yield Finding("schemas", Status.PROBLEM, f"{subject} is missing: never registered, or deleted", remedy)
        return
    level = registry.compatibility(subject)
    if level != topic.compatibility:
        words = f"{subject} is at {level or 'NONE'}, the contract says {topic.compatibility}"
        yield Finding("schemas", Status.PROBLEM, words, remedy)
    try:
        registry.lookup(subject, files.schema_text(str(topic.record)))
    except SchemaNotFound:
        yield Finding("schemas", Status.PROBLEM, f"{subject} does not list the schema of this release", remedy)


def check_tokens(variable: str, path: Path) -> Finding:
    """A file of tokens: it can be read, and every entry ends in the hash of a token. No entry is repeated."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return Finding(
            "tokens", Status.PROBLEM, f"{variable} cannot be read ({type(error).__name__})", "check the path"
        )
    kept = [
        (number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")
    ]
    entries = [(number, entry.strip()) for number, line in kept for entry in line.split(",") if entry.strip()]
    wrong = sorted({number for number, entry in entries if not _is_entry(entry)})
    if wrong:
        places = ", ".join(map(str, wrong[:5]))
        words = f"{variable}: no token on line {places}{' and others' if len(wrong) > 5 else ''}"
        return Finding("tokens", Status.PROBLEM, words, "make the line anew with the service's `new_token`")
    if not entries:
        return Finding("tokens", Status.NOTE, f"{variable} names nobody", "add a line with the service's `new_token`")
    return Finding("tokens", Status.OK, f"{variable}: {len(entries)} tokens")


def _is_entry(entry: str) -> bool:
    name, _, digest = entry.rpartition(":")
    return bool(name.strip()) and is_token_hash(digest.strip().lower())
