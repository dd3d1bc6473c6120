"""Artifacts that must never serve, promoted one after the other on real MLflow: none is loaded, the model before serves on."""

import hashlib
import io
import json
import re
import sys
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import numpy as np
import pytest
from clinical_ner.artifact import sealed
from clinical_ner.tracking import log_and_register
from clinical_ner.train import train
from corpus import generate
from mlflow.tracking import MlflowClient
from model_registry.writing import next_serial, set_alias

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))  # extractor_rig

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

SENTENCE = "The patient was a man with squamous cell lung cancer, treated by radiation therapy and chemotherapy."


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = []
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp(f"model{seed}")
        train(generate(seed, 150), seed=seed).save(folder)
        made.append(folder)
    return made


@pytest.fixture
def rig(stack, topic_prefix, tmp_path):
    from extractor_rig import Rig

    made = Rig(stack.addresses, topic_prefix, tmp_path)
    yield made
    made.close()


def rewritten(tables: bytes, **metadata) -> bytes:
    """The tables with other metadata, whole and consistent in every other way."""
    arrays = dict(np.load(io.BytesIO(tables), allow_pickle=False))
    said = {**json.loads(arrays.pop("metadata").tobytes()), **metadata}
    out = io.BytesIO()
    np.savez(out, **arrays, metadata=np.frombuffer(json.dumps(said).encode(), np.uint8))
    return sealed(out.getvalue())


def bad_artifacts(tables: bytes, other: bytes) -> dict[str, tuple[bytes, str | None, str]]:
    """What lies in MLflow, the digest that is registered (None: its own), and what the log must say."""
    said = json.loads(np.load(io.BytesIO(tables))["metadata"].tobytes())
    labels, version = said["crf_labels"], said["features_version"]
    turned = {"DISEASE": "TREATMENT", "TREATMENT": "DISEASE"}
    swapped = [re.sub("DISEASE|TREATMENT", lambda found: turned[found[0]], label) for label in labels]
    middle = len(tables) // 2
    own = hashlib.sha256(tables).hexdigest()
    return {
        "features of another version": (rewritten(tables, features_version=version + 1), None, "cannot be served"),
        "a label that nobody knows": (
            rewritten(tables, crf_labels=[label.replace("DISEASE", "PERSON") for label in labels]), None, "cannot be served",
        ),
        "labels swapped": (rewritten(tables, crf_labels=swapped), None, "cannot be served"),
        "truncated before it was registered": (tables[:-100], None, "cannot be served"),
        "truncated later": (tables[:-100], own, "digest"),
        "one bit flipped later": (tables[:middle] + bytes([tables[middle] ^ 1]) + tables[middle + 1 :], own, "digest"),
        "another model in its place": (other, own, "digest"),
        "no artifact at all": (b"", None, "cannot be served"),
    }  # fmt: skip


class Registry:
    """A registered model of this test's own, whose files are put where MLflow keeps them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = f"model-{uuid.uuid4().hex[:8]}"
        self.client = MlflowClient(url)

    def promote(self, folder: Path, tables: bytes | None = None, sha256: str | None = None) -> str:
        version = log_and_register(folder, tracking_uri=self.url, name=self.name).version
        if tables is not None:
            self._put(version, tables)
            digest = sha256 or hashlib.sha256(tables).hexdigest()
            self.client.set_model_version_tag(self.name, version, "artifact_sha256", digest)
        self.client.set_model_version_tag(self.name, version, "serial", str(next_serial(self.client, self.name)))
        set_alias(self.client, self.name, "champion", version)
        return version

    def _put(self, version: str, tables: bytes) -> None:
        folder = urllib.parse.urlsplit(self.client.get_model_version_download_uri(self.name, version)).path.strip("/")
        address = f"{self.url}/api/2.0/mlflow-artifacts/artifacts/{folder}/artifacts/tables.npz"
        request = urllib.request.Request(address, data=tables, method="PUT")  # noqa: S310 - our own MLflow
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            assert answer.status == 200


def loads(process, result: str) -> float:
    lines = process.get("/metrics")[1].splitlines()
    found = [line for line in lines if line.startswith("rxtract_model_loads_total{") and f'result="{result}"' in line]
    return float(found[0].rsplit(" ", 1)[1]) if found else 0.0


def test_no_bad_artifact_replaces_a_good_model(rig, stack, folders):
    from extractor_rig import note, until

    registry = Registry(stack.addresses.mlflow_url)
    good = registry.promote(folders[0])
    process = rig.start(
        module="extractor",
        RXTRACT_MLFLOW_URL=registry.url,
        RXTRACT_MODEL_NAME=registry.name,
        RXTRACT_MODEL_POLL_S="0.2",
    )
    until(lambda: process.ready, 60, "ready")
    other, tables = (folder.joinpath("tables.npz").read_bytes() for folder in folders)
    for number, (what, (data, sha256, words)) in enumerate(bad_artifacts(tables, other).items()):
        version = registry.promote(folders[1], data, sha256)
        until(lambda version=version: f"version {version}" in process.logged(), 20, f"a line about {what}")
        refusal = next(line for line in process.logged().splitlines() if f"version {version}" in line)
        assert words in refusal, what
        assert loads(process, "refused") > number, what
        assert loads(process, "ok") == 1, what
        rig.send([note(f"n{number}", SENTENCE)])
        rig.drained(30)
        assert process.ready, what
    assert {event.model.version for event in rig.events()} == {good}
    better = registry.promote(folders[1])
    until(lambda: loads(process, "ok") == 2, 20, "a good model to be loaded")
    rig.send([note("last", SENTENCE)])
    rig.drained(30)
    assert {event.model.version for event in rig.events() if event.note_id == "last"} == {better}
    assert process.terminate() == 0
