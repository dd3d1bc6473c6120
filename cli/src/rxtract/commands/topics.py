"""`rxtract topics`: make them, list them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from contracts.apply import apply_topics
from contracts.topics import load_topics
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

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
        print(f"{change.action} {change.name} {change.detail}".rstrip())
    print(f"topics: {len(changes)} changed" if changes else "topics: nothing to change")


@app.command("list")
def list_() -> None:
    """Print every topic with what it is for, its key, who writes and reads it and how long it is kept."""
    console = Console(highlight=False)
    for topic in load_topics().values():
        days = f"{topic.retention_ms // 86_400_000} days" if topic.retention_ms > 0 else "always"
        marks = [word for word, holds in (("public", topic.public), ("restricted", topic.restricted)) if holds]
        console.print(Text(topic.name, "bold magenta"), Text(f"({', '.join(marks)})" if marks else ""))
        way = f"{', '.join(topic.producers)} -> {', '.join(topic.consumers)}"
        console.print(Padding(Text(f"key {topic.key}, kept {days}; {way}", "dim"), (0, 0, 0, 2)))
        console.print(Padding(Text(topic.purpose), (0, 0, 0, 2)))
