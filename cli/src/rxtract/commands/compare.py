"""`rxtract compare`: which of two models is better on the same notes, and is that sure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rxtract.annotations import (
    Data,
    Json,
    Labels,
    Seed,
    Sentences,
    SentencesFormat,
    one_line_errors,
    read_annotations,
    reads_annotations,
    say,
)
from rxtract.mlflow_server import Stack, TrackingUri, find_mlflow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clinical_ner.compare import Contender
    from clinical_ner.notes import AnnotatedNote

_ADDRESS = "A folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN."


@reads_annotations
def compare(
    first: Annotated[str, typer.Argument(help=f"The model to compare with. {_ADDRESS}", metavar="MODEL")],
    second: Annotated[str, typer.Argument(help="The other model.", metavar="MODEL")],
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    show: Annotated[int, typer.Option(help="How many entities of each kind of change to print.")] = 15,
    resamples: Annotated[int, typer.Option(min=100, help="Draws of the bootstrap.")] = 2_000,
    seed: Seed = 0,
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Compare two models on the same notes: a paired bootstrap per label, names seen or new, and what changed."""
    from clinical_ner.compare import compare as compare_predictions

    notes = read_annotations(sentences, labels, sentences_format, data).notes
    address = find_mlflow(tracking_uri, stack) if any(":/" in model for model in (first, second)) else ""
    found = compare_predictions(
        notes, _contender(first, notes, address), _contender(second, notes, address), seed, resamples
    )
    say(found["scores"][0]["remarks"])
    if json_:
        print(json.dumps(found, indent=2))
    else:
        _print(Console(highlight=False), found, show)


def _contender(model: str, notes: Sequence[AnnotatedNote], address: str) -> Contender:
    from clinical_ner.compare import Contender
    from clinical_ner.dataset_description import trained_on_these
    from clinical_ner.predictions import predict
    from clinical_ner.tracking_download import open_model

    with one_line_errors():
        opened = open_model(model, address)
    say([f"{model}: {remark}" for remark in trained_on_these(notes, opened.tagger.metadata)])
    return Contender(opened.source, predict(opened.tagger, notes), opened.tagger.training_mentions)


def _print(console: Console, found: Mapping[str, Any], show: int) -> None:
    table = Table(title=f"Exact-span F1 on {found['notes']:,} notes (95 % intervals)", title_justify="left")
    for name in ("", "first", "second", "second - first"):
        table.add_column(name, justify="left" if not name else "right")
    for name, row in found["exact_span_f1"].items():
        if row is None:
            table.add_row("all labels" if name == "micro" else name, "-", "-", "-")
            continue
        cells = [_interval(row["first"]), _interval(row["second"]), _gain(row["difference"])]
        table.add_row("all labels" if name == "micro" else name, *cells)
    for name, label in (("seen", "names seen"), ("unseen", "names not seen")):
        first, second = found[name]
        if first is not None and first["support"]:
            table.add_row(label, f"{first['f1']:.3f}", f"{second['f1']:.3f}", f"{second['f1'] - first['f1']:+.3f}")
    console.print(table)
    console.print(f"first: {found['models'][0]}\nsecond: {found['models'][1]}", markup=False)
    console.print("names seen: annotated in the first model's training data", style="dim")
    console.print(found["verdict"], style="bold")
    changes = found["changes"]
    for name, title in (
        ("fixed", "put right by the second"),
        ("broken", "got wrong by the second only"),
        ("both_wrong", "wrong in both"),
    ):
        _print_changes(console, f"{len(changes[name])} {title}", changes[name][:show])


def _print_changes(console: Console, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    console.print()
    if not rows:
        console.print(title)
        return
    table = Table(title=title, title_justify="left", show_edge=False)
    for name in ("note", "kind", "label", "in its place", "where"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_plain(row[key]) for key in ("note_id", "kind", "label", "found", "context")))
    console.print(table)


def _plain(value: Any) -> str:
    from rich.markup import escape

    return escape(str(value))


def _interval(found: Mapping[str, float]) -> str:
    return f"{found['value']:.3f} ({found['low']:.2f}-{found['high']:.2f})"


def _gain(found: Mapping[str, float]) -> str:
    return f"{found['value']:+.3f} ({found['low']:+.2f} {found['high']:+.2f})"
