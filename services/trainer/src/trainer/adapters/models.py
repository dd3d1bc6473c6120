"""The model registry as the trainer uses it: versions found by their command, aliases moved, serials given."""

import http
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from clinical_ner.tracking import (
    CHAMPION,
    PREVIOUS,
    DatasetRecord,
    connect,
    log_and_register,
    next_serial,
)
from mlflow.exceptions import MlflowException, RestException
from runtime.errors import Recoverable, RxtractError
from runtime.model_registry import MlflowModels, RegistryAwayError, UnusableVersionError

CHALLENGER = "challenger"
COMMAND_TAG = "command_id"
MOVED_BY_TAG = "moved_by"
MOVING_TAG = "moving"
"""On a version from before its alias moves until the event that says so is out: where from, and by which kind of event."""
LEFT_BY_TAG = "left_by"
"""On a version that served: by which kind of event it was left last."""
GATE_TAG = "gate"
MOST_TAG_CHARS = 4_000
AGAINST_TAG = "gate.champion"
"""Which champion the gate's verdict compares with. A verdict says nothing against another one."""
NO_CHAMPION = "none"

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version.

    Attributes:
        tags: As MLflow keeps them.
    """

    version: str
    run_id: str
    tags: Mapping[str, str]

    @property
    def serial(self) -> int:
        """Under which it serves."""
        return int(self.tags.get("serial", "0"))

    @property
    def sha256(self) -> str:
        """Digest of its tables."""
        return self.tags.get("artifact_sha256", "")

    @property
    def move(self) -> "Move | None":
        """The move to this version whose event may not be out yet."""
        mark = self.tags.get(MOVING_TAG)
        if not mark:
            return None
        found = json.loads(mark)
        return Move(self.tags.get(MOVED_BY_TAG, ""), str(found["kind"]), found["from"])

    def is_judged_against(self, champion: "Version | None") -> bool:
        """Whether the gate's verdict on it was given against this champion."""
        return bool(self.tags.get(GATE_TAG)) and self.tags.get(AGAINST_TAG) == number_of(champion)


@dataclass(frozen=True, slots=True)
class Move:
    """One move of the champion's alias.

    Attributes:
        command_id: Who ordered it.
        kind: Of the event that says it.
        left: The version that was champion before.
    """

    command_id: str
    kind: str
    left: str | None


def number_of(champion: Version | None) -> str:
    """The champion's version as a verdict names it."""
    return champion.version if champion else NO_CHAMPION


class MlflowRefusedError(RxtractError):
    """MLflow will never do what was asked; the message says what and why in one line."""


_REFUSALS = frozenset(
    {
        http.HTTPStatus.BAD_REQUEST,
        http.HTTPStatus.CONFLICT,
        http.HTTPStatus.GONE,
        http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        http.HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""The same request can never succeed. A login that is refused or a wrong address is no fault of the order: it is waited for."""
_WORDS = 200


def patient(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """Tell a server that is away, which is a reason to wait, from one that says no, which ends the order."""

    def wrapped(*arguments: _P.args, **named: _P.kwargs) -> _R:
        try:
            return call(*arguments, **named)
        except UnusableVersionError as error:
            raise MlflowRefusedError(str(error)) from error
        except MlflowException as error:
            if _is_refusal(error):
                said = " ".join(str(error).split())[:_WORDS]
                raise MlflowRefusedError(f"MLflow refuses ({call.__name__}): {said}") from error
            raise Recoverable(f"MLflow: {type(error).__name__} {error.error_code}") from error
        except (RegistryAwayError, OSError) as error:
            raise Recoverable(f"MLflow: {type(error).__name__}") from error

    return wrapped


def _is_refusal(error: MlflowException) -> bool:
    """Absent is MLflow's own word only in its own form: a proxy says 404 too, of a server that is not there."""
    status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]
    return status in _REFUSALS or (status == http.HTTPStatus.NOT_FOUND and isinstance(error, RestException))


class Registry:
    """MLflow's registry for one model.

    Args:
        url: MLflow's address.
        name: Registered model.
        files: Fetches tables.
    """

    def __init__(self, url: str, name: str, files: MlflowModels) -> None:
        self._url = url
        self._name = name
        self._files = files
        self._client = connect(url)

    @patient
    def by_alias(self, alias: str) -> Version | None:
        """The version that an alias names."""
        try:
            found = self._client.get_registered_model(self._name).aliases.get(alias)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return None if found is None else self._version(str(found))

    @patient
    def version(self, number: str) -> Version | None:
        """A version by its number; None when there is none."""
        try:
            return self._version(number)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    @patient
    def of_command(self, command_id: str) -> Version | None:
        """The version that a command made, if it got so far; of two, whose trainers were not seen to overlap, the first."""
        found = self._client.search_model_versions(f"name='{self._name}'")
        made = [one for one in found if one.tags.get(COMMAND_TAG) == command_id]
        first = min(made, key=lambda one: int(one.version), default=None)
        return None if first is None else Version(str(first.version), str(first.run_id), dict(first.tags))

    @patient
    def tables(self, version: Version) -> bytes:
        """The bytes of a version's tables, unchecked."""
        known = self._files.by_version(self._name, version.version)
        return b"" if known is None else self._files.tables(known)

    @patient
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
        made = log_and_register(
            folder / "model",
            tracking_uri=self._url,
            name=self._name,
            run_name=f"{trigger} {tags[COMMAND_TAG][:8]}",
            datasets=[_dataset(row) for row in result.get("datasets", ())],
            scores={"gate": dict(result.get("metrics", {})), **dict(result.get("scores", {}))},
            tags={
                **tags,
                GATE_TAG: str(result["decision"]).lower(),
                "gate.reasons": reasons_tag(result["reasons"]),
            },
            trigger=trigger,
            description=_text(folder / "report.md"),
            reports=reports,
            check=check,
        )
        first = self.of_command(tags[COMMAND_TAG])
        if first is None or first.version == made.version:
            return self._version(made.version)
        # Another made one between our look and our call, which MLflow cannot fence: the first one counts.
        self._client.delete_model_version(self._name, made.version)
        return first

    @patient
    def judge(self, version: Version, folder: Path, result: Mapping[str, Any], champion: Version | None) -> Version:
        """Note what the gate said of a version that was offered, and against which champion."""
        # A verdict without its champion counts against none, so that one goes first and comes last.
        self._drop_tag(version, AGAINST_TAG)
        self._client.set_model_version_tag(self._name, version.version, GATE_TAG, str(result["decision"]).lower())
        reasons = reasons_tag(result["reasons"])
        self._client.set_model_version_tag(self._name, version.version, "gate.reasons", reasons)
        report = _text(folder / "report.md")
        if report and version.run_id:
            self._client.log_text(version.run_id, report, "card/report.md")
        self._client.update_model_version(self._name, version.version, report)
        self._client.set_model_version_tag(self._name, version.version, AGAINST_TAG, number_of(champion))
        return self._version(version.version)

    @patient
    def set_alias(self, alias: str, version: Version) -> None:
        """Point an alias at a version."""
        self._client.set_registered_model_alias(self._name, alias, version.version)

    @patient
    def drop_alias(self, alias: str) -> None:
        """Remove an alias."""
        try:
            self._client.delete_registered_model_alias(self._name, alias)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise

    @patient
    def enthrone(self, version: Version, champion: Version | None, command_id: str, kind: str) -> Version:
        """Make a version the champion under a new serial, for one command.

        Only the holder of the lease calls this: MLflow cannot compare and set. The version is marked first, then the
        champion's alias moves, then the rest follows: who dies before the alias moved has changed nothing that counts,
        and what is left out after it stands in the mark, for `finish_move`.
        """
        if version.serial <= (champion.serial if champion else 0) or version.tags.get("served"):
            serial = str(next_serial(self._client, self._name))
            self._client.set_model_version_tag(self._name, version.version, "serial", serial)
        left = champion.version if champion is not None and champion.version != version.version else None
        self._client.set_model_version_tag(self._name, version.version, MOVED_BY_TAG, command_id)
        mark = json.dumps({"kind": kind, "from": left})
        self._client.set_model_version_tag(self._name, version.version, MOVING_TAG, mark)
        self._client.set_registered_model_alias(self._name, CHAMPION, version.version)
        return self.finish_move(self._version(version.version))

    @patient
    def finish_move(self, champion: Version) -> Version:
        """Do what follows the alias; may be done again."""
        self._client.set_model_version_tag(self._name, champion.version, "served", "true")
        move = champion.move
        if move is not None and move.left is not None:
            self._client.set_model_version_tag(self._name, move.left, "served", "true")
            self._client.set_model_version_tag(self._name, move.left, LEFT_BY_TAG, move.kind)
            self._client.set_registered_model_alias(self._name, PREVIOUS, move.left)
        return self._version(champion.version)

    @patient
    def forget_move(self, champion: Version) -> None:
        """Take the mark away: all is done and said."""
        self._drop_tag(champion, MOVING_TAG)

    def _drop_tag(self, version: Version, tag: str) -> None:
        if tag in version.tags:
            self._client.delete_model_version_tag(self._name, version.version, tag)

    def _version(self, number: str) -> Version:
        found = self._client.get_model_version(self._name, number)
        return Version(str(found.version), str(found.run_id), dict(found.tags))


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
