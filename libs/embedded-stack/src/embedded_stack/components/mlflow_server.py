"""MLflow's tracking server and model registry, on an SQLite file."""

from __future__ import annotations

import importlib.metadata
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from embedded_stack import ports, probes
from embedded_stack.bytecode import bytecode_env
from embedded_stack.children import python_argv
from embedded_stack.components.base import Component, Program
from embedded_stack.drafts import draft_of

if TYPE_CHECKING:
    from pathlib import Path


SETTINGS = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # else five workers of 250 MB each
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


class MlflowServer(Component):
    """One MLflow process that never unpickles and has no job runner."""

    name = "mlflow"
    title = "MLflow"
    port_names = ("mlflow",)
    _laid_out_now = False

    @property
    def address(self) -> str:
        """URL of the tracking server and the model registry."""
        return f"http://{ports.LOOPBACK}:{self.port()}"

    def prepare(self) -> Program:
        """Lay out an empty database and say how to serve it."""
        folder = self.site.folder("mlflow")
        database = folder / "mlflow.db"
        self._laid_out_now = not database.exists()
        if self._laid_out_now and self._template.exists():
            shutil.copyfile(self._template, database)
        argv = python_argv(
            "embedded_stack.mlflow_main",
            f"--port={self.port()}",
            f"--database={database}",
            f"--artifacts={folder / 'artifacts'}",
        )
        return Program(argv, {**SETTINGS, **bytecode_env(self.site.cache.root)}, folder)

    def is_ready(self) -> bool:
        """Whether it answers a search for experiments."""
        url = f"{self.address}/api/2.0/mlflow/experiments/search?max_results=1"
        return ports.accepts_connections(self.port()) and probes.http_ok(url, timeout_s=30.0)

    def when_ready(self) -> None:
        """Keep a copy of a database that has just been laid out: its migrations cost every new stack 2 s."""
        if self._laid_out_now and not self._template.exists():
            with self.site.cache.exclusive():
                copy_database(self.site.data_dir / "mlflow" / "mlflow.db", self._template)

    @property
    def _template(self) -> Path:
        return self.site.cache.root / "made" / f"mlflow-{importlib.metadata.version('mlflow')}-empty.db"


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite database that may be open elsewhere; the copy appears whole or not at all."""
    with (
        draft_of(target) as draft,
        closing(sqlite3.connect(source)) as original,
        closing(sqlite3.connect(draft)) as copy,
    ):
        original.backup(copy)
