"""`rxtract why`: one note's story across the topics."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from contracts.topics import DLQ_SUFFIX, load_topics, prefixed
from rich.console import Console
from rich.text import Text

from rxtract.addresses import read_addresses
from rxtract.commands.tap import as_object, describe, say_open
from rxtract.errors import UserError
from rxtract.reading import Seen, TopicReader

INDIA = ZoneInfo("Asia/Kolkata")


def why(
    note_id: Annotated[str, typer.Argument(help="The note's id, as it was sent.")],
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of the records found.")] = False,
) -> None:
    """Tell what happened to one note: every record with its id, in the order of time, and what that means."""
    addresses = read_addresses(stack)
    reader = TopicReader(addresses)
    existing = set(reader.names())
    keyed = [prefixed(addresses.topic_prefix, name) for name, topic in load_topics().items() if topic.key == "note_id"]
    wanted = [name for topic in keyed for name in (topic, topic + DLQ_SUFFIX) if name in existing]
    records = reader.read(wanted, key=note_id.encode(), on_open=say_open)
    found = sorted(records, key=lambda seen: seen.timestamp_ms)
    if as_json:
        sys.stdout.write(json.dumps([as_object(seen) for seen in found], ensure_ascii=False, indent=2) + "\n")
        return
    if not found:
        raise UserError(
            f"no record of {note_id}: the id may be wrong, its records expired, or it was refused over HTTP"
        )
    console = Console(soft_wrap=True)
    for seen in found:
        moment = datetime.fromtimestamp(seen.timestamp_ms / 1000, UTC).astimezone(INDIA)
        console.print(Text(f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3], "bold"), Text(seen.topic, "magenta"))
        console.print(describe(seen))
    console.print(Text(verdict(found), "bold"))


def verdict(found: list[Seen]) -> str:
    """Return one sentence on where the note stands."""
    entities = [seen for seen in found if ".entities.extracted." in "." + seen.topic and seen.record is not None]
    dead = [seen for seen in found if seen.topic.endswith(DLQ_SUFFIX)]
    if entities:
        best = max(entities, key=lambda seen: (seen.record.revision, seen.record.model.serial))
        took_ms = best.record.extracted_at - best.record.accepted_at
        count = len(best.record.entities)
        again = f"; {len(entities)} events for it, this one counts" if len(entities) > 1 else ""
        return (
            f"Structured: {count} entit{'y' if count == 1 else 'ies'} by model version {best.record.model.version}, "
            f"{took_ms} ms after it was accepted{again}."
        )
    if dead:
        return f"Refused: {dead[-1].header('rxtract.reason')}. `rxtract dlq show` and `rxtract dlq replay` are the way back."
    return "On its way: accepted or submitted, no entity event yet. `rxtract doctor` says whether an extractor runs."
