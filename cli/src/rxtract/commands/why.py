"""`rxtract why`: one note's story across the topics."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from contracts.identity import note_key, split_note_key
from contracts.topics import DLQ_SUFFIX, load_topics, prefixed
from rich.console import Console
from rich.text import Text
from runtime.kafka.seen import Seen

from rxtract.addresses import read_addresses
from rxtract.commands.tap import as_object, describe, say_open
from rxtract.errors import UserError
from rxtract.highlight import printable
from rxtract.observer import rank_of
from rxtract.reading import TopicReader

NOTE_KEY = "source|note_id"
"""What topics say of their key when it is a note's."""
INDIA = ZoneInfo("Asia/Kolkata")


def why(
    note_id: Annotated[str, typer.Argument(help="The note's id, as it was sent.")],
    source: Annotated[
        str | None, typer.Option(help="The system that sent it; every one that sent this id when left out.")
    ] = None,
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of the records found.")] = False,
) -> None:
    """Show what happened to one note: every record of it in order of time, with an explanation.

    Two sources with one id are two notes; each is shown separately.
    """
    addresses = read_addresses(stack)
    stories = by_source(_records_of(TopicReader(addresses), addresses.topic_prefix, note_id, source))
    if as_json:
        found = [as_object(seen) for story in stories.values() for seen in story]
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
        return
    if not stories:
        of = f" of {source}" if source else ""
        raise UserError(
            f"no record of {note_id}{of}: the id may be wrong, its records expired, or it was refused over HTTP"
        )
    console = Console(soft_wrap=True)
    if len(stories) > 1:
        names = ", ".join(map(printable, stories))
        console.print(Text(f"{len(stories)} notes have this id, of {names}; --source names one", "bold yellow"))
    for name, story in stories.items():
        if len(stories) > 1:
            console.print(Text(f"\nof {printable(name)}", "bold underline"))
        for seen in story:
            moment = datetime.fromtimestamp(seen.timestamp_ms / 1000, UTC).astimezone(INDIA)
            console.print(Text(f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3], "bold"), Text(seen.topic, "magenta"))
            console.print(describe(seen))
        console.print(Text(verdict(story), "bold"))


def _records_of(reader: TopicReader, prefix: str, note_id: str, source: str | None) -> list[Seen]:
    """Return what has the note's key; without a source every partition is read, for any source's key with this id."""
    existing = set(reader.names())
    keyed = [prefixed(prefix, name) for name, topic in load_topics().items() if topic.key == NOTE_KEY]
    topics = [name for topic in keyed for name in (topic, topic + DLQ_SUFFIX) if name in existing]
    if source is None:
        return list(reader.read(topics, wanted=lambda key: _id_of(key) == note_id, on_open=say_open))
    of_note = note_key(source, note_id).encode()
    return list(reader.read(topics, wanted=lambda key: key == of_note, on_open=say_open))


def by_source(found: list[Seen]) -> dict[str, list[Seen]]:
    """Return records of one id by the source in their keys, each source's in the order of time."""
    stories: dict[str, list[Seen]] = {}
    for seen in sorted(found, key=lambda seen: seen.timestamp_ms):
        source, _, _ = (seen.key or b"").decode(errors="replace").partition("|")
        stories.setdefault(source, []).append(seen)
    return dict(sorted(stories.items()))


def _id_of(key: bytes | None) -> str | None:
    """Return the id in a note's key; None where it is none."""
    try:
        return split_note_key((key or b"").decode())[1]
    except ValueError:
        return None


def verdict(found: list[Seen]) -> str:
    """Return one sentence on where the note stands."""
    entities = [seen for seen in found if ".entities.extracted." in "." + seen.topic and seen.record is not None]
    dead = [seen for seen in found if seen.topic.endswith(DLQ_SUFFIX)]
    if entities:
        best = max(entities, key=lambda seen: rank_of(seen.record))
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
