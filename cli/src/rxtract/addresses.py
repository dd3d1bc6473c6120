"""Where the servers are: from `stack.json` as `rxtract up` writes it, each value overridden by its RXTRACT_ variable."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rxtract.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_STACK = Path(".rxtract/stack.json")
NOTED = "last-stack"
"""In the folder of states: the path of the stack.json that was written last."""


@dataclass(frozen=True, slots=True)
class StackAddresses:
    """Addresses of a running stack; an empty string where it is not known."""

    bootstrap_servers: str = ""
    schema_registry_url: str = ""
    redis_url: str = ""
    mlflow_url: str = ""
    ingest_url: str = ""
    ingest_token: str = field(default="", repr=False)
    ingest_source: str = ""
    desk_url: str = ""
    desk_token: str = field(default="", repr=False)
    desk_lead_token: str = field(default="", repr=False)
    score_url: str = ""
    answer_url: str = ""
    stack_id: str = ""
    ledger_url: str = ""
    records_dir: str = ""
    sealing: str = ""
    key_store_file: str = ""
    key_store_url: str = field(default="", repr=False)
    master_key_file: str = ""
    pseudonym_key_file: str = ""
    topic_prefix: str = ""
    metrics: Mapping[str, str] = field(default_factory=dict)

    def need(self, *names: str) -> StackAddresses:
        """Return self, or raise the one line that says which address is missing and how to give it."""
        for name in names:
            if not getattr(self, name):
                raise UserError(
                    f"no running stack found in {DEFAULT_STACK.parent}: run `rxtract up`, pass `--stack DIR`, "
                    f"or set RXTRACT_{name.upper()}"
                )
        return self


def read_addresses(stack: Path | None = None, environ: Mapping[str, str] = os.environ) -> StackAddresses:
    """Return the addresses from `stack` (a stack.json or the folder with it; default `.rxtract`, or else the stack that was started last) and the environment.

    Raises:
        UserError: when a file was named and is not there or not readable.
    """
    return with_variables(_read_file(stack), environ)


def records_folder(stack: Path | None = None) -> Path:
    """Return the folder of the records at rest of a stack.

    Raises:
        UserError: No stack, and no variable, names one.
    """
    return Path(read_addresses(stack).need("records_dir").records_dir)


def with_variables(named: Mapping[str, Any], environ: Mapping[str, str]) -> StackAddresses:
    """Return addresses that a file names, each overridden by its variable."""
    found = dict(named)
    for item in fields(StackAddresses):
        value = environ.get(f"RXTRACT_{item.name.upper()}")
        if value and item.name not in {"metrics", "stack_id"}:
            found[item.name] = value
    # There is one key store: a variable that names it takes the place of what the file says.
    for one, other in (("key_store_url", "key_store_file"), ("key_store_file", "key_store_url")):
        if environ.get(f"RXTRACT_{one.upper()}") and not environ.get(f"RXTRACT_{other.upper()}"):
            found.pop(other, None)
    known = {item.name for item in fields(StackAddresses)}
    return StackAddresses(**{name: value for name, value in found.items() if name in known})


def _state_dir() -> Path:
    """`rxtract` in XDG_STATE_HOME, else ~/.local/state/rxtract."""
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser().absolute() / "rxtract"


def remember_stack(path: Path) -> None:
    """Note where the stack.json lies that was written last, so that commands find it from any folder."""
    with contextlib.suppress(OSError):
        noted = _state_dir() / NOTED
        noted.parent.mkdir(parents=True, exist_ok=True)
        noted.write_text(str(path.absolute()), encoding="utf-8")


def _running() -> Path:
    """This folder's stack, or else the one that was started last, if it still runs."""
    if not DEFAULT_STACK.exists():
        with contextlib.suppress(OSError, ValueError):
            noted = Path((_state_dir() / NOTED).read_text(encoding="utf-8").strip())
            if noted.is_file():
                return noted
    return DEFAULT_STACK


def _read_file(stack: Path | None) -> dict[str, Any]:
    path = stack or _running()
    if path.is_dir():
        path = path / "stack.json"
    if not path.exists():
        if stack is None:
            return {}
        raise UserError(f"no stack at {path}: start one with `rxtract up --data {path.parent}`")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot read {path} ({type(error).__name__}): start the stack again with `rxtract up`"
        ) from None
    return dict(found)
