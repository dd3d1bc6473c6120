"""Options shared by the commands that read annotated notes, and how they read them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from corpus.loaders import DatasetError, Format, load
from rich.console import Console

from rxtract.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clinical_ner.config import TrainingConfig
    from clinical_ner.notes import AnnotatedNote

Sentences = Annotated[
    Path | None, typer.Option("--sentences", "-s", help="Tokens, one a line; blank line between sentences.")
]
Labels = Annotated[Path | None, typer.Option("--labels", "-l", help="The labels (O, D, T) of --sentences, one a line.")]
SentencesFormat = Annotated[
    Format | None,
    typer.Option("--sentences-format", help="pairs (two files), conll or jsonl; told by the name if absent."),
]
Data = Annotated[
    Path | None, typer.Option("--data", "-d", help="Text and labels in one file: CoNLL columns or JSON lines.")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="Training configuration (JSON), as `experiment` writes it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result.")]


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """Annotated notes and where they came from."""

    notes: Sequence[AnnotatedNote]
    source: str


def read_annotations(
    sentences: Path | None, labels: Path | None, form: Format | None = None, data: Path | None = None
) -> AnnotationFile:
    """Read what the options name.

    Raises:
        UserError: Nothing, or too much, was named, or the files cannot be read.
    """
    if sentences is not None and data is not None:
        raise UserError("give either --sentences (with --labels) or --data, not both")
    path = sentences or data
    if path is None:
        raise UserError("no notes given: name them by --sentences FILE --labels FILE, or by --data FILE")
    with told():
        return AnnotationFile(load(path, labels, form), path.name)


def read_config(path: Path | None) -> TrainingConfig:
    """Read a training configuration, or the default one.

    Raises:
        UserError: The file is missing, no JSON, or has fields that training does not know.
    """
    import json

    from clinical_ner.config import TrainingConfig

    if path is None:
        return TrainingConfig()
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    except ValueError:
        raise UserError(f"{path}: not JSON: give a file that `rxtract experiment` wrote") from None
    if not isinstance(plain, dict):
        raise UserError(f"{path}: not a JSON object: give a file that `rxtract experiment` wrote")
    with told(f"{path}: "):
        return TrainingConfig.from_dict(plain)


@contextmanager
def told(prefix: str = "") -> Iterator[None]:
    """Turn what the libraries refuse with one clear line into that line."""
    from clinical_ner.config import ConfigError
    from clinical_ner.datasets import TooFewNotesError
    from clinical_ner.experiment_faults import ExperimentRefused
    from clinical_ner.tagger import ArtifactRefused
    from clinical_ner.tracking_download import ModelUnavailable
    from clinical_ner.train import TrainingDataError

    refusals = (
        ArtifactRefused,
        ConfigError,
        DatasetError,
        ExperimentRefused,
        ModelUnavailable,
        TooFewNotesError,
        TrainingDataError,
    )
    try:
        yield
    except refusals as error:
        raise UserError(f"{prefix}{error}") from None


def say(remarks: Sequence[str]) -> None:
    """Print remarks about the data to stderr, so that JSON on stdout stays JSON."""
    console = Console(stderr=True, highlight=False)
    for remark in remarks:
        console.print(f"note: {remark}", style="yellow", markup=False)
