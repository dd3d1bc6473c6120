"""`rxtract topics`: make them, list them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from contracts.apply import apply_topics
from contracts.topics import load_topics
from rich.console import Console
from rich.table import Table

from rxtract.addresses import read_addresses

app = typer.Typer(help="The topics that schemas/topics describes.", no_args_is_help=True)
Stack = Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")]


@app.command("apply")
def apply(stack: Stack = None) -> None:
    """Create what is missing and bring settings up to the files. Running it again changes nothing."""
    addresses = read_addresses(stack).need("bootstrap_servers")
    admin = {"bootstrap.servers": addresses.bootstrap_servers}
    changes = apply_topics(admin, load_topics(), prefix=addresses.topic_prefix)
    for change in changes:
        print(change)
    print(f"topics: {len(changes)} changed" if changes else "topics: nothing to change")


@app.command("list")
def list_() -> None:
    """Print every topic with what it is for, its key and who writes and reads it."""
    table = Table("topic", "for", "key", "from", "to", "kept")
    for topic in load_topics().values():
        days = f"{topic.retention_ms // 86_400_000} days" if topic.retention_ms > 0 else "always"
        name = f"{topic.name} (public)" if topic.public else topic.name
        table.add_row(name, topic.purpose, topic.key, ", ".join(topic.producers), ", ".join(topic.consumers), days)
    Console().print(table)
