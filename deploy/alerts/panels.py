"""What the dashboards show, held against the running system: every metric was read once, and every panel had data once.

A quiet system leaves some of both empty. The faults of all alerts, and what `knock` and `crown` do, make each happen.
"""  # noqa: INP001

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from contracts.records import ModelAction
from contracts.topics import ENTITIES_EXTRACTED
from mlflow.exceptions import MlflowException
from rules import ROOT
from world import MODEL, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World

WINDOW = "30s"
TRAINED_S = 300.0
_SUFFIX = re.compile(r"_(bucket|count|sum)$")


def knock(world: World) -> None:
    """A note that is refused, one that comes twice, another text under its name; and what only the scorekeeper cannot read."""
    (note,) = world.notes(1)
    for sent in (replace(note, note_id=f"{note.note_id}-empty", text=" "), note, note, replace(note, text="Fever.")):
        world.post([sent])
    world.put(ENTITIES_EXTRACTED, b"\x07garbage")


def crown(world: World) -> None:
    """A first champion: trained, judged and promoted by the trainer, which the other orders of this run never come to."""
    world.mlflow().delete_registered_model_alias(MODEL, "champion")
    world.order(ModelAction.RETRAIN, champion_version=None)()

    def crowned() -> bool:
        try:
            return bool(world.champion())
        except MlflowException:
            return False

    until(crowned, TRAINED_S, "the trainer makes no first champion")
    until(
        lambda: world.ever("rxtract_kpi_model_age_seconds", time.time() - 10),
        60,
        "the scorekeeper does not see the champion",
    )


def empty_panels(world: World, since_s: float) -> list[str]:
    """Panels of which no query had a number at any moment since then."""
    return [name for name, expressions in panels() if not any(world.ever(one, since_s) for one in expressions)]


def unread_metrics(world: World) -> list[str]:
    """Declared metrics of which no series was ever read."""
    declared = set(
        re.findall(r"^\| `(rxtract_\w+)`", (ROOT / "docs/reference/metrics.md").read_text("utf-8"), re.MULTILINE)
    )
    return sorted(declared - {_SUFFIX.sub("", name) for name in world.names()})


def panels() -> Iterator[tuple[str, list[str]]]:
    """Each panel by dashboard and title, with its expressions as Grafana would send them."""
    for page in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
        for panel in json.loads(page.read_text(encoding="utf-8"))["panels"]:
            asked = [
                target["expr"].replace("$__rate_interval", WINDOW).replace("$job", ".*") for target in panel["targets"]
            ]
            yield f"{page.stem}: {panel['title']}", asked
