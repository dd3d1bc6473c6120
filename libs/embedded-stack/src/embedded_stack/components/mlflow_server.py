"""MLflow's tracking server and model registry, on an SQLite file."""

from __future__ import annotations

from embedded_stack import ports, probes
from embedded_stack.bytecode import bytecode_env
from embedded_stack.children import python_argv
from embedded_stack.components.base import Component, Program


class MlflowServer(Component):
    """One MLflow process that never unpickles and has no job runner."""

    name = "mlflow"
    title = "MLflow"
    port_names = ("mlflow",)

    @property
    def address(self) -> str:
        """URL of the tracking server and the model registry."""
        return f"http://{ports.LOOPBACK}:{self.port()}"

    def prepare(self) -> Program:
        """Lay out an empty database and say how to serve it."""
        folder = self.site.folder("mlflow")
        argv = python_argv(
            "embedded_stack.mlflow_main",
            f"--port={self.port()}",
            f"--database={folder / 'mlflow.db'}",
            f"--artifacts={folder / 'artifacts'}",
        )
        return Program(argv, {**SETTINGS, **bytecode_env(self.site.cache.root)}, folder)

    def is_ready(self) -> bool:
        """Whether it answers a search for experiments."""
        url = f"{self.address}/api/2.0/mlflow/experiments/search?max_results=1"
        return ports.accepts_connections(self.port()) and probes.http_ok(url, timeout_s=30.0)


SETTINGS = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # else five workers of 250 MB each
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
