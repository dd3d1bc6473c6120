"""Versions of data sets in MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from rxtract.mlflow_server import mlflow_refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from clinical_ner.notes import AnnotatedNote


def log_version(notes: Iterable[AnnotatedNote], source: str, server: str, artifacts: Sequence[Path]) -> None:
    """Log a version of a data set to MLflow, if there is one."""
    if not server:
        return
    from clinical_ner.experiment_log import MlflowLog
    from clinical_ner.tracking import EXPERIMENT, dataset_record

    record = dataset_record(notes, source, "dataset")
    with mlflow_refusals(server):
        log = MlflowLog(server, EXPERIMENT, f"data set {source}", [record], {})
        log.finish(record.profile, artifacts)
    Console(stderr=True, highlight=False).print(f"logged to MLflow as {source}, version {record.digest[:32]}")
