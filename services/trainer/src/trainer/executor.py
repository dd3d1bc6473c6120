"""Carries an order out: from a command to the events that tell what became of it.

Every step can be repeated: a trainer that died anywhere is followed by one that finds the registered version by its
command, the moved alias by its mark, and says what the dead one did not get to say.
"""

# ruff: noqa: D102 - a protocol's members say what they are by their names

import json
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from annotations.trust import Trust
from contracts.records import AnnotationValidated, ModelAction, ModelCommand, ModelEvent, ModelEventKind
from lifecycle.gate_config import PERSON
from lifecycle.readiness import missing_labels
from model_registry.version import AGAINST_TAG, CHALLENGER, GATE_TAG, LEFT_BY_TAG, Version, number_of
from model_registry.writing import MlflowRefusedError
from runtime.service import clock
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics

from trainer import metrics as m
from trainer.domain.context import NO_CONTEXT, NO_DRIFT, Drift, OrderContext
from trainer.domain.job_runs import JobAbandonedError, JobFailedError, RunJob
from trainer.domain.order_book import is_drift
from trainer.domain.rules import why_void
from trainer.events import EventPublisher
from trainer.jobs import Candidates, Finished, Jobs, JobSettings, Sources, trigger

_log = get_logger(__name__)
PASSED = ("pass", "first")
FIRST = "first"
TOO_LITTLE = "there is too little to judge by"
ANNOTATIONS_TAG = "annotations_read"
TAUGHT_BY_TAG = "taught_by"


class Models(Protocol):
    """The model registry; `trainer.adapters.models.JobRegistry` and a test's fake."""

    def by_alias(self, alias: str) -> Version | None: ...
    def version(self, number: str) -> Version | None: ...
    def of_command(self, command_id: str) -> Version | None: ...
    def tables(self, version: Version) -> bytes: ...
    def register(
        self,
        folder: Path,
        result: Mapping[str, Any],
        tags: Mapping[str, str],
        trigger: str,
        check: Callable[[], None],
    ) -> Version: ...
    def judge(self, version: Version, folder: Path, result: Mapping[str, Any], champion: Version | None) -> Version: ...
    def set_alias(self, alias: str, version: Version) -> None: ...
    def drop_alias(self, alias: str) -> None: ...
    def promote(self, version: Version, champion: Version | None, command_id: str, kind: str) -> Version: ...
    def finish_move(self, champion: Version) -> Version: ...
    def forget_move(self, champion: Version) -> None: ...


class OrderExecutor:
    """An order in, its events out. An event is published before the next step begins.

    Args:
        say: Publishes an event and waits for the broker's word.
        may_go_on: Whether the work is still ours, as far as we know.
        is_ours: The same, asked afresh of who decides it: a process that stood still knows nothing of that time.
        place: Folder for the jobs' folders; a temporary one when None.
    """

    words = "model"
    """As the command line names what is kept: `rxtract model`."""
    serves_under = m.CHAMPION
    """The gauge of the serial that serves."""

    def __init__(
        self,
        models: Models,
        sources: Sources,
        run_job: RunJob,
        settings: JobSettings,
        *,
        say: Callable[[ModelEvent], None],
        may_go_on: Callable[[], bool],
        is_ours: Callable[[], bool],
        metrics: Metrics,
        place: Path | None = None,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        self._models = models
        self._sources = sources
        self._settings = settings
        self._is_ours = is_ours
        self._metrics = metrics
        self._jobs = Jobs(models, sources, run_job, settings, may_go_on=may_go_on, metrics=metrics, place=place)
        self._events = EventPublisher(settings.model_name, say, metrics, now_ms)

    def __call__(self, command: ModelCommand, context: OrderContext = NO_CONTEXT) -> None:
        """Carry one order out, as far as it goes now. What MLflow will never do ends it.

        Args:
            command: An open order.
            context: What is known of it beside the command.

        Raises:
            Recoverable: Something is away; the order stays open.
            JobAbandonedError: The work is not ours any more.
        """
        try:
            self._carry_out(command, context)
        except MlflowRefusedError as error:
            self._events.fail(command, str(error))
        self._jobs.settled(command)

    def keep_only(self, open_orders: Container[str]) -> None:
        """Drop what was kept for any other order; not to be called while one is carried out."""
        self._jobs.keep_only(open_orders)

    def _carry_out(self, command: ModelCommand, context: OrderContext) -> None:
        champion = self._models.by_alias("champion")
        self._metrics.gauge(self.serves_under).set(champion.serial if champion else 0)
        if champion is not None and self._finish_move(command, champion):
            return
        if command.model_name != self._settings.model_name:
            self._events.fail(
                command, f"there is no model {command.model_name}: this trainer keeps {self._settings.model_name}"
            )
            return
        void = why_void(command, champion.version if champion else None)
        if void is not None:
            self._reject(command, None, [void])
            return
        match command.action:
            case ModelAction.RETRAIN:
                self._retrain(command, champion, context)
            case ModelAction.EVALUATE:
                self._evaluate(command, champion)
            case ModelAction.PROMOTE:
                self._promote(command, champion)
            case ModelAction.ROLLBACK:
                self._roll_back(command, champion)
            case _:
                self._events.fail(command, "the order names no action that this trainer knows")

    # -- the four orders

    def _retrain(self, command: ModelCommand, champion: Version | None, context: OrderContext) -> None:
        made = self._models.of_command(command.command_id)
        if made is not None and made.tags.get(GATE_TAG):
            self._go_on(command, made, champion, context)
            return
        if champion is not None and command.reason == FIRST:
            self._reject(command, None, [f"version {champion.version} serves already: no first model is needed"])
            return
        if is_drift(command) and not context.drift:
            self._reject(command, None, [f"the drift of {command.segment or 'all'} is over: there is nothing to learn"])
            return
        job = self._jobs.kept(command, Candidates(champion)) or self._train(command, champion, context)
        if job is None:
            return
        with job:
            result = job.result
            if result["decision"] == "DEFER":
                self._put_off(command, None, context, result)
                return
            taught_by = {str(who): int(notes) for who, notes in dict(result.get("taught_by", {})).items()}
            tags = {
                "command_id": command.command_id,
                "dataset_digest": str(result.get("dataset_digest", "")),
                ANNOTATIONS_TAG: str(job.annotations_read),
                AGAINST_TAG: number_of(champion),
                TAUGHT_BY_TAG: json.dumps(taught_by),
            }
            made = self._register(command, job.folder, result, tags)
        numbers = {**_numbers(result), "annotations_read": float(job.annotations_read)}
        words = [f"trained in {float(result.get('seconds', 0)):.0f} s on {_trained_on(result)}"]
        self._events.publish(
            command, ModelEventKind.MODEL_TRAINED, words, version=made, metrics=numbers, taught_by=taught_by
        )
        self._decide(command, made, champion, result)

    def _train(self, command: ModelCommand, champion: Version | None, context: OrderContext) -> Finished | None:
        """Train and judge; None when labels are missing or the job failed, which is said then."""
        annotations = list(self._sources.annotations())
        if _needs_labels(command) and (lacking := self._lacking(annotations, context.drift)) is not None:
            self._tell_lacking(command, context, *lacking)
            return None
        drift = self._take_along(command, context, annotations)
        return self._run(command, Candidates(champion), annotations, drift)

    def _lacking(self, annotations: Sequence[AnnotationValidated], drift: Drift) -> tuple[int, str] | None:
        """How many labelled notes are missing, and of which segment; None when one segment has enough."""
        settings = self._settings
        missing = missing_labels(
            annotations, drift.labels_from, settings.gate, settings.roles_key, Trust.of(self._sources.judged())
        )
        segment = min(missing, key=lambda one: missing[one])
        return (missing[segment], segment) if missing[segment] else None

    def _tell_lacking(self, command: ModelCommand, context: OrderContext, missing: int, segment: str) -> None:
        """Drift waits for labels; who named a segment is told now, and orders again."""
        words = f"{missing} labelled notes of {segment} are missing"
        if is_drift(command):
            self._events.defer(command, missing, context, [words])
        else:
            self._reject(command, None, [f"{words} to judge a new model on: label more, or order without a segment"])

    def _put_off(
        self, command: ModelCommand, made: Version | None, context: OrderContext, result: Mapping[str, Any]
    ) -> None:
        """The gate had too little to judge by: as with labels that are missing, who named a segment is told now."""
        if _needs_labels(command) and not is_drift(command):
            self._reject(command, made, [TOO_LITTLE, *result["reasons"]], _numbers(result))
        else:
            self._events.defer(command, int(result.get("missing_labels") or 1), context, result["reasons"])

    def _take_along(
        self, command: ModelCommand, context: OrderContext, annotations: Sequence[AnnotationValidated]
    ) -> Drift:
        """Answer waiting orders of drift with this run, if their labels are there; gives all that it answers."""
        drift = context.drift
        for one in context.waiting:
            if self._lacking(annotations, one.drift) is None:
                self._events.merge(one.command, command)
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
        return self._models.register(folder, result, tags, trigger(command), check)

    def _need_ours(self) -> None:
        """Ask afresh.

        Raises:
            JobAbandonedError: The work is not ours any more.
        """
        if not self._is_ours():
            raise JobAbandonedError("the order was given up: its work is not ours any more")

    def _go_on(self, command: ModelCommand, made: Version, champion: Version | None, context: OrderContext) -> None:
        """Go on with a version that a trainer made before it died: say so, and take its verdict if it still counts."""
        read = float(made.tags.get(ANNOTATIONS_TAG, "0"))
        words = ["said after a restart: it had been trained and registered already"]
        taught_by = dict(json.loads(made.tags.get(TAUGHT_BY_TAG, "{}")))
        numbers = {"annotations_read": read}
        self._events.publish(
            command, ModelEventKind.MODEL_TRAINED, words, version=made, metrics=numbers, taught_by=taught_by
        )
        if _is_champion(made, champion):
            self._reject(command, made, [_serves_already(made)])
            return
        if made.is_judged_against(champion):
            self._decide(command, made, champion, None)
            return
        _log.info("the champion changed since the verdict: judged again", version=made.version)
        judged = self._judge(command, made, champion, context.drift)
        if judged is None:
            return
        made, result = judged
        if result["decision"] == "DEFER":
            self._put_off(command, made, context, result)
        else:
            self._decide(command, made, champion, result)

    def _evaluate(self, command: ModelCommand, champion: Version | None) -> None:
        offered = None if command.target_version is None else self._models.version(command.target_version)
        if offered is None:
            self._events.fail(
                command,
                f"there is no version {command.target_version}: `rxtract {self.words} list` shows which there are",
            )
            return
        if _is_champion(offered, champion):
            self._look_at(command, offered)
            return
        judged = self._judge(command, offered, champion, NO_DRIFT)
        if judged is None:
            return
        offered, result = judged
        if result["decision"] == "DEFER":
            self._reject(command, offered, [TOO_LITTLE, *result["reasons"]], _numbers(result))
            return
        self._decide(command, offered, champion, result)

    def _look_at(self, command: ModelCommand, champion: Version) -> None:
        """Say how the champion does on what is labelled by now. Nothing moves, and its report stays that of its promotion."""
        pair = Candidates(champion, champion)
        job = self._jobs.kept(command, pair) or self._run(command, pair, list(self._sources.annotations()), NO_DRIFT)
        if job is None:
            return
        with job:
            reasons = [_serves_already(champion), *job.result["reasons"]]
            self._reject(command, champion, reasons, _numbers(job.result))

    def _run(
        self,
        command: ModelCommand,
        candidates: Candidates,
        annotations: Sequence[AnnotationValidated],
        drift: Drift,
    ) -> Finished | None:
        """Run a job; None when it failed, which is said then."""
        try:
            return self._jobs.run(command, candidates, annotations, drift)
        except JobFailedError as error:
            self._events.fail(command, str(error))
            return None

    def _judge(
        self, command: ModelCommand, offered: Version, champion: Version | None, drift: Drift
    ) -> tuple[Version, dict[str, Any]] | None:
        """Let the gate judge a registered version against the champion; None when the job failed, which is said then."""
        pair = Candidates(champion, offered)
        job = self._jobs.kept(command, pair) or self._run(command, pair, list(self._sources.annotations()), drift)
        if job is None:
            return None
        with job:
            self._need_ours()
            return self._models.judge(offered, job.folder, job.result, champion), job.result

    def _promote(self, command: ModelCommand, champion: Version | None) -> None:
        wanted = command.target_version
        version = self._models.by_alias(CHALLENGER) if wanted is None else self._models.version(wanted)
        if version is None:
            self._events.fail(
                command,
                f"there is no version {wanted or CHALLENGER}: `rxtract {self.words} list` shows which there are",
            )
        elif _is_champion(version, champion):
            self._reject(command, version, [_serves_already(version)])
        elif (why := _why_not_promoted(version, champion)) is not None:
            self._reject(command, version, [why])
        else:
            self._move_champion(command, version, champion, ["ordered by an operator"], {})

    def would_roll_back(self, command: ModelCommand) -> bool:
        """Whether a rollback would be carried out as things stand. Asked from another thread, before work is ended for it.

        Raises:
            Recoverable: MLflow is away.
        """
        try:
            champion = self._models.by_alias("champion")
            version = self._back_to(command)
        except MlflowRefusedError:
            return False  # it will end the order
        if version is None or why_void(command, champion.version if champion else None) is not None:
            return False
        return _why_not_gone_back_to(version, champion) is None and not _needs_a_name(command, version)

    def _back_to(self, command: ModelCommand) -> Version | None:
        wanted = command.target_version
        return self._models.by_alias("previous") if wanted is None else self._models.version(wanted)

    def _roll_back(self, command: ModelCommand, champion: Version | None) -> None:
        version = self._back_to(command)
        if version is None:
            self._events.fail(
                command, f"there is no version {command.target_version or 'before this one'} to go back to"
            )
        elif (why := _why_not_gone_back_to(version, champion)) is not None:
            self._reject(command, version, [why])
        elif _needs_a_name(command, version):
            why = (
                f"version {version.version} was left by a rollback: name the version to go back to, "
                f"`rxtract {self.words} rollback VERSION`; `rxtract {self.words} list` shows which there are"
            )
            self._reject(command, None, [why])
        else:
            left = champion.version if champion else "none"
            words = [f"back from version {left} to version {version.version}: {command.reason}"]
            self._move_champion(command, version, champion, words, {}, ModelEventKind.ROLLED_BACK)

    # -- what they share

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
        self._events.publish(command, ModelEventKind.REJECTED, reasons, version=version, metrics=numbers or {})

    def _decide(
        self, command: ModelCommand, made: Version, champion: Version | None, result: Mapping[str, Any] | None
    ) -> None:
        """Promote, refuse or leave to a person by what the gate said, now or before a crash."""
        decision = str(result["decision"]).lower() if result else made.tags[GATE_TAG]
        reasons = list(result["reasons"]) if result else json.loads(made.tags.get("gate.reasons", "[]"))
        self._metrics.counter(m.GATE).labels(decision).inc()
        if decision in PASSED and decision != FIRST and self._settings.gate.approval == PERSON:
            self._await_approval(command, made, reasons, _numbers(result or {}))
        elif decision in PASSED:
            self._models.set_alias(CHALLENGER, made)
            self._move_champion(command, made, champion, reasons, _numbers(result or {}))
        else:
            self._reject(command, made, reasons, _numbers(result or {}))

    def _await_approval(
        self, command: ModelCommand, made: Version, reasons: Sequence[str], numbers: Mapping[str, float]
    ) -> None:
        """Leave what passed to a person: the alias says which version waits, until another one does or a champion comes."""
        self._need_ours()
        self._models.set_alias(CHALLENGER, made)
        words = [f"it waits for a person: `rxtract {self.words} approve {made.version}`", *reasons]
        self._events.publish(command, ModelEventKind.APPROVAL_AWAITED, words, version=made, metrics=numbers)

    def _move_champion(
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
        moved = self._models.promote(version, champion, command.command_id, kind.value)
        self._models.drop_alias(CHALLENGER)
        previous = champion.version if champion else None
        self._events.publish(command, kind, reasons, version=moved, previous=previous, metrics=numbers, serves=True)
        self._models.forget_move(moved)
        _log.info("champion", version=moved.version, serial=moved.serial, kind=kind.value)

    def _finish_move(self, command: ModelCommand, champion: Version) -> bool:
        """Finish and say a move whose trainer died before it had; True when it was this command's.

        Before any other order: a rollback that is carried out first would leave the move unsaid, to be made again.
        """
        move = champion.move
        if move is None:
            return False
        self._need_ours()
        champion = self._models.finish_move(champion)
        self._models.drop_alias(CHALLENGER)
        self._events.move(move, champion)
        self._models.forget_move(champion)
        return move.command_id == command.command_id


def _needs_labels(command: ModelCommand) -> bool:
    """Whether a training is begun only with labels enough of its segments."""
    return is_drift(command) or command.segment is not None


def _is_champion(version: Version, champion: Version | None) -> bool:
    return champion is not None and champion.version == version.version


def _serves_already(version: Version) -> str:
    return f"version {version.version} is the champion already: nothing moves"


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


def _why_not_gone_back_to(version: Version, champion: Version | None) -> str | None:
    """Why a rollback to a version is refused, whoever asked for it; None when it is not."""
    if _is_champion(version, champion):
        return _serves_already(version)
    if not version.tags.get("served"):
        return f"version {version.version} never served: it has to pass the gate first"
    return None


def _needs_a_name(command: ModelCommand, version: Version) -> bool:
    """Whether the version before was itself left by a rollback: to go back there, it must be named."""
    return command.target_version is None and version.tags.get(LEFT_BY_TAG) == ModelEventKind.ROLLED_BACK.value


def _numbers(result: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in dict(result.get("metrics", {})).items()}


def _trained_on(result: Mapping[str, Any]) -> str:
    found: Mapping[str, Any] = next((row for row in result.get("datasets", ()) if row.get("context") == "training"), {})
    return f"{int(found.get('notes', 0)):,} notes"
