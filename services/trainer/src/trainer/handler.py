"""Carries an order out: from a command to the events that tell what became of it.

Every step can be repeated: a trainer that died anywhere is followed by one that finds the registered version by its
command, the moved alias by its mark, and says what the dead one did not get to say.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from contracts.records import AnnotationValidated, ModelAction, ModelCommand, ModelEvent, ModelEventKind
from lifecycle.gate_config import GateConfig
from lifecycle.readiness import missing_labels
from runtime.logs import get_logger
from runtime.metrics import Metrics

from trainer import metrics as m
from trainer.adapters.job import JobAbandonedError, JobFailedError, Progress
from trainer.adapters.models import (
    AGAINST_TAG,
    CHALLENGER,
    GATE_TAG,
    MlflowRefusedError,
    Version,
    number_of,
)
from trainer.domain.identity import event_id
from trainer.domain.ledger import is_drift
from trainer.domain.rules import why_void
from trainer.domain.story import NO_DRIFT, UNTOLD, Drift, Story

_log = get_logger(__name__)
PASSED = ("pass", "first")
FIRST = "first"
ANNOTATIONS_TAG = "annotations_read"
_PLAIN = {"drift", "annotations", "operator", "schedule", "first", "quality"}


class Models(Protocol):
    """The model registry; `trainer.adapters.models.Registry` and a test's fake."""

    def by_alias(self, alias: str) -> Version | None: ...  # noqa: D102
    def version(self, number: str) -> Version | None: ...  # noqa: D102
    def of_command(self, command_id: str) -> Version | None: ...  # noqa: D102
    def tables(self, version: Version) -> bytes: ...  # noqa: D102
    def register(  # noqa: D102
        self,
        folder: Path,
        result: Mapping[str, Any],
        tags: Mapping[str, str],
        trigger: str,
        check: Callable[[], None],
    ) -> Version: ...
    def judge(  # noqa: D102
        self, version: Version, folder: Path, result: Mapping[str, Any], champion: Version | None
    ) -> Version: ...
    def set_alias(self, alias: str, version: Version) -> None: ...  # noqa: D102
    def drop_alias(self, alias: str) -> None: ...  # noqa: D102
    def enthrone(self, version: Version, champion: Version | None, command_id: str, kind: str) -> Version: ...  # noqa: D102
    def finish_move(self, champion: Version) -> Version: ...  # noqa: D102
    def forget_move(self, champion: Version) -> None: ...  # noqa: D102


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


class OrderHandler:
    """An order in, its events out. An event is published before the next step begins.

    Args:
        say: Publishes an event and waits for the broker's word.
        may_go_on: Whether the work is still ours, as far as we know.
        is_ours: The same, asked afresh of who decides it: a process that stood still knows nothing of that time.
        place: Folder for the jobs' folders; a temporary one when None.
    """

    def __init__(
        self,
        models: Models,
        sources: Sources,
        run_job: RunJob,
        settings: JobSettings,
        say: Callable[[ModelEvent], None],
        may_go_on: Callable[[], bool],
        is_ours: Callable[[], bool],
        metrics: Metrics,
        *,
        place: Path | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._models = models
        self._sources = sources
        self._run_job = run_job
        self._settings = settings
        self._say = say
        self._may_go_on = may_go_on
        self._is_ours = is_ours
        self._metrics = metrics
        self._place = place
        self._now_ms = now_ms

    def __call__(self, command: ModelCommand, story: Story = UNTOLD) -> None:
        """Carry one order out, as far as it goes now. What MLflow will never do ends it.

        Args:
            command: An open order.
            story: Where it stands.

        Raises:
            Recoverable: Something is away; the order stays open.
            JobAbandonedError: The work is not ours any more.
        """
        try:
            self._carry_out(command, story)
        except MlflowRefusedError as error:
            self._fail(command, str(error))

    def _carry_out(self, command: ModelCommand, story: Story) -> None:
        champion = self._models.by_alias("champion")
        self._metrics.gauge(m.CHAMPION).set(champion.serial if champion else 0)
        if champion is not None and self._finish_move(command, champion):
            return
        if command.model_name != self._settings.model_name:
            self._fail(
                command, f"there is no model {command.model_name}: this trainer keeps {self._settings.model_name}"
            )
            return
        void = why_void(command, champion.version if champion else None)
        if void is not None:
            self._reject(command, None, [void])
            return
        match command.action:
            case ModelAction.RETRAIN:
                self._retrain(command, champion, story)
            case ModelAction.EVALUATE:
                self._evaluate(command, champion)
            case ModelAction.PROMOTE:
                self._promote(command, champion)
            case ModelAction.ROLLBACK:
                self._roll_back(command, champion)
            case _:
                self._fail(command, "the order names no action that this trainer knows")

    # -- the four orders

    def _retrain(self, command: ModelCommand, champion: Version | None, story: Story) -> None:
        made = self._models.of_command(command.command_id)
        if made is not None and made.tags.get(GATE_TAG):
            self._go_on(command, made, champion, story)
            return
        if champion is not None and command.reason == FIRST:
            self._reject(command, None, [f"version {champion.version} serves already: no first model is needed"])
            return
        if is_drift(command) and not story.drift:
            self._reject(command, None, [f"the drift of {command.segment or 'all'} is over: there is nothing to learn"])
            return
        annotations = list(self._sources.annotations())
        if is_drift(command) and (lacking := self._lacking(annotations, story.drift)) is not None:
            missing, segment = lacking
            self._defer(command, missing, story, [f"{missing} labelled notes of {segment} are missing"])
            return
        drift = self._take_along(command, story, annotations)
        with self._folder(command) as folder:
            result = self._job(command, folder, "train", champion, None, annotations, drift)
            if result is None:
                return
            if result["decision"] == "DEFER":
                self._defer(command, int(result.get("missing_labels") or 1), story, result["reasons"])
                return
            tags = {
                "command_id": command.command_id,
                "dataset_digest": str(result.get("dataset_digest", "")),
                ANNOTATIONS_TAG: str(len(annotations)),
                AGAINST_TAG: number_of(champion),
            }
            made = self._register(command, folder, result, tags)
        numbers = {**_numbers(result), "annotations_read": float(len(annotations))}
        words = [f"trained in {float(result.get('seconds', 0)):.0f} s on {_trained_on(result)}"]
        self._tell(command, ModelEventKind.MODEL_TRAINED, words, version=made, metrics=numbers)
        self._decide(command, made, champion, result)

    def _lacking(self, annotations: Sequence[AnnotationValidated], drift: Drift) -> tuple[int, str] | None:
        """How many labelled notes are missing, and of which segment; None when one segment has enough."""
        settings = self._settings
        missing = missing_labels(annotations, drift.segments, settings.gate, settings.roles_key, drift.since)
        segment = min(missing, key=lambda one: missing[one])
        return (missing[segment], segment) if missing[segment] else None

    def _take_along(self, command: ModelCommand, story: Story, annotations: Sequence[AnnotationValidated]) -> Drift:
        """Answer waiting orders of drift with this run, if their labels are there; gives all that it answers."""
        drift = story.drift
        for one in story.waiting:
            if self._lacking(annotations, one.drift) is None:
                self._say(merged(one.command, command, self._now_ms()))
                drift |= one.drift
        return drift

    def _register(
        self, command: ModelCommand, folder: Path, result: Mapping[str, Any], tags: Mapping[str, str]
    ) -> Version:
        """Register what was trained, unless another trainer has: whoever stood still meanwhile finds out here.

        Raises:
            JobAbandonedError: The work is not ours any more.
        """

        def check() -> None:
            self._need_ours()
            if self._models.of_command(command.command_id) is not None:
                raise JobAbandonedError("another trainer registered a version for this order meanwhile")

        check()
        return self._models.register(folder, result, tags, _trigger(command), check)

    def _need_ours(self) -> None:
        """Ask afresh.

        Raises:
            JobAbandonedError: The work is not ours any more.
        """
        if not self._is_ours():
            raise JobAbandonedError("the order was given up: its work is not ours any more")

    def _go_on(self, command: ModelCommand, made: Version, champion: Version | None, story: Story) -> None:
        """Go on with a version that a trainer made before it died: say so, and take its verdict if it still counts."""
        read = float(made.tags.get(ANNOTATIONS_TAG, "0"))
        words = ["said after a restart: it had been trained and registered already"]
        self._tell(command, ModelEventKind.MODEL_TRAINED, words, version=made, metrics={"annotations_read": read})
        if made.is_judged_against(champion):
            self._decide(command, made, champion, None)
            return
        _log.info("the champion changed since the verdict: judged again", version=made.version)
        judged = self._judge(command, made, champion, story.drift)
        if judged is None:
            return
        made, result = judged
        if result["decision"] == "DEFER":
            self._defer(command, int(result.get("missing_labels") or 1), story, result["reasons"])
        else:
            self._decide(command, made, champion, result)

    def _evaluate(self, command: ModelCommand, champion: Version | None) -> None:
        offered = None if command.target_version is None else self._models.version(command.target_version)
        if offered is None:
            self._fail(
                command, f"there is no version {command.target_version}: `rxtract model list` shows which there are"
            )
            return
        judged = self._judge(command, offered, champion, NO_DRIFT)
        if judged is None:
            return
        offered, result = judged
        if result["decision"] == "DEFER":
            self._reject(command, offered, ["there is too little to judge by", *result["reasons"]], _numbers(result))
            return
        self._decide(command, offered, champion, result)

    def _judge(
        self, command: ModelCommand, offered: Version, champion: Version | None, drift: Drift
    ) -> tuple[Version, dict[str, Any]] | None:
        """Let the gate judge a registered version against the champion; None when the job failed, which is said then."""
        with self._folder(command) as folder:
            annotations = list(self._sources.annotations())
            result = self._job(command, folder, "evaluate", champion, offered, annotations, drift)
            if result is None:
                return None
            self._need_ours()
            return self._models.judge(offered, folder, result, champion), result

    def _promote(self, command: ModelCommand, champion: Version | None) -> None:
        wanted = command.target_version
        version = self._models.by_alias(CHALLENGER) if wanted is None else self._models.version(wanted)
        if version is None:
            self._fail(
                command, f"there is no version {wanted or CHALLENGER}: `rxtract model list` shows which there are"
            )
        elif champion is not None and champion.version == version.version:
            self._reject(command, version, [f"version {version.version} is the champion already"])
        elif (why := _why_not_promoted(version, champion)) is not None:
            self._reject(command, version, [why])
        else:
            self._enthrone(command, version, champion, ["ordered by an operator"], {})

    def _roll_back(self, command: ModelCommand, champion: Version | None) -> None:
        wanted = command.target_version
        version = self._models.by_alias("previous") if wanted is None else self._models.version(wanted)
        if version is None:
            self._fail(command, f"there is no version {wanted or 'before this one'} to go back to")
        elif champion is not None and champion.version == version.version:
            self._reject(command, version, [f"version {version.version} serves already"])
        elif not version.tags.get("served"):
            why = f"version {version.version} never served: use `rxtract model promote`"
            self._reject(command, version, [why])
        else:
            left = champion.version if champion else "none"
            words = [f"back from version {left} to version {version.version}: {command.reason}"]
            self._enthrone(command, version, champion, words, {}, ModelEventKind.ROLLED_BACK)

    # -- what they share

    def _decide(
        self, command: ModelCommand, made: Version, champion: Version | None, result: Mapping[str, Any] | None
    ) -> None:
        """Promote or refuse by what the gate said, now or before a crash."""
        decision = str(result["decision"]).lower() if result else made.tags[GATE_TAG]
        reasons = list(result["reasons"]) if result else json.loads(made.tags.get("gate.reasons", "[]"))
        self._metrics.counter(m.GATE).labels(decision).inc()
        if decision in PASSED:
            self._models.set_alias(CHALLENGER, made)
            self._enthrone(command, made, champion, reasons, _numbers(result or {}))
        else:
            self._reject(command, made, reasons, _numbers(result or {}))

    def _enthrone(
        self,
        command: ModelCommand,
        version: Version,
        champion: Version | None,
        reasons: Sequence[str],
        numbers: Mapping[str, float],
        kind: ModelEventKind = ModelEventKind.PROMOTED,
    ) -> None:
        now = self._models.by_alias("champion")
        if (now.version if now else None) != (champion.version if champion else None):
            words = (
                f"version {now.version if now else 'none'} became champion meanwhile: order again if it is still wanted"
            )
            self._reject(command, version, [words])
            return
        self._need_ours()  # whoever has it now finds the version by the command
        moved = self._models.enthrone(version, champion, command.command_id, kind.value)
        self._models.drop_alias(CHALLENGER)
        previous = champion.version if champion else None
        self._tell(command, kind, reasons, version=moved, previous=previous, metrics=numbers, serves=True)
        self._models.forget_move(moved)
        _log.info("champion", version=moved.version, serial=moved.serial, kind=kind.value)

    def _finish_move(self, command: ModelCommand, champion: Version) -> bool:
        """Finish and say a move whose trainer died before it had; True when it was this command's.

        Before any other order: a rollback that is carried out first would leave the move unsaid, to be made again.
        """
        move = champion.move
        if move is None:
            return False
        champion = self._models.finish_move(champion)
        self._models.drop_alias(CHALLENGER)
        self._publish_of(
            move.command_id,
            ModelEventKind(move.kind),
            ["said after a restart: the alias had been moved already"],
            event_id(move.command_id, ModelEventKind(move.kind)),
            **_about(champion, move.left, serves=True),
        )
        self._models.forget_move(champion)
        return move.command_id == command.command_id

    def _job(
        self,
        command: ModelCommand,
        folder: Path,
        kind: str,
        champion: Version | None,
        challenger: Version | None,
        annotations: Sequence[AnnotationValidated],
        drift: Drift,
    ) -> dict[str, Any] | None:
        """Fill the job's folder and run it; None when it failed, which is said then."""
        settings = self._settings
        job = {
            "kind": kind,
            "trigger": _trigger(command),
            "segments": list(drift.segments),
            "since": drift.since,
            "command_id": command.command_id,
            "seed": settings.seed,
            "model_name": settings.model_name,
            "champion": _reference(champion),
            "challenger": _reference(challenger),
            "corpus": dict(settings.corpus),
            "training": dict(settings.training),
            "gate": settings.gate.to_dict(),
        }
        (folder / "job.json").write_text(json.dumps(job, indent=1), encoding="utf-8")
        (folder / "roles.key").write_bytes(settings.roles_key)
        with (folder / "annotations.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(f"{word.to_json()}\n" for word in annotations)
        with (folder / "live.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(f"{json.dumps({'text': text})}\n" for text in self._sources.live_texts())
        for name, version in (("champion", champion), ("challenger", challenger)):
            if version is not None:
                (folder / f"{name}.npz").write_bytes(self._models.tables(version))
        began_s = time.monotonic()
        try:
            return self._run_job(folder, self._may_go_on, self._progress)
        except JobFailedError as error:
            self._fail(command, str(error))
            return None
        finally:
            self._metrics.gauge(m.SECONDS).set(time.monotonic() - began_s)

    def _progress(self, line: Mapping[str, Any]) -> None:
        _log.info("job", stage=str(line.get("stage", "")), done=line.get("done"), of=line.get("of"))

    def _folder(self, command: ModelCommand) -> "_JobFolder":
        return _JobFolder(self._place, command.command_id)

    # -- words

    def _defer(self, command: ModelCommand, missing: int, story: Story, reasons: Sequence[str]) -> None:
        self._metrics.gauge(m.MISSING).set(missing)
        if story.said_missing == missing:
            return
        identity = event_id(command.command_id, ModelEventKind.TRAINING_DEFERRED, str(missing))
        self._publish(command, ModelEventKind.TRAINING_DEFERRED, reasons, identity, missing_labels=missing)

    def _reject(
        self,
        command: ModelCommand,
        version: Version | None,
        reasons: Sequence[str],
        numbers: Mapping[str, float] | None = None,
    ) -> None:
        if version is not None:
            challenger = self._models.by_alias(CHALLENGER)
            if challenger is not None and challenger.version == version.version:
                self._models.drop_alias(CHALLENGER)
        self._tell(command, ModelEventKind.REJECTED, reasons, version=version, metrics=numbers or {})

    def _fail(self, command: ModelCommand, why: str) -> None:
        self._tell(command, ModelEventKind.TRAINING_FAILED, [why])

    def _tell(
        self,
        command: ModelCommand,
        kind: ModelEventKind,
        reasons: Sequence[str],
        *,
        version: Version | None = None,
        previous: str | None = None,
        metrics: Mapping[str, float] | None = None,
        serves: bool = False,
    ) -> None:
        about = _about(version, previous, serves=serves)
        self._publish(command, kind, reasons, event_id(command.command_id, kind), **about, metrics=metrics or {})
        if kind is not ModelEventKind.MODEL_TRAINED:
            self._metrics.counter(m.RUNS).labels(command.action.value, kind.value).inc()
            self._metrics.gauge(m.MISSING).set(0)

    def _publish(
        self, command: ModelCommand, kind: ModelEventKind, reasons: Sequence[str], identity: str, **more: Any
    ) -> None:
        self._publish_of(command.command_id, kind, reasons, identity, model_name=command.model_name, **more)

    def _publish_of(
        self, command_id: str, kind: ModelEventKind, reasons: Sequence[str], identity: str, **more: Any
    ) -> None:
        self._say(
            ModelEvent(
                event_id=identity,
                kind=kind,
                command_id=command_id,
                reasons=tuple(reasons),
                occurred_at=self._now_ms(),
                **{"model_name": self._settings.model_name, **more},
            )
        )


class _JobFolder:
    """A folder that only we read, gone afterwards: it holds notes."""

    def __init__(self, place: Path | None, command_id: str) -> None:
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
        self._path = Path(tempfile.mkdtemp(prefix=f"job-{command_id[:8]}-", dir=place))

    def __enter__(self) -> Path:
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


def merged(command: ModelCommand, into: ModelCommand, now_ms: int) -> ModelEvent:
    """The event that says that one run serves two commands."""
    return ModelEvent(
        event_id=event_id(command.command_id, ModelEventKind.MERGED_INTO),
        kind=ModelEventKind.MERGED_INTO,
        model_name=command.model_name,
        command_id=command.command_id,
        merged_into=into.command_id,
        reasons=("a training of the same champion is open already: one run serves both",),
        occurred_at=now_ms,
    )


def _why_not_promoted(version: Version, champion: Version | None) -> str | None:
    """Why an operator's promotion is refused; None when the version has served before, or passed against this champion."""
    if version.tags.get("served"):
        return None
    number, first = version.version, f"`rxtract model evaluate {version.version}` first"
    if version.tags.get(GATE_TAG) not in PASSED:
        return f"version {number} has not passed the gate: {first}"
    if not version.is_judged_against(champion):
        against = version.tags.get(AGAINST_TAG) or "an unknown champion"
        return (
            f"version {number} passed the gate against version {against}, but {number_of(champion)} serves now: {first}"
        )
    return None


def _about(version: Version | None, previous: str | None, *, serves: bool) -> dict[str, Any]:
    """What an event says of its version."""
    return {
        "model_version": version.version if version else None,
        "serial": version.serial if version and serves else None,
        "previous_version": previous,
        "artifact_sha256": version.sha256 if version else None,
    }


def _trigger(command: ModelCommand) -> str:
    return command.reason if command.reason in _PLAIN else "operator"


def _reference(version: Version | None) -> dict[str, str] | None:
    return None if version is None else {"version": version.version, "artifact_sha256": version.sha256}


def _numbers(result: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in dict(result.get("metrics", {})).items()}


def _trained_on(result: Mapping[str, Any]) -> str:
    found: Mapping[str, Any] = next((row for row in result.get("datasets", ()) if row.get("context") == "training"), {})
    return f"{int(found.get('notes', 0)):,} notes"
