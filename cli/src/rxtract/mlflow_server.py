"""Which MLflow a command talks to, and whether it answers, before MLflow's own client waits for minutes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from rxtract.addresses import read_addresses
from rxtract.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

TrackingUri = Annotated[
    str,
    typer.Option("--tracking-uri", help="MLflow; else RXTRACT_MLFLOW_URL, the stack that is up, MLFLOW_TRACKING_URI."),
]
Stack = Annotated[Path | None, typer.Option("--stack", help="stack.json of a running stack, or its folder.")]
_HEALTH_TIMEOUT_S = 5


def find_mlflow(given: str, stack: Path | None = None) -> str:
    """Return the address of MLflow, or "" where none is known.

    Raises:
        UserError: An address is known but nobody answers there, or it names a folder of files.
    """
    address = given or read_addresses(stack).mlflow_url or os.environ.get("MLFLOW_TRACKING_URI", "")
    if address.startswith(("http://", "https://")) and not _answers(address):
        raise UserError(
            f"MLflow at {address} does not answer: start it (`rxtract up`), or give another by --tracking-uri"
        )
    if address and _is_folder(address) and not os.environ.get("MLFLOW_ALLOW_FILE_STORE"):
        raise UserError(
            f"MLflow at {address}: a folder of runs is not opened by this MLflow: name a server or a database "
            "(sqlite:///mlflow.db; `mlflow migrate-filestore` moves the runs there), or set MLFLOW_ALLOW_FILE_STORE=true"
        )
    return address


def find_mlflow_or_go_on(given: str, stack: Path | None = None) -> str:
    """Return the address of MLflow for work that can do without; "" and a line on stderr where the environment names one that is away.

    Raises:
        UserError: The address that was given by an option does not answer.
    """
    try:
        return find_mlflow(given, stack)
    except UserError as error:
        if given:
            raise
        Console(stderr=True, highlight=False).print(
            f"note: {error}; going on without it, nothing is logged", style="yellow", markup=False
        )
        return ""


def need_mlflow(given: str, stack: Path | None = None) -> str:
    """Return the address of MLflow.

    Raises:
        UserError: None is known, or nobody answers there.
    """
    address = find_mlflow(given, stack)
    if not address:
        raise UserError(
            "no MLflow address: start a stack with `rxtract up`, give --tracking-uri, or set RXTRACT_MLFLOW_URL"
        )
    return address


@contextmanager
def mlflow_refusals(address: str) -> Iterator[None]:
    """Turn a refusal of MLflow into one line."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        reason = (str(error).splitlines() or ["no reason"])[0][:200]
        raise UserError(f"MLflow at {address} refused: {reason}") from None


def _is_folder(address: str) -> bool:
    scheme = address.partition(":")[0] if ":" in address else ""
    return scheme in {"", "file"}


def _answers(address: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{address.rstrip('/')}/health", timeout=_HEALTH_TIMEOUT_S).is_success
    except httpx.HTTPError:
        return False


def runs_page(address: str) -> str:
    """Return the link to the experiment's runs; to MLflow itself while there is no experiment, or it does not answer."""
    import httpx
    from clinical_ner.tracking import EXPERIMENT

    try:
        answer = httpx.get(
            f"{address}/api/2.0/mlflow/experiments/get-by-name",
            params={"experiment_name": EXPERIMENT},
            timeout=_HEALTH_TIMEOUT_S,
        )
    except httpx.HTTPError:
        return address
    found = answer.json().get("experiment", {}) if answer.status_code == httpx.codes.OK else {}
    return f"{address}/#/experiments/{found['experiment_id']}/runs" if "experiment_id" in found else address
