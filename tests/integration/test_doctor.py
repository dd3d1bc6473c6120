"""`rxtract doctor` at servers that variables name: what the contract lacks there is said, one line each."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from contracts.apply import apply_schemas, apply_topics
from contracts.registry import ConfluentRegistry
from contracts.topics import load_topics
from rxtract.app import build
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


@pytest.fixture
def deployment(stack, topic_prefix: str, monkeypatch, tmp_path) -> Iterator[str]:
    """Topics and subjects of its own, found by variables alone."""
    monkeypatch.chdir(tmp_path)
    for name, value in {**stack.addresses.as_environment(), "RXTRACT_TOPIC_PREFIX": topic_prefix}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RXTRACT_GROUP_PREFIX", topic_prefix)
    apply_topics({"bootstrap.servers": stack.addresses.bootstrap_servers}, load_topics(), prefix=topic_prefix)
    apply_schemas(ConfluentRegistry(stack.addresses.schema_registry_url), prefix=topic_prefix)
    return topic_prefix


def problems() -> dict[str, list[str]]:
    """What it says, by name, of all that is no matter of this machine."""
    answer = CliRunner().invoke(build(["doctor"]), ["doctor", "--json"])
    found: dict[str, list[str]] = {}
    for one in json.loads(answer.stdout):
        if one["status"] != "ok":
            found.setdefault(one["name"], []).append(f"{one['message']}: {one['remedy']}")
    return found


def test_servers_of_variables_that_hold_the_contract(deployment: str) -> None:
    answer = CliRunner().invoke(build(["doctor"]), ["doctor", "--json"])
    names = {one["name"]: one["status"] for one in json.loads(answer.stdout)}
    assert {name: names[name] for name in ("kafka", "topics", "schemas", "redis", "mlflow")} == dict.fromkeys(
        ("kafka", "topics", "schemas", "redis", "mlflow"), "ok"
    )
    assert "no members" in problems()[f"{deployment}rxtract-extractor"][0]


def test_what_the_registry_lost_is_said(stack, deployment: str) -> None:
    url = stack.addresses.schema_registry_url
    lost, loose = f"{deployment}notes.accepted.v1-value", f"{deployment}entities.extracted.v1-value"
    httpx.delete(f"{url}/subjects/{lost}").raise_for_status()
    httpx.put(f"{url}/config/{loose}", json={"compatibility": "NONE"}).raise_for_status()
    found = problems()["schemas"]
    assert len(found) == 2
    assert any(line.startswith(f"{lost} is missing") and "schemas apply" in line for line in found)
    assert any(line.startswith(f"{loose} is at NONE, the contract says FULL_TRANSITIVE") for line in found)


def test_a_wrong_path_of_the_registry_is_no_missing_schema(stack, deployment: str, monkeypatch) -> None:
    root = stack.addresses.schema_registry_url.partition("/apis")[0]
    monkeypatch.setenv("RXTRACT_SCHEMA_REGISTRY_URL", root)
    (line,) = problems()["schemas"]
    assert "schemas apply" not in line
    assert "path of its" in line
    for command in (["schemas", "check"], ["schemas", "apply"]):
        answer = CliRunner().invoke(build(command), command)
        assert "no schema registry at this address" in str(answer.exception)


def test_what_the_cluster_lost_is_said(stack, deployment: str) -> None:
    admin = AdminClient({"bootstrap.servers": stack.addresses.bootstrap_servers})
    admin.delete_topics([f"{deployment}model.events.v1"])[f"{deployment}model.events.v1"].result(30)
    deadline = time.monotonic() + 60
    while not (found := problems().get("topics", [])):
        assert time.monotonic() < deadline
    assert found == [f"{deployment}model.events.v1 is missing: run `rxtract topics apply`"]


def test_a_group_with_a_member_says_its_lag(stack, deployment: str) -> None:
    group = f"{deployment}rxtract-extractor"
    consumer = Consumer(
        {"bootstrap.servers": stack.addresses.bootstrap_servers, "group.id": group, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([f"{deployment}notes.accepted.v1"])
    try:
        deadline = time.monotonic() + 60
        while not consumer.assignment():
            consumer.poll(0.2)
            assert time.monotonic() < deadline
        assert group not in problems()
    finally:
        consumer.close()


def test_no_broker_is_one_line(deployment: str, monkeypatch) -> None:
    monkeypatch.setenv("RXTRACT_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    found = problems()
    assert found["kafka"][0].startswith("no answer at 127.0.0.1:1: is it up")
    assert "topics" not in found
