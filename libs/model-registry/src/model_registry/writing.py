"""The clients of whoever registers or moves versions: MLflow's own, with what it does not promise put right.

`RegistryWriter` belongs to the trainer, which holds a lease; the functions above it also serve the command line.
"""

from __future__ import annotations

import http
import json
import logging
import os
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking import MlflowClient
from runtime.errors import Recoverable, RxtractError

from model_registry.reading import RegistryAwayError, UnusableVersionError
from model_registry.version import (
    CHAMPION,
    COMMAND_TAG,
    LEFT_BY_TAG,
    MOVED_BY_TAG,
    MOVING_TAG,
    PREVIOUS,
    SERIAL_TAG,
    Version,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlflow.entities.model_registry import ModelVersion

MODEL_PATH = "model"
"""Where in a run its model lies."""
_ABSENT = ErrorCode.Name(RESOURCE_DOES_NOT_EXIST)

_P = ParamSpec("_P")
_R = TypeVar("_R")


def connect(tracking_uri: str) -> MlflowClient:
    """Return a client of MLflow that prints nothing: stdout belongs to the caller (`--json`)."""
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    return MlflowClient(tracking_uri)


def next_serial(client: MlflowClient, name: str) -> int:
    """Return one more than the highest serial that any version of the model carries."""
    versions = client.search_model_versions(f"name='{name}'")
    return 1 + max((int(version.tags.get(SERIAL_TAG, "0")) for version in versions), default=0)


def set_alias(client: MlflowClient, name: str, alias: str, version: str) -> None:
    """Point an alias at a version; when the champion changes, the old one becomes `PREVIOUS`."""
    if alias == CHAMPION:
        held = client.get_registered_model(name).aliases.get(CHAMPION)
        if held is not None and str(held) != version:
            client.set_registered_model_alias(name, PREVIOUS, str(held))
    client.set_registered_model_alias(name, alias, version)


def create_version(
    client: MlflowClient, name: str, run_id: str, tags: Mapping[str, str], *, about: str, description: str = ""
) -> Version:
    """Register what a run logged below `MODEL_PATH` as a version with the next serial; the registered model is created where there is none.

    Args:
        client: Of MLflow.
        name: Version model.
        run_id: Of the run.
        tags: Of the version, with `DIGEST_TAG`.
        about: Describes a registered model that is created.
        description: Of the version.

    Raises:
        MlflowException: MLflow refused.
    """
    try:
        client.create_registered_model(name, description=about)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    serial = next_serial(client, name)
    source = f"{client.get_run(run_id).info.artifact_uri}/{MODEL_PATH}"
    numbered = {**tags, SERIAL_TAG: str(serial)}
    created = client.create_model_version(
        name, source=source, run_id=run_id, tags=numbered, description=description or None
    )
    return Version(name, str(created.version), numbered, run_id)


def version_of(found: ModelVersion, aliases: Mapping[str, str] | None = None) -> Version:
    """A version as MLflow's client gives it.

    Args:
        found: What MLflow answered.
        aliases: Number of the version by alias, where they were asked for.
    """
    number = str(found.version)
    own = tuple(sorted(alias for alias, version in (aliases or {}).items() if str(version) == number))
    return Version(
        str(found.name), number, dict(found.tags), str(found.run_id or ""), own, int(found.creation_timestamp or 0)
    )


def all_versions(client: MlflowClient, name: str) -> list[Version] | None:
    """Every version of a registered model with its aliases, newest first; None where there is no such model.

    Raises:
        MlflowException: MLflow could not be reached or refused.
    """
    try:
        aliases = client.get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code != _ABSENT:
            raise
        return None
    found = [version_of(one, aliases) for one in client.search_model_versions(f"name='{name}'")]
    return sorted(found, key=lambda version: int(version.version), reverse=True)


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
_MOST_REASON_CHARS = 200


def answered(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """Tell a server that is away, which is a reason to wait, from one that says no, which ends the order."""

    def wrapped(*arguments: _P.args, **named: _P.kwargs) -> _R:
        try:
            return call(*arguments, **named)
        except UnusableVersionError as error:
            raise MlflowRefusedError(str(error)) from error
        except MlflowException as error:
            if _is_refusal(error):
                reason = " ".join(str(error).split())[:_MOST_REASON_CHARS]
                raise MlflowRefusedError(f"MLflow refuses ({call.__name__}): {reason}") from error
            raise Recoverable(f"MLflow: {type(error).__name__} {error.error_code}") from error
        except (RegistryAwayError, OSError) as error:
            raise Recoverable(f"MLflow: {type(error).__name__}") from error

    return wrapped


def _is_refusal(error: MlflowException) -> bool:
    """A 404 counts only in MLflow's own form: a proxy answers 404 too, for a server that is not there."""
    status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]
    return status in _REFUSALS or (status == http.HTTPStatus.NOT_FOUND and isinstance(error, RestException))


class RegistryWriter:
    """Versions of one registered model: found by number, alias or command, and moved.

    Every method raises `MlflowRefusedError` when MLflow will never do it, and `Recoverable` when it may later.

    Args:
        url: MLflow's address.
        name: Registered model.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._client = connect(url)

    @answered
    def by_alias(self, alias: str) -> Version | None:
        """The version that an alias names."""
        try:
            found = self._client.get_registered_model(self._name).aliases.get(alias)
        except MlflowException as error:
            if error.error_code == _ABSENT:
                return None
            raise
        return None if found is None else self._version(str(found))

    @answered
    def version(self, number: str) -> Version | None:
        """A version by its number; None when there is none."""
        try:
            return self._version(number)
        except MlflowException as error:
            if error.error_code in (_ABSENT, "INVALID_PARAMETER_VALUE"):
                return None
            raise

    @answered
    def of_command(self, command_id: str) -> Version | None:
        """The version that a command made, if it got so far; of two, whose trainers were not seen to overlap, the first."""
        found = self._client.search_model_versions(f"name='{self._name}'")
        own = [one for one in found if one.tags.get(COMMAND_TAG) == command_id]
        first = min(own, key=lambda one: int(one.version), default=None)
        return None if first is None else version_of(first)

    @answered
    def set_alias(self, alias: str, version: Version) -> None:
        """Point an alias at a version."""
        self._client.set_registered_model_alias(self._name, alias, version.version)

    @answered
    def drop_alias(self, alias: str) -> None:
        """Remove an alias."""
        try:
            self._client.delete_registered_model_alias(self._name, alias)
        except MlflowException as error:
            if error.error_code != _ABSENT:
                raise

    @answered
    def promote(self, version: Version, champion: Version | None, command_id: str, kind: str) -> Version:
        """Let a version serve as champion under a new serial, for one command.

        Only the holder of the lease calls this: MLflow cannot compare and set. The version is marked first, then the
        champion's alias moves, then the rest follows: who dies before the alias moved has changed nothing that counts,
        and what is left out after it stands in the mark, for `finish_move`.
        """
        if version.serial <= (champion.serial if champion else 0) or version.tags.get("served"):
            serial = str(next_serial(self._client, self._name))
            self._client.set_model_version_tag(self._name, version.version, SERIAL_TAG, serial)
        left = champion.version if champion is not None and champion.version != version.version else None
        self._client.set_model_version_tag(self._name, version.version, MOVED_BY_TAG, command_id)
        mark = json.dumps({"kind": kind, "from": left})
        self._client.set_model_version_tag(self._name, version.version, MOVING_TAG, mark)
        self._client.set_registered_model_alias(self._name, CHAMPION, version.version)
        return self.finish_move(self._version(version.version))

    @answered
    def finish_move(self, champion: Version) -> Version:
        """Do what follows the alias; may be done again."""
        self._client.set_model_version_tag(self._name, champion.version, "served", "true")
        move = champion.move
        if move is not None and move.left is not None:
            self._client.set_model_version_tag(self._name, move.left, "served", "true")
            self._client.set_model_version_tag(self._name, move.left, LEFT_BY_TAG, move.kind)
            self._client.set_registered_model_alias(self._name, PREVIOUS, move.left)
        return self._version(champion.version)

    @answered
    def forget_move(self, champion: Version) -> None:
        """Take the mark away: the move is done and its event is out."""
        self._drop_tag(champion, MOVING_TAG)

    def _drop_tag(self, version: Version, tag: str) -> None:
        if tag in version.tags:
            self._client.delete_model_version_tag(self._name, version.version, tag)

    def _version(self, number: str) -> Version:
        return version_of(self._client.get_model_version(self._name, number))
