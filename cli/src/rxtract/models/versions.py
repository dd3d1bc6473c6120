"""What the model registry says about versions: aliases, serials, what the gate decided, the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rxtract.errors import UserError
from rxtract.mlflow_server import mlflow_told

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

CHAMPION = "champion"
REPORT_PLACES = ("report.md", "gate/report.md", "card/report.md")


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version. Empty strings where a tag was never set."""

    version: str
    aliases: tuple[str, ...]
    serial: int | None
    trigger: str
    gate: str
    gate_reasons: str
    created_at_ms: int
    artifact_sha256: str
    dataset_digest: str
    command_id: str
    rules_version: str = ""

    @property
    def serves(self) -> bool:
        """Whether it is the champion."""
        return CHAMPION in self.aliases

    def to_dict(self) -> dict[str, Any]:
        """Return it as the JSON object of `--json`."""
        return {**asdict(self), "aliases": list(self.aliases)}


class Versions:
    """Reads the versions of one registered model."""

    def __init__(self, address: str, name: str) -> None:
        from clinical_ner.tracking import connect

        self._address = address
        self._name = name
        self._client: MlflowClient = connect(address)

    def all(self) -> list[Version]:
        """Return every version, newest first.

        Raises:
            UserError: MLflow refused, or the model is unknown.
        """
        with mlflow_told(self._address):
            aliases = self._aliases()
        if aliases is None:
            raise UserError(f"MLflow at {self._address} knows no model {self._name}: give another by --name")
        return self._rows(aliases)

    def all_or_none(self) -> list[Version]:
        """Return every version, newest first; none where nothing was ever registered under the name.

        Raises:
            UserError: MLflow refused.
        """
        with mlflow_told(self._address):
            aliases = self._aliases()
        return [] if aliases is None else self._rows(aliases)

    def file(self, version: str, place: str) -> bytes:
        """Return a file of a version, unchecked.

        Raises:
            UserError: MLflow refused.
        """
        with mlflow_told(self._address), TemporaryDirectory() as folder:
            found = self._client.get_model_version(self._name, version)
            path = self._client.download_artifacts(str(found.run_id), f"model/{place}", folder)
            return Path(path).read_bytes()

    def _rows(self, aliases: dict[str, tuple[str, ...]]) -> list[Version]:
        with mlflow_told(self._address):
            found = self._client.search_model_versions(f"name='{self._name}'")
        rows = [_version(one, aliases) for one in found]
        return sorted(rows, key=lambda row: int(row.version), reverse=True)

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
        with mlflow_told(self._address):
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

    def _aliases(self) -> dict[str, tuple[str, ...]] | None:
        """The aliases of each version that has one; None: there is no such model."""
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

        try:
            aliases = self._client.get_registered_model(self._name).aliases
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                raise
            return None
        held: dict[str, tuple[str, ...]] = {}
        for alias, version in sorted(aliases.items()):
            held[str(version)] = (*held.get(str(version), ()), alias)
        return held


def _version(found: ModelVersion, aliases: dict[str, tuple[str, ...]]) -> Version:
    tags = found.tags
    serial = tags.get("serial", "")
    return Version(
        version=str(found.version),
        aliases=aliases.get(str(found.version), ()),
        serial=int(serial) if serial.isdigit() else None,
        trigger=tags.get("trigger", ""),
        gate=tags.get("gate", ""),
        gate_reasons=tags.get("gate.reasons", ""),
        created_at_ms=int(found.creation_timestamp),
        artifact_sha256=tags.get("artifact_sha256", ""),
        dataset_digest=tags.get("dataset_digest", ""),
        command_id=tags.get("command_id", ""),
        rules_version=tags.get("rules_version", ""),
    )
