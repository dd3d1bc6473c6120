"""Fetches a model for evaluation: from a folder, or from MLflow by URI, checked by digest before it is opened."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_ner.artifact import check_beside
from clinical_ner.tagger import ArtifactRefused, Tagger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

_MODEL_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
_RUN_URI = re.compile(r"runs:/(?P<run>[^/]+)(?:/(?P<path>.+?))?/?")


class ModelUnavailable(ValueError):
    """A model that cannot be fetched; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model ready to tag, and where it came from; `serial` is 0 where it was never promoted, `data` the file's content."""

    tagger: Tagger
    source: str
    sha256: str
    serial: int = 0
    data: bytes = field(default=b"", repr=False)


def open_model(address: str, tracking_uri: str = "") -> OpenedModel:
    """Open a model from a folder, a tables file, `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `runs:/RUN[/PATH]`.

    Raises:
        ModelUnavailable: Nothing is there, or MLflow could not be asked.
        ArtifactRefused: What is there is damaged.
    """
    if address.startswith(("models:/", "runs:/")):
        return _from_mlflow(address, tracking_uri)
    path = Path(address)
    tables = path / "tables.npz" if path.is_dir() else path
    if not tables.is_file():
        raise ModelUnavailable(
            f"{address}: no model there: give the folder that `rxtract train --out` wrote, models:/NAME@ALIAS or runs:/RUN"
        )
    opened = _opened(tables.read_bytes(), str(path), None)
    if path.is_dir():
        check_beside(path, opened.tagger.metadata)
    return opened


def _opened(data: bytes, source: str, sha256: str | None, serial: int = 0) -> OpenedModel:
    import hashlib

    return OpenedModel(Tagger.open(data, sha256=sha256), source, hashlib.sha256(data).hexdigest(), serial, data)


def _from_mlflow(address: str, tracking_uri: str) -> OpenedModel:
    if not tracking_uri:
        raise ModelUnavailable(f"{address}: no MLflow address: give --tracking-uri, or set RXTRACT_MLFLOW_URL")
    from model_registry.writing import connect

    try:
        client = connect(tracking_uri)
        folder, tags, source = _located(client, address)
        sha256 = tags.get("artifact_sha256", "")
        if not sha256:
            raise ArtifactRefused(f"{address}: no artifact_sha256 tag to check it by: register it with rxtract")
        data = _downloaded(folder, tracking_uri)
    except _refusals() as error:
        reason = str(error).splitlines()[0][:200]
        raise ModelUnavailable(f"{address}: MLflow at {tracking_uri} says: {reason}") from None
    return _opened(data, source, sha256, int(tags.get("serial", 0)))


def _refusals() -> tuple[type[Exception], ...]:
    """Return what MLflow raises where it cannot answer; a database speaks for itself, and only the full MLflow knows databases."""
    from mlflow.exceptions import MlflowException

    try:
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        return (MlflowException,)
    return (MlflowException, SQLAlchemyError)


def _located(client: MlflowClient, address: str) -> tuple[str, Mapping[str, str], str]:
    """Return the folder of the pyfunc model, its tags (digest, serial), and the exact version's address."""
    found = _MODEL_URI.fullmatch(address)
    if found is not None:
        version: ModelVersion = (
            client.get_model_version_by_alias(found["name"], found["alias"])
            if found["alias"]
            else client.get_model_version(found["name"], found["version"])
        )
        exact = f"models:/{version.name}/{version.version}"
        folder = client.get_model_version_download_uri(version.name, str(version.version))
        return str(folder), version.tags, exact
    found = _RUN_URI.fullmatch(address)
    if found is None:
        raise ModelUnavailable(
            f"{address}: not understood: write models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN"
        )
    run: Run = client.get_run(found["run"])
    folder = f"{run.info.artifact_uri}/{found['path'] or 'model'}"
    return folder, run.data.tags, f"runs:/{found['run']}/{found['path'] or 'model'}"


def _downloaded(folder: str, tracking_uri: str) -> bytes:
    import tempfile

    from mlflow.artifacts import download_artifacts

    with tempfile.TemporaryDirectory() as target:
        path = download_artifacts(
            artifact_uri=f"{folder}/artifacts/tables.npz", dst_path=target, tracking_uri=tracking_uri
        )
        return Path(path).read_bytes()
