"""`rxtract doctor`: what this machine and the servers have, what is missing, what to do about it."""

from __future__ import annotations

import json
import os
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from embedded_stack.checks import Status, examine
from rich.console import Console
from rich.text import Text

from rxtract.addresses import StackAddresses, read_addresses, with_variables
from rxtract.deployment import examine_deployment
from rxtract.errors import UserError

MARKS = {
    Status.OK: Text("ok      ", "green"),
    Status.NOTE: Text("note    ", "yellow"),
    Status.PROBLEM: Text("problem ", "bold red"),
}


def doctor(
    stack: Annotated[
        Path, typer.Option("--stack", "--data", help="stack.json of a running stack, or its folder.")
    ] = Path(".rxtract"),
    as_json: Annotated[bool, typer.Option("--json", help="A list of {name, status, message, remedy}.")] = False,
) -> None:
    """Check this machine and the servers named in stack.json and RXTRACT_ variables, one line each.

    Topics, consumer groups, subjects of the schema registry and token files are looked at too. Exit code 1 if something that
    is needed is missing; a note is no problem.
    """
    console = Console(highlight=False, soft_wrap=True)
    folder = stack.parent if stack.suffix == ".json" else stack
    findings = []
    for finding in chain(examine(folder), examine_deployment(_addresses(folder), os.environ)):
        findings.append(finding)
        if not as_json:
            line = Text.assemble(MARKS[finding.status], (f"{finding.name:<12} ", "bold"), finding.message)
            console.print(line.append(f": {finding.remedy}", "cyan") if finding.remedy else line)
    if as_json:
        print(json.dumps([finding.as_dict() for finding in findings], indent=2))
    if any(finding.status is Status.PROBLEM for finding in findings):
        raise typer.Exit(1)


def _addresses(folder: Path) -> StackAddresses:
    """Those of the stack, or of the variables alone where there is none; a damaged stack.json has a line of its own."""
    try:
        return read_addresses(folder)
    except UserError:
        return with_variables({}, os.environ)
