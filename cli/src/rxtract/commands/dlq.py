"""`rxtract dlq`: what was refused, why, and the way back."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from contracts.topics import DLQ_SUFFIX, prefixed
from rich.console import Console
from runtime.kafka.letters import MAX_ATTEMPTS
from runtime.kafka.letters import summary as _summary
from runtime.kafka.seen import Seen

from rxtract.addresses import StackAddresses, read_addresses
from rxtract.commands.tap import as_object, describe
from rxtract.errors import UserError
from rxtract.highlight import printable
from rxtract.reading import TopicReader
from rxtract.replay import check_bytes, replay, replay_mended
from rxtract.tables import Csv, one_form, print_table, write_csv

app = typer.Typer(help="Dead letters: list, show, replay.", no_args_is_help=True)
Stack = Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")]
TopicArgument = Annotated[str, typer.Argument(help="The topic, with or without .dlq, for example notes.submitted.v1.")]
Place = Annotated[str, typer.Argument(help="PARTITION:OFFSET in the .dlq topic, as `dlq list` prints it.")]
TYPED = {"place", "reason"}
"""Columns of the list that a person types into the next command."""
AsJson = Annotated[bool, typer.Option("--json", help="JSON for scripts.")]


@app.command("list")
def list_(
    topic: Annotated[str | None, typer.Argument(help="Only this topic.")] = None,
    stack: Stack = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason code.")] = None,
    limit: Annotated[int, typer.Option(help="Print at most this many, newest first.")] = 50,
    as_json: AsJson = False,
    as_csv: Csv = False,
) -> None:
    """Print the dead letters, newest first, and how many there are for each reason."""
    one_form(as_json=as_json, as_csv=as_csv)
    addresses = read_addresses(stack)
    reader = TopicReader(addresses)
    topics = [_dlq(addresses, topic)] if topic else [name for name in reader.names() if name.endswith(DLQ_SUFFIX)]
    found = [seen for seen in reader.read(topics) if reason in (None, _reason(seen))]
    newest = sorted(found, key=lambda seen: seen.timestamp_ms, reverse=True)[:limit]
    if as_json:
        sys.stdout.write(json.dumps([_summary(seen) for seen in newest], indent=2) + "\n")
        return
    names = ("topic", "place", "when (UTC)", "reason", "by", "attempt", "key", "bytes")
    rows = [_row(seen) for seen in newest]
    if as_csv:
        write_csv(names, rows)
        return
    if not found:
        print("no dead letters")
        return
    console = Console(highlight=False)
    print_table(names, rows, console)
    counts = Counter(_reason(seen) for seen in found)
    console.print(", ".join(f"{code} {count}" for code, count in counts.most_common()), style="bold")


def _row(seen: Seen) -> tuple[object, ...]:
    found = _summary(seen)
    moment = datetime.fromtimestamp(seen.timestamp_ms / 1000, UTC)
    return (
        seen.topic, found["place"], f"{moment:%Y-%m-%d %H:%M:%S}", found["reason"], found["stage"], found["attempt"],
        found["key"] or "-", found["bytes"],
    )  # fmt: skip


@app.command("show")
def show(topic: TopicArgument, place: Place, stack: Stack = None, as_json: AsJson = False) -> None:
    """Print one dead letter whole. With --json its `value` is what `dlq replay --with` takes once it is mended."""
    addresses = read_addresses(stack)
    seen = _find(addresses, topic, place)
    if as_json:
        sys.stdout.write(json.dumps(as_object(seen), ensure_ascii=False, indent=2) + "\n")
        return
    console = Console(soft_wrap=True)
    console.print(describe(seen))
    for name, value in seen.headers:
        console.print(f"  {name}: {printable((value or b'').decode(errors='replace'))}", style="dim", markup=False)
    if seen.record is None and seen.value is not None:
        console.print(f"  first bytes: {(seen.value or b'')[:64].hex(' ')}", style="dim")


@app.command("replay")
def replay_(
    topic: TopicArgument,
    place: Annotated[str | None, typer.Argument(help="PARTITION:OFFSET; or give --all or --reason.")] = None,
    stack: Stack = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter of the topic.")] = False,
    reason: Annotated[str | None, typer.Option(help="Every dead letter with this reason code.")] = None,
    mended: Annotated[Path | None, typer.Option("--with", help="JSON file with the mended record's fields.")] = None,
    max_attempts: Annotated[int, typer.Option(help="Leave out what was tried this often already.")] = MAX_ATTEMPTS,
) -> None:
    """Send dead letters back to their topic. A note that comes twice has one effect: replaying again is harmless."""
    addresses = read_addresses(stack).need("bootstrap_servers", "schema_registry_url")
    if mended is not None:
        if place is None:
            raise UserError("--with mends one dead letter: name its PARTITION:OFFSET")
        replay_mended(addresses, _find(addresses, topic, place), _fields(mended))
        print("dlq: 1 mended record sent")
        return
    if place is None and not everything and reason is None:
        raise UserError("say which: PARTITION:OFFSET, --reason CODE or --all")
    if place is not None:
        letters = [_find(addresses, topic, place)]
        check_bytes(letters[0])
    else:
        found = TopicReader(addresses).read([_dlq(addresses, topic)])
        letters = [seen for seen in found if reason in (None, _reason(seen))]
    done = replay(addresses, letters, max_attempts=max_attempts)
    left = f"; {done.exhausted} left out: tried {max_attempts} times or more" if done.exhausted else ""
    if done.unreadable:
        left += f"; {done.unreadable} left out: no whole record, mend them one by one with --with"
    if done.without_bytes:
        left += f"; {done.without_bytes} left out: their bytes stand on the topic, `rxtract dlq replay {topic} PLACE` says where"
    print(f"dlq: {done.sent} sent to {_dlq(addresses, topic).removesuffix(DLQ_SUFFIX)}{left}")


def _find(addresses: StackAddresses, topic: str, place: str) -> Seen:
    partition, _, offset = place.partition(":")
    if not (partition.isdigit() and offset.isdigit()):
        raise UserError(f"{place} is not PARTITION:OFFSET: `rxtract dlq list {topic}` prints the places")
    name = _dlq(addresses, topic)
    for seen in TopicReader(addresses).read([name]):
        if (seen.partition, seen.offset) == (int(partition), int(offset)):
            return seen
    raise UserError(f"nothing at {place} of {name}: `rxtract dlq list {topic}` prints what is there")


def _fields(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read {path}: {type(error).__name__}; it must hold one JSON object") from None
    if not isinstance(fields, dict):
        raise UserError(f"{path} must hold one JSON object: the record's fields")
    return dict(fields.get("value", fields)) if isinstance(fields.get("value", {}), dict) else fields


def _dlq(addresses: StackAddresses, topic: str) -> str:
    name = prefixed(addresses.topic_prefix, topic.removesuffix(DLQ_SUFFIX))
    return name + DLQ_SUFFIX


def _reason(seen: Seen) -> str:
    return seen.header("rxtract.reason")
