"""The extractor as it is shipped: Kafka, schema registry, MLflow and a trained model."""

import json
import sys
import time
import uuid
from pathlib import Path

import pytest
from clinical_ner.tracking import log_and_register
from clinical_ner.train import train
from confluent_kafka import Producer
from contracts.records import ModelRef, QualityMeasured
from contracts.registry import ConfluentRegistry
from contracts.topics import QUALITY_MEASURED
from contracts.wire import Serializer
from corpus import generate
from mlflow.tracking import MlflowClient
from model_registry.writing import set_alias

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))  # extractor_rig

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

SENTENCE = (
    "The patient was a 62-year-old man with squamous cell lung cancer, which was first successfully treated by a "
    "combination of radiation therapy and chemotherapy."
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two small models."""
    folders = []
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp(f"model{seed}")
        train(generate(seed, 150), seed=seed).save(folder)
        folders.append(folder)
    return folders


@pytest.fixture
def rig(stack, topic_prefix, tmp_path):
    from extractor_rig import Rig

    made = Rig(stack.addresses, topic_prefix, tmp_path)
    yield made
    made.close()


class Registry:
    """A registered model of this test's own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = f"model-{uuid.uuid4().hex[:8]}"

    def register(self, folder: Path, *, alias: str | None = "champion", **tags: str) -> str:
        return log_and_register(folder, tracking_uri=self.url, name=self.name, alias=alias, tags=tags or None).version

    def promote(self, version: str) -> None:
        set_alias(MlflowClient(self.url), self.name, "champion", version)

    def tag(self, version: str, key: str, value: str) -> None:
        MlflowClient(self.url).set_model_version_tag(self.name, version, key, value)


@pytest.fixture
def registry(stack) -> Registry:
    return Registry(stack.addresses.mlflow_url)


def start(rig, registry, **env):
    return rig.start(
        module="extractor",
        RXTRACT_MLFLOW_URL=env.pop("url", registry.url),
        RXTRACT_MODEL_NAME=registry.name,
        RXTRACT_MODEL_RETRY_S="0.5",
        RXTRACT_MODEL_POLL_S="0.5",
        **env,
    )


def version_of(process) -> str:
    status, body = process.get("/info")
    model = json.loads(body)["model"] if status == 200 else None
    return model["version"] if model else ""


def test_the_life_of_a_model(rig, registry, trained):
    from extractor_rig import judge, note, until

    process = start(rig, registry)
    until(lambda: process.get("/live")[0] == 200, 60, "alive")
    until(lambda: "no alias champion yet" in process.get("/ready")[1], 30, "not ready, and why")
    assert rig.committed() == {}
    assert process.metric("rxtract_assigned_partitions") == 0

    rig.send([note("example", SENTENCE)])
    first = registry.register(trained[0])
    until(lambda: process.ready, 60, "ready after the first model was registered")
    rig.drained(60)
    (event,) = rig.events()
    assert (event.model.name, event.model.version, event.model.serial) == (registry.name, first, 1)
    assert event.entities
    for entity in event.entities:
        assert SENTENCE[entity.start : entity.end] == entity.text

    second = registry.register(trained[1])
    until(lambda: version_of(process) == second, 30, "the promotion to be served")
    rig.send([note(f"n{number}", SENTENCE) for number in range(200)])
    rig.drained(60)
    events = rig.events()
    assert judge([("example", 1), *((f"n{number}", 1) for number in range(200))], events).lost == []
    assert {(e.model.version, e.model.serial) for e in events} == {(first, 1), (second, 2)}

    third = registry.register(trained[0], alias=None)
    registry.tag(third, "artifact_sha256", "0" * 64)
    registry.promote(third)
    until(lambda: process.metric("rxtract_model_loads_total") >= 3, 30, "the damaged artifact to be refused")
    assert version_of(process) == second
    assert process.ready
    assert process.terminate() == 0

    offline = start(rig, registry, url="http://127.0.0.1:1")
    until(lambda: offline.ready, 60, "ready from the cached copy")
    assert version_of(offline) == second
    rig.send([note("late", SENTENCE)])
    rig.drained(60)
    assert offline.terminate() == 0


def test_without_mlflow_and_without_a_copy_it_waits_quietly(rig, registry):
    """R18: not ready, no crash loop, one line for the reason."""
    from extractor_rig import until

    process = start(rig, registry, url="http://127.0.0.1:1")
    until(lambda: "no cached copy" in process.get("/ready")[1], 60, "not ready, and why")
    time.sleep(2)  # four tries
    assert process.child.poll() is None
    assert process.logged().count("not ready") == 1
    assert process.terminate() == 0


def test_settings_that_are_missing_are_named_in_one_line(rig, tmp_path):
    import os
    import subprocess

    clean = {key: value for key, value in os.environ.items() if not key.startswith("RXTRACT_")}
    answer = subprocess.run(
        [sys.executable, "-m", "extractor"], env=clean, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert answer.returncode == 2
    assert "RXTRACT_BOOTSTRAP_SERVERS is not set" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_audit_follows_what_was_measured_and_a_restart_finds_it_again(rig, registry, trained, tmp_path):
    """The rate that the scorekeeper asks for is on a topic, so no extractor need remember it; a fixed one asks nobody."""
    from extractor_rig import note, until

    key, first = tmp_path / "sampling.key", registry.register(trained[0])
    key.write_bytes(b"k" * 32)

    def rate_of(process) -> float:
        status, body = process.get("/info")
        return json.loads(body)["audit_rate"] if status == 200 else -1.0

    process = start(rig, registry, RXTRACT_SAMPLING_KEY_FILE=str(key))
    until(lambda: process.ready, 60, "ready")
    assert rate_of(process) == 0.01
    topic = rig.topic(QUALITY_MEASURED)
    write = Serializer.for_topic(QualityMeasured, ConfluentRegistry(rig.addresses.schema_registry_url), topic)
    producer = Producer({"bootstrap.servers": rig.bootstrap})
    for rate in (0.5, 1.0, None):
        said = QualityMeasured(
            measurement_id="m", model=ModelRef(name=registry.name, version=first, serial=1), segment="all", window_start=0, window_end=1,
            notes=40, labels=(), audit_rate=rate, measured_at=1,
        )  # fmt: skip
        producer.produce(topic, write(said), key=registry.name.encode())
    assert producer.flush(30) == 0
    until(lambda: rate_of(process) == 1.0, 30, "the measured rate")
    rig.send([note(f"n{number}", SENTENCE) for number in range(5)])
    rig.drained(60)
    assert [event.review.inclusion_probability for event in rig.events()] == [1.0] * 5
    assert process.terminate() == 0

    again = start(rig, registry, RXTRACT_SAMPLING_KEY_FILE=str(key))
    until(lambda: again.ready and rate_of(again) == 1.0, 60, "the rate after a restart")
    assert again.terminate() == 0
    fixed = start(rig, registry, RXTRACT_SAMPLING_KEY_FILE=str(key), RXTRACT_AUDIT_RATE="0.25")
    until(lambda: fixed.ready, 60, "ready")
    assert rate_of(fixed) == 0.25
    assert fixed.terminate() == 0
