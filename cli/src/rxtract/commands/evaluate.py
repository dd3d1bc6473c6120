"""`rxtract evaluate`: score a model on annotated notes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from rxtract.annotations import Data, Json, Labels, Sentences, SentencesFormat, read_annotations, say, told
from rxtract.mlflow_server import Stack, TrackingUri, find_mlflow
from rxtract.scoreboard import print_scores

Model = Annotated[
    str, typer.Option("--model", "-m", help="A folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN.")
]


def evaluate(
    model: Model,
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    errors: Annotated[
        Path | None, typer.Option("--errors", help="Write every error to this file (JSON lines).")
    ] = None,
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Score a model on annotated notes: exact spans, tokens, names seen in training or not, calibration."""
    from clinical_ner.dataset_description import trained_on_these
    from clinical_ner.evaluate import score
    from clinical_ner.predictions import predict
    from clinical_ner.tracking_download import open_model

    notes = read_annotations(sentences, labels, sentences_format, data).notes
    with told():
        opened = open_model(model, find_mlflow(tracking_uri, stack) if "://" in model or ":/" in model else "")
    predicted = predict(opened.tagger, notes)
    scores = score(notes, predicted, opened.tagger.training_mentions)
    scores["remarks"] += trained_on_these(notes, opened.tagger.metadata)
    scores["model"] = {"source": opened.source, "artifact_sha256": opened.sha256}
    if errors is not None:
        _write_errors(errors, notes, predicted)
    say(scores["remarks"])
    if json_:
        print(json.dumps(scores, indent=2))
    else:
        print_scores(Console(highlight=False), scores)


def _write_errors(path: Path, notes: Any, predicted: Any) -> None:
    from dataclasses import asdict

    from clinical_ner.errors import errors as list_errors

    with path.open("w", encoding="utf-8") as file:
        for error in list_errors(notes, predicted):
            file.write(json.dumps(asdict(error), ensure_ascii=False) + "\n")
