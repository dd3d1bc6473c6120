"""A right, a topic or a subject that is taken away: not ready at once, an end with one line or a wait, and never a dead letter."""

from __future__ import annotations

import os
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, AdminClient, ResourcePatternType
from confluent_kafka.admin import ResourceType as Resource
from contracts.apply import apply_schemas, apply_topics
from contracts.registry import ConfluentRegistry
from contracts.topics import NOTES_SUBMITTED, load_topics, subject_of
from embedded_stack.services import ServiceProcess
from runtime.service.secret_files import hash_token
from secured_kafka import StrictKafka, grant, secured_stack
from test_ingestor_stack import Rig, body_of, note, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PREFIX = f"taken-{uuid.uuid4().hex[:10]}."
TOKEN = "token-of-the-test"
LIMIT_S = "3"
EXTRACTOR = Path(__file__).resolve().parents[1] / "faults" / "extractor_process.py"
READERS = ("ingestor", "extractor", "review-desk", "scorekeeper", "trainer")


def binding(user: str, resource: Resource, name: str, operation: AclOperation) -> AclBinding:
    return AclBinding(
        resource, name, ResourcePatternType.PREFIXED, f"User:{user}", "*", operation, AclPermissionType.ALLOW
    )


def right_to_read(user: str) -> AclBinding:
    return binding(user, Resource.TOPIC, PREFIX, AclOperation.READ)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with secured_stack(tmp_path_factory.mktemp("strict"), StrictKafka, READERS) as (plain, told):
        apply_topics({"bootstrap.servers": plain}, load_topics(), prefix=PREFIX)
        apply_schemas(ConfluentRegistry(told["RXTRACT_SCHEMA_REGISTRY_URL"]), prefix=PREFIX)
        rights = []
        for user in READERS:
            rights += [
                binding(user, Resource.TOPIC, PREFIX, one) for one in (AclOperation.WRITE, AclOperation.DESCRIBE)
            ]
            rights += [right_to_read(user)]
            rights += [binding(user, Resource.GROUP, name, AclOperation.ALL) for name in (PREFIX, "rxtract-")]
        grant(plain, rights)
        own = {"RXTRACT_TOPIC_PREFIX": PREFIX, "RXTRACT_GROUP_PREFIX": PREFIX, "RXTRACT_FAULT_LIMIT_S": LIMIT_S}
        yield {**told, **own, "plain": plain}


def own_settings(user: str, folder: Path) -> dict[str, str]:
    key, people = folder / "key", folder / "people"
    key.write_bytes(b"k" * 40)
    people.write_text(f"lead:lead:{hash_token(TOKEN)}\n")
    return {
        "ingestor": {
            "RXTRACT_PSEUDONYM_KEY_FILE": str(key),
            "RXTRACT_HTTP_TOKENS": f"clinic:{hash_token(TOKEN)}",
            "RXTRACT_HTTP_PORT_FILE": str(folder / "http.port"),
        },
        "extractor": {"RXTRACT_MODEL_CACHE_DIR": str(folder / "models")},
        "review-desk": {
            "RXTRACT_DESK_KEY_FILE": str(key),
            "RXTRACT_DESK_TOKENS_FILE": str(people),
            "RXTRACT_PSEUDONYM_KEY_FILE": str(key),
        },
        "scorekeeper": {"RXTRACT_RECORDS_DIR": str(folder / "records"), "RXTRACT_SINK_EVERY_S": "0.5"},
        "trainer": {"RXTRACT_ROLES_KEY_FILE": str(key), "RXTRACT_MODEL_NAME": PREFIX + "model"},
    }[user]


@pytest.mark.parametrize("user", READERS)
def test_a_right_that_is_taken_away_ends_readiness_and_then_the_reader(
    strict: dict[str, str], stack: Any, tmp_path: Path, user: str
) -> None:
    admin = AdminClient({"bootstrap.servers": strict["plain"]})
    settings = {name: value for name, value in strict.items() if name != "plain"}
    settings |= {"RXTRACT_REDIS_URL": stack.addresses.redis_url, "RXTRACT_SASL_USERNAME": user}
    settings |= {"RXTRACT_MLFLOW_URL": stack.addresses.mlflow_url} if user == "trainer" else {}
    settings |= own_settings(user, tmp_path)
    module = "extractor_process" if user == "extractor" else user.replace("-", "_")
    settings["PYTHONPATH"] = os.pathsep.join([str(EXTRACTOR.parent), *sys.path])
    service = ServiceProcess(module, tmp_path, settings)
    with service:
        service.wait_ready(90)
        [taken] = admin.delete_acls([_filter_of(right_to_read(user))]).values()
        assert len(taken.result(30)) == 1
        try:
            until(lambda: not service.is_ready(), 30)
            if user == "ingestor":
                until(lambda: "the Kafka door failed" in service.log_path.read_text(), 30)
                assert httpx.get(f"{service.health_url}/ready", timeout=5).status_code == 503
                assert httpx.get(f"{service.health_url}/ready/http", timeout=5).status_code == 200
                assert service.running()
            else:
                until(lambda: not service.running(), 60)
                assert service.exit_code() not in (0, None)
            assert "does not let us read" in service.log_path.read_text()
            if user == "ingestor":
                grant(strict["plain"], [right_to_read(user)])
                until(service.is_ready, 60)  # by itself: the door begins again
        finally:
            grant(strict["plain"], [right_to_read(user)])


def _filter_of(right: AclBinding) -> Any:
    from confluent_kafka.admin import AclBindingFilter

    return AclBindingFilter(
        right.restype,
        right.name,
        right.resource_pattern_type,
        right.principal,
        right.host,
        right.operation,
        right.permission_type,
    )


def test_a_topic_that_is_deleted_closes_the_kafka_door_alone(stack: Any, tmp_path: Path) -> None:
    rig = Rig(stack, tmp_path, FAULT_LIMIT_S=LIMIT_S)
    try:
        admin = AdminClient({"bootstrap.servers": rig.servers})
        for future in admin.delete_topics([rig.submitted]).values():
            future.result(30)
        until(lambda: httpx.get(f"{rig.health_url}/ready", timeout=5).status_code == 503, 60)
        until(lambda: "does not exist: run `rxtract topics apply`" in rig.log.read_text(), 60)
        assert httpx.get(f"{rig.health_url}/ready/http", timeout=5).status_code == 200
        assert rig.post(body_of(note())).status_code == 202
        apply_topics({"bootstrap.servers": rig.servers}, {NOTES_SUBMITTED: load_topics()[NOTES_SUBMITTED]}, rig.prefix)
        until(lambda: httpx.get(f"{rig.health_url}/ready", timeout=5).status_code == 200, 90)
        again = note()
        rig.produce(rig.write(again), key=again.note_id)
        rig.accepted_notes(again.note_id)
        assert rig.process.poll() is None
    finally:
        rig.stop()


def test_a_subject_that_the_registry_lost_makes_notes_wait(stack: Any, tmp_path: Path) -> None:
    rig = Rig(stack, tmp_path)
    try:
        _, dead = rig.sizes()
        base = f"{stack.addresses.schema_registry_url}/subjects/{subject_of(rig.submitted)}"
        assert httpx.delete(base, timeout=10).status_code == 200
        waiting = [note() for _ in range(20)]
        for one in waiting:
            rig.produce(rig.write(one), key="same")
        until(lambda: httpx.get(f"{rig.health_url}/ready", timeout=5).status_code == 503, 30)
        assert "no subject" in httpx.get(f"{rig.health_url}/ready", timeout=5).text
        assert rig.post(body_of(note())).status_code == 202
        time.sleep(1.0)
        assert rig.sizes()[1] == dead
        apply_schemas(rig.registry, rig.prefix)
        for one in waiting:
            rig.accepted_notes(one.note_id)
        until(lambda: httpx.get(f"{rig.health_url}/ready", timeout=5).status_code == 200, 30)
        assert rig.sizes()[1] == dead
    finally:
        rig.stop()
