"""`rxtract tap`: watch a topic, decoded."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from contracts.records import CodedEntity
from contracts.topics import DLQ_SUFFIX, ENTITIES_EXTRACTED, prefixed
from rich.console import Console
from rich.text import Text
from runtime.kafka.seen import Seen

from rxtract.addresses import read_addresses
from rxtract.highlight import Highlight, highlight, printable
from rxtract.reading import TopicReader

if TYPE_CHECKING:
    from rich.console import RenderableType


def tap(
    topic: Annotated[str, typer.Argument(help="A topic, for example entities.extracted.v1 or notes.submitted.v1.dlq.")],
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Everything that is kept, not only what comes.")
    ] = False,
    last: Annotated[int | None, typer.Option(help="Begin this many records before the end of each partition.")] = None,
    limit: Annotated[int | None, typer.Option(help="End after this many records.")] = None,
    follow: Annotated[bool, typer.Option(help="Wait for more; --no-follow ends where the topic ends now.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print the records of TOPIC as they arrive, decoded and coloured. Reads without a consumer group, so it changes nothing."""
    addresses = read_addresses(stack)
    reader = TopicReader(addresses)
    console = Console(soft_wrap=True)
    from_end = follow and not from_start and last is None
    if from_end and not as_json:
        console.print(f"waiting for records of {topic}; Ctrl-C ends", style="dim")
    seen = reader.read(
        [prefixed(addresses.topic_prefix, topic)], follow=follow, from_end=from_end, last=last, on_open=say_open
    )
    try:
        for one in islice(seen, limit):
            if as_json:
                sys.stdout.write(json.dumps(as_object(one), ensure_ascii=False) + "\n")
                sys.stdout.flush()
            else:
                console.print(describe(one))
    except KeyboardInterrupt:
        return


def say_open(topic: str, offsets: int) -> None:
    """Say on stderr that records cannot be read yet."""
    sys.stderr.write(
        f"{topic}: {offsets} offsets stand behind an open transaction; nobody can read them before it is committed or aborted\n"
    )


def as_object(seen: Seen) -> dict[str, Any]:
    """Return a record as the stable JSON object of `--json`: where it is, its key, its value or what is wrong with it."""
    return {
        "topic": seen.topic,
        "partition": seen.partition,
        "offset": seen.offset,
        "timestamp_ms": seen.timestamp_ms,
        "key": seen.key.decode(errors="replace") if seen.key is not None else None,
        "headers": {name: (value or b"").decode(errors="replace") for name, value in seen.headers},
        "value": seen.fields(),
        "problem": seen.problem or None,
    }


def describe(seen: Seen) -> RenderableType:
    """Return a record for the eye: its place, its reason where it is a dead letter, its text or entities in colour, then its other fields."""
    head = Text.assemble((f"{seen.partition}:{seen.offset} ", "dim"), (_key(seen), "cyan"))
    if seen.topic.endswith(DLQ_SUFFIX):
        head.append(f"  {seen.header('rxtract.reason') or 'no reason'}", style="bold red")
    if seen.record is None:
        size = len(seen.value or b"")
        return head.append(f"  {seen.problem}, {size} bytes", style="yellow")
    body = seen.record.to_dict()
    text = body.pop("text", None)
    entities = body.pop("entities", None)
    sealed = body.pop("sealed", None)
    if sealed is not None:
        head.append(f"\n  {_why_sealed(seen)}", "yellow")
    if text is not None:
        head.append("\n  ").append(highlight(text, getattr(seen.record, "entities", ())))
    elif entities is not None:
        for entity in seen.record.entities:
            head.append("\n  ").append(highlight(entity.text, [Highlight(str(entity.label), 0, len(entity.text))]))
            head.append(f" {entity.start}-{entity.end} {_sure(entity)}", "dim").append(_unusual(entity))
    head.append("\n  ")
    head.append(", ".join(f"{name}={_short(value)}" for name, value in body.items() if value not in (None, "")), "dim")
    return head


def _unusual(entity: Any) -> str:
    """What an entity's assertion says beside present, current, of the patient."""
    assertion = getattr(entity, "assertion", None)
    if assertion is None:
        return ""
    from rxtract.facts import unusual_words

    shown = [
        word for word in unusual_words(assertion) if word != "unknown"
    ]  # of records from before there were assertions
    return " " + " ".join(shown) if shown else ""


def _why_sealed(seen: Seen) -> str:
    """Why a record shows no words."""
    from sealing.texts import SEALED_RECORDS

    if type(seen.record).SCHEMA_NAME not in SEALED_RECORDS:
        return f"its words are sealed: {ENTITIES_EXTRACTED} shows them to whoever may see them"
    return (
        "its words are sealed: the patient was erased, or this command has no keys: set RXTRACT_KEY_STORE_FILE "
        "(or RXTRACT_KEY_STORE_URL) and RXTRACT_MASTER_KEY_FILE"
    )


def _sure(entity: Any) -> str:
    """How sure an entity is, or which codes it has."""
    if isinstance(entity, CodedEntity):
        return ", ".join(printable(code.code) for code in entity.codes) or "no code"
    return f"{entity.confidence:.2f}"


def _key(seen: Seen) -> str:
    return printable(seen.key.decode(errors="replace")) if seen.key is not None else "(no key)"


def _short(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return printable(shown if len(shown) <= 80 else shown[:77] + "...")
