"""Registration on the real MLflow server, with its artifact proxy: what the trainer, the demo and the CLI do."""

from __future__ import annotations

import hashlib
import random
import urllib.request
import uuid

import pytest
from clinical_ner import tracking
from clinical_ner.config import TrainingConfig
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.tracking import dataset_record, log_and_register
from clinical_ner.tracking_download import open_model
from clinical_ner.train import train
from model_registry.reading import TABLES
from model_registry.version import CHAMPION
from model_registry.writing import connect
from rxtract.mlflow_server import runs_page
from rxtract_tagger import Tagger

pytestmark = pytest.mark.stack
TINY = TrainingConfig(
    groups={"bias": (0,), "lower": (-1, 0, 1)}, conjunctions=(), max_iterations=5, swap_copies=0, calibration_folds=0
)


def notes():
    dice = random.Random(1)
    texts = [f"{dice.choice(['fever', 'rash'])} since day {index}" for index in range(30)]
    return [AnnotatedNote(text, (Span(0, text.index(" "), Label.DISEASE),)) for text in texts]


def test_a_version_is_registered_fetched_by_file_and_opened_by_alias(stack, tmp_path):
    address, name = stack.addresses.mlflow_url, f"test-{uuid.uuid4().hex[:8]}"
    files = train(notes(), config=TINY).save(tmp_path)
    registered = log_and_register(
        tmp_path,
        tracking_uri=address,
        name=name,
        alias=CHAMPION,
        experiment=f"{name}-experiment",
        datasets=[dataset_record(notes(), "thirty notes", "training")],
        description="# card",
    )
    client = connect(address)
    source = client.get_model_version_download_uri(name, registered.version)
    assert source.startswith("mlflow-artifacts:/")
    path = source.removeprefix("mlflow-artifacts:/")
    with urllib.request.urlopen(f"{address}/api/2.0/mlflow-artifacts/artifacts/{path}/{TABLES}", timeout=30) as answer:  # noqa: S310  the stack's own address
        assert hashlib.sha256(answer.read()).hexdigest() == files.sha256 == registered.sha256
    opened = open_model(f"models:/{name}@champion", address)
    assert opened.sha256 == files.sha256
    assert opened.tagger.tag(["rash since day 4"])[0].entities[0].label is Label.DISEASE
    for asked in (f"models:/{name}@champion", registered.uri):
        identity = Tagger.open(asked, tracking_uri=address).identity
        assert (identity.name, identity.version, identity.serial) == (name, registered.version, registered.serial)
        assert identity.sha256 == files.sha256
    (logged,) = client.get_run(registered.run_id).inputs.dataset_inputs
    assert logged.dataset.name == "thirty notes"


def test_the_link_to_mlflow_leads_to_the_runs_and_says_who_moves_aliases(stack, monkeypatch):
    name = f"rxtract-{uuid.uuid4().hex[:8]}"
    address = stack.addresses.mlflow_url
    monkeypatch.setattr(tracking, "EXPERIMENT", name)
    assert runs_page(address) == address, "there is no experiment yet"
    client = connect(address)
    client.get_run(tracking.start_run(client, name, "one", {}))
    found = client.get_experiment_by_name(name)
    assert runs_page(address) == f"{address}/#/experiments/{found.experiment_id}/runs"
    assert found.tags["mlflow.experimentKind"] == "custom_model_development"
    assert "rxtract model promote" in found.tags["mlflow.note.content"]
    assert runs_page("http://127.0.0.1:1") == "http://127.0.0.1:1"
