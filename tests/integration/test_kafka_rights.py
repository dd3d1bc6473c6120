"""Every service does its work as the user that the chart makes for it, on a broker that refuses what its rights do not name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import pytest
import yaml
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, AdminClient, ResourcePatternType
from confluent_kafka.admin import ResourceType as Resource
from contracts.apply import apply_schemas, apply_topics
from contracts.registry import ConfluentRegistry
from contracts.topics import load_topics
from embedded_stack.services import ServiceProcess
from embedded_stack.stack import SERVERS, EmbeddedStack
from runtime.secret_files import hash_token

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "deploy")]
import found  # noqa: E402
from secured_kafka import MECHANISM, Authority, SecuredKafka  # noqa: E402
from trainer_rig import SMALL  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
EXTRACTOR = ROOT / "tests/faults/extractor_process.py"
HELM = found.find("helm")
TOKEN = "token-of-the-test"
PREFIX = f"rights-{uuid.uuid4().hex[:10]}."
"""Redis and MLflow are those of other tests too."""
POISONED = (
    "notes.submitted.v1",
    "notes.accepted.v1",
    "statistics.observed.v1",
    "model.commands.v1",
    "review.requested.v1",
)
pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(300),
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
        "services": {"scorekeeper": {"existingClaim": "records"}},
        "strimzi": {"topics": True, "users": True},
    }
    command = [HELM, "template", "r", str(ROOT / "deploy/helm/rxtract"), "--kube-version", "1.34.0", "--values", "-"]
    made = subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    users = [one for one in yaml.safe_load_all(made.stdout) if one and one["kind"] == "KafkaUser"]
    return {one["metadata"]["name"].removeprefix("r-"): one["spec"]["authorization"]["acls"] for one in users}


def bindings(user: str, acls: list[dict[str, Any]]) -> list[AclBinding]:
    """As Strimzi's user operator writes them to the broker."""
    return [
        AclBinding(
            Resource[acl["resource"]["type"].upper()],
            acl["resource"]["name"],
            ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            AclOperation[operation.upper()],
            AclPermissionType.ALLOW,
        )
        for acl in acls
        for operation in acl["operations"]
    ]


class StrictKafka(SecuredKafka):
    """Refuses what no right names; whoever comes by the plain listener may do all, as the broker itself does."""

    more: ClassVar[Mapping[str, str]] = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }


@pytest.fixture(scope="module")
def users() -> dict[str, list[dict[str, Any]]]:
    return rendered_users()


@pytest.fixture(scope="module")
def strict(
    users: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of a client, without its user; topics, schemas and rights are there."""
    folder = tmp_path_factory.mktemp("strict")
    StrictKafka.authority = Authority("the right one")
    StrictKafka.users = dict.fromkeys(users, TOKEN)
    (folder / "ca.pem").write_bytes(StrictKafka.authority.pem)
    servers = {**SERVERS, "kafka": StrictKafka}
    with EmbeddedStack(folder, ephemeral=True, components=("kafka", "registry"), servers=servers) as stack:
        plain = {"bootstrap.servers": stack.addresses.bootstrap_servers}
        apply_topics(plain, load_topics(), prefix=PREFIX)
        apply_schemas(ConfluentRegistry(stack.addresses.schema_registry_url), prefix=PREFIX)
        wanted = [one for user, acls in users.items() for one in bindings(user, acls)]
        admin = AdminClient(plain)
        for future in admin.create_acls(wanted).values():
            future.result(30)
        yield {
            "plain": stack.addresses.bootstrap_servers,
            "RXTRACT_BOOTSTRAP_SERVERS": stack._components["kafka"].secured,
            "RXTRACT_SCHEMA_REGISTRY_URL": stack.addresses.schema_registry_url,
            "RXTRACT_SECURITY_PROTOCOL": "SASL_SSL",
            "RXTRACT_SASL_MECHANISM": MECHANISM,
            "RXTRACT_SASL_PASSWORD": TOKEN,
            "RXTRACT_SSL_CA_LOCATION": str(folder / "ca.pem"),
            "RXTRACT_TOPIC_PREFIX": PREFIX,
            "RXTRACT_GROUP_PREFIX": PREFIX,
        }


def own_settings(folder: Path) -> dict[str, dict[str, str]]:
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
        "drift-watcher": {"RXTRACT_SAVE_EVERY_RECORDS": "1"},
        "trainer": {**SMALL, "RXTRACT_ROLES_KEY_FILE": str(key), "RXTRACT_MODEL_NAME": PREFIX + "ner"},
        "review-desk": {
            "RXTRACT_DESK_KEY_FILE": str(key),
            "RXTRACT_PSEUDONYM_KEY_FILE": str(key),
            "RXTRACT_DESK_TOKENS_FILE": str(people),
        },
        "scorekeeper": {"RXTRACT_RECORDS_DIR": str(folder / "records"), "RXTRACT_SINK_EVERY_S": "0.5"},
        "ledger": {"RXTRACT_LEDGER_DIR": str(folder / "ledger"), "RXTRACT_LOST_AFTER_S": "10"},
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
    "statistics.observed.v1",
    "drift.state.v1",
    "model.events.v1",
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


def test_all_services_work_with_the_rights_that_the_chart_gives(
    strict: dict[str, str], stack: Any, tmp_path: Path
) -> None:
    told = {name: value for name, value in strict.items() if name != "plain"}
    servers = {"RXTRACT_REDIS_URL": stack.addresses.redis_url, "RXTRACT_MLFLOW_URL": stack.addresses.mlflow_url}
    with ExitStack() as ending:
        services = []
        for service, own in own_settings(tmp_path).items():
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
        deadline = time.monotonic() + 90
        while missing := [topic for topic in WRITTEN if not written(strict, topic)]:
            assert time.monotonic() < deadline, f"nothing on {missing}"
            time.sleep(0.5)
        ledger = next(one for one in services if one.name == "ledger")
        while (account := httpx.get(f"{ledger.health_url}/account").json())["open"] or account["submitted"] < 62:
            assert time.monotonic() < deadline, account
            time.sleep(0.5)
        assert (account["lost"], account["dead_letters"]) == (0, 2), account
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


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("drift-watcher", "notes.accepted.v1"),
        ("scorekeeper", "drift.words.v1"),
        ("ingestor", "annotations.validated.v1"),
    ],
)
def test_what_is_not_a_services_own_is_closed_to_it(strict: dict[str, str], user: str, topic: str) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": strict["RXTRACT_BOOTSTRAP_SERVERS"],
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": MECHANISM,
            "sasl.username": user,
            "sasl.password": TOKEN,
            "ssl.ca.location": strict["RXTRACT_SSL_CA_LOCATION"],
            "group.id": f"{PREFIX}rxtract-{user}",
        }
    )
    try:
        told = consumer.list_topics(PREFIX + topic, timeout=10).topics[PREFIX + topic]
        assert told.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    finally:
        consumer.close()
