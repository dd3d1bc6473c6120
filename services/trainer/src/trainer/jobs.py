"""What a training or a judgement is given: a folder with orders, labels, live notes and models, for a process of its own."""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from contracts.records import AnnotationValidated, ModelCommand
from lifecycle.gate_config import GateConfig
from runtime.logs import get_logger
from runtime.metrics import Metrics

from trainer import metrics as m
from trainer.adapters.job import JobFailedError, Progress
from trainer.adapters.models import Version
from trainer.domain.story import Drift

_log = get_logger(__name__)
_PLAIN = {"drift", "annotations", "operator", "schedule", "first", "quality"}

RunJob = Callable[[Path, Callable[[], bool], Progress], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a job's material comes from; both are read anew for each job.

    Attributes:
        annotations: All that people have said.
        live_texts: The newest accepted notes, for the shadow.
    """

    annotations: Callable[[], Iterable[AnnotationValidated]]
    live_texts: Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True)
class JobSettings:
    """What every job is told."""

    model_name: str
    roles_key: bytes
    gate: GateConfig
    corpus: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


class HasTables(Protocol):
    """Where the tables of a version come from."""

    def tables(self, version: Version) -> bytes: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who is compared with whom; no challenger: it is trained."""

    champion: Version | None
    challenger: Version | None = None


class Jobs:
    """Fills the folders of jobs and has them run.

    Args:
        may_go_on: Asked now and then while a job runs.
        place: Folder for the jobs' folders; a temporary one when None.
    """

    def __init__(
        self,
        models: HasTables,
        sources: Sources,
        run_job: RunJob,
        settings: JobSettings,
        may_go_on: Callable[[], bool],
        metrics: Metrics,
        place: Path | None,
    ) -> None:
        self._models = models
        self._sources = sources
        self._run_job = run_job
        self._settings = settings
        self._may_go_on = may_go_on
        self._metrics = metrics
        self._place = place

    def folder(self, command: ModelCommand) -> "JobFolder":
        """A folder for one job of a command."""
        return JobFolder(self._place, command.command_id)

    def run(
        self,
        command: ModelCommand,
        folder: Path,
        candidates: Candidates,
        annotations: Iterable[AnnotationValidated],
        drift: Drift,
    ) -> dict[str, Any]:
        """Fill the folder and run the job in it; gives its result.

        Raises:
            JobFailedError: It gave none.
            JobAbandonedError: The work is not ours any more.
        """
        job = json.dumps(self._told(command, candidates, drift), indent=1)
        (folder / "job.json").write_text(job, encoding="utf-8")
        (folder / "roles.key").write_bytes(self._settings.roles_key)
        with (folder / "annotations.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(f"{word.to_json()}\n" for word in annotations)
        with (folder / "live.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(f"{json.dumps({'text': text})}\n" for text in self._sources.live_texts())
        for name, version in (("champion", candidates.champion), ("challenger", candidates.challenger)):
            if version is not None:
                (folder / f"{name}.npz").write_bytes(self._models.tables(version))
        began_s = time.monotonic()
        try:
            return self._run_job(folder, self._may_go_on, _progress)
        except JobFailedError as error:
            _log.error("the job failed", command_id=command.command_id, why=str(error))
            raise
        finally:
            self._metrics.gauge(m.SECONDS).set(time.monotonic() - began_s)

    def _told(self, command: ModelCommand, candidates: Candidates, drift: Drift) -> dict[str, Any]:
        settings = self._settings
        return {
            "kind": "train" if candidates.challenger is None else "evaluate",
            "trigger": trigger(command),
            "segments": list(drift.segments),
            "since": drift.since,
            "command_id": command.command_id,
            "seed": settings.seed,
            "model_name": settings.model_name,
            "champion": _reference(candidates.champion),
            "challenger": _reference(candidates.challenger),
            "corpus": dict(settings.corpus),
            "training": dict(settings.training),
            "gate": settings.gate.to_dict(),
        }


class JobFolder:
    """A folder that only we read, gone afterwards: it holds notes."""

    def __init__(self, place: Path | None, command_id: str) -> None:
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
        self._path = Path(tempfile.mkdtemp(prefix=f"job-{command_id[:8]}-", dir=place))

    def __enter__(self) -> Path:
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


def trigger(command: ModelCommand) -> str:
    """Why a model is trained, in one of few words."""
    return command.reason if command.reason in _PLAIN else "operator"


def _reference(version: Version | None) -> dict[str, str] | None:
    return None if version is None else {"version": version.version, "artifact_sha256": version.sha256}


def _progress(line: Mapping[str, Any]) -> None:
    _log.info("job", stage=str(line.get("stage", "")), done=line.get("done"), of=line.get("of"))
