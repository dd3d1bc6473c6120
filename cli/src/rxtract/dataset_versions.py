"""Versions of data sets in MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from rxtract.mlflow_server import mlflow_refusals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def log_version(source: str, digest: str, profile: Mapping[str, int], server: str, artifacts: Sequence[Path]) -> None:
    """Log a version of a data set to MLflow, if there is one; `profile` is what was counted of it."""
    if not server:
        return
    from clinical_ner.experiment_log import MlflowLog
    from clinical_ner.tracking import EXPERIMENT, DatasetRecord

    record = DatasetRecord(source, digest, "dataset", source, profile)
    with mlflow_refusals(server):
        log = MlflowLog(server, EXPERIMENT, f"data set {source}", [record], {})
        log.finish(record.profile, artifacts)
    Console(stderr=True, highlight=False).print(f"logged to MLflow as {source}, version {record.digest[:32]}")
