"""The ports of a stack's doors and pages: the same on the same folder, so that links and open pages stay true."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from embedded_stack.errors import StackError
from embedded_stack.ports import free_ports, is_free

if TYPE_CHECKING:
    from pathlib import Path

DOORS = ("answerer", "review-desk", "scorekeeper", "ingestor", "ledger")
"""Our services that answer HTTP, in the order of their ports behind a base."""
SERVERS = ("mlflow", "registry", "kafka", "kafka-controller", "redis")
"""The servers, whose ports follow."""
KEPT = "door-ports.json"
_HIGHEST = 65_535


def ports_from(base: int) -> tuple[dict[str, int], dict[str, int]]:
    """The ports of doors and of servers, counted from a base: the page to try a note stands first.

    Raises:
        StackError: There are not so many ports behind it.
    """
    names = [*DOORS, *SERVERS]
    if not 1024 <= base <= _HIGHEST - len(names) + 1:
        raise StackError(f"--port-base {base}: give a port from 1024 to {_HIGHEST - len(names) + 1}")
    ports = {name: base + place for place, name in enumerate(names)}
    return {name: ports[name] for name in DOORS}, {name: ports[name] for name in SERVERS}


def door_ports(folder: Path, fixed: dict[str, int] | None = None) -> dict[str, int]:
    """The port of each door: as asked for, or as the last time where that is free, or any free one; noted for the next time.

    Raises:
        StackError: A port that was asked for is taken.
    """
    for name, port in (fixed or {}).items():
        if not is_free(port):
            raise StackError(f"port {port}, for the {name}, is taken by another program: give another --port-base")
    known = {name: port for name, port in _kept(folder).items() if is_free(port)} | (fixed or {})
    others = iter(set(free_ports(2 * len(DOORS))) - set(known.values()))
    chosen = {name: known.get(name) or next(others) for name in DOORS}
    (folder / KEPT).write_text(json.dumps(chosen), encoding="utf-8")
    return chosen


def _kept(folder: Path) -> dict[str, int]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads((folder / KEPT).read_text(encoding="utf-8"))
        return {name: int(noted[name]) for name in DOORS if name in noted}
    return {}
