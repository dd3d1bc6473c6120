"""`rxtract doctor`: what this machine has, what is missing, what to do about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from embedded_stack.checks import Status, examine
from rich.console import Console
from rich.text import Text

MARKS = {
    Status.OK: Text("ok      ", "green"),
    Status.NOTE: Text("note    ", "yellow"),
    Status.PROBLEM: Text("problem ", "bold red"),
}


def doctor(
    data: Annotated[Path, typer.Option(help="The stack's folder.")] = Path(".rxtract"),
    as_json: Annotated[bool, typer.Option("--json", help="A list of {name, status, message, remedy}.")] = False,
) -> None:
    """Check this machine, one line each. Exit code 1 if something that is needed is missing; a note is no problem."""
    console = Console(highlight=False, soft_wrap=True)
    findings = []
    for finding in examine(data):
        findings.append(finding)
        if not as_json:
            line = Text.assemble(MARKS[finding.status], (f"{finding.name:<12} ", "bold"), finding.message)
            console.print(line.append(f": {finding.remedy}", "cyan") if finding.remedy else line)
    if as_json:
        print(json.dumps([finding.as_dict() for finding in findings], indent=2))
    if any(finding.status is Status.PROBLEM for finding in findings):
        raise typer.Exit(1)
