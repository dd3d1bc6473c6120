"""`rxtract dataset`: describe, check and import annotated data sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxtract.annotations import Data, Json, Labels, Sentences, SentencesFormat, read_annotations, reads_annotations, say
from rxtract.commands.dataset_build import build
from rxtract.commands.dataset_import import export, import_
from rxtract.dataset_versions import log_version
from rxtract.mlflow_server import Stack, TrackingUri, find_mlflow_or_go_on

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


app = typer.Typer(
    help="Annotated data sets: read, written, what is in them, what is wrong with them.", no_args_is_help=True
)
app.command("build")(build)
app.command("import")(import_)
app.command("export")(export)
HeldOut = Annotated[
    list[Path] | None,
    typer.Option("--held-out", help="Another split, in any form that is read, to look for leakage into; repeatable."),
]
HeldOutSentences = Annotated[
    Path | None, typer.Option("--held-out-sentences", help="Another split, in the pair format.")
]
HeldOutLabels = Annotated[Path | None, typer.Option("--held-out-labels", help="Labels of --held-out-sentences.")]
Show = Annotated[int, typer.Option(help="How many lines of each list to print.")]


@app.command()
@reads_annotations
def describe(
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Count notes, tokens and mentions; give the version by content digest; log it to MLflow where one is known."""
    from clinical_ner.dataset_description import describe as described

    file = read_annotations(sentences, labels, sentences_format, data)
    found = described(file.notes)
    mentions = {label: counts["mentions"] for label, counts in found["labels"].items()}
    profile = {"notes": found["notes"], "characters": found["characters"], **mentions}
    log_version(file.source, found["digest"], profile, find_mlflow_or_go_on(tracking_uri, stack), [])
    say(found["remarks"])
    if json_:
        print(json.dumps({**found, "formats": list(file.formats)}, indent=2))
    else:
        _print_description(Console(highlight=False), found, file.source, file.formats)


@app.command()
@reads_annotations
def check(
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    held_out: HeldOut = None,
    held_out_sentences: HeldOutSentences = None,
    held_out_labels: HeldOutLabels = None,
    review: Annotated[
        Path | None, typer.Option("--review", help="Write all suspicious annotations here (TSV).")
    ] = None,
    show: Show = 15,
    json_: Json = False,
) -> None:
    """Look for strings labelled differently, duplicates, leakage between splits, and annotations to review."""
    from clinical_ner.dataset_checks import check as checked

    file = read_annotations(sentences, labels, sentences_format, data)
    splits = {path.name: read_annotations(None, None, None, path).notes for path in held_out or []}
    if held_out_sentences is not None:
        splits[held_out_sentences.name] = read_annotations(held_out_sentences, held_out_labels).notes
    found = checked(file.notes, splits)
    if review is not None:
        _write_review(review, found["suspicious"])
    say(found["remarks"])
    if json_:
        print(json.dumps(found, indent=2))
    else:
        _print_check(Console(highlight=False), found, show)


def _print_description(console: Console, found: Mapping[str, Any], source: str, formats: Sequence[str]) -> None:
    console.print(f"[bold]{escape(source)}[/] version {found['digest']}", soft_wrap=True)
    lengths = found["tokens_per_note"]
    console.print("recognised " + "; ".join(formats), markup=False)
    console.print(
        f"{found['notes']:,} notes ({found['notes_without_entity']:,} without an entity), {found['tokens']:,} tokens: "
        f"{lengths['mean']} a note, 95 % have at most {lengths['p95']:.0f}, the longest {lengths['max']:.0f}"
    )
    table = Table()
    for name in ("label", "mentions", "different", "seen once", "tokens", "tokens a mention"):
        table.add_column(name, justify="left" if name == "label" else "right")
    for label, row in found["labels"].items():
        counts = [f"{row[key]:,}" for key in ("mentions", "distinct", "once", "tokens")]
        table.add_row(label, *counts, f"{row['tokens_per_mention']['mean']:.1f}")
    console.print(table)
    for label, row in found["labels"].items():
        frequent = ", ".join(f"{item['text']} ({item['mentions']})" for item in row["most_frequent"])
        console.print(f"most frequent {label}: {frequent or 'none'}", markup=False)


def _print_check(console: Console, found: Mapping[str, Any], show: int) -> None:
    consistency = found["consistency"]
    console.print(
        f"[bold]Consistency[/]: {consistency['strings']:,} different mention strings, {consistency['repeated']:,} occur more than once;"
    )
    console.print(
        f"  {consistency['two_labels']} carry both labels, {consistency['sometimes_unlabelled']} are annotated in only some places; "
        f"{consistency['agreement']:.0%} of the places agree with their string's usual label"
    )
    _print_rows(
        console,
        ("string", "labels"),
        [
            (row["text"], ", ".join(f"{k} {v}" for k, v in row["counts"].items()))
            for row in consistency["inconsistent"][:show]
        ],
    )
    _print_duplicates(console, "Duplicates within", found["duplicates"], show)
    for name, leak in found["leakage"].items():
        _print_duplicates(console, f"Leakage into {name} ({leak['notes']:,} notes)", leak, show)
        console.print(
            f"  {leak['mention_strings_also_in_train']:,} of its {leak['mention_strings']:,} different mention strings occur here too"
        )
    suspicious = found["suspicious"]
    console.print(f"[bold]To review[/]: {len(suspicious):,} annotations, the most suspicious first")
    rows = [(row["note_id"], row["label"], row["text"], row["reason"]) for row in suspicious[:show]]
    _print_rows(console, ("note", "label", "text", "why"), rows)


def _print_duplicates(console: Console, title: str, found: Mapping[str, Any], show: int) -> None:
    console.print(
        f"[bold]{escape(title)}[/]: {found['exact']} exact ({found['annotated_differently']} annotated differently), {found['near']} near"
    )
    rows = [(row["first"], row["second"], f"{row['likeness']:.2f}", row["text"]) for row in found["list"][:show]]
    _print_rows(console, ("note", "its like", "likeness", "text"), rows)


def _print_rows(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    table = Table(*head, show_edge=False)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    console.print(table)
    console.print()


def _write_review(path: Path, suspicious: Sequence[Mapping[str, Any]]) -> None:
    columns = ("score", "note_id", "start", "end", "label", "text", "reason")
    lines = ["\t".join(columns), *("\t".join(str(row[name]) for name in columns) for row in suspicious)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
