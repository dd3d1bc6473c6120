"""`rxtract topics`: make them, list them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from confluent_kafka import KafkaException
from contracts.apply import apply_topics
from contracts.cluster import ClusterError
from contracts.topics import load_topics
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from rxtract.addresses import read_addresses
from rxtract.errors import UserError
from rxtract.kafka import client_config

app = typer.Typer(help="The topics that schemas/topics describes.", no_args_is_help=True)
Stack = Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")]


@app.command("apply")
def apply(stack: Stack = None) -> None:
    """Create what is missing and bring settings up to the files. Running it again changes nothing."""
    addresses = read_addresses(stack)
    config = {**client_config(addresses, "rxtract-cli"), "log_level": 0}
    try:
        changes = apply_topics(config, load_topics(), prefix=addresses.topic_prefix, sealing=addresses.sealing == "on")
    except (ClusterError, KafkaException) as error:
        where = f"Kafka at {addresses.bootstrap_servers}"
        raise UserError(f"{where}: {error}; is it up, and do RXTRACT_SECURITY_PROTOCOL and its kin fit it?") from None
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
        way = f"{', '.join(topic.producers)} -> {topic.readers}"
        console.print(Padding(Text(f"key {topic.key}, kept {days}; {way}", "dim"), (0, 0, 0, 2)))
        console.print(Padding(Text(topic.purpose), (0, 0, 0, 2)))
