"""The table of commands, and the application made from it.

Only the module of the command that was typed is imported: `rxtract tap` should not wait for MLflow to be imported.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Annotated

import typer
from runtime.service.core_dumps import forbid_core_dumps
from runtime.service.known_variables import unknown_variables

from rxtract.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Command:
    """One entry: `module:attribute` names a function (a command) or a `typer.Typer` (a group of commands)."""

    name: str
    target: str
    panel: str


COMMANDS = (
    Command("demo", "rxtract.commands.demo:demo", "Run"),
    Command("up", "rxtract.commands.up:up", "Run"),
    Command("doctor", "rxtract.commands.doctor:doctor", "Run"),
    Command("extract", "rxtract.commands.extract:extract", "Notes"),
    Command("batch", "rxtract.commands.batch:batch", "Notes"),
    Command("assertion", "rxtract.commands.assertion:assertion", "Notes"),
    Command("deid", "rxtract.commands.deid:deid", "Notes"),
    Command("code", "rxtract.commands.code:code", "Notes"),
    Command("fhir", "rxtract.commands.fhir:fhir", "Notes"),
    Command("terminology", "rxtract.commands.terminology:app", "Notes"),
    Command("send", "rxtract.commands.send:send", "Notes"),
    Command("simulate", "rxtract.commands.simulate:simulate", "Notes"),
    Command("tap", "rxtract.commands.tap:tap", "Notes"),
    Command("why", "rxtract.commands.why:why", "Notes"),
    Command("dlq", "rxtract.commands.dlq:app", "Notes"),
    Command("reextract", "rxtract.commands.reextract:reextract", "Notes"),
    Command("access", "rxtract.commands.access:access", "Notes"),
    Command("erase", "rxtract.commands.erase:erase", "Notes"),
    Command("keys", "rxtract.commands.keys:app", "Notes"),
    Command("reconcile", "rxtract.commands.reconcile:reconcile", "Notes"),
    Command("sql", "rxtract.commands.sql:sql", "Notes"),
    Command("omop", "rxtract.commands.omop:omop", "Notes"),
    Command("quality", "rxtract.commands.quality:quality", "Models"),
    Command("report", "rxtract.commands.report:report", "Models"),
    Command("shadow", "rxtract.commands.shadow:app", "Models"),
    Command("model", "rxtract.commands.model:app", "Models"),
    Command("rules", "rxtract.commands.rules:app", "Models"),
    Command("train", "rxtract.commands.train:train", "Models"),
    Command("evaluate", "rxtract.commands.evaluate:evaluate", "Models"),
    Command("compare", "rxtract.commands.compare:compare", "Models"),
    Command("dataset", "rxtract.commands.dataset:app", "Models"),
    Command("experiment", "rxtract.commands.experiment:app", "Models"),
    Command("drift", "rxtract.commands.drift:app", "Models"),
    Command("topics", "rxtract.commands.topics:app", "Contracts"),
    Command("schemas", "rxtract.commands.schemas:app", "Contracts"),
    Command("bench", "rxtract.commands.bench:app", "Develop"),
    Command("generate", "rxtract.commands.generate:generate", "Develop"),
)


def build(argv: Sequence[str]) -> typer.Typer:
    """Return the application with the command that `argv` names, or with all of them when it names none."""
    app = typer.Typer(
        name="rxtract",
        help="Clinical notes in, Disease and Treatment entities out.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    typed = next((word for word in argv if not word.startswith("-")), None)
    wanted = [command for command in COMMANDS if command.name == typed] or list(COMMANDS)
    for command in wanted:
        _add(app, command)
    return app


def _say_version(asked: bool) -> None:  # noqa: FBT001
    if asked:
        print(f"rxtract {metadata.version('rxtract')}")
        raise typer.Exit


def _root(
    version: Annotated[  # noqa: FBT002 - Typer makes an option of it
        bool, typer.Option("--version", help="Print the version and stop.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Clinical notes in, Disease and Treatment entities out."""


def _add(app: typer.Typer, command: Command) -> None:
    module, attribute = command.target.split(":")
    target = getattr(importlib.import_module(module), attribute)
    if isinstance(target, typer.Typer):
        app.add_typer(target, name=command.name, rich_help_panel=command.panel)
    else:
        app.command(command.name, rich_help_panel=command.panel)(target)


def run() -> None:
    """Run the command line on the arguments of this process; a `UserError` is one line and exit code 2."""
    forbid_core_dumps()  # the servers that `up` starts inherit it
    for unknown in unknown_variables():
        print(f"rxtract: {unknown}", file=sys.stderr)
    try:
        build(sys.argv[1:])()
    except UserError as error:
        print(f"rxtract: {error}", file=sys.stderr)
        raise SystemExit(2) from None
