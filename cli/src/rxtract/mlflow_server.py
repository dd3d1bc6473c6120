"""Which MLflow a command talks to, and whether it answers, before MLflow's own client waits for minutes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
        UserError: An address is known but nobody answers there.
    """
    address = given or read_addresses(stack).mlflow_url or os.environ.get("MLFLOW_TRACKING_URI", "")
    if address.startswith(("http://", "https://")) and not _answers(address):
        raise UserError(
            f"MLflow at {address} does not answer: start it (`rxtract up`), or give another by --tracking-uri"
        )
    return address


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
def mlflow_told(address: str) -> Iterator[None]:
    """Turn a refusal of MLflow into one line."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        reason = (str(error).splitlines() or ["no reason"])[0][:200]
        raise UserError(f"MLflow at {address} refused: {reason}") from None


def _answers(address: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{address.rstrip('/')}/health", timeout=_HEALTH_TIMEOUT_S).is_success
    except httpx.HTTPError:
        return False
