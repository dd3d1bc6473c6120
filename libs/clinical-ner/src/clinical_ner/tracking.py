"""Logs a trained model to MLflow and registers it as a version: what the trainer, the demo and the CLI all call.

How a version lies there: its source folder is a pyfunc model ("models from code") whose `artifacts/` hold
`model.crfsuite`, `tables.npz` and `metadata.json`. Services fetch `artifacts/tables.npz` and check it against the
version's tag `artifact_sha256`. Only the client API is used: no global state of MLflow is touched, so threads may log.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from model_registry.version import DIGEST_TAG
from model_registry.writing import MODEL_PATH, connect, create_version, set_alias

from clinical_ner.datasets import digest
from clinical_ner.notes import Label
from clinical_ner.tagger import Tagger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mlflow.tracking import MlflowClient
    from model_registry.version import Version

    from clinical_ner.notes import AnnotatedNote

MODEL_NAME = "rxtract-ner"
EXPERIMENT = "rxtract"
_DIGEST_CHARS = 32  # MLflow takes at most 36 for a data set; the whole digest stands in the tags
_PARAM_CHARS = 500
_BATCH = 100


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """A data set as MLflow shall know it."""

    name: str
    digest: str
    context: str  # "training" or "evaluation"
    source: str = ""
    profile: Mapping[str, Any] = field(default_factory=dict)


def dataset_record(notes: Sequence[AnnotatedNote], name: str, context: str, source: str = "") -> DatasetRecord:
    """Return the record of `notes`: their digest and their counts, no text."""
    profile: dict[str, Any] = {"notes": len(notes), "characters": sum(len(note.text) for note in notes)}
    for label in Label:
        profile[str(label)] = sum(span.label is label for note in notes for span in note.spans)
    return DatasetRecord(name, digest(notes), context, source or name, profile)


def log_and_register(
    directory: Path,
    *,
    tracking_uri: str,
    name: str = MODEL_NAME,
    alias: str | None = None,
    experiment: str = EXPERIMENT,
    run_name: str | None = None,
    datasets: Sequence[DatasetRecord] = (),
    scores: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    trigger: str = "manual",
    description: str = "",
    reports: Path | None = None,
    check: Callable[[], None] | None = None,
) -> Version:
    """Log the model saved in `directory` as a run, and register it.

    Args:
        directory: Where `TrainedModel.save` wrote.
        tracking_uri: The MLflow server.
        name: The registered model.
        alias: Set on the new version when given. For `champion`, the version that held it becomes `previous`.
        experiment: The MLflow experiment; made when missing.
        run_name: Shown in MLflow.
        datasets: Logged as inputs; the first with context "training" gives the tag `dataset_digest`.
        scores: As `evaluate.score` returns them; logged as metrics such as `exact_span/DISEASE/f1`.
        params: Logged beside the training configuration found in the artifact.
        tags: More tags of the version and the run, such as command_id.
        trigger: Why the model was trained: manual, drift, annotations, first.
        description: The model card in Markdown.
        reports: A folder of plots and reports, logged under `card/`.
        check: Called when all is logged, directly before the version is made; what it raises leaves a failed run and no version.

    Raises:
        ArtifactRefused: The saved tables are damaged.
        MlflowException: MLflow could not be reached or refused.
    """
    client = connect(tracking_uri)
    opened = _Opened.read(directory)
    training = next((record.digest for record in datasets if record.context == "training"), "")
    all_tags = {
        DIGEST_TAG: opened.sha256,
        "dataset_digest": training,
        "trigger": trigger,
        "git_revision": git_revision(),
        "features_version": str(opened.metadata.get("features_version", "")),
        **(tags or {}),
    }
    run_id = _start_run(client, experiment, run_name, all_tags)
    try:
        log_params(client, run_id, {**dict(opened.metadata.get("config") or {}), **(params or {})})
        log_datasets(client, run_id, datasets)
        log_metrics(client, run_id, scores or {})
        _log_model(client, run_id, opened)
        _log_card(client, run_id, description, reports)
        if check is not None:
            check()
        registered = _register(client, name, run_id, all_tags, description, alias)
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")
    return registered


def start_run(
    client: MlflowClient, experiment: str, run_name: str | None, tags: Mapping[str, str], parent: str | None = None
) -> str:
    """Start a run, in a parent run when given, and return its id."""
    nested = {"mlflow.parentRunId": parent} if parent else {}
    return _start_run(client, experiment, run_name, {**tags, **nested})


def log_params(client: MlflowClient, run_id: str, values: Mapping[str, Any]) -> None:
    """Log nested values as flat parameters, cut to what MLflow takes."""
    params = [Param(key, str(value)[:_PARAM_CHARS]) for key, value in _flat(values, ".")]
    for start in range(0, len(params), _BATCH):
        client.log_batch(run_id, params=params[start : start + _BATCH])


def log_metrics(client: MlflowClient, run_id: str, scores: Mapping[str, Any], step: int = 0) -> None:
    """Log every number of nested scores as one metric, such as `exact_span/DISEASE/f1`."""
    now = int(time.time() * 1000)
    numbers = [(key, value) for key, value in _flat(scores, "/") if isinstance(value, int | float)]
    metrics = [Metric(key, float(value), now, step) for key, value in numbers if not isinstance(value, bool)]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])


def log_datasets(client: MlflowClient, run_id: str, datasets: Sequence[DatasetRecord]) -> None:
    """Log data sets as inputs of a run, so that MLflow shows which version trained and which judged."""
    inputs = [
        DatasetInput(
            Dataset(
                name=record.name,
                digest=record.digest[:_DIGEST_CHARS],
                source_type="local",
                source=json.dumps({"uri": record.source}),
                profile=json.dumps(dict(record.profile)),
            ),
            [InputTag("mlflow.data.context", record.context)],
        )
        for record in datasets
    ]
    if inputs:
        client.log_inputs(run_id, inputs)


def git_revision() -> str:
    """Return RXTRACT_GIT_REVISION (set in images), else the revision of the checkout around the code, else ""."""
    named = os.environ.get("RXTRACT_GIT_REVISION")
    if named:
        return named
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()


@dataclass(frozen=True, slots=True)
class _Opened:
    """The saved files, verified once by opening them."""

    crfsuite: Path
    tables: Path
    sha256: str
    metadata: Mapping[str, Any]

    @classmethod
    def read(cls, directory: Path) -> _Opened:
        import hashlib

        tables = directory / "tables.npz"
        sha256 = hashlib.sha256(tables.read_bytes()).hexdigest()
        return cls(directory / "model.crfsuite", tables, sha256, Tagger.open(tables, sha256=sha256).metadata)


def _start_run(client: MlflowClient, experiment: str, run_name: str | None, tags: Mapping[str, str]) -> str:
    run = client.create_run(_experiment_id(client, experiment), run_name=run_name, tags=dict(tags))
    return str(run.info.run_id)


# Else MLflow opens the experiment on its page for traces of language models, which stays empty.
_KIND = {"mlflow.experimentKind": "custom_model_development"}
_NOTE = {
    "mlflow.note.content": (
        "One run for each training, with its data, parameters, scores and charts. Versions are registered under Models; their aliases "
        "(champion, challenger, previous) are moved by the gate and by `rxtract model promote|rollback` alone: an alias moved by "
        "hand has no serial of its own, and services that follow `model.events.v1` do not hear of it."
    ),
}


def _experiment_id(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name, tags=_KIND | (_NOTE if name == EXPERIMENT else {})))
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
        return _experiment_id(client, name)  # another process made it meanwhile


def _log_model(client: MlflowClient, run_id: str, opened: _Opened) -> None:
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow asks for an input example: it would tag it, which the canaries did
        metadata = Path(folder) / "metadata.json"
        metadata.write_text(json.dumps(dict(opened.metadata), sort_keys=True, indent=1), encoding="utf-8")
        target = Path(folder) / "model"
        mlflow.pyfunc.save_model(
            path=str(target),
            python_model=str(Path(__file__).with_name("tracking_pyfunc.py")),
            artifacts={
                "tables": str(opened.tables),
                "crfsuite": str(opened.crfsuite),
                "metadata": str(metadata),
            },
            signature=ModelSignature(inputs=Schema([ColSpec("string")])),
            pip_requirements=["mlflow", "numpy", "rxtract-clinical-ner"],
        )
        client.log_artifacts(run_id, str(target), MODEL_PATH)


def _log_card(client: MlflowClient, run_id: str, description: str, reports: Path | None) -> None:
    if description:
        client.log_text(run_id, description, "card/model_card.md")
    if reports is not None:
        client.log_artifacts(run_id, str(reports), "card")


def _register(
    client: MlflowClient, name: str, run_id: str, tags: Mapping[str, str], description: str, alias: str | None
) -> Version:
    about = "Disease and Treatment entities of clinical notes (CRF)"
    registered = create_version(client, name, run_id, tags, about=about, description=description)
    if alias is None:
        return registered
    set_alias(client, name, alias, registered.version)
    return replace(registered, aliases=(alias,))


def _flat(values: Mapping[str, Any], separator: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, separator, f"{prefix}{key}{separator}")
        else:
            yield f"{prefix}{key}", value
