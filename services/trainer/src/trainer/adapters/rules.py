"""Releases of rules: their registry, and the judgement of one in a folder of a job."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clinical_ner.phrases import TableInvalid
from clinical_ner.rules import Rules, open_rules, shipped_rules
from clinical_ner.rules_tracking import SHIPPED, register_rules
from lifecycle.gate import GateDecision
from lifecycle.rules_gate import RulesGateConfig, judge_rules, rules_report
from lifecycle.rules_gold import GoldNote, shipped_gold
from model_registry.version import DIGEST_TAG, PREVIOUS, Version
from model_registry.writing import answered

from trainer.adapters.models import JobRegistry
from trainer.domain.job_runs import Progress, RunJob


class RulesRegistry(JobRegistry):
    """MLflow's registry for the rules. Before the first release those of the program serve, under serial 0."""

    def promote(self, version: Version, champion: Version | None, command_id: str, kind: str) -> Version:
        """Let a version serve, as a model does; the first one leaves the program's own rules to go back to."""
        if champion is None and version.sha256 != shipped_rules().sha256:
            self._keep_shipped()
        return super().promote(version, champion, command_id, kind)

    @answered
    def _keep_shipped(self) -> None:
        """May be done again: they are registered once."""
        shipped = shipped_rules()
        found = self._client.search_model_versions(f"name='{self._name}'")
        known = [one for one in found if one.tags.get(DIGEST_TAG) == shipped.sha256]
        number = (
            str(known[0].version)
            if known
            else register_rules(shipped, tracking_uri=self._url, name=self._name, trigger=SHIPPED).version
        )
        self._client.set_model_version_tag(self._name, number, "served", "true")
        self._client.set_registered_model_alias(self._name, PREVIOUS, number)


def rules_job(config: RulesGateConfig, gold: Callable[[], Sequence[GoldNote]] = shipped_gold) -> RunJob:
    """The judgement of rules as `trainer.jobs` runs jobs: a folder in, a result out, in well under a second."""

    def run(folder: Path, _may_go_on: Callable[[], bool], _progress: Progress) -> dict[str, Any]:
        began_s = time.monotonic()
        job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        try:
            offered = _read(folder, "challenger", job)
        except TableInvalid as error:
            return {"decision": str(GateDecision.REJECT), "reasons": [str(error)], "metrics": {}}
        serving, remark = _serving(folder, job)
        notes = gold()
        verdict, pairs = judge_rules(serving, offered, notes, config, first=job["champion"] is None)
        report = rules_report(verdict, pairs, (serving.version, offered.version))
        (folder / "report.md").write_text(report, encoding="utf-8")
        reasons = [*remark, f"rules {offered.version} against {serving.version}", *verdict.reasons]
        return {
            "decision": str(verdict.decision),
            "reasons": reasons,
            "metrics": dict(verdict.metrics),
            "seconds": time.monotonic() - began_s,
        }

    return run


def _serving(folder: Path, job: dict[str, Any]) -> tuple[Rules, list[str]]:
    """What serves; this program's own rules where none were released, or where it cannot read them any more."""
    if job["champion"] is None:
        return shipped_rules(), []
    try:
        return _read(folder, "champion", job), []
    except TableInvalid as error:
        return shipped_rules(), [f"the rules that serve cannot be read ({error}): compared with those of this program"]


def _read(folder: Path, who: str, job: dict[str, Any]) -> Rules:
    return open_rules((folder / f"{who}.npz").read_bytes(), str(job[who]["artifact_sha256"]))
