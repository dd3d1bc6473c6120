"""`rxtract dataset`: describe, check and import annotated data sets."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxtract.annotations import Data, Json, Labels, Sentences, SentencesFormat, read_annotations, say
from rxtract.commands.dataset_build import build
from rxtract.errors import UserError
from rxtract.mlflow_server import Stack, TrackingUri, find_mlflow, mlflow_told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rxtract.annotations import AnnotationFile

app = typer.Typer(help="Annotated data sets: what is in them, what is wrong with them.", no_args_is_help=True)
app.command("build")(build)
NOTES_FILE = "notes.jsonl"
MANIFEST_FILE = "manifest.json"
HeldOut = Annotated[
    list[Path] | None,
    typer.Option("--held-out", help="Another split (JSON lines or CoNLL) to look for leakage into; repeatable."),
]
HeldOutSentences = Annotated[
    Path | None, typer.Option("--held-out-sentences", help="Another split, in the pair format.")
]
HeldOutLabels = Annotated[Path | None, typer.Option("--held-out-labels", help="Labels of --held-out-sentences.")]
Show = Annotated[int, typer.Option(help="How many lines of each list to print.")]


@app.command()
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
    _log(file, find_mlflow(tracking_uri, stack), [])
    say(found["remarks"])
    if json_:
        print(json.dumps(found, indent=2))
    else:
        _print_description(Console(highlight=False), found, file.source)


@app.command()
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


@app.command("import")
def import_(
    out: Annotated[Path, typer.Option("--out", "-o", help=f"Folder for {NOTES_FILE} and {MANIFEST_FILE}.")],
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    name: Annotated[str, typer.Option(help="Name of the data set; the file's name if absent.")] = "",
    publish: Annotated[
        bool, typer.Option("--publish", help="Give the notes to the running stack's trainer, and order a training.")
    ] = False,
    model_name: Annotated[str, typer.Option(help="Registered model that --publish has trained.")] = "rxtract-ner",
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Convert a data set to canonical JSON lines with a manifest, and log its version to MLflow where one is known.

    With --publish the notes also become validated annotations, and once all are stored the trainer is told to learn from them.
    """
    from corpus.loaders_jsonl import dump_jsonl

    file = read_annotations(sentences, labels, sentences_format, data)
    manifest = _manifest(file, name or file.source)
    old = _old_digest(out)
    if old and old != manifest["digest"]:
        raise UserError(f"{out} holds another version ({old[:16]}…): give a new folder, versions are never overwritten")
    out.mkdir(parents=True, exist_ok=True)
    (out / NOTES_FILE).write_text("".join(f"{line}\n" for line in dump_jsonl(file.notes)), encoding="utf-8")
    (out / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    _log(file, find_mlflow(tracking_uri, stack), [out / MANIFEST_FILE])
    say(manifest["remarks"])
    if publish:
        _publish(file, manifest, model_name, stack)
    if json_:
        print(json.dumps(manifest, indent=2))
    else:
        counts = ", ".join(f"{count:,} {label}" for label, count in manifest["mentions"].items())
        print(f"{manifest['notes']:,} notes ({counts}) in {out / NOTES_FILE}\nversion {manifest['digest']}")


def _publish(file: AnnotationFile, manifest: Mapping[str, Any], model_name: str, stack: Path | None) -> None:
    from rxtract.addresses import read_addresses
    from rxtract.imported import publish_import

    command = publish_import(read_addresses(stack), file.notes, manifest["name"], manifest["digest"], model_name)
    Console(stderr=True, highlight=False).print(
        f"{manifest['notes']:,} annotations published, training ordered ({command.command_id}): "
        f"`rxtract tap` shows its events"
    )


def _manifest(file: AnnotationFile, name: str) -> dict[str, Any]:
    from clinical_ner.dataset_description import describe as described

    found = described(file.notes)
    return {
        "name": name,
        "digest": found["digest"],
        "digest_of": "sha256 over the sorted sha256 of each note's text, spans and pairs",
        "source": file.source,
        "imported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "notes": found["notes"],
        "tokens": found["tokens"],
        "mentions": {label: counts["mentions"] for label, counts in found["labels"].items()},
        "pairs": found["pairs"],
        "groups": found["groups"],
        "remarks": found["remarks"],
    }


def _old_digest(out: Path) -> str:
    try:
        return str(json.loads((out / MANIFEST_FILE).read_text(encoding="utf-8"))["digest"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{out / MANIFEST_FILE} cannot be read: remove it or give a new folder") from None


def _log(file: AnnotationFile, server: str, artifacts: Sequence[Path]) -> None:
    if not server:
        return
    from clinical_ner.experiment_log import MlflowLog
    from clinical_ner.tracking import EXPERIMENT, dataset_record

    record = dataset_record(file.notes, file.source, "dataset")
    with mlflow_told(server):
        log = MlflowLog(server, EXPERIMENT, f"data set {file.source}", [record], {})
        log.finish(record.profile, artifacts)
    Console(stderr=True, highlight=False).print(f"logged to MLflow as {file.source}, version {record.digest[:32]}")


def _print_description(console: Console, found: Mapping[str, Any], source: str) -> None:
    console.print(f"[bold]{escape(source)}[/] version {found['digest']}", soft_wrap=True)
    lengths = found["tokens_per_note"]
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
