"""`rxtract model recalibrate`: confidences of a model that are right on a hospital's own notes."""

from __future__ import annotations

import json
import shutil
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
)
from rxtract.errors import UserError
from rxtract.mlflow_server import Stack, TrackingUri, find_mlflow
from rxtract.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clinical_ner.recalibration import Recalibrated

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="A folder, models:/NAME@ALIAS or runs:/RUN; else the shipped model."),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the model with the new curves.")]
Kind = Annotated[
    str, typer.Option("--kind", help="What kind of notes these are, as it will stand beside confidences elsewhere.")
]
WAYS = {
    "kept": "too few: the old curve stays",
    "offset": "log odds shifted",
    "platt": "log odds stretched and shifted",
    "isotonic": "rising curve",
}


@reads_annotations
def recalibrate(
    out: Out,
    model: Model = None,
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    kind: Kind = "",
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Fit a model's confidences anew on audited notes; the entities that it finds stay the same.

    The notes must be annotated in full and must not have trained the model; about 200 are enough. The curves stand in the
    model file, under its digest, with the kind of notes that they hold for.
    """
    from clinical_ner.artifact import CRFSUITE_FILE
    from clinical_ner.recalibration import AuditTooSmall
    from clinical_ner.recalibration import recalibrate as fitted
    from clinical_ner.tagger import TABLES_FILE

    file = read_annotations(sentences, labels, sentences_format, data)
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: name a folder by --out")
    data_, beside = _model(model, find_mlflow(tracking_uri, stack) if model and ":/" in model else "")
    with one_line_errors():
        try:
            made = fitted(data_, file.notes, kind or f"the audited notes of {file.source}")
        except AuditTooSmall as error:
            raise UserError(str(error)) from None
    out.mkdir(parents=True, exist_ok=True)
    (out / TABLES_FILE).write_bytes(made.tables)
    if beside is not None and beside.resolve() != (out / CRFSUITE_FILE).resolve():
        shutil.copyfile(beside, out / CRFSUITE_FILE)
    _tell(made, out, len(file.notes), as_json=json_)


def _model(address: str | None, tracking_uri: str) -> tuple[bytes, Path | None]:
    """Return the model file, and CRFsuite's own file where one lies beside it."""
    from clinical_ner.artifact import CRFSUITE_FILE
    from clinical_ner.tracking_download import open_model

    from rxtract.first_model import first_model

    where = str(first_model().folder) if address is None else address
    with one_line_errors():
        opened = open_model(where, tracking_uri)
    folder = Path(where) if ":/" not in where else None
    beside = (folder if folder.is_dir() else folder.parent) / CRFSUITE_FILE if folder is not None else None
    return opened.data, beside if beside is not None and beside.is_file() else None


def _tell(made: Recalibrated, out: Path, notes: int, *, as_json: bool) -> None:
    if as_json:
        found = {what: {k: v for k, v in row.items() if k != "bins"} for what, row in made.report.items()}
        print(
            json.dumps({"model": str(out), "artifact_sha256": made.sha256, "notes": notes, "curves": found}, indent=2)
        )
        return
    print_table(
        ("curve of", "judged", "way", "error before", "error now"),
        [(what, f"{row['entities']:,}", WAYS[row["method"]], *_errors(row)) for what, row in made.report.items()],
    )
    Console(highlight=False, soft_wrap=True).print(
        f"model in {out} (sha256 {made.sha256[:16]}…), calibrated on {notes:,} notes; "
        "errors are expected calibration errors, the new ones on notes that the curve did not see",
        markup=False,
    )


def _errors(row: Mapping[str, Any]) -> tuple[str, str]:
    return (
        f"{row['ece_before']:.3f}" if "ece_before" in row else "-",
        f"{row['ece']:.3f}" if "ece" in row else "-",
    )
