"""`rxtract schemas`: register them, check a change before it is merged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from contracts.apply import apply_schemas, check_schemas
from contracts.registry import ConfluentRegistry, OldNamespace, RegistryUnavailable

from rxtract.addresses import read_addresses
from rxtract.errors import UserError

app = typer.Typer(help="The Avro schemas that schemas/records holds.", no_args_is_help=True)
Stack = Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")]


@app.command("apply")
def apply(stack: Stack = None) -> None:
    """Register every record's schema and set its subject's compatibility. Running it again changes nothing."""
    registry, prefix = _registry(stack)
    try:
        changes = apply_schemas(registry, prefix=prefix)
    except RegistryUnavailable as error:
        raise UserError(f"the schema registry does not answer: {error}") from None
    except OldNamespace as error:
        raise UserError(str(error)) from None
    for change in changes:
        print(f"{change.action} {change.name} {change.detail}".rstrip())
    print(f"schemas: {len(changes)} changed" if changes else "schemas: nothing to change")


@app.command("check")
def check(stack: Stack = None) -> None:
    """Ask the registry whether the files may replace what is registered. Exit code 1 when a change is not compatible."""
    registry, prefix = _registry(stack)
    try:
        findings = check_schemas(registry, prefix=prefix)
    except RegistryUnavailable as error:
        raise UserError(f"the schema registry does not answer: {error}") from None
    except OldNamespace as error:
        raise UserError(str(error)) from None
    for finding in findings:
        print(f"{'breaking' if finding.breaking else 'to apply'}: {finding.subject}: {finding.problem}")
    if any(finding.breaking for finding in findings):
        raise typer.Exit(1)
    print("schemas: every schema may be registered" if findings else "schemas: the registry is as the files say")


def _registry(stack: Path | None) -> tuple[ConfluentRegistry, str]:
    addresses = read_addresses(stack).need("schema_registry_url")
    return ConfluentRegistry(addresses.schema_registry_url), addresses.topic_prefix
