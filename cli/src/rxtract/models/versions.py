"""What the model registry says about versions: aliases, serials, what the gate decided, the report."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from model_registry.version import COMMAND_TAG, RULES_TAG, Version

from rxtract.errors import UserError
from rxtract.mlflow_server import mlflow_refusals

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

REPORT_PLACES = ("report.md", "gate/report.md", "card/report.md")


class Versions:
    """Reads the versions of one registered model."""

    def __init__(self, address: str, name: str) -> None:
        from model_registry.writing import connect

        self._address = address
        self._name = name
        with mlflow_refusals(address):
            self._client: MlflowClient = connect(address)

    def all(self) -> list[Version]:
        """Return every version, newest first.

        Raises:
            UserError: MLflow refused, or the model is unknown.
        """
        found = self._find()
        if found is None:
            raise UserError(f"MLflow at {self._address} knows no model {self._name}: give another by --name")
        return found

    def all_or_none(self) -> list[Version]:
        """Return every version, newest first; none where nothing was ever registered under the name.

        Raises:
            UserError: MLflow refused.
        """
        return self._find() or []

    def registered(self) -> list[ModelVersion]:
        """Return every version as MLflow has it; none where nothing was ever registered under the name."""
        return list(self._client.search_model_versions(f"name='{self._name}'"))

    def tag(self, version: str, tag: str, value: str) -> None:
        """Set a tag of a version."""
        self._client.set_model_version_tag(self._name, version, tag, value)

    def _find(self) -> list[Version] | None:
        from model_registry.writing import all_versions

        with mlflow_refusals(self._address):
            return all_versions(self._client, self._name)

    def file(self, version: str, place: str) -> bytes:
        """Return a file of a version, unchecked.

        Raises:
            UserError: MLflow refused.
        """
        with mlflow_refusals(self._address), TemporaryDirectory() as folder:
            found = self._client.get_model_version(self._name, version)
            path = self._client.download_artifacts(str(found.run_id), f"model/{place}", folder)
            return Path(path).read_bytes()

    def need(self, version: str) -> Version:
        """Return one version.

        Raises:
            UserError: there is none of that number.
        """
        for row in self.all():
            if row.version == version:
                return row
        raise UserError(f"{self._name} has no version {version}: `rxtract model list` names those that are there")

    def champion(self) -> str | None:
        """Return the number of the version that serves, or None."""
        served = self.serving()
        return None if served is None else served.version

    def serving(self) -> Version | None:
        """Return the version that serves, or None."""
        return next((row for row in self.all() if row.serves), None)

    def report(self, version: str) -> str:
        """Return the gate's report of a version, or else its description.

        Raises:
            UserError: the version is unknown or has neither.
        """
        self.need(version)
        with mlflow_refusals(self._address):
            found = self._client.get_model_version(self._name, version)
            return self._report_of(found) or str(found.description or "") or self._none(version)

    def _none(self, version: str) -> str:
        raise UserError(
            f"version {version} of {self._name} has no report: no gate judged it; `rxtract model evaluate {version}` does"
        )

    def _report_of(self, found: ModelVersion) -> str:
        from mlflow.exceptions import MlflowException

        if not found.run_id:
            return ""
        for place in REPORT_PLACES:
            folder = place.rpartition("/")[0] or None
            try:
                listed = {item.path for item in self._client.list_artifacts(found.run_id, folder)}
            except MlflowException:
                continue
            if place in listed:
                return self._text_of(found.run_id, place)
        return ""

    def _text_of(self, run_id: str, place: str) -> str:
        # By the client, which knows its server: mlflow.artifacts.load_text asks the process's own tracking URI instead.
        with TemporaryDirectory() as folder:
            return Path(self._client.download_artifacts(run_id, place, folder)).read_text(encoding="utf-8")


def as_json(version: Version) -> dict[str, Any]:
    """The JSON object of a version, as `--json` prints it; empty strings where a tag was never set."""
    tags = version.tags
    return {
        "version": version.version,
        "aliases": list(version.aliases),
        "serial": version.serial or None,
        "trigger": version.trigger,
        "gate": version.gate,
        "awaits_approval": version.awaits_approval,
        "gate_reasons": version.gate_reasons,
        "created_at_ms": version.created_at_ms,
        "artifact_sha256": version.sha256,
        "dataset_digest": tags.get("dataset_digest", ""),
        "command_id": tags.get(COMMAND_TAG, ""),
        "rules_version": tags.get(RULES_TAG, ""),
    }
