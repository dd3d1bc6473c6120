"""The model registry as the trainer uses it: what a job made is registered once, and what the gate said stands beside it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clinical_ner.tracking import DatasetRecord, log_and_register
from model_registry.reading import ModelReader
from model_registry.version import AGAINST_TAG, COMMAND_TAG, GATE_TAG, REASONS_TAG, Version, number_of
from model_registry.writing import RegistryWriter, answered

MOST_TAG_CHARS = 4_000


class JobRegistry(RegistryWriter):
    """MLflow's registry for one model, with what jobs made.

    Args:
        url: MLflow's address.
        name: Registered model.
        files: Fetches tables.
    """

    def __init__(self, url: str, name: str, files: ModelReader) -> None:
        super().__init__(url, name)
        self._files = files

    @answered
    def tables(self, version: Version) -> bytes:
        """The bytes of a version's tables, unchecked."""
        known = self._files.by_version(self._name, version.version)
        return b"" if known is None else self._files.tables(known)

    @answered
    def register(
        self,
        folder: Path,
        result: Mapping[str, Any],
        tags: Mapping[str, str],
        trigger: str,
        check: Callable[[], None],
    ) -> Version:
        """Log a job's model with its data sets, scores, card and report, and register it, once for its command.

        `check` raises when the work is not ours any more; it is asked at the last moment, since the upload takes seconds.
        """
        reports = folder / "reports"
        reports.mkdir(exist_ok=True)
        for name in ("report.md", "dataset_report.json", "dataset_report.md", "result.json"):
            if (folder / name).exists():
                (reports / name).write_bytes((folder / name).read_bytes())
        registered = log_and_register(
            folder / "model",
            tracking_uri=self._url,
            name=self._name,
            run_name=f"{trigger} {tags[COMMAND_TAG][:8]}",
            datasets=[_dataset(row) for row in result.get("datasets", ())],
            scores={"gate": dict(result.get("metrics", {})), **dict(result.get("scores", {}))},
            tags={
                **tags,
                GATE_TAG: str(result["decision"]).lower(),
                REASONS_TAG: reasons_tag(result["reasons"]),
            },
            trigger=trigger,
            description=_text(folder / "report.md"),
            reports=reports,
            check=check,
        )
        first = self.of_command(tags[COMMAND_TAG])
        if first is None or first.version == registered.version:
            return self._version(registered.version)
        # Another trainer registered one between our look and our call, which MLflow cannot fence: the first one counts.
        self._client.delete_model_version(self._name, registered.version)
        return first

    @answered
    def judge(self, version: Version, folder: Path, result: Mapping[str, Any], champion: Version | None) -> Version:
        """Note what the gate said of a version that was offered, and against which champion."""
        # A verdict without its champion counts against none, so that one goes first and comes last.
        self._drop_tag(version, AGAINST_TAG)
        self._client.set_model_version_tag(self._name, version.version, GATE_TAG, str(result["decision"]).lower())
        reasons = reasons_tag(result["reasons"])
        self._client.set_model_version_tag(self._name, version.version, REASONS_TAG, reasons)
        report = _text(folder / "report.md")
        if report and version.run_id:
            self._client.log_text(version.run_id, report, "card/report.md")
        self._client.update_model_version(self._name, version.version, report)
        self._client.set_model_version_tag(self._name, version.version, AGAINST_TAG, number_of(champion))
        return self._version(version.version)


def _dataset(row: Mapping[str, Any]) -> DatasetRecord:
    profile = {key: value for key, value in row.items() if key not in ("name", "digest", "context")}
    return DatasetRecord(str(row["name"]), str(row["digest"]), str(row["context"]), "annotations.validated.v1", profile)


def reasons_tag(reasons: Sequence[str]) -> str:
    """Reasons as a JSON list that a tag of MLflow holds whole: the last ones are left out, the report has them all."""
    kept = [reason[: MOST_TAG_CHARS // 4] for reason in reasons]
    while len(text := json.dumps(kept)) > MOST_TAG_CHARS:
        kept.pop()
    return text


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
