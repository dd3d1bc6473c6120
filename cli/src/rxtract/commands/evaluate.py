"""`rxtract evaluate`: score a model, and the rules behind what notes say, on annotated notes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from rxtract.annotations import (
    Data,
    Json,
    Labels,
    Sentences,
    SentencesFormat,
    one_line_errors,
    read_annotations,
    reads_annotations,
    say,
)
from rxtract.errors import UserError
from rxtract.mlflow_server import Stack, TrackingUri, find_mlflow
from rxtract.scoreboard import print_errors, print_meaning, print_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.errors import Error
    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.tracking_download import OpenedModel

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="A folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN; without one only the rules are scored.",
    ),
]


@reads_annotations
def evaluate(
    model: Model = None,
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    errors: Annotated[
        Path | None, typer.Option("--errors", help="Write every error to this file (JSON lines).")
    ] = None,
    show: Annotated[int, typer.Option(min=0, help="How many of the most frequent errors to print.")] = 0,
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Score a model on annotated notes: exact and overlapping spans, tokens, names seen in training or not, calibration, by source and specialty.

    A label that the notes do not annotate is in no sum; what is predicted of it is counted and judged by nothing.

    Where the notes are annotated with what they say (statuses, relations, prescription attributes, negation as in the NegEx
    kit, units a day), the rules are scored too, by class: with the annotated entities given, and with those of the model.
    """
    from clinical_ner.meaning import rules_version
    from clinical_ner.meaning_evaluation import annotated, score_meaning
    from clinical_ner.tracking_download import open_model

    notes = read_annotations(sentences, labels, sentences_format, data).notes
    says = annotated(notes)
    if model is None and not says:
        raise UserError("give --model: these notes are annotated with entities only, which rules do not find")
    if model is None and (errors is not None or show):
        raise UserError("--errors and --show list errors of a model: give --model too")
    scores: dict[str, Any] = {"notes": len(notes), "remarks": []}
    wrong: Sequence[Error] = ()
    if model is not None:
        with one_line_errors():
            opened = open_model(model, find_mlflow(tracking_uri, stack) if "://" in model or ":/" in model else "")
        scores, wrong = _score_model(opened, notes, says=says)
        if errors is not None:
            _write_errors(errors, wrong)
    if says:
        scores["meaning"] = score_meaning(notes)
        scores["rules_version"] = rules_version()
    say(scores["remarks"])
    if json_:
        print(json.dumps(scores, indent=2))
        return
    console = Console(highlight=False)
    if model is not None:
        print_scores(console, scores)
        if show:
            print_errors(console, wrong, show)
    if says:
        print_meaning(console, scores)


def _score_model(
    opened: OpenedModel, notes: Sequence[AnnotatedNote], *, says: bool
) -> tuple[dict[str, Any], list[Error]]:
    from clinical_ner.dataset_description import trained_on_these
    from clinical_ner.errors import errors
    from clinical_ner.evaluate import score
    from clinical_ner.meaning_evaluation import score_own_entities
    from clinical_ner.predictions import predict

    predicted = predict(opened.tagger, notes)
    scores = score(notes, predicted, opened.tagger.training_mentions)
    scores["remarks"] += trained_on_these(notes, opened.tagger.metadata)
    scores["model"] = {"source": opened.source, "artifact_sha256": opened.sha256}
    if says:
        scores["own_entities"] = score_own_entities(notes, predicted)
    return scores, errors(notes, predicted)


def _write_errors(path: Path, wrong: Sequence[Error]) -> None:
    from dataclasses import asdict

    with path.open("w", encoding="utf-8") as file:
        for error in wrong:
            file.write(json.dumps(asdict(error), ensure_ascii=False) + "\n")
