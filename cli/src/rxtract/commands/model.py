"""`rxtract model`: versions and their reports, and orders to the trainer, the only one that moves aliases."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from contracts.records import ModelAction
from model_registry.version import Version
from rich.console import Console

from rxtract.addresses import read_addresses
from rxtract.annotations import Json
from rxtract.commands.recalibrate import recalibrate
from rxtract.errors import UserError
from rxtract.mlflow_server import Stack, TrackingUri, need_mlflow
from rxtract.models.orders import Answer, Outcome, carry_out, checked_segment, new_command
from rxtract.models.versions import Versions, as_json
from rxtract.tables import Csv, one_form, print_table, write_csv

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer(name="model", help="Versions of the model: list, judge, promote, roll back.", no_args_is_help=True)

EXIT_CODES = {
    Outcome.DONE: 0,
    Outcome.REJECTED: 1,
    Outcome.FAILED: 1,
    Outcome.DEFERRED: 3,
    Outcome.AWAITS_APPROVAL: 3,
    Outcome.TIMED_OUT: 4,
}

Name = Annotated[str, typer.Option("--name", help="The registered model.")]
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="As `rxtract model list` prints it.")]
TrainerTimeout = Annotated[float, typer.Option(min=0, help="Seconds to look for a running trainer before giving up.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds to wait for the end. The order stands beyond it.")]
By = Annotated[
    str, typer.Option("--by", envvar="RXTRACT_OPERATOR", help="Pseudonym of who orders; it stands in the command.")
]
MODEL = "rxtract-ner"
TRAINER_TIMEOUT_S = 15.0
MOST_REASONS = 2
"""Of the gate, in the list of versions; `rxtract model report` has all."""
TIMEOUT_S = 1_800.0


app.command("recalibrate")(recalibrate)


@app.callback()
def _group() -> None:
    """Versions of the model: list, judge, promote, roll back."""


@app.command("list")
def list_(
    name: Name = MODEL, tracking_uri: TrackingUri = "", stack: Stack = None, json_: Json = False, csv_: Csv = False
) -> None:
    """Print every version: which one serves, why it was trained, what the gate decided."""
    one_form(as_json=json_, as_csv=csv_)
    rows = Versions(need_mlflow(tracking_uri, stack), name).all()
    if json_:
        print(json.dumps({"name": name, "versions": [as_json(row) for row in rows]}, indent=2))
        return
    names = ("version", "alias", "serial", "trigger", "gate", "registered (UTC)", "why")
    (write_csv if csv_ else print_table)(names, [_row(row) for row in rows])


def _row(row: Version) -> tuple[object, ...]:
    created = datetime.fromtimestamp(row.created_at_ms / 1000, UTC)
    serial = "-" if not row.serial else row.serial
    aliases = ", ".join(row.aliases)
    return (row.version, aliases, serial, row.trigger or "-", gate_words(row), f"{created:%Y-%m-%d %H:%M}", why(row))


def gate_words(row: Version) -> str:
    """What the gate decided, and whether a person is asked."""
    return f"{row.gate}, awaits approval" if row.awaits_approval else row.gate or "-"


def why(row: Version) -> str:
    """The gate's first reasons, a line each."""
    try:
        reasons = json.loads(row.gate_reasons or "[]")
    except ValueError:  # cut off where MLflow's tags end
        return row.gate_reasons
    more = [f"and {len(reasons) - MOST_REASONS} more"] if len(reasons) > MOST_REASONS else []
    return "\n".join([*reasons[:MOST_REASONS], *more])


@app.command("report")
def report(
    version: VersionArgument, name: Name = MODEL, tracking_uri: TrackingUri = "", stack: Stack = None,
    json_: Json = False,
) -> None:  # fmt: skip
    """Print what the gate found on a version: numbers, intervals, reasons (Markdown)."""
    text = Versions(need_mlflow(tracking_uri, stack), name).report(version)
    print(json.dumps({"name": name, "version": version, "report": text}) if json_ else text)


@app.command("retrain")
def retrain(
    segment: Annotated[
        str | None,
        typer.Option(
            help="Segment key, such as city=Pune: it must be surely better on the notes of it that judge; refused at once when too few are labelled."
        ),
    ] = None,
    name: Name = MODEL,
    by: By = "operator",
    trainer_timeout: TrainerTimeout = TRAINER_TIMEOUT_S,
    timeout: Timeout = TIMEOUT_S,
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Train a challenger on all that is labelled, have the gate judge it, and promote it when it passes."""
    wanted = checked_segment(segment)
    order(ModelAction.RETRAIN, None, name, by, trainer_timeout, timeout, tracking_uri, stack, json_, segment=wanted)


@app.command("evaluate")
def evaluate(
    version: VersionArgument, name: Name = MODEL, by: By = "operator",
    trainer_timeout: TrainerTimeout = TRAINER_TIMEOUT_S, timeout: Timeout = TIMEOUT_S,
    tracking_uri: TrackingUri = "", stack: Stack = None, json_: Json = False,
) -> None:  # fmt: skip
    """Offer a version to the gate, against the champion: promoted when it passes, else refused. The report stays with it.

    The champion itself is measured on what is labelled by now, and nothing moves.
    """
    order(ModelAction.EVALUATE, version, name, by, trainer_timeout, timeout, tracking_uri, stack, json_)


@app.command("promote")
def promote(
    version: VersionArgument, name: Name = MODEL, by: By = "operator",
    trainer_timeout: TrainerTimeout = TRAINER_TIMEOUT_S, timeout: Timeout = TIMEOUT_S,
    tracking_uri: TrackingUri = "", stack: Stack = None, json_: Json = False,
) -> None:  # fmt: skip
    """Let a version serve. Void when another champion came meanwhile."""
    order(ModelAction.PROMOTE, version, name, by, trainer_timeout, timeout, tracking_uri, stack, json_)


@app.command("approve")
def approve(
    version: VersionArgument, name: Name = MODEL, by: By = "operator",
    trainer_timeout: TrainerTimeout = TRAINER_TIMEOUT_S, timeout: Timeout = TIMEOUT_S,
    tracking_uri: TrackingUri = "", stack: Stack = None, json_: Json = False,
) -> None:  # fmt: skip
    """Let a version serve that passed the gate and waits for a person (the trainer's gate setting approval: person)."""
    if not Versions(need_mlflow(tracking_uri, stack), name).need(version).awaits_approval:
        raise UserError(f"version {version} waits for nobody: `rxtract model list` shows which does")
    order(
        ModelAction.PROMOTE, version, name, by, trainer_timeout, timeout, tracking_uri, stack, json_, called="approve"
    )


@app.command("rollback")
def rollback(
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Else the one that served before.")] = None,
    name: Name = MODEL, by: By = "operator",
    trainer_timeout: TrainerTimeout = TRAINER_TIMEOUT_S, timeout: Timeout = TIMEOUT_S,
    tracking_uri: TrackingUri = "", stack: Stack = None, json_: Json = False,
) -> None:  # fmt: skip
    """Go back to the version that served before, or to the one that is named.

    A second time without a name is refused: the version before would be the one that was just left.
    """
    order(ModelAction.ROLLBACK, version, name, by, trainer_timeout, timeout, tracking_uri, stack, json_)


def order(
    action: ModelAction, version: str | None, name: str, by: str, trainer_timeout_s: float, timeout_s: float,
    tracking_uri: str, stack: Path | None, as_json: bool, segment: str | None = None, called: str = "",
) -> None:  # fmt: skip
    """Give an order to the trainer, print what became of it (under the action's name, or as it is `called`), and end."""
    versions = Versions(need_mlflow(tracking_uri, stack), name)
    if version is not None:
        versions.need(version)
    champion = versions.champion()
    if champion is None and action is ModelAction.ROLLBACK:
        raise UserError(f"{name} has no champion: nothing to roll back")
    command = new_command(action, name, by, target_version=version, champion_version=champion, segment=segment)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    answer = carry_out(
        read_addresses(stack),
        command,
        trainer_timeout_s=trainer_timeout_s,
        timeout_s=timeout_s,
        group=os.environ.get("RXTRACT_GROUP_PREFIX", "") + "rxtract-trainer",
        say=lambda words: console.print(words, markup=False),
    )
    _tell(answer, called or action.lower(), as_json=as_json)
    raise typer.Exit(EXIT_CODES[answer.outcome])


def _tell(answer: Answer, called: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer.to_dict(), indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{called}: {answer.outcome.lower().replace('_', ' ')}", markup=False)
    for reason in answer.reasons:
        console.print(f"  {reason}", markup=False)
    if answer.last is not None:
        for number, value in sorted(answer.last.metrics.items()):
            console.print(f"  {number} {value:.4g}", markup=False)
