"""Options shared by the commands that read annotated notes, and how they read them."""

from __future__ import annotations

import functools
import inspect
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from corpus.loaders import DatasetError, Format, Options, parse_map, read
from rich.console import Console

from rxtract.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clinical_ner.config import TrainingConfig
    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.support import Support
    from corpus.loaders import Reading

Sentences = Annotated[
    Path | None, typer.Option("--sentences", "-s", help="Tokens, one a line; blank line between sentences.")
]
Labels = Annotated[Path | None, typer.Option("--labels", "-l", help="The labels (O, D, T) of --sentences, one a line.")]
SentencesFormat = Annotated[
    Format | None,
    typer.Option(
        "--sentences-format", "--format", help="The format, where it shall not be recognised by what the file holds."
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        "-d",
        help="Text and labels in one file, or a folder: brat, Label Studio, doccano, spaCy, Prodigy, CoNLL, CSV, xlsx, Hugging Face, "
        "PubTator, BioC, i2b2, JSON lines.",
    ),
]
Config = Annotated[
    Path | None, typer.Option("--config", help="Training configuration (JSON), as `experiment` writes it.")
]
Unlabelled = Annotated[
    Path | None,
    typer.Option(
        "--unlabelled",
        help="Text without labels, a sentence a line, tokens separated by blanks (.txt or .gz): word clusters are induced from it.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result.")]
_PANEL = "How annotated files are read"
_READING = {
    "names": Annotated[
        list[str] | None,
        typer.Option("--map", help="What labels of others are here: PROBLEM=DISEASE,DRUG=TREATMENT,TEST=- (-: leave out; *: all others).", rich_help_panel=_PANEL),
    ],
    "offsets": Annotated[
        str,
        typer.Option("--offsets", help="How offsets count: auto, or codepoints, utf16, bytes, lf, crlf, and inclusive, from1.", rich_help_panel=_PANEL),
    ],
    "overlaps": Annotated[str, typer.Option("--overlaps", help="Spans that cross: refuse, or longest.", rich_help_panel=_PANEL)],
    "repair": Annotated[bool, typer.Option("--repair", help="Put spans where their words stand.", rich_help_panel=_PANEL)],
    "encoding": Annotated[str, typer.Option("--encoding", help="Encoding of the files, if not UTF-8: windows-1252.", rich_help_panel=_PANEL)],
    "annotator": Annotated[str, typer.Option("--annotator", help="Take this annotator's notes alone.", rich_help_panel=_PANEL)],
    "annotates": Annotated[
        list[str] | None,
        typer.Option("--annotates", help="The label that was looked for, if not both (DISEASE or TREATMENT).", rich_help_panel=_PANEL),
    ],
}  # fmt: skip
_DEFAULTS = {
    "names": None,
    "offsets": "auto",
    "overlaps": "refuse",
    "repair": False,
    "encoding": "",
    "annotator": "",
    "annotates": None,
}
_OPTIONS: ContextVar[Options] = ContextVar("reading options", default=Options())  # noqa: B039 - it is frozen


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """Annotated notes, where they came from, and in which formats."""

    notes: Sequence[AnnotatedNote]
    source: str
    formats: Sequence[str] = ()


def reads_annotations(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how annotated files are read."""
    signature = inspect.signature(command)
    hints = get_type_hints(command, include_extras=True)
    own = [parameter.replace(annotation=hints[name]) for name, parameter in signature.parameters.items()]
    kind = inspect.Parameter.KEYWORD_ONLY
    more = [inspect.Parameter(name, kind, default=_DEFAULTS[name], annotation=hint) for name, hint in _READING.items()]

    @functools.wraps(command)
    def wrapper(*args: Any, **given: Any) -> None:
        token = _OPTIONS.set(_options({name: given.pop(name, _DEFAULTS[name]) for name in _READING}))
        try:
            command(*args, **given)
        finally:
            _OPTIONS.reset(token)

    wrapper.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {**hints, **_READING}
    return wrapper


def _options(given: dict[str, Any]) -> Options:
    labels = tuple(
        part.strip().upper() for text in given["annotates"] or () for part in text.split(",") if part.strip()
    )
    if not set(labels) <= {"DISEASE", "TREATMENT"}:
        raise UserError("--annotates takes DISEASE or TREATMENT")
    if given["overlaps"] not in {"refuse", "longest"}:
        raise UserError("--overlaps takes refuse or longest")
    try:
        names = parse_map(given["names"] or [])
    except ValueError as error:
        raise UserError(f"--map: {error}") from None
    rest = {name: given[name] for name in ("offsets", "overlaps", "repair", "encoding", "annotator")}
    return Options(names=names, annotates=labels, **rest)


def open_annotations(
    sentences: Path | None, labels: Path | None, form: Format | None = None, data: Path | None = None
) -> tuple[Reading, str]:
    """Judge what the options name, and return it to be read, with the name of the file.

    Raises:
        UserError: Nothing, or too much, was named, or the files cannot be read.
    """
    from dataclasses import replace

    if sentences is not None and data is not None:
        raise UserError("give either --sentences (with --labels) or --data, not both")
    path = sentences or data
    if path is None:
        raise UserError("no notes given: name them by --sentences FILE --labels FILE, or by --data FILE")
    with one_line_errors():
        reading = read(path, labels, replace(_OPTIONS.get(), form=form))
    say(reading.remarks)
    return reading, path.name or path.resolve().name


def read_annotations(
    sentences: Path | None, labels: Path | None, form: Format | None = None, data: Path | None = None
) -> AnnotationFile:
    """Read what the options name.

    Raises:
        UserError: Nothing, or too much, was named, or the files cannot be read.
    """
    reading, source = open_annotations(sentences, labels, form, data)
    return AnnotationFile(list(reading.notes()), source, reading.formats)


def supported(unlabelled: Path | None, seed: int, tell: Callable[[int, int, str], None]) -> Support:
    """Return what helps beside labels: the shipped corpus and lexicon, and clusters of words where text for them is named.

    Raises:
        UnlabelledTextError: The text cannot be used.
    """
    from clinical_ner.clusters import NO_CLUSTERS, induce, read_sentences
    from corpus.support import shipped_support

    if unlabelled is None:
        return shipped_support(NO_CLUSTERS)
    clusters = induce(read_sentences(unlabelled), seed, lambda stage, done, total: tell(done, total, stage))
    return shipped_support(clusters)


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
    except (ValueError, RecursionError):
        raise UserError(f"{path}: not JSON: give a file that `rxtract experiment` wrote") from None
    if not isinstance(plain, dict):
        raise UserError(f"{path}: not a JSON object: give a file that `rxtract experiment` wrote")
    with one_line_errors(f"{path}: "):
        return TrainingConfig.from_dict(plain)


@contextmanager
def one_line_errors(prefix: str = "") -> Iterator[None]:
    """Turn what the libraries refuse with one clear line into that line."""
    from clinical_ner.clusters import UnlabelledTextError
    from clinical_ner.config import ConfigError
    from clinical_ner.datasets import TooFewNotesError
    from clinical_ner.experiment_faults import ExperimentRefused
    from clinical_ner.sklearn_crfsuite_check import LabelsDiffer
    from clinical_ner.tagger import ArtifactRefused
    from clinical_ner.tracking_download import ModelUnavailable
    from clinical_ner.train import TrainingDataError

    refusals = (
        ArtifactRefused,
        ConfigError,
        DatasetError,
        ExperimentRefused,
        LabelsDiffer,
        ModelUnavailable,
        TooFewNotesError,
        TrainingDataError,
        UnlabelledTextError,
    )
    try:
        yield
    except refusals as error:
        raise UserError(f"{prefix}{error}") from None


def say(remarks: Sequence[str]) -> None:
    """Print remarks about the data to stderr, so that JSON on stdout stays JSON."""
    console = Console(stderr=True, highlight=False)
    for remark in remarks:
        console.print(f"note: {remark}", style="yellow", markup=False, soft_wrap=True)
