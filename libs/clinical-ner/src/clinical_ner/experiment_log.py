"""Where experiments are written: a parent run with nested runs in MLflow, or nowhere when no server is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clinical_ner.tracking import DatasetRecord


class ExperimentLog(Protocol):
    """One experiment: what it found, its files, and its parts as nested runs."""

    @property
    def run_id(self) -> str:
        """The parent run; empty where nothing is logged."""

    def child(
        self, name: str, params: Mapping[str, Any], metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        """Log one finished part as a nested run."""

    def finish(self, metrics: Mapping[str, Any], files: Sequence[Path]) -> None:
        """Log what the whole found."""

    def fail(self) -> None:
        """Say that the experiment did not come to its end."""


class NoLog:
    """Logs nothing."""

    run_id = ""

    def child(
        self, name: str, params: Mapping[str, Any], metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        """Do nothing."""

    def finish(self, metrics: Mapping[str, Any], files: Sequence[Path]) -> None:
        """Do nothing."""

    def fail(self) -> None:
        """Do nothing."""


class MlflowLog:
    """Logs to MLflow. `resumed` names the parent run of an earlier, interrupted part of the same experiment."""

    def __init__(
        self,
        tracking_uri: str,
        experiment: str,
        run_name: str,
        datasets: Sequence[DatasetRecord],
        params: Mapping[str, Any],
        resumed: str = "",
    ) -> None:
        from model_registry.writing import connect

        from clinical_ner import tracking

        self._client = connect(tracking_uri)
        self._experiment = experiment
        self.run_id = resumed
        if resumed:
            self._client.update_run(resumed, "RUNNING")
            return
        tags = {"git_revision": tracking.git_revision()}
        tags |= {f"{record.context}_digest": record.digest for record in datasets}
        self.run_id = tracking.start_run(self._client, experiment, run_name, tags)
        tracking.log_params(self._client, self.run_id, params)
        tracking.log_datasets(self._client, self.run_id, datasets)

    def child(
        self, name: str, params: Mapping[str, Any], metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        """Log one finished part as a nested run."""
        from clinical_ner import tracking

        run_id = tracking.start_run(self._client, self._experiment, name, tags, parent=self.run_id)
        tracking.log_params(self._client, run_id, params)
        tracking.log_metrics(self._client, run_id, metrics)
        self._client.set_terminated(run_id, "FINISHED")

    def finish(self, metrics: Mapping[str, Any], files: Sequence[Path]) -> None:
        """Log figures and files, and end the parent run."""
        from clinical_ner import tracking

        tracking.log_metrics(self._client, self.run_id, metrics)
        for file in files:
            self._client.log_artifact(self.run_id, str(file), "report")
        self._client.set_terminated(self.run_id, "FINISHED")

    def fail(self) -> None:
        """End the parent run as failed."""
        self._client.set_terminated(self.run_id, "FAILED")
