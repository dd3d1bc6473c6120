"""Every service does its work as the user that the chart makes for it, on a broker that refuses what its rights do not name."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import pytest
import yaml
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
)
from confluent_kafka.admin import ResourceType as Resource
from contracts.apply import apply_schemas, apply_topics
from contracts.registry import ConfluentRegistry
from contracts.topics import load_topics
from embedded_stack.services import ServiceProcess
from runtime.service.secret_files import hash_token

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "deploy")]
import found  # noqa: E402
from secured_kafka import MECHANISM, PASSWORD, Authority, StrictKafka, grant, secured_stack  # noqa: E402
from trainer_rig import SMALL  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
EXTRACTOR = ROOT / "tests/faults/extractor_process.py"
HELM = found.find("helm")
TOKEN = "token-of-the-test"
PREFIX = f"rights-{uuid.uuid4().hex[:10]}."
"""Redis and MLflow are those of other tests too."""
REFUSED = 3
POISONED = (
    "notes.submitted.v1",
    "notes.accepted.v1",
    "entities.extracted.v1",
    "entities.coded.v1",
    "statistics.observed.v1",
    "model.commands.v1",
    "review.requested.v1",
)
pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(600),
    found.needs("helm", "make test-tools"),
]


def rendered_users() -> dict[str, list[dict[str, Any]]]:
    """The rights of each KafkaUser that the chart renders, by service."""
    values = {
        "kafka": {
            "bootstrapServers": "kafka:9093",
            "securityProtocol": "SASL_SSL",
            "saslMechanism": MECHANISM,
            "topicPrefix": PREFIX,
            "groupPrefix": PREFIX,
        },
        "schemaRegistry": {"url": "http://registry:8081"},
        "redis": {"url": "redis://redis"},
        "mlflow": {"url": "http://mlflow"},
        "services": {"scorekeeper": {"existingClaim": "records"}, "notifier": {"enabled": True}},
        "strimzi": {"topics": True, "users": True},
    }
    command = [HELM, "template", "r", str(ROOT / "deploy/helm/rxtract"), "--kube-version", "1.34.0", "--values", "-"]
    made = subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    users = [one for one in yaml.safe_load_all(made.stdout) if one and one["kind"] == "KafkaUser"]
    return {one["metadata"]["name"].removeprefix("r-"): one["spec"]["authorization"]["acls"] for one in users}


PATTERNS = {"literal": ResourcePatternType.LITERAL, "prefix": ResourcePatternType.PREFIXED}


def bindings(user: str, acls: list[dict[str, Any]]) -> list[AclBinding]:
    """As Strimzi's user operator writes them to the broker."""
    return [
        AclBinding(
            Resource[acl["resource"]["type"].upper()],
            acl["resource"]["name"],
            PATTERNS[acl["resource"].get("patternType", "literal")],
            f"User:{user}",
            "*",
            AclOperation[operation.upper()],
            AclPermissionType.ALLOW,
        )
        for acl in acls
        for operation in acl["operations"]
    ]


@pytest.fixture(scope="module")
def users() -> dict[str, list[dict[str, Any]]]:
    return rendered_users()


@pytest.fixture(scope="module")
def strict(
    users: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of a client, without its user; topics, schemas and rights are there."""
    with secured_stack(tmp_path_factory.mktemp("strict"), StrictKafka, users) as (plain, told):
        apply_topics({"bootstrap.servers": plain}, load_topics(), prefix=PREFIX)
        apply_schemas(ConfluentRegistry(told["RXTRACT_SCHEMA_REGISTRY_URL"]), prefix=PREFIX)
        wanted = [one for user, acls in users.items() for one in bindings(user, acls)]
        grant(plain, wanted)
        yield {**told, "plain": plain, "RXTRACT_TOPIC_PREFIX": PREFIX, "RXTRACT_GROUP_PREFIX": PREFIX}


class Choosy(BaseHTTPRequestHandler):
    """A source's receiver that refuses a few outcomes: those become dead letters, however many come in one batch.

    One that takes nothing has its letters written only when a whole batch fits within what may be given up, which load decides.
    """

    refused: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if len(self.refused) < REFUSED:
            self.refused.add(self.headers["webhook-id"])
        self.send_response(500 if self.headers["webhook-id"] in self.refused else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def webhooks(tmp_path: Path) -> Iterator[Path]:
    """The endpoints: one source's, which is there and refuses some."""
    file = tmp_path / "webhooks.json"
    secret = f"whsec_{base64.b64encode(b'k' * 32).decode()}"
    with ThreadingHTTPServer(("127.0.0.1", 0), Choosy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        file.write_text(json.dumps({"clinic": {"url": f"http://127.0.0.1:{server.server_port}/", "secrets": [secret]}}))
        yield file
        server.shutdown()


def own_settings(folder: Path, webhooks: Path) -> dict[str, dict[str, str]]:
    """What each service wants beside Kafka."""
    key, people = folder / "key", folder / "people"
    key.write_bytes(b"k" * 40)
    people.write_text(f"lead:lead:{hash_token(TOKEN)}\n")
    return {
        "ingestor": {
            "RXTRACT_PSEUDONYM_KEY_FILE": str(key),
            "RXTRACT_HTTP_TOKENS": f"clinic:{hash_token(TOKEN)}",
            "RXTRACT_HTTP_PORT_FILE": str(folder / "http.port"),
        },
        "enricher": {},
        "drift-watcher": {"RXTRACT_SAVE_EVERY_RECORDS": "1"},
        "trainer": {**SMALL, "RXTRACT_ROLES_KEY_FILE": str(key), "RXTRACT_MODEL_NAME": PREFIX + "ner"},
        "review-desk": {
            "RXTRACT_DESK_KEY_FILE": str(key),
            "RXTRACT_PSEUDONYM_KEY_FILE": str(key),
            "RXTRACT_DESK_TOKENS_FILE": str(people),
        },
        "scorekeeper": {"RXTRACT_RECORDS_DIR": str(folder / "records"), "RXTRACT_SINK_EVERY_S": "0.5"},
        "ledger": {"RXTRACT_LEDGER_DIR": str(folder / "ledger"), "RXTRACT_LOST_AFTER_S": "10"},
        "notifier": {
            "RXTRACT_WEBHOOKS_FILE": str(webhooks),
            "RXTRACT_WEBHOOK_PAUSE_S": "1",
            "RXTRACT_WEBHOOK_TRIES": "1",
        },
        # Last: it is ready when the trainer has made a model.
        "answerer": {
            "RXTRACT_HTTP_TOKENS": f"clinic:{hash_token(TOKEN)}",
            "RXTRACT_MODEL_NAME": PREFIX + "ner",
            "RXTRACT_MODEL_CACHE_DIR": str(folder / "models"),
        },
    }


WRITTEN = (
    "notes.accepted.v1",
    "entities.extracted.v1",
    "entities.coded.v1",
    "statistics.observed.v1",
    "drift.state.v1",
    "model.events.v1",
    "webhook.deliveries.v1.dlq",
    *(f"{topic}.dlq" for topic in POISONED),
)
"""What the services must have written in the end."""


def poison(strict: Mapping[str, str]) -> None:
    """A value that nobody can read on each topic whose reader dead-letters."""
    producer = Producer({"bootstrap.servers": strict["plain"]})
    for topic in POISONED:
        producer.produce(PREFIX + topic, b"nonsense", b"key")
    assert producer.flush(30) == 0


def written(strict: Mapping[str, str], topic: str) -> int:
    """Records on a topic, asked by somebody who may do all."""
    consumer = Consumer({"bootstrap.servers": strict["plain"], "group.id": "t"})
    try:
        parts = consumer.list_topics(PREFIX + topic, timeout=10).topics[PREFIX + topic].partitions
        places = [TopicPartition(PREFIX + topic, one) for one in parts]
        return sum(consumer.get_watermark_offsets(one, timeout=10)[1] for one in places)
    finally:
        consumer.close()


@pytest.mark.timeout(420)
def test_all_services_work_with_the_rights_that_the_chart_gives(
    strict: dict[str, str], stack: Any, tmp_path: Path, webhooks: Path
) -> None:
    told = {name: value for name, value in strict.items() if name != "plain"}
    servers = {"RXTRACT_REDIS_URL": stack.addresses.redis_url, "RXTRACT_MLFLOW_URL": stack.addresses.mlflow_url}
    with ExitStack() as ending:
        services = []
        for service, own in own_settings(tmp_path, webhooks).items():
            user = {"RXTRACT_SASL_USERNAME": service}
            one = ServiceProcess(service.replace("-", "_"), tmp_path, {**told, **servers, **own, **user})
            ending.callback(one.kill)
            one.start()
            services.append(one)
        with (tmp_path / "logs/extractor.log").open("wb") as log:
            settings = {**os.environ, **told, "RXTRACT_SASL_USERNAME": "extractor"}
            extractor = subprocess.Popen([sys.executable, str(EXTRACTOR)], env=settings, stdout=log, stderr=log)
        ending.callback(extractor.kill)
        for one in services:
            one.wait_ready(120)
        simulate(strict, tmp_path)
        poison(strict)
        deadline = time.monotonic() + 200
        while missing := [topic for topic in WRITTEN if not written(strict, topic)]:
            assert time.monotonic() < deadline, f"nothing on {missing}"
            time.sleep(0.5)
        ledger = next(one for one in services if one.name == "ledger")
        while (account := httpx.get(f"{ledger.health_url}/account").json())["open"] or account["submitted"] < 62:
            assert time.monotonic() < deadline, account
            time.sleep(0.5)
        assert (account["lost"], account["dead_letters"]) == (0, 2), account
        assert [one.why_ended() for one in services if not one.running()] == []
    for file in (tmp_path / "logs").iterdir():
        refused = [line for line in file.read_text().splitlines() if "AUTHORIZATION" in line.upper()]
        assert refused == [], file.name


def simulate(strict: Mapping[str, str], folder: Path) -> None:
    """Notes through the HTTP door."""
    port = (folder / "http.port").read_text().strip()
    told = {**os.environ, "RXTRACT_INGEST_URL": f"http://127.0.0.1:{port}", "RXTRACT_INGEST_TOKEN": TOKEN}
    told |= {"RXTRACT_BOOTSTRAP_SERVERS": strict["plain"]}
    command = [sys.executable, "-m", "rxtract", "simulate", "--door", "http", "--notes", "60", "--rate", "0"]
    sent = subprocess.run(command, env=told, capture_output=True, text=True, timeout=90, check=False)
    assert sent.returncode == 0, sent.stderr


def client(strict: Mapping[str, str], user: str, **more: Any) -> dict[str, Any]:
    """The settings of a client that comes as a service's user."""
    return {
        "bootstrap.servers": strict["RXTRACT_BOOTSTRAP_SERVERS"],
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": MECHANISM,
        "sasl.username": user,
        "sasl.password": PASSWORD,
        "ssl.ca.location": strict["RXTRACT_SSL_CA_LOCATION"],
        "topic.metadata.refresh.interval.ms": 1_000,
        **more,
    }


def allowed(acls: list[dict[str, Any]], kind: str, *operations: str) -> set[str]:
    """The names of topics or groups that a user may use so."""
    return {
        acl["resource"]["name"]
        for acl in acls
        if acl["resource"]["type"] == kind and {*operations} & {*acl["operations"]}
    }


def usable_groups(acls: list[dict[str, Any]], *operations: str) -> set[str]:
    """Groups that a user may use so: one of each family where the right is for whatever begins with a name."""
    return {
        acl["resource"]["name"] + ("one" if acl["resource"].get("patternType") == "prefix" else "")
        for acl in acls
        if acl["resource"]["type"] == "group" and {*operations} & {*acl["operations"]}
    }


def covers(acls: list[dict[str, Any]], group: str) -> bool:
    """Whether a right, for this name or for whatever begins with one, lets a user come to a group."""
    return any(
        group.startswith(acl["resource"]["name"])
        if acl["resource"].get("patternType") == "prefix"
        else group == acl["resource"]["name"]
        for acl in acls
        if acl["resource"]["type"] == "group"
    )


def refused_writes(strict: Mapping[str, str], user: str, topics: set[str]) -> dict[str, int]:
    """What the broker answers to a record on each topic."""
    answers: dict[str, int] = {}
    producer = Producer(client(strict, user, **{"message.timeout.ms": 20_000}))
    for topic in sorted(topics):

        def answered(error: KafkaError | None, _message: object, topic: str = topic) -> None:
            answers[topic] = error.code() if error else KafkaError.NO_ERROR

        producer.produce(topic, b"nothing", on_delivery=answered)
    producer.flush(60)
    return answers


def refused_reads(strict: Mapping[str, str], user: str, group: str, topics: set[str]) -> dict[str, int]:
    """What the broker answers to a fetch of each topic: its records, or an error."""
    consumer = Consumer(client(strict, user, **{"group.id": group}))
    try:
        answers = {
            topic: told.error.code()
            for topic in topics
            if (told := consumer.list_topics(topic, timeout=20).topics[topic]).error
        }
        # Who may write to a topic may know that it exists: the fetch itself must be refused.
        consumer.assign([TopicPartition(topic, 0, 0) for topic in sorted(topics - answers.keys())])
        deadline = time.monotonic() + 30
        while topics - answers.keys() and time.monotonic() < deadline:
            for message in consumer.consume(100, 0.2):
                error = message.error()
                answers[message.topic()] = error.code() if error else KafkaError.NO_ERROR
        return answers
    finally:
        consumer.close()


def refused_group(strict: Mapping[str, str], user: str, group: str) -> int:
    """What the broker answers to who comes as a member of a group."""
    consumer = Consumer(client(strict, user, **{"group.id": group}))
    try:
        consumer.subscribe([f"{PREFIX}model.events.v1"])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for message in consumer.consume(1, 0.2):
                if (error := message.error()) and message.topic() is None:  # about the group, not about a topic
                    return int(error.code())
        return int(KafkaError.NO_ERROR)
    finally:
        consumer.close()


def test_whatever_is_not_a_users_own_is_refused(
    strict: dict[str, str], users: dict[str, list[dict[str, Any]]], record_property: Any
) -> None:
    topics = {PREFIX + topic for topic in load_topics()}
    groups = {name for acls in users.values() for name in usable_groups(acls, "Read")}
    assert {f"{PREFIX}rxtract-notifier-one", f"{PREFIX}rxtract-enricher-recode-one"} <= groups

    def tried(user: str) -> int:
        acls = users[user]
        closed = topics - allowed(acls, "topic", "Write")
        assert refused_writes(strict, user, closed) == dict.fromkeys(closed, KafkaError.TOPIC_AUTHORIZATION_FAILED), (
            user
        )
        unread = topics - allowed(acls, "topic", "Read")
        group = min(usable_groups(acls, "Read", "Describe"))
        assert refused_reads(strict, user, group, unread) == dict.fromkeys(
            unread, KafkaError.TOPIC_AUTHORIZATION_FAILED
        ), user
        others = {group for group in groups if not covers(acls, group)}
        answers = {group: refused_group(strict, user, group) for group in others}
        assert answers == dict.fromkeys(others, KafkaError.GROUP_AUTHORIZATION_FAILED), user
        return len(closed) + len(unread) + len(others)

    with ThreadPoolExecutor(4) as beside:  # most of it is waiting for the broker's word
        acts = sum(beside.map(tried, users))
    record_property("figure", f"{acts} acts of {len(users)} users on what is not theirs, {acts} refused")


def test_no_user_governs_the_broker(strict: dict[str, str], users: dict[str, list[dict[str, Any]]]) -> None:
    entity, topic = f"{PREFIX}mine", f"{PREFIX}notes.accepted.v1"
    for user, acls in users.items():
        admin = AdminClient(client(strict, user))
        grab = AclBinding(
            Resource.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            AclOperation.ALL,
            AclPermissionType.ALLOW,
        )
        acts = {
            "create a topic": admin.create_topics([NewTopic(entity, 1, 1)], request_timeout=20),
            "grow a topic": admin.create_partitions([NewPartitions(topic, 99)], request_timeout=20),
            "delete a topic": admin.delete_topics([topic], request_timeout=20),
            "give itself a right": admin.create_acls([grab], request_timeout=20),
        }
        for act, futures in acts.items():
            for future in futures.values():
                with pytest.raises(KafkaException) as refused:
                    future.result(30)
                assert "AUTHORIZATION_FAILED" in refused.value.args[0].name(), (user, act)
        assert allowed(acls, "topic", "Delete", "Alter", "All") == set()


@pytest.mark.parametrize("how", ["in clear", "another authority", "no login"])
def test_nobody_comes_in_by_another_transport(strict: dict[str, str], tmp_path: Path, how: str) -> None:
    (tmp_path / "other.pem").write_bytes(Authority("another").pem)
    settings = (
        client(strict, "extractor")
        | {
            "in clear": {"security.protocol": "SASL_PLAINTEXT"},
            "another authority": {"ssl.ca.location": str(tmp_path / "other.pem")},
            "no login": {"security.protocol": "SSL"},
        }[how]
    )
    with pytest.raises(KafkaException):
        AdminClient(settings).list_topics(timeout=5)
    assert AdminClient(client(strict, "extractor")).list_topics(timeout=20).topics
