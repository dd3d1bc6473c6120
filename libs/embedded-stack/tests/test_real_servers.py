"""The real servers: that each answers as our code needs it, survives faults, and keeps what must be kept."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from embedded_stack import EmbeddedStack, StackError
from embedded_stack.cache import Cache, default_cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.stack
GOAL_RSS_BYTES = 2_500_000_000
SCHEMA = '{"type": "record", "name": "Probe", "fields": [{"name": "n", "type": "int"}]}'


def eventually(condition: Callable[[], bool], timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def produce(bootstrap: str, topic: str, value: bytes) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True})
    failures = []
    producer.produce(topic, value, on_delivery=lambda error, _message: failures.append(error) if error else None)
    assert producer.flush(30) == 0
    assert failures == []


def values_of(bootstrap: str, topic: str, count: int) -> list[bytes]:
    from confluent_kafka import Consumer

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"{topic}-group", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found: list[bytes] = []
    assert eventually(lambda: bool(found.extend(m.value() for m in consumer.consume(10, 0.5)) or len(found) >= count))
    consumer.close()
    return found


def create_topic(bootstrap: str, topic: str) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": bootstrap})  # it must live until the answer
    for future in admin.create_topics([NewTopic(topic, 2, 1)]).values():
        future.result(30)


def register(url: str, subject: str, schema: str = SCHEMA) -> int:
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

    return SchemaRegistryClient({"url": url}).register_schema(subject, Schema(schema, "AVRO"))


def test_kafka_delivers_and_creates_no_topic_by_itself(stack, topic_prefix):
    from confluent_kafka.admin import AdminClient

    bootstrap = stack.addresses.bootstrap_servers
    create_topic(bootstrap, topic_prefix + "a")
    produce(bootstrap, topic_prefix + "a", b"hello")
    assert values_of(bootstrap, topic_prefix + "a", 1) == [b"hello"]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.list_topics(topic_prefix + "nobody-made-this", timeout=10)
    assert topic_prefix + "nobody-made-this" not in admin.list_topics(timeout=10).topics


def test_the_registry_refuses_an_incompatible_schema(stack, topic_prefix):
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.error import SchemaRegistryError

    url, subject = stack.addresses.schema_registry_url, f"{topic_prefix}-value"
    first = register(url, subject)
    assert register(url, subject) == first
    SchemaRegistryClient({"url": url}).set_compatibility(subject, "FULL_TRANSITIVE")
    with pytest.raises(SchemaRegistryError) as caught:
        register(url, subject, SCHEMA.replace('"int"', '"string"'))
    assert caught.value.http_status_code == 409


def test_redis_answers(stack, topic_prefix):
    import redis

    client = redis.Redis.from_url(stack.addresses.redis_url)
    assert client.set(topic_prefix, "x", nx=True, ex=60)
    assert not client.set(topic_prefix, "y", nx=True)


def test_mlflow_keeps_models_and_serves_their_files(stack, topic_prefix, tmp_path, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts

    url = stack.addresses.mlflow_url
    client = MlflowClient(url)
    run = client.create_run(client.create_experiment(topic_prefix)).info.run_id
    (tmp_path / "model.bin").write_bytes(b"weights")
    client.log_artifact(run, str(tmp_path / "model.bin"))
    name = topic_prefix.replace(".", "-")
    client.create_registered_model(name)
    version = client.create_model_version(name, f"runs:/{run}", run_id=run)
    client.set_registered_model_alias(name, "champion", version.version)
    assert client.get_model_version_by_alias(name, "champion").version == version.version
    path = download_artifacts(run_id=run, artifact_path="model.bin", tracking_uri=url, dst_path=str(tmp_path / "there"))
    assert Path(path).read_bytes() == b"weights"


def test_mlflow_refuses_a_foreign_host_header(stack):
    connection = http.client.HTTPConnection(stack.addresses.mlflow_url.removeprefix("http://"), timeout=20)
    path = "/api/2.0/mlflow/experiments/search?max_results=1"
    connection.request("GET", path, headers={"Host": "attacker.example"})
    refused = connection.getresponse()
    assert refused.status == 403
    refused.read()
    connection.request("GET", path)
    assert connection.getresponse().status == 200


def test_everything_listens_on_loopback_only(stack):
    if not isinstance(stack, EmbeddedStack):
        pytest.skip("a stack of somebody else's: its processes are not ours to look at")
    seen = 0
    for name in ("kafka", "registry", "redis", "mlflow"):
        root = psutil.Process(stack.pid(name))
        for process in (root, *root.children(recursive=True)):
            for one in process.net_connections("inet"):
                if one.status == psutil.CONN_LISTEN:
                    assert one.laddr.ip in ("127.0.0.1", "::ffff:127.0.0.1"), (name, one)
                    seen += 1
    assert seen >= 5


def test_memory_stays_under_the_goal(stack):
    if not isinstance(stack, EmbeddedStack):
        pytest.skip("a stack of somebody else's: its processes are not ours to look at")
    rss = stack.rss_bytes()
    assert all(value > 1_000_000 for value in rss.values())
    assert sum(rss.values()) < GOAL_RSS_BYTES


def test_a_kept_folder_keeps_schema_ids_records_and_models_over_a_hard_end(tmp_path):
    """The registry, Kafka and MLflow are killed, not ended; then all start again from the folder."""
    from mlflow import MlflowClient

    with EmbeddedStack(tmp_path) as stack:
        first = stack.addresses
        ids = [
            register(first.schema_registry_url, f"subject-{i}-value", SCHEMA.replace("Probe", f"Probe{i}"))
            for i in range(5)
        ]
        create_topic(first.bootstrap_servers, "kept")
        produce(first.bootstrap_servers, "kept", b"old record")
        MlflowClient(first.mlflow_url).create_registered_model("kept")
        for name in ("kafka", "registry", "redis", "mlflow"):
            stack.kill(name)
    with EmbeddedStack(tmp_path) as stack:
        assert stack.addresses == first
        again = [
            register(first.schema_registry_url, f"subject-{i}-value", SCHEMA.replace("Probe", f"Probe{i}"))
            for i in range(5)
        ]
        assert again == ids
        new = register(first.schema_registry_url, "subject-new-value", SCHEMA.replace("Probe", "Newer"))
        assert new not in ids
        assert values_of(first.bootstrap_servers, "kept", 1) == [b"old record"]
        assert MlflowClient(first.mlflow_url).get_registered_model("kept").name == "kept"


def test_a_killed_broker_comes_back_with_its_records(tmp_path):
    with EmbeddedStack(tmp_path, ephemeral=True, components=("kafka",)) as stack:
        bootstrap = stack.addresses.bootstrap_servers
        create_topic(bootstrap, "t")
        produce(bootstrap, "t", b"before")
        stack.kill("kafka")
        stack.restart("kafka")
        produce(bootstrap, "t", b"after")
        assert set(values_of(bootstrap, "t", 2)) == {b"before", b"after"}


def test_the_second_start_needs_no_network(stack):  # the stack of this run was the first start
    """With a network that leads nowhere: an own network namespace where we may make one, and a dead proxy always."""
    program = textwrap.dedent("""
        from embedded_stack import EmbeddedStack
        with EmbeddedStack(ephemeral=True, components=("kafka", "registry", "redis")) as stack:
            print("up", stack.addresses.bootstrap_servers)
    """)
    dead = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "HTTP", "HTTPS")}
    argv = [sys.executable, "-c", program]
    if os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip"):
        argv = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *argv]
    offline = subprocess.run(argv, capture_output=True, text=True, timeout=240, env={**os.environ, **dead})
    assert offline.returncode == 0, offline.stderr
    assert offline.stdout.startswith("up 127.0.0.1:")


def test_a_first_start_without_network_says_what_to_do(tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(
        StackError, match=r"cannot download .*\.jar: the Maven repository does not answer; check the network"
    ):
        EmbeddedStack(ephemeral=True, components=("kafka",), cache=Cache(tmp_path / "empty")).start()


def test_a_damaged_jar_in_the_cache_stops_the_start(tmp_path):
    from embedded_stack.pins import load_pins

    pins = load_pins()["kafka"]
    cache = Cache(tmp_path / "cache")
    for pin in pins:
        target = cache.path_of(pin)
        target.parent.mkdir(parents=True)
        shutil.copy(Cache(default_cache_dir()).path_of(pin), target)
    damaged = cache.path_of(pins[3])
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(StackError, match=rf"is damaged .*: delete {damaged} and run the same command again"):
        EmbeddedStack(ephemeral=True, components=("kafka",), cache=cache).start()
