"""What a training or a judgement is given: a folder with orders, labels, live notes and models, for a process of its own."""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from contracts.records import AnnotationValidated, AnnotatorJudged, ModelCommand
from lifecycle.gate_config import GateConfig
from model_registry.version import Version
from runtime.errors import Recoverable
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics

from trainer import metrics as m
from trainer.domain.context import Drift
from trainer.domain.job_runs import JobAbandonedError, JobFailedError, RunJob

_log = get_logger(__name__)
_PLAIN = {"drift", "annotations", "operator", "schedule", "first", "quality"}


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a job's material comes from; both are read anew for each job.

    Attributes:
        annotations: All that people have said.
        live_texts: The newest notes of live traffic, for the shadow.
        judged: Whose labels are held, as the review desk and its leads decided; read after the annotations.
    """

    annotations: Callable[[], Iterable[AnnotationValidated]]
    live_texts: Callable[[], Sequence[str]]
    judged: Callable[[], Iterable[AnnotatorJudged]] = tuple


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


_About = tuple[str, str | None, str | None]


class Finished:
    """What came of a job, in its folder. The folder holds notes: it is gone once this was used, in a `with`.

    It stays when what its result was meant for is away (`Recoverable`) or was not ours to touch (`JobAbandonedError`): the same
    order, taken up again, goes on from here. Once the order is another trainer's, or has ended, `Jobs.keep_only` drops it.

    Attributes:
        annotations_read: How many annotations there were for it.
    """

    def __init__(self, about: _About, folder: Path, result: dict[str, Any], annotations_read: int) -> None:
        self.about = about
        self.folder = folder
        self.result = result
        self.annotations_read = annotations_read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or not issubclass(kind, Recoverable | JobAbandonedError):
            self.drop()

    def drop(self) -> None:
        """Nobody wants it any more."""
        shutil.rmtree(self.folder, ignore_errors=True)


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
        *,
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
        self._last: Finished | None = None

    def kept(self, command: ModelCommand, candidates: Candidates) -> Finished | None:
        """What came of an earlier run of the same job, when it could not be used then."""
        last = self._last
        if last is None or last.about != _about(command, candidates) or not last.folder.exists():
            return None
        _log.info("taken up again: the job had been done", command_id=command.command_id)
        return last

    def settled(self, command: ModelCommand) -> None:
        """What was kept for an order is dropped once there was something to say of it: it ended, or waits for labels."""
        if self._last is not None and self._last.about[0] == command.command_id:
            self._last.drop()

    def keep_only(self, open_orders: Container[str]) -> None:
        """What was kept for any other order is dropped: it ended elsewhere, or is another trainer's. Not while a job runs."""
        if self._last is not None and self._last.about[0] not in open_orders:
            self._last.drop()
            self._last = None

    def run(
        self,
        command: ModelCommand,
        candidates: Candidates,
        annotations: Sequence[AnnotationValidated],
        drift: Drift,
    ) -> Finished:
        """Fill a folder and run a job in it. What an earlier one left is dropped: one at most is kept.

        Raises:
            JobFailedError: It gave no result.
            JobAbandonedError: The work is not ours any more.
        """
        if self._last is not None:
            self._last.drop()
        folder = _create_folder(self._place, command.command_id)
        try:
            self._fill(folder, command, candidates, annotations, drift)
            result = self._watched(command, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._last = Finished(_about(command, candidates), folder, result, len(annotations))
        return self._last

    def _fill(
        self,
        folder: Path,
        command: ModelCommand,
        candidates: Candidates,
        annotations: Sequence[AnnotationValidated],
        drift: Drift,
    ) -> None:
        job = json.dumps(self._described(command, candidates, drift), indent=1)
        (folder / "job.json").write_text(job, encoding="utf-8")
        (folder / "roles.key").write_bytes(self._settings.roles_key)
        with (folder / "annotations.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(f"{word.to_json()}\n" for word in annotations)
        with (folder / "judged.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(f"{event.to_json()}\n" for event in self._sources.judged())
        with (folder / "live.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(f"{json.dumps({'text': text})}\n" for text in self._sources.live_texts())
        for name, version in (("champion", candidates.champion), ("challenger", candidates.challenger)):
            if version is not None:
                (folder / f"{name}.npz").write_bytes(self._models.tables(version))

    def _watched(self, command: ModelCommand, folder: Path) -> dict[str, Any]:
        began_s = time.monotonic()
        try:
            return self._run_job(folder, self._may_go_on, _progress)
        except JobFailedError as error:
            _log.error("the job failed", command_id=command.command_id, why=str(error))
            raise
        finally:
            self._metrics.gauge(m.SECONDS).set(time.monotonic() - began_s)

    def _described(self, command: ModelCommand, candidates: Candidates, drift: Drift) -> dict[str, Any]:
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


def _about(command: ModelCommand, candidates: Candidates) -> _About:
    # By number: what a version is never changes, its tags do.
    champion, challenger = (one.version if one else None for one in (candidates.champion, candidates.challenger))
    return command.command_id, champion, challenger


def _create_folder(place: Path | None, command_id: str) -> Path:
    """A folder that only we read."""
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"job-{command_id[:8]}-", dir=place))


def trigger(command: ModelCommand) -> str:
    """Why a model is trained, in one of few words."""
    return command.reason if command.reason in _PLAIN else "operator"


def _reference(version: Version | None) -> dict[str, str] | None:
    return None if version is None else {"version": version.version, "artifact_sha256": version.sha256}


def _progress(line: Mapping[str, Any]) -> None:
    _log.info("job", stage=str(line.get("stage", "")), done=line.get("done"), of=line.get("of"))
