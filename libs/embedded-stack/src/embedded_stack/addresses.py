"""Where the servers of a stack answer, and the file that tells scripts so."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from embedded_stack.drafts import draft_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a running stack. A component that was not asked for has the empty string."""

    bootstrap_servers: str = ""
    schema_registry_url: str = ""
    redis_url: str = ""
    mlflow_url: str = ""

    def as_environment(self) -> dict[str, str]:
        """The settings (`RXTRACT_...`) by which our services find these servers."""
        return {f"RXTRACT_{name.upper()}": value for name, value in asdict(self).items() if value}


def write_stack_json(path: Path, addresses: Addresses, extra: Mapping[str, Any] | None = None) -> None:
    """Write the addresses and `extra` (ingest_url, ingest_token, metrics, ...) to `path`.

    The file may hold a token, so only its owner may read it (mode 0600). It appears whole or not at all.
    """
    document = {**asdict(addresses), **(extra or {})}
    with draft_of(path) as draft:
        draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read_stack_json(path: Path) -> dict[str, Any]:
    """What `write_stack_json` wrote.

    Raises:
        OSError, ValueError: there is no such file, or it holds no JSON object.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise ValueError(f"{path} holds no JSON object")  # noqa: TRY004 - the caller catches ValueError for bad content
    return document


def addresses_of(document: Mapping[str, Any]) -> Addresses:
    """The addresses in a stack.json document."""
    return Addresses(**{name: str(document.get(name, "")) for name in Addresses.__dataclass_fields__})
